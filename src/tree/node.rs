//! Nodes: their encoding, where they end, and what is checked when one is read.
//!
//! A leaf node holds records by key, an inner node links to the nodes of the level below by their last keys. Where a
//! node ends depends on its own entries alone ([`ends`]), so that equal entries make equal nodes. [`read`] refuses
//! every node that [`crate::tree::build`] would not have made at that place, as far as the node and its parents show.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::core::address::Address;
use crate::core::codec::{self, Format};
use crate::core::name::{Kind, Name};
use crate::core::objects::Objects;
use crate::core::version::Stats;
use crate::error::{Context, Error, Result};
use crate::limits;
use crate::tree::leaf::{Leaf, raw};

/// A node. Level 0 is the leaves'. Its totals ([`Node::stats`]) are sums over what its entries say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Node {
    /// Level 0.
    Leaf(Vec<Item>),
    /// Level 1 and up.
    Inner(u8, Vec<Link>),
}

/// A record in a leaf node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Item {
    /// Its address's key.
    #[serde(with = "raw")]
    pub(super) key: Bytes,
    /// The record.
    pub(super) leaf: Leaf,
}

/// A subtree in an inner node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Link {
    /// The last key in it.
    #[serde(with = "raw")]
    pub(super) key: Bytes,
    /// Its root node.
    pub(super) name: Name,
    /// How many records are in it.
    pub(super) records: u64,
    /// The bytes of their encodings and contents.
    pub(super) bytes: u64,
}

impl Format for Node {
    const NUMBER: u8 = 1;
    const LIMIT: usize = limits::NODE_MAX;
    const WORD: &'static str = "a tree node";
}

/// What a node is made of: an [`Item`] or a [`Link`].
pub(super) trait Part {
    fn key(&self) -> &Bytes;
    /// The length of its encoding in a node.
    fn encoded_len(&self) -> usize;
    /// Its share of the node's totals; none when they overflow.
    fn stats(&self) -> Option<Stats>;
}

impl Part for Item {
    fn key(&self) -> &Bytes {
        &self.key
    }

    fn encoded_len(&self) -> usize {
        let content = self.leaf.content().map_or(1, |size| 1 + varint_len(size));
        let record = match &self.leaf {
            Leaf::Inline { bytes, .. } => string_len(bytes),
            Leaf::Spilled { length, .. } => size_of::<Name>() + varint_len(*length),
        };
        string_len(&self.key) + 1 + record + content
    }

    fn stats(&self) -> Option<Stats> {
        let bytes = self.leaf.length().checked_add(self.leaf.content().unwrap_or(0))?;
        Some(Stats { records: 1, bytes })
    }
}

impl Part for Link {
    fn key(&self) -> &Bytes {
        &self.key
    }

    fn encoded_len(&self) -> usize {
        string_len(&self.key) + size_of::<Name>() + varint_len(self.records) + varint_len(self.bytes)
    }

    fn stats(&self) -> Option<Stats> {
        Some(Stats { records: self.records, bytes: self.bytes })
    }
}

fn varint_len(number: u64) -> usize {
    (64 - (number | 1).leading_zeros() as usize).div_ceil(7)
}

fn string_len(bytes: &[u8]) -> usize {
    varint_len(bytes.len() as u64) + bytes.len()
}

/// Whether a node of `level` ends behind the entry with this key, which fills it from `before` to `after` bytes.
///
/// Never below [`limits::NODE_MIN`], always from [`limits::NODE_SOFT`] on. Between them chance decides: a hash of the
/// key, salted by the level, against a threshold that rises with the node's size, so that sizes gather around 8 KiB.
/// (Size-aware boundaries by the key alone are Dolt's idea: an edit that keeps a record's length never moves one.)
/// With `x` bytes over the minimum, `(x / 4096)^2` is the expected number of ends so far; an entry's chance is what it
/// adds to that.
pub(super) fn ends(level: u8, key: &[u8], before: usize, after: usize) -> bool {
    if after < limits::NODE_MIN || (level > 0 && before == 0) {
        return false;
    }
    if after >= limits::NODE_SOFT {
        return true;
    }
    let square = |size: usize| (size.saturating_sub(limits::NODE_MIN) as u64).pow(2);
    let chance = (square(after) - square(before)) << 8;
    let mut hasher = blake3::Hasher::new_keyed(b"peapod 2026 tree node ends v1 ..");
    let hash = hasher.update(&[level]).update(key).finalize();
    let [a, b, c, d, ..] = *hash.as_bytes();
    u64::from(u32::from_le_bytes([a, b, c, d])) < chance
}

impl Node {
    /// 0 for leaves.
    pub(super) fn level(&self) -> u8 {
        match self {
            Node::Leaf(_) => 0,
            Node::Inner(level, _) => *level,
        }
    }

    /// How many entries it has.
    pub(super) fn len(&self) -> usize {
        match self {
            Node::Leaf(items) => items.len(),
            Node::Inner(_, links) => links.len(),
        }
    }

    /// The key of an entry.
    pub(super) fn key(&self, index: usize) -> Option<&Bytes> {
        match self {
            Node::Leaf(items) => items.get(index).map(Part::key),
            Node::Inner(_, links) => links.get(index).map(Part::key),
        }
    }

    /// How many of its entries stand before `key`.
    pub(super) fn position(&self, key: &[u8]) -> usize {
        match self {
            Node::Leaf(items) => items.partition_point(|item| item.key < key),
            Node::Inner(_, links) => links.partition_point(|link| link.key < key),
        }
    }

