//! Fetching: the driver between [`crate::sync::fetch`], the network and the store.
//!
//! The state machine and the store work on a thread of their own; what it asks of peers runs on the network's tasks, and
//! the outcomes come back to the thread one by one.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use crate::app::events::{Events, Unit};
use crate::app::node::Node;
use crate::core::codec;
use crate::core::identity::Author;
use crate::core::name::{Kind, Name};
use crate::error::{self, Context, Error, Result};
use crate::net::{GetFailure, Got, Net};
use crate::store::Store;
use crate::sync::fetch::{Action, Failure, Fetch};
use crate::sync::message::{Location, Request, Response};

/// How long a fetch waits for a peer that has what no connected one has, when the user has not said.
pub const PATIENCE: Duration = Duration::from_secs(15);
/// How often peers that had nothing are asked again, while nothing else is left to do.
const AGAIN: Duration = Duration::from_secs(2);
/// How often the thread looks at who is connected and whether the user has broken off.
const LOOK: Duration = Duration::from_millis(200);

/// What a fetch brought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Report {
    /// Objects that arrived.
    pub objects: u64,
    /// Bytes on the wire for them, questions and proofs included.
    pub bytes: u64,
}

impl Node {
    /// Fetches a version of a pushed head, its state and its history from teammates, and lets other teammates have them
    /// from here. `shallow` leaves out the contents. Whatever arrived before a failure counts the next time.
    ///
    /// [`error::Kind::Unavailable`] when no teammate that is connected within `patience` has all of it.
    pub async fn fetch(&self, version: &Name, shallow: bool, patience: Duration, events: &Events) -> Result<Report> {
        let goals = vec![(Kind::Version, *version)];
        let report = self.fetch_objects(goals.clone(), shallow, patience, events).await?;
        if !shallow {
            let store = self.store().clone();
            let publishing = tokio::task::spawn_blocking(move || store.publish(&goals));
            publishing.await.context("publishing what was fetched broke off")??;
        }
        Ok(report)
    }

    /// Fetches these objects and all below them; for the repair of a store, and what [`Node::fetch`] rests on.
    pub async fn fetch_objects(
        &self,
        goals: Vec<(Kind, Name)>,
        shallow: bool,
        patience: Duration,
        events: &Events,
    ) -> Result<Report> {
        let store = self.store().clone();
        let driver = Driver::new(self.net().clone(), store.clone(), events.clone(), patience);
        let run = tokio::task::spawn_blocking(move || {
            let done = driver.run(Fetch::new(&goals, shallow));
            // What has arrived stays, however the fetch ended; when even that fails, the first failure is the one to tell.
            let kept = store.flush();
            done.and_then(|report| kept.map(|()| report))
        });
        run.await.context("the fetch broke off")?
    }

    /// The teammates that are connected and hold a version whole, its history included.
    pub async fn holders(&self, version: &Name) -> Result<Vec<Author>> {
        let question = codec::encode(&Request::Holds { version: *version })?;
        let asks = self.net().members().into_iter().map(|peer| {
            let question = &question;
            async move {
                let answer = self.net().ask(&peer, question).await.ok()?;
                matches!(codec::decode(&answer), Ok(Response::Holds(true))).then_some(peer)
            }
        });
        Ok(futures::future::join_all(asks).await.into_iter().flatten().collect())
    }
}

/// The outcome of an action.
enum Outcome {
    Located(u64, Result<Vec<Option<Location>>, Failure>, u64),
    Got(u64, Got),
}

struct Driver {
    net: Net,
    store: Arc<Store>,
    events: Events,
    patience: Duration,
    runtime: tokio::runtime::Handle,
    sender: Sender<Outcome>,
    outcomes: Receiver<Outcome>,
}

impl Driver {
    fn new(net: Net, store: Arc<Store>, events: Events, patience: Duration) -> Driver {
        let (sender, outcomes) = channel();
        Driver { net, store, events, patience, runtime: tokio::runtime::Handle::current(), sender, outcomes }
    }

    fn run(self, mut fetch: Fetch) -> Result<Report> {
        let _session = self.store.session();
        let store = &*self.store;
        let mut present = BTreeSet::new();
        let mut looked = None::<Instant>;
        let mut stuck = None::<(Instant, Instant)>;
        loop {
            if looked.is_none_or(|at| at.elapsed() >= LOOK) {
                looked = Some(Instant::now());
                self.events.check()?;
                self.look(&mut fetch, &mut present);
            }
            let actions = fetch.advance(store)?;
            let waiting = actions.is_empty() && fetch.is_idle();
            actions.into_iter().for_each(|action| self.act(action));
            if waiting {
                if fetch.is_done() {
                    break;
                }
                let now = Instant::now();
                let (since, asked) = stuck.get_or_insert((now, now));
                if since.elapsed() >= self.patience {
                    return Err(self.missing(&fetch, present.len()));
                }
                if asked.elapsed() >= AGAIN {
                    *asked = now;
                    fetch.retry();
                }
            } else {
                stuck = None;
            }
            match self.outcomes.recv_timeout(LOOK) {
                Ok(outcome) => self.take(&mut fetch, outcome)?,
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
            }
            let progress = fetch.progress();
            self.events.progress("fetching", progress.bytes, None, Unit::Bytes);
        }
        let progress = fetch.progress();
        self.events.progress("fetching", progress.bytes, Some(progress.bytes), Unit::Bytes);
        Ok(Report { objects: progress.objects, bytes: progress.bytes })
    }

