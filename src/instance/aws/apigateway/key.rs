//! API keys, with their values.

use serde_json::{Value as Json, json};

use super::patch::Patch;
use super::{ApiGateway, at, attributes, body, by_name, delete, id_in, is_absent, list, retag, send, text};
use crate::core::record::Record;
use crate::core::value::Value;
use crate::error::Result;
use crate::instance::aws::described::Attributes;
use crate::instance::aws::{Method, Scope};
use crate::instance::{Sink, Step};

const LEFT_OUT: [&str; 4] = ["createdDate", "id", "lastUpdatedDate", "stageKeys"];

/// Keys by names of their own; equals are told apart by their values.
pub(super) async fn named(cx: &Scope<'_>) -> Result<Vec<(String, Json)>> {
    let found = list(cx, &["apikeys"], &[("includeValues", "true")]).await?;
    Ok(by_name(found, |key| text(key, "value").to_owned()))
}

fn read(cx: &Scope<'_>, key: &Json) -> Result<Attributes> {
    let mut attributes = attributes(cx, key, &LEFT_OUT, &[])?;
    // What a caller sends is no configuration.
    attributes.insert("value".to_owned(), Value::text(text(key, "value")));
    Ok(attributes)
}

pub(super) async fn capture(cx: &Scope<'_>, sink: &dyn Sink) -> Result<()> {
    for (name, key) in named(cx).await? {
        let address = cx.address("api-key", &name);
        if let Some(id) = id_in(&key) {
            cx.learn(&address, &id);
            sink.mark(&address, &id);
        }
        sink.record(address, Record::new(read(cx, &key)?))?;
    }
    Ok(())
}

async fn find(cx: &Scope<'_>, id: &str) -> Result<Option<Attributes>> {
    match cx.call(at(Method::GET, &["apikeys", id]).query("includeValue", "true")).await {
        Ok(key) => read(cx, &key).map(Some),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

impl ApiGateway {
    pub(super) async fn apply_key(&self, cx: &Scope<'_>, step: &Step) -> Result<()> {
        let making = self.making.lock().await;
        let id = self.id(cx, &step.address).await?;
        let Some(after) = step.after.as_ref().map(|after| &after.attributes) else {
            return match id {
                Some(id) => delete(cx, &["apikeys", &id]).await,
                None => Ok(()),
            };
        };
        let live = match &id {
            Some(id) => find(cx, id).await?,
            None => None,
        };
        let mut plans = Vec::new();
        let (id, live) = match (id, live) {
            (Some(id), Some(live)) if live.get("value") == after.get("value") => (id, live),
            (id, live) => {
                // Nothing changes the value of a key: it is made anew, and its plans are told.
                if let (Some(id), Some(_)) = (&id, live) {
                    plans = list(cx, &["usageplans"], &[("keyId", id)]).await?;
                    delete(cx, &["apikeys", id]).await?;
                }
                let made = send(cx, Method::POST, &["apikeys"], make(cx, after)).await?;
                let Some(id) = id_in(&made) else { return Ok(()) };
                cx.learn(&step.address, &id);
                (id, after.clone())
            }
        };
        drop(making);
        for plan in plans.iter().filter_map(id_in) {
            send(cx, Method::POST, &["usageplans", &plan, "keys"], json!({"keyId": id, "keyType": "API_KEY"})).await?;
        }
        let before = step.before.as_ref().map(|before| &before.attributes);
        let patch = Patch::new(cx).attributes(&live, before, after, &["name", "tags", "value"]);
        patch.send(&["apikeys", &id]).await?;
        retag(cx, &format!("apikeys/{id}"), &live, before, after).await
    }
}

fn make(cx: &Scope<'_>, after: &Attributes) -> Json {
    let mut body = body(cx, after, &["value"]);
    body["value"] = after.get("value").map(Value::to_json).unwrap_or_default();
    body
}
