//! EventBridge: event buses with their policies, rules with their targets, archives without the events in them.
//!
//! Every region has a bus named `default`, which is recorded only when it was changed. Rules that another service made
//! (an archive's, say) come back with what made them. Connections hold secrets that are given to nobody, and API
//! destinations need a connection: both are skipped, and said.

mod archive;
mod bus;
mod policy;
mod rule;

use async_trait::async_trait;
use serde_json::{Value as Json, json};

use crate::core::address::Address;
use crate::core::content::Contents;
use crate::core::value::Value;
use crate::error::{Error, Result};
use crate::instance::aws::{Api, Emulator, Request, Scope, Service, found, items, refused, tags};
use crate::instance::{Sink, Stage, Step};

const API: Api = Api::json("events", "AWSEvents", "1.1");

/// The bus that is there by itself.
const DEFAULT: &str = "default";

/// The service.
pub struct Events;

#[async_trait]
impl Service for Events {
    fn name(&self) -> &'static str {
        "events"
    }

    fn probe(&self) -> Option<Request> {
        Some(Request::json(&API, "ListEventBuses", json!({"Limit": 1})))
    }

    fn partial(&self, emulator: Emulator, _agent: bool) -> Option<&'static str> {
        match emulator {
            Emulator::Fakecloud => Some("buses of one region only: it shows each in all regions"),
            Emulator::Ministack => Some("of a bus's policy only statements of one action for one account or all"),
            _ => None,
        }
    }

    fn stage(&self, address: &Address) -> Stage {
        match address.kind() {
            "event-bus" => Stage::Resource,
            "rule" => Stage::Acting,
            _ => Stage::Dependent,
        }
    }

    async fn capture(&self, cx: &Scope<'_>, sink: &dyn Sink) -> Result<()> {
        let buses = bus::names(cx).await?;
        let kinds = [
            ("event-bus", bus::capture(cx, sink, &buses).await),
            ("rule", rule::capture(cx, sink, &buses).await),
            ("archive", archive::capture(cx, sink).await),
            ("connection", skip_all(cx, sink, "connection", "ListConnections", "Connections").await),
            ("api-destination", skip_all(cx, sink, "api-destination", "ListApiDestinations", "ApiDestinations").await),
        ];
        cx.each_kind(sink, kinds)
    }

    async fn apply(&self, cx: &Scope<'_>, step: &Step, _contents: &dyn Contents) -> Result<()> {
        match (step.address.kind(), step.address.collection_and_item()) {
            ("event-bus", None) => bus::apply(cx, step).await,
            ("rule", None) => rule::apply(cx, step).await,
            ("archive", None) => archive::apply(cx, step).await,
            (kind, _) => Err(Error::failed(format!("this peapod can't restore a {kind} of EventBridge"))
                .hint("it was captured by a newer peapod: update this one")),
        }
    }
}

/// Notes each resource of a kind that can't be brought back.
async fn skip_all(cx: &Scope<'_>, sink: &dyn Sink, kind: &str, list: &str, told: &str) -> Result<()> {
    let mut pages = cx.pages(Request::json(&API, list, json!({"Limit": 100})), "NextToken", "NextToken");
    loop {
        let page = match pages.next().await {
            // Where they can't be listed there are none.
            Err(error) if error.is_unsupported() || error.is_missing() => return Ok(()),
            page => page?,
        };
        let Some(page) = page else { return Ok(()) };
        for name in items(&page[told]).iter().filter_map(|one| one["Name"].as_str()) {
            cx.skip(sink, cx.address(kind, name).parts(), "the secret of a connection is given to nobody");
        }
    }
}

/// Whether an ARN that the instance gave lies in the region asked; fakecloud lists those of all regions in each.
fn is_here(cx: &Scope<'_>, arn: &Json) -> bool {
    arn.as_str().and_then(|arn| arn.split(':').nth(3)).is_none_or(|region| region == cx.region)
}

fn arn(cx: &Scope<'_>, resource: &str) -> String {
    format!("arn:aws:events:{}:{}:{resource}", cx.region, cx.account)
}

async fn tags_of(cx: &Scope<'_>, arn: &str) -> Result<Option<Value>> {
    let answer = found(cx.json(&API, "ListTagsForResource", json!({"ResourceARN": arn})).await)?;
    Ok(answer.and_then(|answer| tags::from_list(&answer["Tags"])))
}

/// Brings the tags of a resource that is there to these.
async fn retag(cx: &Scope<'_>, arn: &str, live: Option<&Value>, wanted: Option<&Value>) -> Result<()> {
    let (put, removed) = tags::changes(live, wanted);
    if !removed.is_empty() {
        let request = json!({"ResourceARN": arn, "TagKeys": removed});
        cx.json(&API, "UntagResource", request).await.map_err(refused)?;
    }
    if !put.is_empty() {
        let tags: Vec<Json> = put.into_iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
        cx.json(&API, "TagResource", json!({"ResourceARN": arn, "Tags": tags})).await.map_err(refused)?;
    }
    Ok(())
}

/// What a pattern of events says, as a portable value. Events name the account they come from.
fn pattern(cx: &Scope<'_>, text: &str) -> Value {
    accounts(cx.document(text), cx.own, crate::core::address::SELF_ACCOUNT)
}

/// The text of what [`pattern`] made, for this instance.
fn pattern_text(cx: &Scope<'_>, pattern: &Value) -> String {
    cx.document_text(&accounts(pattern.clone(), crate::core::address::SELF_ACCOUNT, cx.own))
}

fn accounts(mut pattern: Value, from: &str, to: &str) -> Value {
    if let Value::Map(fields) = &mut pattern
        && let Some(Value::List(accounts)) = fields.get_mut("account")
    {
        for account in accounts.iter_mut().filter(|account| account.as_text() == Some(from)) {
            *account = Value::text(to);
        }
    }
    pattern
}
