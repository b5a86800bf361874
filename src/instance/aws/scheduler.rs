//! EventBridge Scheduler: schedule groups and schedules. Every region has a group named `default`, which is recorded only
//! when it has tags. A schedule is named after its group, `GROUP/SCHEDULE`, and acts as soon as it is there: it is put
//! back disabled when that is asked for.

use async_trait::async_trait;
use serde_json::{Value as Json, json};

use crate::core::address::Address;
use crate::core::content::Contents;
use crate::core::record::Record;
use crate::core::value::Value;
use crate::error::{Error, Result};
use crate::instance::aws::{Api, ApiError, Method, Request, Scope, Service, described, found, items, refused, tags};
use crate::instance::{Sink, Stage, Step};

const API: Api = Api::rest("scheduler");

/// The group that is there by itself.
const DEFAULT: &str = "default";

/// Told about a schedule, but no part of it.
const LEFT_OUT: [&str; 5] = ["Arn", "CreationDate", "GroupName", "LastModificationDate", "Name"];

/// What a schedule is when nobody says otherwise; some emulators write it out, others don't.
const DEFAULTS: [(&str, &str); 2] = [("ActionAfterCompletion", "NONE"), ("ScheduleExpressionTimezone", "UTC")];

/// The service.
pub struct Scheduler;

#[async_trait]
impl Service for Scheduler {
    fn name(&self) -> &'static str {
        "scheduler"
    }

    fn probe(&self) -> Option<Request> {
        Some(at(Method::GET, &["schedule-groups"]).query("MaxResults", "1"))
    }

    fn stage(&self, address: &Address) -> Stage {
        match address.kind() {
            "schedule" => Stage::Acting,
            _ => Stage::Resource,
        }
    }

    async fn capture(&self, cx: &Scope<'_>, sink: &dyn Sink) -> Result<()> {
        let kinds =
            [("schedule-group", capture_groups(cx, sink).await), ("schedule", capture_schedules(cx, sink).await)];
        cx.each_kind(sink, kinds)
    }

    async fn apply(&self, cx: &Scope<'_>, step: &Step, _contents: &dyn Contents) -> Result<()> {
        match (step.address.kind(), step.address.collection_and_item()) {
            ("schedule-group", None) => apply_group(cx, step.address.name(), step.after.as_ref()).await,
            ("schedule", None) => apply_schedule(cx, step).await,
            (kind, _) => Err(Error::failed(format!("this peapod can't restore a {kind} of the scheduler"))
                .hint("it was captured by a newer peapod: update this one")),
        }
    }
}

fn at(method: Method, path: &[&str]) -> Request {
    Request::rest(&API, method, path)
}

async fn capture_groups(cx: &Scope<'_>, sink: &dyn Sink) -> Result<()> {
    let request = at(Method::GET, &["schedule-groups"]).query("MaxResults", "100");
    let mut pages = cx.pages(request, "NextToken", "NextToken");
    let mut groups = Vec::new();
    while let Some(page) = pages.next().await? {
        for group in items(&page["ScheduleGroups"]) {
            if let Some(name) = group["Name"].as_str().filter(|_| group["State"] != "DELETING") {
                groups.push((cx.address("schedule-group", name), (name.to_owned(), group["CreationDate"].clone())));
            }
        }
    }
    cx.each(sink, groups, |address, (name, created)| async move {
        let tags = tags_of(cx, &name).await?;
        if name == DEFAULT && tags.is_none() {
            return Ok(());
        }
        if name != DEFAULT {
            sink.mark(&address, &created.to_string());
        }
        sink.record(address, Record::new(tags.map(|tags| ("Tags".to_owned(), tags)).into_iter().collect()))
    })
    .await
}

fn group_arn(cx: &Scope<'_>, name: &str) -> String {
    format!("arn:aws:scheduler:{}:{}:schedule-group/{name}", cx.region, cx.account)
}

async fn tags_of(cx: &Scope<'_>, group: &str) -> Result<Option<Value>> {
    let answer = found(cx.call(at(Method::GET, &["tags", &group_arn(cx, group)])).await)?;
    Ok(answer.and_then(|answer| tags::from_list(&answer["Tags"])))
}

async fn find_group(cx: &Scope<'_>, name: &str) -> Result<Option<Json>, ApiError> {
    found(cx.call(at(Method::GET, &["schedule-groups", name])).await)
}

