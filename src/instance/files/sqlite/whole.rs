//! A database as one file: where its rows are not for others to touch.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::time::Duration;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use super::super::folder::Folder;
use super::super::record;
use super::open;
use crate::core::content::Contents;
use crate::core::record::Body;
use crate::error::{Context, Error, Result};
use crate::limits;

/// How long a copy waits for another program before it tries again.
const PAUSE: Duration = Duration::from_millis(50);
/// What every copy changes in the header, and what it is changed to: a counter of changes, the counter that the size
/// belongs to, and the release of SQLite that wrote last.
const COUNTERS: [(u64, [u8; 4]); 3] = [(24, [0, 0, 0, 1]), (92, [0, 0, 0, 1]), (96, [0, 0, 0, 0])];

/// The bytes of a database in the state that its open transaction sees, log and all.
pub(super) fn snapshot(connection: &Connection, contents: &dyn Contents) -> Result<Body> {
    let what = "can't copy the database";
    let mut copy = tempfile::NamedTempFile::new().context(what)?;
    let mut target = Connection::open(copy.path()).context(what)?;
    run(connection, &mut target)?;
    target.close().map_err(|(_, error)| error).context(what)?;
    for (offset, bytes) in COUNTERS {
        let file = copy.as_file_mut();
        file.seek(SeekFrom::Start(offset)).and_then(|_| file.write_all(&bytes)).context(what)?;
    }
    record::read(&File::open(copy.path()).context(what)?, contents)
}

/// Makes the database of that name what the file `temporary` is, page by page in one transaction: programs that have it
/// open see the new state, or the old one.
pub(in super::super) fn replace(folder: &Folder, temporary: &str, name: &str) -> Result<()> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let source = Connection::open_with_flags(folder.path(temporary), flags).map_err(|error| open::told(error, name))?;
    let mut target = open::write(folder, name)?;
    run(&source, &mut target)
}

fn run(source: &Connection, target: &mut Connection) -> Result<()> {
    let what = "can't copy the database";
    let backup = Backup::new(source, target).context(what)?;
    let tries = limits::SQLITE_BUSY.as_millis() / PAUSE.as_millis();
    for _ in 0..tries {
        match backup.step(-1).context(what)? {
            StepResult::Done => return Ok(()),
            StepResult::More => {}
            _ => std::thread::sleep(PAUSE),
        }
    }
    Err(Error::unavailable("another program kept the database locked")
        .hint("let it finish, or stop it, then try again"))
}
