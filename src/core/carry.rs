//! What a version says after an instance that keeps less than the version has changed.
//!
//! An emulator drops attributes. So a live record is never taken as it is: what changed from the *echo* (the record right
//! after the version was put in) to the live one is carried over to the version's own record, attribute by attribute,
//! and what the emulator never kept stays as the version has it.

use std::collections::{BTreeMap, BTreeSet};

use crate::core::record::Record;
use crate::core::value::Value;

/// The version's record with the change from `echo` to `live` made to it.
///
/// Without an echo nothing is known to be dropped: what `live` has counts, what it lacks stays.
pub fn carry(version: &Record, echo: Option<&Record>, live: &Record) -> Record {
    let nothing = Record::default();
    let echo = echo.unwrap_or(&nothing);
    let body = if echo.body == live.body || live.body.is_none() && echo.body.is_none() {
        version.body.clone()
    } else {
        live.body.clone()
    };
    Record {
        attributes: carry_map(&version.attributes, &echo.attributes, &live.attributes),
        body,
        whole: live.whole.clone(),
    }
}

fn carry_map(
    version: &BTreeMap<String, Value>,
    echo: &BTreeMap<String, Value>,
    live: &BTreeMap<String, Value>,
) -> BTreeMap<String, Value> {
    let mut carried = version.clone();
    for name in echo.keys().chain(live.keys()) {
        match (version.get(name), echo.get(name), live.get(name)) {
            (_, before, after) if before == after => {}
            (_, _, None) => {
                carried.remove(name);
            }
            (kept, before, Some(after)) => {
                carried.insert(name.clone(), carry_value(kept, before, after));
            }
        }
    }
    carried
}

fn carry_value(version: Option<&Value>, echo: Option<&Value>, live: &Value) -> Value {
    let (no_fields, no_items) = (BTreeMap::new(), BTreeSet::new());
    match (version, echo, live) {
        (Some(Value::Map(version)), None, Value::Map(live)) => Value::Map(carry_map(version, &no_fields, live)),
        (Some(Value::Map(version)), Some(Value::Map(echo)), Value::Map(live)) => {
            Value::Map(carry_map(version, echo, live))
        }
        (Some(Value::Set(version)), None | Some(Value::Set(_)), Value::Set(live)) => {
            let echo = match echo {
                Some(Value::Set(echo)) => echo,
                _ => &no_items,
            };
            let kept = version.iter().filter(|item| live.contains(item) || !echo.contains(item));
            Value::Set(kept.chain(live.difference(echo)).cloned().collect())
        }
        _ => live.clone(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::core::value::tests::values;

    fn records() -> impl Strategy<Value = Record> {
        proptest::collection::btree_map("[a-c]", values(), 0..4).prop_map(Record::new)
    }

    fn record(fields: &[(&str, Value)]) -> Record {
        Record::new(fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
    }

    proptest! {
        #[test]
        fn an_emulator_that_keeps_everything_has_the_last_word(version in records(), live in records()) {
            prop_assert_eq!(carry(&version, Some(&version), &live), live);
        }

        #[test]
        fn no_change_in_the_instance_is_no_change_of_the_version(version in records(), echo in records()) {
            prop_assert_eq!(carry(&version, Some(&echo), &echo), version);
        }
    }

    #[test]
    fn what_the_emulator_dropped_stays_and_what_the_user_changed_changes() {
        let tags = |items: &[&str]| Value::text_set(items.iter().copied());
        let version =
            record(&[("Website", "w".into()), ("Tags", tags(&["a", "b", "dropped"])), ("Color", "red".into())]);
        let echo = record(&[("Tags", tags(&["a", "b"])), ("Color", "red".into())]);
        let live = record(&[("Tags", tags(&["b", "c"]))]);
        let carried = carry(&version, Some(&echo), &live);
        assert_eq!(carried, record(&[("Website", "w".into()), ("Tags", tags(&["b", "c", "dropped"]))]));
    }

    #[test]
    fn without_an_echo_only_additions_are_believed() {
        let nested = |size: bool, color: &str| {
            let size = size.then(|| ("Size".to_owned(), Value::text("s")));
            Value::Map([("Color".to_owned(), Value::text(color))].into_iter().chain(size).collect())
        };
        let version = record(&[("Website", "w".into()), ("Color", "red".into()), ("Shape", nested(true, "red"))]);
        let live = record(&[("Color", "blue".into()), ("Shape", nested(false, "blue"))]);
        let carried = record(&[("Website", "w".into()), ("Color", "blue".into()), ("Shape", nested(true, "blue"))]);
        assert_eq!(carry(&version, None, &live), carried);
    }
}
