//! The store: objects in packs, an index over them, and the small state around them, durable before visible.
//!
//! One process owns a store. Objects are written into packs of up to 16 MiB ([`crate::limits::PACK`]); redb holds the
//! index from names to places and the tables of [`Table`], as opaque bytes whose meaning is their owners' business.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;

use crate::core::address::Address;
use crate::core::content::{ContentReader, ContentRef, ContentWriter, Contents};
use crate::core::name::{Kind, Name};
use crate::core::objects::Objects;
use crate::core::record::Record;
use crate::error::Result;
use crate::tree::Entry;

/// A node's store.
pub struct Store {}

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
        let _ = (dir, wait);
        unimplemented!()
    }

    /// Whether an object is held.
    pub fn has(&self, name: &Name) -> Result<bool> {
        let _ = name;
        unimplemented!()
    }

    /// Makes every object put so far durable and its index entry with it.
    pub fn flush(&self) -> Result<()> {
        unimplemented!()
    }

    /// The value of a key.
    pub fn read(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let _ = (table, key);
        unimplemented!()
    }

    /// The keys that begin with `prefix`, in order, with their values.
    pub fn list(&self, table: Table, prefix: &[u8]) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        let _ = (table, prefix);
        unimplemented!()
    }

    /// Flushes, then makes all the changes in one durable transaction.
    pub fn update(&self, writes: &[Write]) -> Result<()> {
        let _ = writes;
        unimplemented!()
    }

    /// A sorter that takes records in any order and gives them back in the order of their keys, in bounded memory.
    pub fn sorter(&self) -> Result<Sorter<'_>> {
        unimplemented!()
    }
}

impl Objects for Store {
    fn get(&self, kind: Kind, name: &Name) -> Result<Bytes> {
        let _ = (kind, name);
        unimplemented!()
    }

    fn put(&self, kind: Kind, bytes: &[u8]) -> Result<Name> {
        let _ = (kind, bytes);
        unimplemented!()
    }
}

impl Contents for Store {
    fn write_content(&self) -> Box<dyn ContentWriter> {
        unimplemented!()
    }

    fn read_content(&self, content: &ContentRef) -> ContentReader {
        let _ = content;
        unimplemented!()
    }
}

/// See [`Store::sorter`].
pub struct Sorter<'a> {
    _store: &'a Store,
}

impl<'a> Sorter<'a> {
    /// Takes one record. For an address pushed twice the last one counts.
    pub fn push(&mut self, address: &Address, record: &Record) -> Result<()> {
        let _ = (address, record);
        unimplemented!()
    }

    /// Everything pushed, in order.
    pub fn finish(self) -> Result<Box<dyn Iterator<Item = Result<Entry>> + Send + 'a>> {
        unimplemented!()
    }
}
