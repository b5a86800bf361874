//! Three-way merge.
//!
//! The differences from the base to each side are read side by side, in order; what only `theirs` changed is edited
//! into `ours`. So a merge costs O(changes x depth), and at most four reads of every node of the three trees,
//! whatever the trees are.

use std::collections::BTreeSet;
use std::iter::Peekable;

use bytes::Bytes;

use crate::core::address::Address;
use crate::core::name::Name;
use crate::core::objects::Objects;
use crate::core::record_merge::{self, Combined, Side};
use crate::error::Result;
use crate::tree::build::{KeyEdit, edit_keys};
use crate::tree::diff::{KeyChange, KeyChanges, diff_keys};
use crate::tree::leaf::{Leaf, address_of};

/// How a three-way merge settles a conflict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settle {
    /// Not at all: the conflict is listed, and the merged tree keeps `ours` there.
    List,
    /// By taking `ours`.
    Ours,
    /// By taking `theirs`.
    Theirs,
}

/// An address where both sides changed and no rule combines them. With [`Settle::List`] alone it stops a merge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// Where.
    pub address: Address,
    /// What the base has there.
    pub base: Option<Leaf>,
    /// What one side has.
    pub ours: Option<Leaf>,
    /// What the other has.
    pub theirs: Option<Leaf>,
    /// Which attributes both changed in different ways, where both have the record.
    pub attributes: Vec<String>,
}

/// The outcome of a merge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// The merged tree.
    pub root: Name,
    /// Every conflict, settled or not, in order.
    pub conflicts: Vec<Conflict>,
}

/// Three-way merge, record by record; without a base, the union.
///
/// Conflicts: an attribute that both sides changed in different ways, or where there is no base ([`record_merge`]); an
/// edit against a delete, an item whose owner the other side deleted. A resource that one side deleted, while the other
/// changed it or put something into it, is settled as one: it and all its items are as the side that wins has them.
/// `merge(a, b) = merge(b, a)` with sides swapped, `merge(x, x) = x`.
pub fn merge(objects: &dyn Objects, base: Option<&Name>, ours: &Name, theirs: &Name, settle: Settle) -> Result<Merged> {
    if ours == theirs || base == Some(theirs) {
        return Ok(Merged { root: *ours, conflicts: Vec::new() });
    }
    if base == Some(ours) {
        return Ok(Merged { root: *theirs, conflicts: Vec::new() });
    }
    // That a resource is contested shows only after some of its items have passed: then a second pass knows it. Which
    // ones are does not depend on how they are settled, so that there is no third.
    let mut known = BTreeSet::new();
    loop {
        let mut pass = Pass {
            objects,
            settle,
            triples: triples(objects, base, ours, theirs)?,
            known,
            resource: None,
            found: BTreeSet::new(),
            conflicts: Vec::new(),
        };
        let root = edit_keys(objects, ours, &mut pass)?;
        let Pass { known: before, found, conflicts, .. } = pass;
        if found == before {
            return Ok(Merged { root, conflicts });
        }
        known = found;
    }
}

/// What the three trees have under a key that one side changed at least.
struct Triple {
    ours_changed: bool,
    theirs_changed: bool,
    base: Option<Leaf>,
    ours: Option<Leaf>,
    theirs: Option<Leaf>,
}

impl Triple {
    /// Whether `ours` deleted what `theirs` has changed or the reverse, where `gone` says which sides deleted the
    /// resource that it belongs to.
    fn contests(&self, gone: Gone) -> bool {
        let theirs_stays = gone.from_ours && self.theirs_changed && self.theirs.is_some();
        let ours_stays = gone.from_theirs && self.ours_changed && self.ours.is_some();
        (theirs_stays || ours_stays) && self.ours != self.theirs
    }

    fn gone(&self) -> Gone {
        let existed = self.base.is_some();
        Gone { from_ours: existed && self.ours.is_none(), from_theirs: existed && self.theirs.is_none() }
    }
}

/// Which sides deleted a resource.
#[derive(Clone, Copy, Default)]
struct Gone {
    from_ours: bool,
    from_theirs: bool,
}

/// What the sides changed, in the order of keys. Ends after the first error.
type Triples<'a> = Box<dyn Iterator<Item = Result<(Bytes, Triple)>> + 'a>;

/// The changes from the base to each side, joined by key; without a base, whatever is there has been put there.
fn triples<'a>(objects: &'a dyn Objects, base: Option<&Name>, ours: &Name, theirs: &Name) -> Result<Triples<'a>> {
    let Some(base) = base else {
        let changes = diff_keys(objects, ours, theirs)?;
        return Ok(Box::new(changes.map(|change| {
            let KeyChange { key, before: ours, after: theirs } = change?;
            let (ours_changed, theirs_changed) = (ours.is_some(), theirs.is_some());
            Ok((key, Triple { ours_changed, theirs_changed, base: None, ours, theirs }))
        })));
    };
    let mut ours = diff_keys(objects, base, ours)?.peekable();
    let mut theirs = diff_keys(objects, base, theirs)?.peekable();
    Ok(Box::new(std::iter::from_fn(move || next_triple(&mut ours, &mut theirs).transpose())))
}

