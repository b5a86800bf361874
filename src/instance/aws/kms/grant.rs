//! Grants, items of their key. A grant can't be changed: another one takes its place.

use serde_json::{Value as Json, json};

use super::{API, KEY, denied, key, listed};
use crate::core::record::Record;
use crate::core::value::Value;
use crate::error::{Error, Result};
use crate::instance::Step;
use crate::instance::aws::{Scope, described, found, ids};

/// Told about a grant, but no part of it.
const LEFT_OUT: [&str; 4] = ["CreationDate", "GrantId", "IssuingAccount", "KeyId"];

pub(super) struct Grant {
    id: String,
    pub record: Record,
}

/// The grants of a key by their names: the one people gave it, else whom it is given to.
pub(super) async fn all(cx: &Scope<'_>, key: &str) -> Result<Vec<(String, Grant)>> {
    let mut grants = Vec::new();
    for grant in listed(cx, "ListGrants", json!({"KeyId": key, "Limit": 100}), "Grants").await? {
        let Some(id) = grant["GrantId"].as_str() else { continue };
        let mut attributes = described::attributes(cx, &grant, &LEFT_OUT)?;
        if let Some(Value::List(operations)) = attributes.get("Operations") {
            let operations = Value::Set(operations.iter().cloned().collect());
            attributes.insert("Operations".to_owned(), operations);
        }
        let text = |name: &str| attributes.get(name).and_then(Value::as_text).map(str::to_owned);
        let name = text("Name").or_else(|| text("GranteePrincipal")).unwrap_or_default();
        let order = format!("{attributes:?}");
        grants.push((name, order, Grant { id: id.to_owned(), record: Record::new(attributes) }));
    }
    Ok(ids::named(grants))
}

pub(super) async fn apply(cx: &Scope<'_>, step: &Step, name: &str) -> Result<()> {
    let key = key::find(cx, &cx.address(KEY, step.address.name())).await?;
    let Some(key) = key else {
        return match step.after {
            Some(_) => Err(Error::denied(format!("there is no key {} to grant the use of", step.address.name()))),
            None => Ok(()),
        };
    };
    let live = all(cx, &key.id).await?.into_iter().find(|(grant, _)| grant == name).map(|(_, grant)| grant);
    if let (Some(live), Some(after)) = (&live, &step.after)
        && live.record == *after
    {
        return Ok(());
    }
    if let Some(grant) = live {
        found(cx.json(&API, "RevokeGrant", json!({"KeyId": key.id, "GrantId": grant.id})).await).map_err(denied)?;
    }
    if let Some(after) = &step.after {
        let mut request = described::fields(cx, &after.attributes);
        request.insert("KeyId".to_owned(), key.id.into());
        cx.json(&API, "CreateGrant", Json::Object(request)).await.map_err(denied)?;
    }
    Ok(())
}
