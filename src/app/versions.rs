//! A pod's versions: its head here, their ancestors, their common base, and merging them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::app::App;
use crate::app::clock::now;
use crate::app::held::mark_held;
use crate::app::views::ConflictView;
use crate::core::name::{Kind, Name};
use crate::core::version::{Authorship, Version};
use crate::error::{Error, Result};
use crate::limits;
use crate::store::{Store, Table, Write};
use crate::tree::{self, Conflict, Leaf, Settle};

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

/// Two or more versions merged into one.
#[derive(Debug)]
pub struct MergedVersion {
    /// The version that holds them all; one of them, where it contains the others.
    pub version: Name,
    /// Conflicts that [`Settle::Ours`] or [`Settle::Theirs`] settled.
    pub settled: Vec<Conflict>,
}

/// Merges versions of one pod, in the order of their names. Nothing but objects is written.
///
/// `ours` is the side that [`Settle::Ours`] means, if it is among them. A merge without conflicts has no author and no
/// time, so that everyone who merges the same versions makes the same one. Unsettled conflicts are an error of kind
/// conflict that lists them.
pub fn merge_versions(
    app: &App,
    pod: &str,
    versions: &[Name],
    ours: Option<&Name>,
    settle: Settle,
    message: &str,
) -> Result<MergedVersion> {
    let store = &*app.store;
    let heads = maximal(store, versions)?;
    let mut heads = heads.into_iter();
    for version in versions {
        require_complete(store, pod, version)?;
    }
    let first = heads.next().ok_or_else(|| Error::not_found(format!("pod \"{pod}\" has no version")))?;
    let mut merged = MergedVersion { version: first, settled: vec![] };
    for next in heads {
        // Settling needs to know which side is ours; without ours among the two, the one merged so far stands for it.
        let swap = ours == Some(&next);
        let (left, right) = if swap { (next, merged.version) } else { (merged.version, next) };
        let (left_version, right_version) = (Version::read(store, &left)?, Version::read(store, &right)?);
        let base = base(store, &left, &right)?;
        let outcome = tree::merge(store, base.as_ref(), &left_version.root, &right_version.root, settle)?;
        if settle == Settle::List && !outcome.conflicts.is_empty() {
            return Err(conflict_error(pod, &outcome.conflicts));
        }
        let mut parents = vec![left, right];
        parents.sort_unstable();
        let authorship =
            (!outcome.conflicts.is_empty()).then(|| Authorship { author: app.secret.author(), created: now() });
        let message = match (&authorship, message) {
            (None, _) => String::new(),
            (Some(_), "") => format!("merge, {} conflicts settled", outcome.conflicts.len()),
            (Some(_), said) => said.to_owned(),
        };
        let version = Version {
            pod: pod.to_owned(),
            parents,
            root: outcome.root,
            authorship,
            message,
            source: None,
            stats: tree::stats(store, &outcome.root)?,
            skipped: vec![],
        };
        merged.version = version.write(store, &app.secret)?;
        mark_held(store, &[(Kind::Version, merged.version)])?;
        merged.settled.extend(outcome.conflicts);
    }
    Ok(merged)
}

/// Conflicts as scripts see them.
pub fn conflict_views(conflicts: &[Conflict]) -> Vec<ConflictView> {
    let did = |base: &Option<Leaf>, side: &Option<Leaf>| match (base, side) {
        (_, None) => "deleted",
        (None, Some(_)) => "added",
        (Some(_), Some(_)) => "changed",
    };
    let view = |conflict: &Conflict| ConflictView {
        address: conflict.address.to_string(),
        reason: format!(
            "{} on one side, {} on the other",
            did(&conflict.base, &conflict.ours),
            did(&conflict.base, &conflict.theirs)
        ),
    };
    conflicts.iter().take(limits::CONFLICTS_SHOWN).map(view).collect()
}

/// The error that lists conflicts; nothing was changed.
pub fn conflict_error(pod: &str, conflicts: &[Conflict]) -> Error {
    let named: Vec<String> = conflicts.iter().take(5).map(|conflict| conflict.address.to_string()).collect();
    let more = conflicts.len().saturating_sub(named.len());
    let tail = if more > 0 { format!(" and {more} more") } else { String::new() };
    let count = conflicts.len();
    let noun = if count == 1 { "conflict" } else { "conflicts" };
    Error::conflict(format!("{count} {noun} in pod \"{pod}\": {}{tail}", named.join(", ")))
        .hint("nothing was changed; decide with --on-conflict pod or --on-conflict instance")
        .details(serde_json::json!({ "conflicts": conflict_views(conflicts) }))
}
