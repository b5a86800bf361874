//! Looking at a queue's messages without touching them. The public API can't: receiving raises receive counts and hides
//! messages. So this goes through what each emulator offers beside it, or through peapod's agent inside it.

use serde_json::{Value as Json, json};

use super::message::{Peeked, by_name, content};
use crate::error::Result;
use crate::instance::aws::request::encode;
use crate::instance::aws::{ApiError, Emulator, Method, Scope, items};
use crate::limits;

/// How messages can be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Ministack,
    LocalStack,
    /// peapod's agent in moto.
    Agent,
    /// fakecloud's own endpoint shows bodies, encrypted, without attributes and groups: not enough.
    Fakecloud,
    MotoWithoutAgent,
    Nothing,
}

impl Source {
    /// The way that there is here.
    pub(super) async fn of(cx: &Scope<'_>) -> Result<Source> {
        Ok(match cx.emulator {
            Emulator::Ministack => Source::Ministack,
            Emulator::LocalStack => Source::LocalStack,
            Emulator::Fakecloud => Source::Fakecloud,
            Emulator::Other => Source::Nothing,
            Emulator::Moto => match cx.client.plain(Method::GET, "/_peapod/agent", None).await {
                Ok(answer) if answer.json().is_ok_and(|json| json["agent"].is_string()) => Source::Agent,
                Err(error) if error.is_gone() => return Err(error.into()),
                _ => Source::MotoWithoutAgent,
            },
        })
    }

    /// Why there is no way.
    pub(super) fn without(self) -> &'static str {
        match self {
            Source::MotoWithoutAgent => {
                "moto shows no messages; start it by bootstrap/agents/moto_agent.py, with the same arguments"
            }
            Source::Fakecloud => "fakecloud shows messages without their attributes and groups",
            _ => "this instance has no way to look at messages without receiving them",
        }
    }

    /// All messages of a queue, delayed ones and those in flight included, in the order in which they were sent. None
    /// where there is no way to look.
    pub(super) async fn messages(self, cx: &Scope<'_>, url: &str) -> Result<Option<Vec<Peeked>>, ApiError> {
        Ok(match self {
            Source::Ministack => Some(ministack(cx, url).await?),
            Source::LocalStack => Some(localstack(cx, url).await?),
            Source::Agent => Some(agent(cx, url).await?),
            Source::Fakecloud | Source::MotoWithoutAgent | Source::Nothing => None,
        })
    }
}

/// A message whose parts are where `ReceiveMessage` has them.
pub(super) fn peeked(body: &Json, attributes: &Json, system: &Json) -> Peeked {
    Peeked { content: content(body, attributes, system), group: system["MessageGroupId"].as_str().map(str::to_owned) }
}

async fn ministack(cx: &Scope<'_>, url: &str) -> Result<Vec<Peeked>, ApiError> {
    let (account, region, url) = (encode(cx.account), encode(cx.region), encode(url));
    let path = format!("/_ministack/sqs/messages?account={account}&region={region}&QueueUrl={url}");
    let answer = cx.client.plain(Method::GET, &path, None).await?.json()?;
    // It lists an empty queue too: one that is not there says nothing about its messages.
    let queues = answer["messages"][cx.account][cx.region].as_object();
    let queues = queues.ok_or_else(|| ApiError::broken("sqs messages", "ministack lists no such queue"))?;
    let messages = queues.values().flat_map(items).map(|message| {
        let system = json!({
            "AWSTraceHeader": message["Attributes"]["AWSTraceHeader"],
            "MessageGroupId": message["MessageGroupId"],
        });
        peeked(&message["Body"], &message["MessageAttributes"], &system)
    });
    Ok(messages.collect())
}

async fn localstack(cx: &Scope<'_>, url: &str) -> Result<Vec<Peeked>, ApiError> {
    let path = format!("/_aws/sqs/messages?QueueUrl={}&ShowInvisible=true&ShowDelayed=true", encode(url));
    // In XML, not JSON: LocalStack's JSON lacks blanks at either end of a text.
    let answer = cx.client.plain(Method::GET, &path, None).await?.xml()?;
    let messages = items(&answer["ReceiveMessageResult"]["Message"]).iter().map(|message| {
        let (attributes, system) = (by_name(&message["MessageAttribute"]), by_name(&message["Attribute"]));
        let sequence = system["SequenceNumber"].as_str().and_then(|number| number.parse::<u128>().ok());
        (sequence, peeked(&message["Body"], &attributes, &system))
    });
    let mut messages: Vec<_> = messages.collect();
    // Visible, invisible and delayed ones are listed one kind after the other.
    messages.sort_by_key(|(sequence, _)| *sequence);
    Ok(messages.into_iter().map(|(_, message)| message).collect())
}

/// The agent gives pages of some MiB. A queue that changes between two of them is looked at again.
async fn agent(cx: &Scope<'_>, url: &str) -> Result<Vec<Peeked>, ApiError> {
    let name = url.rsplit('/').next().unwrap_or_default();
    let (account, region, queue) = (encode(cx.account), encode(cx.region), encode(name));
    let base = format!("/_peapod/sqs/messages?account={account}&region={region}&queue={queue}");
    let mut tries = 0;
    let mut messages = Vec::new();
    let mut after = String::new();
    loop {
        let page = match cx.client.plain(Method::GET, &format!("{base}{after}"), None).await {
            // The message to go on from has left the queue.
            Err(error) if error.status == 404 && !messages.is_empty() && tries < limits::RECAPTURES => {
                (messages, after, tries) = (Vec::new(), String::new(), tries + 1);
                continue;
            }
            page => page?.json()?,
        };
        let page_messages = items(&page["messages"]);
        for message in page_messages {
            messages.push(peeked(&message["Body"], &message["MessageAttributes"], &message["Attributes"]));
        }
        match page_messages.last().and_then(|last| last["MessageId"].as_str()) {
            Some(last) if page["more"] == true => after = format!("&after={}", encode(last)),
            _ => return Ok(messages),
        }
    }
}
