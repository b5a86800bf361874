//! Log groups.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::filter::Filter;
use super::{API, GROUP, skip_part, stream};
use crate::core::address::Address;
use crate::core::record::Record;
use crate::core::value::Value;
use crate::error::Result;
use crate::instance::aws::{ApiError, Request, Scope, found, items, quirks, refused, tags};
use crate::instance::{Sink, Step};

const RETENTION: &str = "retentionInDays";
const KEY: &str = "kmsKeyId";
const CLASS: (&str, &str) = ("logGroupClass", "STANDARD");
const PROTECTION: &str = "dataProtectionPolicy";

pub(super) async fn capture_all(cx: &Scope<'_>, sink: &dyn Sink) -> Result<()> {
    let mut groups = Vec::new();
    let mut pages = cx.pages(Request::json(&API, "DescribeLogGroups", json!({"limit": 50})), "nextToken", "nextToken");
    while let Some(page) = pages.next().await? {
        for live in items(&page["logGroups"]) {
            if let Some(name) = live["logGroupName"].as_str() {
                groups.push((cx.address(GROUP, name), live.clone()));
            }
        }
    }
    cx.each(sink, groups, |address, live| async move { capture(cx, sink, &address, &live).await }).await
}

async fn capture(cx: &Scope<'_>, sink: &dyn Sink, address: &Address, live: &Json) -> Result<()> {
    let name = address.name();
    let mut attributes = settings(cx, live)?;
    let answer = found(cx.json(&API, "ListTagsForResource", json!({"resourceArn": arn(cx, name)})).await)?;
    let Some(answer) = answer else { return Ok(()) };
    if let Some(tags) = tags::from_list(&answer["tags"]) {
        attributes.insert("Tags".to_owned(), tags);
    }
    if let Some(policy) = protection(cx, name).await? {
        attributes.insert(PROTECTION.to_owned(), policy);
    }
    sink.mark(address, &live["creationTime"].to_string());
    sink.record(address.clone(), Record::new(attributes))?;
    stream::capture_all(cx, sink, address).await?;
    for filter in Filter::ALL {
        if let Err(error) = filter.capture(cx, sink, address).await? {
            skip_part(cx, sink, address, filter.collection, error)?;
        }
    }
    Ok(())
}

/// What the description of a group says.
fn settings(cx: &Scope<'_>, live: &Json) -> Result<BTreeMap<String, Value>> {
    let mut attributes = BTreeMap::new();
    if live[RETENTION].is_number() {
        attributes.insert(RETENTION.to_owned(), Value::from_json(&live[RETENTION])?);
    }
    if let Some(key) = live[KEY].as_str().filter(|key| !key.is_empty()) {
        attributes.insert(KEY.to_owned(), Value::text(cx.portable_text(key)));
    }
    if let Some(class) = live[CLASS.0].as_str().filter(|class| !class.is_empty() && *class != CLASS.1) {
        attributes.insert(CLASS.0.to_owned(), Value::text(class));
    }
    Ok(attributes)
}

async fn protection(cx: &Scope<'_>, name: &str) -> Result<Option<Value>, ApiError> {
    if !quirks::has_log_protection(cx.emulator) {
        return Ok(None);
    }
    let answer = match cx.json(&API, "GetDataProtectionPolicy", json!({"logGroupIdentifier": name})).await {
        Err(error) if error.is_unsupported() => None,
        answer => found(answer)?,
    };
    let answer = answer.unwrap_or_default();
    Ok(answer["policyDocument"].as_str().filter(|text| !text.is_empty()).map(|text| cx.document(text)))
}

fn arn(cx: &Scope<'_>, name: &str) -> String {
    format!("arn:aws:logs:{}:{}:log-group:{name}", cx.region, cx.account)
}

