//! How two changed records combine: attribute by attribute.
//!
//! What one side changed is taken; maps are followed down, sets of plain values merge element by element. Where both
//! changed one attribute in different ways, that is a conflict, by name. A withheld value never stands against another:
//! it says nothing.
//!
//! A group of messages of a FIFO queue is one record, because its order is part of the state. Its list of messages is
//! merged as a list: what one side took out is gone, what one side put in is in, and only what both did at the same
//! place is a conflict (three-way merge as diff3 does it, message by message).

use std::collections::{BTreeMap, BTreeSet};

use crate::core::address::Address;
use crate::core::record::{Body, Record};
use crate::core::value::{Number, Value};

/// The collection of a queue that holds its message groups, and the attribute that holds a group's messages.
const FIFO_GROUPS: (&str, &str, &str) = ("queue", "fifo-group", "Messages");
/// What an object's bytes and headers are written without; all the rest of it is written as one.
const APART_FROM_OBJECT: &str = "Tagging";

/// The collection of a SQLite database that holds the counters of its AUTOINCREMENT columns, and the counter's attribute.
/// Both sides count on whenever both insert; the larger count is right for both.
const COUNTERS: (&str, &str, &str) = ("database", "sqlite_sequence", "seq");

/// A side of a merge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The first.
    Ours,
    /// The second.
    Theirs,
}

/// What two changed records make together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Combined {
    /// Both changes in one record; none where together they leave nothing. In a conflict it has what the preferred side
    /// has there, or ours without one.
    pub record: Option<Record>,
    /// The attributes that both changed in different ways, dotted below the first level; `body` for the bytes.
    pub conflicts: Vec<String>,
}

/// Combines what two sides made of `base`; without a base, what differs is a conflict. Swapping the sides (and the
/// preference) changes nothing.
pub fn combine(
    address: &Address,
    base: Option<&Record>,
    ours: &Record,
    theirs: &Record,
    prefer: impl Fn(&str) -> Option<Side>,
) -> Combined {
    let (fifo, counter) = (is_of(address, FIFO_GROUPS), is_of(address, COUNTERS));
    let mut merge = Merge { prefer, fifo, counter, conflicts: vec![] };
    if let Some(base) = base
        && address.service() == "s3"
        && address.owner().is_some()
    {
        return merge.object(base, ours, theirs);
    }
    let body = merge.one("body", base.map(|base| &base.body), &ours.body, &theirs.body, is_withheld);
    let attributes = merge.maps("", base.map(|base| &base.attributes), &ours.attributes, &theirs.attributes);
    let messages = attributes.get(FIFO_GROUPS.2).filter(|_| merge.fifo);
    let is_empty = matches!(messages, Some(Value::List(items)) if items.is_empty());
    let whole = ours.whole.clone().or(theirs.whole.clone());
    let record = (!is_empty || !merge.conflicts.is_empty()).then_some(Record { attributes, body, whole });
    Combined { record, conflicts: merge.conflicts }
}

fn is_of(address: &Address, (kind, collection, _): (&str, &str, &str)) -> bool {
    address.kind() == kind && address.collection_and_item().is_some_and(|(name, _)| name == collection)
}

fn is_withheld(body: &Option<Body>) -> bool {
    *body == Some(Body::Withheld)
}

struct Merge<P> {
    prefer: P,
    fifo: bool,
    counter: bool,
    conflicts: Vec<String>,
}

impl<P: Fn(&str) -> Option<Side>> Merge<P> {
    /// Merges an object: its bytes and headers are written as one, so those of one side do not go with the other's.
    fn object(&mut self, base: &Record, ours: &Record, theirs: &Record) -> Combined {
        let written = |record: &Record| {
            let mut record = record.clone();
            record.attributes.remove(APART_FROM_OBJECT);
            record
        };
        let (was, first, second) = (written(base), written(ours), written(theirs));
        let same_bytes = first.body == was.body && second.body == was.body;
        let mut record = if same_bytes || is_withheld(&first.body) || is_withheld(&second.body) {
            let body = self.one("body", Some(&was.body), &first.body, &second.body, is_withheld);
            let attributes = self.maps("", Some(&was.attributes), &first.attributes, &second.attributes);
            Record { attributes, body, whole: first.whole }
        } else {
            self.one("body", Some(&was), &first, &second, |_| false)
        };
        let tags = |record: &Record| record.attributes.get(APART_FROM_OBJECT).cloned();
        let merged = self.values(APART_FROM_OBJECT, Some(&tags(base)), tags(ours), tags(theirs));
        record.attributes.extend(merged.map(|tags| (APART_FROM_OBJECT.to_owned(), tags)));
        Combined { record: Some(record), conflicts: std::mem::take(&mut self.conflicts) }
    }

