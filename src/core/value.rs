//! Attribute values in one canonical form: equal values have equal encodings.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::de::{DeserializeSeed, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::error::{Error, Result};
use crate::limits;

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Value {
    /// JSON's `null`.
    Null,
    /// A truth value.
    Bool(bool),
    /// A decimal number of any size.
    Number(Number),
    /// Text.
    Text(String),
    /// Bytes, as DynamoDB's `B`.
    Bytes(Vec<u8>),
    /// Values in an order that matters.
    List(Vec<Value>),
    /// Values whose order does not matter, none twice.
    Set(BTreeSet<Value>),
    /// Values by name.
    Map(BTreeMap<String, Value>),
    /// Something that a rule kept out of the pod: see [`super::redact`].
    Withheld,
}

/// A decimal number in canonical form: `-12.5`, `0`, `3e40`. Equal numbers have equal text.
///
/// An optional sign, digits without superfluous zeros, and an exponent only where plain digits would take over 40
/// characters. That covers DynamoDB's 38 digits and exponents from -130 to 125, and any `f64`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Number(String);

impl Number {
    /// The number that `text` writes in JSON's or DynamoDB's way: `1.50`, `+7`, `1E2`.
    pub fn parse(text: &str) -> Result<Number> {
        let broken = || Error::failed(format!("\"{}\" is not a number", text.chars().take(80).collect::<String>()));
        let (negative, unsigned) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().map_err(|_| broken())?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}");
        if digits.is_empty() || digits.len() > 1024 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(broken());
        }
        let leading = digits.len() - digits.trim_start_matches('0').len();
        let significant = digits[leading..].trim_end_matches('0');
        if significant.is_empty() {
            return Ok(Number("0".into()));
        }
        // The value is 0.SIGNIFICANT x 10^point.
        let point = i64::from(exponent) + whole.len() as i64 - leading as i64;
        let count = significant.len() as i64;
        let body = match point {
            1..=40 if point >= count => format!("{significant}{}", "0".repeat((point - count) as usize)),
            1..=40 if count <= 40 => {
                let (whole, fraction) = significant.split_at(point as usize);
                format!("{whole}.{fraction}")
            }
            -20..=0 if count - point <= 40 => format!("0.{}{significant}", "0".repeat(-point as usize)),
            _ => {
                let (first, rest) = significant.split_at(1);
                let dot = if rest.is_empty() { "" } else { "." };
                format!("{first}{dot}{rest}e{}", point - 1)
            }
        };
        Ok(Number(if negative { format!("-{body}") } else { body }))
    }

    /// The canonical text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Number, D::Error> {
        let text = String::deserialize(deserializer)?;
        match Number::parse(&text) {
            Ok(number) if number.0 == text => Ok(number),
            _ => Err(serde::de::Error::custom("a number that is not in canonical form")),
        }
    }
}

impl Value {
    /// Text.
    pub fn text(text: impl Into<String>) -> Value {
        Value::Text(text.into())
    }

    /// A set of texts.
    pub fn text_set<T: Into<String>>(texts: impl IntoIterator<Item = T>) -> Value {
        Value::Set(texts.into_iter().map(Value::text).collect())
    }

    /// The value as an AWS answer writes it. Arrays become lists; where order means nothing the adapter makes a set.
    pub fn from_json(json: &serde_json::Value) -> Result<Value> {
        Self::from_json_within(json, limits::NESTING)
    }

    fn from_json_within(json: &serde_json::Value, depth: usize) -> Result<Value> {
        let Some(depth) = depth.checked_sub(1) else {
            return Err(Error::failed(format!("a value nested more than {} deep", limits::NESTING)));
        };
        Ok(match json {
            serde_json::Value::Null => Value::Null,
            serde_json::Value::Bool(truth) => Value::Bool(*truth),
            serde_json::Value::Number(number) => Value::Number(Number::parse(&number.to_string())?),
            serde_json::Value::String(text) => Value::text(text),
            serde_json::Value::Array(items) => {
                Value::List(items.iter().map(|item| Self::from_json_within(item, depth)).collect::<Result<_>>()?)
            }
            serde_json::Value::Object(fields) => Value::Map(
                fields
                    .iter()
                    .map(|(name, field)| Ok((name.clone(), Self::from_json_within(field, depth)?)))
                    .collect::<Result<_>>()?,
            ),
        })
    }

