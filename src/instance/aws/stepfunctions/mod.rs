//! Step Functions: state machines with their versions and aliases, and activities. Executions are not recorded.

mod activity;
mod machine;
mod setting;
mod version;

use async_trait::async_trait;
use serde_json::{Value as Json, json};

use crate::core::address::Address;
use crate::core::content::Contents;
use crate::core::value::Value;
use crate::error::{Error, Result};
use crate::instance::aws::described::Attributes;
use crate::instance::aws::{Api, Emulator, Request, Scope, Service, found, quirks, refused, tags};
use crate::instance::{Sink, Stage, Step};

const API: Api = Api::json("states", "AWSStepFunctions", "1.0");

/// The service.
pub struct StepFunctions;

#[async_trait]
impl Service for StepFunctions {
    fn name(&self) -> &'static str {
        "stepfunctions"
    }

    fn probe(&self) -> Option<Request> {
        Some(Request::json(&API, "ListStateMachines", json!({"maxResults": 1})))
    }

    fn partial(&self, emulator: Emulator, _agent: bool) -> Option<&'static str> {
        let without = !quirks::has_state_machine_versions(emulator);
        without.then_some("without versions and aliases: it does not have them, or does not show them")
    }

    fn stage(&self, address: &Address) -> Stage {
        match address.kind() {
            "activity" => Stage::Resource,
            _ => Stage::Dependent,
        }
    }

    async fn capture(&self, cx: &Scope<'_>, sink: &dyn Sink) -> Result<()> {
        let kinds =
            [("activity", activity::capture(cx, sink).await), ("state-machine", machine::capture(cx, sink).await)];
        cx.each_kind(sink, kinds)
    }

    async fn apply(&self, cx: &Scope<'_>, step: &Step, _contents: &dyn Contents) -> Result<()> {
        match (step.address.kind(), step.address.collection_and_item()) {
            ("state-machine", None) => machine::apply(cx, step).await,
            ("activity", None) => activity::apply(cx, step).await,
            (kind, _) => Err(Error::failed(format!("this peapod can't restore a {kind} of Step Functions"))
                .hint("it was captured by a newer peapod: update this one")),
        }
    }
}

fn arn(cx: &Scope<'_>, kind: &str, name: &str) -> String {
    format!("arn:aws:states:{}:{}:{kind}:{name}", cx.region, cx.account)
}

async fn tags_of(cx: &Scope<'_>, arn: &str) -> Result<Option<Value>> {
    // LocalStack does not find an activity here, and keeps no tags of one.
    let answer = found(cx.json(&API, "ListTagsForResource", json!({"resourceArn": arn})).await);
    let answer = match answer {
        Err(error) if error.has_code("ResourceNotFound") => None,
        answer => answer?,
    };
    Ok(answer.and_then(|answer| tags::from_list(&answer["tags"])))
}

/// Tags as this service takes them.
fn tag_list(tags: Vec<(String, String)>) -> Json {
    tags.into_iter().map(|(key, value)| json!({"key": key, "value": value})).collect()
}

/// Brings the tags of what is there to what the step wants.
async fn retag(
    cx: &Scope<'_>,
    arn: &str,
    live: &Attributes,
    before: Option<&Attributes>,
    after: &Attributes,
) -> Result<()> {
    if !crate::instance::aws::described::changes("tags", live, before, after) {
        return Ok(());
    }
    let (put, removed) = tags::changes(live.get("tags"), after.get("tags"));
    if !removed.is_empty() {
        let request = json!({"resourceArn": arn, "tagKeys": removed});
        cx.json(&API, "UntagResource", request).await.map_err(refused)?;
    }
    if !put.is_empty() {
        let request = json!({"resourceArn": arn, "tags": tag_list(put)});
        cx.json(&API, "TagResource", request).await.map_err(refused)?;
    }
    Ok(())
}

/// Takes away what an encryption is when nobody asked for one.
fn without_own_key(attributes: &mut Attributes) {
    let kind = attributes.get("encryptionConfiguration").and_then(|encryption| encryption.as_map()?.get("type"));
    if kind.and_then(Value::as_text) == Some("AWS_OWNED_KEY") {
        attributes.remove("encryptionConfiguration");
    }
}
