//! Registered consumers, items of their stream.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use super::{API, CONSUMERS, policy_of, stream, write_policy};
use crate::core::address::Address;
use crate::core::record::Record;
use crate::core::value::Value;
use crate::error::{Error, Result};
use crate::instance::aws::{Request, Scope, items, quirks, refused, tags};
use crate::instance::{Sink, Step};
use crate::limits;

/// Stands in a consumer's policy for its own ARN, which ends in the time it was registered.
const ITSELF: &str = "{itself}";

pub(super) async fn capture_all(cx: &Scope<'_>, sink: &dyn Sink, stream: &Address, arn: &str) -> Result<()> {
    let named = all(cx, arn).await?.into_iter().map(|(name, arn)| (stream.item(CONSUMERS, &name), arn)).collect();
    cx.each(sink, named, |address, arn| async move { sink.record(address, read(cx, &arn).await?) }).await
}

/// The ARNs of a stream's consumers by their names.
pub(super) async fn all(cx: &Scope<'_>, stream: &str) -> Result<BTreeMap<String, String>> {
    let mut pages =
        cx.pages(Request::json(&API, "ListStreamConsumers", json!({"StreamARN": stream})), "NextToken", "NextToken");
    let mut consumers = BTreeMap::new();
    while let Some(page) = pages.next().await? {
        for consumer in items(&page["Consumers"]) {
            if let (Some(name), Some(arn)) = (consumer["ConsumerName"].as_str(), consumer["ConsumerARN"].as_str())
                && consumer["ConsumerStatus"] != "DELETING"
            {
                consumers.insert(name.to_owned(), arn.to_owned());
            }
        }
    }
    Ok(consumers)
}

pub(super) async fn read(cx: &Scope<'_>, arn: &str) -> Result<Record> {
    let mut attributes = BTreeMap::new();
    if let Some(tags) = tags_of(cx, arn).await? {
        attributes.insert("Tags".to_owned(), tags);
    }
    if let Some(policy) = policy_of(cx, arn).await? {
        let itself = cx.portable_text(arn);
        attributes.insert("Policy".to_owned(), policy.map_text(&|text| text.replace(&itself, ITSELF)));
    }
    Ok(Record::new(attributes))
}

async fn tags_of(cx: &Scope<'_>, arn: &str) -> Result<Option<Value>> {
    if !quirks::has_consumer_tags(cx.emulator) {
        return Ok(None);
    }
    let answer = cx.json(&API, "ListTagsForResource", json!({"ResourceARN": arn})).await?;
    Ok(tags::from_list(&answer["Tags"]))
}

pub(super) async fn apply(cx: &Scope<'_>, step: &Step, name: &str) -> Result<()> {
    let Some(stream) = stream::read(cx, step.address.name()).await? else {
        let lacking = || Error::denied(format!("there is no stream {}", step.address.name()));
        return if step.after.is_some() { Err(lacking()) } else { Ok(()) };
    };
    match &step.after {
        Some(after) => put(cx, &stream.arn, name, after).await,
        None => {
            let Some(arn) = all(cx, &stream.arn).await?.remove(name) else { return Ok(()) };
            cx.json(&API, "DeregisterStreamConsumer", json!({"ConsumerARN": arn})).await.map_err(refused)?;
            wait(cx, &stream.arn, name, false).await
        }
    }
}

/// Brings a consumer to what a record says, which is made if it is not there.
pub(super) async fn put(cx: &Scope<'_>, stream: &str, name: &str, after: &Record) -> Result<()> {
    let (wanted, policy) = (after.attributes.get("Tags"), after.attributes.get("Policy"));
    let known = all(cx, stream).await?.remove(name);
    let arn = match known {
        Some(arn) => arn,
        None => {
            let request = json!({"StreamARN": stream, "ConsumerName": name});
            let made = cx.json(&API, "RegisterStreamConsumer", request).await.map_err(refused)?;
            wait(cx, stream, name, true).await?;
            let arn = made["Consumer"]["ConsumerARN"].as_str();
            arn.ok_or_else(|| Error::failed("the instance gives a new consumer no ARN"))?.to_owned()
        }
    };
    let live = read(cx, &arn).await?;
    if live.attributes.get("Policy") != policy {
        let policy = policy.map(|policy| policy.map_text(&|text| text.replace(ITSELF, &arn)));
        write_policy(cx, &arn, policy.as_ref()).await?;
    }
    if !quirks::has_consumer_tags(cx.emulator) {
        return Ok(());
    }
    let (put, removed) = tags::changes(live.attributes.get("Tags"), wanted);
    if !removed.is_empty() {
        let request = json!({"ResourceARN": arn, "TagKeys": removed});
        cx.json(&API, "UntagResource", request).await.map_err(refused)?;
    }
    if !put.is_empty() {
        let tags: BTreeMap<String, String> = put.into_iter().collect();
        cx.json(&API, "TagResource", json!({"ResourceARN": arn, "Tags": tags})).await.map_err(refused)?;
    }
    Ok(())
}

/// Waits until a consumer can be used, or until it is gone.
async fn wait(cx: &Scope<'_>, stream: &str, name: &str, used: bool) -> Result<()> {
    let end = Instant::now() + limits::STREAM_READY;
    loop {
        let mut pages = cx.pages(
            Request::json(&API, "ListStreamConsumers", json!({"StreamARN": stream})),
            "NextToken",
            "NextToken",
        );
        let mut state = Json::Null;
        while let Some(page) = pages.next().await? {
            let found = items(&page["Consumers"]).iter().find(|consumer| consumer["ConsumerName"] == name);
            if let Some(consumer) = found {
                state = consumer["ConsumerStatus"].clone();
            }
        }
        if if used { state == "ACTIVE" } else { state.is_null() } {
            return Ok(());
        }
        if Instant::now() > end {
            return Err(Error::failed(format!("the consumer {name} stays {state}")));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
