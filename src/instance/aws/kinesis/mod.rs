//! Kinesis: streams with their consumers and the records in them.
//!
//! A stream's records are one item, `records/all`, a line each: the shard (by the order of the hash ranges of those that
//! are open), the partition key, the data. They are put back into the same shard in the same order; sequence numbers and
//! times of arrival are the instance's own. Records that were added are put behind those that are there; where others
//! are to go the stream is made anew, with all that belongs to it, since no record can be taken out of one.
//!
//! A stream comes back with the number of open shards that it had, each with its even share of the hash keys.

mod consumer;
mod records;
mod shard;
mod stream;
mod whole;

use async_trait::async_trait;
use serde_json::{Value as Json, json};

use crate::core::address::Address;
use crate::core::content::Contents;
use crate::core::value::Value;
use crate::error::{Error, Result};
use crate::instance::aws::{Api, Emulator, Request, Scope, Service, found, refused};
use crate::instance::{Sink, Stage, Step};

const API: Api = Api::json("kinesis", "Kinesis_20131202", "1.1");

const STREAM: &str = "stream";

/// Collections of a stream.
const CONSUMERS: &str = "consumer";
const RECORDS: &str = "records";

/// The one item of [`RECORDS`].
const ALL: &str = "all";

/// The service.
pub struct Kinesis;

#[async_trait]
impl Service for Kinesis {
    fn name(&self) -> &'static str {
        "kinesis"
    }

    fn probe(&self) -> Option<Request> {
        Some(Request::json(&API, "ListStreams", json!({"Limit": 1})))
    }

    fn partial(&self, emulator: Emulator, _agent: bool) -> Option<&'static str> {
        match emulator {
            Emulator::LocalStack => {
                Some("no records of a stream whose shards were split or merged with records in them")
            }
            _ => None,
        }
    }

    fn stage(&self, address: &Address) -> Stage {
        match address.collection_and_item() {
            None => Stage::Resource,
            Some((CONSUMERS, _)) => Stage::Dependent,
            Some(_) => Stage::Item,
        }
    }

    async fn capture(&self, cx: &Scope<'_>, sink: &dyn Sink) -> Result<()> {
        whole::capture_all(cx, sink).await
    }

    async fn apply(&self, cx: &Scope<'_>, step: &Step, contents: &dyn Contents) -> Result<()> {
        match (step.address.kind(), step.address.collection_and_item()) {
            (STREAM, None) => whole::apply_stream(cx, step, contents).await,
            (STREAM, Some((CONSUMERS, name))) => consumer::apply(cx, step, name).await,
            (STREAM, Some((RECORDS, ALL))) => whole::apply_records(cx, step, contents).await,
            _ => Err(Error::failed(format!("this peapod does not know what {} is", step.address))
                .hint("a newer peapod made the pod; update, or leave it out with --except")),
        }
    }
}

/// The policy of a stream or consumer; some emulators give an empty one where there is none.
async fn policy_of(cx: &Scope<'_>, arn: &str) -> Result<Option<Value>> {
    let answer = found(cx.json(&API, "GetResourcePolicy", json!({"ResourceARN": arn})).await)?;
    let text = answer.as_ref().and_then(|answer| answer["Policy"].as_str()).unwrap_or_default();
    Ok((!matches!(text, "" | "{}")).then(|| cx.document(text)))
}

async fn write_policy(cx: &Scope<'_>, arn: &str, policy: Option<&Value>) -> Result<()> {
    let mut request = json!({"ResourceARN": arn});
    let done = match policy {
        Some(policy) => {
            request["Policy"] = cx.document_text(policy).into();
            cx.json(&API, "PutResourcePolicy", request).await
        }
        None => found(cx.json(&API, "DeleteResourcePolicy", request).await).map(|_| Json::Null),
    };
    done.map_err(refused)?;
    Ok(())
}
