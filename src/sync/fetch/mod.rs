//! The fetch: from a name to everything below it, held and verified, whatever the peers do.
//!
//! A state machine without I/O. [`Fetch::advance`] says what to do next ([`Action`]); the driver does it and tells the
//! outcome by [`Fetch::located`], [`Fetch::received`] or [`Fetch::failed`]. It walks down from what is asked for
//! (`walk`), asks peers where they hold what is missing, and fetches ranges of their packs (`plan`), from several peers
//! at once. What one peer does not hold another is asked for. A peer that lies is dropped, one that stalls twice too.
//! Everything that has arrived counts when the fetch is begun again.

mod plan;
mod walk;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::ops::Range;

use bytes::Bytes;

use crate::core::identity::Author;
use crate::core::name::{Kind, Name};
use crate::error::{self, Result};
use crate::limits;
use crate::sync::message::Location;
use plan::{Backlog, Batch, Piece};
use walk::Walk;

/// What a fetch needs of the store.
pub trait Shelf {
    /// Whether an object is held.
    fn has(&self, name: &Name) -> Result<bool>;
    /// Whether everything below it is held too.
    fn is_complete(&self, name: &Name) -> Result<bool>;
    /// A held object.
    fn get(&self, kind: Kind, name: &Name) -> Result<Bytes>;
    /// Keeps an object in its stored form; [`error::Kind::Denied`] when the bytes are not that object.
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

/// A peer that stalls so often is dropped.
const STALLS: u8 = 2;
/// A peer that brings nothing of what it said it holds, so often in a row, is dropped.
const MISSES: u8 = 16;

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

    /// A peer's answer to [`Action::Locate`], and the bytes that question and answer took.
    pub fn located(&mut self, job: u64, answers: &[Option<Location>], wire: u64) {
        self.progress.bytes += wire;
        let Some(Job::Locate { peer: author, session, names }) = self.jobs.remove(&job) else { return };
        let Some(peer) = self.peers.get_mut(&author).filter(|peer| peer.session == session) else {
            return self.wants.extend(names);
        };
        peer.locating = false;
        let possible = |(name, answer): (&Name, &Option<Location>)| match (answer, self.walk.wanted(name)) {
            (Some(location), Some(kind)) => plan::plausible(kind, location),
            _ => true,
        };
        if answers.len() != names.len() || !names.iter().zip(answers).all(possible) {
            self.wants.extend(names);
            return self.drop_peer(&author, true);
        }
        for (name, answer) in names.into_iter().zip(answers) {
            match (answer, self.walk.wanted(&name)) {
                (Some(location), Some(kind)) => {
                    peer.backlog.add(kind, name, location);
                    self.progress.ahead += u64::from(location.stored_len);
                }
                (None, Some(_)) => {
                    self.tried.entry(name).or_default().push(session);
                    self.wants.push_back(name);
                }
                (_, None) => {}
            }
        }
    }

    /// What [`Action::Get`] brought: bytes by their offset in the pack, the bytes it took, and how it ended. What
    /// arrived before a failure counts.
    pub fn received<'a>(
        &mut self,
        shelf: &dyn Shelf,
        job: u64,
        runs: impl IntoIterator<Item = (u64, &'a [u8])>,
        wire: u64,
        end: Result<(), Failure>,
    ) -> Result<()> {
        self.progress.bytes += wire;
        let Some((author, session, pieces)) = self.end_get(job) else { return Ok(()) };
        let runs: BTreeMap<u64, &[u8]> = runs.into_iter().collect();
        let mut rest = Vec::new();
        let mut lied = false;
        for piece in pieces {
            if lied || self.walk.wanted(&piece.name).is_none() {
                rest.push(piece.name);
                continue;
            }
            match keep(shelf, &runs, &piece)? {
                Kept::Yes => {
                    self.progress.objects += 1;
                    self.undurable += piece.stored;
                    self.tried.remove(&piece.name);
                    self.missed.remove(&piece.name);
                    if let Some(peer) = self.peers.get_mut(&author) {
                        peer.misses = 0;
                    }
                    self.walk.arrived(shelf, &piece.name)?;
                }
                Kept::NotThere => rest.push(piece.name),
                Kept::Wrong => {
                    lied = true;
                    rest.push(piece.name);
                }
            }
        }
        match end {
            _ if lied => self.fail(&author, session, rest, Failure::Lied),
            Err(failure) => self.fail(&author, session, rest, failure),
            Ok(()) if rest.iter().any(|name| self.walk.wanted(name).is_some()) => {
                self.fail(&author, session, rest, Failure::Lied);
            }
            Ok(()) => {}
        }
        Ok(())
    }

    /// An action came to nothing.
    pub fn failed(&mut self, job: u64, failure: Failure) {
        if let Some((author, session, pieces)) = self.end_get(job) {
            let names = pieces.iter().map(|piece| piece.name).collect();
            self.fail(&author, session, names, failure);
        } else if let Some(Job::Locate { peer, session, names }) = self.jobs.remove(&job) {
            self.fail(&peer, session, names, failure);
        }
    }

