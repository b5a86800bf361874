//! A pod's versions: its head here, their ancestors, and their common base.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::core::name::Name;
use crate::core::version::Version;
use crate::error::{Error, Result};
use crate::limits;
use crate::store::{Store, Table, Write};
use crate::tree::{self, Settle};

/// This node's own head of a pod, pushed or not.
pub fn local_head(store: &Store, pod: &str) -> Result<Option<Name>> {
    let Some(bytes) = store.read(Table::Refs, pod.as_bytes())? else { return Ok(None) };
    let name =
        bytes.try_into().map(Name).map_err(|_| Error::failed(format!("the head of pod \"{pod}\" is damaged")))?;
    Ok(Some(name))
}

/// Moving this node's own head of a pod, as a change of the store.
pub fn set_local_head(pod: &str, version: &Name) -> Write {
    Write::Put(Table::Refs, pod.as_bytes().to_vec(), version.0.to_vec())
}

/// Fails unless all of a version is held: a shallow or unfinished fetch leaves contents out.
pub fn require_complete(store: &Store, pod: &str, version: &Name) -> Result<()> {
    if store.is_complete(version)? {
        return Ok(());
    }
    Err(Error::unavailable(format!("{pod}@{} is not here in full", version.short()))
        .hint(format!("`peapod fetch {pod}@{}` fetches the rest", version.short())))
}

/// Keeping a version that no head names from gc, as a change of the store.
pub fn keep_snapshot(pod: &str, version: &Name) -> Write {
    Write::Put(Table::Pins, snapshot_key(pod, version), version.0.to_vec())
}

/// No longer keeping it, as a change of the store.
pub fn drop_snapshot(pod: &str, version: &Name) -> Write {
    Write::Remove(Table::Pins, snapshot_key(pod, version))
}

fn snapshot_key(pod: &str, version: &Name) -> Vec<u8> {
    [pod.as_bytes(), b"\0", &version.0].concat()
}

/// The versions kept by [`keep_snapshot`].
pub fn snapshots(store: &Store, pod: &str) -> Result<Vec<Name>> {
    let kept = store.list(Table::Pins, &[pod.as_bytes(), b"\0"].concat())?;
    Ok(kept.into_iter().filter_map(|(_, name)| name.try_into().ok().map(Name)).collect())
}

/// A version, its first parent, and so on, as far as they are held.
pub fn first_parents(store: &Store, head: Name) -> impl Iterator<Item = Result<(Name, Version)>> + '_ {
    let mut next = Some(head);
    std::iter::from_fn(move || {
        let name = next.take()?;
        match store.has(&name) {
            Ok(false) => None,
            Ok(true) => Some(Version::read(store, &name).map(|version| {
                next = version.parents.first().copied();
                (name, version)
            })),
            Err(error) => Some(Err(error)),
        }
    })
}

/// How many versions the history of `theirs` has that the history of `ours` lacks, of those held here.
pub fn lacking(store: &Store, ours: &Name, theirs: &Name) -> Result<usize> {
    let ours: BTreeSet<Name> = ancestors(store, &[*ours])?.into_iter().map(|(name, _)| name).collect();
    Ok(ancestors(store, &[*theirs])?.iter().filter(|(name, _)| !ours.contains(name)).count())
}

/// The history above some versions, without any name twice, children before parents, newest line first.
///
/// A version that is not held ends its line: a history can be fetched in part.
pub fn ancestors(store: &Store, heads: &[Name]) -> Result<Vec<(Name, Version)>> {
    let mut versions: BTreeMap<Name, Version> = BTreeMap::new();
    let mut children: BTreeMap<Name, usize> = BTreeMap::new();
    let mut queue: VecDeque<Name> = heads.iter().copied().collect();
    while let Some(name) = queue.pop_front() {
        if versions.contains_key(&name) || !store.has(&name)? {
            continue;
        }
        if versions.len() >= limits::HISTORY {
            return Err(Error::failed(format!("a history of more than {} versions", limits::HISTORY)));
        }
        let version = Version::read(store, &name)?;
        for parent in &version.parents {
            *children.entry(*parent).or_default() += 1;
            queue.push_back(*parent);
        }
        versions.insert(name, version);
    }
    // Kahn's order: a version comes once all its children have.
    let mut ready: VecDeque<Name> = heads.iter().copied().filter(|head| !children.contains_key(head)).collect();
    let mut order = Vec::with_capacity(versions.len());
    while let Some(name) = ready.pop_front() {
        let Some(version) = versions.remove(&name) else { continue };
        for parent in &version.parents {
            if let Some(count) = children.get_mut(parent) {
                *count -= 1;
                if *count == 0 {
                    ready.push_back(*parent);
                }
            }
        }
        order.push((name, version));
    }
    Ok(order)
}

/// Whether `older` is `newer` or one of its ancestors.
pub fn contains(store: &Store, newer: &Name, older: &Name) -> Result<bool> {
    Ok(newer == older || ancestors(store, &[*newer])?.iter().any(|(name, _)| name == older))
}

/// The versions that none of the others contains, in the order of their names.
pub fn maximal(store: &Store, versions: &[Name]) -> Result<Vec<Name>> {
    let all: BTreeSet<Name> = versions.iter().copied().collect();
    let mut maximal = all.clone();
    for name in &all {
        for (ancestor, _) in ancestors(store, &[*name])? {
            if ancestor != *name {
                maximal.remove(&ancestor);
            }
        }
    }
    Ok(maximal.into_iter().collect())
}

/// The tree that a three-way merge of two versions starts from: their lowest common ancestor's; none if unrelated.
///
/// Where several ancestors are lowest (criss-cross), they are merged first, as git's recursive strategy does.
pub fn base(store: &Store, a: &Name, b: &Name) -> Result<Option<Name>> {
    base_within(store, a, b, limits::CRISS_CROSS)
}

fn base_within(store: &Store, a: &Name, b: &Name, depth: usize) -> Result<Option<Name>> {
    let of_a: BTreeSet<Name> = ancestors(store, &[*a])?.into_iter().map(|(name, _)| name).collect();
    let common: Vec<Name> =
        ancestors(store, &[*b])?.into_iter().map(|(name, _)| name).filter(|name| of_a.contains(name)).collect();
    let lowest = maximal(store, &common)?;
    let Some((first, rest)) = lowest.split_first() else { return Ok(None) };
    let mut root = Version::read(store, first)?.root;
    for next in rest {
        let theirs = Version::read(store, next)?.root;
        let below = if depth == 0 { None } else { base_within(store, first, next, depth - 1)? };
        root = tree::merge(store, below.as_ref(), &root, &theirs, Settle::Ours)?.root;
    }
    Ok(Some(root))
}
