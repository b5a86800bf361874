//! Moving objects into other packs, safe at any interruption: new packs are sealed, then one transaction says that the
//! objects lie there, then another that the old packs are dead, and only then their files go.

use std::collections::{BTreeMap, HashMap};
use std::sync::PoisonError;

use super::pack::{self, Packing, Sealed};
use super::rows::{PackRow, Place, State};
use super::{Store, recover, shelf};
use crate::core::name::Name;
use crate::error::{Error, Result};
use crate::limits;

/// A pack shorter than this is small.
const SMALL: u64 = limits::PACK as u64 / 16;
/// Small packs of one state that may gather before they are merged.
const GATHER: usize = 32;

/// Copies objects into new packs, verifying each on its way.
pub(super) struct Copier<'a> {
    store: &'a Store,
    state: State,
    packing: Option<Packing>,
    from: HashMap<Name, Place>,
    made: Vec<u32>,
}

impl<'a> Copier<'a> {
    /// Starts copying into packs of that state.
    pub(super) fn new(store: &'a Store, state: State) -> Copier<'a> {
        Copier { store, state, packing: None, from: HashMap::new(), made: Vec::new() }
    }

    /// Copies an object; fails, and has copied nothing, if it is damaged.
    pub(super) fn copy(&mut self, name: &Name, place: &Place) -> Result<()> {
        self.store.read_at(name, place)?;
        let file = self.store.pack_file(place.pack)?;
        let stored = pack::read_object(&file, place.offset, place.stored)
            .map_err(|error| Error::failed("can't read a pack").because(error))?;
        if self.packing.as_ref().is_some_and(|packing| !packing.fits(stored.len())) {
            self.close()?;
        }
        let packing = match &mut self.packing {
            Some(packing) => packing,
            none => none.insert(Packing::start(&self.store.inner.layout)?),
        };
        packing.append(*name, place.kind, &stored, place.raw as usize)?;
        self.from.insert(*name, *place);
        Ok(())
    }

    /// Ends copying; returns the numbers of the new packs.
    pub(super) fn finish(mut self) -> Result<Vec<u32>> {
        self.close()?;
        Ok(std::mem::take(&mut self.made))
    }

    fn close(&mut self) -> Result<()> {
        let Some(packing) = self.packing.take() else { return Ok(()) };
        let sealed: Sealed = packing.seal(&self.store.inner.layout)?;
        let from = std::mem::take(&mut self.from);
        let made = self.store.inner.index.write(|change| {
            // Only what still lies where it was copied from has moved.
            shelf::add_pack(change, &sealed, self.state, &mut |change, name| {
                Ok(change.place(name)?.is_some_and(|place| from.get(name) == Some(&place)))
            })
        })?;
        self.made.push(made);
        Ok(())
    }
}

impl Drop for Copier<'_> {
    fn drop(&mut self) {
        if let Some(packing) = self.packing.take() {
            packing.abandon();
        }
    }
}

impl Store {
    /// The objects that lie in a pack, in their order there.
    pub(super) fn objects_in(&self, number: u32, row: &PackRow) -> Result<Vec<(Name, Place)>> {
        let mut objects = Vec::new();
        for entry in pack::read_table(&self.inner.layout.pack(&row.hash))? {
            let place = Place::of(number, &entry);
            if self.inner.index.place(&entry.name)? == Some(place) {
                objects.push((entry.name, place));
            }
        }
        Ok(objects)
    }

    /// Moves everything that lies in these packs into new ones of that state and removes the old ones. A pack with
    /// something damaged in it stays as it is, for fsck.
    ///
    /// The caller holds `rewriting`.
    pub(super) fn rewrite(&self, packs: &BTreeMap<u32, PackRow>, state: State) -> Result<()> {
        let mut copier = Copier::new(self, state);
        for (number, row) in packs {
            let Ok(objects) = self.objects_in(*number, row) else { continue };
            for (name, place) in objects {
                // A damaged object stays where fsck finds it.
                copier.copy(&name, &place).or_else(|error| self.only_damage(&name, &place, error))?;
            }
        }
        copier.finish()?;
        self.bury_empty(packs)
    }

    /// Lets an error pass if the object is damaged indeed, and not, say, the disk full.
    fn only_damage(&self, name: &Name, place: &Place, error: Error) -> Result<()> {
        if self.read_at(name, place).is_err() { Ok(()) } else { Err(error) }
    }

    /// Removes those of the packs in which no object lies any more.
    pub(super) fn bury_empty(&self, packs: &BTreeMap<u32, PackRow>) -> Result<()> {
        let mut empty = Vec::new();
        for (number, row) in packs {
            if self.objects_in(*number, row).is_ok_and(|objects| objects.is_empty()) {
                empty.push((*number, PackRow { state: State::Dead, ..*row }));
            }
        }
        if empty.is_empty() {
            return Ok(());
        }
        self.inner.index.write(|change| empty.iter().try_for_each(|(number, row)| change.set_pack(*number, *row)))?;
        // An open file would keep its room on the disk.
        let mut files = self.inner.files.lock().unwrap_or_else(PoisonError::into_inner);
        empty.iter().for_each(|(number, _)| drop(files.remove(number)));
        drop(files);
        recover::bury(&self.inner.layout, &self.inner.index)
    }

    /// Merges the small packs of one state once enough have gathered: small commits leave small packs.
    ///
    /// The caller holds `rewriting`.
    pub(super) fn merge_small(&self, state: State, gathered: usize) -> Result<()> {
        let mut small = self.inner.index.packs();
        small.retain(|number, row| row.state == state && row.length < SMALL && !self.is_promised(*number));
        if small.len() < gathered { Ok(()) } else { self.rewrite(&small, state) }
    }

    /// Merges small packs if enough have gathered and nobody else is moving objects.
    pub(super) fn tidy(&self) -> Result<()> {
        match self.inner.rewriting.try_lock() {
            Ok(_rewriting) => self.merge_small(State::Private, GATHER),
            Err(_) => Ok(()),
        }
    }

    /// The same for served packs, by a caller that holds `rewriting`.
    pub(super) fn tidy_served(&self) -> Result<()> {
        self.merge_small(State::Served, GATHER)
    }
}
