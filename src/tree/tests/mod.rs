//! What holds across the parts of this module.

mod merges;
mod nodes;

use std::sync::atomic::Ordering;

use proptest::prelude::*;

use super::*;
use crate::core::address::Address;
use crate::core::name::{Kind, Name};
use crate::core::objects::Objects;
use crate::core::objects::memory::Memory;
use crate::core::record::Record;
use crate::core::value::Value;
use crate::limits;
use crate::tree::testing::*;

/// Many small records, as a table's items are.
fn item(number: u32) -> Entry {
    let table = Address::resource("self", "us-east-1", "dynamodb", "table", "orders");
    let address = table.item("item", &format!("{number:08}"));
    let attributes = [("id", Value::from(i64::from(number))), ("name", Value::Text(format!("order {number}")))];
    let record = Record::new(attributes.map(|(name, value)| (name.into(), value)).into());
    let leaf = Leaf::new(&Memory::default(), &address, &record).unwrap();
    Entry { address, leaf }
}

fn put(Entry { address, leaf }: Entry) -> Change {
    Change { address, before: None, after: Some(leaf) }
}

fn remove(Entry { address, leaf }: Entry) -> Change {
    Change { address, before: Some(leaf), after: None }
}

/// Every node's level and encoded size, with the root's last.
fn nodes(objects: &Memory, root: &Name) -> Vec<(u8, usize)> {
    let bytes = objects.get(Kind::Node, root).unwrap();
    let mut all = Vec::new();
    for (kind, child) in references(Kind::Node, &bytes).unwrap() {
        if kind == Kind::Node {
            all.extend(nodes(objects, &child));
        }
    }
    all.push((node::Node::decode(&bytes).unwrap().level(), bytes.len()));
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_order_of_edits_gives_one_root(
        (from, to) in values(400).prop_flat_map(|from| (Just(from.clone()), edited(from, 200))),
        batches in 1usize..5,
        salt in any::<u64>(),
    ) {
        let objects = Memory::default();
        let (from, to) = (state(&from), state(&to));
        let mut root = root_of(&objects, &from);
        let target = root_of(&objects, &to);
        let changes = all(diff(&objects, &root, &target).unwrap());
        for batch in 0..batches {
            let mine = |(at, _): &(usize, &Change)| (*at as u64).wrapping_mul(salt | 1) as usize % batches == batch;
            let mut mine = changes.iter().enumerate().filter(mine).map(|(_, change)| Ok(change.clone()));
            root = edit(&objects, &root, &mut mine).unwrap();
        }
        prop_assert_eq!(root, target);
    }

    #[test]
    fn building_is_editing_the_empty_tree(values in values(400)) {
        let objects = Memory::default();
        let state = state(&values);
        let mut puts = entries(&objects, &state).into_iter().map(|entry| Ok(put(entry)));
        let root = edit(&objects, &empty(&objects).unwrap(), &mut puts).unwrap();
        prop_assert_eq!(root, root_of(&objects, &state));
        let mut removes = entries(&objects, &state).into_iter().map(|entry| Ok(remove(entry)));
        prop_assert_eq!(edit(&objects, &root, &mut removes).unwrap(), empty(&objects).unwrap());
    }

    #[test]
    fn one_look_up_after_another_finds_what_is_there_in_whatever_order(
        values in values(400),
        numbers in proptest::collection::vec(0u16..600, 1..200),
    ) {
        let objects = Memory::default();
        let state = state(&values);
        let root = root_of(&objects, &state);
        let mut lookup = Lookup::new(&objects, &root).unwrap();
        for address in numbers.into_iter().map(address) {
            let found = lookup.get(&address).unwrap().map(|found| Record { whole: None, ..found });
            prop_assert_eq!(found.as_ref(), state.get(&address.key().0).map(|(_, record)| record));
        }
    }

    #[test]
    fn a_tree_holds_what_was_put_in(values in values(300), number in 0u16..600) {
        let objects = Memory::default();
        let state = state(&values);
        let root = root_of(&objects, &state);
        prop_assert_eq!(&state_of(&objects, &root), &state);

        let address = address(number);
        let found = get(&objects, &root, &address).unwrap().map(|found| Record { whole: None, ..found });
        prop_assert_eq!(found.as_ref(), state.get(&address.key().0).map(|(_, record)| record));

        for length in 0..=address.parts().len() {
            let parts = &address.parts()[..length];
            let scanned = all(scan(&objects, &root, parts).unwrap());
            let expected: Vec<_> = state.values().filter(|(at, _)| at.parts().starts_with(parts)).collect();
            prop_assert_eq!(scanned.len(), expected.len());
            prop_assert!(scanned.iter().zip(expected).all(|(entry, (at, _))| entry.address == *at));
        }

        let contents = state.values().filter_map(|(_, record)| record.content()).map(|content| content.size);
        let records = entries(&objects, &state).iter().map(|entry| entry.leaf.length()).sum::<u64>();
        let stats = stats(&objects, &root).unwrap();
        prop_assert_eq!(stats.records, state.len() as u64);
        prop_assert_eq!(stats.bytes, records + contents.sum::<u64>());
    }

    #[test]
    fn a_diff_names_exactly_the_changes(
        (from, to) in values(300).prop_flat_map(|from| (Just(from.clone()), edited(from, 40))),
    ) {
        let objects = Memory::default();
        let (from, to) = (state(&from), state(&to));
        let (from_root, to_root) = (root_of(&objects, &from), root_of(&objects, &to));
        let changes = all(diff(&objects, &from_root, &to_root).unwrap());
        let keys: std::collections::BTreeSet<_> = from.keys().chain(to.keys()).collect();
        let changed: Vec<_> = keys.into_iter().filter(|key| from.get(*key) != to.get(*key)).cloned().collect();
        prop_assert_eq!(changes.iter().map(|change| change.address.key().0).collect::<Vec<_>>(), changed);
        for Change { address, before, after } in &changes {
            let record = |leaf: &Leaf| Record { whole: None, ..leaf.record(&objects).unwrap() };
            let key = address.key().0;
            prop_assert_eq!(before.as_ref().map(record), from.get(&key).map(|(_, record)| record.clone()));
            prop_assert_eq!(after.as_ref().map(record), to.get(&key).map(|(_, record)| record.clone()));
        }
        prop_assert_eq!(edit(&objects, &from_root, &mut changes.into_iter().map(Ok)).unwrap(), to_root);
    }
}

