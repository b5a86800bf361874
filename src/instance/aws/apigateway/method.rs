//! The methods of an API: what is asked, what it is passed on to, and what comes back. An item's name is its path and
//! its verb: `/orders POST`.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::resource::{self, Tree};
use super::{delete, get, id_in, part, portable_id, send, sort};
use crate::core::address::Address;
use crate::core::record::Record;
use crate::core::value::Value;
use crate::error::{Error, Result};
use crate::instance::aws::described::{self, Attributes};
use crate::instance::aws::{Method, Scope, quirks};
use crate::instance::{Sink, Step};

const INTEGRATION: &str = "methodIntegration";
const INTEGRATION_RESPONSES: &str = "integrationResponses";
const RESPONSES: &str = "methodResponses";
/// Parts of a method that have calls of their own, and the two that are told by id.
const APART: [&str; 4] = [INTEGRATION, RESPONSES, "authorizer", "requestValidator"];

/// The statuses that are asked for one by one where an instance lists none.
const USUAL: [&str; 39] = [
    "200", "201", "202", "203", "204", "205", "206", "301", "302", "303", "304", "307", "308", "400", "401", "402",
    "403", "404", "405", "406", "408", "409", "410", "411", "412", "413", "415", "416", "418", "422", "423", "424",
    "428", "429", "500", "501", "502", "503", "504",
];

/// Names of an API's authorizers and request validators by id.
struct Known {
    authorizers: BTreeMap<String, String>,
    validators: BTreeMap<String, String>,
}

impl Known {
    async fn of(cx: &Scope<'_>, api: &str) -> Result<Known> {
        let by_id = |found: Vec<(String, Json)>| {
            found.into_iter().filter_map(|(name, one)| Some((id_in(&one)?, name))).collect::<BTreeMap<_, _>>()
        };
        let authorizers = by_id(part::named(cx, api, "authorizers").await?);
        Ok(Known { authorizers, validators: by_id(part::named(cx, api, "requestvalidators").await?) })
    }
}

pub(super) async fn capture(cx: &Scope<'_>, sink: &dyn Sink, api: &Address, id: &str) -> Result<()> {
    let (tree, known) = (resource::tree(cx, id).await?, &Known::of(cx, id).await?);
    let mut found = Vec::new();
    for (path, (resource, methods)) in tree {
        for verb in methods.as_object().into_iter().flatten().map(|(verb, _)| verb) {
            found.push((api.item("method", &format!("{path} {verb}")), (resource.clone(), verb.clone())));
        }
    }
    cx.each(sink, found, |address, (resource, verb)| async move {
        match read(cx, &["restapis", id, "resources", &resource, "methods", &verb], &resource, known).await? {
            Some(attributes) => sink.record(address, Record::new(attributes)),
            None => Ok(()),
        }
    })
    .await
}

async fn read(cx: &Scope<'_>, at: &[&str], resource: &str, known: &Known) -> Result<Option<Attributes>> {
    let Some(mut method) = get(cx, at).await? else { return Ok(None) };
    if quirks::hides_responses(cx.emulator) {
        complete(cx, at, &mut method).await?;
    }
    // moto and LocalStack tell the link only when the integration itself is asked for.
    if method[INTEGRATION]["connectionType"] == "VPC_LINK"
        && method[INTEGRATION]["connectionId"].is_null()
        && let Some(mut integration) = get(cx, &[at, &["integration"]].concat()).await?
    {
        method[INTEGRATION]["connectionId"] = integration["connectionId"].take();
    }
    let left_out = ["httpMethod", "authorizerId", "requestValidatorId", INTEGRATION, RESPONSES];
    let mut attributes = super::attributes(cx, &method, &left_out, &[("apiKeyRequired", json!(false))])?;
    sort(&mut attributes, &["authorizationScopes"]);
    for (field, name, names) in [
        ("authorizerId", "authorizer", &known.authorizers),
        ("requestValidatorId", "requestValidator", &known.validators),
    ] {
        if let Some(id) = method[field].as_str().filter(|id| !id.is_empty()) {
            attributes.insert(name.to_owned(), Value::text(names.get(id).map_or(id, String::as_str)));
        }
    }
    let responses = responses(cx, &method[RESPONSES], &["statusCode"])?;
    if !responses.is_empty() {
        attributes.insert(RESPONSES.to_owned(), Value::Map(responses));
    }
    if method[INTEGRATION].as_object().is_some_and(|fields| !fields.is_empty()) {
        attributes.insert(INTEGRATION.to_owned(), Value::Map(integration(cx, &method[INTEGRATION], resource)?));
    }
    Ok(Some(attributes))
}

