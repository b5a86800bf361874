//! What became of an action: what arrived is kept, what did not is wanted again, and the peer is judged.

use std::collections::BTreeMap;

use super::plan::{self, Piece};
use super::{Failure, Fetch, Job, Peer, Shelf};
use crate::core::identity::Author;
use crate::core::name::Name;
use crate::error::{self, Result};
use crate::sync::message::Location;

/// A peer that stalls so often is dropped.
const STALLS: u8 = 2;
/// A peer that brings nothing of what it said it holds, so often in a row, is dropped.
const MISSES: u8 = 16;

impl Fetch {
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