#[test]
fn a_trees_root_is_the_same_on_every_machine_and_in_every_release() {
    let objects = Memory::default();
    let root = build(&objects, &mut (0..5000).map(|number| Ok(item(number)))).unwrap();
    assert_eq!(root.to_string(), "17b891a220e876602f1592249d824b3c016cc4dbba40a5c04733dedf71569dc1");
    assert_eq!(
        empty(&objects).unwrap().to_string(),
        "cb11d6e7b9a7039c5a797f2c91dc7596393bbf3c0dae55308289b752f3a915de"
    );
    let odd = state(&(0..600).map(|number| (number, number as u8)).collect());
    assert_eq!(root_of(&objects, &odd).to_string(), "b79227028899dad03e49189093691a584d4d4ccf66252c040a74b59f47e79c77");
}

#[test]
fn nodes_keep_their_size_and_one_edit_touches_few_of_them() {
    let objects = Memory::default();
    let root = build(&objects, &mut (0..100_000).map(|number| Ok(item(2 * number)))).unwrap();
    let nodes = nodes(&objects, &root);
    let (depth, count) = (nodes.last().unwrap().0, nodes.len());
    let leaves: Vec<usize> = nodes.iter().filter(|(level, _)| *level == 0).map(|(_, size)| *size).collect();
    let mean = leaves.iter().sum::<usize>() / leaves.len();
    assert!((6 << 10..10 << 10).contains(&mean), "{mean}");
    assert!(nodes.iter().all(|(_, size)| *size <= limits::NODE_MAX));
    assert!(leaves[..leaves.len() - 1].iter().all(|size| *size >= limits::NODE_MIN));

    let changed = Change { after: item(7).leaf.into(), ..put(item(100_000)) };
    for change in [put(item(100_001)), remove(item(2)), changed, put(item(500_000))] {
        let (reads, held) = (objects.reads.load(Ordering::Relaxed), objects.objects.lock().unwrap().len());
        let edited = edit(&objects, &root, &mut [Ok(change)].into_iter()).unwrap();
        let read = objects.reads.load(Ordering::Relaxed) - reads;
        let written = objects.objects.lock().unwrap().len() - held;
        assert!(read <= 5 * (usize::from(depth) + 1), "{read} of {count} nodes read");
        assert!(written <= 3 * (usize::from(depth) + 1), "{written} of {count} nodes written");

        let reads = objects.reads.load(Ordering::Relaxed);
        assert_eq!(all(diff(&objects, &root, &edited).unwrap()).len(), 1);
        let read = objects.reads.load(Ordering::Relaxed) - reads;
        assert!(read <= 6 * (usize::from(depth) + 1), "{read} of {count} nodes read");
    }
    let reads = objects.reads.load(Ordering::Relaxed);
    assert!(diff(&objects, &root, &root).unwrap().next().is_none());
    assert_eq!(scan(&objects, &root, &[]).unwrap().take(10).count(), 10);
    assert!(objects.reads.load(Ordering::Relaxed) - reads <= usize::from(depth) + 1);
}

