//! Event source mappings. Their ids are generated, so each is named after what it joins: `FUNCTION:SERVICE:SOURCE`.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Map, Value as Json, json};

use super::{API, retag, text};
use crate::core::address::SELF_ACCOUNT;
use crate::core::record::Record;
use crate::core::value::Value;
use crate::error::{Error, Result};
use crate::instance::aws::{Api, ApiError, Emulator, Method, Request, Scope, found, items, refused, tags};
use crate::instance::{Sink, Step};
use crate::limits;

const DYNAMODB: Api = Api::json("dynamodb", "DynamoDB_20120810", "1.0");

/// Told about a mapping, but no part of it, or read by a call of its own.
const VOLATILE: [&str; 9] = [
    "EventSourceArn",
    "EventSourceMappingArn",
    "FilterCriteriaError",
    "LastModified",
    "LastProcessingResult",
    "State",
    "StateTransitionReason",
    "Tags",
    "UUID",
];

/// What an update can't change: a mapping that differs in it is made anew.
const FIXED: [&str; 5] =
    ["StartingPosition", "StartingPositionTimestamp", "Topics", "Queues", "SelfManagedEventSource"];

/// What an attribute is when a mapping has none: left away in records, sent to take one back.
fn default(attribute: &str) -> Option<Json> {
    Some(match attribute {
        "BisectBatchOnFunctionError" => json!(false),
        "DestinationConfig" => json!({"OnFailure": {}}),
        "FilterCriteria" => json!({"Filters": []}),
        "FunctionResponseTypes" | "Queues" | "SourceAccessConfigurations" | "Topics" => json!([]),
        "KMSKeyArn" => json!(""),
        "MaximumBatchingWindowInSeconds" | "TumblingWindowInSeconds" => json!(0),
        "MaximumRecordAgeInSeconds" | "MaximumRetryAttempts" => json!(-1),
        "ParallelizationFactor" => json!(1),
        "ScalingConfig" => json!({}),
        _ => return None,
    })
}

pub(super) async fn capture(cx: &Scope<'_>, sink: &dyn Sink) -> Result<()> {
    for live in list(cx).await? {
        let address = cx.address("event-source-mapping", &live.name);
        sink.mark(&address, &live.uuid);
        sink.record(address, live.record)?;
    }
    Ok(())
}

/// A mapping as it stands there.
struct Live {
    name: String,
    uuid: String,
    arn: Option<String>,
    record: Record,
}

/// All of them, named. Of several between the same two, the second and later ones are numbered, in the order of what
/// they say.
async fn list(cx: &Scope<'_>) -> Result<Vec<Live>> {
    let mut all = Vec::new();
    let request = Request::rest(&API, Method::GET, ["2015-03-31", "event-source-mappings"]);
    let mut pages = cx.pages(request, "Marker", "NextMarker");
    while let Some(page) = pages.next().await? {
        for mapping in items(&page["EventSourceMappings"]) {
            if let Some(uuid) = text(mapping, "UUID")
                && let Some(mapping) = settled(cx, uuid, mapping).await?
            {
                all.push(read(cx, uuid, &mapping).await?);
            }
        }
    }
    all.sort_by(|a, b| (&a.name, &a.record.attributes).cmp(&(&b.name, &b.record.attributes)));
    let mut count = 1;
    let mut last = String::new();
    for live in &mut all {
        count = if live.name == last { count + 1 } else { 1 };
        last.clone_from(&live.name);
        if count > 1 {
            live.name.push_str(&format!("#{count}"));
        }
    }
    Ok(all)
}

