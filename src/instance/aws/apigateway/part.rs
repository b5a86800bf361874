//! What an API's methods use: models, request validators, authorizers, and the gateway's own responses.

use serde_json::{Value as Json, json};

use super::patch::Patch;
use super::{attributes, body, by_name, delete, get, id_in, list, send, sort, text};
use crate::core::address::Address;
use crate::core::record::Record;
use crate::error::Result;
use crate::instance::aws::described::Attributes;
use crate::instance::aws::{Method, Scope};
use crate::instance::{Sink, Step};

/// The models that every API has, and what they are described as when nobody changed them.
const OWN_MODELS: [(&str, &str); 2] =
    [("Empty", "This is a default empty schema model"), ("Error", "This is a default error schema model")];

/// The body of a gateway's own response when nobody says another.
const OWN_BODY: &str = "{\"message\":$context.error.messageString}";

pub(super) async fn named(cx: &Scope<'_>, api: &str, kind: &str) -> Result<Vec<(String, Json)>> {
    let rank = |one: &Json| format!("{}{}", one["validateRequestBody"], one["validateRequestParameters"]);
    Ok(by_name(list(cx, &["restapis", api, kind], &[]).await?, rank))
}

pub(super) async fn capture(cx: &Scope<'_>, sink: &dyn Sink, api: &Address, id: &str) -> Result<()> {
    for model in list(cx, &["restapis", id, "models"], &[]).await? {
        let name = text(&model, "name");
        if !OWN_MODELS.contains(&(name, text(&model, "description"))) {
            sink.record(api.item("model", name), Record::new(model_of(cx, &model)?))?;
        }
    }
    for (name, validator) in named(cx, id, "requestvalidators").await? {
        sink.record(api.item("request-validator", &name), Record::new(validator_of(cx, &validator)?))?;
    }
    for (name, authorizer) in named(cx, id, "authorizers").await? {
        sink.record(api.item("authorizer", &name), Record::new(authorizer_of(cx, &authorizer)?))?;
    }
    for response in list(cx, &["restapis", id, "gatewayresponses"], &[]).await? {
        let kind = text(&response, "responseType");
        if response["defaultResponse"] != true && !kind.is_empty() {
            sink.record(api.item("gateway-response", kind), Record::new(gateway_response_of(cx, &response)?))?;
        }
    }
    Ok(())
}

fn model_of(cx: &Scope<'_>, model: &Json) -> Result<Attributes> {
    attributes(cx, model, &["id", "name"], &[])
}

fn validator_of(cx: &Scope<'_>, validator: &Json) -> Result<Attributes> {
    let off = json!(false);
    let defaults = [("validateRequestBody", off.clone()), ("validateRequestParameters", off)];
    attributes(cx, validator, &["id"], &defaults)
}

fn authorizer_of(cx: &Scope<'_>, authorizer: &Json) -> Result<Attributes> {
    let mut attributes = attributes(cx, authorizer, &["id"], &[("authorizerResultTtlInSeconds", json!(300))])?;
    sort(&mut attributes, &["providerARNs"]);
    Ok(attributes)
}

fn gateway_response_of(cx: &Scope<'_>, response: &Json) -> Result<Attributes> {
    let own = [("responseTemplates", json!({"application/json": OWN_BODY}))];
    attributes(cx, response, &["responseType", "defaultResponse"], &own)
}

pub(super) async fn apply_model(cx: &Scope<'_>, step: &Step, api: &str, name: &str) -> Result<()> {
    let at = ["restapis", api, "models", name];
    let Some(after) = step.after.as_ref().map(|after| &after.attributes) else { return delete(cx, &at).await };
    let before = step.before.as_ref().map(|before| &before.attributes);
    if let Some(live) = get(cx, &at).await? {
        let live = model_of(cx, &live)?;
        if live.get("contentType") == after.get("contentType") {
            Patch::new(cx).attributes(&live, before, after, &[]).send(&at).await?;
            if let Some(now) = get(cx, &at).await?
                && model_of(cx, &now)? == *after
            {
                return Ok(());
            }
        }
        // Methods know it by its name, so it can be made anew.
        delete(cx, &at).await?;
    }
    let mut body = body(cx, after, &[]);
    body["name"] = name.into();
    send(cx, Method::POST, &["restapis", api, "models"], body).await?;
    Ok(())
}

/// What stands under this name in a listing of an API, and its id.
async fn find(cx: &Scope<'_>, api: &str, kind: &str, name: &str) -> Result<Option<(String, Json)>> {
    let found = named(cx, api, kind).await?.into_iter().find(|(found, _)| found == name);
    Ok(found.and_then(|(_, one)| Some((id_in(&one)?, one))))
}

pub(super) async fn apply_validator(cx: &Scope<'_>, step: &Step, api: &str, name: &str) -> Result<()> {
    apply_by_id(cx, step, api, ("requestvalidators", name), validator_of).await
}

pub(super) async fn apply_authorizer(cx: &Scope<'_>, step: &Step, api: &str, name: &str) -> Result<()> {
    apply_by_id(cx, step, api, ("authorizers", name), authorizer_of).await
}

async fn apply_by_id(
    cx: &Scope<'_>,
    step: &Step,
    api: &str,
    (kind, name): (&str, &str),
    read: fn(&Scope<'_>, &Json) -> Result<Attributes>,
) -> Result<()> {
    let there = find(cx, api, kind, name).await?;
    match (&step.after, there) {
        (None, None) => Ok(()),
        (None, Some((id, _))) => delete(cx, &["restapis", api, kind, &id]).await,
        (Some(after), Some((id, live))) => {
            let (live, before) = (read(cx, &live)?, step.before.as_ref().map(|before| &before.attributes));
            let patch = Patch::new(cx).attributes(&live, before, &after.attributes, &["name"]);
            patch.send(&["restapis", api, kind, &id]).await
        }
        (Some(after), None) => {
            send(cx, Method::POST, &["restapis", api, kind], body(cx, &after.attributes, &[])).await?;
            Ok(())
        }
    }
}

pub(super) async fn apply_gateway_response(cx: &Scope<'_>, step: &Step, api: &str, kind: &str) -> Result<()> {
    let at = ["restapis", api, "gatewayresponses", kind];
    let Some(after) = &step.after else { return delete(cx, &at).await };
    send(cx, Method::PUT, &at, body(cx, &after.attributes, &[])).await?;
    Ok(())
}
