//! Building a tree, and editing one into exactly the tree that building would have made.

use bytes::Bytes;

use crate::core::name::Name;
use crate::core::objects::Objects;
use crate::error::{Error, Result};
use crate::limits;
use crate::tree::cursor::{Cursor, Here};
use crate::tree::leaf::{Change, Entry, Leaf};
use crate::tree::node::{self, Item, Link, Node, Part};

/// The root of the tree without entries.
pub fn empty(objects: &dyn Objects) -> Result<Name> {
    Builder::new(objects).finish()
}

/// Builds the tree of these entries, which come in the order of their keys ([`crate::core::address::Address::key`]),
/// none twice.
///
/// Holds one open node for each level.
pub fn build(objects: &dyn Objects, entries: &mut dyn Iterator<Item = Result<Entry>>) -> Result<Name> {
    let mut builder = Builder::new(objects);
    for entry in entries {
        let Entry { address, leaf } = entry?;
        builder.push_item(Item { key: address.key().0.into(), leaf })?;
    }
    builder.finish()
}

/// The tree `root` with `after` of each change in place; `before` is not looked at. Changes come in the order of keys.
///
/// Reads and writes O(changes x depth) nodes; never reads a node twice.
pub fn edit(objects: &dyn Objects, root: &Name, changes: &mut dyn Iterator<Item = Result<Change>>) -> Result<Name> {
    edit_keys(
        objects,
        root,
        &mut changes.map(|change| change.map(|change| (change.address.key().0.into(), change.after))),
    )
}

/// What shall stand under a key; nothing where it shall be removed.
pub(super) type KeyEdit = (Bytes, Option<Leaf>);

/// [`edit`] by keys.
pub(super) fn edit_keys(
    objects: &dyn Objects,
    root: &Name,
    edits: &mut dyn Iterator<Item = Result<KeyEdit>>,
) -> Result<Name> {
    let mut edits = edits.peekable();
    if edits.peek().is_none() {
        return Ok(*root);
    }
    let mut builder = Builder::new(objects);
    let mut old = Cursor::new(objects, root)?;
    let mut last: Option<Bytes> = None;
    for edit in edits {
        let (key, leaf) = edit?;
        if last.is_some_and(|last| last >= key) {
            return Err(out_of_order());
        }
        copy(&mut old, &mut builder, Some(&key))?;
        if old.here().is_some_and(|here| matches!(here, Here::Item(item) if item.key == key)) {
            old.skip();
        }
        last = Some(key.clone());
        if let Some(leaf) = leaf {
            builder.push_item(Item { key, leaf })?;
        }
    }
    copy(&mut old, &mut builder, None)?;
    builder.finish()
}

/// Copies what the old tree has before `until`, or all the rest.
///
/// A subtree is taken whole where the builder is at the start of a node on each level below it: then the builder would
/// make the very same nodes of the subtree's entries. The last one of a level may have ended for want of entries.
fn copy(old: &mut Cursor<'_>, builder: &mut Builder<'_>, until: Option<&Bytes>) -> Result<()> {
    while let Some(here) = old.here() {
        match here {
            Here::Item(item) => {
                if until.is_some_and(|until| item.key >= *until) {
                    return Ok(());
                }
                builder.push_item(item.clone())?;
                old.skip();
            }
            Here::Link { level, link, last } => {
                let before = until.is_none_or(|until| link.key < *until);
                if before && !last && builder.is_at_start_below(level) {
                    builder.push_link(level, link.clone())?;
                    old.skip();
                } else {
                    old.enter()?;
                }
            }
        }
    }
    Ok(())
}

fn out_of_order() -> Error {
    Error::failed("a tree is built and edited in the order of its keys")
}

/// The node that a level is filling.
struct Open<P> {
    parts: Vec<P>,
    size: usize,
}

impl<P: Part> Open<P> {
    fn new() -> Open<P> {
        Open { parts: Vec::new(), size: 0 }
    }

    /// Adds an entry; gives all of them when the node ends with it.
    fn push(&mut self, level: u8, part: P) -> Option<Vec<P>> {
        let before = self.size;
        self.size += part.encoded_len();
        let ends = node::ends(level, part.key(), before, self.size);
        self.parts.push(part);
        ends.then(|| self.take())
    }

    fn take(&mut self) -> Vec<P> {
        self.size = 0;
        std::mem::take(&mut self.parts)
    }
}

/// Takes entries in order, and whole subtrees of them, and keeps the nodes they make.
struct Builder<'a> {
    objects: &'a dyn Objects,
    leaf: Open<Item>,
    /// Level 1 and up.
    inner: Vec<Open<Link>>,
    last: Option<Bytes>,
}

impl<'a> Builder<'a> {
    fn new(objects: &'a dyn Objects) -> Builder<'a> {
        Builder { objects, leaf: Open::new(), inner: Vec::new(), last: None }
    }

    fn is_at_start_below(&self, level: u8) -> bool {
        let inner = self.inner.iter().take(usize::from(level).saturating_sub(1));
        self.leaf.parts.is_empty() && inner.into_iter().all(|open| open.parts.is_empty())
    }

    fn push_item(&mut self, item: Item) -> Result<()> {
        self.check_order(&item.key)?;
        match self.leaf.push(0, item) {
            Some(items) => self.add_link(1, Node::Leaf(items).write(self.objects)?),
            None => Ok(()),
        }
    }

    /// Takes a subtree as an entry of `level`. Only right where [`Builder::is_at_start_below`].
    fn push_link(&mut self, level: u8, link: Link) -> Result<()> {
        self.check_order(&link.key)?;
        self.add_link(level, link)
    }

    fn check_order(&mut self, key: &Bytes) -> Result<()> {
        if self.last.as_ref().is_some_and(|last| last >= key) {
            return Err(out_of_order());
        }
        self.last = Some(key.clone());
        Ok(())
    }

    fn add_link(&mut self, mut level: u8, mut link: Link) -> Result<()> {
        while level < limits::TREE_DEPTH {
            let index = usize::from(level) - 1;
            if self.inner.len() <= index {
                self.inner.resize_with(index + 1, Open::new);
            }
            let Some(links) = self.inner.get_mut(index).and_then(|open| open.push(level, link)) else {
                return Ok(());
            };
            link = Node::Inner(level, links).write(self.objects)?;
            level += 1;
        }
        Err(Error::failed(format!("a state that needs a tree of more than {} levels", limits::TREE_DEPTH)))
    }

    /// Ends each level's last node, from the leaves up, until one node holds all.
    fn finish(mut self) -> Result<Name> {
        let items = self.leaf.take();
        if self.is_empty_from(0) {
            return Ok(Node::Leaf(items).write(self.objects)?.name);
        }
        if !items.is_empty() {
            self.add_link(1, Node::Leaf(items).write(self.objects)?)?;
        }
        for index in 0.. {
            let Some(links) = self.inner.get_mut(index).map(Open::take) else { break };
            let level = index as u8 + 1;
            match links.as_slice() {
                [] => {}
                [only] if self.is_empty_from(index + 1) => return Ok(only.name),
                _ => {
                    let all = self.is_empty_from(index + 1);
                    let link = Node::Inner(level, links).write(self.objects)?;
                    if all {
                        return Ok(link.name);
                    }
                    self.add_link(level + 1, link)?;
                }
            }
        }
        Err(Error::failed("a tree without a root"))
    }

    /// Whether no inner level from that index on has anything.
    fn is_empty_from(&self, index: usize) -> bool {
        self.inner.iter().skip(index).all(|open| open.parts.is_empty())
    }
}
