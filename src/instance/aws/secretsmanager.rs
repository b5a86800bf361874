//! Secrets Manager: secrets, and their versions with the stages that point at them.
//!
//! Versions keep their ids. A secret's ARN ends in characters that nobody can choose, so it is not recorded, and what
//! refers to a secret by its whole ARN elsewhere refers to nothing after a restore. Rotation is not switched on again.
//! Secrets that are scheduled for deletion count as deleted, and versions without a stage, which AWS clears away, are
//! left out.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value as Json, json};

use crate::core::address::Address;
use crate::core::content::Contents;
use crate::core::record::Record;
use crate::core::value::Value;
use crate::error::{Error, Result};
use crate::instance::aws::{Api, Request, Scope, Service, found, items, refused, tags, token};
use crate::instance::{Sink, Stage, Step};

const API: Api = Api::json("secretsmanager", "secretsmanager", "1.1");

/// The collection of a secret.
const VERSIONS: &str = "version";

/// The key that AWS uses if nobody names one.
const OWN_KEY: &str = "alias/aws/secretsmanager";

const CURRENT: &str = "AWSCURRENT";
const PREVIOUS: &str = "AWSPREVIOUS";
/// Keeps a version alive while its own stages are on the way.
const HELD: &str = "peapod-held";

/// The service.
#[derive(Default)]
pub struct SecretsManager {
    /// One version of a secret is put at a time: stages move from one to the other.
    turns: Mutex<HashMap<(String, String), Turn>>,
}

/// Held while a version of one secret is put.
type Turn = Arc<tokio::sync::Mutex<()>>;

#[async_trait]
impl Service for SecretsManager {
    fn name(&self) -> &'static str {
        "secretsmanager"
    }

    fn probe(&self) -> Option<Request> {
        Some(Request::json(&API, "ListSecrets", json!({"MaxResults": 1})))
    }

    fn stage(&self, address: &Address) -> Stage {
        match address.collection_and_item() {
            None => Stage::Resource,
            Some(_) => Stage::Item,
        }
    }

    async fn capture(&self, cx: &Scope<'_>, sink: &dyn Sink) -> Result<()> {
        let request = Request::json(&API, "ListSecrets", json!({"MaxResults": 100}));
        let mut pages = cx.pages(request, "NextToken", "NextToken");
        let mut secrets = Vec::new();
        while let Some(page) = pages.next().await? {
            let names = items(&page["SecretList"]).iter().filter_map(|secret| secret["Name"].as_str());
            secrets.extend(names.map(|name| (cx.address("secret", name), name.to_owned())));
        }
        cx.each(sink, secrets, |address, name| async move { capture_secret(cx, sink, &address, &name).await }).await
    }

    async fn apply(&self, cx: &Scope<'_>, step: &Step, _contents: &dyn Contents) -> Result<()> {
        let name = step.address.name();
        match step.address.collection_and_item() {
            None => apply_secret(cx, name, step.before.as_ref(), step.after.as_ref()).await,
            Some((VERSIONS, id)) => {
                let turn = {
                    let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
                    turns.entry((cx.region.to_owned(), name.to_owned())).or_default().clone()
                };
                let _turn = turn.lock().await;
                apply_version(cx, name, id, step.after.as_ref()).await
            }
            Some((collection, _)) => {
                Err(Error::failed(format!("this peapod can't restore a {collection} of a secret"))
                    .hint("it was captured by a newer peapod: update this one"))
            }
        }
    }
}

async fn describe(cx: &Scope<'_>, name: &str) -> Result<Option<Json>> {
    let answer = found(cx.json(&API, "DescribeSecret", json!({"SecretId": name})).await)?;
    Ok(answer.filter(|secret| secret["DeletedDate"].is_null()))
}

