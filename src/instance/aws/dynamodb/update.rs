//! Making, changing and deleting tables.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value as Json, json};
use tokio::time::{Instant, sleep};

use super::{API, describe};
use crate::core::record::Record;
use crate::core::value::Value;
use crate::error::{Error, Result};
use crate::instance::aws::{ApiError, Scope, found, items, refused};
use crate::limits;

pub(super) const GLOBAL: &str = "GlobalSecondaryIndexes";
pub(super) const LOCAL: &str = "LocalSecondaryIndexes";

/// Whether items of the one table are items of the other.
pub(super) fn same_keys(now: &Record, after: &Record) -> bool {
    let typed = |record: &Record| {
        let types = record.attributes.get("AttributeDefinitions").and_then(Value::as_map);
        let keys = record.attributes.get("KeySchema").and_then(Value::as_map)?;
        let typed =
            |(kind, name): (&String, &Value)| Some((kind.clone(), name.clone(), types?.get(name.as_text()?).cloned()));
        Some(keys.iter().map(typed).collect::<Vec<_>>())
    };
    typed(now) == typed(after)
}

/// Makes the table and waits until it can be used. One that the instance refuses for its settings is made without.
pub(super) async fn create(cx: &Scope<'_>, name: &str, record: &Record) -> Result<Json> {
    let mut request = json!({
        "TableName": name,
        "KeySchema": schema(record.attributes.get("KeySchema")),
        "AttributeDefinitions": definitions(record, &indexes(record, GLOBAL)),
        "BillingMode": record.text("BillingMode").unwrap_or("PAY_PER_REQUEST"),
    });
    if let Some(throughput) = throughput(record, None) {
        request["ProvisionedThroughput"] = throughput;
    }
    for list in [GLOBAL, LOCAL] {
        let indexes = indexes(record, list);
        if !indexes.is_empty() {
            let throughput = |index| if list == GLOBAL { throughput(record, Some(index)) } else { None };
            request[list] = indexes.iter().map(|(name, index)| index_json(name, index, throughput(index))).collect();
        }
    }
    let plain = request.clone();
    let empty = Record::default();
    for settings in [stream(&empty, record), sealing(cx, &empty, record), class(&empty, record)].into_iter().flatten() {
        merge(&mut request, settings);
    }
    let made = match cx.json(&API, "CreateTable", request.clone()).await {
        Err(error) if error.is_existing() => Ok(Json::Null),
        Err(error) if (400..500).contains(&error.status) && request != plain => {
            tracing::info!(%error, name, "made without its settings");
            cx.json(&API, "CreateTable", plain).await
        }
        made => made,
    };
    made.map_err(refused)?;
    ready(cx, name).await
}

/// Deletes the table and waits until it is gone.
pub(super) async fn delete(cx: &Scope<'_>, name: &str) -> Result<()> {
    let Some(live) = describe(cx, name).await? else { return Ok(()) };
    if live["DeletionProtectionEnabled"] == true {
        let request = json!({"TableName": name, "DeletionProtectionEnabled": false});
        cx.json(&API, "UpdateTable", request).await.map_err(refused)?;
        ready(cx, name).await?;
    }
    found(cx.json(&API, "DeleteTable", json!({"TableName": name})).await).map_err(refused)?;
    wait(name, || async { Ok(describe(cx, name).await?.is_none().then_some(())) }).await
}

/// Waits until the table and its indexes can be used; gives its description.
async fn ready(cx: &Scope<'_>, name: &str) -> Result<Json> {
    let is_active = |status: &Json| matches!(status.as_str(), None | Some("ACTIVE"));
    wait(name, || async {
        let live = describe(cx, name).await?;
        let is_ready = |live: &Json| {
            is_active(&live["TableStatus"]) && items(&live[GLOBAL]).iter().all(|index| is_active(&index["IndexStatus"]))
        };
        Ok(live.filter(is_ready))
    })
    .await
}

async fn wait<T, W: Future<Output = Result<Option<T>>>>(name: &str, look: impl Fn() -> W) -> Result<T> {
    let end = Instant::now() + limits::TABLE_READY;
    let mut pause = Duration::from_millis(20);
    loop {
        if let Some(there) = look().await? {
            return Ok(there);
        }
        if Instant::now() > end {
            return Err(Error::unavailable(format!("the table {name} does not get ready")));
        }
        sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(1));
    }
}

