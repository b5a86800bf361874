//! API Gateway's second version: HTTP and WebSocket APIs, their domain names and links.
//!
//! Like REST APIs ([`super::apigateway`]) they stand under their names. An integration has none: it stands under the route
//! that leads to it. A stage that does not deploy by itself serves a snapshot that no call shows, and is put back by
//! deploying what the API is then.

mod api;
mod domain;
mod integration;
mod part;
mod stage;

use async_trait::async_trait;
use serde_json::{Map, Value as Json, json};
use tokio::sync::Mutex;

use crate::core::address::Address;
use crate::core::content::Contents;
use crate::core::value::Value;
use crate::error::{Error, Result};
use crate::instance::aws::apigateway::deploy::Lanes;
use crate::instance::aws::described::{self, Attributes};
use crate::instance::aws::{Api, Emulator, Method, Request, Scope, Service, found, items, quirks, refused, tags};
use crate::instance::{Sink, Stage, Step};

const API: Api = Api::rest("apigateway");

/// The service.
#[derive(Default)]
pub struct ApiGatewayV2 {
    /// Held from looking for a thing by its name until it is made.
    making: Mutex<()>,
    lanes: Lanes,
}

#[async_trait]
impl Service for ApiGatewayV2 {
    fn name(&self) -> &'static str {
        "apigatewayv2"
    }

    fn probe(&self) -> Option<Request> {
        Some(at(Method::GET, &["apis"]).query("maxResults", "1"))
    }

    fn partial(&self, emulator: Emulator, _agent: bool) -> Option<&'static str> {
        let lists_few = quirks::lists_few_of_http_apis(emulator);
        lists_few.then_some("without models, route responses and authorizers that no route uses: it does not list them")
    }

    async fn ids(&self, cx: &Scope<'_>) -> Result<Vec<(Address, String)>> {
        if elsewhere(cx) {
            return Ok(Vec::new());
        }
        let id = |kind: &'static str, field: &'static str| {
            move |(name, one): (String, Json)| Some((cx.address(kind, &name), one[field].as_str()?.to_owned()))
        };
        let mut ids: Vec<_> = api::named(cx).await?.into_iter().filter_map(id("api", "apiId")).collect();
        ids.extend(domain::named_links(cx).await?.into_iter().filter_map(id("vpc-link", "vpcLinkId")));
        Ok(ids)
    }

    fn stage(&self, address: &Address) -> Stage {
        match (address.kind(), address.collection_and_item()) {
            ("domain-name", None) => Stage::Dependent,
            ("domain-name", _) => Stage::Mapped,
            ("api", Some(("route", _))) => Stage::Item,
            ("api", Some(("stage", _))) => Stage::Published,
            ("api", Some(_)) => Stage::Dependent,
            _ => Stage::Resource,
        }
    }

    async fn capture(&self, cx: &Scope<'_>, sink: &dyn Sink) -> Result<()> {
        if elsewhere(cx) {
            return Ok(());
        }
        let kinds = [
            ("api", api::capture(cx, sink).await),
            ("vpc-link", domain::capture_links(cx, sink).await),
            ("domain-name", domain::capture(cx, sink).await),
        ];
        cx.each_kind(sink, kinds)
    }

    async fn apply(&self, cx: &Scope<'_>, step: &Step, _contents: &dyn Contents) -> Result<()> {
        match (step.address.kind(), step.address.collection_and_item()) {
            ("api", None) => self.apply_api(cx, step).await,
            ("api", Some((collection, item))) => self.apply_part(cx, step, collection, item).await,
            ("vpc-link", None) => self.apply_link(cx, step).await,
            ("domain-name", None) => domain::apply(cx, step).await,
            ("domain-name", Some(("api-mapping", key))) => domain::apply_mapping(cx, step, key).await,
            (kind, _) => Err(unknown(kind)),
        }
    }
}

impl ApiGatewayV2 {
    async fn apply_part(&self, cx: &Scope<'_>, step: &Step, collection: &str, item: &str) -> Result<()> {
        let owner = step.address.owner().unwrap_or_else(|| step.address.clone());
        let Some(api) = self.id(cx, &owner).await? else {
            if step.after.is_none() {
                return Ok(());
            }
            return Err(Error::denied(format!("there is no {owner} to put it into")));
        };
        match collection {
            "integration" => integration::apply(cx, step, &api, item).await?,
            "route" => part::apply_route(cx, step, &owner, &api, item).await?,
            "authorizer" => part::apply_authorizer(cx, step, &api, item).await?,
            "model" => part::apply_model(cx, step, &api, item).await?,
            "stage" => return stage::apply(cx, step, &api, item).await,
            other => return Err(unknown(other)),
        }
        self.lanes.once(cx, &api, stage::deploy(cx, &api)).await
    }

    /// The id of what stands at this address, asked for if it is not known.
    async fn id(&self, cx: &Scope<'_>, address: &Address) -> Result<Option<String>> {
        if let Some(id) = cx.id(address) {
            return Ok(Some(id));
        }
        if !cx.ids.worth_asking(address) {
            return Ok(None);
        }
        for (found, id) in self.ids(cx).await? {
            if cx.id(&found).is_none() && cx.ids.known_as(&id).is_none() {
                cx.learn(&found, &id);
            }
        }
        let id = cx.id(address);
        if id.is_none() {
            cx.ids.in_vain(address);
        }
        Ok(id)
    }
}

fn unknown(kind: &str) -> Error {
    Error::failed(format!("this peapod can't restore a {kind} of API Gateway v2"))
        .hint("it was captured by a newer peapod: update this one")
}