async fn capture_secret(cx: &Scope<'_>, sink: &dyn Sink, address: &Address, name: &str) -> Result<()> {
    let Some(live) = describe(cx, name).await? else { return Ok(()) };
    sink.mark(address, &format!("{} {}", live["ARN"].as_str().unwrap_or_default(), live["CreatedDate"]));
    let mut attributes = BTreeMap::new();
    if let Some(text) = live["Description"].as_str().filter(|text| !text.is_empty()) {
        attributes.insert("Description".to_owned(), Value::text(text));
    }
    if let Some(key) = live["KmsKeyId"].as_str().filter(|key| !key.is_empty() && !key.ends_with(OWN_KEY)) {
        attributes.insert("KmsKeyId".to_owned(), Value::text(cx.portable_text(key)));
    }
    if let Some(tags) = tags::from_list(&live["Tags"]) {
        attributes.insert("Tags".to_owned(), tags);
    }
    let policy = found(cx.json(&API, "GetResourcePolicy", json!({"SecretId": name})).await)?.unwrap_or_default();
    if let Some(text) = policy["ResourcePolicy"].as_str().filter(|text| !text.is_empty()) {
        attributes.insert("ResourcePolicy".to_owned(), cx.document(text));
    }
    sink.record(address.clone(), Record::new(attributes))?;
    for (id, mut stages) in staged(&live) {
        stages.remove(HELD);
        if stages.is_empty() {
            continue;
        }
        let request = json!({"SecretId": name, "VersionId": id});
        let Some(version) = found(cx.json(&API, "GetSecretValue", request).await)? else { continue };
        // ministack makes a version without a value with every secret that has none.
        if let Some(mut attributes) = value(&version) {
            attributes.insert("VersionStages".to_owned(), Value::text_set(stages));
            sink.record(address.item(VERSIONS, &id), Record::new(attributes))?;
        }
    }
    Ok(())
}

/// The versions that a stage points at.
fn staged(live: &Json) -> BTreeMap<String, BTreeSet<String>> {
    let versions = live["VersionIdsToStages"].as_object().into_iter().flatten();
    let stages = |stages: &Json| items(stages).iter().filter_map(Json::as_str).map(str::to_owned).collect();
    versions
        .map(|(id, list)| (id.clone(), stages(list)))
        .filter(|(_, stages): &(_, BTreeSet<_>)| !stages.is_empty())
        .collect()
}

fn value(version: &Json) -> Option<BTreeMap<String, Value>> {
    let text = version["SecretString"].as_str().map(|text| ("SecretString", Value::text(text)));
    let bytes = || BASE64.decode(version["SecretBinary"].as_str()?).ok().map(|b| ("SecretBinary", Value::Bytes(b)));
    let (name, value) = text.or_else(bytes)?;
    Some(BTreeMap::from([(name.to_owned(), value)]))
}

async fn apply_secret(cx: &Scope<'_>, name: &str, before: Option<&Record>, after: Option<&Record>) -> Result<()> {
    let Some(after) = after else { return delete(cx, name).await };
    let live = describe(cx, name).await?;
    let before = before.filter(|_| live.is_some());
    let text = |record: Option<&Record>, attribute: &str| record.and_then(|r| r.text(attribute)).map(str::to_owned);
    let mut request = json!({});
    for (attribute, default) in [("Description", ""), ("KmsKeyId", OWN_KEY)] {
        let (have, want) = (text(before, attribute), text(Some(after), attribute));
        if have != want {
            request[attribute] = want.map_or(default.to_owned(), |want| cx.local_text(&want)).into();
        }
    }
    if live.is_none() {
        request["Name"] = name.into();
        request["ClientRequestToken"] = token::unique()?.into();
        let made = match cx.json(&API, "CreateSecret", request.clone()).await {
            // One of that name waits for its deletion.
            Err(error) if error.status == 400 => {
                tracing::info!(%error, name, "deleted at once what was to be deleted");
                delete(cx, name).await?;
                cx.json(&API, "CreateSecret", request).await
            }
            made => made,
        };
        made.map_err(refused)?;
    } else if request != json!({}) {
        request["SecretId"] = name.into();
        request["ClientRequestToken"] = token::unique()?.into();
        cx.json(&API, "UpdateSecret", request).await.map_err(refused)?;
    }
    retag(cx, name, before, after).await?;
    let policy = |record: Option<&Record>| record.and_then(|record| record.attributes.get("ResourcePolicy").cloned());
    match (policy(before), policy(Some(after))) {
        (have, want) if have == want => {}
        (_, Some(want)) => {
            let request = json!({"SecretId": name, "ResourcePolicy": cx.document_text(&want)});
            cx.json(&API, "PutResourcePolicy", request).await.map_err(refused)?;
        }
        (_, None) => {
            found(cx.json(&API, "DeleteResourcePolicy", json!({"SecretId": name})).await).map_err(refused)?;
        }
    }
    Ok(())
}

async fn retag(cx: &Scope<'_>, name: &str, before: Option<&Record>, after: &Record) -> Result<()> {
    let (put, removed) = tags::changes(before.and_then(|b| b.attributes.get("Tags")), after.attributes.get("Tags"));
    if !removed.is_empty() {
        cx.json(&API, "UntagResource", json!({"SecretId": name, "TagKeys": removed})).await.map_err(refused)?;
    }
    if !put.is_empty() {
        let tags: Vec<Json> = put.into_iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
        cx.json(&API, "TagResource", json!({"SecretId": name, "Tags": tags})).await.map_err(refused)?;
    }
    Ok(())
}

