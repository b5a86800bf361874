//! What an account has beside its groups: resource policies and destinations.

use std::collections::BTreeMap;

use serde_json::json;

use super::{API, DESTINATION, POLICY};
use crate::core::record::Record;
use crate::core::value::Value;
use crate::error::Result;
use crate::instance::aws::{Request, Scope, found, items, refused};
use crate::instance::{Sink, Step};

const DOCUMENT: &str = "policyDocument";
const TARGET: [&str; 2] = ["targetArn", "roleArn"];
const ACCESS: &str = "accessPolicy";

pub(super) async fn capture_policies(cx: &Scope<'_>, sink: &dyn Sink) -> Result<()> {
    let mut pages = cx.pages(Request::json(&API, "DescribeResourcePolicies", json!({})), "nextToken", "nextToken");
    while let Some(page) = pages.next().await? {
        for live in items(&page["resourcePolicies"]) {
            if let (Some(name), Some(text)) = (live["policyName"].as_str(), live[DOCUMENT].as_str()) {
                let attributes = BTreeMap::from([(DOCUMENT.to_owned(), cx.document(text))]);
                sink.record(cx.address(POLICY, name), Record::new(attributes))?;
            }
        }
    }
    Ok(())
}

pub(super) async fn apply_policy(cx: &Scope<'_>, step: &Step) -> Result<()> {
    let mut request = json!({"policyName": step.address.name()});
    match step.after.as_ref().map(|after| after.attributes.get(DOCUMENT)) {
        None => {
            found(cx.json(&API, "DeleteResourcePolicy", request).await).map_err(refused)?;
        }
        Some(document) => {
            request[DOCUMENT] = document.map(|document| cx.document_text(document)).into();
            cx.json(&API, "PutResourcePolicy", request).await.map_err(refused)?;
        }
    }
    Ok(())
}

pub(super) async fn capture_destinations(cx: &Scope<'_>, sink: &dyn Sink) -> Result<()> {
    let mut pages = cx.pages(Request::json(&API, "DescribeDestinations", json!({})), "nextToken", "nextToken");
    while let Some(page) = pages.next().await? {
        for live in items(&page["destinations"]) {
            let Some(name) = live["destinationName"].as_str() else { continue };
            let text = |name: &str| live[name].as_str().filter(|text| !text.is_empty());
            let targets =
                TARGET.into_iter().filter_map(|name| Some((name, Value::text(cx.portable_text(text(name)?)))));
            let access = text(ACCESS).map(|text| (ACCESS, cx.document(text)));
            let attributes = targets.chain(access).map(|(name, value)| (name.to_owned(), value)).collect();
            sink.record(cx.address(DESTINATION, name), Record::new(attributes))?;
        }
    }
    Ok(())
}

pub(super) async fn apply_destination(cx: &Scope<'_>, step: &Step) -> Result<()> {
    let name = step.address.name();
    let access = |record: Option<&Record>| record.and_then(|record| record.attributes.get(ACCESS).cloned());
    let (had, wanted) = (access(step.before.as_ref()), access(step.after.as_ref()));
    // A policy can be changed, but not taken away.
    if step.after.is_none() || (had.is_some() && wanted.is_none()) {
        found(cx.json(&API, "DeleteDestination", json!({"destinationName": name})).await).map_err(refused)?;
    }
    let Some(after) = &step.after else { return Ok(()) };
    let mut request = json!({"destinationName": name});
    for name in TARGET {
        request[name] = after.text(name).map(|text| cx.local_text(text)).into();
    }
    cx.json(&API, "PutDestination", request).await.map_err(refused)?;
    if let Some(policy) = wanted.filter(|wanted| had.as_ref() != Some(wanted)) {
        let request = json!({"destinationName": name, ACCESS: cx.document_text(&policy)});
        cx.json(&API, "PutDestinationPolicy", request).await.map_err(refused)?;
    }
    Ok(())
}
