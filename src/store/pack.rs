//! One pack file: objects back to back, then a table that says what they are.
//!
//! ```text
//! magic            16 bytes, "peapod pack v1\n" and a NUL
//! salt             16 random bytes, so that no two packs are the same file
//! objects          their stored forms (see `squeeze`), none after another's end
//! table            per object 45 bytes: name 32, kind 1, offset 4, stored length 4, raw length 4 (little-endian)
//! end              length of the table 4, BLAKE3 of the table 32, magic 16
//! ```
//!
//! A pack file is named by the BLAKE3 hash of all its bytes, which is also its iroh-blobs hash, and never changes. It
//! explains itself: the index can be made again from the packs alone.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::disk::{self, Layout};
use crate::core::name::{Kind, Name};
use crate::error::{Error, Result};
use crate::limits;

const MAGIC: &[u8; 16] = b"peapod pack v1\n\0";
const ROW: usize = 45;
const HEAD: usize = 32;
const END: usize = 4 + 32 + 16;

/// One object in a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its name.
    pub name: Name,
    /// Its kind.
    pub kind: Kind,
    /// Where its stored form begins in the pack.
    pub offset: u32,
    /// The length of its stored form.
    pub stored: u32,
    /// The length of its raw bytes.
    pub raw: u32,
}

/// A pack that is whole, durable and in its place.
#[derive(Debug, Clone)]
pub(super) struct Sealed {
    /// BLAKE3 of the file.
    pub hash: [u8; 32],
    /// Length of the file.
    pub length: u64,
    /// What it holds.
    pub entries: Vec<Entry>,
}

/// A pack being written, in a temporary file that is readable all the while.
pub(super) struct Packing {
    path: PathBuf,
    file: Arc<File>,
    length: usize,
    hasher: blake3::Hasher,
    entries: Vec<Entry>,
}

impl Packing {
    /// Starts a pack.
    pub(super) fn start(layout: &Layout) -> Result<Packing> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let path = layout.temporary.join(format!("{}.pack", NUMBER.fetch_add(1, Ordering::Relaxed)));
        let opened = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path);
        let file = opened.map_err(disk::failed(format!("can't start a pack in {}", layout.temporary.display())))?;
        let mut salt = [0; 16];
        getrandom::fill(&mut salt).map_err(|error| Error::failed("the system gives no random bytes").because(error))?;
        let mut pack =
            Packing { path, file: Arc::new(file), length: 0, hasher: blake3::Hasher::new(), entries: Vec::new() };
        match pack.write(MAGIC).and_then(|()| pack.write(&salt)) {
            Ok(()) => Ok(pack),
            Err(error) => {
                pack.abandon();
                Err(error)
            }
        }
    }

    /// Whether an object of that stored length still goes in. An empty pack takes any object.
    pub(super) fn fits(&self, stored: usize) -> bool {
        let table = (self.entries.len() + 1) * ROW + END;
        self.entries.is_empty() || self.length + stored + table <= limits::PACK
    }

    /// Adds an object in its stored form. After a failure the pack is as it was before.
    pub(super) fn append(&mut self, name: Name, kind: Kind, stored: &[u8], raw: usize) -> Result<Entry> {
        let large = |_| Error::failed("an object too large for a pack");
        let entry = Entry {
            name,
            kind,
            offset: u32::try_from(self.length).map_err(large)?,
            stored: u32::try_from(stored.len()).map_err(large)?,
            raw: u32::try_from(raw).map_err(large)?,
        };
        self.write(stored)?;
        self.entries.push(entry);
        Ok(entry)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let written = self.file.write_all_at(bytes, self.length as u64);
        written.map_err(disk::failed(format!("can't write {}", self.path.display())))?;
        self.hasher.update(bytes);
        self.length += bytes.len();
        Ok(())
    }

    /// Writes the table, makes the file durable and puts it in its place.
    ///
    /// After [`SealError::Retry`] it may be tried again; after [`SealError::Lost`] the system may have dropped what was
    /// written, and says so only once.
    pub(super) fn seal(&self, layout: &Layout) -> Result<Sealed, SealError> {
        let table = table(&self.entries);
        let written = self.file.write_all_at(&table, self.length as u64);
        // An append that failed may have left bytes beyond the table.
        let cut = written.and_then(|()| self.file.set_len((self.length + table.len()) as u64));
        cut.map_err(disk::failed(format!("can't write {}", self.path.display()))).map_err(SealError::Retry)?;
        let synced = self.file.sync_all();
        synced.map_err(disk::failed(format!("can't sync {}", self.path.display()))).map_err(SealError::Lost)?;
        let hash = *self.hasher.clone().update(&table).finalize().as_bytes();
        let renamed = fs::rename(&self.path, layout.pack(&hash));
        renamed.map_err(disk::failed("can't move a pack into its place".into())).map_err(SealError::Retry)?;
        disk::sync_dir(&layout.packs).map_err(SealError::Lost)?;
        Ok(Sealed { hash, length: (self.length + table.len()) as u64, entries: self.entries.clone() })
    }

    /// The file, for reading what was added.
    pub(super) fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// What was added so far.
    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Drops the pack and its file.
    pub(super) fn abandon(self) {
        // Left over at the worst, and then removed when the store is opened again.
        let _ = disk::remove(&self.path);
    }
}

