//! State machines. A definition stays the text that its author wrote, with only the account in it made portable.

use std::time::{Duration, Instant};

use serde_json::{Map, Value as Json, json};

use super::{API, arn, retag, tag_list, tags_of, version, without_own_key};
use crate::core::record::Record;
use crate::core::value::Value;
use crate::error::{Error, Result};
use crate::instance::aws::described::{self, Attributes};
use crate::instance::aws::{Request, Scope, found, items, refused, tags};
use crate::instance::{Sink, Step};
use crate::limits;

/// Told about a machine or a version of one, but no part of it.
const LEFT_OUT: [&str; 9] = [
    "creationDate",
    "description",
    "label",
    "name",
    "revisionId",
    "stateMachineArn",
    "status",
    "variableReferences",
    "updateDate",
];

/// What an update changes, and a version freezes.
pub(super) const SETTINGS: [&str; 5] =
    ["definition", "roleArn", "loggingConfiguration", "tracingConfiguration", "encryptionConfiguration"];

/// What a setting is when a machine has none.
fn none(setting: &str) -> Json {
    match setting {
        "loggingConfiguration" => json!({"level": "OFF", "includeExecutionData": false, "destinations": []}),
        "tracingConfiguration" => json!({"enabled": false}),
        "encryptionConfiguration" => json!({"type": "AWS_OWNED_KEY"}),
        _ => Json::Null,
    }
}

pub(super) async fn capture(cx: &Scope<'_>, sink: &dyn Sink) -> Result<()> {
    let request = Request::json(&API, "ListStateMachines", json!({"maxResults": 1000}));
    let mut pages = cx.pages(request, "nextToken", "nextToken");
    let mut machines = Vec::new();
    while let Some(page) = pages.next().await? {
        let names = items(&page["stateMachines"]).iter().filter_map(|machine| machine["name"].as_str());
        machines.extend(names.map(|name| (cx.address("state-machine", name), name.to_owned())));
    }
    cx.each(sink, machines, |address, name| async move {
        let Some((attributes, created)) = read(cx, &name).await? else { return Ok(()) };
        sink.mark(&address, &created);
        sink.record(address, Record::new(attributes))
    })
    .await
}

/// A machine as it stands there, and when it was made. One that is going away is none.
async fn read(cx: &Scope<'_>, name: &str) -> Result<Option<(Attributes, String)>> {
    let machine = arn(cx, "stateMachine", name);
    let Some(live) = describe(cx, &machine).await? else { return Ok(None) };
    let mut attributes = settings(cx, &live)?;
    if let Some(tags) = tags_of(cx, &machine).await? {
        attributes.insert("tags".to_owned(), tags);
    }
    version::read(cx, &machine, &mut attributes).await?;
    Ok(Some((attributes, live["creationDate"].to_string())))
}

async fn describe(cx: &Scope<'_>, arn: &str) -> Result<Option<Json>> {
    let answer = found(cx.json(&API, "DescribeStateMachine", json!({"stateMachineArn": arn})).await)?;
    Ok(answer.filter(|machine| machine["status"] != "DELETING"))
}

/// What a description says of a machine or a version, without what says nothing.
pub(super) fn settings(cx: &Scope<'_>, described: &Json) -> Result<Attributes> {
    let mut attributes = described::attributes(cx, described, &LEFT_OUT)?;
    without_own_key(&mut attributes);
    if described["tracingConfiguration"]["enabled"] != true {
        attributes.remove("tracingConfiguration");
    }
    if let Some(Value::Map(logging)) = attributes.get_mut("loggingConfiguration") {
        logging.retain(|name, value| {
            let says_nothing = match name.as_str() {
                "level" => value.as_text() == Some("OFF"),
                "includeExecutionData" => *value == Value::Bool(false),
                _ => matches!(value, Value::List(items) if items.is_empty()),
            };
            !says_nothing
        });
        if logging.is_empty() {
            attributes.remove("loggingConfiguration");
        }
    }
    Ok(attributes)
}

pub(super) async fn apply(cx: &Scope<'_>, step: &Step) -> Result<()> {
    let name = step.address.name();
    let Some(after) = &step.after else { return delete(cx, name).await };
    let before = step.before.as_ref().map(|before| &before.attributes);
    let after = &after.attributes;
    let mut live = read(cx, name).await?.map(|(live, _)| live);
    // Nothing else makes a standard machine an express one.
    if live.as_ref().is_some_and(|live| live.get("type") != after.get("type")) {
        delete(cx, name).await?;
        gone(cx, name).await?;
        live = None;
    }
    let machine = arn(cx, "stateMachine", name);
    let live = match live {
        Some(live) => {
            retag(cx, &machine, &live, before, after).await?;
            update(cx, &machine, &live, before, after).await?;
            live
        }
        None => {
            create(cx, name, after).await?;
            Attributes::new()
        }
    };
    version::apply(cx, &machine, &live, after).await
}

async fn create(cx: &Scope<'_>, name: &str, after: &Attributes) -> Result<()> {
    let made = after.iter().filter(|(name, _)| SETTINGS.contains(&name.as_str()) || *name == "type");
    let mut request = described::fields(cx, made);
    request.insert("name".to_owned(), name.into());
    request.insert("tags".to_owned(), tag_list(tags::pairs(after.get("tags")).into_iter().collect()));
    cx.json(&API, "CreateStateMachine", Json::Object(request)).await.map_err(refused)?;
    Ok(())
}

/// Brings the settings of a machine from what is there to what the step wants; says whether that took a call.
pub(super) async fn update(
    cx: &Scope<'_>,
    machine: &str,
    live: &Attributes,
    before: Option<&Attributes>,
    after: &Attributes,
) -> Result<bool> {
    let mut request = Map::new();
    for setting in SETTINGS.into_iter().filter(|setting| described::changes(setting, live, before, after)) {
        let value = after.get(setting).map_or_else(|| none(setting), |value| cx.local(value).to_json());
        request.insert(setting.to_owned(), value);
    }
    if request.is_empty() {
        return Ok(false);
    }
    request.insert("stateMachineArn".to_owned(), machine.into());
    cx.json(&API, "UpdateStateMachine", Json::Object(request)).await.map_err(refused)?;
    Ok(true)
}

async fn delete(cx: &Scope<'_>, name: &str) -> Result<()> {
    let request = json!({"stateMachineArn": arn(cx, "stateMachine", name)});
    found(cx.json(&API, "DeleteStateMachine", request).await).map_err(refused)?;
    Ok(())
}

/// Waits until a machine that was deleted makes room for another: its executions end first.
async fn gone(cx: &Scope<'_>, name: &str) -> Result<()> {
    let request = json!({"stateMachineArn": arn(cx, "stateMachine", name)});
    let started = Instant::now();
    while found(cx.json(&API, "DescribeStateMachine", request.clone()).await)?.is_some() {
        if started.elapsed() > limits::STATE_MACHINE_GONE {
            return Err(Error::denied(format!(
                "state machine {name} is being deleted: its executions have to end first"
            )));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}
