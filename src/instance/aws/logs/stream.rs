//! Log streams, items of their group, with their events.

use std::ops::Range;

use serde_json::{Value as Json, json};

use super::events::{self, Event, Kept, Listed};
use super::{API, STREAMS, skip_part};
use crate::core::address::Address;
use crate::core::content::Contents;
use crate::core::record::{Body, Record};
use crate::error::{Error, Result};
use crate::instance::aws::{Request, Scope, found, items, refused, scope};
use crate::instance::{Sink, Step};

/// What AWS takes in one call: so many events, so many bytes, each event counted with 26 more, of no more than a day.
const BATCH: usize = 10_000;
const BATCH_BYTES: usize = 1024 * 1024;
const EVENT_BYTES: usize = 26;
const BATCH_TIME: i64 = 24 * 60 * 60 * 1000;

pub(super) async fn capture_all(cx: &Scope<'_>, sink: &dyn Sink, group: &Address) -> Result<()> {
    let request = Request::json(&API, "DescribeLogStreams", json!({"logGroupName": group.name(), "limit": 50}));
    let mut pages = cx.pages(request, "nextToken", "nextToken");
    loop {
        let page = match found(pages.next().await) {
            Ok(Some(Some(page))) => page,
            Ok(_) => return Ok(()),
            Err(error) => return skip_part(cx, sink, group, STREAMS, error),
        };
        for name in items(&page["logStreams"]).iter().filter_map(|stream| stream["logStreamName"].as_str()) {
            let address = group.item(STREAMS, name);
            if !sink.wants(&address) {
                continue;
            }
            let body = match sink.withholds_body(&address) {
                true => Ok(Some(Body::Withheld)),
                false => events::capture(Listed::new(cx, group.name(), name), sink.contents()).await,
            };
            match body {
                Ok(body) => {
                    let mut record = Record::new(Default::default());
                    record.body = body;
                    sink.record(address, record)?;
                }
                Err(error) if scope::is_gone(&error) => return Err(error),
                Err(error) => cx.skip(sink, address.parts(), error.chain()),
            }
        }
    }
}

pub(super) async fn apply(cx: &Scope<'_>, step: &Step, name: &str, contents: &dyn Contents) -> Result<()> {
    let group = step.address.name();
    let stream = json!({"logGroupName": group, "logStreamName": name});
    let Some(after) = &step.after else { return delete(cx, &stream).await };
    let body = after.body.as_ref();
    let missing = if create(cx, &stream).await? {
        Some(std::iter::once(0..u64::MAX).collect())
    } else {
        missing(Listed::new(cx, group, name), Kept::new(body, contents)).await?
    };
    match missing {
        Some(missing) => put(cx, &stream, body, contents, &missing).await,
        // An event can't be taken out, nor another be put in front of it.
        None => {
            delete(cx, &stream).await?;
            create(cx, &stream).await?;
            put(cx, &stream, body, contents, std::slice::from_ref(&(0..u64::MAX))).await
        }
    }
}

async fn delete(cx: &Scope<'_>, stream: &Json) -> Result<()> {
    found(cx.json(&API, "DeleteLogStream", stream.clone()).await).map_err(refused)?;
    Ok(())
}

/// Makes the stream; false if it is there.
async fn create(cx: &Scope<'_>, stream: &Json) -> Result<bool> {
    // Asked again after a failure: LocalStack makes a stream of a group with a subscription filter, and then breaks down.
    match cx.call(Request::json(&API, "CreateLogStream", stream.clone()).idempotent()).await {
        Ok(_) => Ok(true),
        Err(error) if error.is_existing() => Ok(false),
        Err(error) => Err(refused(error)),
    }
}

/// Which of the kept events, by number, a stream lacks; none where adding those would not make it the kept one. Of equal
/// times, an instance lists first what came first.
async fn missing(mut listed: Listed<'_>, mut kept: Kept) -> Result<Option<Vec<Range<u64>>>> {
    let mut missing: Vec<Range<u64>> = Vec::new();
    let mut page = Vec::new().into_iter();
    let mut there = advance(&mut listed, &mut page).await?;
    let mut number = 0;
    while let Some(event) = kept.next().await? {
        match &there {
            Some(first) if *first == event => there = advance(&mut listed, &mut page).await?,
            Some(first) if first.time <= event.time => return Ok(None),
            _ => match missing.last_mut().filter(|range| range.end == number) {
                Some(range) => range.end += 1,
                None => missing.push(number..number + 1),
            },
        }
        number += 1;
    }
    Ok(Some(missing).filter(|_| there.is_none()))
}

async fn advance(listed: &mut Listed<'_>, page: &mut std::vec::IntoIter<Event>) -> Result<Option<Event>> {
    loop {
        if let Some(event) = page.next() {
            return Ok(Some(event));
        }
        match listed.next().await? {
            Some(events) => *page = events.into_iter(),
            None => return Ok(None),
        }
    }
}

/// Puts the events of these numbers.
async fn put(
    cx: &Scope<'_>,
    stream: &Json,
    body: Option<&Body>,
    contents: &dyn Contents,
    numbers: &[Range<u64>],
) -> Result<()> {
    let mut numbers = numbers.iter();
    let Some(mut range) = numbers.next() else { return Ok(()) };
    let mut kept = Kept::new(body, contents);
    let mut batch = Batch::default();
    let (mut number, mut refused) = (0, 0);
    while let Some(event) = kept.next().await? {
        if number >= range.end {
            let Some(next) = numbers.next() else { break };
            range = next;
        }
        if range.contains(&number) {
            if !batch.takes(&event) {
                refused += send(cx, stream, std::mem::take(&mut batch)).await?;
            }
            batch.push(event);
        }
        number += 1;
    }
    refused += send(cx, stream, batch).await?;
    if refused == 0 {
        return Ok(());
    }
    Err(Error::denied(format!(
        "{refused} events are too old, or too far ahead, for this instance; the others are there"
    )))
}

/// Events on their way, in rising order of time.
#[derive(Default)]
struct Batch {
    events: Vec<Event>,
    bytes: usize,
}

impl Batch {
    fn takes(&self, event: &Event) -> bool {
        let (Some(first), Some(last)) = (self.events.first(), self.events.last()) else { return true };
        self.events.len() < BATCH
            && self.bytes + event.message.len() + EVENT_BYTES <= BATCH_BYTES
            && event.time >= last.time
            && event.time.saturating_sub(first.time) < BATCH_TIME
    }

    fn push(&mut self, event: Event) {
        self.bytes += event.message.len() + EVENT_BYTES;
        self.events.push(event);
    }
}

/// Sends a batch; gives back how many of it the instance does not take for their time.
async fn send(cx: &Scope<'_>, stream: &Json, batch: Batch) -> Result<usize> {
    if batch.events.is_empty() {
        return Ok(0);
    }
    let count = batch.events.len();
    let mut request = stream.clone();
    let event = |event: Event| json!({"timestamp": event.time, "message": event.message});
    request["logEvents"] = batch.events.into_iter().map(event).collect();
    let answer = cx.json(&API, "PutLogEvents", request).await.map_err(refused)?;
    let told = &answer["rejectedLogEventsInfo"];
    let number = |name: &str| told[name].as_u64().and_then(|number| usize::try_from(number).ok());
    let old = ["tooOldLogEventEndIndex", "expiredLogEventEndIndex"].into_iter().filter_map(number).max().unwrap_or(0);
    let new = number("tooNewLogEventStartIndex").map_or(0, |start| count.saturating_sub(start));
    Ok(count.min(old + new))
}
