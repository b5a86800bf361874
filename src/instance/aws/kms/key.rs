//! Keys.

use std::collections::{BTreeMap, HashSet};

use serde_json::{Value as Json, json};
use tokio::sync::Mutex;

use super::{API, denied, listed};
use crate::core::address::Address;
use crate::core::record::Record;
use crate::core::value::Value;
use crate::error::{Error, Result};
use crate::instance::Step;
use crate::instance::aws::described::{self, Attributes};
use crate::instance::aws::{Scope, found, ids, tags};

/// What makes a key and can't be changed, and what it is when nobody says otherwise.
const KINDS: [(&str, &str); 3] =
    [("KeySpec", "SYMMETRIC_DEFAULT"), ("KeyUsage", "ENCRYPT_DECRYPT"), ("Origin", "AWS_KMS")];

/// After how many days a key rotates when nobody says otherwise.
const ROTATION: i64 = 365;

/// A key as it is listed.
pub(super) struct Key {
    pub id: String,
    metadata: Json,
    tags: Option<Value>,
    pub is_replica: bool,
}

/// All customer managed keys by their names.
pub(super) async fn all(cx: &Scope<'_>) -> Result<Vec<(String, Key)>> {
    let mut aliases: BTreeMap<String, String> = BTreeMap::new();
    let mut of_aws = HashSet::new();
    for alias in listed(cx, "ListAliases", json!({"Limit": 100}), "Aliases").await? {
        let (Some(name), Some(id)) = (alias["AliasName"].as_str(), alias["TargetKeyId"].as_str()) else { continue };
        let name = name.trim_start_matches("alias/");
        if name.starts_with("aws/") {
            of_aws.insert(id.to_owned());
        } else {
            let known = aliases.entry(id.to_owned()).or_insert_with(|| name.to_owned());
            if name < known.as_str() {
                *known = name.to_owned();
            }
        }
    }
    let mut keys = Vec::new();
    for listed in listed(cx, "ListKeys", json!({"Limit": 1000}), "Keys").await? {
        let Some(id) = listed["KeyId"].as_str().filter(|id| !of_aws.contains(*id)) else { continue };
        // fakecloud lists the keys of every region in each.
        let region = listed["KeyArn"].as_str().and_then(|arn| arn.split(':').nth(3));
        if region.is_some_and(|region| region != cx.region) {
            continue;
        }
        let Some(mut answer) = found(cx.json(&API, "DescribeKey", json!({"KeyId": id})).await)? else { continue };
        let metadata = answer["KeyMetadata"].take();
        if metadata["KeyManager"] == "AWS" || is_going(&metadata) {
            continue;
        }
        let tags = listed_tags(cx, id).await?;
        let text = |name: &str| metadata[name].as_str().filter(|text| !text.is_empty());
        let kind = || text("KeySpec").unwrap_or("key");
        let name = aliases.get(id).map(String::as_str).or(text("Description")).unwrap_or_else(kind).to_owned();
        let is_replica = metadata["MultiRegionConfiguration"]["MultiRegionKeyType"] == "REPLICA";
        // Nothing of it may name another resource: ids of those are not known yet.
        let order = format!(
            "{} {} {} {tags:?} {}",
            text("Description").unwrap_or_default(),
            kind(),
            metadata["KeyUsage"],
            metadata["KeyState"]
        );
        keys.push((name, order, Key { id: id.to_owned(), metadata, tags, is_replica }));
    }
    Ok(ids::named(keys))
}

fn is_going(metadata: &Json) -> bool {
    matches!(metadata["KeyState"].as_str(), Some("PendingDeletion" | "PendingReplicaDeletion"))
}

async fn listed_tags(cx: &Scope<'_>, id: &str) -> Result<Option<Value>> {
    Ok(tags::from_list(&Json::Array(listed(cx, "ListResourceTags", json!({"KeyId": id}), "Tags").await?)))
}

pub(super) async fn read(cx: &Scope<'_>, key: &Key) -> Result<Record> {
    let metadata = &key.metadata;
    let mut attributes = Attributes::new();
    let mut text = |name: &str, default: &str| {
        if let Some(text) = metadata[name].as_str().filter(|text| !text.is_empty() && *text != default) {
            attributes.insert(name.to_owned(), Value::text(cx.portable_text(text)));
        }
    };
    text("Description", "");
    for (name, default) in KINDS {
        text(name, default);
    }
    if metadata["MultiRegion"] == true {
        attributes.insert("MultiRegion".to_owned(), Value::Bool(true));
    }
    if metadata["KeyState"] == "Disabled" {
        attributes.insert("Enabled".to_owned(), Value::Bool(false));
    }
    let request = json!({"KeyId": key.id, "PolicyName": "default"});
    if let Some(policy) = found(cx.json(&API, "GetKeyPolicy", request).await)?
        && let Some(policy) = policy["Policy"].as_str()
    {
        attributes.insert("Policy".to_owned(), cx.document(policy));
    }
    if rotates(metadata)
        && let status = cx.json(&API, "GetKeyRotationStatus", json!({"KeyId": key.id})).await?
        && status["KeyRotationEnabled"] == true
    {
        let days = status["RotationPeriodInDays"].as_i64().unwrap_or(ROTATION);
        attributes.insert("RotationPeriodInDays".to_owned(), Value::from_json(&days.into())?);
    }
    if let Some(tags) = &key.tags {
        attributes.insert("Tags".to_owned(), tags.clone());
    }
    Ok(Record::new(attributes))
}

