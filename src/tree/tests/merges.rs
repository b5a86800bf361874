//! Merges, against a model on maps.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use crate::core::address::Address;
use crate::tree::{Conflict, Leaf, Merged, Settle, merge};

use crate::core::objects::memory::Memory;
use crate::core::record::Record;
use crate::core::record_merge::{Side, combine};
use crate::core::value::Value;
use crate::tree::empty;
use crate::tree::testing::{State, address, edited, record, root_of, state, state_of, values};

/// What a merge shall give, on maps: the state and the keys in conflict.
fn model(base: &State, ours: &State, theirs: &State, settle: Settle) -> (State, Vec<Vec<u8>>) {
    let keys: BTreeSet<_> = base.keys().chain(ours.keys()).chain(theirs.keys()).collect();
    let owner = |key: &[u8]| {
        let address = Address::from_key(key).unwrap();
        address.owner().unwrap_or(address).key().0
    };
    let lost = |key: &[u8], from: &State, to: &State, here: &State| {
        base.contains_key(&owner(key))
            && !from.contains_key(&owner(key))
            && to.get(key) != base.get(key)
            && to.contains_key(key)
            && to.get(key) != here.get(key)
    };
    let fights = |key: &[u8]| lost(key, ours, theirs, ours) || lost(key, theirs, ours, theirs);
    let contested: BTreeSet<_> = keys.iter().filter(|key| fights(key)).map(|key| owner(key)).collect();
    let (mut merged, mut conflicts) = (State::new(), Vec::new());
    for key in keys {
        let (base, ours, theirs) = (base.get(key), ours.get(key), theirs.get(key));
        let both = ours != base && theirs != base && ours != theirs;
        // What both have merges attribute by attribute, as `record_merge` is tested to.
        if let (true, false, Some((address, first)), Some((_, second))) =
            (both, contested.contains(&owner(key)), ours, theirs)
        {
            let prefer = match settle {
                Settle::List => None,
                Settle::Ours => Some(Side::Ours),
                Settle::Theirs => Some(Side::Theirs),
            };
            let combined = combine(address, base.map(|(_, base)| base), first, second, |_| prefer);
            let is_listed = !combined.conflicts.is_empty();
            conflicts.extend(is_listed.then(|| key.clone()));
            let record = if is_listed && prefer.is_none() { Some(first.clone()) } else { combined.record };
            merged.extend(record.map(|record| (key.clone(), (address.clone(), record))));
            continue;
        }
        if both || fights(key) {
            conflicts.push(key.clone());
        }
        let taken = match settle {
            _ if !both && !contested.contains(&owner(key)) => {
                if ours == base {
                    theirs
                } else {
                    ours
                }
            }
            Settle::Theirs => theirs,
            Settle::List | Settle::Ours => ours,
        };
        merged.extend(taken.map(|record| (key.clone(), record.clone())));
    }
    (merged, conflicts)
}

fn three() -> impl Strategy<Value = [State; 3]> {
    values(300)
        .prop_flat_map(|base| (Just(base.clone()), edited(base.clone(), 80), edited(base, 80)))
        .prop_map(|(base, ours, theirs)| [base, ours, theirs].map(|values| state(&values)))
}

fn settles() -> impl Strategy<Value = Settle> {
    prop_oneof![Just(Settle::List), Just(Settle::Ours), Just(Settle::Theirs)]
}

