//! EventBridge Pipes. A pipe acts as soon as it runs: it is put back stopped when that is asked for.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use serde_json::{Value as Json, json};

use crate::core::address::Address;
use crate::core::content::Contents;
use crate::core::record::Record;
use crate::core::value::Value;
use crate::error::{Error, Result};
use crate::instance::aws::{
    Api, ApiError, Method, Request, Scope, Service, described, found, items, quirks, refused, tags,
};
use crate::instance::{Sink, Stage, Step};
use crate::limits;

const API: Api = Api::rest("pipes");

/// Told about a pipe, but no part of it.
const LEFT_OUT: [&str; 6] = ["Arn", "CreationTime", "CurrentState", "LastModifiedTime", "Name", "StateReason"];

/// What an update keeps when it says nothing, and takes away when it says an empty text or an empty object.
const TEXTS: [&str; 3] = ["Description", "Enrichment", "KmsKeyIdentifier"];
const PARAMETERS: [&str; 3] = ["EnrichmentParameters", "SourceParameters", "TargetParameters"];

/// Where a stream is read from, which only a new pipe can be told.
const START: [&str; 2] = ["StartingPosition", "StartingPositionTimestamp"];

/// The service.
pub struct Pipes;

#[async_trait]
impl Service for Pipes {
    fn name(&self) -> &'static str {
        "pipes"
    }

    fn probe(&self) -> Option<Request> {
        Some(at(Method::GET, &["v1", "pipes"]).query("Limit", "1"))
    }

    fn stage(&self, _: &Address) -> Stage {
        Stage::Acting
    }

    async fn capture(&self, cx: &Scope<'_>, sink: &dyn Sink) -> Result<()> {
        if quirks::has_no_pipes_in(cx.emulator, cx.region) {
            return Ok(());
        }
        let mut pages = cx.pages(at(Method::GET, &["v1", "pipes"]).query("Limit", "100"), "NextToken", "NextToken");
        let mut pipes = Vec::new();
        while let Some(page) = pages.next().await? {
            let names = items(&page["Pipes"]).iter().filter_map(|pipe| pipe["Name"].as_str());
            pipes.extend(names.map(|name| (cx.address("pipe", name), name.to_owned())));
        }
        cx.each(sink, pipes, |address, name| async move {
            let Some(live) = settled(cx, &name).await? else { return Ok(()) };
            sink.mark(&address, &live["CreationTime"].to_string());
            sink.record(address, read(cx, &live)?)
        })
        .await
    }

    async fn apply(&self, cx: &Scope<'_>, step: &Step, _contents: &dyn Contents) -> Result<()> {
        let name = step.address.name();
        let mut live = settled(cx, name).await.map_err(refused)?;
        let Some(after) = &step.after else { return delete(cx, name, live.as_ref()).await };
        if let Some(there) = &live
            && !becomes(&read(cx, there)?, after)
        {
            delete(cx, name, live.take().as_ref()).await?;
        }
        match live {
            Some(live) => update(cx, name, &live, after, step.paused).await?,
            None => create(cx, name, after, step.paused).await?,
        }
        settled(cx, name).await?;
        Ok(())
    }
}

fn at(method: Method, path: &[&str]) -> Request {
    Request::rest(&API, method, path)
}