/// Why a pack could not be sealed.
pub(super) enum SealError {
    /// Nothing was lost: it can be tried again.
    Retry(Error),
    /// What was written may be lost.
    Lost(Error),
}

impl From<SealError> for Error {
    fn from(error: SealError) -> Error {
        match error {
            SealError::Retry(error) | SealError::Lost(error) => error,
        }
    }
}

fn table(entries: &[Entry]) -> Vec<u8> {
    let mut table = Vec::with_capacity(entries.len() * ROW + END);
    for entry in entries {
        table.extend_from_slice(&entry.name.0);
        table.push(entry.kind as u8);
        for number in [entry.offset, entry.stored, entry.raw] {
            table.extend_from_slice(&number.to_le_bytes());
        }
    }
    let (length, hash) = (table.len() as u32, blake3::hash(&table));
    table.extend_from_slice(&length.to_le_bytes());
    table.extend_from_slice(hash.as_bytes());
    table.extend_from_slice(MAGIC);
    table
}

/// The table of a pack file.
pub(super) fn read_table(path: &Path) -> Result<Vec<Entry>> {
    let failed = disk::failed(format!("can't read pack {}", path.display()));
    let broken =
        || Error::failed(format!("the table of pack {} is damaged", path.display())).hint("run `peapod fsck --repair`");
    let file = File::open(path).map_err(&failed)?;
    let length = file.metadata().map_err(&failed)?.len();
    let end_at = length.checked_sub(END as u64).ok_or_else(broken)?;
    let mut end = [0; END];
    file.read_exact_at(&mut end, end_at).map_err(&failed)?;
    let (table_length, rest) = end.split_first_chunk::<4>().ok_or_else(broken)?;
    let (hash, magic) = rest.split_first_chunk::<32>().ok_or_else(broken)?;
    let table_length = u64::from(u32::from_le_bytes(*table_length));
    let table_at = end_at.checked_sub(table_length).ok_or_else(broken)?;
    // A pack of one huge object may pass `limits::PACK`; a table never does.
    if magic != MAGIC || table_at < HEAD as u64 || table_length > limits::PACK as u64 {
        return Err(broken());
    }
    let mut table = vec![0; table_length as usize];
    file.read_exact_at(&mut table, table_at).map_err(&failed)?;
    if blake3::hash(&table).as_bytes() != hash || !table.len().is_multiple_of(ROW) {
        return Err(broken());
    }
    let entries: Option<Vec<Entry>> = table.chunks_exact(ROW).map(|row| entry(row, table_at)).collect();
    entries.ok_or_else(broken)
}

fn entry(row: &[u8], table_at: u64) -> Option<Entry> {
    let (name, rest) = row.split_first_chunk::<32>()?;
    let (kind, rest) = rest.split_first()?;
    let (offset, rest) = rest.split_first_chunk::<4>()?;
    let (stored, rest) = rest.split_first_chunk::<4>()?;
    let (raw, _) = rest.split_first_chunk::<4>()?;
    let entry = Entry {
        name: Name(*name),
        kind: Kind::from_number(*kind)?,
        offset: u32::from_le_bytes(*offset),
        stored: u32::from_le_bytes(*stored),
        raw: u32::from_le_bytes(*raw),
    };
    let within = u64::from(entry.offset) + u64::from(entry.stored) <= table_at;
    (within && entry.stored <= entry.raw && entry.raw as usize <= limits::OBJECT).then_some(entry)
}

/// The stored form of an object. `entry` is bounded: it comes from a table or the index.
pub(super) fn read_object(file: &File, offset: u32, stored: u32) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![0; stored as usize];
    file.read_exact_at(&mut bytes, u64::from(offset))?;
    Ok(bytes)
}
