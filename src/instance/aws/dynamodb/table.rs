//! Tables as records: keys, indexes, throughput and settings.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};

use super::API;
use crate::core::record::Record;
use crate::core::value::Value;
use crate::error::Result;
use crate::instance::aws::{Api, ApiError, Scope, items, tags};

const KMS: Api = Api::json("kms", "TrentService", "1.1");

/// The key that AWS uses if nobody names one.
const OWN_KEY: &str = "alias/aws/dynamodb";

/// What outlives edits of a table but not the table: its generated id, or when it was made.
pub(super) fn born(live: &Json) -> String {
    match live["TableId"].as_str() {
        Some(id) => id.to_owned(),
        None => live["CreationDateTime"].to_string(),
    }
}

/// A table as its record has it.
///
/// `KeySchema` maps `HASH` and `RANGE` to attributes, `AttributeDefinitions` attributes to types, and indexes stand
/// under their names: where AWS has lists, their order means nothing.
pub(super) async fn record(cx: &Scope<'_>, live: &Json) -> Result<Record> {
    let name = live["TableName"].as_str().unwrap_or_default();
    let provisioned = is_provisioned(live);
    let mut attributes = BTreeMap::from([
        ("KeySchema".to_owned(), keys(&live["KeySchema"])),
        ("AttributeDefinitions".to_owned(), definitions(live)),
        ("BillingMode".to_owned(), Value::text(if provisioned { "PROVISIONED" } else { "PAY_PER_REQUEST" })),
    ]);
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            attributes.insert(name.to_owned(), value);
        }
    };
    set("ProvisionedThroughput", throughput(provisioned, live));
    for list in ["GlobalSecondaryIndexes", "LocalSecondaryIndexes"] {
        let provisioned = provisioned && list == "GlobalSecondaryIndexes";
        let indexes = items(&live[list])
            .iter()
            .filter_map(|index| Some((index["IndexName"].as_str()?.to_owned(), index_value(index, provisioned))));
        let indexes: BTreeMap<String, Value> = indexes.collect();
        set(list, (!indexes.is_empty()).then_some(Value::Map(indexes)));
    }
    let stream = &live["StreamSpecification"];
    let streams = stream["StreamEnabled"] == true;
    set("StreamViewType", stream["StreamViewType"].as_str().filter(|_| streams).map(Value::text));
    set("SSESpecification", sealed(cx, &live["SSEDescription"]).await?);
    let class = live["TableClassSummary"]["TableClass"].as_str();
    set("TableClass", class.filter(|class| *class != "STANDARD").map(Value::text));
    set("DeletionProtectionEnabled", (live["DeletionProtectionEnabled"] == true).then_some(Value::Bool(true)));
    let ttl = optional(cx.json(&API, "DescribeTimeToLive", json!({"TableName": name})).await)?;
    let ttl = &ttl["TimeToLiveDescription"];
    let enabled = matches!(ttl["TimeToLiveStatus"].as_str(), Some("ENABLED" | "ENABLING"));
    set("TimeToLiveAttribute", ttl["AttributeName"].as_str().filter(|_| enabled).map(Value::text));
    set("Tags", table_tags(cx, live).await?);
    Ok(Record::new(attributes))
}

fn is_provisioned(live: &Json) -> bool {
    match live["BillingModeSummary"]["BillingMode"].as_str() {
        Some(mode) => mode == "PROVISIONED",
        // A table that never was anything else does not say.
        None => live["ProvisionedThroughput"]["ReadCapacityUnits"].as_i64().is_some_and(|units| units > 0),
    }
}

fn keys(schema: &Json) -> Value {
    let key = |key: &Json| Some((key["KeyType"].as_str()?.to_owned(), Value::text(key["AttributeName"].as_str()?)));
    Value::Map(items(schema).iter().filter_map(key).collect())
}

