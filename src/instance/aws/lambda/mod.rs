//! Lambda: layers with their versions, functions with their code, event source mappings.
//!
//! Published versions, aliases, function URLs and resource policies are not recorded yet; nor is a function's VPC,
//! whose subnets and groups have generated ids that no other instance knows.

mod config;
mod function;
mod layer;
mod mapping;
mod zip;

use async_trait::async_trait;
use serde_json::Value as Json;
use tokio::sync::Mutex;

use crate::core::address::Address;
use crate::core::content::Contents;
use crate::error::{Error, Result};
use crate::instance::aws::{Api, Emulator, Method, Request, Scope, Service};
use crate::instance::{Sink, Stage, Step};

const API: Api = Api::rest("lambda");

/// The service.
#[derive(Default)]
pub struct Lambda {
    /// One layer version is published at a time, in the order in which the steps come: instances number them so.
    publishing: Mutex<()>,
    /// Held while a role stands in for one that is not there, see [`function`].
    standing_in: Mutex<()>,
}

#[async_trait]
impl Service for Lambda {
    fn name(&self) -> &'static str {
        "lambda"
    }

    fn probe(&self) -> Option<Request> {
        Some(functions(Method::GET, []).query("MaxItems", "1"))
    }

    fn partial(&self, emulator: Emulator, agent: bool) -> Option<&'static str> {
        match emulator {
            Emulator::Moto if !agent => Some("code and layers only through the agent: bootstrap/agents/moto_agent.py"),
            _ => None,
        }
    }

    fn stage(&self, address: &Address) -> Stage {
        match address.kind() {
            "layer" => Stage::Resource,
            "event-source-mapping" => Stage::Acting,
            _ => Stage::Dependent,
        }
    }

    async fn capture(&self, cx: &Scope<'_>, sink: &dyn Sink) -> Result<()> {
        let kinds = [
            ("layer", layer::capture(cx, sink).await),
            ("function", function::capture(cx, sink).await),
            ("event-source-mapping", mapping::capture(cx, sink).await),
        ];
        cx.each_kind(sink, kinds)
    }

    async fn apply(&self, cx: &Scope<'_>, step: &Step, contents: &dyn Contents) -> Result<()> {
        match (step.address.kind(), step.address.collection_and_item()) {
            ("function", None) => function::apply(cx, step, contents, &self.standing_in).await,
            ("layer", None) => layer::apply(cx, step).await,
            ("layer", Some(("version", version))) => {
                let _turn = self.publishing.lock().await;
                layer::apply_version(cx, step, version, contents).await
            }
            ("event-source-mapping", None) => mapping::apply(cx, step).await,
            (kind, _) => Err(Error::failed(format!("this peapod can't restore a {kind} of Lambda"))
                .hint("it was captured by a newer peapod: update this one")),
        }
    }
}

/// A request under `/functions`.
fn functions<const N: usize>(method: Method, tail: [&str; N]) -> Request {
    Request::rest(&API, method, ["2015-03-31", "functions"].into_iter().chain(tail))
}

/// Sets and removes tags of the function or mapping with this ARN.
async fn retag(cx: &Scope<'_>, arn: &str, put: Vec<(String, String)>, removed: Vec<String>) -> Result<()> {
    let tags = |method| Request::rest(&API, method, ["2017-03-31", "tags", arn]);
    if !removed.is_empty() {
        let request = removed.iter().fold(tags(Method::DELETE), |request, key| request.query("tagKeys", key));
        cx.call(request).await?;
    }
    if !put.is_empty() {
        let put: serde_json::Map<String, Json> = put.into_iter().map(|(key, value)| (key, value.into())).collect();
        cx.call(tags(Method::POST).body_json(serde_json::json!({ "Tags": put }))).await?;
    }
    Ok(())
}

fn text<'a>(json: &'a Json, name: &str) -> Option<&'a str> {
    json[name].as_str().filter(|text| !text.is_empty())
}
