//! Everything that some objects reach.

use std::collections::HashSet;

use super::Store;
use crate::core::name::{Kind, Name};
use crate::core::objects::Objects;
use crate::error::{self, Error, Result};
use crate::tree;

/// An object that is referred to but can't be had.
pub(super) struct Gap {
    /// What it is.
    pub object: (Kind, Name),
    /// What refers to it; none for a root.
    pub by: Option<(Kind, Name)>,
    /// Whether a `complete` mark above it says that it is held.
    pub promised: bool,
    /// Why it can't be had; [`error::Kind::NotFound`] if it just isn't there.
    pub error: Error,
}

/// The names of all held objects that `roots` reach, themselves included. Chunks are not read. Each gap is shown to
/// `gap`, which says whether to go on.
pub(super) fn reach(
    store: &Store,
    roots: &[(Kind, Name)],
    gap: &mut dyn FnMut(Gap) -> Result<()>,
) -> Result<HashSet<Name>> {
    let mut reached = HashSet::new();
    let mut stack: Vec<_> = roots.iter().map(|root| (*root, None, false)).collect();
    while let Some(((kind, name), by, promised)) = stack.pop() {
        if !reached.insert(name) {
            continue;
        }
        match references(store, kind, &name) {
            Ok(references) => {
                let promised = !references.is_empty() && (promised || store.is_complete(&name)?);
                stack.extend(references.into_iter().map(|reference| (reference, Some((kind, name)), promised)));
            }
            Err(error) => {
                if error.kind() == error::Kind::NotFound {
                    reached.remove(&name);
                }
                let promised = promised || store.is_complete(&name)?;
                gap(Gap { object: (kind, name), by, promised, error })?;
            }
        }
    }
    Ok(reached)
}

/// What a held object refers to. Chunks are only looked up.
pub(super) fn references(store: &Store, kind: Kind, name: &Name) -> Result<Vec<(Kind, Name)>> {
    if kind != Kind::Chunk {
        return tree::references(kind, &store.get(kind, name)?);
    }
    if store.has(name)? { Ok(Vec::new()) } else { Err(Error::not_found(format!("no chunk {name} in the store"))) }
}
