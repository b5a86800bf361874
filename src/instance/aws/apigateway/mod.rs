//! API Gateway: REST APIs with all that belongs to them, API keys, usage plans, domain names and links.
//!
//! Its ids are generated, so an API, a key, a plan and a link stand under their names, and what lies in an API under its
//! own: a resource under its path, a method under path and verb, an authorizer under its name. A deployment is a snapshot
//! that no call shows or takes back: a stage is put back by deploying what the API is then, see [`stage`].

mod api;
pub(super) mod deploy;
mod domain;
mod key;
mod method;
mod part;
mod patch;
mod plan;
mod resource;
mod stage;

use async_trait::async_trait;
use serde_json::{Value as Json, json};
use tokio::sync::Mutex;

use self::deploy::Lanes;
use crate::core::address::Address;
use crate::core::content::Contents;
use crate::core::value::Value;
use crate::error::{Error, Result};
use crate::instance::aws::described::{self, Attributes};
use crate::instance::aws::{
    Api, ApiError, Emulator, Method, Request, Scope, Service, ids, items, quirks, refused, tags,
};
use crate::instance::{Sink, Stage, Step};

const API: Api = Api::rest("apigateway");

/// The service.
#[derive(Default)]
pub struct ApiGateway {
    /// Held from looking for a thing by its name until it is made: two of one name must not take each other for
    /// themselves, nor two paths make their parent twice.
    making: Mutex<()>,
    lanes: Lanes,
}

#[async_trait]
impl Service for ApiGateway {
    fn name(&self) -> &'static str {
        "apigateway"
    }

    fn probe(&self) -> Option<Request> {
        Some(at(Method::GET, &["restapis"]).query("limit", "1"))
    }

    fn partial(&self, emulator: Emulator, _agent: bool) -> Option<&'static str> {
        quirks::hides_responses(emulator).then_some("responses of a method only for the usual statuses: it lists none")
    }

    async fn ids(&self, cx: &Scope<'_>) -> Result<Vec<(Address, String)>> {
        if elsewhere(cx) {
            return Ok(Vec::new());
        }
        let found = [
            ("rest-api", api::named(cx).await?),
            ("api-key", key::named(cx).await?),
            ("usage-plan", plan::named(cx).await?),
            ("vpc-link", domain::named_links(cx).await?),
        ];
        let ids = found.into_iter().flat_map(|(kind, things)| {
            things.into_iter().filter_map(move |(name, thing)| Some((cx.address(kind, &name), id_in(&thing)?)))
        });
        Ok(ids.collect())
    }

    fn stage(&self, address: &Address) -> Stage {
        match (address.kind(), address.collection_and_item()) {
            ("account", _) => Stage::Foundation,
            ("usage-plan", _) => Stage::Mapped,
            ("domain-name", None) => Stage::Dependent,
            ("domain-name", _) => Stage::Mapped,
            ("rest-api", Some(("method", _))) => Stage::Item,
            ("rest-api", Some(("stage", _))) => Stage::Published,
            ("rest-api", Some(_)) => Stage::Dependent,
            _ => Stage::Resource,
        }
    }

    async fn capture(&self, cx: &Scope<'_>, sink: &dyn Sink) -> Result<()> {
        if elsewhere(cx) {
            return Ok(());
        }
        let kinds = [
            ("rest-api", api::capture(cx, sink).await),
            ("api-key", key::capture(cx, sink).await),
            ("usage-plan", plan::capture(cx, sink).await),
            ("vpc-link", domain::capture_links(cx, sink).await),
            ("domain-name", domain::capture(cx, sink).await),
            ("account", domain::capture_account(cx, sink).await),
        ];
        cx.each_kind(sink, kinds)
    }

    async fn apply(&self, cx: &Scope<'_>, step: &Step, _contents: &dyn Contents) -> Result<()> {
        match (step.address.kind(), step.address.collection_and_item()) {
            ("rest-api", None) => self.apply_api(cx, step).await,
            ("rest-api", Some((collection, item))) => self.apply_part(cx, step, collection, item).await,
            ("api-key", None) => self.apply_key(cx, step).await,
            ("usage-plan", None) => self.apply_plan(cx, step).await,
            ("vpc-link", None) => self.apply_link(cx, step).await,
            ("domain-name", None) => domain::apply(cx, step).await,
            ("domain-name", Some(("base-path-mapping", path))) => domain::apply_mapping(cx, step, path).await,
            ("account", None) => domain::apply_account(cx, step).await,
            (kind, _) => Err(unknown(kind)),
        }
    }
}

