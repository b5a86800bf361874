//! Streams.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use super::{API, policy_of, write_policy};
use crate::core::record::Record;
use crate::core::value::Value;
use crate::error::{Error, Result};
use crate::instance::aws::described::{self, Attributes};
use crate::instance::aws::{ApiError, Scope, found, items, quirks, refused, tags};
use crate::limits;

/// What a stream is when nobody says otherwise.
const RETENTION: i64 = 24;
const RECORD_SIZE: i64 = 1024;

/// So many metrics a shard has.
const METRICS: usize = 7;

/// AWS takes this many tags at once.
const TAGS: usize = 10;

/// A stream as it stands there.
pub(super) struct Live {
    pub arn: String,
    pub record: Record,
    pub created: Json,
}

pub(super) async fn names(cx: &Scope<'_>) -> Result<Vec<String>> {
    let mut names: Vec<String> = Vec::new();
    let mut request = json!({});
    for _ in 0..limits::INSTANCE_PAGES {
        let page = cx.json(&API, "ListStreams", request).await?;
        let known = names.len();
        names.extend(items(&page["StreamNames"]).iter().filter_map(Json::as_str).map(str::to_owned));
        // LocalStack gives no token; the last name is understood by all.
        match names.last() {
            Some(last) if names.len() > known && page["HasMoreStreams"] == true => {
                request = json!({"ExclusiveStartStreamName": last});
            }
            _ => return Ok(names),
        }
    }
    Err(ApiError::broken("kinesis ListStreams", "the listing does not end").into())
}

async fn describe(cx: &Scope<'_>, name: &str) -> Result<Option<Json>, ApiError> {
    let answer = found(cx.json(&API, "DescribeStreamSummary", json!({"StreamName": name})).await)?;
    Ok(answer.map(|mut answer| answer["StreamDescriptionSummary"].take()))
}

/// The stream of this name; none if there is none, or will be none.
pub(super) async fn read(cx: &Scope<'_>, name: &str) -> Result<Option<Live>> {
    let Some(live) = describe(cx, name).await?.filter(|live| live["StreamStatus"] != "DELETING") else {
        return Ok(None);
    };
    let arn = live["StreamARN"].as_str().ok_or_else(|| Error::failed("the instance gives a stream no ARN"))?.to_owned();
    // LocalStack answers for a region that it does not know as for another.
    if arn.split(':').nth(3) != Some(cx.region) {
        return Ok(None);
    }
    let mut attributes = Attributes::new();
    let mode = live["StreamModeDetails"]["StreamMode"].as_str().unwrap_or("PROVISIONED");
    attributes.insert("StreamMode".to_owned(), Value::text(mode));
    let mut number = |name: &str, json: &Json, default: i64| -> Result<()> {
        if json.as_i64().is_some_and(|number| number != default) {
            attributes.insert(name.to_owned(), Value::from_json(json)?);
        }
        Ok(())
    };
    if mode == "PROVISIONED" {
        number("ShardCount", &live["OpenShardCount"], 0)?;
    }
    number("RetentionPeriodHours", &live["RetentionPeriodHours"], RETENTION)?;
    number("MaxRecordSizeInKiB", &live["MaxRecordSizeInKiB"], RECORD_SIZE)?;
    number("WarmThroughputMiBps", &live["WarmThroughput"]["TargetMiBps"], 0)?;
    if let Some(key) = live["KeyId"].as_str().filter(|_| live["EncryptionType"] == "KMS") {
        attributes.insert("KeyId".to_owned(), Value::text(cx.portable_text(key)));
    }
    let monitored = items(&live["EnhancedMonitoring"]).iter().flat_map(|one| items(&one["ShardLevelMetrics"]));
    let monitored: Vec<&str> = monitored.filter_map(Json::as_str).collect();
    // Some write all of them out.
    let monitored = if monitored.len() >= METRICS { vec!["ALL"] } else { monitored };
    if !monitored.is_empty() {
        attributes.insert("ShardLevelMetrics".to_owned(), Value::text_set(monitored));
    }
    if let Some(tags) = tags_of(cx, name).await? {
        attributes.insert("Tags".to_owned(), tags);
    }
    if let Some(policy) = policy_of(cx, &arn).await? {
        attributes.insert("Policy".to_owned(), policy);
    }
    Ok(Some(Live { arn, record: Record::new(attributes), created: live["StreamCreationTimestamp"].clone() }))
}

async fn tags_of(cx: &Scope<'_>, name: &str) -> Result<Option<Value>> {
    let mut all: Vec<Json> = Vec::new();
    let mut request = json!({"StreamName": name});
    for _ in 0..limits::INSTANCE_PAGES {
        let page = cx.json(&API, "ListTagsForStream", request.clone()).await?;
        let known = all.len();
        all.extend(items(&page["Tags"]).iter().cloned());
        match all.last() {
            Some(last) if all.len() > known && page["HasMoreTags"] == true => {
                request["ExclusiveStartTagKey"] = last["Key"].clone();
            }
            _ => return Ok(tags::from_list(&Json::Array(all))),
        }
    }
    Err(ApiError::broken("kinesis ListTagsForStream", "the listing does not end").into())
}

