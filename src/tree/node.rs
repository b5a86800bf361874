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
fn end<P: Part>(level: u8, parts: &[P]) -> Option<usize> {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::core::objects::memory::Memory;
    use crate::tree::testing::{entries, state};
    use crate::tree::{Change, diff, edit, empty, get, scan, stats};

    fn items(objects: &Memory, count: u16) -> Vec<Item> {
        let state = state(&(0..count).map(|number| (number, number as u8)).collect());
        let item = |entry: crate::tree::Entry| Item { key: entry.address.key().0.into(), leaf: entry.leaf };
        entries(objects, &state).into_iter().map(item).collect()
    }

    /// The items cut into the leaf nodes they make; the last may not be closed.
    fn leaves(objects: &Memory, count: u16) -> Vec<Vec<Item>> {
        let mut rest = items(objects, count);
        let mut leaves = Vec::new();
        while let Some(end) = end(0, &rest) {
            let behind = rest.split_off(end + 1);
            leaves.push(std::mem::replace(&mut rest, behind));
        }
        leaves.push(rest);
        leaves
    }

    fn write(objects: &Memory, node: &Node) -> Name {
        objects.put(Kind::Node, &codec::encode(node).unwrap()).unwrap()
    }

    /// Whether every way to read the tree fails, and none panics or goes on for ever.
    fn is_refused(objects: &Memory, root: &Name) -> bool {
        let scanned = scan(objects, root, &[]).and_then(|stream| stream.collect::<Result<Vec<_>>>());
        let empty = empty(objects).unwrap();
        let compared = diff(objects, &empty, root).and_then(|stream| stream.collect::<Result<Vec<_>>>());
        assert_eq!(scanned.is_err(), compared.is_err());
        let address = crate::tree::testing::address(1);
        let _ = (stats(objects, root), get(objects, root, &address));
        let _ = edit(objects, root, &mut [Ok(Change { address, before: None, after: None })].into_iter());
        scanned.is_err()
    }

    /// Whether the tree of one inner node over these leaves is refused, after `change` to its links.
    fn is_refused_above(leaves: &[Vec<Item>], change: impl FnOnce(&Memory, &mut Vec<Link>)) -> bool {
        let objects = Memory::default();
        let mut links: Vec<Link> =
            leaves.iter().map(|items| Node::Leaf(items.clone()).write(&objects).unwrap()).collect();
        change(&objects, &mut links);
        is_refused(&objects, &write(&objects, &Node::Inner(1, links)))
    }

    #[test]
    fn encoded_lengths_are_what_postcard_writes() {
        let objects = Memory::default();
        for item in items(&objects, 64) {
            assert_eq!(postcard::to_stdvec(&item).unwrap().len(), item.encoded_len());
        }
        for number in [0, 1, 127, 128, 1 << 20, u64::MAX] {
            let link = Link { key: Bytes::from_static(b"key"), name: Name([0; 32]), records: number, bytes: number };
            assert_eq!(postcard::to_stdvec(&link).unwrap().len(), link.encoded_len());
        }
    }

    #[test]
    fn a_leaf_that_building_would_not_make_is_refused() {
        let objects = Memory::default();
        let good = leaves(&objects, 64).remove(0);
        let refused = |change: &dyn Fn(&mut Vec<Item>)| {
            let mut items = good.clone();
            change(&mut items);
            is_refused(&objects, &write(&objects, &Node::Leaf(items)))
        };
        assert!(!refused(&|_| {}));
        assert!(refused(&|items| items.swap(0, 1)), "unsorted");
        assert!(refused(&|items| items[1] = items[0].clone()), "twice");
        assert!(refused(&|items| items[0].key = Bytes::from_static(b"a\0b\0")), "no address");
        assert!(refused(&|items| items[0].key = Bytes::from(["a\0".repeat(4), "b".repeat(300), "\0".into()].concat())));
        assert!(refused(&|items| items[0].leaf = Leaf::Spilled { name: Name([0; 32]), length: 9, content: None }));
        assert!(refused(&|items| {
            for item in items.iter_mut().take(2) {
                item.leaf = Leaf::Inline { bytes: Bytes::new(), content: Some(u64::MAX) };
            }
        }));
    }

    #[test]
    fn a_node_ends_where_its_keys_say() {
        let objects = Memory::default();
        let leaves = leaves(&objects, 200);
        assert!(leaves.len() > 4);
        assert!(!is_refused_above(&leaves, |_, _| {}));
        let mut merged = leaves.clone();
        let second = merged.remove(1);
        merged[0].extend(second);
        assert!(is_refused_above(&merged, |_, _| {}), "ends too late");
        let mut split = leaves.clone();
        let half = split[0].split_off(3);
        split.insert(1, half);
        assert!(is_refused_above(&split, |_, _| {}), "ends too early");
    }

    #[test]
    fn a_child_that_is_not_as_its_parent_says_is_refused() {
        let objects = Memory::default();
        let leaves = leaves(&objects, 200);
        let refused = |change: &dyn Fn(&Memory, &mut Vec<Link>)| is_refused_above(&leaves, change);
        assert!(refused(&|_, links| links[0].records += 1), "count");
        assert!(refused(&|_, links| links[1].bytes -= 1), "bytes");
        assert!(refused(&|_, links| links[1].bytes = u64::MAX), "overflow");
        assert!(refused(&|_, links| links.swap(0, 1)), "unsorted");
        assert!(refused(&|_, links| links[1] = Link { key: links[1].key.clone(), ..links[0].clone() }), "twice");
        assert!(refused(&|_, links| links[0].key = items(&Memory::default(), 1)[0].key.clone()), "last key");
        assert!(refused(&|_, links| links[0].name = Name([9; 32])), "missing");
        assert!(refused(&|_, links| links.truncate(1)), "a root with one child");
        assert!(refused(&|_, links| links.clear()), "no children");
        assert!(refused(&|objects, links| {
            let last = links.len() - 1;
            links[last].name = write(objects, &Node::Leaf(vec![]));
        }));
        let overlap = [leaves[0].clone(), [&leaves[0][1..], &leaves[1][..]].concat()];
        assert!(is_refused_above(&overlap, |_, _| {}), "keys of a neighbour");
    }

    #[test]
    fn levels_fall_by_one_and_are_bounded() {
        let objects = Memory::default();
        let links: Vec<Link> =
            leaves(&objects, 40).into_iter().map(|items| Node::Leaf(items).write(&objects).unwrap()).collect();
        for level in [0, 2, limits::TREE_DEPTH - 1, limits::TREE_DEPTH, 255] {
            assert!(is_refused(&objects, &write(&objects, &Node::Inner(level, links.clone()))), "{level}");
        }
        assert!(Node::decode(&[1, 1, 1, 0xff, 0xff, 0xff, 0xff, 0x0f]).is_err(), "a lying count");
        assert!(Node::decode(&vec![1; limits::NODE_MAX + 1]).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn random_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let bytes = [&[1, bytes.first().copied().unwrap_or(0) % 2][..], &bytes].concat();
            if let Ok(node) = Node::decode(&bytes) {
                prop_assert_eq!(codec::encode(&node).unwrap(), bytes);
            }
        }

        #[test]
        fn mutated_nodes_are_refused_or_other_nodes(at in any::<usize>(), byte in any::<u8>(), which in 0usize..2) {
            let objects = Memory::default();
            let leaves = leaves(&objects, 40);
            let links = leaves.iter().map(|items| Node::Leaf(items.clone()).write(&objects).unwrap()).collect();
            let node = if which == 0 { Node::Leaf(leaves[0].clone()) } else { Node::Inner(1, links) };
            let mut bytes = codec::encode(&node).unwrap();
            let at = at % bytes.len();
            bytes[at] = byte;
            if let Ok(node) = Node::decode(&bytes) {
                prop_assert_eq!(codec::encode(&node).unwrap(), bytes.clone());
            }
            let _ = crate::tree::references(Kind::Node, &bytes);
            is_refused(&objects, &objects.put(Kind::Node, &bytes).unwrap());
        }
    }
}
