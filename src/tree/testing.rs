//! States for the tests of this module: small in number, but with keys and records of all sizes, so that few hundred
//! records make a tree of several levels.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::core::address::Address;
use crate::core::content::ContentRef;
use crate::core::name::Name;
use crate::core::objects::memory::Memory;
use crate::core::record::{Body, Record};
use crate::core::value::Value;
use crate::tree::{Entry, Leaf, Stream, build, scan};

/// Records by key.
pub(super) type State = BTreeMap<Vec<u8>, (Address, Record)>;

/// The address with that number: every 16th a queue, the rest its messages; some parts are long, some are cut.
pub(super) fn address(number: u16) -> Address {
    let wide = ["", "w", "x/\u{0}", "é"][usize::from(number % 4)].repeat(usize::from(number % 7) * 20);
    let queue =
        Address::resource("self", "us-east-1", "sqs", "queue", &format!("{:04}{}", number / 16, "q".repeat(200)));
    if number.is_multiple_of(16) { queue } else { queue.item("message", &format!("{}{wide}", number % 16)) }
}

/// A record that differs for each `value`; its length depends on it too. Some have content, some spill.
pub(super) fn record(value: u8) -> Record {
    let length = match value % 8 {
        7 => 3000,
        n => usize::from(n) * 150,
    };
    let attributes = [("Value", Value::from(i64::from(value))), ("Body", Value::Text("b".repeat(length)))];
    let content = ContentRef { root: Name([value; 32]), level: value % 2, size: u64::from(value) << 20 };
    let body = value.is_multiple_of(3).then_some(Body::Content(content));
    Record { attributes: attributes.map(|(name, value)| (name.into(), value)).into(), body, whole: None }
}

pub(super) fn state(values: &BTreeMap<u16, u8>) -> State {
    let entry = |(number, value): (&u16, &u8)| (address(*number).key().0, (address(*number), record(*value)));
    values.iter().map(entry).collect()
}

/// Values by number of address, for [`state`].
pub(super) fn values(most: usize) -> impl Strategy<Value = BTreeMap<u16, u8>> {
    proptest::collection::btree_map(0u16..600, any::<u8>(), 0..most)
}

/// `values` with some of them removed, changed and added.
pub(super) fn edited(values: BTreeMap<u16, u8>, most: usize) -> impl Strategy<Value = BTreeMap<u16, u8>> {
    let edits = proptest::collection::vec((0u16..600, proptest::option::of(any::<u8>())), 0..most);
    edits.prop_map(move |edits| {
        let mut values = values.clone();
        for (number, value) in edits {
            match value {
                Some(value) => values.insert(number, value),
                None => values.remove(&number),
            };
        }
        values
    })
}

pub(super) fn entries(objects: &Memory, state: &State) -> Vec<Entry> {
    let entry = |(address, record): &(Address, Record)| Entry {
        address: address.clone(),
        leaf: Leaf::new(objects, address, record).unwrap(),
    };
    state.values().map(entry).collect()
}

pub(super) fn root_of(objects: &Memory, state: &State) -> Name {
    build(objects, &mut entries(objects, state).into_iter().map(Ok)).unwrap()
}

pub(super) fn all<T>(stream: Stream<'_, T>) -> Vec<T> {
    stream.collect::<crate::Result<Vec<_>>>().unwrap()
}

/// The state in a tree, `whole` taken out of its records.
pub(super) fn state_of(objects: &Memory, root: &Name) -> State {
    let entry = |entry: Entry| {
        let record = Record { whole: None, ..entry.record(objects).unwrap() };
        (entry.address.key().0, (entry.address, record))
    };
    all(scan(objects, root, &[]).unwrap()).into_iter().map(entry).collect()
}
