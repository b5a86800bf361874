//! The fetch: from a name to everything below it, held and verified, whatever the peers do.
//!
//! A state machine without I/O. [`Fetch::advance`] says what to do next ([`Action`]); the driver does it and tells the
//! outcome by [`Fetch::located`], [`Fetch::received`] or [`Fetch::failed`] (`outcome`). It walks down from what is asked
//! for (`walk`), asks peers where they hold what is missing, and fetches ranges of their packs (`plan`), from several
//! peers at once (`share`). What one peer does not hold another is asked for. A peer that lies is dropped, one that stalls twice too.
//! Everything that has arrived counts when the fetch is begun again.

mod outcome;
mod plan;
mod share;
mod walk;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::ops::Range;

use bytes::Bytes;

use crate::core::identity::Author;
use crate::core::name::{Kind, Name};
use crate::error::Result;
use crate::limits;
use plan::{Backlog, Batch};
use walk::Walk;

/// What a fetch needs of the store.
pub trait Shelf {
    /// Whether an object is held.
    fn has(&self, name: &Name) -> Result<bool>;
    /// Whether everything below it is held too.
    fn is_complete(&self, name: &Name) -> Result<bool>;
    /// A held object.
    fn get(&self, kind: Kind, name: &Name) -> Result<Bytes>;
    /// Keeps an object in its stored form; [`crate::error::Kind::Denied`] when the bytes are not that object.
    fn put_stored(&self, kind: Kind, name: &Name, stored: &[u8], raw: usize) -> Result<()>;
    /// Makes durable what was put, and notes that everything below these objects is held.
    fn mark_complete(&self, names: &[Name]) -> Result<()>;
}

/// Something for the driver to do. The job's number comes back with the outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Ask a peer where it holds these.
    Locate {
        /// The job.
        job: u64,
        /// Whom.
        peer: Author,
        /// At most [`limits::FETCH_LOCATE`] names.
        names: Vec<Name>,
    },
    /// Get ranges of a pack from a peer.
    Get {
        /// The job.
        job: u64,
        /// From whom.
        peer: Author,
        /// The pack: an iroh-blobs hash.
        pack: [u8; 32],
        /// In order, without overlap, in bytes. Empty when only empty objects are wanted.
        ranges: Vec<Range<u64>>,
    },
}

/// How an action failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The peer does not serve that pack, or not any more.
    NotHeld,
    /// The peer answered something that can't be.
    Lied,
    /// The peer refuses.
    Refused,
    /// The peer fell silent.
    Stalled,
    /// The connection was lost.
    Lost,
}

/// How far a fetch is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Objects that arrived.
    pub objects: u64,
    /// Bytes on the wire for them, questions and proofs included.
    pub bytes: u64,
    /// Bytes of objects that peers hold and that are still to come, as far as it is known.
    pub ahead: u64,
}

/// See the module.
pub struct Fetch {
    walk: Walk,
    /// Wanted, and with no peer.
    wants: VecDeque<Name>,
    /// Which sessions of peers were asked in vain. A peer that comes back is another session: it may hold more by then.
    tried: HashMap<Name, Vec<u32>>,
    /// How often an object was not at the place where a peer said it is.
    missed: HashMap<Name, u8>,
    peers: BTreeMap<Author, Peer>,
    liars: BTreeSet<Author>,
    jobs: HashMap<u64, Job>,
    next_job: u64,
    next_session: u32,
    in_flight: u64,
    undurable: u64,
    progress: Progress,
}

#[derive(Default)]
struct Peer {
    session: u32,
    locating: bool,
    backlog: Backlog,
    gets: usize,
    /// How often it fell silent.
    stalls: u8,
    /// How often in a row it did not hold what it said it does.
    misses: u8,
}

enum Job {
    Locate { peer: Author, session: u32, names: Vec<Name> },
    Get { peer: Author, session: u32, batch: Batch },
}

impl Fetch {
    /// A fetch of these objects and all below them; `shallow` leaves out the chunks of contents.
    pub fn new(goals: &[(Kind, Name)], shallow: bool) -> Fetch {
        Fetch {
            walk: Walk::new(goals, shallow),
            wants: VecDeque::new(),
            tried: HashMap::new(),
            missed: HashMap::new(),
            peers: BTreeMap::new(),
            liars: BTreeSet::new(),
            jobs: HashMap::new(),
            next_job: 0,
            next_session: 0,
            in_flight: 0,
            undurable: 0,
            progress: Progress::default(),
        }
    }

    /// A peer can be asked. One that lied in this fetch is not asked again.
    pub fn peer_came(&mut self, peer: Author) {
        if self.liars.contains(&peer) || self.peers.contains_key(&peer) {
            return;
        }
        self.next_session += 1;
        self.peers.insert(peer, Peer { session: self.next_session, ..Peer::default() });
    }

    /// A peer can't be asked any more.
    pub fn peer_left(&mut self, peer: &Author) {
        if let Some(mut left) = self.peers.remove(peer) {
            self.wants.extend(left.backlog.take(true));
        }
    }

    /// What to do now. Nothing to do and [`Fetch::is_idle`] without [`Fetch::is_done`]: no peer has the rest.
    pub fn advance(&mut self, shelf: &dyn Shelf) -> Result<Vec<Action>> {
        self.walk.descend(shelf, &mut self.wants)?;
        self.settle(shelf, false)?;
        let mut actions = Vec::new();
        self.locate(&mut actions);
        self.get(&mut actions);
        if actions.is_empty() && self.jobs.is_empty() {
            self.settle(shelf, true)?;
        }
        Ok(actions)
    }

    /// Whether everything is held, durable and noted. True only after an [`Fetch::advance`] without actions.
    pub fn is_done(&self) -> bool {
        self.walk.is_done() && self.jobs.is_empty()
    }

    /// Whether nothing is under way.
    pub fn is_idle(&self) -> bool {
        self.jobs.is_empty()
    }

    /// Gives up on nothing: what no peer had is asked for once more.
    pub fn retry(&mut self) {
        self.tried.clear();
        self.missed.clear();
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        self.progress
    }

    /// How many objects are wanted that no peer is asked for now, and one of them.
    pub fn missing(&self) -> Option<(usize, Kind, Name)> {
        let name = *self.wants.iter().find(|name| self.walk.wanted(name).is_some())?;
        Some((self.wants.len(), self.walk.wanted(&name)?, name))
    }

    /// Makes durable what has arrived, and notes what is complete.
    fn settle(&mut self, shelf: &dyn Shelf, all: bool) -> Result<()> {
        let marks = self.walk.take_marks(all || self.undurable >= limits::FETCH_DURABLE);
        if !marks.is_empty() || self.undurable >= limits::FETCH_DURABLE || (all && self.undurable > 0) {
            shelf.mark_complete(&marks)?;
            self.undurable = 0;
        }
        Ok(())
    }
}
