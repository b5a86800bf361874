//! CloudWatch Logs: groups, their streams with the events in them, metric and subscription filters; destinations and
//! resource policies.
//!
//! A stream's events are its record's body, a line each, so that they are put back in their order and with their own
//! times, many at once, and a stream that grew shares what it had. When an instance takes no event of that age (AWS
//! takes none over 14 days), the rest is put back and that is said. Ingestion times are the instance's own.
//!
//! Filters come last: events that are put back pass none that comes with them. One that is there already sees them as it
//! sees any others, since the API can't switch it off.
//!
//! Not recorded: saved queries, whose ids are generated, and what few emulators have (index policies, transformers,
//! deliveries, anomaly detectors, deletion protection).

mod account;
mod events;
mod filter;
mod group;
mod stream;

use async_trait::async_trait;
use serde_json::json;

use self::filter::Filter;
use crate::core::address::Address;
use crate::core::content::Contents;
use crate::error::{Error, Result};
use crate::instance::aws::{Api, ApiError, Request, Scope, Service};
use crate::instance::{Sink, Stage, Step};

const API: Api = Api::json("logs", "Logs_20140328", "1.1");

/// Kinds.
const GROUP: &str = "log-group";
const POLICY: &str = "resource-policy";
const DESTINATION: &str = "destination";

/// The collection of a group that holds its streams.
const STREAMS: &str = "log-stream";

/// The service.
pub struct Logs;

#[async_trait]
impl Service for Logs {
    fn name(&self) -> &'static str {
        "logs"
    }

    fn probe(&self) -> Option<Request> {
        Some(Request::json(&API, "DescribeLogGroups", json!({"limit": 1})))
    }

    fn stage(&self, address: &Address) -> Stage {
        match (address.kind(), address.collection_and_item()) {
            (_, Some((STREAMS, _))) => Stage::Item,
            (_, Some(_)) => Stage::Acting,
            (DESTINATION, None) => Stage::Dependent,
            (_, None) => Stage::Resource,
        }
    }

    async fn capture(&self, cx: &Scope<'_>, sink: &dyn Sink) -> Result<()> {
        let (groups, policies, destinations) = tokio::join!(
            group::capture_all(cx, sink),
            account::capture_policies(cx, sink),
            account::capture_destinations(cx, sink)
        );
        cx.each_kind(sink, [(GROUP, groups), (POLICY, policies), (DESTINATION, destinations)])
    }

    async fn apply(&self, cx: &Scope<'_>, step: &Step, contents: &dyn Contents) -> Result<()> {
        let filter = |collection: &str| Filter::ALL.iter().find(|filter| filter.collection == collection);
        match (step.address.kind(), step.address.collection_and_item()) {
            (GROUP, None) => group::apply(cx, step).await,
            (GROUP, Some((STREAMS, name))) => stream::apply(cx, step, name, contents).await,
            (GROUP, Some((collection, name))) if let Some(filter) = filter(collection) => {
                filter.apply(cx, step, name).await
            }
            (POLICY, None) => account::apply_policy(cx, step).await,
            (DESTINATION, None) => account::apply_destination(cx, step).await,
            _ => Err(Error::failed(format!("this peapod does not know what {} is", step.address))
                .hint("a newer peapod made the pod; update, or leave it out with --except")),
        }
    }
}

/// What a failed look at a part of a group means: it costs that part, unless the instance is gone.
fn skip_part(cx: &Scope<'_>, sink: &dyn Sink, group: &Address, collection: &str, error: ApiError) -> Result<()> {
    if error.is_gone() {
        return Err(error.into());
    }
    let mut prefix = group.parts().to_vec();
    prefix.push(collection.to_owned());
    cx.skip(sink, &prefix, error);
    Ok(())
}