/// The types of the attributes that are keys of the table or of an index: instances may keep others that no index uses
/// any more.
fn definitions(live: &Json) -> Value {
    let indexes = ["GlobalSecondaryIndexes", "LocalSecondaryIndexes"];
    let schemas = indexes.iter().flat_map(|list| items(&live[*list])).map(|index| &index["KeySchema"]);
    let keys = schemas.chain([&live["KeySchema"]]).flat_map(items);
    let used: BTreeSet<&str> = keys.filter_map(|key| key["AttributeName"].as_str()).collect();
    let definitions = items(&live["AttributeDefinitions"]).iter().filter_map(|definition| {
        let name = definition["AttributeName"].as_str().filter(|name| used.contains(name))?;
        Some((name.to_owned(), Value::text(definition["AttributeType"].as_str()?)))
    });
    Value::Map(definitions.collect())
}

fn throughput(provisioned: bool, of: &Json) -> Option<Value> {
    let of = &of["ProvisionedThroughput"];
    let units = ["ReadCapacityUnits", "WriteCapacityUnits"].map(|name| Some((name, of[name].as_i64()?)));
    let units = units.into_iter().flatten().map(|(name, units)| (name.to_owned(), Value::from(units)));
    provisioned.then(|| Value::Map(units.collect()))
}

fn index_value(index: &Json, provisioned: bool) -> Value {
    let projection = &index["Projection"];
    let kind = projection["ProjectionType"].as_str().unwrap_or("ALL");
    let mut fields = BTreeMap::from([
        ("KeySchema".to_owned(), keys(&index["KeySchema"])),
        ("ProjectionType".to_owned(), Value::text(kind)),
    ]);
    let others = items(&projection["NonKeyAttributes"]).iter().filter_map(Json::as_str);
    if kind == "INCLUDE" {
        fields.insert("NonKeyAttributes".to_owned(), Value::text_set(others));
    }
    if let Some(throughput) = throughput(provisioned, index) {
        fields.insert("ProvisionedThroughput".to_owned(), throughput);
    }
    Value::Map(fields)
}

/// Encryption with a key in KMS. The one that AWS makes for all tables is not named: each instance has another.
async fn sealed(cx: &Scope<'_>, sse: &Json) -> Result<Option<Value>> {
    if !matches!(sse["Status"].as_str(), Some("ENABLED" | "ENABLING")) {
        return Ok(None);
    }
    let mut fields = BTreeMap::from([("SSEType".to_owned(), Value::text(sse["SSEType"].as_str().unwrap_or("KMS")))]);
    if let Some(key) = sse["KMSMasterKeyArn"].as_str().filter(|key| !key.ends_with(OWN_KEY)) {
        let own = match (key_metadata(cx, key).await?, key_metadata(cx, OWN_KEY).await?) {
            (Some(key), _) if key["KeyManager"] == "AWS" => true,
            // moto makes it as a user's.
            (_, Some(own)) => own["Arn"] == key,
            _ => false,
        };
        if !own {
            fields.insert("KMSMasterKeyId".to_owned(), Value::text(cx.portable_text(key)));
        }
    }
    Ok(Some(Value::Map(fields)))
}

async fn key_metadata(cx: &Scope<'_>, key: &str) -> Result<Option<Json>> {
    match cx.json(&KMS, "DescribeKey", json!({"KeyId": key})).await {
        Ok(mut answer) => Ok(Some(answer["KeyMetadata"].take())),
        Err(error) if error.is_gone() => Err(error.into()),
        Err(_) => Ok(None),
    }
}

async fn table_tags(cx: &Scope<'_>, live: &Json) -> Result<Option<Value>> {
    let request = |token: &Json| {
        let mut request = json!({"ResourceArn": live["TableArn"]});
        if token.is_string() {
            request["NextToken"] = token.clone();
        }
        request
    };
    let mut all = Vec::new();
    let mut token = Json::Null;
    // A table has at most 50 tags, ten on a page.
    for _ in 0..10 {
        let page = optional(cx.json(&API, "ListTagsOfResource", request(&token)).await)?;
        all.extend_from_slice(items(&page["Tags"]));
        token = page["NextToken"].clone();
        if !token.is_string() {
            break;
        }
    }
    Ok(tags::from_list(&Json::Array(all)))
}

/// An instance that does not know an operation has nothing to say about it.
fn optional(answer: Result<Json, ApiError>) -> Result<Json, ApiError> {
    match answer {
        Err(error) if error.is_unsupported() => Ok(Json::Null),
        answer => answer,
    }
}
