//! Who is asked for what: the work there is, shared among the peers there are.

use super::{Action, Fetch, Job, Peer};
use crate::core::identity::Author;
use crate::limits;

impl Fetch {
    /// Gives each peer that has little to do names that it was not asked for yet.
    pub(super) fn locate(&mut self, actions: &mut Vec<Action>) {
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
    pub(super) fn get(&mut self, actions: &mut Vec<Action>) {
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
}
