//! What a service says of a resource, as attributes, and attributes as what a service is told.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::scope::Scope;
use crate::core::value::Value;
use crate::error::Result;

/// Attributes by name.
pub type Attributes = BTreeMap<String, Value>;

/// The fields of a description as portable attributes, without those in `left_out` and without what is empty: some
/// emulators write `null`, `""` or `[]` where others write nothing.
pub fn attributes(cx: &Scope<'_>, described: &Json, left_out: &[&str]) -> Result<Attributes> {
    let mut attributes = Attributes::new();
    for (name, json) in described.as_object().into_iter().flatten() {
        if !left_out.contains(&name.as_str()) && !is_empty(json) {
            attributes.insert(name.clone(), cx.portable(&Value::from_json(json)?));
        }
    }
    Ok(attributes)
}

fn is_empty(json: &Json) -> bool {
    match json {
        Json::Null => true,
        Json::String(text) => text.is_empty(),
        Json::Array(items) => items.is_empty(),
        Json::Object(fields) => fields.is_empty(),
        Json::Bool(_) | Json::Number(_) => false,
    }
}

/// What [`attributes`] made, as fields for this instance.
pub fn fields<'a>(cx: &Scope<'_>, attributes: impl IntoIterator<Item = (&'a String, &'a Value)>) -> Map<String, Json> {
    attributes.into_iter().map(|(name, value)| (name.clone(), cx.local(value).to_json())).collect()
}

/// Whether an attribute must be written: it is not there as it shall be, and this step is what changes it. What an
/// instance never keeps differs for ever, and must not cost the rest each time.
pub fn changes(name: &str, live: &Attributes, before: Option<&Attributes>, after: &Attributes) -> bool {
    let wanted = after.get(name);
    live.get(name) != wanted && before.is_none_or(|before| before.get(name) != wanted)
}
