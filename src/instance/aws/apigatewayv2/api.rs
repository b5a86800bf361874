//! HTTP and WebSocket APIs themselves.

use serde_json::{Value as Json, json};

use super::{
    ApiGatewayV2, attributes, body, changed, delete, get, integration, list, part, retag, send, stage, update,
};
use crate::core::record::Record;
use crate::error::Result;
use crate::instance::aws::apigateway::{by_name, text};
use crate::instance::aws::described::Attributes;
use crate::instance::aws::{Method, Scope};
use crate::instance::{Sink, Step};

const LEFT_OUT: [&str; 6] = ["apiEndpoint", "apiGatewayManaged", "apiId", "createdDate", "importInfo", "warnings"];
const CORS: &str = "corsConfiguration";

pub(super) async fn named(cx: &Scope<'_>) -> Result<Vec<(String, Json)>> {
    let rank = |api: &Json| {
        format!("{} {} {} {}", text(api, "protocolType"), text(api, "description"), text(api, "version"), api["tags"])
    };
    Ok(by_name(list(cx, &["apis"]).await?, rank))
}

pub(super) async fn capture(cx: &Scope<'_>, sink: &dyn Sink) -> Result<()> {
    let found = named(cx).await?.into_iter().map(|(name, api)| (cx.address("api", &name), api)).collect();
    cx.each(sink, found, |address, api| async move {
        let id = text(&api, "apiId");
        cx.learn(&address, id);
        sink.mark(&address, id);
        sink.record(address.clone(), Record::new(read(cx, &api)?))?;
        let tree = integration::Tree::of(cx, id).await?;
        let talks = api["protocolType"] == "WEBSOCKET";
        integration::capture(cx, sink, &address, &tree, talks).await?;
        part::capture(cx, sink, &address, &tree, talks).await?;
        stage::capture(cx, sink, &address, id).await
    })
    .await
}

fn read(cx: &Scope<'_>, api: &Json) -> Result<Attributes> {
    let off = || json!(false);
    let defaults = [
        ("apiKeySelectionExpression", json!("$request.header.x-api-key")),
        ("disableExecuteApiEndpoint", off()),
        ("disableSchemaValidation", off()),
        ("ipAddressType", json!("ipv4")),
    ];
    let mut attributes = attributes(cx, api, &LEFT_OUT, &defaults)?;
    // An HTTP API has no choice, and emulators spell it in two ways.
    if api["protocolType"] == "HTTP" {
        attributes.remove("routeSelectionExpression");
    }
    Ok(attributes)
}

impl ApiGatewayV2 {
    pub(super) async fn apply_api(&self, cx: &Scope<'_>, step: &Step) -> Result<()> {
        let making = self.making.lock().await;
        let id = self.id(cx, &step.address).await?;
        let Some(after) = step.after.as_ref().map(|after| &after.attributes) else {
            return match id {
                Some(id) => delete(cx, &["apis", &id]).await,
                None => Ok(()),
            };
        };
        let live = match &id {
            Some(id) => get(cx, &["apis", id]).await?,
            None => None,
        };
        let (Some(id), Some(live)) = (id, live) else {
            let made = send(cx, Method::POST, &["apis"], body(cx, after, &[])).await?;
            cx.learn(&step.address, text(&made, "apiId"));
            return Ok(());
        };
        drop(making);
        let (live, before) = (read(cx, &live)?, step.before.as_ref().map(|before| &before.attributes));
        // What kind of API it is stays.
        let mut fields = changed(cx, &live, before, after, &["name", "protocolType", "tags"]);
        if fields.contains_key(CORS) && !after.contains_key(CORS) {
            fields.remove(CORS);
            delete(cx, &["apis", &id, "cors"]).await?;
        }
        update(cx, &["apis", &id], fields).await?;
        retag(cx, &format!("apis/{id}"), &live, before, after).await
    }
}
