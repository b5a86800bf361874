//! Reading a tree in order, node by node as it is needed.

use bytes::Bytes;

use crate::core::address::Address;
use crate::core::name::Name;
use crate::core::objects::Objects;
use crate::core::record::Record;
use crate::core::version::Stats;
use crate::error::Result;
use crate::tree::Stream;
use crate::tree::leaf::{Entry, address_of};
use crate::tree::node::{self, Item, Link, Node, Place};

/// The entries whose address begins with these parts (none: all of them), in order, reading nodes as it goes.
pub fn scan<'a>(objects: &'a dyn Objects, root: &Name, parts: &[String]) -> Result<Stream<'a, Entry>> {
    let prefix = Address::key_prefix(parts);
    let mut cursor = Some(Cursor::new(objects, root)?.seek(&prefix)?);
    // What goes on with FF has a longer last part: it begins with those of `parts` before it only.
    let end = [prefix.as_slice(), &[0xff]].concat();
    Ok(Box::new(std::iter::from_fn(move || {
        let entry = cursor.as_mut()?.next_item_before(&end).and_then(|item| {
            item.map(|Item { key, leaf }| Ok(Entry { address: address_of(objects, &key, &leaf)?, leaf })).transpose()
        });
        if !matches!(entry, Ok(Some(_))) {
            cursor = None;
        }
        entry.transpose()
    })))
}

/// The accounts in a tree, in order, and no more than `most`. Costs a path of nodes for each.
pub fn accounts(objects: &dyn Objects, root: &Name, most: usize) -> Result<Vec<String>> {
    let mut accounts = Vec::new();
    let mut from = Vec::new();
    while accounts.len() < most {
        let mut cursor = Cursor::new(objects, root)?.seek(&from)?;
        let Some(item) = cursor.next_item_before(&[0xff])? else { break };
        let address = address_of(objects, &item.key, &item.leaf)?;
        from = Address::key_prefix(&address.parts()[..1]);
        from.push(0xff);
        accounts.push(address.account().to_owned());
    }
    Ok(accounts)
}

/// The record at an address.
pub fn get(objects: &dyn Objects, root: &Name, address: &Address) -> Result<Option<Record>> {
    Lookup::new(objects, root)?.get(address)
}

/// Looks up many addresses in one tree. Where they come in order, each node is read once.
pub struct Lookup<'a> {
    cursor: Cursor<'a>,
}

impl<'a> Lookup<'a> {
    /// In the tree of this root.
    pub fn new(objects: &'a dyn Objects, root: &Name) -> Result<Lookup<'a>> {
        Ok(Lookup { cursor: Cursor::new(objects, root)? })
    }

    /// The record at an address.
    pub fn get(&mut self, address: &Address) -> Result<Option<Record>> {
        let objects = self.cursor.objects;
        let (key, _) = address.key();
        let Some(item) = self.cursor.find(&key)? else { return Ok(None) };
        let entry = Entry { address: address_of(objects, &item.key, &item.leaf)?, leaf: item.leaf };
        if entry.address == *address { entry.record(objects).map(Some) } else { Ok(None) }
    }
}

/// Size of a tree, from its root node alone.
pub fn stats(objects: &dyn Objects, root: &Name) -> Result<Stats> {
    node::read(objects, root, &Place::Root)?.stats()
}

/// A place in a tree, in front of one entry of one of its nodes.
pub(super) struct Cursor<'a> {
    objects: &'a dyn Objects,
    /// From the root to the node it is in.
    path: Vec<Step>,
}

struct Step {
    node: Node,
    index: usize,
    /// The last key of all that stands before the node.
    floor: Option<Bytes>,
    /// Whether the node is its level's last.
    last: bool,
}

/// What a cursor stands in front of.
pub(super) enum Here<'c> {
    /// A record.
    Item(&'c Item),
    /// A subtree.
    Link {
        /// The level of the node that has the link.
        level: u8,
        /// The link.
        link: &'c Link,
        /// Whether the subtree is its level's last.
        last: bool,
    },
}

