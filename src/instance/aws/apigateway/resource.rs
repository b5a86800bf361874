//! The paths of an API.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::{ApiGateway, delete, id_in, list, send, text};
use crate::core::address::Address;
use crate::core::record::Record;
use crate::error::{Error, Result};
use crate::instance::aws::{Method, Scope};
use crate::instance::{Sink, Step};

/// Ids and methods of an API's resources, by path.
pub(super) type Tree = BTreeMap<String, (String, Json)>;

pub(super) async fn tree(cx: &Scope<'_>, api: &str) -> Result<Tree> {
    let found = list(cx, &["restapis", api, "resources"], &[("embed", "methods")]).await?;
    let place = |one: &Json| Some((text(one, "path").to_owned(), (id_in(one)?, one["resourceMethods"].clone())));
    Ok(found.iter().filter_map(place).collect())
}

pub(super) async fn capture(cx: &Scope<'_>, sink: &dyn Sink, api: &Address, id: &str) -> Result<()> {
    // Every API has its root.
    for path in tree(cx, id).await?.into_keys().filter(|path| path != "/") {
        sink.record(api.item("resource", &path), Record::default())?;
    }
    Ok(())
}

impl ApiGateway {
    pub(super) async fn apply_resource(&self, cx: &Scope<'_>, step: &Step, api: &str, path: &str) -> Result<()> {
        let _making = self.making.lock().await;
        let tree = tree(cx, api).await?;
        let mut ids: BTreeMap<String, String> = tree.into_iter().map(|(path, (id, _))| (path, id)).collect();
        if step.after.is_none() {
            // moto leaves what lies below behind, and then breaks down over it.
            for (_, id) in ids.iter().rev().filter(|(below, _)| below.strip_prefix(path).is_some_and(is_below)) {
                delete(cx, &["restapis", api, "resources", id]).await?;
            }
            return Ok(());
        }
        let mut parent = String::from("/");
        for part in path.split('/').filter(|part| !part.is_empty()) {
            let whole = if parent == "/" { format!("/{part}") } else { format!("{parent}/{part}") };
            if !ids.contains_key(&whole) {
                let Some(above) = ids.get(&parent) else {
                    return Err(Error::failed(format!("API {api} has no resource {parent}")));
                };
                let made =
                    send(cx, Method::POST, &["restapis", api, "resources", above], json!({"pathPart": part})).await?;
                ids.insert(whole.clone(), id_in(&made).unwrap_or_default());
            }
            parent = whole;
        }
        Ok(())
    }
}

/// Whether a path that begins with another ends there or goes on below it.
fn is_below(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with('/')
}
