//! The network: one libp2p swarm that finds peers, gossips, answers questions and transfers ranges of packs.
//!
//! It knows nothing of pods. What a node is asked, whom it admits and what it serves, the app says through [`Backend`].
//! - [`Net::ask`] and [`Backend::answer`]: one question, one answer, as bounded bytes (`control`).
//! - [`Net::publish`] and [`Backend::hear`]: gossip to the whole team; a hint that may be lost (`gossip`).
//! - [`Net::get`] and [`Backend::pack`]: ranges of packs by the iroh-blobs protocol, verified on arrival (`blobs`).
//!
//! Admission is at the peer's key, by [`Backend::standing`], before anything is sent: a member gets all of it, a stranger
//! may ask small questions for a short while, and a removed member is disconnected.

mod blobs;
mod cache;
mod control;
mod gossip;
mod identity;
mod members;
mod peers;
mod stream;
mod swarm;

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use libp2p::core::transport::ListenerId;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::AbortHandle;

pub use self::blobs::{GetFailure, Got, Run};
pub use self::identity::{author_of, peer_of};
pub use self::peers::Peer;
use self::peers::{Book, Due};
use self::swarm::{Command, Loop, Shared};
use crate::core::identity::{Author, Secret};
use crate::error::{Context, Error, Result};

/// An address in libp2p's notation: `/ip4/192.0.2.7/tcp/4001`, perhaps with `/p2p/ID` at the end.
pub use libp2p::Multiaddr;

/// What a peer is to this node's team.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// In the team, whatever its role.
    Member,
    /// Never heard of.
    Stranger,
    /// Was in the team and is no more.
    Removed,
}

/// What becomes of a gossiped message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is good: others shall have it too.
    PassOn,
    /// It is of no use to this node, and no one's fault.
    Ignore,
    /// It is malformed or forged: the peer that sent it loses standing.
    Reject,
}

/// What the network needs from the node around it.
pub trait Backend: Send + Sync + 'static {
    /// What a peer is. Asked for each connection and stream, on the event loop: it must be quick and never block.
    fn standing(&self, peer: &Author) -> Standing;

    /// Answers a question. May block. An error's message, not its causes, is shown to the peer. A question whose answer
    /// was lost may be asked again.
    fn answer(&self, from: &Author, question: &[u8]) -> Result<Vec<u8>>;

    /// Judges, and takes in, a gossiped message that a member passed on. May block.
    fn hear(&self, from: &Author, message: &[u8]) -> Verdict;

    /// The file of the pack with this BLAKE3 hash, if members may have all that is in it. May block.
    fn pack(&self, hash: &[u8; 32]) -> Option<PathBuf>;

    /// A member has connected. Called on the event loop: it must not block.
    fn connected(&self, peer: Author);
}

/// How a network starts.
pub struct Config {
    /// The node's key.
    pub secret: Secret,
    /// Where to listen. Port 0 picks a free one. None: dial only.
    pub listen: Vec<Multiaddr>,
    /// Whether to look for teammates on the LAN, which tells the LAN one's peer id.
    pub mdns: bool,
    /// Addresses to stay connected to, whoever answers there.
    pub fixed: Vec<Multiaddr>,
    /// Teammates to stay connected to, and where they were last reached.
    pub known: Vec<(Author, Vec<Multiaddr>)>,
    /// A folder for the transfer cache. What is in it may be wiped.
    pub cache: PathBuf,
    /// The id of the team whose gossip to follow.
    pub team: Option<Vec<u8>>,
}

/// A running network. Cheap to clone; [`Net::stop`] ends it for all clones.
#[derive(Clone)]
pub struct Net {
    inner: Arc<Inner>,
}

struct Inner {
    me: Author,
    shared: Arc<Shared>,
    commands: mpsc::Sender<Command>,
    streams: libp2p_stream::Control,
    cache: Arc<cache::Cache>,
    servers: Mutex<Vec<AbortHandle>>,
}

