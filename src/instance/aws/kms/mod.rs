//! KMS: customer managed keys with their grants, and aliases. What AWS keeps by itself (`alias/aws/..`), keys that wait for
//! their deletion and replicas of keys of another region are not recorded.
//!
//! No instance gives key material away: a key comes back with other material, so what was encrypted or signed with the
//! old one can't be decrypted or verified, and a key whose material is imported waits for it.
//!
//! A key is named after the first of its aliases, else its description, else its kind.

mod alias;
mod grant;
mod key;

use async_trait::async_trait;
use serde_json::json;
use tokio::sync::Mutex;

use crate::core::address::Address;
use crate::core::content::Contents;
use crate::error::{Error, Result};
use crate::instance::aws::{Api, ApiError, Emulator, Request, Scope, Service, items, refused};
use crate::instance::{Sink, Stage, Step};

const API: Api = Api::json("kms", "TrentService", "1.1");

const KEY: &str = "key";
const ALIAS: &str = "alias";

/// The collection of a key that holds its grants.
const GRANTS: &str = "grant";

/// The service.
#[derive(Default)]
pub struct Kms {
    making: Mutex<()>,
}

#[async_trait]
impl Service for Kms {
    fn name(&self) -> &'static str {
        "kms"
    }

    fn probe(&self) -> Option<Request> {
        Some(Request::json(&API, "ListKeys", json!({"Limit": 1})))
    }

    fn partial(&self, _emulator: Emulator, _agent: bool) -> Option<&'static str> {
        Some("keys come back with other key material")
    }

    async fn ids(&self, cx: &Scope<'_>) -> Result<Vec<(Address, String)>> {
        let keys = key::all(cx).await?.into_iter();
        Ok(keys.map(|(name, key)| (cx.address(KEY, &name), key.id)).collect())
    }

    fn stage(&self, address: &Address) -> Stage {
        match (address.kind(), address.collection_and_item()) {
            (KEY, None) => Stage::Foundation,
            (KEY, Some(_)) => Stage::Dependent,
            _ => Stage::Resource,
        }
    }

    async fn capture(&self, cx: &Scope<'_>, sink: &dyn Sink) -> Result<()> {
        cx.each_kind(sink, [(KEY, capture_keys(cx, sink).await), (ALIAS, alias::capture(cx, sink).await)])
    }

    async fn apply(&self, cx: &Scope<'_>, step: &Step, _contents: &dyn Contents) -> Result<()> {
        match (step.address.kind(), step.address.collection_and_item()) {
            (KEY, None) => key::apply(cx, step, &self.making).await,
            (KEY, Some((GRANTS, name))) => grant::apply(cx, step, name).await,
            (ALIAS, None) => alias::apply(cx, step).await,
            _ => Err(Error::failed(format!("this peapod does not know what {} is", step.address))
                .hint("a newer peapod made the pod; update, or leave it out with --except")),
        }
    }
}

async fn capture_keys(cx: &Scope<'_>, sink: &dyn Sink) -> Result<()> {
    let keys = key::all(cx).await?.into_iter().map(|(name, key)| (cx.address(KEY, &name), key)).collect();
    cx.each(sink, keys, |address, key| async move {
        if key.is_replica {
            cx.skip(sink, address.parts(), "it is a replica of a key of another region");
            return Ok(());
        }
        cx.learn(&address, &key.id);
        sink.mark(&address, &key.id);
        sink.record(address.clone(), key::read(cx, &key).await?)?;
        for (name, grant) in grant::all(cx, &key.id).await? {
            sink.record(address.item(GRANTS, &name), grant.record)?;
        }
        Ok(())
    })
    .await
}

/// What a refusal costs: its record. ministack 1.5.33 answers with an internal failure where it lacks a library.
fn denied(error: ApiError) -> Error {
    if error.has_code("KMSInternalException") { Error::denied(error.to_string()) } else { refused(error) }
}

/// All elements of a listing with markers.
async fn listed(
    cx: &Scope<'_>,
    action: &str,
    request: serde_json::Value,
    told: &str,
) -> Result<Vec<serde_json::Value>> {
    let mut pages = cx.pages(Request::json(&API, action, request), "Marker", "NextMarker");
    let mut all = Vec::new();
    while let Some(page) = pages.next().await? {
        all.extend(items(&page[told]).iter().cloned());
    }
    Ok(all)
}