impl ApiGateway {
    /// Puts back what lies in an API, and deploys it again where it is served already.
    async fn apply_part(&self, cx: &Scope<'_>, step: &Step, collection: &str, item: &str) -> Result<()> {
        let owner = step.address.owner().unwrap_or_else(|| step.address.clone());
        let Some(api) = self.id(cx, &owner).await? else {
            if step.after.is_none() {
                return Ok(());
            }
            return Err(Error::denied(format!("there is no {owner} to put it into")));
        };
        match collection {
            "resource" => self.apply_resource(cx, step, &api, item).await?,
            "method" => method::apply(cx, step, &api, item).await?,
            "stage" => return stage::apply(cx, step, &api, item).await,
            "model" => part::apply_model(cx, step, &api, item).await?,
            "request-validator" => part::apply_validator(cx, step, &api, item).await?,
            "authorizer" => part::apply_authorizer(cx, step, &api, item).await?,
            "gateway-response" => part::apply_gateway_response(cx, step, &api, item).await?,
            other => return Err(unknown(other)),
        }
        self.lanes.once(cx, &api, deploy::deploy(cx, &api)).await
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
    Error::failed(format!("this peapod can't restore a {kind} of API Gateway"))
        .hint("it was captured by a newer peapod: update this one")
}

/// Whether what a region shows belongs to another.
fn elsewhere(cx: &Scope<'_>) -> bool {
    quirks::gateways_span_regions(cx.emulator) && cx.region != cx.client.home_region()
}

fn at(method: Method, path: &[&str]) -> Request {
    // Without it, AWS answers in HAL.
    Request::rest(&API, method, path).header("accept", "application/json")
}

/// Everything that a listing has, page by page.
async fn list(cx: &Scope<'_>, path: &[&str], query: &[(&str, &str)]) -> Result<Vec<Json>> {
    let request = at(Method::GET, path).query("limit", "500");
    let request = query.iter().fold(request, |request, (name, value)| request.query(name, value));
    let mut pages = cx.pages(request, "position", "position");
    let mut all = Vec::new();
    while let Some(mut page) = pages.next().await? {
        let field = if page["item"].is_null() { "items" } else { "item" };
        match page[field].take() {
            Json::Array(items) => all.extend(items),
            one => all.extend(items(&one).iter().cloned()),
        }
    }
    Ok(all)
}

/// Things by names of their own, see [`ids::named`].
pub(super) fn by_name(found: Vec<Json>, rank: impl Fn(&Json) -> String) -> Vec<(String, Json)> {
    let named = found.into_iter().map(|thing| (text(&thing, "name").to_owned(), rank(&thing), thing));
    ids::named(named.collect())
}

pub(super) fn text<'j>(json: &'j Json, field: &str) -> &'j str {
    json[field].as_str().unwrap_or_default()
}

fn id_in(json: &Json) -> Option<String> {
    json["id"].as_str().filter(|id| !id.is_empty()).map(str::to_owned)
}

/// A description as attributes: see [`described::attributes`], and without what says no more than nothing would.
fn attributes(cx: &Scope<'_>, live: &Json, left_out: &[&str], defaults: &[(&str, Json)]) -> Result<Attributes> {
    let mut attributes = described::attributes(cx, live, left_out)?;
    for (name, default) in defaults {
        if live[*name] == *default {
            attributes.remove(*name);
        }
    }
    if let Some(tags) = tags::from_list(&live["tags"]) {
        attributes.insert("tags".to_owned(), tags);
    } else {
        attributes.remove("tags");
    }
    Ok(attributes)
}

/// Sorts lists whose order means nothing.
pub(super) fn sort(attributes: &mut Attributes, names: &[&str]) {
    for name in names {
        if let Some(Value::List(items)) = attributes.get_mut(*name) {
            items.sort();
        }
    }
}

/// An id as a portable text, and as it is if it is of nothing known.
pub(super) fn portable_id(cx: &Scope<'_>, id: &str) -> String {
    cx.ids.known_as(id).unwrap_or_else(|| id.to_owned())
}

/// A body of fields for this instance.
fn body(cx: &Scope<'_>, attributes: &Attributes, left_out: &[&str]) -> Json {
    Json::Object(described::fields(cx, attributes.iter().filter(|(name, _)| !left_out.contains(&name.as_str()))))
}

/// Sends a request that makes something, and gives the answer.
async fn send(cx: &Scope<'_>, method: Method, path: &[&str], body: Json) -> Result<Json> {
    cx.call(at(method, path).body_json(body)).await.map_err(refused)
}

/// Takes something away that may be gone already.
async fn delete(cx: &Scope<'_>, path: &[&str]) -> Result<()> {
    match cx.call(at(Method::DELETE, path)).await {
        Err(error) if is_absent(&error) => Ok(()),
        answer => answer.map(|_| ()).map_err(refused),
    }
}

/// Emulators say it in several ways.
fn is_absent(error: &ApiError) -> bool {
    error.is_missing() || error.message.starts_with("Invalid ") && error.message.contains("identifier specified")
}

/// What is there, or none.
async fn get(cx: &Scope<'_>, path: &[&str]) -> Result<Option<Json>> {
    match cx.call(at(Method::GET, path)).await {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(error.into()),
    }
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
        let tags: serde_json::Map<String, Json> = put.into_iter().map(|(key, value)| (key, value.into())).collect();
        send(cx, Method::PUT, &["tags", &arn], json!({ "tags": tags })).await?;
    }
    Ok(())
}