    /// Merges what can't be taken apart.
    fn one<T: Clone + PartialEq>(
        &mut self,
        path: &str,
        base: Option<&T>,
        ours: &T,
        theirs: &T,
        is_withheld: impl Fn(&T) -> bool,
    ) -> T {
        if ours == theirs || base == Some(theirs) || is_withheld(theirs) && base != Some(ours) {
            return ours.clone();
        }
        if base == Some(ours) || is_withheld(ours) {
            return theirs.clone();
        }
        self.conflicts.push(path.to_owned());
        if (self.prefer)(path) == Some(Side::Theirs) { theirs.clone() } else { ours.clone() }
    }

    fn maps(
        &mut self,
        prefix: &str,
        base: Option<&BTreeMap<String, Value>>,
        ours: &BTreeMap<String, Value>,
        theirs: &BTreeMap<String, Value>,
    ) -> BTreeMap<String, Value> {
        let names: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
        let mut merged = BTreeMap::new();
        for name in names {
            let before = base.map(|base| base.get(name).cloned());
            let value = self.values(
                &format!("{prefix}{name}"),
                before.as_ref(),
                ours.get(name).cloned(),
                theirs.get(name).cloned(),
            );
            merged.extend(value.map(|value| (name.clone(), value)));
        }
        merged
    }

    fn values(
        &mut self,
        path: &str,
        base: Option<&Option<Value>>,
        ours: Option<Value>,
        theirs: Option<Value>,
    ) -> Option<Value> {
        let was = base.map(|base| base.as_ref());
        match (was, &ours, &theirs) {
            (_, Some(Value::Map(ours)), Some(Value::Map(theirs))) => {
                let nothing = BTreeMap::new();
                let base = was.map(|was| was.and_then(Value::as_map).unwrap_or(&nothing));
                return Some(Value::Map(self.maps(&format!("{path}."), base, ours, theirs)));
            }
            (Some(Some(Value::Set(base))), Some(Value::Set(ours)), Some(Value::Set(theirs)))
                if [base, ours, theirs].iter().all(|set| set.iter().all(is_plain)) =>
            {
                let stays = |item: &&Value| ours.contains(*item) && theirs.contains(*item) || !base.contains(*item);
                return Some(Value::Set(ours.union(theirs).filter(stays).cloned().collect()));
            }
            (Some(Some(Value::List(base))), Some(Value::List(ours)), Some(Value::List(theirs)))
                if self.fifo && path == FIFO_GROUPS.2 =>
            {
                if let Some(merged) = merge_lists(base, ours, theirs) {
                    return Some(Value::List(merged));
                }
            }
            (_, Some(Value::Number(first)), Some(Value::Number(second))) if self.counter && path == COUNTERS.2 => {
                let count = |number: &Number| number.as_str().parse::<i64>().ok();
                return if count(first) > count(second) { ours } else { theirs };
            }
            _ => {}
        }
        self.one(path, base, &ours, &theirs, |value| *value == Some(Value::Withheld))
    }
}

/// Whether an element of a set is one thing: of two that hold several, nobody knows which became which.
fn is_plain(value: &Value) -> bool {
    !matches!(value, Value::Map(_) | Value::List(_) | Value::Set(_))
}

/// Three-way merge of lists; none on a conflict. Takes O(n log n) for lists of n items.
fn merge_lists(base: &[Value], ours: &[Value], theirs: &[Value]) -> Option<Vec<Value>> {
    let (ours, theirs) = (hunks(base, ours), hunks(base, theirs));
    if conflict(&ours, &theirs) {
        return None;
    }
    let mut removed = vec![false; base.len()];
    let mut inserted: BTreeMap<usize, &[Value]> = BTreeMap::new();
    for hunk in ours.iter().chain(&theirs) {
        removed.iter_mut().take(hunk.end).skip(hunk.start).for_each(|removed| *removed = true);
        if !hunk.items.is_empty() {
            inserted.insert(hunk.start, hunk.items);
        }
    }
    let mut merged = Vec::new();
    for index in 0..=base.len() {
        merged.extend_from_slice(inserted.get(&index).copied().unwrap_or_default());
        merged.extend(base.get(index).filter(|_| removed.get(index) == Some(&false)).cloned());
    }
    Some(merged)
}