/// The mapping once it is no longer on its way from one state to another; none if it goes away.
async fn settled(cx: &Scope<'_>, uuid: &str, mapping: &Json) -> Result<Option<Json>, ApiError> {
    let (started, mut mapping) = (Instant::now(), mapping.clone());
    loop {
        match text(&mapping, "State") {
            Some("Deleting") => return Ok(None),
            Some("Creating" | "Enabling" | "Disabling" | "Updating") if started.elapsed() < limits::FUNCTION_READY => {}
            _ => return Ok(Some(mapping)),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        match found(cx.call(at(Method::GET, uuid)).await)? {
            Some(now) => mapping = now,
            None => return Ok(None),
        }
    }
}

async fn read(cx: &Scope<'_>, uuid: &str, mapping: &Json) -> Result<Live> {
    let mut attributes = BTreeMap::new();
    for (attribute, value) in mapping.as_object().into_iter().flatten() {
        let says_nothing = value.is_null() || default(attribute).as_ref() == Some(value);
        if says_nothing || VOLATILE.contains(&attribute.as_str()) {
            continue;
        }
        let value = match (attribute.as_str(), cx.portable(&Value::from_json(value)?)) {
            ("FunctionResponseTypes", Value::List(types)) => Value::Set(types.into_iter().collect()),
            (_, value) => value,
        };
        attributes.insert(attribute.clone(), value);
    }
    let source = text(mapping, "EventSourceArn").map(|arn| without_label(&cx.portable_text(arn)).to_owned());
    let function = text(mapping, "FunctionArn").and_then(|arn| arn.split(":function:").nth(1)).unwrap_or_default();
    let name = match &source {
        Some(arn) => format!("{function}:{}", short(arn, cx.region)),
        None => {
            format!("{function}:kafka:{}", items(&mapping["Topics"]).first().and_then(Json::as_str).unwrap_or_default())
        }
    };
    if let Some(source) = source {
        attributes.insert("EventSourceArn".to_owned(), source.into());
    }
    attributes.insert("Enabled".to_owned(), (!text(mapping, "State").unwrap_or_default().starts_with("Disab")).into());
    // fakecloud takes a mapping's ARN for its function's: the tags would be the function's.
    let arn = text(mapping, "EventSourceMappingArn").filter(|_| cx.emulator != Emulator::Fakecloud).map(str::to_owned);
    if let Some(arn) = &arn {
        let request = Request::rest(&API, Method::GET, ["2017-03-31", "tags", arn]);
        // Not every emulator tags mappings.
        if let Ok(answer) = cx.call(request).await
            && let Some(tags) = tags::from_list(&answer["Tags"])
        {
            attributes.insert("Tags".to_owned(), tags);
        }
    }
    Ok(Live { name, uuid: uuid.to_owned(), arn, record: Record::new(attributes) })
}

/// A DynamoDB stream's ARN ends in the time when it was switched on, which no other instance can have.
fn without_label(arn: &str) -> &str {
    match arn.split_once("/stream/") {
        Some((table, _)) if table.contains(":dynamodb:") => arn.get(..table.len() + "/stream".len()).unwrap_or(arn),
        _ => arn,
    }
}

/// The part of a portable ARN that tells sources apart: `sqs:orders`, `dynamodb:users`, with region and account only
/// where they are others.
fn short(arn: &str, region: &str) -> String {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let [_, _, service, its_region, account, resource] = parts.as_slice() else { return arn.to_owned() };
    let resource = resource.strip_suffix("/stream").unwrap_or(resource);
    let resource = resource.strip_prefix("table/").or(resource.strip_prefix("stream/")).unwrap_or(resource);
    let mut short = vec![*service];
    short.extend([*its_region].into_iter().filter(|its_region| *its_region != region));
    short.extend([*account].into_iter().filter(|account| *account != SELF_ACCOUNT));
    short.push(resource);
    short.join(":")
}

fn at(method: Method, uuid: &str) -> Request {
    Request::rest(&API, method, ["2015-03-31", "event-source-mappings", uuid])
}

pub(super) async fn apply(cx: &Scope<'_>, step: &Step) -> Result<()> {
    let live = list(cx).await?.into_iter().find(|live| live.name == step.address.name());
    let (live, after) = match (live, &step.after) {
        (None, None) => return Ok(()),
        (Some(live), None) => return delete(cx, &live.uuid).await,
        (live, Some(after)) => (live, after),
    };
    let enabled = !step.paused && after.attributes.get("Enabled") != Some(&Value::Bool(false));
    let fixed = |live: &Live| FIXED.iter().all(|name| live.record.attributes.get(*name) == after.attributes.get(*name));
    match live {
        Some(live) if fixed(&live) => update(cx, &live, after, enabled).await,
        Some(live) => {
            delete(cx, &live.uuid).await?;
            create(cx, after, enabled).await
        }
        None => create(cx, after, enabled).await,
    }
}

/// A function by its name, as people call it: moto finds a mapping by the very word it was made with.
fn function_name(cx: &Scope<'_>, arn: &Value) -> Json {
    let own = format!("arn:aws:lambda:{}:{}:function:", cx.region, cx.label);
    match arn.as_text().and_then(|arn| arn.strip_prefix(&own)) {
        Some(name) => name.into(),
        None => cx.local(arn).to_json(),
    }
}

async fn create(cx: &Scope<'_>, after: &Record, enabled: bool) -> Result<()> {
    let mut fields = Map::new();
    for (attribute, value) in &after.attributes {
        match attribute.as_str() {
            "FunctionArn" => fields.insert("FunctionName".to_owned(), function_name(cx, value)),
            "Tags" => fields.insert("Tags".to_owned(), tags::to_map(value)),
            _ => fields.insert(attribute.clone(), cx.local(value).to_json()),
        };
    }
    fields.insert("Enabled".to_owned(), enabled.into());
    if let Some(arn) = after.text("EventSourceArn") {
        fields.insert("EventSourceArn".to_owned(), with_label(cx, &cx.local_text(arn)).await?.into());
    }
    let request = Request::rest(&API, Method::POST, ["2015-03-31", "event-source-mappings"]);
    let made = cx.call(request.body_json(Json::Object(fields))).await.map_err(refused)?;
    let uuid = text(&made, "UUID").ok_or_else(|| Error::failed("the instance gave the mapping no id"))?;
    settled(cx, uuid, &made).await?;
    Ok(())
}

/// The ARN of the table's present stream.
async fn with_label(cx: &Scope<'_>, arn: &str) -> Result<String> {
    let table = arn.strip_suffix("/stream").filter(|table| table.contains(":dynamodb:"));
    let Some(table) = table.and_then(|table| table.split(":table/").nth(1)) else { return Ok(arn.to_owned()) };
    // An instance without DynamoDB costs the mapping, whatever it answers.
    let answer = cx.json(&DYNAMODB, "DescribeTable", json!({ "TableName": table })).await;
    let answer = answer.map_err(|error| match error.is_gone() {
        true => error.into(),
        false => Error::denied(error.to_string()),
    })?;
    let stream = text(&answer["Table"], "LatestStreamArn");
    stream.map(str::to_owned).ok_or_else(|| Error::denied(format!("table {table} has no stream to map from")))
}

async fn update(cx: &Scope<'_>, live: &Live, after: &Record, enabled: bool) -> Result<()> {
    let (live_attributes, wanted) = (&live.record.attributes, &after.attributes);
    let mut fields = Map::new();
    for attribute in live_attributes.keys().chain(wanted.keys()) {
        let apart = matches!(attribute.as_str(), "Enabled" | "EventSourceArn" | "FunctionArn" | "Tags");
        if apart || live_attributes.get(attribute) == wanted.get(attribute) {
            continue;
        }
        let value = wanted.get(attribute).map(|value| cx.local(value).to_json());
        if let Some(value) = value.or_else(|| default(attribute)) {
            fields.insert(attribute.clone(), value);
        }
    }
    if live_attributes.get("Enabled") != Some(&Value::Bool(enabled)) {
        fields.insert("Enabled".to_owned(), enabled.into());
    }
    if !fields.is_empty() {
        let updated = cx.call(at(Method::PUT, &live.uuid).body_json(Json::Object(fields))).await.map_err(refused)?;
        settled(cx, &live.uuid, &updated).await?;
    }
    let (put, removed) = tags::changes(live_attributes.get("Tags"), wanted.get("Tags"));
    match &live.arn {
        Some(arn) => retag(cx, arn, put, removed).await,
        None => Ok(()),
    }
}

async fn delete(cx: &Scope<'_>, uuid: &str) -> Result<()> {
    found(cx.call(at(Method::DELETE, uuid)).await)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapping_is_named_after_its_source() {
        for (arn, name) in [
            ("arn:aws:sqs:us-east-1:self:orders", "sqs:orders"),
            ("arn:aws:sqs:us-east-1:999999999999:orders", "sqs:999999999999:orders"),
            ("arn:aws:kinesis:eu-west-1:self:stream/clicks", "kinesis:eu-west-1:clicks"),
            ("arn:aws:dynamodb:us-east-1:self:table/users/stream", "dynamodb:users"),
        ] {
            assert_eq!(short(arn, "us-east-1"), name);
        }
        assert_eq!(
            without_label("arn:aws:dynamodb:us-east-1:self:table/users/stream/2026-11-24T11:22:48.493"),
            "arn:aws:dynamodb:us-east-1:self:table/users/stream"
        );
    }
}
