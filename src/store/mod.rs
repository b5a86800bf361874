//! The store: objects in packs, an index over them, and the small state around them, durable before visible.
//!
//! One process owns a store. Its folder:
//!
//! ```text
//! lock          held while the store is open
//! index.redb    name -> place, packs, and the tables of small state (see `index`)
//! packs/        immutable packs of up to 16 MiB, each under its BLAKE3 hash (see `pack`)
//! tmp/          packs being written, sorter runs; emptied at opening
//! quarantine/   what fsck found damaged
//! ```
//!
//! The order of every write: a pack is written under `tmp`, synced, renamed into place and its folder synced; then one
//! redb transaction names it, and with it the heads that need it. So what is acknowledged survives `kill -9` and power
//! loss, and no head names an object that is not there. Removal goes the other way: first the index forgets, then the
//! file goes.

mod content;
mod disk;
mod fsck;
mod gc;
mod index;
mod lock;
mod pack;
mod recover;
mod rewrite;
mod rows;
mod serve;
mod session;
mod shelf;
mod sorter;
mod squeeze;
mod walk;

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::core::content::{ContentReader, ContentRef, ContentWriter, Contents};
use crate::core::name::{Kind, Name};
use crate::core::objects::Objects;
use crate::error::{Error, Result};
use crate::limits;
use disk::Layout;
pub use fsck::{Checked, Damage, Missing, Rebuilt, Repaired};
pub use gc::Collected;
use index::Index;
use rows::Place;
pub use serve::{Location, Published, ServedPack};
pub use session::Session;
pub use sorter::Sorter;

/// A node's store. Cheap to clone: all clones are the same store, closed when the last of them is gone.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    layout: Layout,
    index: Index,
    shelf: shelf::Shelf,
    squeezer: squeeze::Squeezer,
    /// Open pack files by number.
    files: Mutex<HashMap<u32, Arc<File>>>,
    /// Held by who moves objects between packs.
    rewriting: Mutex<()>,
    /// Served packs that `locate` told someone about, and when.
    promised: Mutex<HashMap<u32, Instant>>,
    turns: session::Turns,
    /// Last, so that it is given up after everything else.
    _lock: lock::Lock,
}

/// Pack files held open. A process may have 1,024 files on many systems, and sockets need most of them.
const OPEN_FILES: usize = 64;

/// The tables of small state. Keys and values are bytes; keys are ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// This node's settings: team, peers.
    Settings,
    /// Pod -> the version that is this node's own head, pushed or not.
    Refs,
    /// (Pod, author, seq) -> signed head.
    Heads,
    /// (Admin, seq) -> signed roster entry.
    Roster,
    /// (Instance, pod) -> what peapod remembers of it.
    Memory,
    /// Number -> what was done, for `undo`.
    Oplog,
    /// Injects under way.
    Journal,
    /// (Instance, address, fingerprint) -> body.
    Bodies,
    /// Object name -> () where everything below it is held too.
    Complete,
    /// Pods and versions kept from gc by name.
    Pins,
}

impl Table {
    /// Every table.
    pub const ALL: [Table; 10] = [
        Table::Settings,
        Table::Refs,
        Table::Heads,
        Table::Roster,
        Table::Memory,
        Table::Oplog,
        Table::Journal,
        Table::Bodies,
        Table::Complete,
        Table::Pins,
    ];
}

/// A change of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// Sets a key.
    Put(Table, Vec<u8>, Vec<u8>),
    /// Removes a key.
    Remove(Table, Vec<u8>),
}

impl Store {
    /// Opens the store in `dir`, making it if there is none, and takes its lock.
    ///
    /// Waits up to `wait` for another process to let go; then fails with [`crate::error::Kind::Unavailable`].
    pub fn open(dir: &Path, wait: Duration) -> Result<Store> {
        let layout = Layout::make(dir)?;
        let lock = lock::Lock::take(&layout.lock, wait)?;
        // The index is made before the first pack: without one the small state of these packs is lost.
        if !layout.index.exists() && !layout.packs_on_disk()?.is_empty() {
            return Err(rows::damaged());
        }
        Store::open_locked(layout, lock)
    }

    fn open_locked(layout: Layout, lock: lock::Lock) -> Result<Store> {
        let index = Index::open(&layout.index)?;
        recover::recover(&layout, &index)?;
        let inner = Inner {
            layout,
            index,
            shelf: shelf::Shelf::default(),
            squeezer: squeeze::Squeezer::default(),
            files: Mutex::default(),
            rewriting: Mutex::default(),
            promised: Mutex::default(),
            turns: session::Turns::default(),
            _lock: lock,
        };
        Ok(Store { inner: Arc::new(inner) })
    }

    /// Whether an object is held.
    pub fn has(&self, name: &Name) -> Result<bool> {
        Ok(self.inner.shelf.find(name).is_some() || self.inner.index.place(name)?.is_some())
    }

    /// Keeps an object in the stored form in which a peer sent it, once its bytes are seen to have that name; fails with
    /// [`crate::error::Kind::Denied`] when they have another.
    pub fn put_stored(&self, kind: Kind, name: &Name, stored: &[u8], raw: usize) -> Result<()> {
        squeeze::inflate(kind, name, stored.to_vec(), raw).map_err(|error| {
            Error::denied(format!("what came as {} {name} is something else", kind.word())).because(error)
        })?;
        if self.has(name)? {
            return Ok(());
        }
        self.add(*name, kind, stored, raw)
    }

