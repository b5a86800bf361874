//! What teammates may read: packs that hold nothing but objects reachable from pushed heads.
//!
//! A request for a range of a pack shows its neighbours, so a pack is served whole or not at all, and admission is one
//! look-up of its hash. Below the versions, an object in a served pack means that everything below it is in served
//! packs too: publishing goes no deeper there. A version may be served without its parents' trees, which a fetch may
//! have left out, so its history counts as published only by a mark of its own.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::PoisonError;
use std::time::Instant;

use super::rewrite::Copier;
use super::rows::{PackRow, State};
use super::{Store, pack, walk};
use crate::core::name::{Kind, Name};
use crate::error::Result;
use crate::limits;

/// Where a served object lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Location {
    /// BLAKE3 of the pack, which is its iroh-blobs hash.
    pub pack: [u8; 32],
    /// Length of the pack.
    pub pack_length: u64,
    /// Where the stored form begins.
    pub offset: u32,
    /// The length of the stored form, as [`Store::put_stored`] takes it.
    pub stored: u32,
    /// The length of the raw bytes.
    pub raw: u32,
    /// The kind.
    pub kind: Kind,
}

/// A pack that teammates may read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServedPack {
    /// BLAKE3 of the file, which is its iroh-blobs hash.
    pub hash: [u8; 32],
    /// The file. It never changes, but gc may remove it.
    pub path: PathBuf,
    /// Its length.
    pub length: u64,
}

/// What [`Store::publish`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Published {
    /// Objects that teammates may read now and could not before.
    pub objects: u64,
    /// Objects that had to move because their packs hold others too.
    pub moved: u64,
    /// Objects below the roots that are not held. What lies above them is not served, but for versions.
    pub missing: u64,
}

impl Store {
    /// Lets teammates read every object that the roots reach, and nothing else.
    ///
    /// Roots are heads' versions, once their signed heads are pushed or taken. Costs the reading of what was not yet
    /// published; a pack that holds anything else is not served, what is needed of it moves.
    pub fn publish(&self, roots: &[(Kind, Name)]) -> Result<Published> {
        let _session = self.session();
        self.flush()?;
        let _rewriting = self.inner.rewriting.lock().unwrap_or_else(PoisonError::into_inner);
        let survey = Survey::make(self, roots)?;
        let mut report = Published { missing: survey.missing, ..Published::default() };
        report.objects = survey.seen.values().filter(|seen| **seen == Seen::ToServe).count() as u64;
        let mut served = Vec::new();
        let mut mixed = BTreeMap::new();
        let mut copier = Copier::new(self, State::Private);
        for number in &survey.packs {
            let Some(row) = self.inner.index.pack(*number) else { continue };
            if self.holds_only(&row, &survey)? {
                served.push((*number, row));
                continue;
            }
            for (name, place) in self.objects_in(*number, &row)? {
                if survey.seen.get(&name) == Some(&Seen::ToServe) {
                    copier.copy(&name, &place)?;
                    report.moved += 1;
                }
            }
            mixed.insert(*number, row);
        }
        // Until now nothing is served that was not before. Now all of it is, at once.
        let made = copier.finish()?;
        served.extend(made.iter().filter_map(|number| Some((*number, self.inner.index.pack(*number)?))));
        self.inner.index.write(|change| {
            for (number, row) in &served {
                change.set_pack(*number, PackRow { state: State::Served, ..*row })?;
            }
            change.mark_published(&survey.whole)
        })?;
        self.bury_empty(&mixed)?;
        self.tidy_served()?;
        Ok(report)
    }

