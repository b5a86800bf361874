//! A function's configuration as attributes, and back as a request.
//!
//! Whatever the instance tells is kept, also what this peapod does not know, but for what changes by itself or by
//! generated ids, and for defaults: some emulators spell them out, some leave them away.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::{attached, text};
use crate::core::value::Value;
use crate::error::Result;
use crate::instance::aws::{Scope, tags};

/// Told about a function, but no part of it: its name (that is the address), what follows from its code, what
/// changes by itself, and what has generated ids.
const VOLATILE: [&str; 20] = [
    "CodeSha256",
    "CodeSize",
    "ConfigSha256",
    "FunctionArn",
    "FunctionName",
    "LastModified",
    "LastUpdateStatus",
    "LastUpdateStatusReason",
    "LastUpdateStatusReasonCode",
    "MasterArn",
    "RevisionId",
    "RuntimeVersionConfig",
    "SigningJobArn",
    "SigningProfileVersionArn",
    "State",
    "StateReason",
    "StateReasonCode",
    "Version",
    "VpcConfig",
    "ImageConfigResponse",
];

/// Attributes that stand beside the configuration: they are put by calls of their own.
pub(super) const APART: [&str; 5] =
    ["Tags", "ReservedConcurrentExecutions", "ImageUri", "Architectures", "PackageType"];

/// What an attribute is when a function has none: left away in records, sent to take one back.
pub(super) fn default(attribute: &str, function: &str) -> Option<Json> {
    Some(match attribute {
        "Architectures" => json!(["x86_64"]),
        "DeadLetterConfig" => json!({"TargetArn": ""}),
        "Description" | "KMSKeyArn" => json!(""),
        "Environment" => json!({"Variables": {}}),
        "EphemeralStorage" => json!({"Size": 512}),
        "FileSystemConfigs" | "Layers" => json!([]),
        "ImageConfig" => json!({}),
        "LoggingConfig" => json!({"LogFormat": "Text", "LogGroup": format!("/aws/lambda/{function}")}),
        "SnapStart" => json!({"ApplyOn": "None"}),
        "TracingConfig" => json!({"Mode": "PassThrough"}),
        _ => return None,
    })
}

/// The attributes of the function that a `GetFunction` answer describes, but for its layers.
pub(super) fn attributes(cx: &Scope<'_>, answer: &Json) -> Result<BTreeMap<String, Value>> {
    let config = &answer["Configuration"];
    let name = text(config, "FunctionName").unwrap_or_default();
    let is_image = text(config, "PackageType") == Some("Image");
    let mut attributes = BTreeMap::new();
    for (attribute, value) in config.as_object().into_iter().flatten() {
        // An image says itself what runs in it; fakecloud makes something up.
        let of_a_zip = is_image && (attribute == "Handler" || attribute == "Runtime");
        if VOLATILE.contains(&attribute.as_str()) || attribute == "Layers" || of_a_zip {
            continue;
        }
        let value = essence(attribute, value, name);
        if !is_empty(&value) && default(attribute, name).as_ref() != Some(&value) {
            attributes.insert(attribute.clone(), cx.portable(&Value::from_json(&value)?));
        }
    }
    let image = without_empty(&config["ImageConfigResponse"]["ImageConfig"]);
    if !is_empty(&image) {
        attributes.insert("ImageConfig".to_owned(), Value::from_json(&image)?);
    }
    if let Some(uri) = text(&answer["Code"], "ImageUri") {
        attributes.insert("ImageUri".to_owned(), portable_image(uri, cx.own).into());
    }
    if let Some(executions) = answer["Concurrency"]["ReservedConcurrentExecutions"].as_i64() {
        attributes.insert("ReservedConcurrentExecutions".to_owned(), executions.into());
    }
    if let Some(tags) = tags::from_list(&answer["Tags"]) {
        attributes.insert("Tags".to_owned(), tags);
    }
    Ok(attributes)
}

/// The part of an attribute that was asked for, without what the instance adds to it.
fn essence(attribute: &str, value: &Json, function: &str) -> Json {
    let mut value = value.clone();
    match (attribute, value.as_object_mut()) {
        ("Environment", Some(fields)) => fields.retain(|field, _| field == "Variables"),
        ("SnapStart", Some(fields)) => fields.retain(|field, _| field == "ApplyOn"),
        ("LoggingConfig", Some(fields)) => {
            fields.retain(|field, level| {
                let default = field.ends_with("LogLevel") && level.as_str() == Some("INFO");
                !default && !level.is_null()
            });
            let defaults = [("LogFormat", "Text".to_owned()), ("LogGroup", format!("/aws/lambda/{function}"))];
            for (field, default) in defaults {
                fields.entry(field).or_insert_with(|| default.into());
            }
        }
        _ => {}
    }
    value
}