async fn delete(cx: &Scope<'_>, name: &str) -> Result<()> {
    let request = json!({"SecretId": name, "ForceDeleteWithoutRecovery": true});
    found(cx.json(&API, "DeleteSecret", request).await).map_err(refused)?;
    Ok(())
}

/// Brings one version to its value and stages, and leaves every other version the stages it has, so that versions may
/// come in any order. What an instance does to the others by itself is taken back: all move [`PREVIOUS`] when
/// [`CURRENT`] moves, and moto takes other stages away with it.
async fn apply_version(cx: &Scope<'_>, name: &str, id: &str, after: Option<&Record>) -> Result<()> {
    let Some(live) = describe(cx, name).await? else {
        return match after {
            Some(_) => Err(Error::denied(format!("there is no secret {name} to put a version of"))),
            None => Ok(()),
        };
    };
    let had = holders(&live);
    let wanted: BTreeSet<String> = match after.and_then(|after| after.attributes.get("VersionStages")) {
        Some(Value::Set(stages)) => stages.iter().filter_map(Value::as_text).map(str::to_owned).collect(),
        _ => BTreeSet::new(),
    };
    // ministack throws a version away as soon as no stage points at it.
    let moves_current = wanted.contains(CURRENT) && had.get(CURRENT).is_none_or(|holder| holder != id);
    if let Some(previous) = had.get(PREVIOUS).filter(|previous| moves_current && *previous != id) {
        stage(cx, name, HELD, had.get(HELD), Some(previous)).await?;
    }
    if let Some(after) = after {
        put_value(cx, name, id, after, &wanted).await?;
    }
    // An instance may ignore the stages of a version that it has already.
    let now = holders(&describe(cx, name).await?.unwrap_or_default());
    if wanted.contains(CURRENT) && now.get(CURRENT).is_none_or(|holder| holder != id) {
        stage(cx, name, CURRENT, now.get(CURRENT), Some(id)).await?;
    }
    let now = holders(&describe(cx, name).await?.unwrap_or_default());
    let mut belongs: BTreeMap<&str, &str> =
        had.iter().filter(|(_, holder)| *holder != id).map(|(s, h)| (s.as_str(), h.as_str())).collect();
    belongs.extend(wanted.iter().map(|stage| (stage.as_str(), id)));
    // AWSCURRENT can't be taken away, only given to another version, whose own step does it.
    let stages: BTreeSet<&str> = now.keys().map(String::as_str).chain(belongs.keys().copied()).collect();
    for label in stages.into_iter().filter(|label| *label != CURRENT && *label != HELD) {
        let (from, to) = (now.get(label), belongs.get(label).copied());
        if from.map(String::as_str) != to {
            stage(cx, name, label, from, to).await?;
        }
    }
    match now.get(HELD) {
        Some(held) => stage(cx, name, HELD, Some(held), None).await,
        None => Ok(()),
    }
}

/// Which version each stage points at.
fn holders(live: &Json) -> BTreeMap<String, String> {
    let pairs =
        staged(live).into_iter().flat_map(|(id, stages)| stages.into_iter().map(move |stage| (stage, id.clone())));
    pairs.collect()
}

async fn put_value(cx: &Scope<'_>, name: &str, id: &str, after: &Record, stages: &BTreeSet<String>) -> Result<()> {
    let mut request = json!({"SecretId": name, "ClientRequestToken": id, "VersionStages": stages});
    match (after.attributes.get("SecretString"), after.attributes.get("SecretBinary")) {
        (Some(value), _) => request["SecretString"] = value.to_json(),
        (_, Some(value)) => request["SecretBinary"] = value.to_json(),
        _ => return Err(Error::failed("a secret's version without a value")),
    }
    cx.call(Request::json(&API, "PutSecretValue", request).idempotent()).await.map_err(refused)?;
    Ok(())
}

/// Moves a stage from one version to another, or takes or gives it.
async fn stage(cx: &Scope<'_>, name: &str, stage: &str, from: Option<&String>, to: Option<&str>) -> Result<()> {
    let mut request = json!({"SecretId": name, "VersionStage": stage});
    for (field, id) in [("RemoveFromVersionId", from.map(String::as_str)), ("MoveToVersionId", to)] {
        if let Some(id) = id {
            request[field] = id.into();
        }
    }
    cx.json(&API, "UpdateSecretVersionStage", request).await.map_err(refused)?;
    Ok(())
}