/// The description of the group of this name.
async fn describe(cx: &Scope<'_>, name: &str) -> Result<Option<Json>, ApiError> {
    let request = Request::json(&API, "DescribeLogGroups", json!({"logGroupNamePrefix": name, "limit": 50}));
    let mut pages = cx.pages(request, "nextToken", "nextToken");
    while let Some(page) = pages.next().await? {
        if let Some(live) = items(&page["logGroups"]).iter().find(|live| live["logGroupName"] == name) {
            return Ok(Some(live.clone()));
        }
    }
    Ok(None)
}

pub(super) async fn apply(cx: &Scope<'_>, step: &Step) -> Result<()> {
    let name = step.address.name();
    let group = json!({"logGroupName": name});
    let Some(after) = &step.after else {
        found(cx.json(&API, "DeleteLogGroup", group).await).map_err(refused)?;
        return Ok(());
    };
    let live = describe(cx, name).await?;
    let have = match &live {
        Some(live) => settings(cx, live)?,
        None => {
            let mut request = group.clone();
            for name in [KEY, CLASS.0] {
                if let Some(text) = after.text(name) {
                    request[name] = cx.local_text(text).into();
                }
            }
            // LocalStack forgets tags that come later to a group that was made without.
            if let Some(tags) = after.attributes.get("Tags") {
                request["tags"] = tags::to_map(tags);
            }
            cx.json(&API, "CreateLogGroup", request).await.map_err(refused)?;
            // What the instance did with them, the next capture shows.
            let made = [KEY, CLASS.0].into_iter().filter_map(|name| Some((name, after.attributes.get(name)?.clone())));
            made.map(|(name, value)| (name.to_owned(), value)).collect()
        }
    };
    let same = |name: &str| have.get(name) == after.attributes.get(name);
    let mut request = group;
    if !same(RETENTION) {
        let days = after.attributes.get(RETENTION);
        let action = if days.is_some() { "PutRetentionPolicy" } else { "DeleteRetentionPolicy" };
        let mut request = request.clone();
        if let Some(days) = days {
            request[RETENTION] = days.to_json();
        }
        cx.json(&API, action, request).await.map_err(refused)?;
    }
    if !same(KEY) && quirks::changes_log_key(cx.emulator) {
        let key = after.text(KEY);
        if let Some(key) = key {
            request[KEY] = cx.local_text(key).into();
        }
        let action = if key.is_some() { "AssociateKmsKey" } else { "DisassociateKmsKey" };
        cx.json(&API, action, request).await.map_err(refused)?;
    }
    protect(cx, name, after).await?;
    if live.is_some() { retag(cx, name, step.before.as_ref(), after).await } else { Ok(()) }
}

async fn protect(cx: &Scope<'_>, name: &str, after: &Record) -> Result<()> {
    let wanted = after.attributes.get(PROTECTION);
    if !quirks::has_log_protection(cx.emulator) || protection(cx, name).await?.as_ref() == wanted {
        return Ok(());
    }
    let mut request = json!({"logGroupIdentifier": name});
    match wanted {
        Some(policy) => {
            request["policyDocument"] = cx.document_text(policy).into();
            cx.json(&API, "PutDataProtectionPolicy", request).await.map_err(refused)?;
        }
        None => {
            found(cx.json(&API, "DeleteDataProtectionPolicy", request).await).map_err(refused)?;
        }
    }
    Ok(())
}

async fn retag(cx: &Scope<'_>, name: &str, before: Option<&Record>, after: &Record) -> Result<()> {
    let (put, removed) = tags::changes(before.and_then(|b| b.attributes.get("Tags")), after.attributes.get("Tags"));
    let arn = arn(cx, name);
    if !removed.is_empty() {
        cx.json(&API, "UntagResource", json!({"resourceArn": arn, "tagKeys": removed})).await.map_err(refused)?;
    }
    if !put.is_empty() {
        let tags: BTreeMap<String, String> = put.into_iter().collect();
        cx.json(&API, "TagResource", json!({"resourceArn": arn, "tags": tags})).await.map_err(refused)?;
    }
    Ok(())
}
