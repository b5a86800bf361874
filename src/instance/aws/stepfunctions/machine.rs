//! State machines. A definition stays the text that its author wrote, with only the account in it made portable.

use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use super::{API, arn, retag, setting, tag_list, tags_of, version};
use crate::core::record::Record;
use crate::error::{Error, Result};
use crate::instance::aws::described::{self, Attributes};
use crate::instance::aws::{Request, Scope, found, items, refused, tags};
use crate::instance::{Sink, Step};
use crate::limits;

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
    let mut attributes = setting::read(cx, &live)?;
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
            setting::update(cx, &machine, &live, before, after).await?;
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
    let made = after.iter().filter(|(name, _)| setting::SETTINGS.contains(&name.as_str()) || *name == "type");
    let mut request = described::fields(cx, made);
    request.insert("name".to_owned(), name.into());
    request.insert("tags".to_owned(), tag_list(tags::pairs(after.get("tags")).into_iter().collect()));
    cx.json(&API, "CreateStateMachine", Json::Object(request)).await.map_err(refused)?;
    Ok(())
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