/// The updates that lead from one record to the other, in an order in which each is allowed: AWS takes one change of
/// one index at a time, and throughput for all indexes at once.
pub(super) fn changes(cx: &Scope<'_>, now: &Record, after: &Record) -> Vec<Json> {
    let mut requests = Vec::new();
    let (have, want) = (indexes(now, GLOBAL), indexes(after, GLOBAL));
    let shape = |index: &Value| {
        let mut fields = index.as_map().cloned().unwrap_or_default();
        fields.remove("ProvisionedThroughput");
        fields
    };
    let mut there: BTreeMap<String, Value> = BTreeMap::new();
    for (name, index) in have {
        match want.get(&name) {
            Some(wanted) if shape(wanted) == shape(&index) => drop(there.insert(name, index)),
            _ => requests.push(json!({"GlobalSecondaryIndexUpdates": [{"Delete": {"IndexName": name}}]})),
        }
    }
    let same = |name: &str| now.attributes.get(name) == after.attributes.get(name);
    let kept_alike = there.iter().all(|(name, index)| want.get(name) == Some(index));
    if !same("BillingMode") || !same("ProvisionedThroughput") || !kept_alike {
        let mut request = json!({"BillingMode": after.text("BillingMode").unwrap_or("PAY_PER_REQUEST")});
        if let Some(throughput) =
            throughput(after, None).filter(|_| !same("BillingMode") || !same("ProvisionedThroughput"))
        {
            request["ProvisionedThroughput"] = throughput;
        }
        let of_index = |name: &String| {
            let throughput = throughput(after, want.get(name))?;
            Some(json!({"Update": {"IndexName": name, "ProvisionedThroughput": throughput}}))
        };
        let differs = |(name, index): &(&String, &Value)| want.get(*name) != Some(*index);
        let updates: Vec<Json> = there.iter().filter(differs).filter_map(|(name, _)| of_index(name)).collect();
        if !updates.is_empty() {
            request["GlobalSecondaryIndexUpdates"] = updates.into();
        }
        requests.push(request);
    }
    for (name, index) in &want {
        if !there.contains_key(name) {
            there.insert(name.clone(), index.clone());
            let create = index_json(name, index, throughput(after, Some(index)));
            requests.push(json!({
                "AttributeDefinitions": definitions(after, &there),
                "GlobalSecondaryIndexUpdates": [{"Create": create}],
            }));
        }
    }
    requests.extend(stream(now, after));
    requests.extend(sealing(cx, now, after));
    requests.extend(class(now, after));
    if !same("DeletionProtectionEnabled") {
        let on = after.attributes.get("DeletionProtectionEnabled") == Some(&Value::Bool(true));
        requests.push(json!({ "DeletionProtectionEnabled": on }));
    }
    requests
}

/// What has to be said of streams. A stream of another kind is a new one: the old one has to end first.
fn stream(now: &Record, after: &Record) -> Vec<Json> {
    let (have, want) = (now.text("StreamViewType"), after.text("StreamViewType"));
    let mut requests = Vec::new();
    if have != want && have.is_some() {
        requests.push(json!({"StreamSpecification": {"StreamEnabled": false}}));
    }
    if let Some(kind) = want.filter(|_| have != want) {
        requests.push(json!({"StreamSpecification": {"StreamEnabled": true, "StreamViewType": kind}}));
    }
    requests
}

fn sealing(cx: &Scope<'_>, now: &Record, after: &Record) -> Vec<Json> {
    let (have, want) = (now.attributes.get("SSESpecification"), after.attributes.get("SSESpecification"));
    if have == want {
        return Vec::new();
    }
    let mut specification = want.map(|want| cx.local(want).to_json()).unwrap_or_else(|| json!({}));
    specification["Enabled"] = want.is_some().into();
    vec![json!({ "SSESpecification": specification })]
}

