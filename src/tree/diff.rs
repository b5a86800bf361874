//! What differs between two trees.

use std::cmp::Ordering;

use bytes::Bytes;

use crate::core::address::Address;
use crate::core::name::Name;
use crate::core::objects::Objects;
use crate::error::Result;
use crate::tree::Stream;
use crate::tree::cursor::{Cursor, Here};
use crate::tree::leaf::{Change, Leaf, address_of};
use crate::tree::node::Item;

/// What turns the tree `from` into the tree `to`, in order; subtrees they share are not read.
///
/// Reads O(changes x depth) nodes, and never a node of either tree twice, whatever the trees are: two hostile trees
/// that share nothing cost at most as many reads as they have nodes.
pub fn diff<'a>(objects: &'a dyn Objects, from: &Name, to: &Name) -> Result<Stream<'a, Change>> {
    let changes = diff_keys(objects, from, to)?;
    let mut failed = false;
    Ok(Box::new(changes.map_while(move |change| {
        let change = (!failed).then(|| change.and_then(|change| change.with_address(objects)))?;
        failed = change.is_err();
        Some(change)
    })))
}

/// A difference at one key.
#[derive(Debug, Clone)]
pub(super) struct KeyChange {
    pub(super) key: Bytes,
    pub(super) before: Option<Leaf>,
    pub(super) after: Option<Leaf>,
}

impl KeyChange {
    fn with_address(self, objects: &dyn Objects) -> Result<Change> {
        let KeyChange { key, before, after } = self;
        let address = match (&after, &before) {
            (Some(leaf), _) | (None, Some(leaf)) => address_of(objects, &key, leaf)?,
            (None, None) => Address::from_key(&key)?,
        };
        Ok(Change { address, before, after })
    }
}

/// [`diff`] by keys. Ends after the first error.
pub(super) fn diff_keys<'a>(objects: &'a dyn Objects, from: &Name, to: &Name) -> Result<KeyChanges<'a>> {
    let cursors = if from == to { None } else { Some((Cursor::new(objects, from)?, Cursor::new(objects, to)?)) };
    Ok(KeyChanges { cursors })
}

/// See [`diff_keys`].
pub(super) struct KeyChanges<'a> {
    cursors: Option<(Cursor<'a>, Cursor<'a>)>,
}

impl Iterator for KeyChanges<'_> {
    type Item = Result<KeyChange>;

    fn next(&mut self) -> Option<Self::Item> {
        let (from, to) = self.cursors.as_mut()?;
        let change = next(from, to).transpose();
        if !matches!(change, Some(Ok(_))) {
            self.cursors = None;
        }
        change
    }
}

/// Both cursors have passed the same keys. A subtree that both stand in front of is skipped; else the higher of two
/// subtrees is entered, or both, until two records meet.
fn next(from: &mut Cursor<'_>, to: &mut Cursor<'_>) -> Result<Option<KeyChange>> {
    loop {
        let (enter_from, enter_to) = match (from.here(), to.here()) {
            (None, None) => return Ok(None),
            (Some(Here::Link { link: a, .. }), Some(Here::Link { link: b, .. })) if a.name == b.name => {
                from.skip();
                to.skip();
                continue;
            }
            (Some(Here::Link { level: a, .. }), Some(Here::Link { level: b, .. })) => (a >= b, b >= a),
            (Some(Here::Link { .. }), _) => (true, false),
            (_, Some(Here::Link { .. })) => (false, true),
            (a, b) => {
                let (a, b) = (a.and_then(Here::item), b.and_then(Here::item));
                let order = match (a, b) {
                    (Some(a), Some(b)) => a.key.cmp(&b.key),
                    (Some(_), None) => Ordering::Less,
                    _ => Ordering::Greater,
                };
                let (before, after) = (a.filter(|_| order.is_le()), b.filter(|_| order.is_ge()));
                let key = before.or(after).map(|item| item.key.clone());
                let change = (before != after).then(|| {
                    let leaf = |item: Option<&Item>| item.map(|item| item.leaf.clone());
                    key.map(|key| KeyChange { key, before: leaf(before), after: leaf(after) })
                });
                if order.is_le() {
                    from.skip();
                }
                if order.is_ge() {
                    to.skip();
                }
                match change {
                    Some(change) => return Ok(change),
                    None => continue,
                }
            }
        };
        if enter_from {
            from.enter()?;
        }
        if enter_to {
            to.enter()?;
        }
    }
}
