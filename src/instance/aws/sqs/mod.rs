//! SQS: queues with attributes, tags and redrive, and the messages in them.
//!
//! A queue's redrive policy is a record of its own, since it can only be put back when the queue that it names is
//! there. Attributes at AWS's defaults are not recorded: instances differ in whether they show them at all.

mod change;
mod message;
mod peek;

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde_json::{Map, Value as Json, json};

use self::change::Queues;
use self::message::Peeked;
use crate::core::address::Address;
use crate::core::content::Contents;
use crate::core::record::Record;
use crate::core::value::{Number, Value};
use crate::error::{Error, Result};
use crate::instance::aws::{Api, ApiError, Emulator, Request, Scope, Service, found, items, quirks, refused, tags};
use crate::instance::{Sink, Stage, Step};
use crate::limits;

const API: Api = Api::json("sqs", "AmazonSQS", "1.0");

/// Collections of a queue.
const MESSAGES: &str = "message";
const GROUPS: &str = "fifo-group";
const REDRIVE: (&str, &str) = ("redrive", "policy");

/// The attribute of a group that holds its messages in order.
const GROUP_MESSAGES: &str = "Messages";

/// Attributes that are put back, each with the value that a queue has if nobody says another.
const SETTABLE: [(&str, &str); 13] = [
    ("VisibilityTimeout", "30"),
    ("MessageRetentionPeriod", "345600"),
    ("DelaySeconds", "0"),
    ("ReceiveMessageWaitTimeSeconds", "0"),
    ("MaximumMessageSize", "1048576"),
    ("KmsMasterKeyId", ""),
    ("KmsDataKeyReusePeriodSeconds", "300"),
    ("SqsManagedSseEnabled", "true"),
    ("ContentBasedDeduplication", "false"),
    ("DeduplicationScope", "queue"),
    ("FifoThroughputLimit", "perQueue"),
    ("Policy", ""),
    ("RedriveAllowPolicy", ""),
];

/// Those of them that are JSON documents.
const DOCUMENTS: [&str; 2] = ["Policy", "RedriveAllowPolicy"];

/// Those of them that only FIFO queues have.
const FIFO_ONLY: [&str; 3] = ["ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit"];

/// The service.
#[derive(Default)]
pub struct Sqs {
    queues: Queues,
}

#[async_trait]
impl Service for Sqs {
    fn name(&self) -> &'static str {
        "sqs"
    }

    fn probe(&self) -> Option<Request> {
        Some(Request::json(&API, "ListQueues", json!({"MaxResults": 1})))
    }

    fn partial(&self, emulator: Emulator, agent: bool) -> Option<&'static str> {
        match emulator {
            Emulator::Moto if !agent => Some("messages only through the agent: bootstrap/agents/moto_agent.py"),
            Emulator::Fakecloud | Emulator::Other => Some("messages can be put back, but not captured untouched"),
            Emulator::Moto | Emulator::Ministack | Emulator::LocalStack => None,
        }
    }

    fn stage(&self, address: &Address) -> Stage {
        match address.collection_and_item() {
            None => Stage::Resource,
            Some((collection, _)) if collection == REDRIVE.0 => Stage::Dependent,
            Some(_) => Stage::Item,
        }
    }

    async fn capture(&self, cx: &Scope<'_>, sink: &dyn Sink) -> Result<()> {
        self.queues.forget();
        let mut queues = Vec::new();
        let mut pages =
            cx.pages(Request::json(&API, "ListQueues", json!({"MaxResults": 1000})), "NextToken", "NextToken");
        while let Some(page) = pages.next().await? {
            for url in items(&page["QueueUrls"]).iter().filter_map(Json::as_str) {
                if let Some(name) = url.rsplit('/').next().filter(|name| !name.is_empty()) {
                    queues.push((cx.address("queue", name), url.to_owned()));
                }
            }
        }
        if queues.is_empty() {
            return Ok(());
        }
        let source = peek::Source::of(cx).await?;
        cx.each(sink, queues, |address, url| async move { capture_queue(cx, sink, source, &address, &url).await }).await
    }

    async fn apply(&self, cx: &Scope<'_>, step: &Step, _contents: &dyn Contents) -> Result<()> {
        let name = step.address.name();
        match step.address.collection_and_item() {
            None => {
                self.queues.forget();
                apply_queue(cx, name, step.before.as_ref(), step.after.as_ref()).await
            }
            Some((collection, _)) if collection == REDRIVE.0 => apply_redrive(cx, name, step.after.as_ref()).await,
            Some((MESSAGES, item)) => match &step.after {
                Some(after) => self.queues.put(cx, name, item, &after.attributes).await,
                None => self.queues.remove(cx, name, item).await,
            },
            Some((GROUPS, group)) => {
                let list = |record: Option<&Record>| match record.and_then(|r| r.attributes.get(GROUP_MESSAGES)) {
                    Some(Value::List(messages)) => messages.clone(),
                    _ => Vec::new(),
                };
                let (before, after) = (list(step.before.as_ref()), list(step.after.as_ref()));
                self.queues.put_group(cx, name, group, &before, &after).await
            }
            Some((collection, _)) => Err(Error::failed(format!("this peapod can't restore a {collection} of a queue"))
                .hint("it was captured by a newer peapod: update this one")),
        }
    }
}