#[test]
fn the_largest_legal_entries_fit_into_nodes() {
    let objects = Memory::default();
    let part = |number: usize| format!("{}{number:06}", "\u{0}".repeat(limits::KEY_PART - 6));
    let record = Record::new([("Body".into(), Value::Text("b".repeat(limits::RECORD_INLINE - 12)))].into());
    let largest = |number: usize| {
        let address = Address::try_from((0..7).map(|index| part(number * (index / 6))).collect::<Vec<_>>()).unwrap();
        let leaf = Leaf::new(&objects, &address, &record).unwrap();
        assert_eq!((leaf.length(), address.key().1), (limits::RECORD_INLINE as u64, false));
        Entry { address, leaf }
    };
    let root = build(&objects, &mut (0..500).map(|number| Ok(largest(number)))).unwrap();
    assert!(nodes(&objects, &root).iter().all(|(_, size)| *size <= limits::NODE_MAX));
    assert_eq!(all(scan(&objects, &root, &[]).unwrap()).len(), 500);
}

#[test]
fn keys_ground_so_that_no_node_ends_cost_work_but_give_the_right_tree() {
    let objects = Memory::default();
    let mut size = 0;
    let mut numbers = (10..).filter(|number| {
        let (key, after) = (item(*number).address.key().0, size + 110);
        let kept = after >= limits::NODE_SOFT || !node::ends(0, &key, size, after);
        size = if after >= limits::NODE_SOFT {
            0
        } else if kept {
            after
        } else {
            size
        };
        kept
    });
    let ground: Vec<u32> = numbers.by_ref().take(5000).collect();
    let root = build(&objects, &mut ground.iter().map(|number| Ok(item(*number)))).unwrap();
    let edited = edit(&objects, &root, &mut [Ok(put(item(1)))].into_iter()).unwrap();
    assert_eq!(edited, build(&objects, &mut [1].iter().chain(&ground).map(|number| Ok(item(*number)))).unwrap());
    let reads = objects.reads.load(Ordering::Relaxed);
    assert_eq!(all(diff(&objects, &root, &edited).unwrap()).len(), 1);
    let read = objects.reads.load(Ordering::Relaxed) - reads;
    assert!(read <= nodes(&objects, &root).len() + nodes(&objects, &edited).len());
}

#[test]
fn entries_and_changes_out_of_order_are_refused() {
    let objects = Memory::default();
    for wrong in [[2, 1], [1, 1]] {
        assert!(build(&objects, &mut wrong.iter().map(|number| Ok(item(*number)))).is_err());
        let root = build(&objects, &mut (0..9).map(|number| Ok(item(number)))).unwrap();
        assert!(edit(&objects, &root, &mut wrong.iter().map(|number| Ok(put(item(*number))))).is_err());
        assert!(edit(&objects, &root, &mut wrong.iter().map(|number| Ok(remove(item(*number))))).is_err());
    }
}