/// Whether AWS rotates keys of this kind.
fn rotates(metadata: &Json) -> bool {
    metadata["KeySpec"] == "SYMMETRIC_DEFAULT" && metadata["Origin"] == "AWS_KMS"
}

/// The key at this address; none if there is none, or will be none.
pub(super) async fn find(cx: &Scope<'_>, address: &Address) -> Result<Option<Key>> {
    if let Some(id) = cx.id(address)
        && let Some(mut answer) = found(cx.json(&API, "DescribeKey", json!({"KeyId": id})).await)?
        && let metadata = answer["KeyMetadata"].take()
        && !is_going(&metadata)
    {
        let tags = listed_tags(cx, &id).await?;
        return Ok(Some(Key { id, metadata, tags, is_replica: false }));
    }
    // One that stands for another address is not this one, whatever it is called before it has all its tags.
    let mut named = all(cx).await?.into_iter().filter(|(_, key)| cx.portable_text(&key.id) == key.id);
    Ok(named.find(|(name, _)| name == address.name()).map(|(_, key)| key))
}

/// Carries out a step. One key is made at a time (`making`), so that none of two of one name is taken for the other.
pub(super) async fn apply(cx: &Scope<'_>, step: &Step, making: &Mutex<()>) -> Result<()> {
    let making = making.lock().await;
    let live = find(cx, &step.address).await?;
    let Some(after) = &step.after else {
        if let Some(key) = live {
            let request = json!({"KeyId": key.id, "PendingWindowInDays": 7});
            cx.json(&API, "ScheduleKeyDeletion", request).await.map_err(denied)?;
        }
        return Ok(());
    };
    let after = &after.attributes;
    let (key, now) = match live {
        Some(key) => {
            let now = read(cx, &key).await?;
            if let Some((name, _)) = KINDS.iter().find(|(name, _)| now.attributes.get(*name) != after.get(*name)) {
                return Err(Error::denied(format!("the {name} of a key can't be changed")));
            }
            (key, now)
        }
        None => create(cx, &step.address, after).await?,
    };
    drop(making);
    update(cx, &key.id, &now.attributes, step.before.as_ref().map(|before| &before.attributes), after).await
}

async fn create(cx: &Scope<'_>, address: &Address, after: &Attributes) -> Result<(Key, Record)> {
    let made = after.iter().filter(|(name, _)| {
        matches!(name.as_str(), "Description" | "MultiRegion") || KINDS.iter().any(|(kind, _)| kind == name)
    });
    let mut request = described::fields(cx, made);
    // Of a key of another spec the usage must be said, whatever it is.
    if after.contains_key("KeySpec") {
        request.entry("KeyUsage").or_insert_with(|| "ENCRYPT_DECRYPT".into());
    }
    if let Some(policy) = after.get("Policy") {
        request.insert("Policy".to_owned(), cx.document_text(policy).into());
        request.insert("BypassPolicyLockoutSafetyCheck".to_owned(), true.into());
    }
    let mut answer = cx.json(&API, "CreateKey", Json::Object(request)).await.map_err(denied)?;
    let metadata = answer["KeyMetadata"].take();
    let id = metadata["KeyId"].as_str().ok_or_else(|| Error::failed("the instance gives a new key no id"))?.to_owned();
    cx.learn(address, &id);
    let key = Key { id, metadata, tags: None, is_replica: false };
    let record = read(cx, &key).await?;
    Ok((key, record))
}

async fn update(
    cx: &Scope<'_>,
    id: &str,
    now: &Attributes,
    before: Option<&Attributes>,
    after: &Attributes,
) -> Result<()> {
    let wants = |name: &str| described::changes(name, now, before, after);
    let call = async |action: &str, request: Json| cx.json(&API, action, request).await.map(|_| ()).map_err(denied);
    let key = json!({"KeyId": id});
    let (was_off, is_off) = (now.contains_key("Enabled"), after.contains_key("Enabled"));
    let mut is_on = !was_off;
    let turns = wants("RotationPeriodInDays");
    if was_off && (turns || !is_off) {
        call("EnableKey", key.clone()).await?;
        is_on = true;
    }
    if wants("Description") {
        let text = after.get("Description").and_then(Value::as_text).map(|text| cx.local_text(text));
        call("UpdateKeyDescription", json!({"KeyId": id, "Description": text.unwrap_or_default()})).await?;
    }
    if wants("Policy")
        && let Some(policy) = after.get("Policy")
    {
        let policy = cx.document_text(policy);
        let request = json!({
            "KeyId": id, "PolicyName": "default", "Policy": policy, "BypassPolicyLockoutSafetyCheck": true,
        });
        call("PutKeyPolicy", request).await?;
    }
    if turns {
        match after.get("RotationPeriodInDays") {
            Some(days) => {
                call("EnableKeyRotation", json!({"KeyId": id, "RotationPeriodInDays": days.to_json()})).await?;
            }
            None => call("DisableKeyRotation", key.clone()).await?,
        }
    }
    let (put, removed) = tags::changes(now.get("Tags"), after.get("Tags"));
    if !removed.is_empty() {
        call("UntagResource", json!({"KeyId": id, "TagKeys": removed})).await?;
    }
    if !put.is_empty() {
        let tags: Vec<Json> = put.into_iter().map(|(key, value)| json!({"TagKey": key, "TagValue": value})).collect();
        call("TagResource", json!({"KeyId": id, "Tags": tags})).await?;
    }
    if is_off && is_on {
        call("DisableKey", key).await?;
    }
    Ok(())
}
