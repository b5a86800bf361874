//! Lambda: layers with their versions, functions with their code, versions and aliases, event source mappings.
//!
//! Code signing and pinned runtimes are not recorded; nor is a function's VPC, whose subnets and groups have generated
//! ids that no other instance knows.

mod alias;
mod attached;
mod config;
mod function;
mod layer;
mod mapping;
mod policy;
mod version;
mod zip;

use async_trait::async_trait;
use futures::FutureExt;
use serde_json::Value as Json;
use tokio::sync::Mutex;

use crate::core::address::Address;
use crate::core::content::Contents;
use crate::error::{Error, Result};
use crate::instance::aws::scope::is_gone;
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
    /// Where the steps of one function take turns, see [`version`].
    desks: version::Desks,
    sent: zip::Sent,
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
        match (address.kind(), address.collection_and_item()) {
            ("layer", _) => Stage::Resource,
            ("event-source-mapping", _) => Stage::Acting,
            (_, Some((alias::ALIAS, _))) => Stage::Item,
            _ => Stage::Dependent,
        }
    }

    async fn capture(&self, cx: &Scope<'_>, sink: &dyn Sink) -> Result<()> {
        let kinds = [
            ("layer", layer::capture(cx, sink).await),
            ("function", capture_functions(cx, sink, &self.sent).await),
            ("event-source-mapping", mapping::capture(cx, sink).await),
        ];
        cx.each_kind(sink, kinds)
    }

    async fn apply(&self, cx: &Scope<'_>, step: &Step, contents: &dyn Contents) -> Result<()> {
        match (step.address.kind(), step.address.collection_and_item()) {
            ("function", None) => {
                let desk = self.desks.of(cx, step.address.name());
                let _turn = desk.turn.lock().await;
                function::apply(cx, step, contents, &self.standing_in, &self.sent).await
            }
            ("function", Some((version::VERSION, version))) => {
                let desk = self.desks.of(cx, step.address.name());
                version::apply(cx, step, version, contents, &desk, &self.sent).await
            }
            ("function", Some((alias::ALIAS, alias))) => alias::apply(cx, step, alias).await,
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

/// Reads every function with its versions and aliases.
async fn capture_functions(cx: &Scope<'_>, sink: &dyn Sink, sent: &zip::Sent) -> Result<()> {
    let names = function::names(cx).await?;
    let found = names.into_iter().map(|name| (cx.address("function", &name), name)).collect();
    cx.each(sink, found, |address, name| {
        // Boxed: services are deep, and a debug build keeps whole futures on the stack.
        async move {
            if sink.wants(&address) {
                function::capture(cx, sink, address.clone(), &name).await?;
            }
            let latest = function::look(cx, &name, None).await?.map(|live| live.sha256).unwrap_or_default();
            for (collection, done) in [
                (version::VERSION, version::capture(cx, sink, &address, &latest, sent).await),
                (alias::ALIAS, alias::capture(cx, sink, &address).await),
            ] {
                match done {
                    Err(error) if is_gone(&error) => return Err(error),
                    Err(error) => {
                        let mut prefix = address.parts().to_vec();
                        prefix.push(collection.to_owned());
                        cx.skip(sink, &prefix, error.chain());
                    }
                    Ok(()) => {}
                }
            }
            Ok(())
        }
        .boxed()
    })
    .await
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