fn class(now: &Record, after: &Record) -> Vec<Json> {
    let (have, want) = (now.text("TableClass"), after.text("TableClass"));
    if have == want { Vec::new() } else { vec![json!({"TableClass": want.unwrap_or("STANDARD")})] }
}

/// Expiry by an attribute. AWS wants the old one switched off before another is switched on.
pub(super) async fn expire(cx: &Scope<'_>, name: &str, now: &Record, after: &Record) -> Result<()> {
    let (have, want) = (now.text("TimeToLiveAttribute"), after.text("TimeToLiveAttribute"));
    if have == want {
        return Ok(());
    }
    for (attribute, on) in [(have, false), (want, true)] {
        if let Some(attribute) = attribute {
            let specification = json!({"Enabled": on, "AttributeName": attribute});
            let request = json!({"TableName": name, "TimeToLiveSpecification": specification});
            tolerate(cx.json(&API, "UpdateTimeToLive", request).await)?;
        }
    }
    Ok(())
}

pub(super) async fn update(cx: &Scope<'_>, name: &str, mut request: Json) -> Result<()> {
    request["TableName"] = name.into();
    tolerate(cx.json(&API, "UpdateTable", request).await)?;
    ready(cx, name).await?;
    Ok(())
}

/// A setting that the instance refuses must not cost the table and its items.
pub(super) fn tolerate(answer: Result<Json, ApiError>) -> Result<(), ApiError> {
    match answer {
        Err(error) if (400..500).contains(&error.status) || error.is_unsupported() => {
            tracing::info!(%error, "not set");
            Ok(())
        }
        answer => answer.map(drop),
    }
}

fn merge(request: &mut Json, more: Json) {
    if let (Json::Object(request), Json::Object(more)) = (request, more) {
        request.extend(more);
    }
}

fn indexes(record: &Record, list: &str) -> BTreeMap<String, Value> {
    record.attributes.get(list).and_then(Value::as_map).cloned().unwrap_or_default()
}

/// `[{AttributeName, KeyType}]`, the partition key first.
fn schema(keys: Option<&Value>) -> Json {
    let keys = keys.and_then(Value::as_map);
    let key = |kind: &str| Some(json!({"AttributeName": keys?.get(kind)?.as_text()?, "KeyType": kind}));
    ["HASH", "RANGE"].into_iter().filter_map(key).collect()
}

/// The types of exactly the attributes that are keys of the table and of these global indexes: AWS refuses more.
fn definitions(record: &Record, global: &BTreeMap<String, Value>) -> Json {
    let local = indexes(record, LOCAL);
    let of_indexes = global.values().chain(local.values()).filter_map(|index| index.as_map()?.get("KeySchema"));
    let schemas = of_indexes.chain(record.attributes.get("KeySchema"));
    let used: BTreeSet<&str> =
        schemas.filter_map(Value::as_map).flat_map(|keys| keys.values()).filter_map(Value::as_text).collect();
    let types = record.attributes.get("AttributeDefinitions").and_then(Value::as_map);
    let definition = |name: &str| Some(json!({"AttributeName": name, "AttributeType": types?.get(name)?.as_text()?}));
    used.into_iter().filter_map(definition).collect()
}

/// The throughput of the table or of an index; none where the table is paid by request.
fn throughput(record: &Record, index: Option<&Value>) -> Option<Json> {
    if record.text("BillingMode") != Some("PROVISIONED") {
        return None;
    }
    let own = index.and_then(|index| index.as_map()?.get("ProvisionedThroughput"));
    own.or_else(|| record.attributes.get("ProvisionedThroughput")).map(Value::to_json)
}

fn index_json(name: &str, index: &Value, throughput: Option<Json>) -> Json {
    let fields = index.as_map();
    let field = |name: &str| fields.and_then(|fields| fields.get(name));
    let mut projection = json!({"ProjectionType": field("ProjectionType").and_then(Value::as_text).unwrap_or("ALL")});
    if let Some(others) = field("NonKeyAttributes") {
        projection["NonKeyAttributes"] = others.to_json();
    }
    let mut json = json!({"IndexName": name, "KeySchema": schema(field("KeySchema")), "Projection": projection});
    if let Some(throughput) = throughput {
        json["ProvisionedThroughput"] = throughput;
    }
    json
}
