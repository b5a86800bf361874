//! The records in a stream.

use serde_json::{Value as Json, json};

use super::shard::{self, Shard};
use super::{ALL, API, RECORDS};
use crate::core::address::Address;
use crate::core::content::Contents;
use crate::core::record::{Body, Record};
use crate::error::{Error, Result};
use crate::instance::Sink;
use crate::instance::aws::{ApiError, Scope, items, lines, refused};
use crate::limits;

/// A record: the number of its shard, its partition key, its data in base64.
pub(super) type Line = (usize, String, String);

/// What AWS takes in one call: so many records, so many bytes with a margin.
const BATCH: usize = 500;
const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// Records that are asked for together.
const TOGETHER: usize = 1000;

pub(super) async fn capture(cx: &Scope<'_>, sink: &dyn Sink, stream: &Address) -> Result<()> {
    let address = stream.item(RECORDS, ALL);
    if !sink.wants(&address) {
        return Ok(());
    }
    if sink.withholds_body(&address) {
        return sink.record(address, Record { body: Some(Body::Withheld), ..Record::default() });
    }
    let shards = shard::all(cx, stream.name()).await?;
    let Some(shards) = shard::readable(cx, stream.name(), shards).await? else {
        cx.skip(sink, address.parts(), "its shards were split or merged, and this make gives their records twice");
        return Ok(());
    };
    let body = set_aside(cx, stream.name(), shards, sink.contents()).await?;
    match body {
        Some(body) => sink.record(address, Record { body: Some(body), ..Record::default() }),
        None => Ok(()),
    }
}

/// All records of these shards as a body.
pub(super) async fn set_aside(
    cx: &Scope<'_>,
    stream: &str,
    shards: Vec<Shard>,
    contents: &dyn Contents,
) -> Result<Option<Body>> {
    let mut listed = Listed::new(cx, stream, shards);
    let mut writer = lines::Writer::new(contents);
    while let Some(page) = listed.next().await? {
        writer.write(page).await?;
    }
    writer.finish().await
}

/// How many of the kept records each shard has already; none if it has others.
pub(super) async fn there(
    mut listed: Listed<'_>,
    shards: usize,
    body: Option<&Body>,
    contents: &dyn Contents,
) -> Result<Option<Vec<u64>>> {
    let mut counts = vec![0; shards];
    let mut kept = lines::Reader::<Line>::new(body, contents);
    let mut page = Vec::new().into_iter();
    let mut present = listed.advance(&mut page).await?;
    while let Some(mut line) = kept.next().await? {
        line.0 = line.0.min(shards.saturating_sub(1));
        match &present {
            Some(first) if *first == line => {
                if let Some(count) = counts.get_mut(line.0) {
                    *count += 1;
                }
                present = listed.advance(&mut page).await?;
            }
            Some(first) if first.0 <= line.0 => return Ok(None),
            _ => {}
        }
    }
    Ok(Some(counts).filter(|_| present.is_none()))
}

/// Puts all records of a body but for the first of each shard, as many as `there` says, into the shards of these lowest
/// hash keys.
pub(super) async fn put(
    cx: &Scope<'_>,
    stream: &str,
    body: Option<&Body>,
    starts: &[u128],
    mut there: Vec<u64>,
    contents: &dyn Contents,
) -> Result<()> {
    let mut kept = lines::Reader::<Line>::new(body, contents);
    let (mut batch, mut bytes) = (Vec::new(), 0);
    while let Some((index, key, data)) = kept.next().await? {
        let index = index.min(starts.len().saturating_sub(1));
        if let Some(count) = there.get_mut(index).filter(|count| **count > 0) {
            *count -= 1;
            continue;
        }
        let size = key.len() + data.len();
        if batch.len() >= BATCH || (bytes + size > BATCH_BYTES && !batch.is_empty()) {
            send(cx, stream, std::mem::take(&mut batch)).await?;
            bytes = 0;
        }
        bytes += size;
        let start = starts.get(index).copied().unwrap_or_default();
        // The key is a hash of the partition key, or what its sender chose: nobody who reads it can tell.
        batch.push(json!({"PartitionKey": key, "Data": data, "ExplicitHashKey": start.to_string()}));
    }
    send(cx, stream, batch).await
}

async fn send(cx: &Scope<'_>, stream: &str, batch: Vec<Json>) -> Result<()> {
    if batch.is_empty() {
        return Ok(());
    }
    let answer = cx.json(&API, "PutRecords", json!({"StreamName": stream, "Records": batch})).await.map_err(refused)?;
    match items(&answer["Records"]).iter().find(|record| record["ErrorCode"].is_string()) {
        Some(record) => Err(Error::denied(format!("the instance refuses records: {}", record["ErrorMessage"]))),
        None => Ok(()),
    }
}

/// The records of a stream on an instance, shard by shard and oldest first, page by page.
pub(super) struct Listed<'a> {
    cx: &'a Scope<'a>,
    stream: &'a str,
    shards: std::vec::IntoIter<Shard>,
    open: Option<(usize, Json)>,
    pages: usize,
}

impl<'a> Listed<'a> {
    pub fn new(cx: &'a Scope<'a>, stream: &'a str, shards: Vec<Shard>) -> Listed<'a> {
        Listed { cx, stream, shards: shards.into_iter(), open: None, pages: 0 }
    }

    /// The next page, which may be empty; none after the last.
    async fn next(&mut self) -> Result<Option<Vec<Line>>, ApiError> {
        let (index, iterator) = match self.open.take() {
            Some(open) => open,
            None => {
                let Some(shard) = self.shards.next() else { return Ok(None) };
                (shard.index, shard::iterator(self.cx, self.stream, &shard.id).await?)
            }
        };
        self.pages += 1;
        if self.pages > limits::INSTANCE_PAGES {
            return Err(ApiError::broken("kinesis GetRecords", "the stream does not end"));
        }
        let mut answer =
            self.cx.json(&API, "GetRecords", json!({"ShardIterator": iterator, "Limit": TOGETHER})).await?;
        let line = |record: &Json| {
            Some((index, record["PartitionKey"].as_str()?.to_owned(), record["Data"].as_str()?.to_owned()))
        };
        let page: Vec<Line> = items(&answer["Records"]).iter().filter_map(line).collect();
        // A page may be empty before the end, and an instance say that nothing follows when something does.
        let is_end = page.is_empty() && answer["MillisBehindLatest"].as_u64().unwrap_or_default() == 0;
        let next = answer["NextShardIterator"].take();
        if !is_end && next.as_str().is_some_and(|next| !next.is_empty()) {
            self.open = Some((index, next));
        }
        Ok(Some(page))
    }

    async fn advance(&mut self, page: &mut std::vec::IntoIter<Line>) -> Result<Option<Line>> {
        loop {
            if let Some(line) = page.next() {
                return Ok(Some(line));
            }
            match self.next().await? {
                Some(lines) => *page = lines.into_iter(),
                None => return Ok(None),
            }
        }
    }
}