impl Net {
    /// Starts the network, and returns when it listens.
    pub async fn start(config: Config, backend: Arc<dyn Backend>) -> Result<Net> {
        let swarm = swarm::build(&config, &backend)?;
        let cache = Arc::new(cache::Cache::open(&config.cache).await?);
        let mut streams = swarm.behaviour().stream.new_control();
        let taken = |_| Error::failed("a protocol is registered twice");
        let asked = streams.accept(control::PROTOCOL).map_err(taken)?;
        let fetched = streams.accept(blobs::PROTOCOL).map_err(taken)?;

        let (commands, receiver) = mpsc::channel(256);
        let mut book = Book::default();
        config.fixed.iter().for_each(|address| book.fix(address.clone()));
        for (author, addresses) in &config.known {
            book.keep(peer_of(author)?, addresses.iter().cloned());
        }
        let shared = Arc::new(Shared {
            book: Mutex::new(book),
            listening: watch::Sender::new(Vec::new()),
            changes: watch::Sender::new(0),
        });
        let run = Loop {
            backend: backend.clone(),
            shared: shared.clone(),
            commands: receiver,
            sender: commands.downgrade(),
            leaving: HashMap::new(),
            strangers: HashMap::new(),
            topic: None,
            swarm,
        };
        let servers = vec![
            tokio::spawn(control::serve(asked, backend.clone())).abort_handle(),
            tokio::spawn(blobs::serve(fetched, backend, cache.clone())).abort_handle(),
        ];
        tokio::spawn(run.run());
        let servers = Mutex::new(servers);
        let net =
            Net { inner: Arc::new(Inner { me: config.secret.author(), shared, commands, streams, cache, servers }) };
        if let Some(team) = config.team {
            net.follow(&team).await;
        }
        net.listens(config.listen.len()).await?;
        Ok(net)
    }

    /// Waits until each listener has at least one address.
    async fn listens(&self, listeners: usize) -> Result<()> {
        let mut listening = self.inner.shared.listening.subscribe();
        let ready = |addresses: &[(ListenerId, Multiaddr)]| addresses.iter().map(|(id, _)| *id).collect::<HashSet<_>>();
        let enough = listening.wait_for(|addresses| ready(addresses).len() >= listeners);
        tokio::time::timeout(Duration::from_secs(5), enough)
            .await
            .map(drop)
            .map_err(|_| Error::failed("the network does not listen on the addresses it was given"))
    }

    /// Ends every connection and closes the cache.
    pub async fn stop(&self) {
        let (done, ended) = oneshot::channel();
        if self.inner.commands.send(Command::Stop(done)).await.is_ok() {
            let _ = ended.await;
        }
        let servers = self.inner.servers.lock().map(|mut servers| std::mem::take(&mut *servers)).unwrap_or_default();
        servers.iter().for_each(AbortHandle::abort);
        self.inner.cache.close().await;
    }

    /// This node's key.
    pub fn me(&self) -> Author {
        self.inner.me
    }

    /// Where this node listens now.
    pub fn listening(&self) -> Vec<Multiaddr> {
        self.inner.shared.listening.borrow().iter().map(|(_, address)| address.clone()).collect()
    }

    /// Every peer known, connected or not.
    pub fn peers(&self) -> Vec<Peer> {
        self.inner.shared.book().list()
    }

    /// The members that are connected.
    pub fn members(&self) -> Vec<Author> {
        let member = |peer: &Peer| peer.connected && peer.standing == Standing::Member;
        self.peers().into_iter().filter(member).map(|peer| peer.author).collect()
    }

    /// Whether a teammate refuses this node's connections, and none welcomes one.
    pub fn is_refused(&self) -> bool {
        let peers = self.peers();
        let member = |peer: &&Peer| peer.standing == Standing::Member;
        let mut members = peers.iter().filter(member);
        members.clone().all(|peer| !peer.connected || peer.refuses) && members.any(|peer| peer.refuses)
    }