async fn capture_queue(
    cx: &Scope<'_>,
    sink: &dyn Sink,
    source: peek::Source,
    address: &Address,
    url: &str,
) -> Result<()> {
    let request = json!({"QueueUrl": url, "AttributeNames": ["All"]});
    let Some(answer) = found(cx.json(&API, "GetQueueAttributes", request).await)? else { return Ok(()) };
    let live = &answer["Attributes"];
    let mut attributes = settings(cx, address.name(), live);
    let answer = cx.json(&API, "ListQueueTags", json!({"QueueUrl": url})).await?;
    if let Some(tags) = tags::from_list(&answer["Tags"]) {
        attributes.insert("Tags".to_owned(), tags);
    }
    if let Some(born) = live["CreatedTimestamp"].as_str() {
        sink.mark(address, born);
    }
    sink.record(address.clone(), Record::new(attributes))?;
    if let Some(redrive) = live["RedrivePolicy"].as_str().and_then(|text| redrive(cx, text)) {
        sink.record(address.item(REDRIVE.0, REDRIVE.1), redrive)?;
    }
    let collection = if is_fifo(address.name()) { GROUPS } else { MESSAGES };
    let mut prefix = address.parts().to_vec();
    prefix.push(collection.to_owned());
    match source.messages(cx, url).await {
        Ok(Some(messages)) if is_fifo(address.name()) => record_groups(cx, sink, address, messages),
        Ok(Some(messages)) => record_messages(sink, address, messages),
        // Without a way to look there may still be proof that there is nothing to see.
        Ok(None) if is_empty(live) => Ok(()),
        Ok(None) => {
            cx.skip(sink, &prefix, source.without());
            Ok(())
        }
        Err(error) if error.is_gone() => Err(error.into()),
        Err(error) => {
            cx.skip(sink, &prefix, error);
            Ok(())
        }
    }
}

fn is_fifo(name: &str) -> bool {
    name.ends_with(".fifo")
}

fn is_empty(live: &Json) -> bool {
    const COUNTS: [&str; 3] =
        ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"];
    COUNTS.iter().all(|count| live[*count].as_str() == Some("0"))
}

/// What of a queue's attributes says something.
fn settings(cx: &Scope<'_>, name: &str, live: &Json) -> BTreeMap<String, Value> {
    let sealed = live["KmsMasterKeyId"].as_str().is_some_and(|key| !key.is_empty());
    let mut attributes = BTreeMap::new();
    for (attribute, default) in defaults(name) {
        let Some(text) = live[attribute].as_str().filter(|text| !text.is_empty() && *text != default) else { continue };
        // With a key of one's own, instances disagree on whether the queue's own encryption is on; without one, the
        // reuse period may be left over from the key before.
        let idle = if sealed { "SqsManagedSseEnabled" } else { "KmsDataKeyReusePeriodSeconds" };
        if attribute == idle {
            continue;
        }
        let value =
            if DOCUMENTS.contains(&attribute) { cx.document(text) } else { Value::text(cx.portable_text(text)) };
        attributes.insert(attribute.to_owned(), value);
    }
    attributes
}