    /// Tells the fetch who has come and who has left.
    fn look(&self, fetch: &mut Fetch, present: &mut BTreeSet<Author>) {
        let now: BTreeSet<Author> = self.net.members().into_iter().collect();
        present.difference(&now).for_each(|peer| fetch.peer_left(peer));
        // Also one that was dropped for being slow: after a while it may be worth another try.
        now.iter().for_each(|peer| fetch.peer_came(*peer));
        *present = now;
    }

    fn act(&self, action: Action) {
        let (net, sender) = (self.net.clone(), self.sender.clone());
        self.runtime.spawn(async move {
            let outcome = match action {
                Action::Locate { job, peer, names } => {
                    let (answer, wire) = locate(&net, &peer, names).await;
                    Outcome::Located(job, answer, wire)
                }
                Action::Get { job, ranges, .. } if ranges.is_empty() => Outcome::Got(job, Got::default()),
                Action::Get { job, peer, pack, ranges } => Outcome::Got(job, get(&net, &peer, pack, &ranges).await),
            };
            // A fetch that has ended meanwhile wants no more outcomes.
            let _ = sender.send(outcome);
        });
    }

    fn take(&self, fetch: &mut Fetch, outcome: Outcome) -> Result<()> {
        match outcome {
            Outcome::Located(job, Ok(answers), wire) => fetch.located(job, &answers, wire),
            Outcome::Located(job, Err(failure), _) => fetch.failed(job, failure),
            Outcome::Got(job, got) => {
                let runs = got.runs.iter().map(|run| (run.offset, run.bytes.as_slice()));
                fetch.received(&*self.store, job, runs, got.wire, got.end.map_err(failure))?;
            }
        }
        Ok(())
    }

    fn missing(&self, fetch: &Fetch, peers: usize) -> Error {
        let arrived = fetch.progress().objects;
        let what = match fetch.missing() {
            Some((1, kind, name)) => format!("{} {}", kind.word(), name.short()),
            Some((count, kind, name)) => format!("{count} objects, {} {} among them", kind.word(), name.short()),
            None => "something".into(),
        };
        if peers == 0 {
            return Error::unavailable(format!("no teammate is connected who could have {what}"))
                .hint("is a teammate's node up (`peapod up`)? `peapod peers` shows who is connected");
        }
        Error::unavailable(format!("no teammate that is connected has {what}")).hint(format!(
            "ask whoever pushed it to bring their node up, then try again: the {arrived} objects that came stay here"
        ))
    }
}

async fn locate(net: &Net, peer: &Author, names: Vec<Name>) -> (Result<Vec<Option<Location>>, Failure>, u64) {
    let Ok(question) = codec::encode(&Request::Locate { names }) else { return (Err(Failure::Refused), 0) };
    let answer = match net.ask(peer, &question).await {
        Ok(answer) => answer,
        Err(error) => {
            tracing::debug!(%peer, error = error.chain(), "could not locate");
            let refused = error.kind() == error::Kind::Denied;
            return (Err(if refused { Failure::Refused } else { Failure::Lost }), 0);
        }
    };
    let wire = (question.len() + answer.len()) as u64;
    match codec::decode(&answer) {
        Ok(Response::Located(places)) => (Ok(places), wire),
        Ok(Response::Refused(_)) => (Err(Failure::Refused), wire),
        _ => (Err(Failure::Lied), wire),
    }
}

async fn get(net: &Net, peer: &Author, pack: [u8; 32], ranges: &[Range<u64>]) -> Got {
    let got = net.get(peer, pack, ranges).await;
    if let Err(why) = got.end {
        tracing::debug!(%peer, ?why, "a transfer ended early");
    }
    got
}

fn failure(failure: GetFailure) -> Failure {
    match failure {
        GetFailure::NotHeld => Failure::NotHeld,
        GetFailure::Refused => Failure::Refused,
        GetFailure::Lied => Failure::Lied,
        GetFailure::Stalled => Failure::Stalled,
        GetFailure::Lost => Failure::Lost,
    }
}
