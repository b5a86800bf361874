//! REST APIs themselves.

use serde_json::{Value as Json, json};

use super::patch::Patch;
use super::{ApiGateway, attributes, body, delete, get, id_in, list, method, part, resource, retag, send, sort, stage};
use crate::core::record::Record;
use crate::core::value::Value;
use crate::error::Result;
use crate::instance::aws::described::{self, Attributes};
use crate::instance::aws::{Method, Scope, ids, quirks};
use crate::instance::{Sink, Step};

const LEFT_OUT: [&str; 8] = [
    "apiStatus",
    "apiStatusMessage",
    "createdDate",
    "endpointConfiguration",
    "id",
    "policy",
    "rootResourceId",
    "warnings",
];

/// APIs by names of their own.
pub(super) async fn named(cx: &Scope<'_>) -> Result<Vec<(String, Json)>> {
    let found = list(cx, &["restapis"], &[]).await?;
    let mut ranked = Vec::with_capacity(found.len());
    for api in &found {
        let name = api["name"].as_str().unwrap_or_default();
        let equals = found.iter().filter(|other| other["name"] == api["name"]).count();
        let rank = if equals > 1 { rank(cx, api).await? } else { String::new() };
        ranked.push((name.to_owned(), rank, api.clone()));
    }
    Ok(ids::named(ranked))
}

/// What tells equals apart: what an API is made with, then what is in it.
async fn rank(cx: &Scope<'_>, api: &Json) -> Result<String> {
    let made = ["description", "version", "tags", "apiKeySource", "minimumCompressionSize"];
    let made: Vec<String> =
        made.iter().map(|name| api[*name].as_str().map_or_else(|| api[*name].to_string(), str::to_owned)).collect();
    let mut paths = Vec::new();
    if let Some(id) = id_in(api) {
        for (path, (_, methods)) in resource::tree(cx, &id).await? {
            let methods = methods.as_object().into_iter().flatten().map(|(method, _)| method.as_str());
            paths.push(format!("{path} {}", methods.collect::<Vec<_>>().join(",")));
        }
    }
    Ok(format!("{} {}", made.join(" ").replace("null", "").replace("{}", ""), paths.join(" ")))
}

pub(super) async fn capture(cx: &Scope<'_>, sink: &dyn Sink) -> Result<()> {
    let found = named(cx).await?.into_iter().map(|(name, api)| (cx.address("rest-api", &name), api)).collect();
    cx.each(sink, found, |address, api| async move {
        let Some(id) = id_in(&api) else { return Ok(()) };
        cx.learn(&address, &id);
        sink.mark(&address, &id);
        sink.record(address.clone(), Record::new(read(cx, &api)?))?;
        resource::capture(cx, sink, &address, &id).await?;
        part::capture(cx, sink, &address, &id).await?;
        method::capture(cx, sink, &address, &id).await?;
        stage::capture(cx, sink, &address, &id).await
    })
    .await
}

fn read(cx: &Scope<'_>, api: &Json) -> Result<Attributes> {
    let defaults = [("apiKeySource", json!("HEADER")), ("disableExecuteApiEndpoint", json!(false))];
    let mut attributes = attributes(cx, api, &LEFT_OUT, &defaults)?;
    if quirks::makes_up_api_version(cx.emulator, api["version"].as_str()) {
        attributes.remove("version");
    }
    sort(&mut attributes, &["binaryMediaTypes"]);
    let endpoint = &api["endpointConfiguration"];
    let left_out = if endpoint["ipAddressType"] == "ipv4" { &["ipAddressType"][..] } else { &[] };
    let mut endpoint = described::attributes(cx, endpoint, left_out)?;
    sort(&mut endpoint, &["types", "vpcEndpointIds"]);
    if !endpoint.is_empty() {
        attributes.insert("endpointConfiguration".to_owned(), Value::Map(endpoint));
    }
    if let Some(policy) = api["policy"].as_str().filter(|policy| !policy.is_empty()) {
        // AWS gives it as it would stand between quotes.
        let unquoted = serde_json::from_str::<String>(&format!("\"{policy}\"")).ok();
        let plain = serde_json::from_str::<Json>(policy).is_ok();
        let policy = if plain { policy.to_owned() } else { unquoted.unwrap_or_else(|| policy.to_owned()) };
        attributes.insert("policy".to_owned(), cx.document(&policy));
    }
    Ok(attributes)
}

impl ApiGateway {
    pub(super) async fn apply_api(&self, cx: &Scope<'_>, step: &Step) -> Result<()> {
        let making = self.making.lock().await;
        let id = self.id(cx, &step.address).await?;
        let Some(after) = step.after.as_ref().map(|after| &after.attributes) else {
            return match id {
                Some(id) => delete(cx, &["restapis", &id]).await,
                None => Ok(()),
            };
        };
        let live = match &id {
            Some(id) => get(cx, &["restapis", id]).await?,
            None => None,
        };
        let (id, live) = match (id, live) {
            (Some(id), Some(live)) => (id, read(cx, &live)?),
            _ => {
                let made = send(cx, Method::POST, &["restapis"], body(cx, after, &["policy"])).await?;
                let Some(id) = id_in(&made) else { return Ok(()) };
                cx.learn(&step.address, &id);
                let mut live = after.clone();
                live.remove("policy");
                (id, live)
            }
        };
        drop(making);
        let before = step.before.as_ref().map(|before| &before.attributes);
        let mut patch = Patch::new(cx).attributes(
            &live,
            before,
            after,
            // The version of an API is what it was made with.
            &["endpointConfiguration", "name", "policy", "tags", "version"],
        );
        if described::changes("policy", &live, before, after) {
            let policy = after.get("policy").map_or_else(String::new, |policy| cx.document_text(policy));
            patch.replace("/policy", &policy.into());
        }
        if described::changes("endpointConfiguration", &live, before, after) {
            endpoint(cx, &mut patch, &live, after);
        }
        patch.send(&["restapis", &id]).await?;
        retag(cx, &format!("restapis/{id}"), &live, before, after).await
    }
}

/// An endpoint's type is replaced under the name of the one that it has.
fn endpoint(cx: &Scope<'_>, patch: &mut Patch<'_>, live: &Attributes, after: &Attributes) {
    if quirks::patches_whole_attributes(cx.emulator) {
        return patch.attribute("endpointConfiguration", live, after);
    }
    let kind = |attributes: &Attributes| {
        let endpoint = attributes.get("endpointConfiguration").map(Value::to_json).unwrap_or_default();
        endpoint["types"][0].as_str().map(str::to_owned)
    };
    if let (Some(from), Some(to)) = (kind(live), kind(after)) {
        patch.replace(&format!("/endpointConfiguration/types/{from}"), &to.into());
    }
}
