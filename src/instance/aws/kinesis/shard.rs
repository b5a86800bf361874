//! The shards of a stream.

use serde_json::{Value as Json, json};

use super::API;
use crate::error::{Error, Result};
use crate::instance::aws::{ApiError, Scope, items, quirks};
use crate::limits;

/// A shard whose records are read.
#[derive(Debug, Clone)]
pub(super) struct Shard {
    pub id: String,
    /// Which of the open shards it is, in the order of their hash ranges; of a closed one, which holds its lowest key.
    pub index: usize,
    /// Its lowest hash key: what is put with it comes into this shard.
    pub start: u128,
    /// Whether records can still be put into it.
    pub is_open: bool,
}

/// The shards of a stream in the order in which their records stand in a body.
pub(super) async fn all(cx: &Scope<'_>, stream: &str) -> Result<Vec<Shard>> {
    let mut found = Vec::new();
    let mut request = json!({"StreamName": stream});
    for page in 0.. {
        if page > limits::INSTANCE_PAGES {
            return Err(ApiError::broken("kinesis ListShards", "the listing does not end").into());
        }
        let answer = cx.json(&API, "ListShards", request).await?;
        found.extend(items(&answer["Shards"]).iter().map(read).collect::<Result<Vec<_>>>()?);
        // A token takes the place of the stream's name.
        match &answer["NextToken"] {
            Json::String(token) if !token.is_empty() => request = json!({"NextToken": token}),
            _ => break,
        }
    }
    let mut starts: Vec<u128> = found.iter().filter(|shard| shard.is_open).map(|shard| shard.start).collect();
    starts.sort_unstable();
    for shard in &mut found {
        shard.index = starts.partition_point(|start| *start <= shard.start).saturating_sub(1);
    }
    found.sort_by(|a, b| (a.index, &a.id).cmp(&(b.index, &b.id)));
    Ok(found)
}

fn read(shard: &Json) -> Result<Shard> {
    let broken = || Error::failed("the instance lists a shard without an id or hash keys");
    let id = shard["ShardId"].as_str().ok_or_else(broken)?.to_owned();
    let start =
        shard["HashKeyRange"]["StartingHashKey"].as_str().and_then(|key| key.parse().ok()).ok_or_else(broken)?;
    // Only a closed shard has a last number.
    let is_open = shard["SequenceNumberRange"]["EndingSequenceNumber"].is_null();
    Ok(Shard { id, index: 0, start, is_open })
}

/// The lowest hash key of each open shard, in their order.
pub(super) fn starts(shards: &[Shard]) -> Vec<u128> {
    shards.iter().filter(|shard| shard.is_open).map(|shard| shard.start).collect()
}

/// The shards whose records are those of the stream. None if an emulator gives records twice and they can't be told
/// apart.
pub(super) async fn readable(cx: &Scope<'_>, stream: &str, shards: Vec<Shard>) -> Result<Option<Vec<Shard>>> {
    if !quirks::moves_records_when_resharded(cx.emulator) {
        return Ok(Some(shards));
    }
    let (open, closed): (Vec<Shard>, Vec<Shard>) = shards.into_iter().partition(|shard| shard.is_open);
    if quirks::copies_records_when_resharded(cx.emulator) {
        for shard in &closed {
            let request = json!({"ShardIterator": iterator(cx, stream, &shard.id).await?, "Limit": 1});
            if !items(&cx.json(&API, "GetRecords", request).await?["Records"]).is_empty() {
                return Ok(None);
            }
        }
    }
    Ok(Some(open))
}

/// Where the oldest record of a shard lies.
pub(super) async fn iterator(cx: &Scope<'_>, stream: &str, shard: &str) -> Result<Json, ApiError> {
    let request = json!({"StreamName": stream, "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON"});
    Ok(cx.json(&API, "GetShardIterator", request).await?["ShardIterator"].take())
}
