//! Deploying an API again after something in it was changed.
//!
//! No call shows what a deployment is a snapshot of, so peapod can't tell a stage that serves an older API from one that
//! does not. It keeps one rule instead: after an inject, every stage serves what the API is.

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};

use serde_json::{Value as Json, json};
use tokio::sync::Mutex;

use super::{at, id_in, list, send, text};
use crate::error::Result;
use crate::instance::aws::{Method, Scope, refused};

/// The deployments that are being made.
#[derive(Default)]
pub(in crate::instance::aws) struct Lanes(std::sync::Mutex<HashMap<String, Arc<Lane>>>);

/// One API's: how many changes were made, and how many of them are deployed.
#[derive(Default)]
struct Lane {
    made: AtomicU64,
    deployed: Mutex<u64>,
}

impl Lanes {
    /// Does the work after a change to an API. Of many changes at once, one deployment serves all.
    pub(in crate::instance::aws) async fn once(
        &self,
        cx: &Scope<'_>,
        api: &str,
        work: impl Future<Output = Result<()>>,
    ) -> Result<()> {
        let lane = {
            let mut lanes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            lanes.entry(format!("{} {} {} {api}", cx.client.endpoint(), cx.account, cx.region)).or_default().clone()
        };
        let own = lane.made.fetch_add(1, Ordering::SeqCst) + 1;
        let mut deployed = lane.deployed.lock().await;
        if *deployed >= own {
            return Ok(());
        }
        let all = lane.made.load(Ordering::SeqCst);
        work.await?;
        *deployed = all;
        Ok(())
    }
}

/// Deploys an API to its stages, if it has any.
pub(super) async fn deploy(cx: &Scope<'_>, api: &str) -> Result<()> {
    let stages = list(cx, &["restapis", api, "stages"], &[]).await?;
    if stages.is_empty() {
        return Ok(());
    }
    let descriptions = descriptions(cx, api).await?;
    let mut anew: BTreeMap<&str, String> = BTreeMap::new();
    for stage in &stages {
        let old = text(stage, "deploymentId");
        let new = match anew.get(old) {
            Some(new) => new.clone(),
            None => {
                let Some(new) = make(cx, api, descriptions.get(old).map(String::as_str)).await? else { return Ok(()) };
                anew.insert(old, new.clone());
                new
            }
        };
        lead(cx, api, text(stage, "stageName"), &new).await?;
    }
    Ok(())
}

/// What the API's deployments are described as, by id.
pub(super) async fn descriptions(cx: &Scope<'_>, api: &str) -> Result<BTreeMap<String, String>> {
    let found = list(cx, &["restapis", api, "deployments"], &[]).await?;
    Ok(found.iter().filter_map(|one| Some((id_in(one)?, text(one, "description").to_owned()))).collect())
}

/// Makes a deployment of what the API is now. None if the instance does not take one: there is nothing to serve.
pub(super) async fn make(cx: &Scope<'_>, api: &str, description: Option<&str>) -> Result<Option<String>> {
    let body = match description {
        Some(text) if !text.is_empty() => json!({ "description": text }),
        _ => json!({}),
    };
    match cx.call(at(Method::POST, &["restapis", api, "deployments"]).body_json(body)).await {
        Err(error) if error.status == 400 => Ok(None),
        answer => Ok(id_in(&answer.map_err(refused)?)),
    }
}

/// Lets a stage serve a deployment.
pub(super) async fn lead(cx: &Scope<'_>, api: &str, stage: &str, deployment: &str) -> Result<()> {
    let operation = json!({"op": "replace", "path": "/deploymentId", "value": deployment});
    let body: Json = json!({"patchOperations": [operation]});
    send(cx, Method::PATCH, &["restapis", api, "stages", stage], body).await?;
    Ok(())
}
