//! Bringing the messages of live queues to what they shall be.
//!
//! A put sends a message. To take one message out there is only one public way: to receive until it comes. So what is
//! received on the way is hidden for a moment and then let go, and its receive count rises by one; where that would
//! use up the last receive that the redrive policy allows, a fresh copy takes its place. Messages that can't be
//! received, because they are delayed or a consumer has them, only go with the whole queue: it is purged and the rest
//! sent anew. What is missing from an instance that shows its messages is not sent twice, and what is gone already is
//! not looked for, so that a step can be carried out again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value as Json, json};

use super::message::{self, Content, Peeked};
use super::peek::{Source, peeked};
use super::{API, url};
use crate::core::value::Value;
use crate::error::{Error, Result};
use crate::instance::aws::{Scope, found, items, refused, token};

/// How long, in seconds, received messages stay hidden at most: if peapod dies they come back by themselves.
const HIDDEN: u32 = 60;

/// What is known of queues while their messages are changed. A capture forgets it.
#[derive(Default)]
pub(super) struct Queues(Mutex<HashMap<(String, String), Arc<Queue>>>);

#[derive(Default)]
struct Queue {
    live: tokio::sync::Mutex<Option<Live>>,
    /// Messages to be taken out, by hash: many steps are served by one pass over the queue.
    doomed: Mutex<HashMap<String, usize>>,
    /// Held during a pass, and while a group is rewritten.
    pass: tokio::sync::Mutex<()>,
}

/// A queue as it was when the first of a series of puts, or of removals, came to it.
struct Live {
    url: String,
    source: Source,
    doing: Doing,
    /// How many messages there are of each hash; none where messages can't be looked at.
    counts: Option<HashMap<String, usize>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doing {
    Puts,
    Removals,
}

/// What one step must know of a queue.
struct View {
    url: String,
    source: Source,
    /// How many messages there were like the step's own.
    count: Option<usize>,
}

impl Queues {
    /// Forgets everything: queues may have changed since.
    pub(super) fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn queue(&self, cx: &Scope<'_>, name: &str) -> Arc<Queue> {
        let mut queues = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        queues.entry((cx.region.to_owned(), name.to_owned())).or_default().clone()
    }

    /// Sends a message, unless as many like it are there as its item says.
    pub(super) async fn put(&self, cx: &Scope<'_>, name: &str, item: &str, content: &Content) -> Result<()> {
        let hash = message::hash(content)?;
        let ordinal = message::parse_item(item).map_or(0, |(_, ordinal)| ordinal);
        let queue = self.queue(cx, name);
        let Some(view) = queue.view(cx, name, Doing::Puts, &hash).await? else { return Err(no_queue(name)) };
        if view.count.is_some_and(|count| ordinal < count) {
            return Ok(());
        }
        let mut request = message::request(&view.url, content);
        // It was there already: it does not have to wait out the queue's delay again.
        request["DelaySeconds"] = 0.into();
        cx.json(&API, "SendMessage", request).await.map_err(refused)?;
        Ok(())
    }

    /// Takes the message of this item out, if it is there.
    pub(super) async fn remove(&self, cx: &Scope<'_>, name: &str, item: &str) -> Result<()> {
        let Some((hash, ordinal)) = message::parse_item(item) else { return Ok(()) };
        let queue = self.queue(cx, name);
        let Some(view) = queue.view(cx, name, Doing::Removals, hash).await? else { return Ok(()) };
        if view.count.is_some_and(|count| ordinal >= count) {
            return Ok(());
        }
        *queue.doomed().entry(hash.to_owned()).or_default() += 1;
        let _pass = queue.pass.lock().await;
        let mut doomed = Doomed { messages: std::mem::take(&mut *queue.doomed()), group: None };
        // Nothing left to do: another step's pass took this one's message out too.
        if doomed.messages.is_empty() {
            return Ok(());
        }
        sweep(cx, &view.url, &mut doomed).await?;
        finish(cx, &view, doomed).await
    }

