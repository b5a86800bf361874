//! Routes, and what they use: authorizers and models.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use super::integration::{RESPONSES, Tree, put_into, put_responses};
use super::{attributes, body, changed, delete, get, list, list_if_offered, send, spelled_once, update};
use crate::core::address::Address;
use crate::core::record::Record;
use crate::core::value::Value;
use crate::error::{Error, Result};
use crate::instance::aws::apigateway::{sort, text};
use crate::instance::aws::described::Attributes;
use crate::instance::aws::{Method, Scope, quirks};
use crate::instance::{Sink, Step};

const AUTHORIZER: &str = "authorizer";
const TARGET: &str = "target";
const INTEGRATIONS: &str = "integrations/";

pub(super) async fn capture(cx: &Scope<'_>, sink: &dyn Sink, api: &Address, tree: &Tree, talks: bool) -> Result<()> {
    let authorizers = authorizers(cx, tree).await?;
    for route in &tree.routes {
        let mut attributes = read_route(cx, route, tree, &authorizers)?;
        if talks && !quirks::lists_few_of_http_apis(cx.emulator) {
            let at = ["apis", &tree.api, "routes", text(route, "routeId"), "routeresponses"];
            put_into(cx, &mut attributes, &list(cx, &at).await?, "routeResponseKey", "routeResponseId")?;
        }
        sink.record(api.item("route", text(route, "routeKey")), Record::new(attributes))?;
    }
    for authorizer in &authorizers {
        sink.record(api.item("authorizer", text(authorizer, "name")), Record::new(read_authorizer(cx, authorizer)?))?;
    }
    if quirks::has_http_api_models(cx.emulator) {
        for model in list(cx, &["apis", &tree.api, "models"]).await? {
            sink.record(api.item("model", text(&model, "name")), Record::new(read_model(cx, &model)?))?;
        }
    }
    Ok(())
}

/// An API's authorizers; where they are not listed, those that routes use.
async fn authorizers(cx: &Scope<'_>, tree: &Tree) -> Result<Vec<Json>> {
    let listed = list_if_offered(cx, &["apis", &tree.api, "authorizers"]).await?;
    if !listed.is_empty() || !quirks::lists_few_of_http_apis(cx.emulator) {
        return Ok(listed);
    }
    let used: BTreeSet<&str> = tree.routes.iter().map(|route| text(route, "authorizerId")).collect();
    let mut found = Vec::new();
    for id in used.into_iter().filter(|id| !id.is_empty()) {
        found.extend(get(cx, &["apis", &tree.api, "authorizers", id]).await?);
    }
    Ok(found)
}

fn read_route(cx: &Scope<'_>, route: &Json, tree: &Tree, authorizers: &[Json]) -> Result<Attributes> {
    let left_out = ["apiGatewayManaged", "authorizerId", "routeId", "routeKey", TARGET];
    let defaults = [("apiKeyRequired", json!(false)), ("authorizationType", json!("NONE"))];
    let mut attributes = attributes(cx, route, &left_out, &defaults)?;
    sort(&mut attributes, &["authorizationScopes"]);
    spelled_once(cx, &mut attributes, &["requestParameters"]);
    let id = text(route, "authorizerId");
    if !id.is_empty() {
        let named = authorizers.iter().find(|one| text(one, "authorizerId") == id);
        attributes.insert(AUTHORIZER.to_owned(), Value::text(named.map_or(id, |one| text(one, "name"))));
    }
    let target = text(route, TARGET);
    if !target.is_empty() {
        let named = target.strip_prefix(INTEGRATIONS).and_then(|id| tree.name(id));
        let target = named.map_or_else(|| target.to_owned(), |name| format!("{INTEGRATIONS}{name}"));
        attributes.insert(TARGET.to_owned(), Value::text(target));
    }
    Ok(attributes)
}