    /// Whether a pack holds nothing but what may be read; copies of objects that lie elsewhere count too.
    fn holds_only(&self, row: &PackRow, survey: &Survey) -> Result<bool> {
        for entry in pack::read_table(&self.inner.layout.pack(&row.hash))? {
            let to_serve = survey.seen.get(&entry.name) == Some(&Seen::ToServe);
            if !to_serve && !self.is_object_served(&entry.name)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn is_object_served(&self, name: &Name) -> Result<bool> {
        let pack = self.inner.index.place(name)?.and_then(|place| self.inner.index.pack(place.pack));
        Ok(pack.is_some_and(|row| row.state == State::Served))
    }

    /// Where these objects lie in served packs; none for what is not held or not served.
    ///
    /// What it tells holds for [`limits::PROMISE`], unless the disk fails.
    pub fn locate(&self, names: &[Name]) -> Result<Vec<Option<Location>>> {
        let mut promised = self.inner.promised.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        promised.retain(|_, at| now.duration_since(*at) < limits::PROMISE);
        let mut locate = |name: &Name| -> Result<Option<Location>> {
            let Some(place) = self.inner.index.place(name)? else { return Ok(None) };
            let row = self.inner.index.pack(place.pack).filter(|row| row.state == State::Served);
            Ok(row.map(|row| {
                promised.insert(place.pack, now);
                Location {
                    pack: row.hash,
                    pack_length: row.length,
                    offset: place.offset,
                    stored: place.stored,
                    raw: place.raw,
                    kind: place.kind,
                }
            }))
        };
        names.iter().map(&mut locate).collect()
    }

    /// Whether `locate` told someone about a pack in the last minutes.
    pub(super) fn is_promised(&self, pack: u32) -> bool {
        let promised = self.inner.promised.lock().unwrap_or_else(PoisonError::into_inner);
        promised.get(&pack).is_some_and(|at| at.elapsed() < limits::PROMISE)
    }

    /// Every pack that teammates may read. What iroh-blobs keeps is right when it is these.
    pub fn served_packs(&self) -> Vec<ServedPack> {
        self.inner.index.served(&|_| true).iter().map(|row| self.as_served(row)).collect()
    }

    /// The pack of that hash, if teammates may read it: the one look-up that admits a request.
    pub fn served_pack(&self, hash: &[u8; 32]) -> Option<ServedPack> {
        self.inner.index.served(&|row| row.hash == *hash).first().map(|row| self.as_served(row))
    }

    fn as_served(&self, row: &PackRow) -> ServedPack {
        ServedPack { hash: row.hash, path: self.inner.layout.pack(&row.hash), length: row.length }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// Served already, or not to be served because something below it is missing.
    Leave,
    /// To be served.
    ToServe,
}

/// What publishing some roots takes.
#[derive(Default)]
pub(super) struct Survey {
    seen: HashMap<Name, Seen>,
    /// Those of them below which something is missing, or which are.
    incomplete: HashSet<Name>,
    /// The packs in which anything to serve lies.
    packs: BTreeSet<u32>,
    /// Versions whose whole history is there.
    whole: Vec<Name>,
    missing: u64,
}

/// An object whose references are being followed.
struct Step {
    object: Option<(Kind, Name)>,
    references: std::vec::IntoIter<(Kind, Name)>,
    complete: bool,
}

impl Survey {
    /// Follows the roots, children before parents, down to what is served already.
    pub(super) fn make(store: &Store, roots: &[(Kind, Name)]) -> Result<Survey> {
        let mut survey = Survey::default();
        // The first step stands above the roots; it is nothing itself.
        let mut steps = vec![Step { object: None, references: Vec::from(roots).into_iter(), complete: true }];
        while let Some(step) = steps.last_mut() {
            if let Some((kind, name)) = step.references.next() {
                if survey.seen.contains_key(&name) {
                    step.complete &= !survey.incomplete.contains(&name);
                } else if let Some(references) = survey.enter(store, kind, &name)? {
                    steps.push(Step { object: Some((kind, name)), references: references.into_iter(), complete: true });
                } else {
                    step.complete &= !survey.incomplete.contains(&name);
                }
                continue;
            }
            let done = steps.pop();
            if let (Some(done), Some(above)) = (done, steps.last_mut()) {
                above.complete &= done.complete;
                survey.leave(store, &done)?;
            }
        }
        Ok(survey)
    }

    /// How many objects were looked at.
    #[cfg(test)]
    pub(super) fn seen(&self) -> usize {
        self.seen.len()
    }

    /// Looks at an object for the first time. Returns what it refers to, if that is to be followed.
    fn enter(&mut self, store: &Store, kind: Kind, name: &Name) -> Result<Option<Vec<(Kind, Name)>>> {
        self.seen.insert(*name, Seen::Leave);
        // What is not in the index yet was put after this began, and belongs to nobody's roots.
        if store.inner.index.place(name)?.is_none() {
            self.incomplete.insert(*name);
            self.missing += 1;
            return Ok(None);
        }
        let done = match kind {
            Kind::Version => store.inner.index.is_published(name)?,
            _ => store.is_object_served(name)?,
        };
        if done { Ok(None) } else { walk::references(store, kind, name).map(Some) }
    }

    /// Everything below an object has been looked at.
    fn leave(&mut self, store: &Store, step: &Step) -> Result<()> {
        let Some((kind, name)) = step.object else { return Ok(()) };
        if !step.complete {
            self.incomplete.insert(name);
        } else if kind == Kind::Version {
            self.whole.push(name);
        }
        if (step.complete || kind == Kind::Version) && !store.is_object_served(&name)? {
            self.seen.insert(name, Seen::ToServe);
            self.packs.extend(store.inner.index.place(&name)?.map(|place| place.pack));
        }
        Ok(())
    }
}
