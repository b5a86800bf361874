//! Who is there: the peers a node knows, where they were reached, and when each is to be dialled again.

use std::collections::HashMap;
use std::time::{Duration, Instant, SystemTime};

use libp2p::{Multiaddr, PeerId};

use super::{Standing, identity};
use crate::core::identity::Author;
use crate::limits;

/// The pause before a peer that could not be reached is dialled again; it doubles up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// A peer that closes a connection sooner than this, without a word, refuses it.
const REFUSAL: Duration = Duration::from_secs(5);

/// A peer, as `peapod peers` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Its key.
    pub author: Author,
    /// Whether there is a connection now.
    pub connected: bool,
    /// What the backend said it is when it was last asked.
    pub standing: Standing,
    /// Where it can be dialled, the latest first.
    pub addresses: Vec<Multiaddr>,
    /// When it last gave a sign of life; none if it never has.
    pub heard: Option<SystemTime>,
    /// Whether it closed the last connection to it at once, without a word: so does who takes this node for removed.
    pub refuses: bool,
}

/// The peers of a node.
#[derive(Default)]
pub(super) struct Book {
    peers: HashMap<PeerId, Entry>,
    fixed: Vec<Fixed>,
}

#[derive(Default)]
struct Entry {
    connections: usize,
    standing: Option<Standing>,
    addresses: Vec<Multiaddr>,
    heard: Option<SystemTime>,
    /// Since when a connection that this side made is open without a word from the peer.
    silent: Option<Instant>,
    refuses: bool,
    /// Dial it whenever it is not connected.
    keep: bool,
    redial: Redial,
}

/// An address that is always to be connected, whoever answers there.
struct Fixed {
    address: Multiaddr,
    peer: Option<PeerId>,
    redial: Redial,
}

#[derive(Clone, Copy)]
struct Redial {
    next: Option<Instant>,
    pause: Duration,
}

impl Default for Redial {
    fn default() -> Self {
        Redial { next: None, pause: PAUSE_MIN }
    }
}

impl Redial {
    fn due(&mut self, now: Instant) -> bool {
        if self.next.is_some_and(|next| next > now) {
            return false;
        }
        self.next = Some(now + self.pause);
        self.pause = (self.pause * 2).min(PAUSE_MAX);
        true
    }
}

/// A dial that is due.
pub(super) struct Due {
    pub(super) peer: Option<PeerId>,
    pub(super) addresses: Vec<Multiaddr>,
}

impl Book {
    /// Adds an address that is always to be connected.
    pub(super) fn fix(&mut self, address: Multiaddr) {
        let (address, peer) = split(address);
        if let Some(peer) = peer {
            self.learn(peer, [address.clone()]);
        }
        if self.fixed.iter().all(|fixed| fixed.address != address) {
            self.fixed.push(Fixed { address, peer, redial: Redial::default() });
        }
    }

    /// Marks a peer as one to stay connected to.
    pub(super) fn keep(&mut self, peer: PeerId, addresses: impl IntoIterator<Item = Multiaddr>) {
        self.learn(peer, addresses);
        if let Some(entry) = self.peers.get_mut(&peer) {
            entry.keep = true;
        }
    }

    /// Remembers where a peer may be reached.
    pub(super) fn learn(&mut self, peer: PeerId, addresses: impl IntoIterator<Item = Multiaddr>) {
        if self.peers.len() >= limits::PEERS_KNOWN && !self.peers.contains_key(&peer) {
            self.forget();
        }
        let entry = self.peers.entry(peer).or_default();
        for address in addresses {
            let (address, _) = split(address);
            entry.addresses.retain(|known| *known != address);
            entry.addresses.insert(0, address);
            entry.addresses.truncate(limits::PEER_ADDRESSES);
        }
    }

    /// Makes room: drops one peer that is neither connected nor kept.
    fn forget(&mut self) {
        let spare = self.peers.iter().find(|(_, entry)| entry.connections == 0 && !entry.keep).map(|(peer, _)| *peer);
        if let Some(peer) = spare {
            self.peers.remove(&peer);
        }
    }

    /// Notes a new connection, made to `address` if this side made it; true if it is the first of that peer.
    pub(super) fn connected(&mut self, peer: PeerId, address: Option<Multiaddr>, standing: Standing) -> bool {
        if let Some(address) = &address {
            let (plain, _) = split(address.clone());
            for fixed in self.fixed.iter_mut().filter(|fixed| fixed.address == plain) {
                fixed.peer = Some(peer);
                fixed.redial = Redial::default();
            }
        }
        let dialled = address.is_some();
        self.learn(peer, address);
        let Some(entry) = self.peers.get_mut(&peer) else { return false };
        entry.connections += 1;
        entry.standing = Some(standing);
        entry.keep |= standing == Standing::Member;
        entry.redial = Redial::default();
        entry.heard = Some(SystemTime::now());
        entry.silent = dialled.then(Instant::now);
        entry.connections == 1
    }

    /// Notes that a connection ended; `by_peer` where this side did not close it.
    pub(super) fn disconnected(&mut self, peer: &PeerId, by_peer: bool) {
        if let Some(entry) = self.peers.get_mut(peer) {
            entry.connections = entry.connections.saturating_sub(1);
            if by_peer && entry.connections == 0 {
                entry.refuses = entry.silent.is_some_and(|since| since.elapsed() < REFUSAL);
            }
            // The other side may be restarting: give it a moment.
            entry.redial = Redial { next: Some(Instant::now() + PAUSE_MIN), pause: PAUSE_MIN };
        }
    }

