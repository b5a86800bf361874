//! DynamoDB's typed JSON and peapod's values: the same, losslessly, both ways.
//!
//! A set's type is that of its elements, since DynamoDB has no empty sets. Numbers that are written differently and are
//! equal become equal, as DynamoDB takes them.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value as Json, json};

use crate::core::value::{Number, Value};
use crate::core::withheld;
use crate::error::{Error, Result};
use crate::limits;

/// An item's attributes, or its key's.
pub(super) fn from_attributes(json: &Json) -> Result<BTreeMap<String, Value>> {
    let fields = json.as_object().ok_or_else(|| Error::failed("an item that is no object"))?;
    fields.iter().map(|(name, value)| Ok((name.clone(), from_json(value, limits::NESTING)?))).collect()
}

/// What [`from_attributes`] read, for a request.
pub(super) fn to_attributes(attributes: &BTreeMap<String, Value>) -> Result<Json> {
    let fields = attributes.iter().map(|(name, value)| Ok((name.clone(), to_json(value)?)));
    Ok(Json::Object(fields.collect::<Result<_>>()?))
}

fn from_json(json: &Json, depth: usize) -> Result<Value> {
    let Some(depth) = depth.checked_sub(1) else {
        return Err(Error::failed(format!("an attribute nested more than {} deep", limits::NESTING)));
    };
    let broken = || Error::failed("an attribute that is not typed as DynamoDB does");
    let fields = json.as_object().filter(|fields| fields.len() == 1).ok_or_else(broken)?;
    let (kind, inner) = fields.iter().next().ok_or_else(broken)?;
    let list = || inner.as_array().ok_or_else(broken);
    let text = |json: &Json| json.as_str().map(Value::text).ok_or_else(broken);
    let number = |json: &Json| json.as_str().map_or_else(|| Err(broken()), Number::parse).map(Value::Number);
    let bytes =
        |json: &Json| json.as_str().and_then(|text| BASE64.decode(text).ok()).map(Value::Bytes).ok_or_else(broken);
    Ok(match kind.as_str() {
        "S" => text(inner)?,
        "N" => number(inner)?,
        "B" => bytes(inner)?,
        "BOOL" => Value::Bool(inner.as_bool().ok_or_else(broken)?),
        "NULL" => Value::Null,
        "SS" => Value::Set(list()?.iter().map(text).collect::<Result<_>>()?),
        "NS" => Value::Set(list()?.iter().map(number).collect::<Result<_>>()?),
        "BS" => Value::Set(list()?.iter().map(bytes).collect::<Result<_>>()?),
        "L" => Value::List(list()?.iter().map(|item| from_json(item, depth)).collect::<Result<_>>()?),
        "M" => {
            let fields = inner.as_object().ok_or_else(broken)?;
            let field = |(name, value): (&String, &Json)| Ok((name.clone(), from_json(value, depth)?));
            Value::Map(fields.iter().map(field).collect::<Result<_>>()?)
        }
        _ => return Err(broken()),
    })
}

/// One value as DynamoDB types it.
pub(super) fn to_json(value: &Value) -> Result<Json> {
    Ok(match value {
        Value::Null => json!({"NULL": true}),
        Value::Bool(truth) => json!({ "BOOL": truth }),
        Value::Number(number) => json!({"N": number.as_str()}),
        Value::Text(text) => json!({ "S": text }),
        Value::Bytes(bytes) => json!({"B": BASE64.encode(bytes)}),
        Value::List(list) => json!({"L": list.iter().map(to_json).collect::<Result<Vec<_>>>()?}),
        Value::Map(fields) => {
            let fields = fields.iter().map(|(name, value)| Ok((name.clone(), to_json(value)?)));
            json!({"M": fields.collect::<Result<Map<_, _>>>()?})
        }
        Value::Withheld => return Err(withheld::error()),
        Value::Set(set) => {
            let kind = match set.first() {
                Some(Value::Text(_)) => "SS",
                Some(Value::Number(_)) => "NS",
                Some(Value::Bytes(_)) => "BS",
                _ => return Err(Error::failed("a set that DynamoDB has no type for")),
            };
            let mut list = Vec::with_capacity(set.len());
            for element in set {
                list.push(match (kind, element) {
                    ("SS", Value::Text(text)) => json!(text),
                    ("NS", Value::Number(number)) => json!(number.as_str()),
                    ("BS", Value::Bytes(bytes)) => json!(BASE64.encode(bytes)),
                    _ => return Err(Error::failed("a set of different types, which DynamoDB has not")),
                });
            }
            json!({ kind: list })
        }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn values() -> impl Strategy<Value = Value> {
        let number = "-?[0-9]{1,38}(\\.[0-9]{1,5})?(e-?[0-9]{1,2})?".prop_map(|n| Number::parse(&n).unwrap());
        let bytes = proptest::collection::vec(any::<u8>(), 0..9);
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            number.clone().prop_map(Value::Number),
            "\\PC{0,9}".prop_map(Value::Text),
            bytes.clone().prop_map(Value::Bytes),
            proptest::collection::btree_set("[a-c]{0,3}".prop_map(Value::Text), 1..4).prop_map(Value::Set),
            proptest::collection::btree_set(number.prop_map(Value::Number), 1..4).prop_map(Value::Set),
            proptest::collection::btree_set(bytes.prop_map(Value::Bytes), 1..4).prop_map(Value::Set),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
                proptest::collection::btree_map("[A-Z]{0,4}", inner, 0..4).prop_map(Value::Map),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_value_comes_back_from_dynamodbs_json(value in values()) {
            prop_assert_eq!(from_json(&to_json(&value).unwrap(), limits::NESTING).unwrap(), value);
        }
    }

    #[test]
    fn equal_numbers_are_one_value() {
        let read = |text: &str| from_json(&json!({ "N": text }), 9).unwrap();
        assert_eq!(read("1.50"), read("15e-1"));
        assert_eq!(
            from_json(&json!({"NS": ["2.0", "1", "2"]}), 9).unwrap(),
            from_json(&json!({"NS": ["1", "2"]}), 9).unwrap()
        );
    }

    #[test]
    fn what_is_not_typed_is_refused() {
        for json in
            [json!("x"), json!({}), json!({"S": 1}), json!({"S": "a", "N": "1"}), json!({"X": "a"}), json!({"B": "?"})]
        {
            assert!(from_json(&json, 9).is_err(), "{json}");
        }
        assert!(to_json(&Value::Set([Value::Null].into())).is_err());
    }
}
