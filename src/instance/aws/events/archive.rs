//! Archives: what they keep and for how long. The events in them can't be read, only replayed, and are not recorded.

use serde_json::{Value as Json, json};

use super::{API, is_here, pattern, pattern_text};
use crate::core::record::Record;
use crate::core::value::Value;
use crate::error::Result;
use crate::instance::aws::{Request, Scope, described, found, items, refused};
use crate::instance::{Sink, Step};

/// Told about an archive, but no part of it, or read by a way of its own.
const LEFT_OUT: [&str; 9] = [
    "ArchiveArn",
    "ArchiveName",
    "CreationTime",
    "EventCount",
    "EventPattern",
    "LastUpdatedTime",
    "SizeBytes",
    "State",
    "StateReason",
];

pub(super) async fn capture(cx: &Scope<'_>, sink: &dyn Sink) -> Result<()> {
    let mut pages = cx.pages(Request::json(&API, "ListArchives", json!({"Limit": 100})), "NextToken", "NextToken");
    let mut archives = Vec::new();
    while let Some(page) = pages.next().await? {
        let here = items(&page["Archives"]).iter().filter(|archive| is_here(cx, &archive["EventSourceArn"]));
        let names = here.filter_map(|archive| archive["ArchiveName"].as_str());
        archives.extend(names.map(|name| (cx.address("archive", name), name.to_owned())));
    }
    cx.each(sink, archives, |address, name| async move {
        let Some((record, created)) = read(cx, &name).await? else { return Ok(()) };
        sink.mark(&address, &created);
        sink.record(address, record)
    })
    .await
}

/// An archive as it stands there, and when it was made.
async fn read(cx: &Scope<'_>, name: &str) -> Result<Option<(Record, String)>> {
    let Some(live) = found(cx.json(&API, "DescribeArchive", json!({"ArchiveName": name})).await)? else {
        return Ok(None);
    };
    let mut attributes = described::attributes(cx, &live, &LEFT_OUT)?;
    // For ever, which is also what no number means.
    if live["RetentionDays"].as_i64() == Some(0) {
        attributes.remove("RetentionDays");
    }
    if let Some(text) = live["EventPattern"].as_str().filter(|text| !text.is_empty()) {
        attributes.insert("EventPattern".to_owned(), pattern(cx, text));
    }
    Ok(Some((Record::new(attributes), live["CreationTime"].to_string())))
}

pub(super) async fn apply(cx: &Scope<'_>, step: &Step) -> Result<()> {
    let name = step.address.name();
    let Some(after) = &step.after else { return delete(cx, name).await };
    let before = step.before.as_ref().map(|before| &before.attributes);
    let Some((live, _)) = read(cx, name).await? else { return create(cx, name, after).await };
    let (live, after_all) = (&live.attributes, &after.attributes);
    let changes = |attribute: &str| described::changes(attribute, live, before, after_all);
    // No update takes another bus, or takes a pattern away.
    let unpatterned = changes("EventPattern") && !after_all.contains_key("EventPattern");
    if changes("EventSourceArn") || unpatterned {
        delete(cx, name).await?;
        return create(cx, name, after).await;
    }
    let mut request = json!({});
    for (attribute, none) in [
        ("Description", json!("")),
        ("RetentionDays", json!(0)),
        ("KmsKeyIdentifier", json!("")),
        ("EventPattern", json!("")),
    ] {
        if changes(attribute) {
            request[attribute] = after_all.get(attribute).map_or(none, |value| value_of(cx, attribute, value));
        }
    }
    if request != json!({}) {
        request["ArchiveName"] = name.into();
        cx.json(&API, "UpdateArchive", request).await.map_err(refused)?;
    }
    Ok(())
}

fn value_of(cx: &Scope<'_>, attribute: &str, value: &Value) -> Json {
    match attribute {
        "EventPattern" => pattern_text(cx, value).into(),
        _ => cx.local(value).to_json(),
    }
}

async fn create(cx: &Scope<'_>, name: &str, after: &Record) -> Result<()> {
    let mut request = json!({"ArchiveName": name});
    for (attribute, value) in &after.attributes {
        request[attribute] = value_of(cx, attribute, value);
    }
    cx.json(&API, "CreateArchive", request).await.map_err(refused)?;
    Ok(())
}

async fn delete(cx: &Scope<'_>, name: &str) -> Result<()> {
    found(cx.json(&API, "DeleteArchive", json!({"ArchiveName": name})).await).map_err(refused)?;
    Ok(())
}
