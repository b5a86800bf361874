//! Finding damage, and getting the store into a state in which what was lost can be put again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::time::Duration;

use super::disk::{self, Layout};
use super::rewrite::Copier;
use super::rows::{PackRow, Place, State};
use super::{Store, lock, rows, walk};
use crate::core::name::{Kind, Name};
use crate::error::{self, Error, Result};
use crate::limits;

/// What [`Store::fsck`] found.
#[derive(Debug, Default)]
pub struct Checked {
    /// Packs that were read.
    pub packs: u64,
    /// Objects whose names were verified.
    pub objects: u64,
    /// Bytes that were read.
    pub bytes: u64,
    /// What is damaged; [`Store::repair`] takes it out of the way.
    pub damages: Vec<Damage>,
    /// What the roots need and is not there.
    pub missing: Vec<Missing>,
}

impl Checked {
    /// Whether all is as it should be. What a fetch left out is.
    pub fn is_sound(&self) -> bool {
        self.damages.is_empty() && self.missing.iter().all(|missing| !missing.promised)
    }
}

/// One damaged thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The pack's file.
    pub pack: PathBuf,
    /// Its number in the index.
    number: u32,
    /// The object, where it is one; none for a pack that has damage outside of its objects.
    pub object: Option<(Kind, Name)>,
    /// What is wrong, for a person.
    pub what: String,
}

/// An object that something refers to and that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missing {
    /// The object.
    pub object: (Kind, Name),
    /// What refers to it; none for a root.
    pub by: Option<(Kind, Name)>,
    /// Whether it ought to be there: a `complete` mark says so. Otherwise a fetch left it out.
    pub promised: bool,
}

/// What [`Store::repair`] did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Repaired {
    /// Objects that are lost here: to be fetched from teammates and put again.
    pub forgotten: Vec<(Kind, Name)>,
    /// Where damaged packs lie now. What was sound in them is in new packs.
    pub quarantined: Vec<PathBuf>,
}

/// What [`Store::rebuild`] did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rebuilt {
    /// Where the damaged index lies now; none if there was no file.
    pub index: Option<PathBuf>,
    /// Packs whose objects are known again.
    pub packs: usize,
}

impl Store {
    /// Verifies the index's checksums, reads every pack and verifies its hash, every object and its name, that the index and the packs agree, and that
    /// what the roots reach is there. `progress` is told bytes read and bytes in all.
    ///
    /// Fails if the index is damaged: see [`Store::needs_rebuild`].
    pub fn fsck(&self, roots: &[(Kind, Name)], progress: &mut dyn FnMut(u64, u64)) -> Result<Checked> {
        let _alone = self.alone(limits::ALONE_WAIT)?;
        self.flush()?;
        let _rewriting = self.inner.rewriting.lock().unwrap_or_else(PoisonError::into_inner);
        self.inner.index.check()?;
        let mut checked = Checked::default();
        let packs = self.inner.index.packs();
        let mut indexed: BTreeMap<u32, u64> = BTreeMap::new();
        self.inner.index.each_object(&mut |_, place| {
            *indexed.entry(place.pack).or_default() += 1;
            Ok(())
        })?;
        let total = packs.values().map(|row| row.length).sum();
        for (number, row) in &packs {
            progress(checked.bytes, total);
            self.check_pack(*number, row, indexed.remove(number).unwrap_or(0), &mut checked)?;
        }
        // What is left lies in packs that the index does not have.
        for number in indexed.into_keys() {
            self.check_objects(number, self.indexed_in(&BTreeSet::from([number]))?, &mut checked);
        }
        progress(total, total);
        walk::reach(self, roots, &mut |gap| {
            // Damage was listed above.
            if gap.error.kind() == error::Kind::NotFound {
                checked.missing.push(Missing { object: gap.object, by: gap.by, promised: gap.promised });
            }
            Ok(())
        })?;
        Ok(checked)
    }

    fn check_pack(&self, number: u32, row: &PackRow, indexed: u64, checked: &mut Checked) -> Result<()> {
        checked.packs += 1;
        checked.bytes += row.length;
        let path = self.inner.layout.pack(&row.hash);
        let hash = File::open(&path)
            .and_then(|file| blake3::Hasher::new().update_reader(file).map(|hasher| hasher.finalize()));
        let wrong = match hash {
            Ok(hash) if *hash.as_bytes() == row.hash => None,
            Ok(_) => Some("its bytes do not hash to its name".to_owned()),
            Err(error) => Some(error.to_string()),
        };
        let sound = wrong.is_none();
        if let Some(what) = wrong {
            checked.damages.push(Damage { pack: path, number, object: None, what });
        }
        let mut objects = self.objects_in(number, row).unwrap_or_default();
        if !sound || objects.len() as u64 != indexed {
            // The index says what ought to be there.
            objects = self.indexed_in(&BTreeSet::from([number]))?;
        }
        self.check_objects(number, objects, checked);
        Ok(())
    }

