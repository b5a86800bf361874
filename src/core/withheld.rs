//! What a record with withheld values means: nothing was said about them.
//!
//! A withheld value is neither a change nor a deletion. Put into an instance it leaves what stands there; where nothing
//! stands it is left out, and the record with it if it can't be without.

use std::collections::{BTreeMap, BTreeSet};

use crate::core::address::Address;
use crate::core::record::{Body, Record};
use crate::core::value::Value;
use crate::error::Error;

/// Attributes without which there is no record, by service: nothing can be made of it.
const ESSENTIAL: [(&str, &str); 3] =
    [("secretsmanager", "SecretString"), ("secretsmanager", "SecretBinary"), ("ssm", "Value")];

/// The name of a record's bytes among the paths of what it lacks.
const BODY: &str = "body";

/// Whether anything in the record is withheld.
pub fn has_withheld(record: &Record) -> bool {
    record.body == Some(Body::Withheld) || record.attributes.values().any(in_value)
}

fn in_value(value: &Value) -> bool {
    match value {
        Value::Withheld => true,
        Value::Map(map) => map.values().any(in_value),
        Value::List(list) => list.iter().any(in_value),
        Value::Set(set) => set.iter().any(in_value),
        _ => false,
    }
}

/// The record with each withheld value as `known` has it in the same place; where `known` has none, it stays withheld.
#[must_use]
pub fn reveal(record: &Record, known: &Record) -> Record {
    let body = match (&record.body, &known.body) {
        (Some(Body::Withheld), Some(body)) => Some(body.clone()),
        (body, _) => body.clone(),
    };
    Record { attributes: reveal_map(&record.attributes, &known.attributes), body, whole: record.whole.clone() }
}

fn reveal_map(map: &BTreeMap<String, Value>, known: &BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    map.iter().map(|(name, value)| (name.clone(), reveal_value(value, known.get(name)))).collect()
}

fn reveal_value(value: &Value, known: Option<&Value>) -> Value {
    match (value, known) {
        (Value::Withheld, Some(known)) => known.clone(),
        (Value::Map(map), Some(Value::Map(known))) => Value::Map(reveal_map(map, known)),
        (Value::List(list), Some(Value::List(known))) => {
            Value::List(list.iter().enumerate().map(|(place, item)| reveal_value(item, known.get(place))).collect())
        }
        (Value::Set(set), Some(Value::Set(known))) => {
            let reveal = |item: &Value| match known.iter().find(|known| in_value(item) && fits(item, Some(known))) {
                Some(known) => known.clone(),
                None => item.clone(),
            };
            Value::Set(set.iter().map(reveal).collect())
        }
        _ => value.clone(),
    }
}

/// Whether `known` may be what `value` was before something in it was withheld.
fn fits(value: &Value, known: Option<&Value>) -> bool {
    match (value, known) {
        (Value::Withheld, _) => true,
        (Value::Map(map), Some(Value::Map(known))) => {
            let names: BTreeSet<&String> = map.keys().chain(known.keys()).collect();
            names.into_iter().all(|name| map.get(name).is_some_and(|value| fits(value, known.get(name))))
        }
        (Value::List(list), Some(Value::List(known))) => {
            list.len() == known.len() && list.iter().zip(known).all(|(item, known)| fits(item, Some(known)))
        }
        (value, known) => Some(value) == known,
    }
}

/// The record without what is withheld, and the paths of that.
pub fn without(record: &Record) -> (Record, Vec<String>) {
    let mut missing = vec![];
    let attributes = without_map(&record.attributes, "", &mut missing);
    let body = match &record.body {
        Some(Body::Withheld) => {
            missing.push(BODY.to_owned());
            None
        }
        body => body.clone(),
    };
    (Record { attributes, body, whole: record.whole.clone() }, missing)
}

fn without_map(map: &BTreeMap<String, Value>, prefix: &str, missing: &mut Vec<String>) -> BTreeMap<String, Value> {
    let mut left = BTreeMap::new();
    for (name, value) in map {
        left.extend(without_value(value, format!("{prefix}{name}"), missing).map(|value| (name.clone(), value)));
    }
    left
}

fn without_value(value: &Value, path: String, missing: &mut Vec<String>) -> Option<Value> {
    Some(match value {
        Value::Withheld => {
            missing.push(path);
            return None;
        }
        Value::Map(map) => Value::Map(without_map(map, &format!("{path}."), missing)),
        Value::List(list) => {
            let items = list.iter().enumerate();
            Value::List(items.filter_map(|(n, item)| without_value(item, format!("{path}[{n}]"), missing)).collect())
        }
        Value::Set(set) => {
            Value::Set(set.iter().filter_map(|item| without_value(item, format!("{path}[]"), missing)).collect())
        }
        value => value.clone(),
    })
}

/// What happens to those who want to put a withheld value somewhere: it should have been left out before.
pub fn error() -> Error {
    Error::failed("what was withheld can't be put anywhere")
}

/// Whether a record at this address can be made without what stands at these paths.
pub fn can_be_without(address: &Address, missing: &[String]) -> bool {
    let essential = |path: &String| path == BODY || ESSENTIAL.contains(&(address.service(), path.as_str()));
    !missing.iter().any(essential)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::core::redact::Rules;
    use crate::core::value::tests::values;

    fn records() -> impl Strategy<Value = Record> {
        proptest::collection::btree_map("[a-c]", values(), 0..4).prop_map(Record::new)
    }

    proptest! {
        #[test]
        fn what_was_withheld_of_a_record_comes_back_from_itself(whole in records(), rule in "\\*#[a-c](\\.[a-z*]{1,2}|\\[[0-2*]\\])?") {
            let address = Address::resource("self", "r", "s", "k", "n");
            let mut record = whole.clone();
            Rules::parse([rule]).unwrap().withhold(&address, &mut record, &mut vec![]);
            prop_assert_eq!(reveal(&record, &whole), whole.clone());
            let (left, missing) = without(&record);
            prop_assert!(!has_withheld(&left));
            prop_assert_eq!(missing.is_empty(), !has_withheld(&record));
            prop_assert_eq!(reveal(&record, &Record::default()), record);
        }
    }

    #[test]
    fn a_withheld_variable_in_a_set_is_found_by_its_name() {
        let pair = |value: Value| Value::Map([("name".to_owned(), "B".into()), ("value".to_owned(), value)].into());
        let record = |value: Value| Record::new([("env".to_owned(), Value::Set([pair(value)].into()))].into());
        assert_eq!(reveal(&record(Value::Withheld), &record("x".into())), record("x".into()));
        assert_eq!(without(&record(Value::Withheld)).1, ["env[].value"]);
    }

    #[test]
    fn a_secret_without_a_value_is_nothing_and_a_function_without_a_variable_is_one() {
        let parameter = Address::resource("self", "r", "ssm", "parameter", "p");
        let function = Address::resource("self", "r", "lambda", "function", "f");
        let paths = |path: &str| vec![path.to_owned()];
        assert!(!can_be_without(&parameter, &paths("Value")) && can_be_without(&parameter, &paths("Description")));
        assert!(!can_be_without(&function, &paths("body")));
        assert!(can_be_without(&function, &paths("Environment.Variables.A")));
    }
}