    /// Takes back what a peer did not bring, and judges the peer.
    fn fail(&mut self, author: &Author, session: u32, names: Vec<Name>, failure: Failure) {
        let first = names.iter().find(|name| self.walk.wanted(name).is_some()).copied();
        self.wants.extend(names);
        if matches!(failure, Failure::Lied | Failure::Refused) {
            return self.drop_peer(author, true);
        }
        let Some(peer) = self.peers.get_mut(author).filter(|peer| peer.session == session) else { return };
        // A new session: what it said before is old, and what comes of it is not held against it.
        self.wants.extend(peer.backlog.take(true));
        self.next_session += 1;
        *peer = Peer { session: self.next_session, stalls: peer.stalls, misses: peer.misses, ..Peer::default() };
        match failure {
            // A transfer stops at the first piece that does not read. It may have moved: the peer is asked once more
            // where it is, and then others are.
            Failure::NotHeld => {
                peer.misses += 1;
                if let Some(name) = first {
                    let missed = self.missed.entry(name).or_default();
                    *missed += 1;
                    if *missed > 1 {
                        self.tried.entry(name).or_default().push(self.next_session);
                    }
                }
                if peer.misses >= MISSES {
                    self.drop_peer(author, false);
                }
            }
            Failure::Stalled => {
                peer.stalls += 1;
                if peer.stalls >= STALLS {
                    self.drop_peer(author, false);
                }
            }
            _ => self.drop_peer(author, false),
        }
    }

    /// Ends a job that is a get, and no other.
    fn end_get(&mut self, job: u64) -> Option<(Author, u32, Vec<Piece>)> {
        if !matches!(self.jobs.get(&job), Some(Job::Get { .. })) {
            return None;
        }
        let Some(Job::Get { peer: author, session, batch }) = self.jobs.remove(&job) else { return None };
        self.in_flight = self.in_flight.saturating_sub(batch.bytes);
        let stored: u64 = batch.pieces.iter().map(|piece| piece.stored).sum();
        self.progress.ahead = self.progress.ahead.saturating_sub(stored);
        if let Some(peer) = self.peers.get_mut(&author).filter(|peer| peer.session == session) {
            peer.gets = peer.gets.saturating_sub(1);
        }
        Some((author, session, batch.pieces))
    }

    fn drop_peer(&mut self, author: &Author, for_good: bool) {
        self.peer_left(author);
        if for_good {
            self.liars.insert(*author);
        }
    }

    /// Gives each peer that has little to do names that it was not asked for yet.
    fn locate(&mut self, actions: &mut Vec<Action>) {
        let share = (self.wants.len() / self.peers.len().max(1)).clamp(64, limits::FETCH_LOCATE);
        let authors: Vec<Author> = self.peers.keys().copied().collect();
        for author in authors {
            if self.wants.is_empty() {
                self.steal(&author);
            }
            let Some(peer) = self.peers.get_mut(&author) else { continue };
            if peer.locating || peer.backlog.len() > limits::FETCH_LOCATE / 2 {
                continue;
            }
            let mut names = Vec::new();
            for _ in 0..self.wants.len() {
                let Some(name) = self.wants.pop_front() else { break };
                if self.walk.wanted(&name).is_none() {
                    continue;
                }
                let asked = self.tried.get(&name).is_some_and(|sessions| sessions.contains(&peer.session));
                if asked || names.len() >= share {
                    self.wants.push_back(name);
                } else {
                    names.push(name);
                }
            }
            if names.is_empty() {
                continue;
            }
            peer.locating = true;
            self.next_job += 1;
            let job = self.next_job;
            actions.push(Action::Locate { job, peer: author, names: names.clone() });
            self.jobs.insert(job, Job::Locate { peer: author, session: peer.session, names });
        }
    }

    /// When one peer is idle and another has much left to give, the idle one is asked for half of that.
    fn steal(&mut self, idle: &Author) {
        let free = |peer: &Peer| !peer.locating && peer.gets == 0 && peer.backlog.len() == 0;
        if !self.peers.get(idle).is_some_and(free) {
            return;
        }
        let busiest = self.peers.values_mut().max_by_key(|peer| peer.backlog.len());
        if let Some(busiest) = busiest.filter(|peer| peer.backlog.len() > 1) {
            self.wants.extend(busiest.backlog.take(false));
        }
    }

    /// Asks each peer for ranges, as far as there is room.
    fn get(&mut self, actions: &mut Vec<Action>) {
        let mut asked = true;
        while asked {
            asked = false;
            for (author, peer) in &mut self.peers {
                let room = limits::FETCH_IN_FLIGHT.saturating_sub(self.in_flight).min(limits::FETCH_REQUEST);
                if peer.gets >= limits::FETCH_REQUESTS || (room < limits::FETCH_REQUEST && self.in_flight > 0) {
                    continue;
                }
                let Some(batch) = peer.backlog.next(room) else { continue };
                peer.gets += 1;
                self.in_flight += batch.bytes;
                self.next_job += 1;
                let (job, pack, ranges) = (self.next_job, batch.pack, batch.ranges.clone());
                actions.push(Action::Get { job, peer: *author, pack, ranges });
                self.jobs.insert(job, Job::Get { peer: *author, session: peer.session, batch });
                asked = true;
            }
        }
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

enum Kept {
    Yes,
    NotThere,
    Wrong,
}

/// Puts the bytes of a piece into the store, if they arrived and are the object.
fn keep(shelf: &dyn Shelf, runs: &BTreeMap<u64, &[u8]>, piece: &Piece) -> Result<Kept> {
    let bytes = match runs.range(..=piece.offset).next_back() {
        _ if piece.stored == 0 => Some(&[][..]),
        Some((start, run)) => {
            let from = usize::try_from(piece.offset - start).unwrap_or(usize::MAX);
            from.checked_add(piece.stored as usize).and_then(|end| run.get(from..end))
        }
        None => None,
    };
    let Some(bytes) = bytes else { return Ok(Kept::NotThere) };
    match shelf.put_stored(piece.kind, &piece.name, bytes, piece.raw) {
        Ok(()) => Ok(Kept::Yes),
        Err(error) if error.kind() == error::Kind::Denied => Ok(Kept::Wrong),
        Err(error) => Err(error),
    }
}
