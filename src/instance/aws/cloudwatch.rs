//! CloudWatch: metric and composite alarms, dashboards. Metrics themselves, the states of alarms, anomaly detectors,
//! insight rules and metric streams are not recorded.
//!
//! An alarm acts as soon as it is there: it is put back with its actions switched off when that is asked for.

use async_trait::async_trait;
use serde_json::{Value as Json, json};

use crate::core::address::Address;
use crate::core::content::Contents;
use crate::core::record::Record;
use crate::core::value::Value;
use crate::error::{Error, Result};
use crate::instance::aws::{Api, Emulator, Request, Scope, Service, described, found, items, quirks, refused, tags};
use crate::instance::{Sink, Stage, Step};

/// Every emulator takes this besides the query protocol.
const API: Api = Api::json("monitoring", "GraniteServiceVersion20100801", "1.0");

const ALARM: &str = "alarm";
const COMPOSITE: &str = "composite-alarm";
const DASHBOARD: &str = "dashboard";

/// Told about an alarm, but no part of it.
const LEFT_OUT: [&str; 12] = [
    "ActionsSuppressedBy",
    "ActionsSuppressedReason",
    "AlarmArn",
    "AlarmConfigurationUpdatedTimestamp",
    "AlarmName",
    "EvaluationState",
    "StateReason",
    "StateReasonData",
    "StateTransitionedTimestamp",
    "StateUpdatedTimestamp",
    "StateValue",
    "Tags",
];

/// How an alarm compares with a band, which has no threshold.
const BANDS: [&str; 3] =
    ["GreaterThanUpperThreshold", "LessThanLowerOrGreaterThanUpperThreshold", "LessThanLowerThreshold"];

/// Lists whose order means nothing.
const SETS: [&str; 4] = ["AlarmActions", "Dimensions", "InsufficientDataActions", "OKActions"];

/// The service.
pub struct CloudWatch;

#[async_trait]
impl Service for CloudWatch {
    fn name(&self) -> &'static str {
        "cloudwatch"
    }

    fn probe(&self) -> Option<Request> {
        Some(Request::json(&API, "DescribeAlarms", json!({"MaxRecords": 1})))
    }

    fn partial(&self, emulator: Emulator, _agent: bool) -> Option<&'static str> {
        match emulator {
            Emulator::Moto => Some("no composite alarms"),
            _ => None,
        }
    }

    fn stage(&self, address: &Address) -> Stage {
        match address.kind() {
            DASHBOARD => Stage::Dependent,
            // A composite alarm wants to see those that it is made of.
            ALARM => Stage::Item,
            _ => Stage::Acting,
        }
    }

    async fn capture(&self, cx: &Scope<'_>, sink: &dyn Sink) -> Result<()> {
        let kinds = [(ALARM, capture_alarms(cx, sink).await), (DASHBOARD, capture_dashboards(cx, sink).await)];
        cx.each_kind(sink, kinds)
    }

    async fn apply(&self, cx: &Scope<'_>, step: &Step, _contents: &dyn Contents) -> Result<()> {
        match (step.address.kind(), step.address.collection_and_item()) {
            (ALARM | COMPOSITE, None) => apply_alarm(cx, step).await,
            (DASHBOARD, None) => apply_dashboard(cx, step).await,
            (kind, _) => Err(Error::failed(format!("this peapod can't restore a {kind} of CloudWatch"))
                .hint("it was captured by a newer peapod: update this one")),
        }
    }
}

async fn capture_alarms(cx: &Scope<'_>, sink: &dyn Sink) -> Result<()> {
    let request = json!({"AlarmTypes": ["MetricAlarm", "CompositeAlarm"], "MaxRecords": 100});
    let mut pages = cx.pages(Request::json(&API, "DescribeAlarms", request), "NextToken", "NextToken");
    let mut alarms = Vec::new();
    while let Some(page) = pages.next().await? {
        for (kind, told) in [(ALARM, "MetricAlarms"), (COMPOSITE, "CompositeAlarms")] {
            for alarm in items(&page[told]) {
                if let Some(name) = alarm["AlarmName"].as_str() {
                    alarms.push((cx.address(kind, name), alarm.clone()));
                }
            }
        }
    }
    cx.each(sink, alarms, |address, alarm| async move { sink.record(address, read_alarm(cx, &alarm).await?) }).await
}

async fn find_alarm(cx: &Scope<'_>, kind: &str, name: &str) -> Result<Option<Record>> {
    let (word, told) =
        if kind == ALARM { ("MetricAlarm", "MetricAlarms") } else { ("CompositeAlarm", "CompositeAlarms") };
    let answer = cx.json(&API, "DescribeAlarms", json!({"AlarmTypes": [word], "AlarmNames": [name]})).await?;
    match items(&answer[told]).iter().find(|alarm| alarm["AlarmName"] == name) {
        Some(alarm) => Ok(Some(read_alarm(cx, alarm).await?)),
        None => Ok(None),
    }
}