fn next_triple(
    ours: &mut Peekable<KeyChanges<'_>>,
    theirs: &mut Peekable<KeyChanges<'_>>,
) -> Result<Option<(Bytes, Triple)>> {
    let (take_ours, take_theirs) = match (ours.peek(), theirs.peek()) {
        (Some(Ok(ours)), Some(Ok(theirs))) => (ours.key <= theirs.key, theirs.key <= ours.key),
        (Some(Err(_)), _) => (true, false),
        (_, Some(Err(_))) => (false, true),
        (ours, theirs) => (ours.is_some(), theirs.is_some()),
    };
    let ours = if take_ours { ours.next().transpose()? } else { None };
    let theirs = if take_theirs { theirs.next().transpose()? } else { None };
    let Some(KeyChange { key, before: base, .. }) = ours.as_ref().or(theirs.as_ref()).cloned() else {
        return Ok(None);
    };
    let (ours_changed, theirs_changed) = (ours.is_some(), theirs.is_some());
    let side = |change: Option<KeyChange>| change.map_or_else(|| base.clone(), |change| change.after);
    let (ours, theirs) = (side(ours), side(theirs));
    Ok(Some((key, Triple { ours_changed, theirs_changed, base, ours, theirs })))
}

/// Goes once through the changes of both sides: an iterator over what has to change in `ours`.
struct Pass<'a> {
    objects: &'a dyn Objects,
    settle: Settle,
    triples: Triples<'a>,
    /// Resources known to be contested: deleted on one side, with changes on the other.
    known: BTreeSet<Address>,
    /// The last resource that came by, and who deleted it. Its items follow it in the order of keys.
    resource: Option<(Address, Gone)>,
    found: BTreeSet<Address>,
    conflicts: Vec<Conflict>,
}

impl Iterator for Pass<'_> {
    type Item = Result<KeyEdit>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let edit = match self.triples.next()? {
                Ok((key, triple)) => self.settle(&key, triple).map(|leaf| leaf.map(|leaf| (key, leaf))),
                Err(error) => Err(error),
            };
            if let Some(edit) = edit.transpose() {
                return Some(edit);
            }
        }
    }
}

impl Pass<'_> {
    /// What has to stand under the key instead of what `ours` has there; none to leave it.
    fn settle(&mut self, key: &[u8], triple: Triple) -> Result<Option<Option<Leaf>>> {
        let address = Address::from_key(key)?;
        let (owner, gone) = match address.owner() {
            None => {
                self.resource = Some((address.clone(), triple.gone()));
                (address, triple.gone())
            }
            Some(owner) => {
                let gone = self.resource.as_ref().filter(|(resource, _)| *resource == owner).map(|(_, gone)| *gone);
                (owner, gone.unwrap_or_default())
            }
        };
        let contests = triple.contests(gone);
        let is_contested = contests || self.known.contains(&owner);
        if contests {
            self.found.insert(owner);
        }
        let both_changed = triple.ours_changed && triple.theirs_changed && triple.ours != triple.theirs;
        let mut attributes = vec![];
        if both_changed
            && !is_contested
            && let Some((leaf, conflicts)) = self.combine(key, &triple)?
        {
            if conflicts.is_empty() {
                return Ok(Some(leaf));
            }
            if self.settle != Settle::List {
                self.list(key, &triple, conflicts)?;
                return Ok(Some(leaf));
            }
            attributes = conflicts;
        }
        if contests || both_changed {
            self.list(key, &triple, attributes)?;
        }
        let takes_theirs = if is_contested || both_changed {
            self.settle == Settle::Theirs && triple.ours != triple.theirs
        } else {
            triple.theirs_changed && !triple.ours_changed
        };
        Ok(takes_theirs.then_some(triple.theirs))
    }

    /// What both changes make together, and the attributes in which they conflict, where both sides have the record.
    fn combine(&self, key: &[u8], triple: &Triple) -> Result<Option<(Option<Leaf>, Vec<String>)>> {
        let Triple { base, ours: Some(ours), theirs: Some(theirs), .. } = triple else { return Ok(None) };
        let address = address_of(self.objects, key, ours)?;
        let record = |leaf: &Leaf| leaf.record(self.objects);
        let base = base.as_ref().map(record).transpose()?;
        let prefer = |_: &str| match self.settle {
            Settle::List => None,
            Settle::Ours => Some(Side::Ours),
            Settle::Theirs => Some(Side::Theirs),
        };
        let Combined { record, conflicts } =
            record_merge::combine(&address, base.as_ref(), &record(ours)?, &record(theirs)?, prefer);
        let leaf = record.map(|record| Leaf::new(self.objects, &address, &record)).transpose()?;
        Ok(Some((leaf, conflicts)))
    }

    fn list(&mut self, key: &[u8], triple: &Triple, attributes: Vec<String>) -> Result<()> {
        let Triple { base, ours, theirs, .. } = triple;
        let address = match ours.as_ref().or(theirs.as_ref()).or(base.as_ref()) {
            Some(leaf) => address_of(self.objects, key, leaf)?,
            None => Address::from_key(key)?,
        };
        let (base, ours, theirs) = (base.clone(), ours.clone(), theirs.clone());
        self.conflicts.push(Conflict { address, base, ours, theirs, attributes });
        Ok(())
    }
}