    fn check_objects(&self, number: u32, objects: Vec<(Name, Place)>, checked: &mut Checked) {
        let row = self.inner.index.pack(number);
        let pack = row.map_or_else(|| self.inner.layout.packs.clone(), |row| self.inner.layout.pack(&row.hash));
        for (name, place) in objects {
            checked.objects += 1;
            if let Err(error) = self.read_at(&name, &place) {
                let object = Some((place.kind, name));
                checked.damages.push(Damage { pack: pack.clone(), number, object, what: error.chain() });
            }
        }
    }

    /// The objects that the index places in these packs, in their order there.
    fn indexed_in(&self, packs: &BTreeSet<u32>) -> Result<Vec<(Name, Place)>> {
        let mut objects = Vec::new();
        self.inner.index.each_object(&mut |name, place| {
            if packs.contains(&place.pack) {
                objects.push((name, place));
            }
            Ok(())
        })?;
        objects.sort_by_key(|(_, place)| (place.pack, place.offset));
        Ok(objects)
    }

    /// Forgets damaged objects, so that they can be fetched and put again, and sets damaged packs aside after moving
    /// what is sound in them.
    ///
    /// Afterwards nothing is served until it is published again, and no `complete` mark is left: any of them may have
    /// vouched for what was lost. A fetch of the same heads finds what is missing and marks them again.
    pub fn repair(&self, checked: &Checked) -> Result<Repaired> {
        let _alone = self.alone(limits::ALONE_WAIT)?;
        self.flush()?;
        let _rewriting = self.inner.rewriting.lock().unwrap_or_else(PoisonError::into_inner);
        let mut repaired = Repaired::default();
        let broken: BTreeSet<u32> = checked.damages.iter().map(|damage| damage.number).collect();
        if broken.is_empty() {
            return Ok(repaired);
        }
        let mut copier = Copier::new(self, State::Private);
        for (name, place) in self.indexed_in(&broken)? {
            match self.read_at(&name, &place) {
                Ok(_) => copier.copy(&name, &place)?,
                Err(_) => repaired.forgotten.push((place.kind, name)),
            }
        }
        copier.finish()?;
        let rows: Vec<PackRow> = broken.iter().filter_map(|number| self.inner.index.pack(*number)).collect();
        // First out of the way: a pack that the index does not know would be adopted.
        for path in rows.iter().map(|row| self.inner.layout.pack(&row.hash)).filter(|path| path.exists()) {
            repaired.quarantined.push(self.inner.layout.set_aside(&path)?);
        }
        disk::sync_dir(&self.inner.layout.packs)?;
        self.inner.index.write(|change| {
            change.retain_objects(|_, place| !broken.contains(&place.pack))?;
            for (number, row) in self.inner.index.packs() {
                if broken.contains(&number) {
                    change.remove_pack(number)?;
                } else if row.state == State::Served {
                    change.set_pack(number, PackRow { state: State::Private, ..row })?;
                }
            }
            change.clear_marks()
        })?;
        self.inner.files.lock().unwrap_or_else(PoisonError::into_inner).clear();
        Ok(repaired)
    }

    /// Whether an error of [`Store::open`], or of anything else here, means that only [`Store::rebuild`] helps.
    pub fn needs_rebuild(error: &Error) -> bool {
        rows::is_damage(error)
    }

    /// Every version that is held, whether anything names it or not: what heads can be found again from.
    pub fn versions(&self) -> Result<Vec<Name>> {
        let mut versions = Vec::new();
        self.inner.index.each_object(&mut |name, place| {
            if place.kind == Kind::Version {
                versions.push(name);
            }
            Ok(())
        })?;
        Ok(versions)
    }

    /// The raw bytes of every object, whether anything names it or not.
    #[cfg(test)]
    pub(crate) fn every_object(&self) -> Result<Vec<Vec<u8>>> {
        let mut all = Vec::new();
        self.inner.index.each_object(&mut |name, place| {
            all.push((place.kind, name));
            Ok(())
        })?;
        all.iter().map(|(kind, name)| Ok(crate::core::objects::Objects::get(self, *kind, name)?.to_vec())).collect()
    }

    /// Opens a store whose index does not open any more: sets the index aside and makes a new one from the packs.
    ///
    /// Objects are all there again; heads, settings and everything else in the tables is lost, and comes back from
    /// teammates as far as they have it.
    pub fn rebuild(dir: &Path, wait: Duration) -> Result<(Store, Rebuilt)> {
        let layout = Layout::make(dir)?;
        let lock = lock::Lock::take(&layout.lock, wait)?;
        let index = if layout.index.exists() { Some(layout.set_aside(&layout.index)?) } else { None };
        let store = Store::open_locked(layout, lock)?;
        let packs = store.inner.index.packs().len();
        Ok((store, Rebuilt { index, packs }))
    }
}
