//! A stream's events: as a record's body, `[TIME,"MESSAGE"]` and a line break each, and as an instance lists them.

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::API;
use crate::core::content::Contents;
use crate::core::record::Body;
use crate::error::Result;
use crate::instance::aws::{ApiError, Scope, items, lines};
use crate::limits;

/// Events that are asked for together.
const TOGETHER: usize = 1000;

/// An event: when, in milliseconds since 1970, and what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(into = "(i64, String)", from = "(i64, String)")]
pub(super) struct Event {
    pub time: i64,
    pub message: String,
}

impl From<Event> for (i64, String) {
    fn from(event: Event) -> (i64, String) {
        (event.time, event.message)
    }
}

impl From<(i64, String)> for Event {
    fn from((time, message): (i64, String)) -> Event {
        Event { time, message }
    }
}

/// The events of a body, one after the other.
pub(super) type Kept = lines::Reader<Event>;

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
    let mut writer = lines::Writer::new(contents);
    while let Some(page) = listed.next().await? {
        writer.write(page).await?;
    }
    writer.finish().await
}
