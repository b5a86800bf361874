//! How two changed records combine, where a rule exists.
//!
//! A group of messages of a FIFO queue is one record, because its order is part of the state. Its list of messages is
//! merged as a list: what one side took out is gone, what one side put in is in, and only what both did at the same
//! place is a conflict (three-way merge as diff3 does it, message by message).

use std::collections::BTreeMap;

use crate::core::address::Address;
use crate::core::record::Record;
use crate::core::value::Value;

/// The collection of a queue that holds its message groups, and the attribute that holds a group's messages.
const FIFO_GROUPS: (&str, &str, &str) = ("queue", "fifo-group", "Messages");

/// The collection of a SQLite database that holds the counters of its AUTOINCREMENT columns, and the counter's attribute.
/// Both sides count on whenever both insert; the larger count is right for both.
const COUNTERS: (&str, &str, &str) = ("database", "sqlite_sequence", "seq");

/// What becomes of a record that two sides changed in different ways.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Combined {
    /// Both changes, in one record.
    Record(Record),
    /// Together the changes leave nothing.
    Nothing,
    /// No rule combines them.
    Conflict,
}

/// Whether a rule exists for records at this address: whether [`combine`] is worth reading them for.
pub fn has_rule(address: &Address) -> bool {
    is_of(address, FIFO_GROUPS) || is_of(address, COUNTERS)
}

fn is_of(address: &Address, (kind, collection, _): (&str, &str, &str)) -> bool {
    address.kind() == kind && address.collection_and_item().is_some_and(|(name, _)| name == collection)
}

/// Combines what two sides made of `base`. Swapping the sides changes nothing.
///
/// Everything but the list that is merged must be the same on both sides.
pub fn combine(address: &Address, base: &Record, ours: &Record, theirs: &Record) -> Combined {
    if is_of(address, COUNTERS) {
        return larger(ours, theirs);
    }
    let (.., attribute) = FIFO_GROUPS;
    let list = |record: &Record| match record.attributes.get(attribute) {
        Some(Value::List(items)) => Some(items.clone()),
        _ => None,
    };
    let rest = |record: &Record| {
        let mut rest = record.clone();
        rest.attributes.remove(attribute);
        rest
    };
    let lists = (list(base), list(ours), list(theirs));
    let (Some(base), Some(ours_list), Some(theirs_list), true) = (lists.0, lists.1, lists.2, has_rule(address)) else {
        return Combined::Conflict;
    };
    let mut record = rest(ours);
    if record != rest(theirs) {
        return Combined::Conflict;
    }
    match merge_lists(&base, &ours_list, &theirs_list) {
        Some(items) if items.is_empty() => Combined::Nothing,
        Some(items) => {
            record.attributes.insert(attribute.to_owned(), Value::List(items));
            Combined::Record(record)
        }
        None => Combined::Conflict,
    }
}

/// The record with the larger count, where only that differs.
fn larger(ours: &Record, theirs: &Record) -> Combined {
    let (.., attribute) = COUNTERS;
    let count = |record: &Record| match record.attributes.get(attribute) {
        Some(Value::Number(number)) => number.as_str().parse::<i64>().ok(),
        _ => None,
    };
    let (Some(our_count), Some(their_count)) = (count(ours), count(theirs)) else { return Combined::Conflict };
    let record = if our_count > their_count { ours } else { theirs };
    let mut other = if our_count > their_count { theirs } else { ours }.clone();
    other
        .attributes
        .extend(record.attributes.get_key_value(attribute).map(|(name, value)| (name.clone(), value.clone())));
    if other == *record { Combined::Record(other) } else { Combined::Conflict }
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

    #[test]
    fn of_two_counters_the_larger_one_counts() {
        let database = Address::resource("self", "local", "sqlite", "database", "x.db");
        let (counter, row) = (database.item("sqlite_sequence", "'t'"), database.item("t", "1"));
        let count = |seq: i64| Record::new([("seq".to_owned(), Value::from(seq))].into());
        for (ours, theirs) in [(7, 9), (9, 7)] {
            assert_eq!(combine(&counter, &count(5), &count(ours), &count(theirs)), Combined::Record(count(9)));
        }
        let mut other = count(9);
        other.attributes.insert("name".into(), Value::text("u"));
        assert_eq!(combine(&counter, &count(5), &count(7), &other), Combined::Conflict);
        assert!(has_rule(&counter) && !has_rule(&row));
    }

    #[test]
    fn only_message_groups_with_equal_rests_combine() {
        let queue = Address::resource("self", "us-east-1", "sqs", "queue", "q.fifo");
        let (group, message) = (queue.item("fifo-group", "g"), queue.item("message", "m"));
        let record = |messages: &str, rest: i64| {
            let attributes = [("Messages", Value::List(list(messages))), ("Rest", Value::from(rest))];
            Record::new(attributes.map(|(name, value)| (name.into(), value)).into())
        };
        let (base, ours, theirs) = (record("ab", 1), record("b", 1), record("abc", 1));
        assert_eq!(combine(&group, &base, &ours, &theirs), Combined::Record(record("bc", 1)));
        assert_eq!(combine(&group, &base, &ours, &record("a", 1)), Combined::Nothing);
        assert_eq!(combine(&group, &base, &ours, &record("abc", 2)), Combined::Conflict);
        assert_eq!(combine(&group, &base, &ours, &Record::default()), Combined::Conflict);
        assert_eq!(combine(&message, &base, &ours, &theirs), Combined::Conflict);
        assert!(has_rule(&group) && !has_rule(&message) && !has_rule(&queue));
    }
}