/// Asks for what a description leaves out there.
async fn complete(cx: &Scope<'_>, at: &[&str], method: &mut Json) -> Result<()> {
    if let Some(integration) = get(cx, &[at, &["integration"]].concat()).await? {
        method[INTEGRATION] = integration;
    }
    for status in USUAL {
        if let Some(response) = get(cx, &[at, &["responses", status]].concat()).await? {
            method[RESPONSES][status] = response;
        }
        if method[INTEGRATION].is_object()
            && let Some(response) = get(cx, &[at, &["integration", "responses", status]].concat()).await?
        {
            method[INTEGRATION][INTEGRATION_RESPONSES][status] = response;
        }
    }
    Ok(())
}

fn responses(cx: &Scope<'_>, found: &Json, left_out: &[&str]) -> Result<Attributes> {
    let found = found.as_object().into_iter().flatten();
    found
        .map(|(status, response)| Ok((status.clone(), Value::Map(described::attributes(cx, response, left_out)?))))
        .collect()
}

fn integration(cx: &Scope<'_>, live: &Json, resource: &str) -> Result<Attributes> {
    let mut attributes = described::attributes(cx, live, &[INTEGRATION_RESPONSES, "connectionId"])?;
    sort(&mut attributes, &["cacheKeyParameters"]);
    let says_nothing = [
        ("connectionType", json!("INTERNET")),
        ("passthroughBehavior", json!("WHEN_NO_MATCH")),
        ("timeoutInMillis", json!(29_000)),
        ("responseTransferMode", json!("BUFFERED")),
        // The resource's own id is where an integration caches if nobody says another.
        ("cacheNamespace", json!(resource)),
    ];
    for (name, default) in says_nothing {
        if live[name] == default {
            attributes.remove(name);
        }
    }
    // There is nothing to be asked by a verb.
    if live["type"] == "MOCK" {
        attributes.remove("httpMethod");
    }
    if let Some(link) = live["connectionId"].as_str().filter(|link| !link.is_empty()) {
        attributes.insert("connectionId".to_owned(), Value::text(portable_id(cx, link)));
    }
    let responses = responses(cx, &live[INTEGRATION_RESPONSES], &["statusCode"])?;
    if !responses.is_empty() {
        attributes.insert(INTEGRATION_RESPONSES.to_owned(), Value::Map(responses));
    }
    Ok(attributes)
}