    /// Changes whenever a peer comes or goes.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.inner.shared.changes.subscribe()
    }

    /// Connects to a peer, at these addresses or where else it is known to be.
    pub async fn connect(&self, peer: &Author, addresses: &[Multiaddr], within: Duration) -> Result<()> {
        let id = peer_of(peer)?;
        let mut changes = self.changes();
        let connected = async {
            let mut next = tokio::time::interval(Duration::from_secs(1));
            while !self.inner.shared.book().is_connected(&id) {
                tokio::select! {
                    _ = next.tick() => {
                        self.inner.shared.book().learn(id, addresses.iter().cloned());
                        let addresses = self.inner.shared.book().addresses(&id);
                        self.send(Command::Dial(Due { peer: Some(id), addresses })).await?;
                    }
                    changed = changes.changed() => changed.map_err(|_| swarm::stopped())?,
                }
            }
            Ok(())
        };
        tokio::time::timeout(within, connected).await.unwrap_or_else(|_| {
            Err(Error::unavailable(format!("{} can't be reached", peer.short()))
                .hint("is its node up (`peapod up`), and can this machine reach its address? `peapod up --peer ADDRESS` says where it is"))
        })
    }

    /// Stays connected to a peer from now on.
    pub async fn keep(&self, peer: &Author, addresses: &[Multiaddr]) -> Result<()> {
        self.send(Command::Keep(peer_of(peer)?, addresses.to_vec())).await
    }

    /// Asks a peer that is connected or known, and waits for its answer.
    pub async fn ask(&self, peer: &Author, question: &[u8]) -> Result<Vec<u8>> {
        control::ask(&self.inner.streams, peer_of(peer)?, question)
            .await
            .with_context(|| format!("can't ask {}", peer.short()))
    }

    /// Fetches ranges of the pack with that BLAKE3 hash, in order and without overlap, from a peer.
    pub async fn get(&self, peer: &Author, pack: [u8; 32], ranges: &[Range<u64>]) -> Got {
        match peer_of(peer) {
            Ok(peer) => blobs::get(&self.inner.streams, peer, pack, ranges).await,
            Err(_) => Got { end: Err(GetFailure::Lost), ..Got::default() },
        }
    }

    /// Gossips a message of up to [`crate::limits::GOSSIP`] bytes to the team. It may be lost.
    pub async fn publish(&self, message: Vec<u8>) {
        let _ = self.send(Command::Publish(message)).await;
    }

    /// Follows a team's gossip, and no other team's.
    pub async fn follow(&self, team: &[u8]) {
        let _ = self.send(Command::Follow(team.to_vec())).await;
    }

    /// Says that who is a member may have changed: removed members are dropped, new ones let in.
    pub async fn recheck(&self) {
        let _ = self.send(Command::Recheck).await;
    }

    async fn send(&self, command: Command) -> Result<()> {
        self.inner.commands.send(command).await.map_err(|_| swarm::stopped())
    }
}

/// Reads an address as people write it: libp2p's notation, or `HOST:PORT` for TCP.
pub fn parse_address(text: &str) -> Result<Multiaddr> {
    let wrong = || Error::usage(format!("{text:?} is not an address")).hint("write HOST:PORT or /ip4/HOST/tcp/PORT");
    if text.starts_with('/') {
        return text.parse().map_err(|error: libp2p::multiaddr::Error| wrong().because(error));
    }
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let port: u16 = port.parse().map_err(|_| wrong())?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let address = match host.parse() {
        Ok(std::net::IpAddr::V4(_)) => format!("/ip4/{host}/tcp/{port}"),
        Ok(std::net::IpAddr::V6(_)) => format!("/ip6/{host}/tcp/{port}"),
        Err(_) => format!("/dns/{host}/tcp/{port}"),
    };
    address.parse().map_err(|error: libp2p::multiaddr::Error| wrong().because(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_people_write_them() {
        for (text, address) in [
            ("192.0.2.7:4001", "/ip4/192.0.2.7/tcp/4001"),
            ("[2001:db8::1]:4001", "/ip6/2001:db8::1/tcp/4001"),
            ("box.example:4001", "/dns/box.example/tcp/4001"),
            ("/ip4/192.0.2.7/udp/4001/quic-v1", "/ip4/192.0.2.7/udp/4001/quic-v1"),
        ] {
            assert_eq!(parse_address(text).unwrap().to_string(), address);
        }
        for text in ["", "4001", "a:b", "/nonsense/1", "a/b:1"] {
            assert!(parse_address(text).is_err(), "{text}");
        }
    }
}