fn swapped(settle: Settle) -> Settle {
    match settle {
        Settle::List => Settle::List,
        Settle::Ours => Settle::Theirs,
        Settle::Theirs => Settle::Ours,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_merge_gives_what_the_model_gives(states in three(), with_base in any::<bool>(), settle in settles()) {
        let objects = Memory::default();
        let [base, ours, theirs] = states.each_ref().map(|state| root_of(&objects, state));
        let [mut base_state, ours_state, theirs_state] = states;
        let base = with_base.then_some(base);
        if !with_base {
            base_state.clear();
        }
        let merged = merge(&objects, base.as_ref(), &ours, &theirs, settle).unwrap();
        let (state, conflicts) = model(&base_state, &ours_state, &theirs_state, settle);
        prop_assert_eq!(root_of(&objects, &state), merged.root);
        let keys: Vec<_> = merged.conflicts.iter().map(|conflict| conflict.address.key().0).collect();
        prop_assert_eq!(keys, conflicts);
        for conflict in &merged.conflicts {
            let record = |leaf: &Leaf| Record { whole: None, ..leaf.record(&objects).unwrap() };
            let sides = [(&conflict.base, &base_state), (&conflict.ours, &ours_state), (&conflict.theirs, &theirs_state)];
            for (leaf, state) in sides {
                let expected = state.get(&conflict.address.key().0).cloned().map(|(_, record)| record);
                prop_assert_eq!(leaf.as_ref().map(record), expected);
            }
        }
    }

    #[test]
    fn merging_is_symmetric_and_idempotent(states in three(), with_base in any::<bool>(), settle in settles()) {
        let objects = Memory::default();
        let [base, ours, theirs] = states.each_ref().map(|state| root_of(&objects, state));
        let based = with_base.then_some(&base);
        let merged = merge(&objects, based, &ours, &theirs, settle).unwrap();
        let mirrored = merge(&objects, based, &theirs, &ours, swapped(settle)).unwrap();
        if settle != Settle::List || merged.conflicts.is_empty() {
            prop_assert_eq!(merged.root, mirrored.root);
        }
        let mirror = |conflict: Conflict| {
            let Conflict { address, base, ours, theirs, attributes } = conflict;
            Conflict { address, base, ours: theirs, theirs: ours, attributes }
        };
        prop_assert_eq!(merged.conflicts, mirrored.conflicts.into_iter().map(mirror).collect::<Vec<_>>());

        let clean = |root| Merged { root, conflicts: vec![] };
        prop_assert_eq!(merge(&objects, based, &ours, &ours, settle).unwrap(), clean(ours));
        prop_assert_eq!(merge(&objects, Some(&ours), &ours, &theirs, settle).unwrap(), clean(theirs));
        prop_assert_eq!(merge(&objects, Some(&theirs), &ours, &theirs, settle).unwrap(), clean(ours));
        let nothing = empty(&objects).unwrap();
        let union = merge(&objects, None, &ours, &theirs, settle).unwrap();
        prop_assert_eq!(merge(&objects, Some(&nothing), &ours, &theirs, settle).unwrap(), union);
    }
}

/// Merges states given as (number, value), and gives the merged state as such and the numbers in conflict.
fn merged(base: &[(u16, u8)], ours: &[(u16, u8)], theirs: &[(u16, u8)], settle: Settle) -> (Vec<(u16, u8)>, Vec<u16>) {
    let objects = Memory::default();
    let root = |values: &[(u16, u8)]| root_of(&objects, &state(&values.iter().copied().collect()));
    let merged = merge(&objects, Some(&root(base)), &root(ours), &root(theirs), settle).unwrap();
    let number = |at: &Address| (0..64).find(|number| address(*number) == *at).unwrap();
    let value = |found: &Record| (0..=255).find(|value| record(*value) == *found).unwrap();
    let state = state_of(&objects, &merged.root);
    let state: BTreeMap<_, _> = state.values().map(|(at, record)| (number(at), value(record))).collect();
    let conflicts = merged.conflicts.iter().map(|conflict| number(&conflict.address)).collect();
    (state.into_iter().collect(), conflicts)
}

#[test]
fn a_message_sent_to_a_queue_that_the_other_side_deleted_is_a_conflict_that_takes_the_queue_along() {
    // Queue 16 holds messages 17 and 18; one side deletes it all, the other sends 19.
    let (base, sent) = ([(16, 1), (17, 1), (18, 1)], [(16, 1), (17, 1), (18, 1), (19, 1)]);
    for (settle, kept) in [(Settle::List, &[][..]), (Settle::Ours, &[]), (Settle::Theirs, &sent)] {
        assert_eq!(merged(&base, &[], &sent, settle), (kept.to_vec(), vec![19]), "{settle:?}");
    }
    for (settle, kept) in [(Settle::List, &sent[..]), (Settle::Ours, &sent), (Settle::Theirs, &[])] {
        assert_eq!(merged(&base, &sent, &[], settle), (kept.to_vec(), vec![19]), "{settle:?}");
    }
    // A message taken out of the deleted queue is no conflict.
    assert_eq!(merged(&base, &[(16, 1), (18, 1)], &[], Settle::List), (vec![], vec![]));
}

#[test]
fn an_edit_against_a_delete_is_a_conflict_and_the_same_on_both_sides_is_none() {
    let base = [(16, 1), (17, 1)];
    assert_eq!(merged(&base, &[(16, 1), (17, 2)], &[(16, 1)], Settle::List).1, [17]);
    assert_eq!(merged(&base, &[(16, 2), (17, 1)], &[], Settle::Theirs), (vec![], vec![16]));
    assert_eq!(merged(&base, &[(16, 2), (17, 1)], &[], Settle::Ours).0, [(16, 2), (17, 1)]);
    assert_eq!(merged(&base, &[(16, 1)], &[(16, 1)], Settle::List), (vec![(16, 1)], vec![]));
    assert_eq!(merged(&base, &[(16, 3), (17, 1)], &[(16, 3), (17, 2)], Settle::List), (vec![(16, 3), (17, 2)], vec![]));
}

#[test]
fn message_groups_merge_message_by_message() {
    let objects = Memory::default();
    let queue = Address::resource("self", "us-east-1", "sqs", "queue", "q.fifo");
    let group = queue.item("fifo-group", &"g".repeat(300));
    let root = |messages: &[&str]| {
        let list = Value::List(messages.iter().map(|text| Value::text(*text)).collect());
        let group = (group.clone(), Record::new([("Messages".to_owned(), list)].into()));
        let queue = (queue.clone(), Record::default());
        root_of(&objects, &[queue, group].map(|(at, record)| (at.key().0, (at, record))).into())
    };
    let (base, taken, sent) = (root(&["a", "b"]), root(&["b"]), root(&["a", "b", "c"]));
    let clean = |root| Merged { root, conflicts: vec![] };
    assert_eq!(merge(&objects, Some(&base), &taken, &sent, Settle::List).unwrap(), clean(root(&["b", "c"])));
    let both = merge(&objects, Some(&base), &taken, &root(&["a"]), Settle::List).unwrap();
    assert_eq!(state_of(&objects, &both.root).len(), 1);
    let conflicts = merge(&objects, Some(&base), &root(&["a", "b", "x"]), &sent, Settle::List).unwrap().conflicts;
    assert_eq!(conflicts.iter().map(|conflict| &conflict.address).collect::<Vec<_>>(), [&group]);
}
