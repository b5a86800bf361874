//! Activities: names by which workers ask for tasks.

use serde_json::{Value as Json, json};

use super::{API, arn, retag, tag_list, tags_of, without_own_key};
use crate::core::record::Record;
use crate::error::Result;
use crate::instance::aws::{Request, Scope, described, found, items, refused, tags};
use crate::instance::{Sink, Step};

const LEFT_OUT: [&str; 3] = ["activityArn", "creationDate", "name"];

pub(super) async fn capture(cx: &Scope<'_>, sink: &dyn Sink) -> Result<()> {
    let request = Request::json(&API, "ListActivities", json!({"maxResults": 1000}));
    let mut pages = cx.pages(request, "nextToken", "nextToken");
    let mut activities = Vec::new();
    while let Some(page) = pages.next().await? {
        let names = items(&page["activities"]).iter().filter_map(|activity| activity["name"].as_str());
        activities.extend(names.map(|name| (cx.address("activity", name), name.to_owned())));
    }
    cx.each(sink, activities, |address, name| async move {
        let Some((record, created)) = read(cx, &name).await? else { return Ok(()) };
        sink.mark(&address, &created);
        sink.record(address, record)
    })
    .await
}

/// An activity as it stands there, and when it was made.
async fn read(cx: &Scope<'_>, name: &str) -> Result<Option<(Record, String)>> {
    let arn = arn(cx, "activity", name);
    let Some(live) = found(cx.json(&API, "DescribeActivity", json!({"activityArn": arn})).await)? else {
        return Ok(None);
    };
    let mut attributes = described::attributes(cx, &live, &LEFT_OUT)?;
    without_own_key(&mut attributes);
    if let Some(tags) = tags_of(cx, &arn).await? {
        attributes.insert("tags".to_owned(), tags);
    }
    Ok(Some((Record::new(attributes), live["creationDate"].to_string())))
}

pub(super) async fn apply(cx: &Scope<'_>, step: &Step) -> Result<()> {
    let name = step.address.name();
    let Some(after) = &step.after else { return delete(cx, name).await };
    let before = step.before.as_ref().map(|before| &before.attributes);
    let after = &after.attributes;
    if let Some((live, _)) = read(cx, name).await? {
        // No call changes how it is encrypted.
        if !described::changes("encryptionConfiguration", &live.attributes, before, after) {
            return retag(cx, &arn(cx, "activity", name), &live.attributes, before, after).await;
        }
        delete(cx, name).await?;
    }
    let mut request = described::fields(cx, after.iter().filter(|(attribute, _)| *attribute != "tags"));
    request.insert("name".to_owned(), name.into());
    request.insert("tags".to_owned(), tag_list(tags::pairs(after.get("tags")).into_iter().collect()));
    cx.json(&API, "CreateActivity", Json::Object(request)).await.map_err(refused)?;
    Ok(())
}

async fn delete(cx: &Scope<'_>, name: &str) -> Result<()> {
    let request = json!({"activityArn": arn(cx, "activity", name)});
    found(cx.json(&API, "DeleteActivity", request).await).map_err(refused)?;
    Ok(())
}
