//! What routes lead to. An integration has no name of its own: it has that of the first route that leads to it, and one
//! that no route leads to that of what it asks.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::{attributes, body, changed, delete, list, send, update};
use crate::core::address::Address;
use crate::core::record::Record;
use crate::core::value::Value;
use crate::error::Result;
use crate::instance::aws::apigateway::{portable_id, text};
use crate::instance::aws::described::{self, Attributes};
use crate::instance::aws::{Method, Scope, ids};
use crate::instance::{Sink, Step};

/// The attribute that holds the responses of an integration or a route, by key: a WebSocket API's.
pub(super) const RESPONSES: &str = "responses";

/// An API's integrations by names, and its routes.
pub(super) struct Tree {
    pub(super) api: String,
    pub(super) integrations: BTreeMap<String, Json>,
    pub(super) routes: Vec<Json>,
}

impl Tree {
    pub(super) async fn of(cx: &Scope<'_>, api: &str) -> Result<Tree> {
        let routes = list(cx, &["apis", api, "routes"]).await?;
        let mut first: BTreeMap<&str, &str> = BTreeMap::new();
        for route in &routes {
            if let Some(id) = text(route, "target").strip_prefix("integrations/") {
                let key = text(route, "routeKey");
                let name = first.entry(id).or_insert(key);
                *name = (*name).min(key);
            }
        }
        let mut found = Vec::new();
        for one in list(cx, &["apis", api, "integrations"]).await? {
            let name = match first.get(text(&one, "integrationId")) {
                Some(route) => (*route).to_owned(),
                None => {
                    let parts = ["integrationType", "integrationMethod", "integrationUri"].map(|part| text(&one, part));
                    cx.portable_text(parts.join(" ").trim_end())
                }
            };
            let rank = Value::Map(read(cx, &one)?).to_json().to_string();
            found.push((name, rank, one));
        }
        Ok(Tree { api: api.to_owned(), integrations: ids::named(found).into_iter().collect(), routes })
    }

    /// The name of the integration with this id.
    pub(super) fn name(&self, id: &str) -> Option<&str> {
        let mut found = self.integrations.iter().filter(|(_, one)| text(one, "integrationId") == id);
        found.next().map(|(name, _)| name.as_str())
    }

    fn is_used(&self, id: &str) -> bool {
        self.routes.iter().any(|route| text(route, "target").strip_prefix("integrations/") == Some(id))
    }
}

pub(super) async fn capture(cx: &Scope<'_>, sink: &dyn Sink, api: &Address, tree: &Tree, talks: bool) -> Result<()> {
    for (name, one) in &tree.integrations {
        let mut attributes = read(cx, one)?;
        if talks {
            let at = ["apis", &tree.api, "integrations", text(one, "integrationId"), "integrationresponses"];
            let responses = list(cx, &at).await?;
            put_into(cx, &mut attributes, &responses, "integrationResponseKey", "integrationResponseId")?;
        }
        let address = api.item("integration", name);
        cx.learn(&address, text(one, "integrationId"));
        sink.record(address, Record::new(attributes))?;
    }
    Ok(())
}

/// Puts responses by their keys into a record.
pub(super) fn put_into(
    cx: &Scope<'_>,
    attributes: &mut Attributes,
    responses: &[Json],
    key: &str,
    id: &str,
) -> Result<()> {
    let mut by_key = Attributes::new();
    for response in responses {
        by_key.insert(text(response, key).to_owned(), Value::Map(described::attributes(cx, response, &[key, id])?));
    }
    if !by_key.is_empty() {
        attributes.insert(RESPONSES.to_owned(), Value::Map(by_key));
    }
    Ok(())
}

fn read(cx: &Scope<'_>, live: &Json) -> Result<Attributes> {
    let left_out = ["apiGatewayManaged", "connectionId", "integrationId", "integrationResponseSelectionExpression"];
    let mut attributes = attributes(
        cx,
        live,
        &left_out,
        &[("connectionType", json!("INTERNET")), ("passthroughBehavior", json!("WHEN_NO_MATCH"))],
    )?;
    if live["timeoutInMillis"] == 30_000 || live["timeoutInMillis"] == 29_000 {
        attributes.remove("timeoutInMillis");
    }
    // There is nothing to be asked.
    if live["integrationType"] == "MOCK" {
        attributes.remove("integrationMethod");
        attributes.remove("payloadFormatVersion");
    }
    if let Some(link) = live["connectionId"].as_str().filter(|link| !link.is_empty()) {
        attributes.insert("connectionId".to_owned(), Value::text(portable_id(cx, link)));
    }
    Ok(attributes)
}

pub(super) async fn apply(cx: &Scope<'_>, step: &Step, api: &str, name: &str) -> Result<()> {
    let tree = Tree::of(cx, api).await?;
    let there = match cx.id(&step.address) {
        Some(id) => tree.integrations.values().find(|one| text(one, "integrationId") == id),
        None => tree.integrations.get(name),
    };
    let Some(after) = step.after.as_ref().map(|after| &after.attributes) else {
        return match there {
            Some(one) => delete(cx, &["apis", api, "integrations", text(one, "integrationId")]).await,
            None => Ok(()),
        };
    };
    let before = step.before.as_ref().map(|before| &before.attributes);
    let own = |attributes: &Attributes| {
        let mut own = attributes.clone();
        own.remove(RESPONSES);
        own
    };
    // One that was made before and that no route has found yet is this one.
    let waiting = || {
        tree.integrations.values().find(|one| {
            let id = text(one, "integrationId");
            cx.ids.known_as(id).is_none() && !tree.is_used(id) && read(cx, one).is_ok_and(|read| read == own(after))
        })
    };
    let id = match there.or_else(waiting) {
        Some(one) => {
            let id = text(one, "integrationId").to_owned();
            let fields = changed(cx, &read(cx, one)?, before, after, &[RESPONSES]);
            update(cx, &["apis", api, "integrations", &id], fields).await?;
            id
        }
        None => {
            let made = send(cx, Method::POST, &["apis", api, "integrations"], body(cx, after, &[RESPONSES])).await?;
            text(&made, "integrationId").to_owned()
        }
    };
    cx.learn(&step.address, &id);
    let at = ["apis", api, "integrations", &id, "integrationresponses"];
    put_responses(cx, &at, after, ("integrationResponseKey", "integrationResponseId")).await
}

/// Brings the responses of an integration or a route to what a record says.
pub(super) async fn put_responses(
    cx: &Scope<'_>,
    at: &[&str],
    after: &Attributes,
    (key, id): (&str, &str),
) -> Result<()> {
    let none = Attributes::new();
    let wanted = after.get(RESPONSES).and_then(Value::as_map).unwrap_or(&none);
    let live = if wanted.is_empty() && cx.emulator != crate::instance::aws::Emulator::Other {
        // Not every emulator lists those of an HTTP API, which has none.
        list(cx, at).await.unwrap_or_default()
    } else {
        list(cx, at).await?
    };
    for response in &live {
        let name = text(response, key);
        let said = Value::Map(described::attributes(cx, response, &[key, id])?);
        if wanted.get(name) != Some(&said) {
            delete(cx, &[at, &[text(response, id)]].concat()).await?;
        }
    }
    for (name, response) in wanted {
        let there = live.iter().find(|live| text(live, key) == name);
        let said = there.map(|live| described::attributes(cx, live, &[key, id])).transpose()?;
        if said.map(Value::Map).as_ref() != Some(response) {
            let mut body = cx.local(response).to_json();
            body[key] = json!(name);
            send(cx, Method::POST, at, body).await?;
        }
    }
    Ok(())
}
