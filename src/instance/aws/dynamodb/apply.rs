//! Putting tables back: made if they are missing, changed in place where DynamoDB can, made anew where it can't.

use serde_json::{Value as Json, json};

use super::rebuild::rebuild;
use super::update::{LOCAL, changes, create, expire, same_keys, tolerate, update};
use super::{API, describe, table};
use crate::core::content::Contents;
use crate::core::record::Record;
use crate::error::Result;
use crate::instance::aws::{Scope, tags};

/// Brings a table to what the record says, whatever is there now.
pub(super) async fn apply(cx: &Scope<'_>, name: &str, after: &Record, contents: &dyn Contents) -> Result<()> {
    let mut live = match describe(cx, name).await? {
        None => create(cx, name, after).await?,
        Some(live) => live,
    };
    let mut now = table::record(cx, &live).await?;
    if must_be_new(&now, after) {
        live = rebuild(cx, name, &now, after, contents).await?;
        now = table::record(cx, &live).await?;
    }
    for request in changes(cx, &now, after) {
        update(cx, name, request).await?;
    }
    expire(cx, name, &now, after).await?;
    let (put, removed) = tags::changes(now.attributes.get("Tags"), after.attributes.get("Tags"));
    let arn = &live["TableArn"];
    if !removed.is_empty() {
        tolerate(cx.json(&API, "UntagResource", json!({"ResourceArn": arn, "TagKeys": removed})).await)?;
    }
    if !put.is_empty() {
        let tags: Vec<Json> = put.into_iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
        tolerate(cx.json(&API, "TagResource", json!({"ResourceArn": arn, "Tags": tags})).await)?;
    }
    Ok(())
}

/// Whether DynamoDB can't change the one table into the other: its keys and local indexes are for its life.
fn must_be_new(now: &Record, after: &Record) -> bool {
    now.attributes.get(LOCAL) != after.attributes.get(LOCAL) || !same_keys(now, after)
}