/// Whether it says nothing at all.
fn is_empty(value: &Json) -> bool {
    match value {
        Json::Null => true,
        Json::String(text) => text.is_empty(),
        Json::Array(items) => items.is_empty(),
        Json::Object(fields) => fields.is_empty(),
        Json::Bool(_) | Json::Number(_) => false,
    }
}

fn without_empty(value: &Json) -> Json {
    let fields = value.as_object().into_iter().flatten().filter(|(_, field)| !is_empty(field));
    Json::Object(fields.map(|(name, field)| (name.clone(), field.clone())).collect())
}

/// The configuration that a create request takes.
pub(super) fn for_create(cx: &Scope<'_>, name: &str, attributes: &BTreeMap<String, Value>) -> Map<String, Json> {
    let later = |attribute: &str| {
        matches!(attribute, "ReservedConcurrentExecutions" | "ImageUri" | "Tags" | "Layers")
            || attached::NAMES.contains(&attribute)
    };
    let mut fields: Map<String, Json> = attributes
        .iter()
        .filter(|(attribute, _)| !later(attribute))
        .map(|(attribute, value)| (attribute.clone(), cx.local(value).to_json()))
        .collect();
    fields.insert("FunctionName".to_owned(), name.into());
    if let Some(tags) = attributes.get("Tags") {
        fields.insert("Tags".to_owned(), tags::to_map(tags));
    }
    fields
}

/// What an update request must say to get from one configuration to another, but for layers; empty if nothing.
pub(super) fn for_update(
    cx: &Scope<'_>,
    name: &str,
    live: &BTreeMap<String, Value>,
    after: &BTreeMap<String, Value>,
) -> Map<String, Json> {
    let mut fields = Map::new();
    for attribute in live.keys().chain(after.keys()) {
        let apart = APART.contains(&attribute.as_str()) || attached::NAMES.contains(&attribute.as_str());
        if apart || attribute == "Layers" || live.get(attribute) == after.get(attribute) {
            continue;
        }
        let value = after.get(attribute).map(|value| cx.local(value).to_json());
        if let Some(value) = value.or_else(|| default(attribute, name)) {
            fields.insert(attribute.clone(), value);
        }
    }
    fields
}

/// An image's registry is named after its account.
fn portable_image(uri: &str, account: &str) -> String {
    match uri.strip_prefix(account) {
        Some(rest) if rest.starts_with(".dkr.ecr.") => format!("{}{rest}", crate::core::address::SELF_ACCOUNT),
        _ => uri.to_owned(),
    }
}

/// The image that [`portable_image`] wrote, in this account.
pub(super) fn local_image(uri: &str, account: &str) -> String {
    match uri.strip_prefix(crate::core::address::SELF_ACCOUNT) {
        Some(rest) if rest.starts_with(".dkr.ecr.") => format!("{account}{rest}"),
        _ => uri.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_images_registry_follows_the_account() {
        let there = "123456789012.dkr.ecr.us-east-1.amazonaws.com/repo:tag";
        let portable = portable_image(there, "123456789012");
        assert_eq!(portable, "self.dkr.ecr.us-east-1.amazonaws.com/repo:tag");
        assert_eq!(local_image(&portable, "123456789012"), there);
        assert_eq!(portable_image(there, "000000000000"), there);
    }

    #[test]
    fn what_an_instance_adds_to_an_attribute_is_not_part_of_it() {
        let plain = json!({"LogFormat": "Text", "LogGroup": "/aws/lambda/f"});
        assert_eq!(essence("LoggingConfig", &plain, "f"), default("LoggingConfig", "f").unwrap());
        let levels = json!({"LogFormat": "JSON", "ApplicationLogLevel": "INFO", "SystemLogLevel": "DEBUG"});
        assert_eq!(
            essence("LoggingConfig", &levels, "f"),
            json!({"LogFormat": "JSON", "SystemLogLevel": "DEBUG", "LogGroup": "/aws/lambda/f"})
        );
        let snap = json!({"ApplyOn": "None", "OptimizationStatus": "Off"});
        assert_eq!(essence("SnapStart", &snap, "f"), default("SnapStart", "f").unwrap());
    }
}