    /// Notes a sign of life.
    pub(super) fn heard(&mut self, peer: &PeerId) {
        if let Some(entry) = self.peers.get_mut(peer) {
            entry.heard = Some(SystemTime::now());
            entry.silent = None;
            entry.refuses = false;
        }
    }

    /// Notes what a peer is now; false if it was something else before.
    pub(super) fn stands(&mut self, peer: &PeerId, standing: Standing) -> bool {
        let Some(entry) = self.peers.get_mut(peer) else { return true };
        if standing != Standing::Member {
            entry.keep = false;
        }
        let same = entry.standing.is_none_or(|before| before == standing);
        entry.standing = Some(standing);
        same
    }

    pub(super) fn is_connected(&self, peer: &PeerId) -> bool {
        self.peers.get(peer).is_some_and(|entry| entry.connections > 0)
    }

    /// Where a peer may be reached.
    pub(super) fn addresses(&self, peer: &PeerId) -> Vec<Multiaddr> {
        self.peers.get(peer).map(|entry| entry.addresses.clone()).unwrap_or_default()
    }

    /// The peers and addresses that are to be dialled now; each comes back later and later while it fails.
    pub(super) fn due(&mut self, now: Instant) -> Vec<Due> {
        let mut due = Vec::new();
        for (peer, entry) in &mut self.peers {
            if entry.keep && entry.connections == 0 && !entry.addresses.is_empty() && entry.redial.due(now) {
                due.push(Due { peer: Some(*peer), addresses: entry.addresses.clone() });
            }
        }
        for fixed in &mut self.fixed {
            let connected =
                fixed.peer.and_then(|peer| self.peers.get(&peer)).is_some_and(|entry| entry.connections > 0);
            if !connected && fixed.redial.due(now) {
                due.push(Due { peer: fixed.peer, addresses: vec![fixed.address.clone()] });
            }
        }
        due
    }

    /// Every peer known, by key.
    pub(super) fn list(&self) -> Vec<Peer> {
        let peer = |(peer, entry): (&PeerId, &Entry)| {
            Some(Peer {
                author: identity::author_of(peer)?,
                connected: entry.connections > 0,
                standing: entry.standing.unwrap_or(Standing::Stranger),
                addresses: entry.addresses.clone(),
                heard: entry.heard,
                refuses: entry.refuses,
            })
        };
        let mut peers: Vec<Peer> = self.peers.iter().filter_map(peer).collect();
        peers.sort_by_key(|peer| peer.author);
        peers
    }

    /// The peers that are connected.
    pub(super) fn open(&self) -> Vec<PeerId> {
        self.peers.iter().filter(|(_, entry)| entry.connections > 0).map(|(peer, _)| *peer).collect()
    }
}

/// An address without its last `/p2p/` part, and the peer named there.
pub(super) fn split(mut address: Multiaddr) -> (Multiaddr, Option<PeerId>) {
    match address.pop() {
        Some(libp2p::multiaddr::Protocol::P2p(peer)) => (address, Some(peer)),
        Some(other) => (address.with(other), None),
        None => (address, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_that_is_away_is_dialled_less_and_less_often() {
        let mut book = Book::default();
        book.fix("/ip4/127.0.0.1/tcp/1".parse().unwrap());
        let start = Instant::now();
        let dials: Vec<u64> =
            (0..300).filter(|second| !book.due(start + Duration::from_secs(*second)).is_empty()).collect();
        assert_eq!(dials, [0, 1, 3, 7, 15, 31, 63, 123, 183, 243]);
    }

    #[test]
    fn a_connected_fixed_peer_is_not_dialled() {
        let mut book = Book::default();
        let address: Multiaddr = "/ip4/127.0.0.1/tcp/1".parse().unwrap();
        book.fix(address.clone());
        let peer = PeerId::random();
        assert!(book.connected(peer, Some(address), Standing::Member));
        assert!(book.due(Instant::now()).is_empty());
        book.disconnected(&peer, true);
        assert_eq!(book.due(Instant::now() + Duration::from_secs(2)).len(), 2);
    }

    #[test]
    fn a_peer_that_closes_at_once_without_a_word_refuses() {
        let author = crate::core::identity::Secret::from_seed(&[1; 32]).author();
        let (mut book, peer) = (Book::default(), identity::peer_of(&author).unwrap());
        let refuses = |book: &Book| book.list().iter().any(|peer| peer.refuses);
        let address: Option<Multiaddr> = Some("/ip4/127.0.0.1/tcp/1".parse().unwrap());
        book.connected(peer, address.clone(), Standing::Member);
        book.disconnected(&peer, false);
        assert!(!refuses(&book), "this side closed it");
        book.connected(peer, None, Standing::Member);
        book.disconnected(&peer, true);
        assert!(!refuses(&book), "it came and left again");
        book.connected(peer, address.clone(), Standing::Member);
        book.disconnected(&peer, true);
        assert!(refuses(&book));
        book.connected(peer, address, Standing::Member);
        book.heard(&peer);
        assert!(!refuses(&book));
        book.disconnected(&peer, true);
        assert!(!refuses(&book), "it was welcome and then left");
    }

    #[test]
    fn a_flood_of_addresses_stays_bounded() {
        let mut book = Book::default();
        let peer = PeerId::random();
        for port in 1..100u16 {
            book.learn(peer, [format!("/ip4/127.0.0.1/tcp/{port}").parse().unwrap()]);
        }
        assert_eq!(book.addresses(&peer).len(), limits::PEER_ADDRESSES);
        for _ in 0..limits::PEERS_KNOWN + 10 {
            book.learn(PeerId::random(), []);
        }
        assert!(book.peers.len() <= limits::PEERS_KNOWN);
    }
}
