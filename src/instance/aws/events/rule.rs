//! Rules with their targets. A rule is named after its bus: `BUS/RULE`. It acts as soon as it is there, so it is put back
//! disabled when that is asked for.
//!
//! moto 5.2.5 looks the tags of a rule up by its name alone: of two rules of one name on two buses it tells and takes those
//! of the first.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::{API, DEFAULT, arn, is_here, pattern, pattern_text, retag, tags_of};
use crate::core::record::Record;
use crate::core::value::Value;
use crate::error::{Error, Result};
use crate::instance::aws::{Request, Scope, described, found, items, quirks, refused};
use crate::instance::{Sink, Step};

/// Told about a rule, but no part of it, or read by a way of its own.
const LEFT_OUT: [&str; 6] = ["Arn", "CreatedBy", "EventBusName", "EventPattern", "ManagedBy", "Name"];

/// How an archive calls the rule that feeds it; not every make says who manages it.
const OF_ARCHIVES: &str = "Events-Archive-";

/// AWS takes this many targets at once.
const BATCH: usize = 10;

pub(super) async fn capture(cx: &Scope<'_>, sink: &dyn Sink, buses: &[String]) -> Result<()> {
    let mut rules = Vec::new();
    for bus in buses {
        let request = json!({"EventBusName": bus, "Limit": 100});
        let mut pages = cx.pages(Request::json(&API, "ListRules", request), "NextToken", "NextToken");
        while let Some(page) = found(pages.next().await)?.flatten() {
            for rule in items(&page["Rules"]) {
                let Some(name) = rule["Name"].as_str() else { continue };
                let managed = rule["ManagedBy"].as_str().is_some_and(|by| !by.is_empty());
                if managed || name.starts_with(OF_ARCHIVES) || !is_here(cx, &rule["Arn"]) {
                    continue;
                }
                rules.push((cx.address("rule", &format!("{bus}/{name}")), (bus.as_str(), rule.clone())));
            }
        }
    }
    cx.each(sink, rules, |address, (bus, rule)| async move {
        match read(cx, bus, &rule).await? {
            Some(record) => sink.record(address, record),
            None => Ok(()),
        }
    })
    .await
}

/// The rule of this description, with its targets and tags; none if it is gone.
async fn read(cx: &Scope<'_>, bus: &str, rule: &Json) -> Result<Option<Record>> {
    let name = rule["Name"].as_str().unwrap_or_default();
    let mut attributes = described::attributes(cx, rule, &LEFT_OUT)?;
    if let Some(text) = rule["EventPattern"].as_str().filter(|text| !text.is_empty()) {
        attributes.insert("EventPattern".to_owned(), pattern(cx, text));
    }
    let Some(targets) = targets(cx, bus, name).await? else { return Ok(None) };
    if !targets.is_empty() {
        attributes.insert("Targets".to_owned(), Value::Map(targets));
    }
    if let Some(tags) = tags_of(cx, &rule_arn(cx, bus, name)).await? {
        attributes.insert("Tags".to_owned(), tags);
    }
    Ok(Some(Record::new(attributes)))
}

/// A rule's targets by their ids; none if there is no such rule.
async fn targets(cx: &Scope<'_>, bus: &str, rule: &str) -> Result<Option<BTreeMap<String, Value>>> {
    let request = json!({"EventBusName": bus, "Rule": rule, "Limit": 100});
    let mut pages = cx.pages(Request::json(&API, "ListTargetsByRule", request), "NextToken", "NextToken");
    let mut targets = BTreeMap::new();
    loop {
        let Some(page) = found(pages.next().await)? else { return Ok(None) };
        let Some(page) = page else { return Ok(Some(targets)) };
        for target in items(&page["Targets"]) {
            if let Some(id) = target["Id"].as_str() {
                targets.insert(id.to_owned(), Value::Map(described::attributes(cx, target, &["Id"])?));
            }
        }
    }
}

fn rule_arn(cx: &Scope<'_>, bus: &str, name: &str) -> String {
    arn(cx, &if bus == DEFAULT { format!("rule/{name}") } else { format!("rule/{bus}/{name}") })
}

