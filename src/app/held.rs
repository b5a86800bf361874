//! What is held whole: the store as the fetch sees it.

use bytes::Bytes;

use crate::core::name::{Kind, Name};
use crate::core::objects::Objects;
use crate::error::Result;
use crate::store::Store;
use crate::sync::fetch::{Fetch, Shelf};

/// Notes what is held whole of these objects and of all below them, without asking anybody; false when something is
/// missing. For versions made here: later walks stop at what they share with them.
pub fn mark_held(store: &Store, goals: &[(Kind, Name)]) -> Result<bool> {
    let _session = store.session();
    let mut fetch = Fetch::new(goals, false);
    while !fetch.advance(store)?.is_empty() {}
    Ok(fetch.is_done())
}

impl Shelf for Store {
    fn has(&self, name: &Name) -> Result<bool> {
        Store::has(self, name)
    }

    fn is_complete(&self, name: &Name) -> Result<bool> {
        Store::is_complete(self, name)
    }

    fn get(&self, kind: Kind, name: &Name) -> Result<Bytes> {
        Objects::get(self, kind, name)
    }

    fn put_stored(&self, kind: Kind, name: &Name, stored: &[u8], raw: usize) -> Result<()> {
        Store::put_stored(self, kind, name, stored, raw)
    }

    fn mark_complete(&self, names: &[Name]) -> Result<()> {
        Store::mark_complete(self, names)
    }
}
