//! Event buses.

use serde_json::{Value as Json, json};

use super::{API, DEFAULT, arn, policy, retag, tags_of};
use crate::core::record::Record;
use crate::error::{Error, Result};
use crate::instance::aws::{Request, Scope, described, found, items, quirks, refused, tags};
use crate::instance::{Sink, Step};

/// Told about a bus, but no part of it, or read by a way of its own.
const LEFT_OUT: [&str; 6] = ["Arn", "CreationTime", "LastModifiedTime", "Name", "Policy", "Tags"];

/// What an update can change, and what takes it away.
fn updatable() -> [(&'static str, Json); 4] {
    [
        ("Description", json!("")),
        ("KmsKeyIdentifier", json!("")),
        ("DeadLetterConfig", json!({})),
        ("LogConfig", json!({"Level": "OFF"})),
    ]
}

/// The names of all buses that are listed here.
pub(super) async fn names(cx: &Scope<'_>) -> Result<Vec<String>> {
    let mut pages = cx.pages(Request::json(&API, "ListEventBuses", json!({"Limit": 100})), "NextToken", "NextToken");
    let mut names = Vec::new();
    while let Some(page) = pages.next().await? {
        names.extend(items(&page["EventBuses"]).iter().filter_map(|bus| bus["Name"].as_str()).map(str::to_owned));
    }
    Ok(names)
}

pub(super) async fn capture(cx: &Scope<'_>, sink: &dyn Sink, names: &[String]) -> Result<()> {
    if quirks::buses_span_regions(cx.emulator) && cx.region != cx.client.home_region() {
        return Ok(());
    }
    let buses = names.iter().map(|name| (cx.address("event-bus", name), name.as_str())).collect();
    cx.each(sink, buses, |address, name| async move {
        let Some((record, created)) = read(cx, name).await? else { return Ok(()) };
        if name == DEFAULT {
            return if record.attributes.is_empty() { Ok(()) } else { sink.record(address, record) };
        }
        if let Some(created) = created {
            sink.mark(&address, &created);
        }
        sink.record(address, record)
    })
    .await
}

/// A bus as it stands there, and when it was made.
async fn read(cx: &Scope<'_>, name: &str) -> Result<Option<(Record, Option<String>)>> {
    let Some(live) = found(cx.json(&API, "DescribeEventBus", json!({"Name": name})).await)? else { return Ok(None) };
    let mut attributes = described::attributes(cx, &live, &LEFT_OUT)?;
    if let Some(text) = live["Policy"].as_str().filter(|text| !text.is_empty()) {
        attributes.insert("Policy".to_owned(), policy::read(cx, text));
    }
    if let Some(tags) = tags_of(cx, &arn(cx, &format!("event-bus/{name}"))).await? {
        attributes.insert("Tags".to_owned(), tags);
    }
    let created = &live["CreationTime"];
    Ok(Some((Record::new(attributes), (!created.is_null()).then(|| created.to_string()))))
}

pub(super) async fn apply(cx: &Scope<'_>, step: &Step) -> Result<()> {
    let name = step.address.name();
    let unchanged = Record::default();
    let after = match &step.after {
        Some(after) => after,
        // It can't be deleted: what was changed is taken back.
        None if name == DEFAULT => &unchanged,
        None => {
            found(cx.json(&API, "DeleteEventBus", json!({"Name": name})).await).map_err(refused)?;
            return Ok(());
        }
    };
    let before = step.before.as_ref().map(|before| &before.attributes);
    let after = &after.attributes;
    let Some((live, _)) = read(cx, name).await? else {
        let settings = after.iter().filter(|(attribute, _)| !matches!(attribute.as_str(), "Policy" | "Tags"));
        let mut request = described::fields(cx, settings);
        request.insert("Name".to_owned(), name.into());
        if let Some(tags) = after.get("Tags") {
            request.insert("Tags".to_owned(), tags::to_list(tags));
        }
        cx.json(&API, "CreateEventBus", Json::Object(request)).await.map_err(refused)?;
        return match after.get("Policy") {
            Some(policy) => policy::write(cx, name, false, Some(policy)).await,
            None => Ok(()),
        };
    };
    let live = live.attributes;
    retag(cx, &arn(cx, &format!("event-bus/{name}")), live.get("Tags"), after.get("Tags")).await?;
    if described::changes("Policy", &live, before, after) {
        policy::write(cx, name, live.contains_key("Policy"), after.get("Policy")).await?;
    }
    let mut request = json!({});
    for (attribute, none) in updatable() {
        if described::changes(attribute, &live, before, after) {
            request[attribute] = after.get(attribute).map_or(none, |value| cx.local(value).to_json());
        }
    }
    if request == json!({}) {
        return Ok(());
    }
    if !quirks::updates_buses(cx.emulator) {
        let make = cx.emulator.name();
        return Err(Error::denied(format!("{make} can't change a bus's description, key or dead-letter queue")));
    }
    request["Name"] = name.into();
    cx.json(&API, "UpdateEventBus", request).await.map_err(refused)?;
    Ok(())
}
