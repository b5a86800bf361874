//! SSM: parameters with their current value. Older values (the history) are not recorded.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde_json::{Value as Json, json};

use crate::core::address::Address;
use crate::core::content::Contents;
use crate::core::record::Record;
use crate::core::value::Value;
use crate::error::{Error, Result};
use crate::instance::aws::{Api, Request, Scope, Service, found, items, refused, tags};
use crate::instance::{Sink, Stage, Step};

const API: Api = Api::json("ssm", "AmazonSSM", "1.1");

/// Attributes that are recorded only where they say something: a name and the value that says nothing.
const DEFAULTS: [(&str, &str); 5] = [
    ("Tier", "Standard"),
    ("DataType", "text"),
    ("Description", ""),
    ("AllowedPattern", ""),
    ("KeyId", "alias/aws/ssm"),
];

/// The type whose values are a user's own and never mapped.
const SECRET: &str = "SecureString";

/// AWS answers for this many parameters at once.
const BATCH: usize = 10;

/// The service.
pub struct Ssm;

#[async_trait]
impl Service for Ssm {
    fn name(&self) -> &'static str {
        "ssm"
    }

    fn probe(&self) -> Option<Request> {
        Some(Request::json(&API, "DescribeParameters", json!({"MaxResults": 1})))
    }

    fn stage(&self, _address: &Address) -> Stage {
        Stage::Resource
    }

    async fn capture(&self, cx: &Scope<'_>, sink: &dyn Sink) -> Result<()> {
        let mut pages =
            cx.pages(Request::json(&API, "DescribeParameters", json!({"MaxResults": 50})), "NextToken", "NextToken");
        let mut batches = Vec::new();
        while let Some(page) = pages.next().await? {
            for batch in items(&page["Parameters"]).chunks(BATCH) {
                if let Some(first) = batch.first().and_then(name) {
                    batches.push((cx.address("parameter", first), batch.to_vec()));
                }
            }
        }
        // A batch is one call; if it fails, each of its parameters is tried alone, so that one costs no other.
        cx.each(sink, batches, |_, batch: Vec<Json>| async move {
            match values(cx, &batch).await {
                Ok(values) => record_all(cx, sink, &batch, &values).await,
                Err(_) => {
                    let each = batch.into_iter().filter_map(|one| Some((cx.address("parameter", name(&one)?), one)));
                    cx.each(sink, each.collect(), |_, one| async move {
                        let one = [one];
                        let values = values(cx, &one).await?;
                        record_all(cx, sink, &one, &values).await
                    })
                    .await
                }
            }
        })
        .await
    }

    async fn apply(&self, cx: &Scope<'_>, step: &Step, _contents: &dyn Contents) -> Result<()> {
        let name = step.address.name();
        let before = step.before.as_ref();
        let Some(after) = &step.after else { return delete(cx, name).await };
        if before.is_some_and(|before| !becomes(before, after)) {
            delete(cx, name).await?;
        }
        let same =
            |name: &&str| before.is_some_and(|before| before.attributes.get(*name) == after.attributes.get(*name));
        let written = ["Type", "Value", "Policies"];
        let values: Vec<&str> = written.into_iter().chain(DEFAULTS.map(|(name, _)| name)).collect();
        if !values.iter().all(same) {
            put(cx, name, before, after).await?;
        }
        let (put, removed) =
            tags::changes(before.and_then(|before| before.attributes.get("Tags")), after.attributes.get("Tags"));
        let resource = json!({"ResourceType": "Parameter", "ResourceId": name});
        if !removed.is_empty() {
            let mut request = resource.clone();
            request["TagKeys"] = removed.into();
            cx.json(&API, "RemoveTagsFromResource", request).await.map_err(refused)?;
        }
        if !put.is_empty() {
            let mut request = resource;
            request["Tags"] = put.into_iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
            cx.json(&API, "AddTagsToResource", request).await.map_err(refused)?;
        }
        Ok(())
    }
}

fn name(parameter: &Json) -> Option<&str> {
    parameter["Name"].as_str()
}

/// The parameters of these descriptions with their values, by name.
async fn values(cx: &Scope<'_>, batch: &[Json]) -> Result<BTreeMap<String, Json>> {
    let names: Vec<&str> = batch.iter().filter_map(name).collect();
    let answer = cx.json(&API, "GetParameters", json!({"Names": names, "WithDecryption": true})).await?;
    let named = |value: &Json| Some((name(value)?.to_owned(), value.clone()));
    Ok(items(&answer["Parameters"]).iter().filter_map(named).collect())
}