/// A place where a side differs from the base: `items` instead of `base[start..end]`.
#[derive(Debug, PartialEq)]
struct Hunk<'a> {
    start: usize,
    end: usize,
    items: &'a [Value],
}

impl Hunk<'_> {
    fn conflicts_with(&self, other: &Hunk<'_>) -> bool {
        let touch = self.start <= other.end && other.start <= self.end;
        let overlap = self.start.max(other.start) < self.end.min(other.end);
        let (puts, other_puts) = (!self.items.is_empty(), !other.items.is_empty());
        // Two insertions at one place have no order; a replaced item that the other side took out is edit against delete.
        self != other && ((touch && puts && other_puts) || (overlap && (puts || other_puts)))
    }
}

/// Whether any hunk of one side conflicts with one of the other. Hunks of one side never touch each other.
fn conflict(ours: &[Hunk<'_>], theirs: &[Hunk<'_>]) -> bool {
    let (mut ours, mut theirs) = (ours.iter().peekable(), theirs.iter().peekable());
    while let (Some(a), Some(b)) = (ours.peek(), theirs.peek()) {
        if a.conflicts_with(b) {
            return true;
        }
        if a.end <= b.end {
            ours.next();
        } else {
            theirs.next();
        }
    }
    false
}

/// What turns `base` into `side`.
fn hunks<'a>(base: &[Value], side: &'a [Value]) -> Vec<Hunk<'a>> {
    let mut hunks = Vec::new();
    let (mut start, mut from) = (0, 0);
    for (base_index, side_index) in common(base, side).into_iter().chain([(base.len(), side.len())]) {
        let items = side.get(from..side_index).unwrap_or_default();
        if base_index > start || !items.is_empty() {
            hunks.push(Hunk { start, end: base_index, items });
        }
        (start, from) = (base_index + 1, side_index + 1);
    }
    hunks
}

/// Indices of items that both lists have in the same order, rising in both.
///
/// A common start is taken first. In the rest, equal items are paired from the end (queues lose items at the start)
/// and the longest rising run of pairs is kept: the longest there is where no item comes twice.
fn common(base: &[Value], side: &[Value]) -> Vec<(usize, usize)> {
    let start = base.iter().zip(side).take_while(|(a, b)| a == b).count();
    let mut places: BTreeMap<&Value, Vec<usize>> = BTreeMap::new();
    for (index, item) in side.iter().enumerate().skip(start) {
        places.entry(item).or_default().push(index);
    }
    let mut pairs: Vec<(usize, usize)> = base
        .iter()
        .enumerate()
        .skip(start)
        .rev()
        .filter_map(|(index, item)| Some((index, places.get_mut(item)?.pop()?)))
        .collect();
    pairs.reverse();
    (0..start).map(|index| (index, index)).chain(longest_rising(&pairs)).collect()
}