    /// Makes every object put so far, by any thread, durable and its index entry with it.
    pub fn flush(&self) -> Result<()> {
        self.update(&[])
    }

    /// The value of a key.
    pub fn read(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.inner.index.get(table, key)
    }

    /// The keys that begin with `prefix`, in order, with their values.
    pub fn list(&self, table: Table, prefix: &[u8]) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        self.inner.index.list(table, prefix)
    }

    /// Makes every object put so far durable, and with them, in one transaction, all the changes.
    pub fn update(&self, writes: &[Write]) -> Result<()> {
        self.inner.shelf.flush(&self.inner.layout, &self.inner.index, writes)?;
        if let Err(error) = self.tidy() {
            // What was asked for is done; merging is tried again at the next flush.
            tracing::warn!(error = error.chain(), "could not merge small packs");
        }
        Ok(())
    }

    /// Whether everything below an object is held too, as [`Store::mark_complete`] was told.
    pub fn is_complete(&self, name: &Name) -> Result<bool> {
        Ok(self.inner.index.get(Table::Complete, &name.0)?.is_some())
    }

    /// Notes that everything below these objects is held, after making it durable.
    pub fn mark_complete(&self, names: &[Name]) -> Result<()> {
        let marks: Vec<Write> =
            names.iter().map(|name| Write::Put(Table::Complete, name.0.to_vec(), Vec::new())).collect();
        self.update(&marks)
    }

    /// A sorter that takes records in any order and gives them back in the order of their keys, in bounded memory.
    pub fn sorter(&self) -> Result<Sorter<'_>> {
        Ok(Sorter::new(self, &self.inner.layout.temporary))
    }

    fn add(&self, name: Name, kind: Kind, stored: &[u8], raw: usize) -> Result<()> {
        if self.inner.shelf.add(&self.inner.layout, name, kind, stored, raw)? {
            self.inner.shelf.drain(&self.inner.layout, &self.inner.index)?;
        }
        Ok(())
    }

    /// The raw bytes at a place, verified.
    fn read_at(&self, name: &Name, place: &Place) -> Result<Vec<u8>> {
        let damaged = |error: Error| self.damaged(name, place, error);
        let file = self.pack_file(place.pack).map_err(damaged)?;
        let stored = pack::read_object(&file, place.offset, place.stored)
            .map_err(|error| damaged(Error::failed("can't read the pack").because(error)))?;
        squeeze::inflate(place.kind, name, stored, place.raw as usize).map_err(damaged)
    }

    fn damaged(&self, name: &Name, place: &Place, cause: Error) -> Error {
        let pack = match self.inner.index.pack(place.pack) {
            Some(row) => self.inner.layout.pack(&row.hash).display().to_string(),
            None => format!("number {}", place.pack),
        };
        let what = format!("{} {name} at byte {} of pack {pack} is damaged", place.kind.word(), place.offset);
        Error::failed(what)
            .because(cause)
            .hint("run `peapod fsck --repair`: it finds all damage and gets what was lost from teammates")
    }

    fn pack_file(&self, number: u32) -> Result<Arc<File>> {
        let mut files = self.inner.files.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = files.get(&number) {
            return Ok(Arc::clone(file));
        }
        let row = self.inner.index.pack(number).ok_or_else(|| Error::failed("no such pack"))?;
        let file = File::open(self.inner.layout.pack(&row.hash));
        let file = Arc::new(file.map_err(disk::failed("can't open the pack".into()))?);
        if files.len() >= OPEN_FILES {
            files.clear();
        }
        files.insert(number, Arc::clone(&file));
        Ok(file)
    }
}

impl Objects for Store {
    fn get(&self, kind: Kind, name: &Name) -> Result<Bytes> {
        let missing = || Error::not_found(format!("no {} {name} in the store", kind.word()));
        if let Some(held) = self.inner.shelf.find(name) {
            let entry = held.entry;
            if entry.kind != kind {
                return Err(missing());
            }
            let stored = pack::read_object(&held.file, entry.offset, entry.stored)
                .map_err(disk::failed(format!("can't read {} {name}", kind.word())))?;
            return Ok(squeeze::inflate(kind, name, stored, entry.raw as usize)?.into());
        }
        let mut place = self.inner.index.place(name)?.ok_or_else(missing)?;
        loop {
            let error = match self.read_at(name, &place) {
                Ok(bytes) if place.kind == kind => return Ok(bytes.into()),
                Ok(_) => return Err(missing()),
                Err(error) => error,
            };
            // A repack may have moved it meanwhile: damage is what does not read at the place where it lies now.
            match self.inner.index.place(name)? {
                Some(moved) if moved != place => place = moved,
                Some(_) => return Err(error),
                None => return Err(missing()),
            }
        }
    }

    fn put(&self, kind: Kind, bytes: &[u8]) -> Result<Name> {
        if bytes.len() > limits::OBJECT {
            let what = format!("a {} of {} bytes is over the limit of {}", kind.word(), bytes.len(), limits::OBJECT);
            return Err(Error::failed(what));
        }
        let name = Name::of(kind, bytes);
        if !self.has(&name)? {
            self.add(name, kind, &self.inner.squeezer.squeeze(bytes)?, bytes.len())?;
        }
        Ok(name)
    }
}

impl Contents for Store {
    fn write_content(&self) -> Box<dyn ContentWriter> {
        Box::new(content::Writer::new(self.clone()))
    }

    fn read_content(&self, content: &ContentRef) -> ContentReader {
        Box::new(content::Reader::new(self.clone(), content))
    }
}

#[cfg(test)]
mod tests;