pub(super) async fn apply_route(cx: &Scope<'_>, step: &Step, owner: &Address, api: &str, key: &str) -> Result<()> {
    let tree = Tree::of(cx, api).await?;
    let there = tree.routes.iter().find(|route| text(route, "routeKey") == key);
    let Some(after) = step.after.as_ref().map(|after| &after.attributes) else {
        return match there {
            Some(route) => delete(cx, &["apis", api, "routes", text(route, "routeId")]).await,
            None => Ok(()),
        };
    };
    let authorizers = authorizers(cx, &tree).await?;
    let mut references = serde_json::Map::new();
    if let Some(name) = after.get(AUTHORIZER).and_then(Value::as_text) {
        // One that no route uses yet is only known to who made it.
        let listed = authorizers.iter().find(|one| text(one, "name") == name);
        let id = listed.map(|one| text(one, "authorizerId").to_owned());
        let Some(id) = id.or_else(|| cx.id(&owner.item("authorizer", name))) else {
            return Err(Error::denied(format!("there is no authorizer {name} for this route")));
        };
        references.insert("authorizerId".to_owned(), id.into());
    }
    if let Some(target) = after.get(TARGET).and_then(Value::as_text) {
        let target = match target.strip_prefix(INTEGRATIONS) {
            Some(name) => {
                let made = cx.id(&owner.item("integration", name));
                let there = || Some(text(tree.integrations.get(name)?, "integrationId").to_owned());
                let Some(id) = made.or_else(there) else {
                    return Err(Error::denied(format!("there is no integration {name} for this route")));
                };
                format!("{INTEGRATIONS}{id}")
            }
            None => target.to_owned(),
        };
        references.insert(TARGET.to_owned(), target.into());
    }
    let before = step.before.as_ref().map(|before| &before.attributes);
    let but = [AUTHORIZER, RESPONSES, TARGET];
    let id = match there {
        Some(route) => {
            let live = read_route(cx, route, &tree, &authorizers)?;
            let mut fields = changed(cx, &live, before, after, &but);
            fields.extend(references.into_iter().filter(|(name, value)| route[name] != *value));
            if fields.contains_key("authorizationType") && !after.contains_key("authorizationType") {
                fields.insert("authorizationType".to_owned(), "NONE".into());
            }
            let id = text(route, "routeId").to_owned();
            update(cx, &["apis", api, "routes", &id], fields).await?;
            id
        }
        None => {
            let mut body = body(cx, after, &but);
            body["routeKey"] = key.into();
            if let Json::Object(fields) = &mut body {
                fields.extend(references);
            }
            text(&send(cx, Method::POST, &["apis", api, "routes"], body).await?, "routeId").to_owned()
        }
    };
    if quirks::lists_few_of_http_apis(cx.emulator) {
        return Ok(());
    }
    let at = ["apis", api, "routes", &id, "routeresponses"];
    put_responses(cx, &at, after, ("routeResponseKey", "routeResponseId")).await
}

fn read_authorizer(cx: &Scope<'_>, authorizer: &Json) -> Result<Attributes> {
    let defaults = [("authorizerResultTtlInSeconds", json!(300)), ("enableSimpleResponses", json!(false))];
    let mut attributes = attributes(cx, authorizer, &["authorizerId"], &defaults)?;
    // A token is read by the gateway itself: nothing is called, in no format.
    if authorizer["authorizerType"] == "JWT" {
        attributes.remove("authorizerPayloadFormatVersion");
    }
    Ok(attributes)
}

pub(super) async fn apply_authorizer(cx: &Scope<'_>, step: &Step, api: &str, name: &str) -> Result<()> {
    let tree = Tree::of(cx, api).await?;
    let mut listed = authorizers(cx, &tree).await?;
    if let Some(id) = cx.id(&step.address) {
        listed.extend(get(cx, &["apis", api, "authorizers", &id]).await?);
    }
    let there = listed.iter().find(|one| text(one, "name") == name);
    match (&step.after, there) {
        (None, None) => Ok(()),
        (None, Some(one)) => delete(cx, &["apis", api, "authorizers", text(one, "authorizerId")]).await,
        (Some(after), Some(one)) => {
            let before = step.before.as_ref().map(|before| &before.attributes);
            let fields = changed(cx, &read_authorizer(cx, one)?, before, &after.attributes, &["name"]);
            update(cx, &["apis", api, "authorizers", text(one, "authorizerId")], fields).await
        }
        (Some(after), None) => {
            let made = send(cx, Method::POST, &["apis", api, "authorizers"], body(cx, &after.attributes, &[])).await?;
            cx.learn(&step.address, text(&made, "authorizerId"));
            Ok(())
        }
    }
}

fn read_model(cx: &Scope<'_>, model: &Json) -> Result<Attributes> {
    attributes(cx, model, &["modelId", "name"], &[])
}

pub(super) async fn apply_model(cx: &Scope<'_>, step: &Step, api: &str, name: &str) -> Result<()> {
    let listed =
        if quirks::has_http_api_models(cx.emulator) { list(cx, &["apis", api, "models"]).await? } else { Vec::new() };
    let there = listed.iter().find(|one| text(one, "name") == name);
    match (&step.after, there) {
        (None, None) => Ok(()),
        (None, Some(one)) => delete(cx, &["apis", api, "models", text(one, "modelId")]).await,
        (Some(after), Some(one)) => {
            let before = step.before.as_ref().map(|before| &before.attributes);
            let fields = changed(cx, &read_model(cx, one)?, before, &after.attributes, &[]);
            update(cx, &["apis", api, "models", text(one, "modelId")], fields).await
        }
        (Some(after), None) => {
            let mut body = body(cx, &after.attributes, &[]);
            body["name"] = name.into();
            send(cx, Method::POST, &["apis", api, "models"], body).await?;
            Ok(())
        }
    }
}
