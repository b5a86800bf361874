//! Writing items. Steps come one by one, many at a time; those that wait for the same table go in one request.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value as Json, json};
use tokio::sync::oneshot;

use super::API;
use super::items::key;
use super::value::to_attributes;
use crate::core::value::Value;
use crate::error::{Error, Result};
use crate::instance::aws::{ApiError, Request, Scope, refused};

/// AWS takes this many writes in one request, and this many bytes; what stands around an item is counted generously.
const BATCH: usize = 25;
const BATCH_BYTES: usize = 12 * 1024 * 1024;

/// Gathers writes by table.
#[derive(Default)]
pub(super) struct Writer(Mutex<HashMap<(String, String), Arc<Table>>>);

#[derive(Default)]
struct Table {
    waiting: Mutex<Vec<Waiting>>,
    /// Held by the step that sends for all that wait.
    turn: tokio::sync::Mutex<()>,
}

struct Waiting {
    write: Json,
    size: usize,
    done: oneshot::Sender<Result<(), ApiError>>,
}

impl Writer {
    /// Puts an item, over one of the same key.
    pub(super) async fn put(&self, cx: &Scope<'_>, table: &str, item: &BTreeMap<String, Value>) -> Result<()> {
        let write = json!({"PutRequest": {"Item": to_attributes(item)?}});
        self.write(cx, table, write).await.map_err(refused)
    }

    /// Deletes an item, if it and its table are there.
    pub(super) async fn delete(&self, cx: &Scope<'_>, table: &str, item: &str) -> Result<()> {
        let write = json!({"DeleteRequest": {"Key": key(item)?}});
        match self.write(cx, table, write).await {
            Err(error) if error.is_missing() => Ok(()),
            other => other.map_err(refused),
        }
    }

    async fn write(&self, cx: &Scope<'_>, name: &str, write: Json) -> Result<(), ApiError> {
        let table = lock(&self.0).entry((cx.region.to_owned(), name.to_owned())).or_default().clone();
        let (done, mut outcome) = oneshot::channel();
        let size = write.to_string().len();
        lock(&table.waiting).push(Waiting { write, size, done });
        let _turn = table.turn.lock().await;
        // Whoever had the turn before may have sent this write with its own.
        if let Ok(outcome) = outcome.try_recv() {
            return outcome;
        }
        while let Some(batch) = table.next_batch() {
            send(cx, name, batch).await;
            if let Ok(outcome) = outcome.try_recv() {
                return outcome;
            }
        }
        Err(ApiError::broken("dynamodb BatchWriteItem", "a write was lost"))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Table {
    /// As many of those that wait as fit one request; none if nobody waits.
    fn next_batch(&self) -> Option<Vec<Waiting>> {
        let mut waiting = lock(&self.waiting);
        let mut size = 0;
        let fits = waiting.iter().take(BATCH).take_while(|write| {
            size += write.size;
            size <= BATCH_BYTES
        });
        let count = fits.count().max(1).min(waiting.len());
        (count > 0).then(|| waiting.drain(..count).collect())
    }
}

/// Sends writes together. What the instance leaves unprocessed, and each write of a request that it refuses as a
/// whole, is sent alone.
async fn send(cx: &Scope<'_>, table: &str, batch: Vec<Waiting>) {
    if batch.len() > 1 {
        let writes: Vec<&Json> = batch.iter().map(|waiting| &waiting.write).collect();
        let request = Request::json(&API, "BatchWriteItem", json!({"RequestItems": {table: writes}})).idempotent();
        match cx.call(request).await {
            Ok(answer) if is_all_done(&answer) => {
                for waiting in batch {
                    let _ = waiting.done.send(Ok(()));
                }
                return;
            }
            Err(error) if error.is_gone() => {
                for waiting in batch {
                    let _ = waiting.done.send(Err(error.clone()));
                }
                return;
            }
            // Writing the ones that were processed once more does no harm.
            _ => {}
        }
    }
    for waiting in batch {
        let (action, request) = match (&waiting.write["PutRequest"], &waiting.write["DeleteRequest"]) {
            (put, Json::Null) => ("PutItem", json!({"TableName": table, "Item": put["Item"]})),
            (_, delete) => ("DeleteItem", json!({"TableName": table, "Key": delete["Key"]})),
        };
        let outcome = cx.call(Request::json(&API, action, request).idempotent()).await;
        let _ = waiting.done.send(outcome.map(drop));
    }
}

fn is_all_done(answer: &Json) -> bool {
    answer["UnprocessedItems"].as_object().is_none_or(serde_json::Map::is_empty)
}

/// Writes items that all are puts, in order, waiting for each request.
pub(super) async fn put_all(cx: &Scope<'_>, table: &str, items: Vec<Json>) -> Result<()> {
    for chunk in items.chunks(BATCH) {
        let mut outcomes = Vec::new();
        let mut batch = Vec::new();
        for item in chunk {
            let (done, outcome) = oneshot::channel();
            let write = json!({"PutRequest": {"Item": item}});
            batch.push(Waiting { size: 0, write, done });
            outcomes.push(outcome);
        }
        send(cx, table, batch).await;
        for outcome in outcomes {
            outcome.await.map_err(|_| Error::failed("a write was lost"))??;
        }
    }
    Ok(())
}
