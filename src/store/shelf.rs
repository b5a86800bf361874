//! The write path: objects gather in an open pack; a full pack is sealed, then indexed, then closed to memory.
//!
//! An object is in `recent` from the moment it was put until the index names it, so a reader that looks there first
//! and in the index second never misses it.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Write;
use super::disk::Layout;
use super::index::{Change, Index};
use super::pack::{Entry, Packing, SealError, Sealed};
use super::rows::{PackRow, Place, State};
use crate::core::name::{Kind, Name};
use crate::error::{Error, Result};

/// The packs that are not in the index yet.
#[derive(Default)]
pub(super) struct Shelf {
    recent: Mutex<Recent>,
    /// Held while packs are sealed and indexed, so that a flush waits for the one under way.
    sealing: Mutex<()>,
}

#[derive(Default)]
struct Recent {
    open: Option<Packing>,
    full: VecDeque<Packing>,
    sealed: Vec<Sealed>,
    objects: HashMap<Name, Held>,
    /// A sync failed: what was put since the last flush may be lost, and no later flush may say otherwise.
    lost: bool,
}

/// An object in a pack that the index does not name yet.
#[derive(Clone)]
pub(super) struct Held {
    /// Its pack's file.
    pub file: Arc<File>,
    /// Where it lies in it.
    pub entry: Entry,
}

impl Shelf {
    /// The object, if its pack is not in the index yet.
    pub(super) fn find(&self, name: &Name) -> Option<Held> {
        self.recent().objects.get(name).cloned()
    }

    /// Adds an object in its stored form, unless it was added a moment ago. True if a pack is full now.
    pub(super) fn add(&self, layout: &Layout, name: Name, kind: Kind, stored: &[u8], raw: usize) -> Result<bool> {
        let mut recent = self.recent();
        if recent.lost {
            return Err(lost());
        }
        if recent.objects.contains_key(&name) {
            return Ok(false);
        }
        if recent.open.as_ref().is_some_and(|open| !open.fits(stored.len())) {
            let full = recent.open.take();
            recent.full.extend(full);
        }
        let open = match &mut recent.open {
            Some(open) => open,
            none => none.insert(Packing::start(layout)?),
        };
        let entry = open.append(name, kind, stored, raw)?;
        let file = Arc::clone(open.file());
        recent.objects.insert(name, Held { file, entry });
        Ok(!recent.full.is_empty())
    }

    /// Seals and indexes the full packs.
    pub(super) fn drain(&self, layout: &Layout, index: &Index) -> Result<()> {
        let _sealing = self.sealing.lock().unwrap_or_else(PoisonError::into_inner);
        self.seal_and_index(layout, index, &[])
    }

    /// Seals and indexes everything put so far and makes `writes` in the same transaction.
    pub(super) fn flush(&self, layout: &Layout, index: &Index, writes: &[Write]) -> Result<()> {
        let _sealing = self.sealing.lock().unwrap_or_else(PoisonError::into_inner);
        {
            let mut recent = self.recent();
            let open = recent.open.take_if(|open| !open.entries().is_empty());
            recent.full.extend(open);
        }
        self.seal_and_index(layout, index, writes)
    }

    fn seal_and_index(&self, layout: &Layout, index: &Index, writes: &[Write]) -> Result<()> {
        loop {
            let full = {
                let mut recent = self.recent();
                if recent.lost {
                    return Err(lost());
                }
                recent.full.pop_front()
            };
            let Some(full) = full else { break };
            match full.seal(layout) {
                Ok(sealed) => self.recent().sealed.push(sealed),
                Err(SealError::Retry(error)) => {
                    self.recent().full.push_front(full);
                    return Err(error);
                }
                Err(SealError::Lost(error)) => {
                    self.recent().lost = true;
                    return Err(lost().because(error));
                }
            }
        }
        let sealed = self.recent().sealed.clone();
        if sealed.is_empty() && writes.is_empty() {
            return Ok(());
        }
        index.write(|change| {
            for pack in &sealed {
                add_pack(change, pack, State::Private, &mut |change, name| Ok(change.place(name)?.is_none()))?;
            }
            writes.iter().try_for_each(|write| change.apply(write))
        })?;
        // If the transaction failed they stay, and the next flush indexes them.
        let mut recent = self.recent();
        recent.sealed.clear();
        for entry in sealed.iter().flat_map(|pack| &pack.entries) {
            recent.objects.remove(&entry.name);
        }
        Ok(())
    }

    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Adds a sealed pack to the index, with those of its objects that `wanted` says yes to. Returns its number.
pub(super) fn add_pack(
    change: &mut Change<'_>,
    pack: &Sealed,
    state: State,
    wanted: &mut dyn FnMut(&Change<'_>, &Name) -> Result<bool>,
) -> Result<u32> {
    let row = PackRow { hash: pack.hash, length: pack.length, objects: pack.entries.len() as u32, state };
    let number = change.add_pack(row)?;
    for entry in &pack.entries {
        if wanted(change, &entry.name)? {
            change.set_place(&entry.name, Place::of(number, entry))?;
        }
    }
    Ok(number)
}

fn lost() -> Error {
    Error::failed("the disk failed to keep what was just written")
        .hint("stop peapod, see to the disk, and start it again; what was acknowledged before is safe")
}
