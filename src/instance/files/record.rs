//! Files and links as records, and the bytes between them and the store.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime};

use crate::core::content::Contents;
use crate::core::record::{Body, Record};
use crate::core::value::Value;
use crate::core::withheld;
use crate::error::{Context, Error, Result};
use crate::limits;

/// Whether a file may be executed.
const EXECUTABLE: &str = "Executable";
/// Where a link leads.
const TARGET: &str = "Target";
/// A file changed this recently may change again without any date showing it.
const SETTLED: Duration = Duration::from_secs(2);
/// How much of a file is read at once.
const PIECE: usize = 1024 * 1024;

/// A file with this body.
pub(super) fn file(executable: bool, body: Body) -> Record {
    let attributes = [(EXECUTABLE.to_owned(), Value::Bool(executable))].into();
    Record { body: Some(body), ..Record::new(attributes) }
}

/// Whether the file of a record may be executed.
pub(super) fn is_executable(record: &Record) -> bool {
    record.attributes.get(EXECUTABLE) == Some(&Value::Bool(true))
}

/// An empty directory.
pub(super) fn directory() -> Record {
    Record::default()
}

/// A symbolic link.
pub(super) fn link(target: &str) -> Record {
    Record::new([(TARGET.to_owned(), Value::text(target))].into())
}

/// Where the link of a record leads.
pub(super) fn target(record: &Record) -> Option<&str> {
    record.text(TARGET)
}

/// How a file looks from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Look {
    pub(super) executable: bool,
    /// Size, number and dates: while they stay the same the bytes do.
    pub(super) fingerprint: String,
    settled: bool,
}

impl Look {
    pub(super) fn of(file: &File) -> Result<Look> {
        let metadata = file.metadata().context("can't look at the file")?;
        let (size, number) = (metadata.size(), metadata.ino());
        let (written, second) = (metadata.mtime(), metadata.mtime_nsec());
        let (changed, third) = (metadata.ctime(), metadata.ctime_nsec());
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let age = now.as_secs().saturating_sub(u64::try_from(written.max(changed)).unwrap_or(0));
        Ok(Look {
            executable: metadata.mode() & 0o100 != 0,
            fingerprint: format!("{size} {number} {written}.{second} {changed}.{third}"),
            settled: age > SETTLED.as_secs(),
        })
    }

    /// Whether the fingerprint can be trusted: no change after it could have the same dates.
    pub(super) fn is_settled(&self) -> bool {
        self.settled
    }
}

/// Reads a file from its beginning to its end.
pub(super) fn read(mut file: &File, contents: &dyn Contents) -> Result<Body> {
    let mut head = Vec::new();
    file.take(limits::VALUE_INLINE as u64 + 1).read_to_end(&mut head).context("can't read the file")?;
    if head.len() <= limits::VALUE_INLINE {
        return Ok(Body::Inline(head));
    }
    let mut writer = contents.write_content();
    writer.write(&head)?;
    let mut piece = vec![0; PIECE];
    loop {
        match file.read(&mut piece) {
            Ok(0) => return Ok(Body::Content(writer.finish()?)),
            Ok(length) => writer.write(piece.get(..length).unwrap_or_default())?,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error).context("can't read the file"),
        }
    }
}

/// Writes a record's bytes, all of them and no more.
pub(super) fn write(record: &Record, contents: &dyn Contents, file: &mut File) -> Result<()> {
    let what = "can't write the file";
    match &record.body {
        None => Err(Error::denied("a file without bytes")),
        Some(Body::Withheld) => Err(withheld::error()),
        Some(Body::Inline(bytes)) => file.write_all(bytes).context(what),
        Some(Body::Content(content)) => {
            let mut length = 0;
            for piece in contents.read_content(content) {
                let piece = piece?;
                length += piece.len() as u64;
                file.write_all(&piece).context(what)?;
            }
            if length == content.size { Ok(()) } else { Err(Error::failed("a content that is not as long as it says")) }
        }
    }
}
