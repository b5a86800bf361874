//! The prolly tree: the ordered map from addresses to records, whose root hash names a whole state.
//!
//! Its shape is a function of the sorted records alone, whatever edits led there, so equal states have equal roots and
//! a difference costs reads only where the states differ.

use bytes::Bytes;

use crate::core::address::Address;
use crate::core::name::{Kind, Name};
use crate::core::objects::Objects;
use crate::core::record::Record;
use crate::core::version::Stats;
use crate::error::Result;

/// A record as its tree node holds it: comparable without being decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leaf {
    /// A record in the node itself.
    Inline {
        /// Its encoding.
        bytes: Bytes,
        /// The size of its content, 0 if it has none.
        content: u64,
    },
    /// A record too large for the node.
    Spilled {
        /// Its name as [`Kind::Record`].
        name: Name,
        /// The length of its encoding.
        length: u64,
        /// The size of its content, 0 if it has none.
        content: u64,
    },
}

impl Leaf {
    /// The leaf that holds `record` at `address`; a large record is put into `objects`.
    pub fn new(objects: &dyn Objects, address: &Address, record: &Record) -> Result<Leaf> {
        let _ = (objects, address, record);
        unimplemented!()
    }

    /// The record.
    pub fn record(&self, objects: &dyn Objects) -> Result<Record> {
        let _ = objects;
        unimplemented!()
    }
}

/// One entry of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where.
    pub address: Address,
    /// What.
    pub leaf: Leaf,
}

/// A difference between two trees at one address. At least one side is there, and they differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Where.
    pub address: Address,
    /// What the first tree has there.
    pub before: Option<Leaf>,
    /// What the second tree has there.
    pub after: Option<Leaf>,
}

/// Entries or changes in the order of their keys. Ends after the first error.
pub type Stream<'a, T> = Box<dyn Iterator<Item = Result<T>> + Send + 'a>;

/// The root of the tree without entries.
pub fn empty(objects: &dyn Objects) -> Result<Name> {
    let _ = objects;
    unimplemented!()
}

/// Builds the tree of these entries, which come in the order of their keys ([`Address::key`]), none twice.
pub fn build(objects: &dyn Objects, entries: &mut dyn Iterator<Item = Result<Entry>>) -> Result<Name> {
    let _ = (objects, entries);
    unimplemented!()
}

/// The tree `root` with `after` of each change in place; `before` is not looked at. Changes come in the order of keys.
///
/// Reads and writes O(changes x depth) nodes.
pub fn edit(objects: &dyn Objects, root: &Name, changes: &mut dyn Iterator<Item = Result<Change>>) -> Result<Name> {
    let _ = (objects, root, changes);
    unimplemented!()
}

/// The record at an address.
pub fn get(objects: &dyn Objects, root: &Name, address: &Address) -> Result<Option<Record>> {
    let _ = (objects, root, address);
    unimplemented!()
}

/// The entries whose address begins with these parts (none: all of them), in order, reading nodes as it goes.
pub fn scan<'a>(objects: &'a dyn Objects, root: &Name, parts: &[String]) -> Result<Stream<'a, Entry>> {
    let _ = (objects, root, parts);
    unimplemented!()
}

/// What turns the tree `from` into the tree `to`; subtrees they share are not read.
pub fn diff<'a>(objects: &'a dyn Objects, from: &Name, to: &Name) -> Result<Stream<'a, Change>> {
    let _ = (objects, from, to);
    unimplemented!()
}

/// Size of a tree, from its root node alone.
pub fn stats(objects: &dyn Objects, root: &Name) -> Result<Stats> {
    let _ = (objects, root);
    unimplemented!()
}

/// What the object in `bytes` refers to directly: children, spilled records, contents; parents and root of a version.
pub fn references(kind: Kind, bytes: &[u8]) -> Result<Vec<(Kind, Name)>> {
    let _ = (kind, bytes);
    unimplemented!()
}

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
/// Conflicts: two different values where both sides changed (or there is no base), an edit against a delete, an item
/// whose owner the other side deleted. `merge(a, b) = merge(b, a)` with sides swapped, `merge(x, x) = x`.
pub fn merge(objects: &dyn Objects, base: Option<&Name>, ours: &Name, theirs: &Name, settle: Settle) -> Result<Merged> {
    let _ = (objects, base, ours, theirs, settle);
    unimplemented!()
}