async fn record_all(cx: &Scope<'_>, sink: &dyn Sink, batch: &[Json], values: &BTreeMap<String, Json>) -> Result<()> {
    for description in batch {
        let Some(name) = name(description) else { continue };
        // One that is listed but has no value was deleted in between.
        let Some(value) = values.get(name) else { continue };
        let address = cx.address("parameter", name);
        match look(cx, name, description, value).await {
            Ok((record, born)) => {
                if let Some(born) = born {
                    sink.mark(&address, &born);
                }
                sink.record(address, record)?;
            }
            Err(error) if crate::instance::aws::scope::is_gone(&error) => return Err(error),
            Err(error) => cx.skip(sink, address.parts(), error.chain()),
        }
    }
    Ok(())
}

/// The parameter as it stands there, and when its first value was put.
async fn look(cx: &Scope<'_>, name: &str, description: &Json, value: &Json) -> Result<(Record, Option<String>)> {
    let broken = |what: &str| Error::failed(format!("the instance gives no {what} of the parameter"));
    let kind = value["Type"].as_str().ok_or_else(|| broken("type"))?;
    let text = value["Value"].as_str().ok_or_else(|| broken("value"))?;
    let text = if kind == SECRET { text.to_owned() } else { cx.portable_text(text) };
    let mut attributes =
        BTreeMap::from([("Type".to_owned(), Value::text(kind)), ("Value".to_owned(), Value::text(text))]);
    for (attribute, default) in DEFAULTS {
        if let Some(text) = description[attribute].as_str().filter(|text| *text != default) {
            attributes.insert(attribute.to_owned(), Value::text(cx.portable_text(text)));
        }
    }
    let policies = items(&description["Policies"]).iter().filter_map(|policy| policy["PolicyText"].as_str());
    let policies: Vec<Value> = policies.map(|text| cx.document(text)).collect();
    if !policies.is_empty() {
        attributes.insert("Policies".to_owned(), Value::Set(policies.into_iter().collect()));
    }
    let resource = json!({"ResourceType": "Parameter", "ResourceId": name});
    let tags = cx.json(&API, "ListTagsForResource", resource).await?;
    if let Some(tags) = tags::from_list(&tags["TagList"]) {
        attributes.insert("Tags".to_owned(), tags);
    }
    Ok((Record::new(attributes), born(cx, name, value).await?))
}

/// When the first value was put. AWS keeps 100 values: of an older parameter it is not known.
async fn born(cx: &Scope<'_>, name: &str, value: &Json) -> Result<Option<String>> {
    let date = |value: &Json| {
        let date = &value["LastModifiedDate"];
        // The same date in whole seconds: some instances round it in one of the two answers.
        let seconds = date.as_f64().map(|seconds| format!("{seconds:.0}"));
        seconds.or_else(|| date.as_str().map(|text| text.chars().take(19).collect()))
    };
    if value["Version"].as_i64() == Some(1) {
        return Ok(date(value));
    }
    let request = json!({"Name": name, "MaxResults": 1});
    let history = found(cx.json(&API, "GetParameterHistory", request).await)?.unwrap_or_default();
    Ok(items(&history["Parameters"]).first().filter(|first| first["Version"].as_i64() == Some(1)).and_then(date))
}

/// Whether a new value can turn the one parameter into the other. A parameter keeps its type, its kind of data and,
/// once it has it, the advanced tier.
fn becomes(before: &Record, after: &Record) -> bool {
    let same = |name| before.text(name) == after.text(name);
    same("Type") && same("DataType") && (same("Tier") || before.text("Tier").is_none())
}

async fn put(cx: &Scope<'_>, name: &str, before: Option<&Record>, after: &Record) -> Result<()> {
    let mut request = json!({"Name": name, "Overwrite": true});
    let (kind, text) = (after.text("Type").unwrap_or_default(), after.text("Value").unwrap_or_default());
    request["Type"] = kind.into();
    request["Value"] = if kind == SECRET { text.into() } else { cx.local_text(text).into() };
    for (attribute, default) in DEFAULTS {
        let had = before.is_some_and(|before| before.attributes.contains_key(attribute));
        // What is to go must be said: an instance keeps what a new value does not mention.
        if let Some(text) = after.text(attribute).or(had.then_some(default)) {
            request[attribute] = cx.local_text(text).into();
        }
    }
    let had = before.is_some_and(|before| before.attributes.contains_key("Policies"));
    match after.attributes.get("Policies") {
        Some(Value::Set(policies)) => {
            let policies: Vec<String> = policies.iter().map(|policy| cx.document_text(policy)).collect();
            request["Policies"] = format!("[{}]", policies.join(",")).into();
        }
        _ if had => request["Policies"] = "[{}]".into(),
        _ => {}
    }
    cx.json(&API, "PutParameter", request).await.map_err(refused)?;
    Ok(())
}

async fn delete(cx: &Scope<'_>, name: &str) -> Result<()> {
    found(cx.json(&API, "DeleteParameter", json!({"Name": name})).await).map_err(refused)?;
    Ok(())
}