pub(super) async fn apply(cx: &Scope<'_>, step: &Step) -> Result<()> {
    let Some((bus, name)) = step.address.name().rsplit_once('/') else {
        return Err(Error::failed(format!("{} names no bus", step.address)));
    };
    let live = found(cx.json(&API, "DescribeRule", json!({"EventBusName": bus, "Name": name})).await)?;
    let live = match &live {
        Some(rule) => read(cx, bus, rule).await?,
        None => None,
    };
    let targets =
        |record: Option<&Record>| record.and_then(|record| record.attributes.get("Targets")?.as_map().cloned());
    let have = targets(live.as_ref()).unwrap_or_default();
    let want = targets(step.after.as_ref()).unwrap_or_default();
    let gone: Vec<&String> = have.keys().filter(|id| !want.contains_key(*id)).collect();
    remove(cx, bus, name, &gone).await?;
    let Some(after) = &step.after else {
        found(cx.json(&API, "DeleteRule", json!({"EventBusName": bus, "Name": name})).await).map_err(refused)?;
        return Ok(());
    };
    put(cx, bus, name, step.paused, live.as_ref(), after).await?;
    let new: Vec<(&String, &Value)> = want.iter().filter(|(id, target)| have.get(*id) != Some(*target)).collect();
    put_targets(cx, bus, name, &new).await?;
    // Put beside the rule itself: an instance may pass over tags that come with a rule which is there.
    let rule = rule_arn(cx, bus, name);
    retag(cx, &rule, tags_of(cx, &rule).await?.as_ref(), after.attributes.get("Tags")).await
}

async fn put(cx: &Scope<'_>, bus: &str, name: &str, paused: bool, live: Option<&Record>, after: &Record) -> Result<()> {
    let settings = after.attributes.iter().filter(|(attribute, _)| !matches!(attribute.as_str(), "Tags" | "Targets"));
    let mut request = described::fields(cx, settings);
    request.insert("Name".to_owned(), name.into());
    request.insert("EventBusName".to_owned(), bus.into());
    if let Some(value) = after.attributes.get("EventPattern") {
        request.insert("EventPattern".to_owned(), pattern_text(cx, value).into());
    }
    if paused {
        request.insert("State".to_owned(), "DISABLED".into());
    }
    for attribute in quirks::kept_by_put_rule(cx.emulator) {
        if live.is_some_and(|live| live.attributes.contains_key(*attribute)) {
            request.entry(*attribute).or_insert_with(|| "".into());
        }
    }
    cx.call(Request::json(&API, "PutRule", Json::Object(request)).idempotent()).await.map_err(refused)?;
    Ok(())
}

async fn put_targets(cx: &Scope<'_>, bus: &str, rule: &str, targets: &[(&String, &Value)]) -> Result<()> {
    for batch in targets.chunks(BATCH) {
        let target = |(id, target): &(&String, &Value)| {
            let mut fields = described::fields(cx, target.as_map().into_iter().flatten());
            fields.insert("Id".to_owned(), id.as_str().into());
            Json::Object(fields)
        };
        let targets: Vec<Json> = batch.iter().map(target).collect();
        let request = json!({"EventBusName": bus, "Rule": rule, "Targets": targets});
        let answer = cx.call(Request::json(&API, "PutTargets", request).idempotent()).await.map_err(refused)?;
        if let Some(failed) = items(&answer["FailedEntries"]).first() {
            let reason = failed["ErrorMessage"].as_str().unwrap_or("no reason given");
            return Err(Error::denied(format!("target {} is refused: {reason}", failed["TargetId"])));
        }
    }
    Ok(())
}

async fn remove(cx: &Scope<'_>, bus: &str, rule: &str, ids: &[&String]) -> Result<()> {
    for batch in ids.chunks(BATCH) {
        let request = json!({"EventBusName": bus, "Rule": rule, "Ids": batch});
        found(cx.call(Request::json(&API, "RemoveTargets", request).idempotent()).await).map_err(refused)?;
    }
    Ok(())
}
