//! Aliases, `function/NAME/alias/ALIAS`: which version each leads to, or which two.

use serde_json::{Value as Json, json};

use super::attached::{self, Holder};
use super::{functions, text};
use crate::core::address::Address;
use crate::core::record::Record;
use crate::core::value::Value;
use crate::error::Result;
use crate::instance::aws::described::{self, Attributes};
use crate::instance::aws::{ApiError, Method, Scope, found, items, quirks, refused};
use crate::instance::{Sink, Step};

/// In addresses.
pub(super) const ALIAS: &str = "alias";
/// Told about an alias, but no part of it: its name (that is the address) and what is generated.
const VOLATILE: [&str; 3] = ["AliasArn", "Name", "RevisionId"];

pub(super) async fn capture(cx: &Scope<'_>, sink: &dyn Sink, function: &Address) -> Result<()> {
    let listed = list(cx, function.name()).await?;
    let aliases = listed.into_iter().filter_map(|alias| {
        let address = function.item(ALIAS, text(&alias, "Name")?);
        sink.wants(&address).then_some((address, alias))
    });
    cx.each(sink, aliases.collect(), |address, alias| async move {
        let mut attributes = read(cx, &alias)?;
        let name = text(&alias, "Name").unwrap_or_default();
        attributes.extend(attached::read(cx, Holder::Alias(address.name(), name)).await?);
        sink.record(address, Record::new(attributes))
    })
    .await
}

pub(super) async fn list(cx: &Scope<'_>, function: &str) -> Result<Vec<Json>, ApiError> {
    let mut aliases = Vec::new();
    let mut pages = cx.pages(functions(Method::GET, [function, "aliases"]), "Marker", "NextMarker");
    while let Some(page) = found(pages.next().await)?.flatten() {
        aliases.extend(items(&page["Aliases"]).iter().cloned());
    }
    Ok(aliases)
}

fn read(cx: &Scope<'_>, alias: &Json) -> Result<Attributes> {
    let mut alias = alias.clone();
    let weights = &alias["RoutingConfig"]["AdditionalVersionWeights"];
    if weights.as_object().is_none_or(serde_json::Map::is_empty) {
        alias["RoutingConfig"] = Json::Null;
    }
    described::attributes(cx, &alias, &VOLATILE)
}

pub(super) async fn apply(cx: &Scope<'_>, step: &Step, alias: &str) -> Result<()> {
    let function = step.address.name();
    let Some(after) = &step.after else {
        found(cx.call(functions(Method::DELETE, [function, "aliases", alias])).await).map_err(refused)?;
        return Ok(());
    };
    let mut live = found(cx.call(functions(Method::GET, [function, "aliases", alias])).await)?;
    let attributes = live.as_ref().map(|live| read(cx, live)).transpose()?;
    let own = ["Description", "FunctionVersion", "RoutingConfig"];
    let differs = |live: &Attributes| own.iter().any(|name| live.get(*name) != after.attributes.get(*name));
    if attributes.as_ref().is_none_or(differs) {
        let routing = after.attributes.get("RoutingConfig").map(Value::to_json);
        let mut request = json!({
            "FunctionVersion": after.text("FunctionVersion").unwrap_or("$LATEST"),
            "Description": after.text("Description").unwrap_or_default(),
        });
        if routing.is_some() && live.is_some() && quirks::changes_no_alias_to_two(cx.emulator) {
            found(cx.call(functions(Method::DELETE, [function, "aliases", alias])).await).map_err(refused)?;
            live = None;
        }
        match (routing, live.is_some()) {
            (Some(routing), _) => request["RoutingConfig"] = routing,
            (None, true) => request["RoutingConfig"] = json!({"AdditionalVersionWeights": {}}),
            (None, false) => {}
        }
        put(cx, function, alias, live.is_some(), request).await.map_err(refused)?;
    }
    let before = step.before.as_ref().filter(|_| live.is_some()).map(|record| &record.attributes);
    attached::put(cx, Holder::Alias(function, alias), before, &after.attributes).await
}

async fn put(cx: &Scope<'_>, function: &str, alias: &str, there: bool, mut request: Json) -> Result<(), ApiError> {
    let call = if there {
        functions(Method::PUT, [function, "aliases", alias])
    } else {
        request["Name"] = alias.into();
        functions(Method::POST, [function, "aliases"])
    };
    cx.call(call.body_json(request)).await.map(drop)
}

/// Leads the aliases of a version that shall go to `$LATEST`. A later step of the plan leads them to where they shall.
pub(super) async fn lead_away(cx: &Scope<'_>, function: &str, version: &str) -> Result<(), ApiError> {
    for alias in list(cx, function).await? {
        let weights = &alias["RoutingConfig"]["AdditionalVersionWeights"];
        let refers = text(&alias, "FunctionVersion") == Some(version) || !weights[version].is_null();
        if let Some(name) = text(&alias, "Name").filter(|_| refers) {
            let request = json!({"FunctionVersion": "$LATEST", "RoutingConfig": {"AdditionalVersionWeights": {}}});
            put(cx, function, name, true, request).await?;
        }
    }
    Ok(())
}