impl<'c> Here<'c> {
    /// The record, if it is one.
    pub(super) fn item(self) -> Option<&'c Item> {
        match self {
            Here::Item(item) => Some(item),
            Here::Link { .. } => None,
        }
    }
}

impl<'a> Cursor<'a> {
    /// In front of the first entry of the root node.
    pub(super) fn new(objects: &'a dyn Objects, root: &Name) -> Result<Cursor<'a>> {
        let node = node::read(objects, root, &Place::Root)?;
        Ok(Cursor { objects, path: vec![Step { node, index: 0, floor: None, last: true }] })
    }

    /// From the root, in front of the first record at or behind `key`.
    pub(super) fn seek(mut self, key: &[u8]) -> Result<Cursor<'a>> {
        while let Some(step) = self.path.last_mut() {
            step.index = step.node.position(key);
            if !matches!(self.here(), Some(Here::Link { .. })) {
                break;
            }
            self.enter()?;
        }
        Ok(self)
    }

    /// The record at `key`, searched from the innermost node on the path that may have it.
    fn find(&mut self, key: &[u8]) -> Result<Option<Item>> {
        while self.path.len() > 1 && self.path.last().is_some_and(|step| !step.covers(key)) {
            self.path.pop();
        }
        while let Some(step) = self.path.last_mut() {
            step.index = step.node.position(key);
            match &step.node {
                Node::Leaf(items) => return Ok(items.get(step.index).filter(|item| item.key == key).cloned()),
                Node::Inner(..) if step.is_done() => return Ok(None),
                Node::Inner(..) => self.enter()?,
            }
        }
        Ok(None)
    }

    /// What is next, if there is more.
    pub(super) fn here(&mut self) -> Option<Here<'_>> {
        while self.path.last()?.is_done() {
            self.path.pop();
            self.skip();
        }
        let Step { node, index, last, .. } = self.path.last()?;
        match node {
            Node::Leaf(items) => items.get(*index).map(Here::Item),
            Node::Inner(level, links) => {
                let last = *last && index + 1 == links.len();
                links.get(*index).map(|link| Here::Link { level: *level, link, last })
            }
        }
    }

    /// Goes behind what is next, a whole subtree or one record.
    pub(super) fn skip(&mut self) {
        if let Some(step) = self.path.last_mut() {
            step.index += 1;
        }
    }

    /// Goes into the subtree that is next, in front of its root's first entry.
    pub(super) fn enter(&mut self) -> Result<()> {
        let Some(Step { node: Node::Inner(level, links), index, floor, last }) = self.path.last() else {
            return Ok(());
        };
        let Some(link) = links.get(*index) else { return Ok(()) };
        let floor = index.checked_sub(1).and_then(|before| links.get(before)).map(|link| &link.key).or(floor.as_ref());
        let last = *last && index + 1 == links.len();
        let node = node::read(self.objects, &link.name, &Place::Below { link, parent: *level, floor, last })?;
        let floor = floor.cloned();
        self.path.push(Step { node, index: 0, floor, last });
        Ok(())
    }

    fn next_item_before(&mut self, end: &[u8]) -> Result<Option<Item>> {
        loop {
            match self.here() {
                Some(Here::Link { .. }) => self.enter()?,
                Some(Here::Item(item)) if item.key < end => {
                    let item = item.clone();
                    self.skip();
                    return Ok(Some(item));
                }
                _ => return Ok(None),
            }
        }
    }
}

impl Step {
    fn is_done(&self) -> bool {
        self.index >= self.node.len()
    }

    /// Whether a record of this key would stand in or under the node.
    fn covers(&self, key: &[u8]) -> bool {
        let end = match &self.node {
            Node::Leaf(items) => items.last().map(|item| &item.key),
            Node::Inner(_, links) => links.last().map(|link| &link.key),
        };
        self.floor.as_ref().is_none_or(|floor| floor < key) && end.is_some_and(|end| end >= key)
    }
}