    /// The value as an AWS request writes it: sets as arrays, bytes as base64, numbers as numbers where JSON has them.
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Value::Null => serde_json::Value::Null,
            Value::Bool(truth) => (*truth).into(),
            Value::Number(number) => serde_json::from_str::<serde_json::Number>(&number.0)
                .map_or_else(|_| number.0.clone().into(), serde_json::Value::Number),
            Value::Text(text) => text.clone().into(),
            Value::Bytes(bytes) => BASE64.encode(bytes).into(),
            Value::List(items) => items.iter().map(Value::to_json).collect(),
            Value::Set(items) => items.iter().map(Value::to_json).collect(),
            Value::Map(fields) => {
                serde_json::Value::Object(fields.iter().map(|(name, field)| (name.clone(), field.to_json())).collect())
            }
            Value::Withheld => serde_json::json!({ "withheld": true }),
        }
    }

    /// The text, if it is text.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The fields, if it is a map.
    pub fn as_map(&self) -> Option<&BTreeMap<String, Value>> {
        match self {
            Value::Map(fields) => Some(fields),
            _ => None,
        }
    }

    /// The value with every text in it, map names included, replaced by what `change` makes of it.
    #[must_use]
    pub fn map_text(&self, change: &impl Fn(&str) -> String) -> Value {
        match self {
            Value::Text(text) => Value::Text(change(text)),
            Value::List(items) => Value::List(items.iter().map(|item| item.map_text(change)).collect()),
            Value::Set(items) => Value::Set(items.iter().map(|item| item.map_text(change)).collect()),
            Value::Map(fields) => {
                Value::Map(fields.iter().map(|(name, field)| (change(name), field.map_text(change))).collect())
            }
            other => other.clone(),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::text(text)
    }
}

impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::Text(text)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Value {
        Value::Bool(truth)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Value {
        Value::Number(Number(number.to_string()))
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
        Depth(limits::NESTING).deserialize(deserializer)
    }
}

/// Decodes a [`Value`] that nests at most this deep: recursion that a peer chooses must not reach the stack's end.
#[derive(Clone, Copy)]
struct Depth(usize);

const VARIANTS: [&str; 9] = ["Null", "Bool", "Number", "Text", "Bytes", "List", "Set", "Map", "Withheld"];

impl<'de> DeserializeSeed<'de> for Depth {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let Some(depth) = self.0.checked_sub(1) else {
            return Err(serde::de::Error::custom("a value nested too deep"));
        };
        deserializer.deserialize_enum("Value", &VARIANTS, AnyValue(Depth(depth)))
    }
}

struct AnyValue(Depth);

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an attribute value")
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<Value, A::Error> {
        let (index, variant) = data.variant_seed(Index)?;
        Ok(match index {
            0 => variant.unit_variant().map(|()| Value::Null)?,
            1 => Value::Bool(variant.newtype_variant()?),
            2 => Value::Number(variant.newtype_variant()?),
            3 => Value::Text(variant.newtype_variant()?),
            4 => Value::Bytes(variant.newtype_variant()?),
            5 => Value::List(variant.newtype_variant_seed(Sequence(self.0))?),
            6 => {
                let items = variant.newtype_variant_seed(Sequence(self.0))?;
                Value::Set(items.into_iter().collect())
            }
            7 => Value::Map(variant.newtype_variant_seed(Fields(self.0))?),
            8 => variant.unit_variant().map(|()| Value::Withheld)?,
            _ => return Err(serde::de::Error::custom("an unknown kind of value")),
        })
    }
}

struct Index;

impl<'de> DeserializeSeed<'de> for Index {
    type Value = u32;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<u32, D::Error> {
        u32::deserialize(deserializer)
    }
}

struct Sequence(Depth);