/// The pipe once it is no longer on its way from one state to another; none if there is none.
async fn settled(cx: &Scope<'_>, name: &str) -> Result<Option<Json>, ApiError> {
    let started = Instant::now();
    loop {
        let live = found(cx.call(at(Method::GET, &["v1", "pipes", name])).await)?;
        let state = live.as_ref().and_then(|live| live["CurrentState"].as_str()).unwrap_or_default();
        let moving = ["CREATING", "UPDATING", "DELETING", "STARTING", "STOPPING"].contains(&state);
        if !moving || started.elapsed() >= limits::FUNCTION_READY {
            return Ok(live);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn read(cx: &Scope<'_>, live: &Json) -> Result<Record> {
    let mut attributes = described::attributes(cx, live, &LEFT_OUT)?;
    if live["DesiredState"] == "RUNNING" {
        attributes.remove("DesiredState");
    }
    // fakecloud writes out what every pipe from a queue is told by itself.
    if let Some(Value::Map(source)) = attributes.get_mut("SourceParameters") {
        if live["SourceParameters"]["SqsQueueParameters"]
            == json!({"BatchSize": 10, "MaximumBatchingWindowInSeconds": 0})
        {
            source.remove("SqsQueueParameters");
        }
        if source.is_empty() {
            attributes.remove("SourceParameters");
        }
    }
    Ok(Record::new(attributes))
}

/// Whether an update can make the one of the other: a pipe keeps its source and where it began to read it.
fn becomes(live: &Record, after: &Record) -> bool {
    let start = |record: &Record| match record.attributes.get("SourceParameters").map(Value::to_json) {
        Some(Json::Object(kinds)) => {
            kinds.into_iter().map(|(_, kind)| kind["StartingPosition"].clone()).find(Json::is_string)
        }
        _ => None,
    };
    live.text("Source") == after.text("Source") && start(live) == start(after)
}

fn state(after: &Record, paused: bool) -> &str {
    if paused { "STOPPED" } else { after.text("DesiredState").unwrap_or("RUNNING") }
}

async fn create(cx: &Scope<'_>, name: &str, after: &Record, paused: bool) -> Result<()> {
    let mut body = described::fields(cx, &after.attributes);
    body.insert("DesiredState".to_owned(), state(after, paused).into());
    if let Some(wanted) = after.attributes.get("Tags") {
        body.insert("Tags".to_owned(), tags::to_map(wanted));
    }
    cx.call(at(Method::POST, &["v1", "pipes", name]).body_json(Json::Object(body))).await.map_err(refused)?;
    Ok(())
}

async fn update(cx: &Scope<'_>, name: &str, live: &Json, after: &Record, paused: bool) -> Result<()> {
    let there = read(cx, live)?.attributes;
    let mut body =
        described::fields(cx, after.attributes.iter().filter(|(name, _)| !matches!(name.as_str(), "Source" | "Tags")));
    body.insert("DesiredState".to_owned(), state(after, paused).into());
    let nothing = TEXTS.map(|name| (name, Json::from(""))).into_iter();
    for (attribute, nothing) in nothing.chain(PARAMETERS.map(|name| (name, json!({})))) {
        if there.contains_key(attribute) && !body.contains_key(attribute) {
            body.insert(attribute.to_owned(), nothing);
        }
    }
    if there.contains_key("LogConfiguration") && !body.contains_key("LogConfiguration") {
        body.insert("LogConfiguration".to_owned(), json!({"Level": "OFF"}));
    }
    if let Some(Json::Object(source)) = body.get_mut("SourceParameters") {
        for kind in source.values_mut().filter_map(Json::as_object_mut) {
            START.iter().for_each(|field| drop(kind.remove(*field)));
        }
    }
    cx.call(at(Method::PUT, &["v1", "pipes", name]).body_json(Json::Object(body))).await.map_err(refused)?;
    let (put, removed) = tags::changes(there.get("Tags"), after.attributes.get("Tags"));
    let Some(arn) = live["Arn"].as_str() else { return Err(Error::denied("the instance gives the pipe no ARN")) };
    if !removed.is_empty() {
        let request = at(Method::DELETE, &["tags", arn]);
        let request = removed.iter().fold(request, |request, key| request.query("tagKeys", key));
        cx.call(request).await.map_err(refused)?;
    }
    if !put.is_empty() {
        let put: serde_json::Map<String, Json> = put.into_iter().map(|(key, value)| (key, value.into())).collect();
        cx.call(at(Method::POST, &["tags", arn]).body_json(json!({ "tags": put }))).await.map_err(refused)?;
    }
    Ok(())
}

async fn delete(cx: &Scope<'_>, name: &str, live: Option<&Json>) -> Result<()> {
    if live.is_some() {
        found(cx.call(at(Method::DELETE, &["v1", "pipes", name])).await).map_err(refused)?;
        settled(cx, name).await?;
    }
    Ok(())
}