/// The attributes that a queue of this name has, with their defaults.
fn defaults(name: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let fifo = is_fifo(name);
    SETTABLE.into_iter().filter(move |(attribute, _)| fifo || !FIFO_ONLY.contains(attribute))
}

/// The record of a redrive policy. Instances give the count as they were given it: as a number or as text.
fn redrive(cx: &Scope<'_>, text: &str) -> Option<Record> {
    let Value::Map(mut fields) = cx.document(text) else { return None };
    if let Some(count) = fields.get("maxReceiveCount").and_then(Value::as_text)
        && let Ok(count) = Number::parse(count)
    {
        fields.insert("maxReceiveCount".to_owned(), Value::Number(count));
    }
    fields.contains_key("deadLetterTargetArn").then(|| Record::new(fields))
}

fn record_messages(sink: &dyn Sink, queue: &Address, messages: Vec<Peeked>) -> Result<()> {
    let mut equal: BTreeMap<String, usize> = BTreeMap::new();
    for message in messages {
        let hash = message::hash(&message.content)?;
        let count = equal.entry(hash.clone()).or_default();
        let item = message::item(&hash, *count);
        *count += 1;
        sink.record(queue.item(MESSAGES, &item), Record::new(message.content))?;
    }
    Ok(())
}

fn record_groups(cx: &Scope<'_>, sink: &dyn Sink, queue: &Address, messages: Vec<Peeked>) -> Result<()> {
    let mut groups: BTreeMap<String, (usize, Vec<Value>)> = BTreeMap::new();
    for message in messages {
        let (size, list) = groups.entry(message.group.unwrap_or_default()).or_default();
        *size += message::size(&message.content);
        // A group that is too large for a record is given up; no need to hold it.
        if *size <= limits::SQS_GROUP {
            list.push(Value::Map(message.content));
        }
    }
    for (group, (size, list)) in groups {
        let address = queue.item(GROUPS, &group);
        if size > limits::SQS_GROUP {
            let most = limits::SQS_GROUP >> 20;
            cx.skip(sink, address.parts(), format!("a group of messages over {most} MiB is not captured"));
            continue;
        }
        let attributes = BTreeMap::from([(GROUP_MESSAGES.to_owned(), Value::List(list))]);
        sink.record(address, Record::new(attributes))?;
    }
    Ok(())
}

async fn apply_queue(cx: &Scope<'_>, name: &str, before: Option<&Record>, after: Option<&Record>) -> Result<()> {
    let Some(after) = after else {
        if let Some(url) = url(cx, name).await? {
            found(cx.json(&API, "DeleteQueue", json!({"QueueUrl": url})).await).map_err(refused)?;
        }
        return Ok(());
    };
    let url = match url(cx, name).await? {
        Some(url) => url,
        None => {
            let kind = if is_fifo(name) { json!({"FifoQueue": "true"}) } else { json!({}) };
            let request = json!({"QueueName": name, "Attributes": kind});
            let answer = cx.json(&API, "CreateQueue", request).await.map_err(refused)?;
            answer["QueueUrl"].as_str().unwrap_or_default().to_owned()
        }
    };
    // Not at creation: moto forgets a policy that comes with it. And from what is there, not from what was: a new queue
    // of fakecloud's has another message size than AWS's.
    let request = json!({"QueueUrl": url, "AttributeNames": ["All"]});
    let live = cx.json(&API, "GetQueueAttributes", request).await?;
    let live = settings(cx, name, &live["Attributes"]);
    set(cx, &url, changed(cx, name, &live, after)).await?;
    let (put, removed) = tags::changes(before.and_then(|b| b.attributes.get("Tags")), after.attributes.get("Tags"));
    if !removed.is_empty() {
        cx.json(&API, "UntagQueue", json!({"QueueUrl": url, "TagKeys": removed})).await.map_err(refused)?;
    }
    if !put.is_empty() {
        let tags: BTreeMap<String, String> = put.into_iter().collect();
        cx.json(&API, "TagQueue", json!({"QueueUrl": url, "Tags": tags})).await.map_err(refused)?;
    }
    Ok(())
}

