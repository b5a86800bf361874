//! Malformed and hostile nodes.

use proptest::prelude::*;

use bytes::Bytes;

use crate::core::codec;
use crate::core::name::{Kind, Name};
use crate::core::objects::Objects;
use crate::error::Result;
use crate::limits;
use crate::tree::Leaf;
use crate::tree::node::{Item, Link, Node, Part, end};

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
    let mut links: Vec<Link> = leaves.iter().map(|items| Node::Leaf(items.clone()).write(&objects).unwrap()).collect();
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
