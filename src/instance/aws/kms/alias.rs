//! Aliases: names of keys.

use serde_json::json;

use super::{ALIAS, API, denied, listed};
use crate::core::record::Record;
use crate::core::value::Value;
use crate::error::{Error, Result};
use crate::instance::aws::Scope;
use crate::instance::{Sink, Step};

const TARGET: &str = "TargetKeyId";

/// All aliases that are not AWS's own, without `alias/`, and the ids of their keys.
async fn all(cx: &Scope<'_>) -> Result<Vec<(String, String)>> {
    let aliases = listed(cx, "ListAliases", json!({"Limit": 100}), "Aliases").await?;
    let own = aliases.iter().filter_map(|alias| {
        let name = alias["AliasName"].as_str()?.strip_prefix("alias/").filter(|name| !name.starts_with("aws/"))?;
        Some((name.to_owned(), alias[TARGET].as_str()?.to_owned()))
    });
    Ok(own.collect())
}

pub(super) async fn capture(cx: &Scope<'_>, sink: &dyn Sink) -> Result<()> {
    for (name, key) in all(cx).await? {
        let target = cx.portable_text(&key);
        // One of a key that is not recorded: of a replica, or one that waits for its deletion.
        if target != key {
            sink.record(cx.address(ALIAS, &name), Record::new([(TARGET.to_owned(), Value::text(target))].into()))?;
        }
    }
    Ok(())
}

pub(super) async fn apply(cx: &Scope<'_>, step: &Step) -> Result<()> {
    let name = step.address.name();
    let live = all(cx).await?.into_iter().find(|(alias, _)| alias == name).map(|(_, key)| key);
    let alias = format!("alias/{name}");
    let Some(after) = &step.after else {
        if live.is_some() {
            cx.json(&API, "DeleteAlias", json!({"AliasName": alias})).await.map_err(denied)?;
        }
        return Ok(());
    };
    let target = cx.local_text(after.text(TARGET).unwrap_or_default());
    if target.starts_with('{') {
        return Err(Error::denied(format!("the key of the alias {name} is not there")));
    }
    let action = match live {
        Some(key) if key == target => return Ok(()),
        Some(_) => "UpdateAlias",
        None => "CreateAlias",
    };
    cx.json(&API, action, json!({"AliasName": alias, TARGET: target})).await.map_err(denied)?;
    Ok(())
}