pub(super) async fn create(cx: &Scope<'_>, name: &str, after: &Record) -> Result<()> {
    let mut request = json!({
        "StreamName": name,
        "StreamModeDetails": {"StreamMode": after.text("StreamMode").unwrap_or("PROVISIONED")},
    });
    if let Some(count) = after.attributes.get("ShardCount") {
        request["ShardCount"] = count.to_json();
    }
    let end = Instant::now() + limits::STREAM_READY;
    loop {
        match cx.json(&API, "CreateStream", request.clone()).await {
            // Only so many may be on their way at one time.
            Err(error) if error.has_code("LimitExceededException") && Instant::now() < end => {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            made => break made.map(|_| ()).map_err(refused)?,
        }
    }
    settle(cx, name).await?;
    match read(cx, name).await? {
        Some(live) => update(cx, name, &live, None, after).await,
        None => {
            // Of a region that it does not know LocalStack thinks as of another.
            cx.json(&API, "DeleteStream", json!({"StreamName": name})).await.map_err(refused)?;
            Err(Error::denied(format!("the instance makes streams of {} in another region", cx.region)))
        }
    }
}

pub(super) async fn update(
    cx: &Scope<'_>,
    name: &str,
    live: &Live,
    before: Option<&Attributes>,
    after: &Record,
) -> Result<()> {
    let (now, then) = (&live.record.attributes, &after.attributes);
    let wants = |attribute: &str| described::changes(attribute, now, before, then);
    let number = |attributes: &Attributes, name: &str, default: i64| {
        attributes.get(name).map_or_else(|| default.into(), Value::to_json)
    };
    if wants("RetentionPeriodHours") {
        let hours = number(then, "RetentionPeriodHours", RETENTION);
        let grows = hours.as_i64() > number(now, "RetentionPeriodHours", RETENTION).as_i64();
        let action = if grows { "IncreaseStreamRetentionPeriod" } else { "DecreaseStreamRetentionPeriod" };
        call(cx, name, action, json!({"StreamName": name, "RetentionPeriodHours": hours})).await?;
    }
    if wants("KeyId") {
        let (action, key) = match (after.text("KeyId"), live.record.text("KeyId")) {
            (Some(key), _) => ("StartStreamEncryption", key),
            (None, key) => ("StopStreamEncryption", key.unwrap_or_default()),
        };
        let request = json!({"StreamName": name, "EncryptionType": "KMS", "KeyId": cx.local_text(key)});
        call(cx, name, action, request).await?;
    }
    if wants("ShardLevelMetrics") {
        let metrics = |attributes: &Attributes| attributes.get("ShardLevelMetrics").map(Value::to_json);
        if let Some(all) = metrics(now) {
            call(cx, name, "DisableEnhancedMonitoring", json!({"StreamName": name, "ShardLevelMetrics": all})).await?;
        }
        if let Some(all) = metrics(then) {
            call(cx, name, "EnableEnhancedMonitoring", json!({"StreamName": name, "ShardLevelMetrics": all})).await?;
        }
    }
    if wants("MaxRecordSizeInKiB") && quirks::has_record_sizes(cx.emulator) {
        let size = number(then, "MaxRecordSizeInKiB", RECORD_SIZE);
        let request = json!({"StreamARN": live.arn, "MaxRecordSizeInKiB": size});
        call(cx, name, "UpdateMaxRecordSize", request).await?;
    }
    if wants("WarmThroughputMiBps") && quirks::has_record_sizes(cx.emulator) {
        let request = json!({"StreamARN": live.arn, "WarmThroughputMiBps": number(then, "WarmThroughputMiBps", 0)});
        call(cx, name, "UpdateStreamWarmThroughput", request).await?;
    }
    if wants("Policy") {
        write_policy(cx, &live.arn, then.get("Policy")).await?;
    }
    let (put, removed) = tags::changes(now.get("Tags"), then.get("Tags"));
    for keys in removed.chunks(TAGS) {
        let request = json!({"StreamName": name, "TagKeys": keys});
        cx.json(&API, "RemoveTagsFromStream", request).await.map_err(refused)?;
    }
    for tags in put.chunks(TAGS) {
        let tags: BTreeMap<&String, &String> = tags.iter().map(|(key, value)| (key, value)).collect();
        cx.json(&API, "AddTagsToStream", json!({"StreamName": name, "Tags": tags})).await.map_err(refused)?;
    }
    Ok(())
}

/// Changes a stream and waits until that is done.
pub(super) async fn call(cx: &Scope<'_>, name: &str, action: &str, request: Json) -> Result<()> {
    cx.json(&API, action, request).await.map_err(refused)?;
    settle(cx, name).await
}

pub(super) async fn delete(cx: &Scope<'_>, name: &str) -> Result<()> {
    settle(cx, name).await?;
    let request = json!({"StreamName": name, "EnforceConsumerDeletion": true});
    found(cx.json(&API, "DeleteStream", request).await).map_err(refused)?;
    settle(cx, name).await
}

/// Waits until nothing is being done to a stream: it can be used, or there is none.
pub(super) async fn settle(cx: &Scope<'_>, name: &str) -> Result<()> {
    let end = Instant::now() + limits::STREAM_READY;
    loop {
        let state = describe(cx, name).await?.map(|mut live| live["StreamStatus"].take());
        if state.as_ref().is_none_or(|state| state == "ACTIVE") {
            return Ok(());
        }
        if Instant::now() > end {
            return Err(Error::failed(format!("the stream {name} stays {}", state.unwrap_or_default())));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
