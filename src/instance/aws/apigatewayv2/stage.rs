//! The stages of an API. One that does not deploy by itself serves a deployment: a snapshot that no call shows, of which
//! only the description is kept.

use serde_json::{Value as Json, json};

use super::{attributes, body, changed, delete, get, list, retag, send, spelled_once, update};
use crate::core::address::Address;
use crate::core::record::Record;
use crate::core::value::Value;
use crate::error::Result;
use crate::instance::aws::apigateway::text;
use crate::instance::aws::described::{self, Attributes};
use crate::instance::aws::{Method, Scope, quirks};
use crate::instance::{Sink, Step};

/// That a stage serves a deployment, and what it is described as.
const DEPLOYMENT: &str = "deployment";

const LEFT_OUT: [&str; 7] = [
    "apiGatewayManaged",
    "clientCertificateId",
    "createdDate",
    "deploymentId",
    "lastDeploymentStatusMessage",
    "lastUpdatedDate",
    "stageName",
];

async fn deployments(cx: &Scope<'_>, api: &str) -> Result<Vec<Json>> {
    if quirks::lists_few_of_http_apis(cx.emulator) {
        return Ok(Vec::new());
    }
    list(cx, &["apis", api, "deployments"]).await
}

pub(super) async fn capture(cx: &Scope<'_>, sink: &dyn Sink, api: &Address, id: &str) -> Result<()> {
    let deployments = deployments(cx, id).await?;
    for stage in list(cx, &["apis", id, "stages"]).await? {
        sink.record(api.item("stage", text(&stage, "stageName")), Record::new(read(cx, &stage, &deployments)?))?;
    }
    Ok(())
}

fn deploys_itself(stage: &Json) -> bool {
    stage["autoDeploy"] == true
}

fn read(cx: &Scope<'_>, stage: &Json, deployments: &[Json]) -> Result<Attributes> {
    let mut attributes = attributes(cx, stage, &LEFT_OUT, &[("autoDeploy", json!(false))])?;
    spelled_once(cx, &mut attributes, &["defaultRouteSettings", "routeSettings"]);
    let settings = &stage["defaultRouteSettings"];
    let said = |(_, value): (&String, &Json)| *value != false && *value != "OFF" && !value.is_null();
    if !settings.as_object().is_some_and(|fields| fields.iter().any(said)) {
        attributes.remove("defaultRouteSettings");
    }
    let served = text(stage, "deploymentId");
    if !deploys_itself(stage) && !served.is_empty() {
        let described = deployments.iter().find(|one| text(one, "deploymentId") == served);
        let description = described.map(|one| text(one, "description")).filter(|text| !text.is_empty());
        let description = description.map(|text| ("description".to_owned(), Value::text(text)));
        attributes.insert(DEPLOYMENT.to_owned(), Value::Map(description.into_iter().collect()));
    }
    Ok(attributes)
}

/// Makes a deployment; none where there are none.
async fn make(cx: &Scope<'_>, api: &str, deployment: &Json) -> Result<Option<String>> {
    if quirks::lists_few_of_http_apis(cx.emulator) {
        return Ok(None);
    }
    let body = match deployment["description"].as_str() {
        Some(text) if !text.is_empty() => json!({ "description": text }),
        _ => json!({}),
    };
    let made = send(cx, Method::POST, &["apis", api, "deployments"], body).await?;
    Ok(Some(text(&made, "deploymentId").to_owned()))
}

/// Deploys an API again to the stages that do not do it by themselves.
pub(super) async fn deploy(cx: &Scope<'_>, api: &str) -> Result<()> {
    let stages = list(cx, &["apis", api, "stages"]).await?;
    let serving = |stage: &&Json| !deploys_itself(stage) && !text(stage, "deploymentId").is_empty();
    let stages: Vec<&Json> = stages.iter().filter(serving).collect();
    if stages.is_empty() {
        return Ok(());
    }
    let deployments = deployments(cx, api).await?;
    for stage in stages {
        let old = deployments.iter().find(|one| one["deploymentId"] == stage["deploymentId"]);
        let Some(new) = make(cx, api, old.unwrap_or(&Json::Null)).await? else { return Ok(()) };
        let at = ["apis", api, "stages", text(stage, "stageName")];
        send(cx, Method::PATCH, &at, json!({"deploymentId": new})).await?;
    }
    Ok(())
}

pub(super) async fn apply(cx: &Scope<'_>, step: &Step, api: &str, name: &str) -> Result<()> {
    let at = ["apis", api, "stages", name];
    let Some(after) = step.after.as_ref().map(|after| &after.attributes) else { return delete(cx, &at).await };
    let before = step.before.as_ref().map(|before| &before.attributes);
    let deployment = after.get(DEPLOYMENT).map(Value::to_json);
    let Some(stage) = get(cx, &at).await? else {
        let mut body = body(cx, after, &[DEPLOYMENT]);
        body["stageName"] = name.into();
        if let Some(deployment) = &deployment
            && let Some(id) = make(cx, api, deployment).await?
        {
            body["deploymentId"] = id.into();
        }
        send(cx, Method::POST, &["apis", api, "stages"], body).await?;
        return Ok(());
    };
    let live = read(cx, &stage, &deployments(cx, api).await?)?;
    let mut fields = changed(cx, &live, before, after, &[DEPLOYMENT, "tags"]);
    if let Some(deployment) = &deployment
        && described::changes(DEPLOYMENT, &live, before, after)
        && let Some(id) = make(cx, api, deployment).await?
    {
        fields.insert("deploymentId".to_owned(), id.into());
    }
    update(cx, &at, fields).await?;
    retag(cx, &format!("apis/{api}/stages/{name}"), &live, before, after).await
}