impl<'de> DeserializeSeed<'de> for Sequence {
    type Value = Vec<Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<Value>, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Sequence {
    type Value = Vec<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sequence of values")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<Value>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(self.0)? {
            items.push(item);
        }
        Ok(items)
    }
}

struct Fields(Depth);

impl<'de> DeserializeSeed<'de> for Fields {
    type Value = BTreeMap<String, Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Fields {
    type Value = BTreeMap<String, Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("values by name")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = BTreeMap::new();
        while let Some(name) = map.next_key::<String>()? {
            fields.insert(name, map.next_value_seed(self.0)?);
        }
        Ok(fields)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::core::codec::{Format, decode, encode};

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Holder(Value);

    impl Format for Holder {
        const NUMBER: u8 = 1;
        const LIMIT: usize = 1 << 20;
        const WORD: &'static str = "a value";
    }

    /// Values of every kind, a few levels deep.
    pub(crate) fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::from),
            "\\PC{0,12}".prop_map(Value::Text),
            proptest::collection::vec(any::<u8>(), 0..12).prop_map(Value::Bytes),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::List),
                proptest::collection::btree_set(inner.clone(), 0..5).prop_map(Value::Set),
                proptest::collection::btree_map("[a-z]{0,3}", inner, 0..5).prop_map(Value::Map),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_value_reads_back(value in values()) {
            let holder = Holder(value);
            prop_assert_eq!(decode::<Holder>(&encode(&holder).unwrap()).unwrap(), holder);
        }

        #[test]
        fn mutated_bytes_are_refused_or_another_value(value in values(), at in any::<usize>(), byte in any::<u8>()) {
            let mut bytes = encode(&Holder(value)).unwrap();
            let at = at % bytes.len();
            bytes[at] = byte;
            if let Ok(holder) = decode::<Holder>(&bytes) {
                prop_assert_eq!(encode(&holder).unwrap(), bytes);
            }
        }

        #[test]
        fn equal_numbers_have_equal_text(whole in any::<i32>(), zeros in 0usize..6, exponent in -20i32..20) {
            let plain = Number::parse(&format!("{whole}e{exponent}")).unwrap();
            let padded = Number::parse(&format!("{whole}{}e{}", "0".repeat(zeros), exponent - zeros as i32)).unwrap();
            prop_assert_eq!(&plain, &padded);
            prop_assert_eq!(Number::parse(plain.as_str()).unwrap(), plain);
        }
    }

    #[test]
    fn numbers_are_canonical() {
        for (text, canonical) in [
            ("1.50", "1.5"),
            ("-0", "0"),
            ("+7", "7"),
            ("1E2", "100"),
            ("0.001", "0.001"),
            ("00012", "12"),
            ("1e40", "1e40"),
            ("1e39", "1000000000000000000000000000000000000000"),
            ("-2.5e-30", "-2.5e-30"),
            ("12345678901234567890123456789012345678", "12345678901234567890123456789012345678"),
            ("1e125", "1e125"),
        ] {
            assert_eq!(Number::parse(text).unwrap().as_str(), canonical, "{text}");
        }
        for text in ["", "-", ".", "1e", "abc", "1e99999999999", "--1", "1.2.3"] {
            assert!(Number::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn nesting_is_bounded_both_ways() {
        let mut json = serde_json::Value::Null;
        for _ in 0..limits::NESTING {
            json = serde_json::json!([json]);
        }
        assert!(Value::from_json(&json).is_err());
        // List of one list of one list ...: tag 5, length 1.
        let bytes = [vec![1], [5, 1].repeat(10_000), vec![0]].concat();
        assert!(decode::<Holder>(&bytes).is_err());
    }

    #[test]
    fn one_set_has_one_encoding() {
        let set = |items: [&str; 2]| encode(&Holder(Value::text_set(items))).unwrap();
        assert_eq!(set(["a", "b"]), set(["b", "a"]));
        // The same members in the other order, and one twice.
        assert!(decode::<Holder>(&[1, 6, 2, 3, 1, b'b', 3, 1, b'a']).is_err());
        assert!(decode::<Holder>(&[1, 6, 2, 3, 1, b'a', 3, 1, b'a']).is_err());
    }
}
