//! Metric filters and subscription filters, items of their group.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::API;
use crate::core::address::Address;
use crate::core::record::Record;
use crate::core::value::Value;
use crate::error::Result;
use crate::instance::aws::{ApiError, Request, Scope, found, items, quirks, refused};
use crate::instance::{Sink, Step};

/// Told about a filter, but no part of it.
const APART: [&str; 3] = ["creationTime", "filterName", "logGroupName"];

/// How often a filter is deleted where there may be several of its name: each time leaves half of them at most.
const DOUBLES: usize = 4;

/// A kind of filter: both are listed, put and deleted alike.
pub(super) struct Filter {
    /// The collection of a group.
    pub collection: &'static str,
    /// As actions call one.
    word: &'static str,
    /// The list in an answer.
    list: &'static str,
    /// Whether it sends events on, and so stays off in what is put back paused.
    sends: bool,
}

impl Filter {
    /// Both of them.
    pub const ALL: [Filter; 2] = [
        Filter { collection: "metric-filter", word: "MetricFilter", list: "metricFilters", sends: false },
        Filter {
            collection: "subscription-filter",
            word: "SubscriptionFilter",
            list: "subscriptionFilters",
            sends: true,
        },
    ];

    /// Records the filters of a group. The inner error is one of looking, which costs no more than them.
    pub async fn capture(&self, cx: &Scope<'_>, sink: &dyn Sink, group: &Address) -> Result<Result<(), ApiError>> {
        let body = json!({"logGroupName": group.name(), "limit": 50});
        let mut pages =
            cx.pages(Request::json(&API, &format!("Describe{}s", self.word), body), "nextToken", "nextToken");
        loop {
            let page = match found(pages.next().await) {
                Ok(Some(Some(page))) => page,
                Ok(_) => return Ok(Ok(())),
                Err(error) => return Ok(Err(error)),
            };
            for live in items(&page[self.list]) {
                if let Some(name) = live["filterName"].as_str() {
                    sink.record(group.item(self.collection, name), Record::new(read(cx, live)?))?;
                }
            }
        }
    }

    /// Puts, changes or deletes one.
    pub async fn apply(&self, cx: &Scope<'_>, step: &Step, name: &str) -> Result<()> {
        let mut fields = Map::from_iter([
            ("logGroupName".to_owned(), step.address.name().into()),
            ("filterName".to_owned(), name.into()),
        ]);
        if self.sends && step.paused && step.after.is_some() {
            return Ok(());
        }
        let doubles = !self.sends && quirks::doubles_metric_filters(cx.emulator);
        if step.after.is_none() || doubles {
            let action = format!("Delete{}", self.word);
            // Of several that stand side by side, those makes take out every other one.
            for _ in 0..if doubles { DOUBLES } else { 1 } {
                found(cx.json(&API, &action, Json::Object(fields.clone())).await).map_err(refused)?;
            }
        }
        let Some(after) = &step.after else { return Ok(()) };
        fields.extend(after.attributes.iter().map(|(name, value)| (name.clone(), local(cx, name, value))));
        cx.json(&API, &format!("Put{}", self.word), Json::Object(fields)).await.map_err(refused)?;
        Ok(())
    }
}

fn read(cx: &Scope<'_>, live: &Json) -> Result<BTreeMap<String, Value>> {
    let mut attributes = BTreeMap::new();
    for (name, value) in live.as_object().into_iter().flatten() {
        if APART.contains(&name.as_str()) || says_nothing(name, value) {
            continue;
        }
        let value = match name.as_str() {
            "metricTransformations" => Value::List(items(value).iter().map(transformation).collect::<Result<_>>()?),
            // A pattern is the user's own text.
            name if name.ends_with("Arn") => cx.portable(&Value::from_json(value)?),
            _ => Value::from_json(value)?,
        };
        attributes.insert(name.clone(), value);
    }
    Ok(attributes)
}

fn says_nothing(name: &str, value: &Json) -> bool {
    match name {
        "applyOnTransformedLogs" => *value == json!(false),
        "distribution" => *value == json!("ByLogStream"),
        // Every filter has one, often an empty one.
        "filterPattern" => false,
        _ => value.is_null() || *value == json!("") || *value == json!([]),
    }
}

/// Without the unit that fakecloud adds where nobody says one.
fn transformation(live: &Json) -> Result<Value> {
    let mut value = Value::from_json(live)?;
    if let Value::Map(fields) = &mut value {
        fields.retain(|name, value| {
            let is_default = name == "unit" && value.as_text() == Some("None");
            !is_default && *value != Value::Null && value.as_map().is_none_or(|fields| !fields.is_empty())
        });
    }
    Ok(value)
}

fn local(cx: &Scope<'_>, name: &str, value: &Value) -> Json {
    if name.ends_with("Arn") { cx.local(value).to_json() } else { value.to_json() }
}
