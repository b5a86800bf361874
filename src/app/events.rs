//! What a command says while it works: progress, warnings, and rows of long answers.
//!
//! A journey gets an [`Events`] and never asks who listens: a terminal, a pipe, or a command at the other end of the
//! control socket. The same handle tells a journey that nobody waits for it any more ([`Events::stopped`]).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::error::{Context, Error, Result};

/// Rows that wait for a slow reader before the journey waits too.
const BACKLOG: usize = 256;
/// How often one phase reports its progress.
const PACE: Duration = Duration::from_millis(100);

/// One thing said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// How far some work is.
    Progress {
        /// What is going on, one or two words: `reading`, `fetching`.
        phase: String,
        /// Units done.
        done: u64,
        /// Units in all, where that is known.
        total: Option<u64>,
        /// What is counted.
        unit: Unit,
    },
    /// Something the user may want to know.
    Message {
        /// One sentence without a full stop.
        text: String,
    },
    /// Something that went less well than asked.
    Warning {
        /// One sentence without a full stop.
        text: String,
    },
    /// One element of an array of the final document, given early so that long answers need no memory.
    Row {
        /// The array's field in the document: `records`.
        list: String,
        /// The element.
        value: serde_json::Value,
    },
}

/// What progress counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Records, chunks, requests.
    Items,
    /// Bytes.
    Bytes,
}

/// Where a journey says how it goes. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Events {
    sender: mpsc::Sender<Event>,
    last: Arc<Mutex<BTreeMap<String, Instant>>>,
    stop: CancellationToken,
}

impl Events {
    /// A handle and the receiving end of what it says. The receiver must be read, or rows and warnings wait.
    pub fn channel(stop: CancellationToken) -> (Events, mpsc::Receiver<Event>) {
        let (sender, receiver) = mpsc::channel(BACKLOG);
        (Events { sender, last: Arc::default(), stop }, receiver)
    }

    /// A handle that nobody listens to: for the node's own work, and for tests.
    pub fn nowhere() -> Events {
        Self::channel(CancellationToken::new()).0
    }

    /// Reports progress. Dropped when the last report of the phase is too recent or the listener too slow.
    pub fn progress(&self, phase: &str, done: u64, total: Option<u64>, unit: Unit) {
        let now = Instant::now();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let due = last.get(phase).is_none_or(|then| now.duration_since(*then) >= PACE) || total == Some(done);
        if due {
            last.insert(phase.to_owned(), now);
            drop(last);
            let _ = self.sender.try_send(Event::Progress { phase: phase.to_owned(), done, total, unit });
        }
    }

    /// Counts up to `total` by itself; shared by tasks that work at once.
    pub fn counter(&self, phase: &str, total: Option<u64>, unit: Unit) -> Counter {
        Counter { events: self.clone(), phase: phase.to_owned(), done: AtomicU64::new(0), total, unit }
    }

    /// Says something the user may want to know.
    pub async fn message(&self, text: impl Into<String>) {
        let _ = self.sender.send(Event::Message { text: text.into() }).await;
    }

    /// Says that something went less well than asked.
    pub async fn warn(&self, text: impl Into<String>) {
        let _ = self.sender.send(Event::Warning { text: text.into() }).await;
    }

    /// Gives one element of the document's array `list`, waiting for a slow reader.
    ///
    /// Fails when nobody listens any more.
    pub async fn row(&self, list: &str, value: &(impl Serialize + Sync)) -> Result<()> {
        let value = serde_json::to_value(value).context("can't write a row")?;
        let sent = self.sender.send(Event::Row { list: list.to_owned(), value }).await;
        sent.map_err(|_| Error::failed("nobody reads the answer any more"))
    }

    /// Says what someone else said: the node's words in the command that asked.
    ///
    /// Fails when nobody listens any more.
    pub async fn pass(&self, event: Event) -> Result<()> {
        self.sender.send(event).await.map_err(|_| Error::failed("nobody reads the answer any more"))
    }

    /// Waits until the user breaks off.
    pub async fn stopping(&self) {
        self.stop.cancelled().await;
    }

    /// Whether the user has broken off: the journey shall come to a safe end soon.
    pub fn stopped(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Fails when the user has broken off; for loops between two safe points.
    pub fn check(&self) -> Result<()> {
        if self.stopped() { Err(broken_off()) } else { Ok(()) }
    }

    /// The same listener for work that goes on whatever the user does: putting back what was begun.
    pub fn to_the_end(&self) -> Events {
        Events { stop: CancellationToken::new(), ..self.clone() }
    }

    /// Runs `work`, dropping it as soon as the user breaks off. Only for what may end at any await.
    pub async fn unless_stopped<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            biased;
            done = work => done,
            () = self.stop.cancelled() => Err(broken_off()),
        }
    }
}

fn broken_off() -> Error {
    Error::failed("interrupted")
}

/// See [`Events::counter`].
#[derive(Debug)]
pub struct Counter {
    events: Events,
    phase: String,
    done: AtomicU64,
    total: Option<u64>,
    unit: Unit,
}

impl Counter {
    /// Counts `units` more.
    pub fn add(&self, units: u64) {
        let done = self.done.fetch_add(units, Ordering::Relaxed) + units;
        self.events.progress(&self.phase, done, self.total, self.unit);
    }

    /// Units counted so far.
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn progress_is_thinned_and_rows_are_not() {
        let (events, mut receiver) = Events::channel(CancellationToken::new());
        let counter = events.counter("reading", Some(1000), Unit::Items);
        (0..1000).for_each(|_| counter.add(1));
        for row in 0..100 {
            events.row("records", &row).await.unwrap();
        }
        drop((events, counter));
        let (mut reports, mut rows) = (0, 0);
        while let Some(event) = receiver.recv().await {
            match event {
                Event::Progress { .. } => reports += 1,
                Event::Row { .. } => rows += 1,
                _ => {}
            }
        }
        assert!((2..20).contains(&reports), "{reports}");
        assert_eq!(rows, 100);
    }

    #[tokio::test]
    async fn work_ends_when_the_user_breaks_off() {
        let stop = CancellationToken::new();
        let (events, _receiver) = Events::channel(stop.clone());
        stop.cancel();
        assert!(events.check().is_err());
        assert!(events.unless_stopped(std::future::pending::<Result<()>>()).await.is_err());
    }
}
