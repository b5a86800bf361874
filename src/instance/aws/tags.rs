//! Tags: a map in records, and the four shapes that services give and take them in.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::xml::items;
use crate::core::value::Value;

/// Tags as a service gives them: `[{Key, Value}]`, `[{key, value}]`, `[{TagKey, TagValue}]` or `{key: value}`. None when
/// there are none.
///
/// Tags that emulators or AWS make by themselves (`aws:...`) can't be put back and are left out.
pub fn from_list(json: &Json) -> Option<Value> {
    let text = |json: &Json| json.as_str().map(str::to_owned);
    let pairs: Vec<(String, String)> = match json {
        Json::Object(fields) if !fields.contains_key("Key") && !fields.contains_key("TagKey") => {
            fields.iter().filter_map(|(key, value)| Some((key.clone(), text(value)?))).collect()
        }
        list => items(list)
            .iter()
            .filter_map(|tag| {
                let field = |names: [&str; 3]| names.into_iter().find_map(|name| text(&tag[name]));
                Some((field(["Key", "key", "TagKey"])?, field(["Value", "value", "TagValue"]).unwrap_or_default()))
            })
            .collect(),
    };
    let tags: BTreeMap<String, Value> =
        pairs.into_iter().filter(|(key, _)| !key.starts_with("aws:")).map(|(k, v)| (k, Value::text(v))).collect();
    (!tags.is_empty()).then_some(Value::Map(tags))
}

/// `[{"Key": .., "Value": ..}]`.
pub fn to_list(tags: &Value) -> Json {
    pairs(Some(tags)).into_iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect()
}

/// `{key: value}`.
pub fn to_map(tags: &Value) -> Json {
    Json::Object(pairs(Some(tags)).into_iter().map(|(key, value)| (key, Json::String(value))).collect())
}

/// Keys and values; none of what is no map of texts.
pub fn pairs(tags: Option<&Value>) -> BTreeMap<String, String> {
    let fields = tags.and_then(Value::as_map);
    let pair = |(key, value): (&String, &Value)| Some((key.clone(), value.as_text()?.to_owned()));
    fields.map(|fields| fields.iter().filter_map(pair).collect()).unwrap_or_default()
}

/// What to set and what to remove to get from one set of tags to another.
pub fn changes(before: Option<&Value>, after: Option<&Value>) -> (Vec<(String, String)>, Vec<String>) {
    let (before, after) = (pairs(before), pairs(after));
    let removed = before.keys().filter(|key| !after.contains_key(*key)).cloned().collect();
    let put = after.into_iter().filter(|(key, value)| before.get(key) != Some(value)).collect();
    (put, removed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_of_tags_is_one_map() {
        let map = from_list(&json!({"a": "1"}));
        assert_eq!(from_list(&json!([{"Key": "a", "Value": "1"}, {"Key": "aws:x", "Value": "2"}])), map);
        assert_eq!(from_list(&json!([{"TagKey": "a", "TagValue": "1"}])), map);
        assert_eq!(from_list(&json!([{"key": "a", "value": "1"}])), map);
        assert_eq!(from_list(&json!({"Key": "a", "Value": "1"})), map);
        assert_eq!(from_list(&json!([])), None);
        assert_eq!(to_list(&map.unwrap()), json!([{"Key": "a", "Value": "1"}]));
    }

    #[test]
    fn changes_lead_from_one_set_to_the_other() {
        let (before, after) =
            (from_list(&json!({"a": "1", "b": "2", "c": "3"})), from_list(&json!({"a": "1", "b": "3"})));
        let (put, removed) = changes(before.as_ref(), after.as_ref());
        assert_eq!((put, removed), (vec![("b".into(), "3".into())], vec!["c".into()]));
    }
}
