//! Launch templates, with their versions by number, and key pairs.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::call::{act, list, local, tagging, text, undo};
use super::look::Found;
use crate::core::value::Value;
use crate::error::Result;
use crate::instance::aws::Scope;
use crate::instance::aws::described::{Attributes, changes};

/// A public key can be imported again. Where an emulator shows none, a pair of that name is made with another key.
pub(super) fn read_key(found: &Found) -> Attributes {
    let mut attributes = Attributes::new();
    let key = text(&found.live, "publicKey").trim();
    if !key.is_empty() {
        attributes.insert("PublicKeyMaterial".to_owned(), Value::text(key));
    }
    if text(&found.live, "keyType") == "ed25519" {
        attributes.insert("KeyType".to_owned(), Value::text("ed25519"));
    }
    attributes
}

pub(super) async fn create_key(cx: &Scope<'_>, name: &str, after: &Attributes) -> Result<String> {
    use base64::Engine as _;
    let tagging = tagging("key-pair", after);
    let answer = match after.get("PublicKeyMaterial").and_then(Value::as_text) {
        Some(key) => {
            let key = base64::engine::general_purpose::STANDARD.encode(key);
            let parameters = json!({"KeyName": name, "PublicKeyMaterial": key, "TagSpecification": tagging});
            act(cx, "ImportKeyPair", parameters).await?
        }
        None => {
            let kind = local(cx, after, "KeyType");
            act(cx, "CreateKeyPair", json!({"KeyName": name, "KeyType": kind, "TagSpecification": tagging})).await?
        }
    };
    Ok(text(&answer, "keyPairId").to_owned())
}

pub(super) async fn read(cx: &Scope<'_>, found: &Found) -> Result<Attributes> {
    let parameters = json!({ "LaunchTemplateId": found.id });
    let mut versions = BTreeMap::new();
    for version in list(cx, "DescribeLaunchTemplateVersions", &parameters, "launchTemplateVersionSet").await? {
        let data = cx.portable(&Value::from_json(&as_request(&version["launchTemplateData"]))?);
        let mut told = Attributes::from([("LaunchTemplateData".to_owned(), data)]);
        if !text(&version, "versionDescription").is_empty() {
            told.insert("VersionDescription".to_owned(), Value::text(text(&version, "versionDescription")));
        }
        versions.insert(text(&version, "versionNumber").to_owned(), Value::Map(told));
    }
    let default = Value::text(text(&found.live, "defaultVersionNumber"));
    Ok(Attributes::from([("DefaultVersion".to_owned(), default), ("Versions".to_owned(), Value::Map(versions))]))
}

/// A description in the words of a request: `blockDeviceMappingSet` is `BlockDeviceMapping` there. What is empty is
/// left out, and so are the tags of the template itself, which LocalStack writes among those of what it launches.
fn as_request(json: &Json) -> Json {
    match json {
        Json::Object(fields) => {
            let mut out = Map::new();
            for (name, field) in fields {
                let field = as_request(field);
                if field.is_null() {
                    continue;
                }
                let name = match name.as_str() {
                    "groupSet" => "SecurityGroupId".to_owned(),
                    "licenseSet" => "LicenseSpecification".to_owned(),
                    name => large(name.strip_suffix("Set").unwrap_or(name)),
                };
                out.insert(name, field);
            }
            let none = out.is_empty() || out.get("ResourceType").is_some_and(|of| of == "launch-template");
            if none { Json::Null } else { Json::Object(out) }
        }
        Json::Array(items) => {
            let items: Vec<Json> = items.iter().map(as_request).filter(|item| !item.is_null()).collect();
            if items.is_empty() { Json::Null } else { Json::Array(items) }
        }
        Json::String(text) if text.trim().is_empty() => Json::Null,
        other => other.clone(),
    }
}

fn large(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// The versions of a record, by number.
fn versions(attributes: &Attributes) -> BTreeMap<u64, &Value> {
    let map = attributes.get("Versions").and_then(Value::as_map).into_iter().flatten();
    map.filter_map(|(number, version)| Some((number.parse().ok()?, version))).collect()
}

fn data(cx: &Scope<'_>, version: &Value) -> Json {
    cx.local(version).to_json()
}

pub(super) async fn create(cx: &Scope<'_>, name: &str, after: &Attributes) -> Result<String> {
    let versions = versions(after);
    let mut parameters = versions.values().next().map_or(json!({}), |version| data(cx, version));
    parameters["LaunchTemplateName"] = name.into();
    parameters["TagSpecification"] = tagging("launch-template", after);
    let answer = act(cx, "CreateLaunchTemplate", parameters).await?;
    Ok(text(&answer["launchTemplate"], "launchTemplateId").to_owned())
}

/// Whether what is there can grow into what shall be: versions are only ever added.
pub(super) fn grows(live: &Attributes, after: &Attributes) -> bool {
    let (have, want) = (versions(live), versions(after));
    have.iter().all(|(number, version)| want.get(number) == Some(version))
}

pub(super) async fn settle(
    cx: &Scope<'_>,
    found: &Found,
    live: &Attributes,
    before: Option<&Attributes>,
    after: &Attributes,
) -> Result<()> {
    let have = versions(live);
    let mut next = have.keys().next_back().copied().unwrap_or(0) + 1;
    for (number, version) in versions(after).into_iter().filter(|(number, _)| !have.contains_key(number)) {
        // Numbers between were deleted: they are made and deleted here as well.
        while next <= number {
            let mut parameters = data(cx, version);
            parameters["LaunchTemplateId"] = found.id.as_str().into();
            act(cx, "CreateLaunchTemplateVersion", parameters).await?;
            if next < number {
                let parameters = json!({"LaunchTemplateId": found.id, "LaunchTemplateVersion": [next]});
                undo(cx, "DeleteLaunchTemplateVersions", parameters).await?;
            }
            next += 1;
        }
    }
    if changes("DefaultVersion", live, before, after) {
        let parameters = json!({"LaunchTemplateId": found.id, "SetDefaultVersion": local(cx, after, "DefaultVersion")});
        act(cx, "ModifyLaunchTemplate", parameters).await?;
    }
    Ok(())
}