/// Whether what a region shows belongs to another.
fn elsewhere(cx: &Scope<'_>) -> bool {
    quirks::gateways_span_regions(cx.emulator) && cx.region != cx.client.home_region()
}

fn at(method: Method, path: &[&str]) -> Request {
    Request::rest(&API, method, ["v2"].iter().chain(path))
}

/// Everything that a listing has, page by page.
async fn list(cx: &Scope<'_>, path: &[&str]) -> Result<Vec<Json>> {
    let mut pages = cx.pages(at(Method::GET, path).query("maxResults", "500"), "nextToken", "nextToken");
    let mut all = Vec::new();
    while let Some(page) = pages.next().await? {
        all.extend(items(&page["items"]).iter().cloned());
    }
    Ok(all)
}

/// A listing that emulators lack: nothing then.
async fn list_if_offered(cx: &Scope<'_>, path: &[&str]) -> Result<Vec<Json>> {
    if quirks::lists_few_of_http_apis(cx.emulator) { Ok(Vec::new()) } else { list(cx, path).await }
}

/// A description as attributes: see [`described::attributes`], and without what says no more than nothing would.
fn attributes(cx: &Scope<'_>, live: &Json, left_out: &[&str], defaults: &[(&str, Json)]) -> Result<Attributes> {
    let mut attributes = described::attributes(cx, live, left_out)?;
    for (name, default) in defaults {
        if live[*name] == *default {
            attributes.remove(*name);
        }
    }
    match tags::from_list(&live["tags"]) {
        Some(tags) => attributes.insert("tags".to_owned(), tags),
        None => attributes.remove("tags"),
    };
    Ok(attributes)
}

/// Settings in the spelling in which they are given, where they come back in two.
fn spelled_once(cx: &Scope<'_>, attributes: &mut Attributes, names: &[&str]) {
    if quirks::spells_settings_twice(cx.emulator) {
        attributes
            .iter_mut()
            .filter(|(name, _)| names.contains(&name.as_str()))
            .for_each(|(_, value)| without_capitals(value));
    }
}

fn without_capitals(value: &mut Value) {
    if let Value::Map(fields) = value {
        let twins = fields.clone();
        fields.retain(|name, _| {
            let mut letters = name.chars();
            let first = letters.next().filter(char::is_ascii_uppercase);
            !first
                .is_some_and(|first| twins.contains_key(&format!("{}{}", first.to_ascii_lowercase(), letters.as_str())))
        });
        fields.values_mut().for_each(without_capitals);
    }
}

/// A body of fields for this instance.
fn body(cx: &Scope<'_>, attributes: &Attributes, left_out: &[&str]) -> Json {
    Json::Object(described::fields(cx, attributes.iter().filter(|(name, _)| !left_out.contains(&name.as_str()))))
}

/// The fields of an update: what differs; what shall not be there is said to be empty.
fn changed(
    cx: &Scope<'_>,
    live: &Attributes,
    before: Option<&Attributes>,
    after: &Attributes,
    but: &[&str],
) -> Map<String, Json> {
    let mut fields = Map::new();
    for name in live.keys().chain(after.keys()) {
        if but.contains(&name.as_str()) || !described::changes(name, live, before, after) {
            continue;
        }
        let value = match (after.get(name), live.get(name).map(|value| value.to_json())) {
            (Some(value), _) => cx.local(value).to_json(),
            (None, Some(Json::Object(_))) => json!({}),
            (None, Some(Json::Array(_))) => json!([]),
            (None, Some(Json::Bool(_))) => json!(false),
            (None, Some(Json::String(_))) => json!(""),
            (None, _) => continue,
        };
        fields.insert(name.clone(), value);
    }
    fields
}

async fn send(cx: &Scope<'_>, method: Method, path: &[&str], body: Json) -> Result<Json> {
    cx.call(at(method, path).body_json(body)).await.map_err(refused)
}

/// Sends an update, if it says anything.
async fn update(cx: &Scope<'_>, path: &[&str], fields: Map<String, Json>) -> Result<()> {
    if !fields.is_empty() {
        send(cx, Method::PATCH, path, Json::Object(fields)).await?;
    }
    Ok(())
}

/// Takes something away that may be gone already.
async fn delete(cx: &Scope<'_>, path: &[&str]) -> Result<()> {
    found(cx.call(at(Method::DELETE, path)).await).map_err(refused)?;
    Ok(())
}

async fn get(cx: &Scope<'_>, path: &[&str]) -> Result<Option<Json>> {
    Ok(found(cx.call(at(Method::GET, path)).await)?)
}

/// Brings the tags of `/{resource}` to what the step wants.
async fn retag(
    cx: &Scope<'_>,
    resource: &str,
    live: &Attributes,
    before: Option<&Attributes>,
    after: &Attributes,
) -> Result<()> {
    if !described::changes("tags", live, before, after) {
        return Ok(());
    }
    let arn = format!("arn:aws:apigateway:{}::/{resource}", cx.region);
    let (put, removed) = tags::changes(live.get("tags"), after.get("tags"));
    if !removed.is_empty() {
        let request = at(Method::DELETE, &["tags", &arn]);
        let request = removed.iter().fold(request, |request, key| request.query("tagKeys", key));
        cx.call(request).await.map_err(refused)?;
    }
    if !put.is_empty() {
        let tags: Map<String, Json> = put.into_iter().map(|(key, value)| (key, value.into())).collect();
        send(cx, Method::POST, &["tags", &arn], json!({ "tags": tags })).await?;
    }
    Ok(())
}
