//! SNS: topics with attributes and tags, and the subscriptions to them.
//!
//! A subscription's ARN is generated, so each is known by what it joins: it is an item of its topic, called
//! `PROTOCOL:ENDPOINT`. One that waits for its confirmation can't be brought back, since only who holds the endpoint can
//! confirm it: it is skipped, and said. What is not there to be read is left out too: messages (a topic keeps none), the
//! archive of a FIFO topic and replays of it, and platform applications, whose credentials no one gives back.

mod subscription;
mod topic;

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde_json::Value as Json;

use crate::core::address::Address;
use crate::core::content::Contents;
use crate::core::record::Record;
use crate::core::value::Value;
use crate::error::{Error, Result};
use crate::instance::aws::{Api, ApiError, Request, Scope, Service, items};
use crate::instance::{Sink, Stage, Step};

const API: Api = Api::query("sns", "2010-03-31");

const TOPIC: &str = "topic";
/// The collection of a topic.
const SUBSCRIPTIONS: &str = "subscription";

/// The service.
pub struct Sns;

#[async_trait]
impl Service for Sns {
    fn name(&self) -> &'static str {
        "sns"
    }

    fn probe(&self) -> Option<Request> {
        Some(Request::form(&API, "ListTopics", &[]))
    }

    fn stage(&self, address: &Address) -> Stage {
        match address.collection_and_item() {
            None => Stage::Resource,
            // Nothing is published while a pod is put back, so they carry nothing; the queues they name are there.
            Some(_) => Stage::Dependent,
        }
    }

    async fn capture(&self, cx: &Scope<'_>, sink: &dyn Sink) -> Result<()> {
        let mut topics = Vec::new();
        let mut pages = cx.pages(Request::form(&API, "ListTopics", &[]), "NextToken", "NextToken");
        while let Some(page) = pages.next().await? {
            for arn in items(&page["Topics"]).iter().filter_map(|topic| topic["TopicArn"].as_str()) {
                if let Some(name) = arn.rsplit(':').next() {
                    topics.push((cx.address(TOPIC, name), arn.to_owned()));
                }
            }
        }
        cx.each(sink, topics, |address, arn| async move {
            if topic::capture(cx, sink, &address, &arn).await? {
                subscription::capture_all(cx, sink, &address, &arn).await?;
            }
            Ok(())
        })
        .await
    }

    async fn apply(&self, cx: &Scope<'_>, step: &Step, _contents: &dyn Contents) -> Result<()> {
        match (step.address.kind(), step.address.collection_and_item()) {
            (TOPIC, None) => topic::apply(cx, step).await,
            (TOPIC, Some((SUBSCRIPTIONS, name))) => subscription::apply(cx, step, name).await,
            _ => Err(Error::failed(format!("this peapod does not know what {} is", step.address))
                .hint("a newer peapod made the pod; update, or leave it out with --except")),
        }
    }
}

/// The ARN of the topic of this name here.
fn arn(cx: &Scope<'_>, name: &str) -> String {
    format!("arn:aws:sns:{}:{}:{name}", cx.region, cx.account)
}

/// Sends an action whose parameters are partly made up at run time.
async fn call(cx: &Scope<'_>, action: &str, params: &[(String, String)]) -> Result<Json, ApiError> {
    let pairs: Vec<(&str, &str)> = params.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    cx.query(&API, action, &pairs).await
}

/// The `<Attributes>` of an answer, by name.
fn by_name(answer: &Json) -> BTreeMap<String, String> {
    let entries = items(&answer["Attributes"]["entry"]).iter();
    entries.filter_map(|entry| Some((entry["key"].as_str()?.to_owned(), entry["value"].as_str()?.to_owned()))).collect()
}

/// An attribute that is put back: its name, the value that says nothing and takes another one away, and whether it is a
/// JSON document.
type Setting = (String, &'static str, bool);

/// What of the attributes of a topic or a subscription says something.
fn read<'s>(
    cx: &Scope<'_>,
    live: &BTreeMap<String, String>,
    settings: impl IntoIterator<Item = &'s Setting>,
) -> BTreeMap<String, Value> {
    let mut attributes = BTreeMap::new();
    for (name, default, is_document) in settings {
        let Some(text) = live.get(name).filter(|text| !text.is_empty() && text != default) else { continue };
        let value = if *is_document { cx.document(text) } else { Value::text(cx.portable_text(text)) };
        if value.as_map().is_none_or(|fields| !fields.is_empty()) {
            attributes.insert(name.clone(), value);
        }
    }
    attributes
}

/// An attribute as a request says it.
fn text(cx: &Scope<'_>, value: &Value) -> String {
    match value {
        Value::Text(text) => cx.local_text(text),
        document => cx.document_text(document),
    }
}

/// The attributes to set to get from what is there to the record, in the order of `settings`.
fn changed<'s>(
    cx: &Scope<'_>,
    live: &BTreeMap<String, Value>,
    after: &Record,
    settings: impl IntoIterator<Item = &'s Setting>,
) -> Vec<(&'s str, String)> {
    let differing = settings.into_iter().filter(|(name, ..)| live.get(name) != after.attributes.get(name));
    let written = differing.map(|(name, default, _)| {
        (name.as_str(), after.attributes.get(name).map_or_else(|| (*default).to_owned(), |value| text(cx, value)))
    });
    written.collect()
}
