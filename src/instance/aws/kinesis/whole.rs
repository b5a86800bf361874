//! A stream with all that is in it: looked at, changed, made anew.

use std::collections::BTreeMap;

use serde_json::json;

use super::{STREAM, consumer, records, shard, stream};
use crate::core::content::Contents;
use crate::core::record::{Body, Record};
use crate::core::value::Value;
use crate::error::{Error, Result};
use crate::instance::aws::{Scope, described, quirks};
use crate::instance::{Sink, Step};

pub(super) async fn capture_all(cx: &Scope<'_>, sink: &dyn Sink) -> Result<()> {
    let streams = stream::names(cx).await?.into_iter().map(|name| (cx.address(STREAM, &name), name)).collect();
    cx.each(sink, streams, |address, name| async move {
        let Some(live) = stream::read(cx, &name).await? else { return Ok(()) };
        sink.mark(&address, &live.created.to_string());
        sink.record(address.clone(), live.record)?;
        consumer::capture_all(cx, sink, &address, &live.arn).await?;
        records::capture(cx, sink, &address).await
    })
    .await
}

pub(super) async fn apply_stream(cx: &Scope<'_>, step: &Step, contents: &dyn Contents) -> Result<()> {
    let name = step.address.name();
    let Some(after) = &step.after else { return stream::delete(cx, name).await };
    // One that is on its way out must be gone before there can be another.
    stream::settle(cx, name).await?;
    let Some(live) = stream::read(cx, name).await? else { return stream::create(cx, name, after).await };
    let before = step.before.as_ref().map(|before| &before.attributes);
    let wants = |attribute: &str| described::changes(attribute, &live.record.attributes, before, &after.attributes);
    if wants("StreamMode") {
        let mode = json!({"StreamMode": after.text("StreamMode")});
        stream::call(cx, name, "UpdateStreamMode", json!({"StreamARN": live.arn, "StreamModeDetails": mode})).await?;
    }
    if wants("ShardCount") && after.attributes.contains_key("ShardCount") {
        reshard(cx, name, after, contents).await?;
    }
    let Some(live) = stream::read(cx, name).await? else { return Ok(()) };
    stream::update(cx, name, &live, before, after).await
}

pub(super) async fn apply_records(cx: &Scope<'_>, step: &Step, contents: &dyn Contents) -> Result<()> {
    let name = step.address.name();
    if step.after.is_none() && stream::read(cx, name).await?.is_none() {
        return Ok(());
    }
    let body = step.after.as_ref().and_then(|after| after.body.as_ref());
    let shards = shard::all(cx, name).await.map_err(|error| Error::denied(error.chain()))?;
    let starts = shard::starts(&shards);
    let there = match shard::readable(cx, name, shards).await? {
        Some(shards) => records::there(records::Listed::new(cx, name, shards), starts.len(), body, contents).await?,
        None => None,
    };
    match there {
        Some(there) => records::put(cx, name, body, &starts, there, contents).await,
        None => rebuild(cx, name, None, body, contents).await,
    }
}

/// Changes how many shards there are. Where that would cost records, the stream is made anew with them.
async fn reshard(cx: &Scope<'_>, name: &str, after: &Record, contents: &dyn Contents) -> Result<()> {
    if quirks::moves_records_when_resharded(cx.emulator)
        && let shards = shard::all(cx, name).await?
        && let Some(shards) = shard::readable(cx, name, shards).await?
        && let Some(body) = records::set_aside(cx, name, shards, contents).await?
    {
        return rebuild(cx, name, Some(after), Some(&body), contents).await;
    }
    let count = after.attributes.get("ShardCount").map(Value::to_json);
    let request = json!({"StreamName": name, "TargetShardCount": count, "ScalingType": "UNIFORM_SCALING"});
    stream::call(cx, name, "UpdateShardCount", request).await
}

/// Makes a stream anew, as it is or as `after` says, with its consumers and the records of `body`.
async fn rebuild(
    cx: &Scope<'_>,
    name: &str,
    after: Option<&Record>,
    body: Option<&Body>,
    contents: &dyn Contents,
) -> Result<()> {
    stream::settle(cx, name).await?;
    let Some(live) = stream::read(cx, name).await? else {
        return Err(Error::denied(format!("there is no stream {name} to put records into")));
    };
    let mut consumers = BTreeMap::new();
    for (consumer, arn) in consumer::all(cx, &live.arn).await? {
        consumers.insert(consumer, consumer::read(cx, &arn).await?);
    }
    let old = shard::starts(&shard::all(cx, name).await?);
    stream::delete(cx, name).await?;
    stream::create(cx, name, after.unwrap_or(&live.record)).await?;
    for (consumer, record) in &consumers {
        consumer::put(cx, &live.arn, consumer, record).await?;
    }
    let new = shard::starts(&shard::all(cx, name).await?);
    // The body numbers the old shards; of as many new ones each takes the place of one.
    let starts = if old.len() == new.len() { new } else { old };
    records::put(cx, name, body, &starts, Vec::new(), contents).await
}
