//! Opening databases: to read one without changing it, to write one, and to take one away.

use std::io::{Read, Seek};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::super::folder::{Folder, Stands};
use super::super::record::Look;
use crate::error::{Context, Error, Result};
use crate::limits;

/// How every database begins.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// What SQLite keeps beside a database.
const SIDES: [&str; 3] = ["-wal", "-shm", "-journal"];
/// Where the header says that the database has a write-ahead log.
const VERSIONS: usize = 18;

/// A database that is read, and the copy of it that was made for that, if one was.
pub(super) struct Reading {
    pub(super) connection: Connection,
    _copy: Option<tempfile::TempDir>,
}

/// Whether a regular file of that name is a database.
pub(in super::super) fn is_database(folder: &Folder, name: &str) -> Result<bool> {
    Ok(folder.stands(name)? == Stands::File && header(folder, name)?.starts_with(MAGIC))
}

/// Whether a name is that of what SQLite keeps beside a database that stands there too.
pub(in super::super) fn is_side_file(folder: &Folder, name: &str) -> Result<bool> {
    for side in SIDES {
        if let Some(database) = name.strip_suffix(side).filter(|database| !database.is_empty()) {
            return is_database(folder, database);
        }
    }
    Ok(false)
}

/// Whether something stands beside this name that SQLite would take for a log of a database there.
pub(in super::super) fn has_side_files(folder: &Folder, name: &str) -> Result<bool> {
    for side in SIDES {
        if folder.stands(&format!("{name}{side}"))? != Stands::Nothing {
            return Ok(true);
        }
    }
    Ok(false)
}

fn header(folder: &Folder, name: &str) -> Result<Vec<u8>> {
    let mut header = vec![];
    folder.open(name)?.take(100).read_to_end(&mut header).context("can't read the file")?;
    Ok(header)
}

/// Opens a database for one consistent look, in a transaction.
///
/// SQLite makes files beside a database with a write-ahead log even to read it, and repairs what a crash left in the
/// middle of a transaction. So where nobody has such a log open, and where there is something to repair, a copy is read.
///
/// None if it only begins as a database does.
pub(super) fn read(folder: &Folder, name: &str) -> Result<Option<Reading>> {
    let stands = |side: &str| folder.stands(&format!("{name}{side}"));
    let has_log = header(folder, name)?.get(VERSIONS..VERSIONS + 2).is_some_and(|versions| versions.contains(&2));
    let is_open = stands("-wal")? == Stands::File && stands("-shm")? == Stands::File;
    if !has_log || is_open {
        match begin(open(folder, name, OpenFlags::SQLITE_OPEN_READ_ONLY)?) {
            Ok(connection) => return Ok(Some(Reading { connection, _copy: None })),
            Err(error) if needs_repair(&error) => {}
            Err(error) if is_foreign(&error) => return Ok(None),
            Err(error) => return Err(told(error, name)),
        }
    }
    for _ in 0..limits::RECAPTURES {
        if let Some(copy) = copy(folder, name)? {
            let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let connection =
                Connection::open_with_flags(copy.path().join("copy"), flags).context("can't open the copy")?;
            tame(&connection).context("can't open the copy")?;
            return match begin(connection) {
                Ok(connection) => Ok(Some(Reading { connection, _copy: Some(copy) })),
                Err(error) if is_foreign(&error) => Ok(None),
                Err(error) => Err(told(error, name)),
            };
        }
    }
    Err(Error::failed("it was written all the time while it was copied"))
}

/// A crash left a journal that has to be rolled back first.
fn needs_repair(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen))
}

/// Begins a transaction; it sees the state of its first read, which is made here.
fn begin(connection: Connection) -> rusqlite::Result<Connection> {
    connection.execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema;")?;
    Ok(connection)
}

/// The database with what belongs to it, elsewhere; none if it was written meanwhile.
fn copy(folder: &Folder, name: &str) -> Result<Option<tempfile::TempDir>> {
    let directory = tempfile::Builder::new().prefix("peapod-").tempdir().context("no directory for a copy")?;
    let parts = ["", "-wal", "-journal"];
    let looks = || -> Result<Vec<Option<Look>>> {
        let mut looks = vec![];
        for part in parts {
            let name = format!("{name}{part}");
            let is_there = folder.stands(&name)? == Stands::File;
            looks.push(if is_there { Some(Look::of(&folder.open(&name)?)?) } else { None });
        }
        Ok(looks)
    };
    let before = looks()?;
    for (part, look) in parts.into_iter().zip(&before) {
        if look.is_some() {
            let mut file = folder.open(&format!("{name}{part}"))?;
            file.rewind().context("can't read the database")?;
            let mut copy = std::fs::File::create(directory.path().join(format!("copy{part}"))).context("can't copy")?;
            std::io::copy(&mut file, &mut copy).context("can't copy the database")?;
        }
    }
    Ok((looks()? == before).then_some(directory))
}

/// Opens the database of that name, through no symbolic link.
fn open(folder: &Folder, name: &str, flags: OpenFlags) -> Result<Connection> {
    let flags = flags | OpenFlags::SQLITE_OPEN_NOFOLLOW | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    folder.check_path()?;
    let connection = Connection::open_with_flags(folder.path(name), flags).map_err(|error| told(error, name))?;
    folder.check_path()?;
    tame(&connection).map_err(|error| told(error, name))?;
    Ok(connection)
}

/// Opens the database of that name to change it.
pub(super) fn write(folder: &Folder, name: &str) -> Result<Connection> {
    if folder.stands(name)? != Stands::File {
        return Err(Error::denied(format!("{name:?} is no database")));
    }
    open(folder, name, OpenFlags::SQLITE_OPEN_READ_WRITE)
}

/// Nothing in a database acts on its own while peapod has it open.
fn tame(connection: &Connection) -> rusqlite::Result<()> {
    for (setting, on) in [
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, false),
        (DbConfig::SQLITE_DBCONFIG_LEGACY_ALTER_TABLE, true),
        (DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true),
    ] {
        connection.set_db_config(setting, on)?;
    }
    connection.busy_timeout(limits::SQLITE_BUSY)?;
    connection.set_limit(rusqlite::limits::Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    connection.execute_batch("PRAGMA cell_size_check = ON; PRAGMA ignore_check_constraints = ON;")
}

/// Takes a database away, with all that belongs to it. Fails where another program is using it.
pub(in super::super) fn remove(folder: &Folder, name: &str) -> Result<()> {
    let connection = write(folder, name)?;
    // Leaving the write-ahead log takes being the only one who has it open.
    let alone = connection
        .pragma_update_and_check(None, "journal_mode", "DELETE", |row| row.get::<_, String>(0))
        .and_then(|_| connection.execute_batch("BEGIN EXCLUSIVE"));
    match alone {
        Err(error) if is_busy(&error) => return Err(told(error, name)),
        // What is damaged goes too.
        _ => {}
    }
    for side in SIDES {
        folder.remove(&format!("{name}{side}"))?;
    }
    folder.remove(name)
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

/// The error that a database gives, as a person is told it.
pub(super) fn told(error: rusqlite::Error, name: &str) -> Error {
    if is_busy(&error) {
        let waited = humantime::format_duration(Duration::from_secs(limits::SQLITE_BUSY.as_secs()));
        return Error::unavailable(format!("another program kept the database {name:?} locked for {waited}"))
            .because(error)
            .hint("let it finish, or stop it, then try again");
    }
    Error::failed(format!("can't use the database {name:?}")).because(error)
}

/// Whether a file that begins as a database does is none that this SQLite reads (an encrypted one, say).
fn is_foreign(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::NotADatabase))
}