    /// Totals of the records below.
    pub(super) fn stats(&self) -> Result<Stats> {
        let sum = match self {
            Node::Leaf(items) => sum(items),
            Node::Inner(_, links) => sum(links),
        };
        sum.ok_or_else(|| malformed("totals that no state can have"))
    }

    /// Keeps the node, and gives the link to it.
    pub(super) fn write(&self, objects: &dyn Objects) -> Result<Link> {
        let name = objects.put(Kind::Node, &codec::encode(self)?)?;
        let Stats { records, bytes } = self.stats()?;
        let key = self.len().checked_sub(1).and_then(|last| self.key(last)).cloned().unwrap_or_default();
        Ok(Link { key, name, records, bytes })
    }

    /// The node in these bytes, checked as far as it can be without its parents.
    pub(super) fn decode(bytes: &[u8]) -> Result<Node> {
        let node: Node = codec::decode(bytes)?;
        match &node {
            Node::Leaf(items) => {
                for item in items {
                    item.check()?;
                }
                check_keys(items)?;
            }
            Node::Inner(level, links) => {
                if *level == 0 || *level >= limits::TREE_DEPTH {
                    return Err(malformed("a level that no tree has"));
                }
                if links.is_empty() {
                    return Err(malformed("no entries"));
                }
                check_keys(links)?;
            }
        }
        node.stats()?;
        if node.ends_before_its_last() {
            return Err(malformed("more entries than belong into it"));
        }
        Ok(node)
    }

    fn ends_before_its_last(&self) -> bool {
        let inner = self.len().saturating_sub(1);
        match self {
            Node::Leaf(items) => end(0, items).is_some_and(|end| end < inner),
            Node::Inner(level, links) => end(*level, links).is_some_and(|end| end < inner),
        }
    }

    /// Whether it ends because of its last entry, and not because its level has no more.
    fn is_closed(&self) -> bool {
        match self {
            Node::Leaf(items) => end(0, items).is_some(),
            Node::Inner(level, links) => end(*level, links).is_some(),
        }
    }
}

impl Item {
    fn check(&self) -> Result<()> {
        let address = Address::from_key(&self.key)?;
        if address.parts().iter().any(|part| part.len() > limits::KEY_PART) {
            return Err(malformed("a key that should have been cut"));
        }
        let spilled = matches!(self.leaf, Leaf::Spilled { .. });
        let length = self.leaf.length();
        if spilled != (length > limits::RECORD_INLINE as u64) || length > limits::RECORD as u64 {
            return Err(malformed("a record that is not where its length puts it"));
        }
        Ok(())
    }
}

fn sum<P: Part>(parts: &[P]) -> Option<Stats> {
    parts.iter().try_fold(Stats::default(), |sum, part| {
        let stats = part.stats()?;
        let (records, bytes) = (sum.records.checked_add(stats.records)?, sum.bytes.checked_add(stats.bytes)?);
        Some(Stats { records, bytes })
    })
}

fn check_keys<P: Part>(parts: &[P]) -> Result<()> {
    if parts.is_sorted_by(|a, b| a.key() < b.key()) { Ok(()) } else { Err(malformed("its keys out of order")) }
}

/// The first entry behind which a node of these would end.
pub(super) fn end<P: Part>(level: u8, parts: &[P]) -> Option<usize> {
    let mut size = 0;
    parts.iter().position(|part| {
        let before = size;
        size += part.encoded_len();
        ends(level, part.key(), before, size)
    })
}

/// Where a node is read: what its parents say about it.
pub(super) enum Place<'a> {
    /// It is the root.
    Root,
    /// It is an inner node's child.
    Below {
        /// The parent's link to it.
        link: &'a Link,
        /// The parent's level.
        parent: u8,
        /// The last key of all that stands before it.
        floor: Option<&'a Bytes>,
        /// Whether it is its level's last.
        last: bool,
    },
}

/// The node `name`, refused unless it is one that a tree has at that place.
pub(super) fn read(objects: &dyn Objects, name: &Name, place: &Place<'_>) -> Result<Node> {
    let bytes = objects.get(Kind::Node, name)?;
    let node = Node::decode(&bytes).and_then(|node| check_place(&node, place).map(|()| node));
    node.with_context(|| format!("can't use tree node {}", name.short()))
}

fn check_place(node: &Node, place: &Place<'_>) -> Result<()> {
    let Place::Below { link, parent, floor, last } = place else {
        return match node {
            Node::Inner(_, links) if links.len() < 2 => Err(malformed("a root that only leads to another")),
            _ => Ok(()),
        };
    };
    let Stats { records, bytes } = node.stats()?;
    let first = node.key(0);
    if node.level().checked_add(1) != Some(*parent) {
        Err(malformed("another level than its parent says"))
    } else if node.len().checked_sub(1).and_then(|last| node.key(last)) != Some(&link.key) {
        Err(malformed("another last key than its parent says"))
    } else if floor.is_some_and(|floor| first.is_none_or(|first| first <= floor)) {
        Err(malformed("a first key that its parent has elsewhere"))
    } else if (records, bytes) != (link.records, link.bytes) {
        Err(malformed("other totals than its parent says"))
    } else if !last && !node.is_closed() {
        Err(malformed("fewer entries than belong into it"))
    } else {
        Ok(())
    }
}

fn malformed(what: &str) -> Error {
    Error::failed(format!("a malformed tree node: it has {what}"))
        .hint("the peapod that wrote this state is faulty or hostile: go back to an earlier version of the pod")
}
