//! A stream's events: as a record's body, `[TIME,"MESSAGE"]` and a line break each, and as an instance lists them.

use bytes::Bytes;
use serde_json::{Value as Json, json};
use tokio::sync::mpsc;

use super::API;
use crate::core::content::{ContentReader, ContentWriter, Contents};
use crate::core::record::Body;
use crate::core::withheld;
use crate::error::{Context, Error, Result};
use crate::instance::aws::{ApiError, Scope, items};
use crate::limits;

/// Events that are asked for, and read from a body, together.
const TOGETHER: usize = 1000;

/// An event: when, in milliseconds since 1970, and what.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Event {
    pub time: i64,
    pub message: String,
}

impl Event {
    fn line(&self) -> Vec<u8> {
        let mut line = json!([self.time, self.message]).to_string().into_bytes();
        line.push(b'\n');
        line
    }

    fn parse(line: &[u8]) -> Result<Event> {
        let (time, message) = serde_json::from_slice(line).map_err(|_| Error::failed("a log event that is none"))?;
        Ok(Event { time, message })
    }
}

/// The events of a stream on an instance, oldest first, page by page.
pub(super) struct Listed<'a> {
    cx: &'a Scope<'a>,
    request: Json,
    pages: usize,
    ended: bool,
}

impl<'a> Listed<'a> {
    pub fn new(cx: &'a Scope<'a>, group: &str, stream: &str) -> Listed<'a> {
        let request = json!({
            "logGroupName": group, "logStreamName": stream, "startFromHead": true, "limit": TOGETHER,
        });
        Listed { cx, request, pages: 0, ended: false }
    }

    /// The next page, which may be empty; none after the last. The end is where the token stays the same.
    pub async fn next(&mut self) -> Result<Option<Vec<Event>>, ApiError> {
        if self.ended {
            return Ok(None);
        }
        self.pages += 1;
        if self.pages > limits::INSTANCE_PAGES {
            return Err(ApiError::broken("logs GetLogEvents", "the listing does not end"));
        }
        let answer = self.cx.json(&API, "GetLogEvents", self.request.clone()).await?;
        let token = &answer["nextForwardToken"];
        self.ended = !token.is_string() || *token == self.request["nextToken"];
        self.request["nextToken"] = token.clone();
        let event = |event: &Json| {
            let (time, message) = (event["timestamp"].as_i64()?, event["message"].as_str()?.to_owned());
            Some(Event { time, message })
        };
        Ok(Some(items(&answer["events"]).iter().filter_map(event).collect()))
    }
}

/// Reads all events of a listing into a body; none where there are none.
pub(super) async fn capture(mut listed: Listed<'_>, contents: &dyn Contents) -> Result<Option<Body>> {
    let mut lines = Vec::new();
    let mut writer: Option<Box<dyn ContentWriter>> = None;
    while let Some(page) = listed.next().await? {
        for event in page {
            let line = event.line();
            if line.len() > limits::LOG_LINE {
                return Err(Error::failed(format!("an event over {} MiB is not captured", limits::LOG_LINE >> 20)));
            }
            lines.extend(line);
        }
        if writer.is_some() || lines.len() > limits::VALUE_INLINE {
            let (mut open, lines) =
                (writer.take().unwrap_or_else(|| contents.write_content()), std::mem::take(&mut lines));
            let write = move || open.write(&lines).map(|()| open);
            writer = Some(tokio::task::spawn_blocking(write).await.context("a body's writer died")??);
        }
    }
    match writer {
        Some(writer) => {
            let finished =
                tokio::task::spawn_blocking(move || writer.finish()).await.context("a body's writer died")?;
            Ok(Some(Body::Content(finished?)))
        }
        None => Ok(Some(lines).filter(|lines| !lines.is_empty()).map(Body::Inline)),
    }
}

/// The events of a body, one after the other. The body is read on a thread of its own, a little ahead.
pub(super) struct Kept {
    pieces: mpsc::Receiver<Result<Vec<Event>>>,
    ready: std::vec::IntoIter<Event>,
}

impl Kept {
    pub fn new(body: Option<&Body>, contents: &dyn Contents) -> Kept {
        let (send, pieces) = mpsc::channel(1);
        let reader: ContentReader = match body {
            None => Box::new(std::iter::empty()),
            Some(Body::Inline(bytes)) => Box::new(std::iter::once(Ok(Bytes::from(bytes.clone())))),
            Some(Body::Content(content)) => contents.read_content(content),
            Some(Body::Withheld) => Box::new(std::iter::once(Err(withheld::error()))),
        };
        tokio::task::spawn_blocking(move || {
            if let Err(error) = parse(reader, &send) {
                // Nobody waits for it any more.
                let _ = send.blocking_send(Err(error));
            }
        });
        Kept { pieces, ready: Vec::new().into_iter() }
    }

    /// The next event; none after the last.
    pub async fn next(&mut self) -> Result<Option<Event>> {
        loop {
            if let Some(event) = self.ready.next() {
                return Ok(Some(event));
            }
            match self.pieces.recv().await {
                Some(events) => self.ready = events?.into_iter(),
                None => return Ok(None),
            }
        }
    }
}

fn parse(reader: ContentReader, send: &mpsc::Sender<Result<Vec<Event>>>) -> Result<()> {
    let mut rest: Vec<u8> = Vec::new();
    for piece in reader {
        rest.extend_from_slice(&piece?);
        let Some(end) = rest.iter().rposition(|byte| *byte == b'\n') else {
            if rest.len() > limits::LOG_LINE {
                return Err(Error::failed("a log event that does not end"));
            }
            continue;
        };
        let tail = rest.split_off(end + 1);
        let lines = std::mem::replace(&mut rest, tail);
        let lines = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let events = lines.map(Event::parse).collect::<Result<Vec<_>>>()?;
        if send.blocking_send(Ok(events)).is_err() {
            return Ok(());
        }
    }
    if rest.is_empty() { Ok(()) } else { Err(Error::failed("a log event that was cut off")) }
}