    /// Brings a group of a FIFO queue to these messages.
    pub(super) async fn put_group(
        &self,
        cx: &Scope<'_>,
        name: &str,
        group: &str,
        before: &[Value],
        after: &[Value],
    ) -> Result<()> {
        let queue = self.queue(cx, name);
        let doing = if after.is_empty() { Doing::Removals } else { Doing::Puts };
        let Some(view) = queue.view(cx, name, doing, "").await? else {
            return if after.is_empty() { Ok(()) } else { Err(no_queue(name)) };
        };
        let _pass = queue.pass.lock().await;
        let live: Vec<Value> = match view.source.messages(cx, &view.url).await? {
            Some(messages) => of_group(messages, group),
            None => before.to_vec(),
        };
        let missing = match after.strip_prefix(live.as_slice()) {
            Some(missing) => missing,
            None => {
                let mut doomed = Doomed { messages: HashMap::new(), group: Some((group.to_owned(), live.len())) };
                sweep(cx, &view.url, &mut doomed).await?;
                finish(cx, &view, doomed).await?;
                after
            }
        };
        for content in missing.iter().filter_map(Value::as_map) {
            send_to_group(cx, &view.url, group, content).await?;
        }
        Ok(())
    }
}

fn no_queue(name: &str) -> Error {
    Error::denied(format!("there is no queue {name} to send messages to"))
}

fn of_group(messages: Vec<Peeked>, group: &str) -> Vec<Value> {
    let of_it = messages.into_iter().filter(|message| message.group.as_deref().unwrap_or_default() == group);
    of_it.map(|message| Value::Map(message.content)).collect()
}

impl Queue {
    fn doomed(&self) -> std::sync::MutexGuard<'_, HashMap<String, usize>> {
        self.doomed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the queue if that was not done since the last change of direction. None if there is no such queue.
    async fn view(&self, cx: &Scope<'_>, name: &str, doing: Doing, hash: &str) -> Result<Option<View>> {
        let mut live = self.live.lock().await;
        if live.as_ref().is_none_or(|live| live.doing != doing) {
            let Some(url) = url(cx, name).await? else { return Ok(None) };
            let source = Source::of(cx).await?;
            let counts = match source.messages(cx, &url).await? {
                None => None,
                Some(messages) => {
                    let mut counts = HashMap::new();
                    for message in &messages {
                        *counts.entry(message::hash(&message.content)?).or_default() += 1;
                    }
                    Some(counts)
                }
            };
            *live = Some(Live { url, source, doing, counts });
        }
        Ok(live.as_ref().map(|live| View {
            url: live.url.clone(),
            source: live.source,
            count: live.counts.as_ref().map(|counts| counts.get(hash).copied().unwrap_or_default()),
        }))
    }
}

/// What a pass takes out: so many messages of each hash, and so many of one group.
struct Doomed {
    messages: HashMap<String, usize>,
    group: Option<(String, usize)>,
}

impl Doomed {
    fn is_empty(&self) -> bool {
        self.messages.is_empty() && self.group.as_ref().is_none_or(|(_, count)| *count == 0)
    }