async fn apply_group(cx: &Scope<'_>, name: &str, after: Option<&Record>) -> Result<()> {
    let there = find_group(cx, name).await?.is_some();
    let wanted = after.and_then(|after| after.attributes.get("Tags"));
    match (after, there) {
        (None, false) => return Ok(()),
        (None, true) if name != DEFAULT => {
            cx.call(at(Method::DELETE, &["schedule-groups", name])).await.map_err(refused)?;
            return Ok(());
        }
        (Some(_), false) => {
            let body = json!({"Tags": wanted.map_or_else(|| json!([]), tags::to_list)});
            cx.call(at(Method::POST, &["schedule-groups", name]).body_json(body)).await.map_err(refused)?;
            return Ok(());
        }
        (_, true) => {}
    }
    let (put, removed) = tags::changes(tags_of(cx, name).await?.as_ref(), wanted);
    let arn = group_arn(cx, name);
    if !removed.is_empty() {
        let request = at(Method::DELETE, &["tags", &arn]);
        let request = removed.iter().fold(request, |request, key| request.query("TagKeys", key));
        cx.call(request).await.map_err(refused)?;
    }
    if !put.is_empty() {
        let tags: Vec<Json> = put.into_iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
        cx.call(at(Method::POST, &["tags", &arn]).body_json(json!({ "Tags": tags }))).await.map_err(refused)?;
    }
    Ok(())
}

async fn capture_schedules(cx: &Scope<'_>, sink: &dyn Sink) -> Result<()> {
    let mut pages = cx.pages(at(Method::GET, &["schedules"]).query("MaxResults", "100"), "NextToken", "NextToken");
    let mut schedules = Vec::new();
    while let Some(page) = pages.next().await? {
        for schedule in items(&page["Schedules"]) {
            let Some(name) = schedule["Name"].as_str() else { continue };
            let group = schedule["GroupName"].as_str().unwrap_or(DEFAULT);
            schedules.push((cx.address("schedule", &format!("{group}/{name}")), (group.to_owned(), name.to_owned())));
        }
    }
    cx.each(sink, schedules, |address, (group, name)| async move {
        let Some(live) = find_schedule(cx, &group, &name).await? else { return Ok(()) };
        sink.mark(&address, &live["CreationDate"].to_string());
        sink.record(address, read(cx, &live)?)
    })
    .await
}

async fn find_schedule(cx: &Scope<'_>, group: &str, name: &str) -> Result<Option<Json>, ApiError> {
    found(cx.call(at(Method::GET, &["schedules", name]).query("groupName", group)).await)
}

fn read(cx: &Scope<'_>, live: &Json) -> Result<Record> {
    let mut attributes = described::attributes(cx, live, &LEFT_OUT)?;
    for (attribute, default) in DEFAULTS {
        if live[attribute] == default {
            attributes.remove(attribute);
        }
    }
    if let Some(Value::Map(target)) = attributes.get_mut("Target") {
        let retry = &live["Target"]["RetryPolicy"];
        if *retry == json!({"MaximumEventAgeInSeconds": 86_400, "MaximumRetryAttempts": 185}) {
            target.remove("RetryPolicy");
        }
    }
    Ok(Record::new(attributes))
}

async fn apply_schedule(cx: &Scope<'_>, step: &Step) -> Result<()> {
    let Some((group, name)) = step.address.name().split_once('/') else {
        return Err(Error::failed(format!("{} names no group", step.address)));
    };
    let there = find_schedule(cx, group, name).await?.is_some();
    let Some(after) = &step.after else {
        if there {
            let request = at(Method::DELETE, &["schedules", name]).query("groupName", group);
            found(cx.call(request).await).map_err(refused)?;
        }
        return Ok(());
    };
    // moto and LocalStack break down over a group that is not there.
    if !there && group != DEFAULT && find_group(cx, group).await?.is_none() {
        return Err(Error::denied(format!("there is no schedule group {group} to put a schedule into")));
    }
    let mut body = described::fields(cx, &after.attributes);
    body.insert("GroupName".to_owned(), group.into());
    if step.paused {
        body.insert("State".to_owned(), "DISABLED".into());
    }
    let method = if there { Method::PUT } else { Method::POST };
    cx.call(at(method, &["schedules", name]).body_json(Json::Object(body))).await.map_err(refused)?;
    Ok(())
}