/// The longest run of pairs (not necessarily neighbours) whose second numbers rise, by patience sorting.
fn longest_rising(pairs: &[(usize, usize)]) -> Vec<(usize, usize)> {
    // tails[k]: the pair with the smallest end of a run of k + 1 pairs; before[i]: the pair before pair i in its run.
    let mut tails: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = Vec::with_capacity(pairs.len());
    for (index, (_, place)) in pairs.iter().enumerate() {
        let rank = tails.partition_point(|tail| pairs.get(*tail).is_some_and(|(_, end)| end < place));
        before.push(rank.checked_sub(1).and_then(|rank| tails.get(rank).copied()));
        match tails.get_mut(rank) {
            Some(tail) => *tail = index,
            None => tails.push(index),
        }
    }
    let last = tails.last().copied();
    let mut run: Vec<(usize, usize)> = std::iter::successors(last, |index| before.get(*index).copied().flatten())
        .filter_map(|index| pairs.get(index).copied())
        .collect();
    run.reverse();
    run
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn list(text: &str) -> Vec<Value> {
        text.chars().map(Value::text).collect()
    }

    /// The merged list as text, one letter an item; `!` for a conflict.
    fn merged(base: &str, ours: &str, theirs: &str) -> String {
        let once = merge_lists(&list(base), &list(ours), &list(theirs));
        assert_eq!(once, merge_lists(&list(base), &list(theirs), &list(ours)));
        once.map_or("!".into(), |items| items.iter().filter_map(Value::as_text).collect())
    }

    #[test]
    fn what_both_put_in_at_different_places_stays() {
        assert_eq!(merged("abc", "xabc", "abcy"), "xabcy");
        assert_eq!(merged("abc", "axbc", "abyc"), "axbyc");
        assert_eq!(merged("abc", "abcx", "abcx"), "abcx");
    }

    #[test]
    fn what_one_took_out_is_gone() {
        assert_eq!(merged("abc", "bc", "abcx"), "bcx");
        assert_eq!(merged("abc", "bc", "ac"), "c");
        assert_eq!(merged("a", "", "ax"), "x");
        assert_eq!(merged("ab", "b", "a"), "");
        assert_eq!(merged("abcd", "", "abxcd"), "x");
        assert_eq!(merged("aab", "ab", "aabb"), "abb");
    }

    #[test]
    fn what_both_did_at_one_place_is_a_conflict() {
        assert_eq!(merged("abc", "abcx", "abcy"), "!");
        assert_eq!(merged("abc", "axc", "ayc"), "!");
        assert_eq!(merged("abc", "axc", "ac"), "!");
        assert_eq!(merged("abc", "axc", "aybc"), "!");
        assert_eq!(merged("", "x", "y"), "!");
        assert_eq!(merged("abc", "axc", "axc"), "axc");
        assert_eq!(merged("abc", "axc", "bc"), "xc");
    }

    proptest! {
        #[test]
        fn one_sides_change_alone_is_taken(base in "[a-d]{0,8}", side in "[a-d]{0,8}") {
            prop_assert_eq!(merged(&base, &side, &base), side.clone());
            prop_assert_eq!(merged(&base, &side, &side), side);
        }

        #[test]
        fn nothing_is_made_up_or_doubled(base in "[a-h]{0,8}", ours in "[a-h]{0,8}", theirs in "[a-h]{0,8}") {
            let merged = merged(&base, &ours, &theirs);
            let count = |text: &str, c| text.matches(c).count();
            for c in "abcdefgh".chars().filter(|_| merged != "!") {
                prop_assert!(count(&merged, c) <= count(&ours, c) + count(&theirs, c));
            }
        }
    }

    fn nobody(_: &str) -> Option<Side> {
        None
    }

    #[test]
    fn of_two_counters_the_larger_one_counts() {
        let database = Address::resource("self", "local", "sqlite", "database", "x.db");
        let (counter, row) = (database.item("sqlite_sequence", "'t'"), database.item("t", "1"));
        let count = |seq: i64| Record::new([("seq".to_owned(), Value::from(seq))].into());
        for (ours, theirs) in [(7, 9), (9, 7)] {
            let of = |address: &Address| combine(address, Some(&count(5)), &count(ours), &count(theirs), nobody);
            assert_eq!(of(&counter), Combined { record: Some(count(9)), conflicts: vec![] });
            assert_eq!(of(&row).conflicts, ["seq"]);
        }
    }

    #[test]
    fn a_message_group_merges_as_a_list() {
        let queue = Address::resource("self", "us-east-1", "sqs", "queue", "q.fifo");
        let (group, message) = (queue.item("fifo-group", "g"), queue.item("message", "m"));
        let record = |messages: &str, rest: i64| {
            let attributes = [("Messages", Value::List(list(messages))), ("Rest", Value::from(rest))];
            Record::new(attributes.map(|(name, value)| (name.into(), value)).into())
        };
        let (base, ours, theirs) = (record("ab", 1), record("b", 1), record("abc", 1));
        let of = |address: &Address, theirs: &Record| combine(address, Some(&base), &ours, theirs, nobody);
        assert_eq!(of(&group, &theirs), Combined { record: Some(record("bc", 1)), conflicts: vec![] });
        assert_eq!(of(&group, &record("a", 1)), Combined { record: None, conflicts: vec![] });
        assert_eq!(of(&group, &record("abc", 2)).record, Some(record("bc", 2)));
        assert_eq!(of(&message, &theirs).conflicts, ["Messages"]);
    }

    fn record(json: serde_json::Value) -> Record {
        Record::new(Value::from_json(&json).unwrap().as_map().cloned().unwrap())
    }

    #[test]
    fn different_attributes_merge_and_the_same_one_is_a_conflict_by_name() {
        use serde_json::json;
        let at = Address::resource("self", "r", "lambda", "function", "f");
        let base = record(json!({"Timeout": 3, "Env": {"A": "1", "B": "1"}, "Gone": 1}));
        let ours = record(json!({"Timeout": 9, "Env": {"A": "2", "B": "1"}, "Gone": 1}));
        let theirs = record(json!({"Timeout": 3, "Env": {"A": "1", "B": "2", "C": "3"}}));
        let both = record(json!({"Timeout": 9, "Env": {"A": "2", "B": "2", "C": "3"}}));
        assert_eq!(
            combine(&at, Some(&base), &ours, &theirs, nobody),
            Combined { record: Some(both), conflicts: vec![] }
        );
        let theirs = record(json!({"Timeout": 5, "Env": {"A": "3", "B": "2"}, "Gone": 2}));
        let combined = combine(&at, Some(&base), &ours, &theirs, nobody);
        assert_eq!(combined.conflicts, ["Env.A", "Timeout"]);
        let one_each = |path: &str| Some(if path == "Timeout" { Side::Theirs } else { Side::Ours });
        let settled = record(json!({"Timeout": 5, "Env": {"A": "2", "B": "2"}, "Gone": 2}));
        assert_eq!(combine(&at, Some(&base), &ours, &theirs, one_each).record, Some(settled));
        assert_eq!(combine(&at, None, &base, &ours, nobody).conflicts, ["Env.A", "Timeout"]);
    }

    #[test]
    fn a_withheld_value_stands_against_none() {
        let at = Address::resource("self", "r", "ssm", "parameter", "p");
        let with = |value: Value| Record::new([("Value".to_owned(), value)].into());
        let merged = |base: Option<&str>, ours: Value, theirs: Value| {
            let base = base.map(|base| with(base.into()));
            let (ours, theirs) = (with(ours), with(theirs));
            let once = combine(&at, base.as_ref(), &ours, &theirs, nobody);
            assert_eq!(once, combine(&at, base.as_ref(), &theirs, &ours, nobody));
            assert_eq!(once.conflicts, [""; 0]);
            once.record.unwrap().attributes["Value"].clone()
        };
        assert_eq!(merged(Some("old"), Value::Withheld, "new".into()), "new".into());
        assert_eq!(merged(None, Value::Withheld, "new".into()), "new".into());
        // The rule took it out; that the other side still has the old one brings nothing new.
        assert_eq!(merged(Some("old"), Value::Withheld, "old".into()), Value::Withheld);
    }

    #[test]
    fn the_headers_of_one_side_do_not_go_with_the_bytes_of_the_other() {
        let object = Address::resource("self", "r", "s3", "bucket", "b").item("object", "o");
        let with = |kind: &str, tag: &str, byte: u8| {
            let attributes = [("ContentType", kind), ("Tagging", tag)].map(|(n, v)| (n.to_owned(), Value::text(v)));
            Record { body: Some(Body::Inline(vec![byte])), ..Record::new(attributes.into()) }
        };
        let base = with("a", "t", 0);
        let bytes = combine(&object, Some(&base), &with("a", "t", 1), &with("b", "t", 0), nobody);
        assert_eq!(bytes.conflicts, ["body"]);
        let tags = combine(&object, Some(&base), &with("a", "t", 1), &with("a", "u", 0), nobody);
        assert_eq!(tags, Combined { record: Some(with("a", "u", 1)), conflicts: vec![] });
    }

    proptest! {
        #[test]
        fn combining_knows_no_first_side(
            base in records(), ours in records(), theirs in records(), has_base in any::<bool>(),
        ) {
            let at = Address::resource("self", "r", "s", "k", "n");
            let base = has_base.then_some(&base);
            let (one, other) = (combine(&at, base, &ours, &theirs, nobody), combine(&at, base, &theirs, &ours, nobody));
            prop_assert_eq!(&one.conflicts, &other.conflicts);
            if one.conflicts.is_empty() {
                prop_assert_eq!(&one.record, &other.record);
            }
            let swapped = combine(&at, base, &theirs, &ours, |_| Some(Side::Theirs));
            prop_assert_eq!(combine(&at, base, &ours, &theirs, |_| Some(Side::Ours)).record, swapped.record);
            prop_assert_eq!(combine(&at, base, &ours, &ours, nobody).record, Some(ours.clone()));
            if let Some(base) = base {
                prop_assert_eq!(combine(&at, Some(base), &ours, base, nobody).record, Some(ours.clone()));
            }
        }
    }

    fn records() -> impl Strategy<Value = Record> {
        proptest::collection::btree_map("[a-c]", crate::core::value::tests::values(), 0..4).prop_map(Record::new)
    }
}