pub(super) async fn apply(cx: &Scope<'_>, step: &Step, api: &str, item: &str) -> Result<()> {
    let Some((path, verb)) = item.rsplit_once(' ') else {
        return Err(Error::failed(format!("{} names no method", step.address)));
    };
    let tree: Tree = resource::tree(cx, api).await?;
    let Some((resource, methods)) = tree.get(path) else {
        if step.after.is_none() {
            return Ok(());
        }
        return Err(Error::denied(format!("there is no resource {path} to put a method into")));
    };
    let at = ["restapis", api, "resources", resource, "methods", verb];
    let Some(after) = step.after.as_ref().map(|after| &after.attributes) else { return delete(cx, &at).await };
    let known = Known::of(cx, api).await?;
    let there = !methods[verb].is_null();
    let live = if there { read(cx, &at, resource, &known).await? } else { None };
    let before = step.before.as_ref().map(|before| &before.attributes);
    let own_changes = live.as_ref().is_none_or(|live| {
        let names = live.keys().chain(after.keys());
        names
            .filter(|name| *name != INTEGRATION && *name != RESPONSES)
            .any(|name| described::changes(name, live, before, after))
    });
    let live = match live {
        // A method has nothing but what is told of it: it is put anew as a whole.
        Some(_) if own_changes => {
            delete(cx, &at).await?;
            None
        }
        live => live,
    };
    if live.is_none() {
        put(cx, &at, after, &known).await?;
    }
    let live = live.unwrap_or_default();
    if described::changes(RESPONSES, &live, before, after) {
        let (have, want) = (fields(live.get(RESPONSES)), fields(after.get(RESPONSES)));
        put_responses(cx, &[&at[..], &["responses"]].concat(), &have, &want).await?;
    }
    if described::changes(INTEGRATION, &live, before, after) {
        put_integration(cx, &at, &fields(live.get(INTEGRATION)), after.get(INTEGRATION)).await?;
    }
    Ok(())
}

fn fields(value: Option<&Value>) -> Attributes {
    value.and_then(Value::as_map).cloned().unwrap_or_default()
}

async fn put(cx: &Scope<'_>, at: &[&str], after: &Attributes, known: &Known) -> Result<()> {
    let mut body = super::body(cx, after, &APART);
    body["apiKeyRequired"] = json!(after.get("apiKeyRequired") == Some(&Value::Bool(true)));
    for (name, field, ids, kind) in [
        ("authorizer", "authorizerId", &known.authorizers, "authorizer"),
        ("requestValidator", "requestValidatorId", &known.validators, "request validator"),
    ] {
        let Some(wanted) = after.get(name).and_then(Value::as_text) else { continue };
        let Some((id, _)) = ids.iter().find(|(_, name)| *name == wanted) else {
            return Err(Error::denied(format!("there is no {kind} {wanted} for this method")));
        };
        body[field] = json!(id);
    }
    send(cx, Method::PUT, at, body).await?;
    Ok(())
}

async fn put_responses(cx: &Scope<'_>, at: &[&str], have: &Attributes, want: &Attributes) -> Result<()> {
    for (status, response) in have {
        if want.get(status) != Some(response) {
            delete(cx, &[at, &[status]].concat()).await?;
        }
    }
    for (status, response) in want {
        if have.get(status) != Some(response) {
            send(cx, Method::PUT, &[at, &[status]].concat(), cx.local(response).to_json()).await?;
        }
    }
    Ok(())
}

async fn put_integration(cx: &Scope<'_>, at: &[&str], live: &Attributes, after: Option<&Value>) -> Result<()> {
    let at = [at, &["integration"]].concat();
    let Some(after) = after.and_then(Value::as_map) else { return delete(cx, &at).await };
    let without = |integration: &Attributes| {
        let mut fields = integration.clone();
        fields.remove(INTEGRATION_RESPONSES);
        fields
    };
    let mut have = fields(live.get(INTEGRATION_RESPONSES));
    if without(live) != without(after) {
        if !live.is_empty() {
            delete(cx, &at).await?;
        }
        have.clear();
        send(cx, Method::PUT, &at, super::body(cx, after, &[INTEGRATION_RESPONSES])).await?;
    }
    let mut want = fields(after.get(INTEGRATION_RESPONSES));
    if quirks::wants_response_templates(cx.emulator) {
        for response in have.values_mut().chain(want.values_mut()) {
            if let Value::Map(response) = response {
                response.entry("responseTemplates".to_owned()).or_insert_with(|| Value::Map(Attributes::new()));
            }
        }
    }
    put_responses(cx, &[&at[..], &["responses"]].concat(), &have, &want).await
}