/// The attributes to set to get from what is there to the record.
fn changed(cx: &Scope<'_>, name: &str, live: &BTreeMap<String, Value>, after: &Record) -> Vec<(&'static str, String)> {
    let mut changed = Vec::new();
    for (attribute, default) in defaults(name) {
        let wanted = after.attributes.get(attribute);
        if live.get(attribute) == wanted {
            continue;
        }
        // Setting the queue's own encryption takes its key away.
        if attribute == "SqsManagedSseEnabled" && after.attributes.contains_key("KmsMasterKeyId") {
            continue;
        }
        let text = match wanted {
            None => default.to_owned(),
            Some(value) if DOCUMENTS.contains(&attribute) => cx.document_text(value),
            Some(value) => cx.local_text(value.as_text().unwrap_or(default)),
        };
        changed.push((attribute, text));
    }
    changed
}

/// Sets attributes together, or one by one if the instance refuses some: one that it does not know must not cost the
/// others, nor the queue.
async fn set(cx: &Scope<'_>, url: &str, changed: Vec<(&'static str, String)>) -> Result<()> {
    if changed.is_empty() {
        return Ok(());
    }
    let all = changed.iter().map(|(name, text)| ((*name).to_owned(), json!(text))).collect();
    match set_attributes(cx, url, all).await {
        Err(error) if (400..500).contains(&error.status) => {}
        done => return done.map_err(Error::from),
    }
    for (name, text) in changed {
        let one = Map::from_iter([(name.to_owned(), json!(text))]);
        match set_attributes(cx, url, one).await {
            Err(error) if (400..500).contains(&error.status) => tracing::info!(%error, name, "not set"),
            done => done?,
        }
    }
    Ok(())
}

async fn set_attributes(cx: &Scope<'_>, url: &str, mut attributes: Map<String, Json>) -> Result<(), ApiError> {
    if quirks::sqs_set_drops_policy(cx.emulator) && !attributes.contains_key("Policy") {
        let request = json!({"QueueUrl": url, "AttributeNames": ["All"]});
        let live = cx.json(&API, "GetQueueAttributes", request).await?;
        if let Some(policy) = live["Attributes"]["Policy"].as_str() {
            attributes.insert("Policy".to_owned(), policy.into());
        }
    }
    cx.json(&API, "SetQueueAttributes", json!({"QueueUrl": url, "Attributes": attributes})).await.map(drop)
}

async fn apply_redrive(cx: &Scope<'_>, name: &str, after: Option<&Record>) -> Result<()> {
    let Some(url) = url(cx, name).await? else {
        return match after {
            Some(_) => Err(Error::denied(format!("there is no queue {name} to set a redrive policy of"))),
            None => Ok(()),
        };
    };
    let text = after.map(|record| cx.document_text(&Value::Map(record.attributes.clone()))).unwrap_or_default();
    let redrive = Map::from_iter([("RedrivePolicy".to_owned(), text.into())]);
    set_attributes(cx, &url, redrive).await.map_err(refused)
}

/// The URL of the queue of this name, if there is one.
async fn url(cx: &Scope<'_>, name: &str) -> Result<Option<String>> {
    let answer = found(cx.json(&API, "GetQueueUrl", json!({"QueueName": name})).await)?;
    Ok(answer.and_then(|answer| answer["QueueUrl"].as_str().map(str::to_owned)))
}