async fn read_alarm(cx: &Scope<'_>, live: &Json) -> Result<Record> {
    let mut attributes = described::attributes(cx, &filled(live), &LEFT_OUT)?;
    if attributes.get("TreatMissingData").and_then(Value::as_text) == Some("missing") {
        attributes.remove("TreatMissingData");
    }
    // ministack gives every alarm a statistic, a period and a threshold.
    if live["ComparisonOperator"].as_str().is_some_and(|operator| BANDS.contains(&operator)) {
        attributes.remove("Threshold");
    }
    if attributes.contains_key("ExtendedStatistic") || !attributes.contains_key("MetricName") {
        attributes.remove("Statistic");
    }
    if !attributes.contains_key("MetricName") {
        attributes.remove("Period");
    }
    for name in SETS {
        if let Some(Value::List(elements)) = attributes.get(name) {
            let elements = Value::Set(elements.iter().cloned().collect());
            attributes.insert(name.to_owned(), elements);
        }
    }
    let arn = live["AlarmArn"].as_str().unwrap_or_default();
    if let Some(tags) = tags_of(cx, arn).await? {
        attributes.insert("Tags".to_owned(), tags);
    }
    Ok(Record::new(attributes))
}

/// What is said, without fields and lists that say nothing; some emulators write them, at any depth.
fn filled(json: &Json) -> Json {
    let says = |json: &Json| !(json.is_null() || *json == json!([]) || *json == json!({}));
    match json {
        Json::Object(fields) => {
            let fields = fields.iter().map(|(name, field)| (name.clone(), filled(field)));
            Json::Object(fields.filter(|(_, field)| says(field)).collect())
        }
        Json::Array(items) => items.iter().map(filled).collect(),
        other => other.clone(),
    }
}

async fn tags_of(cx: &Scope<'_>, arn: &str) -> Result<Option<Value>> {
    let answer = found(cx.json(&API, "ListTagsForResource", json!({"ResourceARN": arn})).await)?;
    Ok(answer.and_then(|answer| tags::from_list(&answer["Tags"])))
}

async fn apply_alarm(cx: &Scope<'_>, step: &Step) -> Result<()> {
    let (kind, name) = (step.address.kind(), step.address.name());
    if kind == COMPOSITE && !quirks::has_composite_alarms(cx.emulator) {
        return Err(Error::denied(format!("{} has no composite alarms", cx.emulator.name())));
    }
    let live = find_alarm(cx, kind, name).await?;
    let Some(after) = &step.after else {
        if live.is_some() {
            cx.json(&API, "DeleteAlarms", json!({"AlarmNames": [name]})).await.map_err(refused)?;
        }
        return Ok(());
    };
    let settings = |record: &Record| {
        let mut attributes = record.attributes.clone();
        attributes.remove("Tags");
        if step.paused {
            attributes.insert("ActionsEnabled".to_owned(), Value::Bool(false));
        }
        attributes
    };
    let wanted = settings(after);
    let now = live.as_ref().map(|live| &live.attributes);
    let differs = now.is_none_or(|now| {
        let mut names = wanted.keys().chain(now.keys().filter(|name| *name != "Tags"));
        names.any(|name| now.get(name) != wanted.get(name))
    });
    if differs {
        let mut request = described::fields(cx, &wanted);
        request.insert("AlarmName".to_owned(), name.into());
        let action = if kind == ALARM { "PutMetricAlarm" } else { "PutCompositeAlarm" };
        cx.json(&API, action, Json::Object(request)).await.map_err(refused)?;
    }
    let arn = format!("arn:aws:cloudwatch:{}:{}:alarm:{name}", cx.region, cx.account);
    let (put, removed) = tags::changes(now.and_then(|now| now.get("Tags")), after.attributes.get("Tags"));
    if !removed.is_empty() {
        let request = json!({"ResourceARN": arn, "TagKeys": removed});
        cx.json(&API, "UntagResource", request).await.map_err(refused)?;
    }
    if !put.is_empty() {
        let tags: Vec<Json> = put.into_iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
        cx.json(&API, "TagResource", json!({"ResourceARN": arn, "Tags": tags})).await.map_err(refused)?;
    }
    Ok(())
}

/// Dashboards stand in no region: they are captured with the home region, as one would see them there.
async fn capture_dashboards(cx: &Scope<'_>, sink: &dyn Sink) -> Result<()> {
    if cx.region != cx.client.home_region() {
        return Ok(());
    }
    let mut pages = cx.pages(Request::json(&API, "ListDashboards", json!({})), "NextToken", "NextToken");
    let mut dashboards = Vec::new();
    while let Some(page) = pages.next().await? {
        let names = items(&page["DashboardEntries"]).iter().filter_map(|entry| entry["DashboardName"].as_str());
        dashboards.extend(names.map(|name| (cx.address(DASHBOARD, name), name.to_owned())));
    }
    cx.each(sink, dashboards, |address, name| async move {
        let answer = found(cx.json(&API, "GetDashboard", json!({"DashboardName": name})).await)?;
        let Some(answer) = answer else { return Ok(()) };
        let body = cx.document(answer["DashboardBody"].as_str().unwrap_or_default());
        sink.record(address, Record::new([("DashboardBody".to_owned(), body)].into()))
    })
    .await
}

async fn apply_dashboard(cx: &Scope<'_>, step: &Step) -> Result<()> {
    let name = step.address.name();
    let Some(body) = step.after.as_ref().and_then(|after| after.attributes.get("DashboardBody")) else {
        found(cx.json(&API, "DeleteDashboards", json!({"DashboardNames": [name]})).await).map_err(refused)?;
        return Ok(());
    };
    let request = json!({"DashboardName": name, "DashboardBody": cx.document_text(body)});
    cx.json(&API, "PutDashboard", request).await.map_err(refused)?;
    Ok(())
}