    /// Whether this message is one of them; then it is crossed off.
    fn take(&mut self, message: &Peeked) -> Result<bool> {
        if let Some((group, count)) = &mut self.group {
            let of_it = *count > 0 && message.group.as_deref() == Some(group);
            *count -= usize::from(of_it);
            return Ok(of_it);
        }
        let hash = message::hash(&message.content)?;
        let Some(count) = self.messages.get_mut(&hash) else { return Ok(false) };
        *count -= 1;
        if *count == 0 {
            self.messages.remove(&hash);
        }
        Ok(true)
    }
}

/// A message that was received and is not to be taken out.
struct Passed {
    handle: String,
    receives: u64,
    message: Peeked,
}

/// Receives until all of `doomed` is deleted or nothing comes any more, then lets go of the rest.
async fn sweep(cx: &Scope<'_>, url: &str, doomed: &mut Doomed) -> Result<()> {
    let mut passed = Vec::new();
    let swept = receive_all(cx, url, doomed, &mut passed).await;
    let released = release(cx, url, passed).await;
    swept.and(released)
}

async fn receive_all(cx: &Scope<'_>, url: &str, doomed: &mut Doomed, passed: &mut Vec<Passed>) -> Result<()> {
    let request = json!({
        "QueueUrl": url, "MaxNumberOfMessages": 10, "VisibilityTimeout": HIDDEN, "WaitTimeSeconds": 0,
        "AttributeNames": ["All"], "MessageAttributeNames": ["All"],
    });
    // One empty answer proves little: a queue may answer from a part of itself.
    let mut empty = 0;
    while !doomed.is_empty() && empty < 2 {
        let answer = cx.json(&API, "ReceiveMessage", request.clone()).await?;
        let messages = items(&answer["Messages"]);
        empty = if messages.is_empty() { empty + 1 } else { 0 };
        for json in messages {
            let message = peeked(&json["Body"], &json["MessageAttributes"], &json["Attributes"]);
            let handle = json["ReceiptHandle"].as_str().unwrap_or_default().to_owned();
            if doomed.take(&message)? {
                cx.json(&API, "DeleteMessage", json!({"QueueUrl": url, "ReceiptHandle": handle})).await?;
            } else {
                let receives = json["Attributes"]["ApproximateReceiveCount"].as_str();
                let receives = receives.and_then(|count| count.parse().ok()).unwrap_or_default();
                passed.push(Passed { handle, receives, message });
            }
        }
    }
    Ok(())
}

/// Makes messages visible again that a pass received.
async fn release(cx: &Scope<'_>, url: &str, passed: Vec<Passed>) -> Result<()> {
    if passed.is_empty() {
        return Ok(());
    }
    let most = most_receives(cx, url).await?;
    for Passed { handle, receives, message } in passed {
        if message.group.is_none() && most.is_some_and(|most| receives >= most) {
            let mut copy = message::request(url, &message.content);
            copy["DelaySeconds"] = 0.into();
            cx.json(&API, "SendMessage", copy).await?;
            cx.json(&API, "DeleteMessage", json!({"QueueUrl": url, "ReceiptHandle": handle})).await?;
            continue;
        }
        let request = json!({"QueueUrl": url, "ReceiptHandle": handle, "VisibilityTimeout": 0});
        found(cx.json(&API, "ChangeMessageVisibility", request).await)?;
    }
    Ok(())
}

/// How often a message may be received before it goes to the dead-letter queue.
async fn most_receives(cx: &Scope<'_>, url: &str) -> Result<Option<u64>> {
    let request = json!({"QueueUrl": url, "AttributeNames": ["All"]});
    let answer = cx.json(&API, "GetQueueAttributes", request).await?;
    let policy = answer["Attributes"]["RedrivePolicy"].as_str().unwrap_or_default();
    let policy: Json = serde_json::from_str(policy).unwrap_or_default();
    let count = &policy["maxReceiveCount"];
    Ok(count.as_u64().or_else(|| count.as_str()?.parse().ok()))
}

/// Takes out what no pass could receive: purges the queue and sends the rest anew. Where messages can't be looked at
/// there is no rest to know, so that is an error.
async fn finish(cx: &Scope<'_>, view: &View, mut doomed: Doomed) -> Result<()> {
    if doomed.is_empty() {
        return Ok(());
    }
    let Some(messages) = view.source.messages(cx, &view.url).await? else {
        return Err(Error::failed("messages that are delayed or in a consumer's hands can't be taken out")
            .hint("wait until the consumer is done, or purge the queue"));
    };
    let all = messages.len();
    let mut rest = Vec::new();
    for message in messages {
        if !doomed.take(&message)? {
            rest.push(message);
        }
    }
    if rest.len() == all {
        return Ok(());
    }
    cx.json(&API, "PurgeQueue", json!({"QueueUrl": view.url})).await?;
    for message in rest {
        match &message.group {
            Some(group) => send_to_group(cx, &view.url, group, &message.content).await?,
            None => {
                let mut request = message::request(&view.url, &message.content);
                request["DelaySeconds"] = 0.into();
                cx.json(&API, "SendMessage", request).await?;
            }
        }
    }
    Ok(())
}

async fn send_to_group(cx: &Scope<'_>, url: &str, group: &str, content: &Content) -> Result<()> {
    let mut request = message::request(url, content);
    request["MessageGroupId"] = group.into();
    // Two equal messages in a group are two: the queue must not take the second for a repetition of the first.
    request["MessageDeduplicationId"] = token::unique()?.into();
    cx.json(&API, "SendMessage", request).await.map_err(refused)?;
    Ok(())
}
