//! The event loop: one libp2p swarm and the commands that reach it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::StreamExt;
use libp2p::connection_limits::{self, ConnectionLimits};
use libp2p::core::transport::ListenerId;
use libp2p::gossipsub::{self, IdentTopic, MessageAcceptance, MessageId};
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{ConnectionId, NetworkBehaviour, SwarmEvent};
use libp2p::{Multiaddr, PeerId, Swarm, SwarmBuilder, identify, mdns, noise, ping, tcp, yamux};
use tokio::sync::{mpsc, oneshot, watch};

use super::members::Members;
use super::peers::{Book, Due};
use super::{Backend, Config, Standing, Verdict, gossip, identity};
use crate::error::{Context, Error, Result};
use crate::limits;

/// How often due dials are looked for and overdue strangers shown out.
const TICK: Duration = Duration::from_millis(500);
/// How long a stranger that has just become a member keeps its connection, so that the answer that says so arrives.
const GRACE: Duration = Duration::from_millis(500);

/// What a node does on the network. `gossip` also is the gate: it refuses the connections of removed members.
#[derive(NetworkBehaviour)]
pub(super) struct Behaviour {
    limits: connection_limits::Behaviour,
    gossip: Members<gossipsub::Behaviour>,
    pub(super) stream: libp2p_stream::Behaviour,
    identify: identify::Behaviour,
    ping: ping::Behaviour,
    mdns: Toggle<mdns::tokio::Behaviour>,
}

/// What the loop is asked to do.
pub(super) enum Command {
    /// Dial a peer, or whoever is at these addresses, now.
    Dial(Due),
    /// Stay connected to a peer.
    Keep(PeerId, Vec<Multiaddr>),
    /// Gossip a message.
    Publish(Vec<u8>),
    /// Listen to a team's gossip, and to no other.
    Follow(Vec<u8>),
    /// The outcome of [`Backend::hear`].
    Heard(MessageId, PeerId, Verdict),
    /// Who is a member may have changed.
    Recheck,
    /// End all connections.
    Stop(oneshot::Sender<()>),
}

/// The part of a running network that the loop shares with the handle.
pub(super) struct Shared {
    pub(super) book: Mutex<Book>,
    /// By listener: one on every interface has several addresses.
    pub(super) listening: watch::Sender<Vec<(ListenerId, Multiaddr)>>,
    /// Counts up whenever a peer comes or goes.
    pub(super) changes: watch::Sender<u64>,
}

impl Shared {
    pub(super) fn book(&self) -> std::sync::MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Builds the swarm and starts to listen.
pub(super) fn build(config: &Config, backend: &Arc<dyn Backend>) -> Result<Swarm<Behaviour>> {
    let keypair = identity::keypair(&config.secret)?;
    let peer = keypair.public().to_peer_id();
    // A machine without multicast still has addresses to dial.
    let mdns = config.mdns.then(|| mdns::tokio::Behaviour::new(mdns::Config::default(), peer)).and_then(|started| {
        started.inspect_err(|error| tracing::warn!(%error, "teammates on the LAN are not looked for")).ok()
    });
    let bounds = ConnectionLimits::default()
        .with_max_pending_incoming(Some(limits::CONNECTIONS / 4))
        .with_max_established(Some(limits::CONNECTIONS))
        .with_max_established_per_peer(Some(4));
    let about = identify::Config::new("/peapod/1".into(), keypair.public())
        .with_agent_version(concat!("peapod/", env!("CARGO_PKG_VERSION")).into());
    let behaviour = Behaviour {
        limits: connection_limits::Behaviour::new(bounds),
        gossip: Members::new(gossip::behaviour()?, backend.clone()),
        stream: libp2p_stream::Behaviour::new(),
        identify: identify::Behaviour::new(about),
        ping: ping::Behaviour::new(ping::Config::new()),
        mdns: mdns.into(),
    };
    let mut swarm = SwarmBuilder::with_existing_identity(keypair)
        .with_tokio()
        .with_tcp(tcp::Config::default().nodelay(true), noise::Config::new, yamux::Config::default)
        .context("can't set up TCP")?
        .with_quic()
        .with_dns()
        .context("can't set up name resolution")?
        .with_behaviour(move |_| behaviour)
        .context("can't set up the network")?
        // Members stay connected however quiet they are; a dead connection fails its pings.
        .with_swarm_config(|swarm| swarm.with_idle_connection_timeout(Duration::from_secs(24 * 3600)))
        .build();
    for address in &config.listen {
        swarm.listen_on(address.clone()).with_context(|| format!("can't listen on {address}"))?;
    }
    Ok(swarm)
}

/// Drives the swarm until it is told to stop.
pub(super) struct Loop {
    pub(super) swarm: Swarm<Behaviour>,
    pub(super) backend: Arc<dyn Backend>,
    pub(super) shared: Arc<Shared>,
    pub(super) commands: mpsc::Receiver<Command>,
    /// For the tasks that the loop starts; weak, so that the loop ends with the last handle.
    pub(super) sender: mpsc::WeakSender<Command>,
    /// Connections that are to be closed, and when: strangers' and those whose standing has changed.
    pub(super) leaving: HashMap<ConnectionId, Instant>,
    /// Connections that were made while the peer was a stranger.
    pub(super) strangers: HashMap<ConnectionId, PeerId>,
    pub(super) topic: Option<IdentTopic>,
}

impl Loop {
    pub(super) async fn run(mut self) {
        let mut tick = tokio::time::interval(TICK);
        loop {
            tokio::select! {
                event = self.swarm.select_next_some() => self.event(event),
                command = self.commands.recv() => match command {
                    Some(Command::Stop(done)) => {
                        self.stop().await;
                        let _ = done.send(());
                        return;
                    }
                    Some(command) => self.command(command),
                    None => return,
                },
                _ = tick.tick() => self.tick(),
            }
        }
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Dial(due) => self.dial(due),
            Command::Keep(peer, addresses) => {
                self.shared.book().keep(peer, addresses);
                self.tick();
            }
            Command::Publish(message) => {
                let Some(topic) = self.topic.clone() else { return };
                if let Err(error) = self.swarm.behaviour_mut().gossip.inner().publish(topic, message) {
                    // No one is listening, or it was said before: peers that come later compare what they know.
                    tracing::debug!(%error, "not gossiped");
                }
            }
            Command::Follow(team) => self.follow(&team),
            Command::Heard(id, source, verdict) => {
                let acceptance = match verdict {
                    Verdict::PassOn => MessageAcceptance::Accept,
                    Verdict::Ignore => MessageAcceptance::Ignore,
                    Verdict::Reject => MessageAcceptance::Reject,
                };
                self.swarm.behaviour_mut().gossip.inner().report_message_validation_result(&id, &source, acceptance);
            }
            Command::Recheck => self.recheck(),
            Command::Stop(_) => {}
        }
    }

    fn follow(&mut self, team: &[u8]) {
        let topic = gossip::topic(team);
        let gossip = self.swarm.behaviour_mut().gossip.inner();
        if let Some(before) = self.topic.take() {
            gossip.unsubscribe(&before);
        }
        match gossip.subscribe(&topic) {
            Ok(_) => self.topic = Some(topic),
            Err(error) => tracing::warn!(%error, "can't follow the team's gossip"),
        }
    }

    /// Connections of who is no longer what it was: removed members leave at once, others come back as what they are.
    fn recheck(&mut self) {
        let open = self.shared.book().open();
        for peer in open {
            let Some(author) = identity::author_of(&peer) else { continue };
            let standing = self.backend.standing(&author);
            let same = self.shared.book().stands(&peer, standing);
            if standing == Standing::Removed || (!same && standing == Standing::Stranger) {
                let _ = self.swarm.disconnect_peer_id(peer);
            } else if standing == Standing::Member {
                let made = self.strangers.iter().filter(|(_, stranger)| **stranger == peer);
                self.leaving.extend(made.map(|(connection, _)| (*connection, Instant::now() + GRACE)));
                let addresses = self.shared.book().addresses(&peer);
                self.shared.book().keep(peer, addresses);
            }
        }
    }

    fn tick(&mut self) {
        let now = Instant::now();
        let overdue: Vec<_> = self.leaving.iter().filter(|(_, at)| **at <= now).map(|(id, _)| *id).collect();
        for connection in overdue {
            self.leaving.remove(&connection);
            self.swarm.close_connection(connection);
        }
        let due = self.shared.book().due(now);
        for due in due {
            self.dial(due);
        }
    }

    fn dial(&mut self, due: Due) {
        let options = match due.peer {
            Some(peer) => DialOpts::peer_id(peer)
                .addresses(due.addresses)
                .condition(PeerCondition::DisconnectedAndNotDialing)
                .build(),
            None => match due.addresses.into_iter().next() {
                Some(address) => DialOpts::unknown_peer_id().address(address).build(),
                None => return,
            },
        };
        if let Err(error) = self.swarm.dial(options) {
            tracing::trace!(%error, "not dialled");
        }
    }

    fn event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::NewListenAddr { listener_id, address } => {
                self.shared.listening.send_modify(|list| list.push((listener_id, address)));
            }
            SwarmEvent::ExpiredListenAddr { address, .. } => {
                self.shared.listening.send_modify(|list| list.retain(|(_, known)| *known != address));
            }
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                let dialled = endpoint.is_dialer().then(|| endpoint.get_remote_address().clone());
                self.connected(peer_id, connection_id, dialled);
            }
            SwarmEvent::ConnectionClosed { peer_id, connection_id, cause, .. } => {
                self.leaving.remove(&connection_id);
                self.strangers.remove(&connection_id);
                self.shared.book().disconnected(&peer_id, cause.is_some());
                self.shared.changes.send_modify(|count| *count += 1);
            }
            SwarmEvent::OutgoingConnectionError { peer_id, error, .. } => {
                tracing::debug!(peer = ?peer_id, %error, "could not connect");
            }
            SwarmEvent::Behaviour(event) => self.behaviour_event(event),
            _ => {}
        }
    }

    fn connected(&mut self, peer: PeerId, connection: ConnectionId, dialled: Option<Multiaddr>) {
        let Some(author) = identity::author_of(&peer) else { return };
        let standing = self.backend.standing(&author);
        if standing != Standing::Member {
            self.strangers.insert(connection, peer);
            self.leaving.insert(connection, Instant::now() + limits::STRANGER_STAY);
        }
        let first = self.shared.book().connected(peer, dialled, standing);
        self.shared.changes.send_modify(|count| *count += 1);
        if first && standing == Standing::Member {
            self.backend.connected(author);
        }
    }

    fn behaviour_event(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Gossip(gossipsub::Event::Message { propagation_source, message_id, message }) => {
                self.hear(propagation_source, message_id, message.data);
            }
            BehaviourEvent::Identify(identify::Event::Received { peer_id, info, .. }) => {
                let addresses = info.listen_addrs.into_iter().take(limits::PEER_ADDRESSES);
                self.shared.book().learn(peer_id, addresses);
            }
            BehaviourEvent::Ping(ping::Event { peer, connection, result }) => match result {
                Ok(_) => self.shared.book().heard(&peer),
                Err(ping::Failure::Unsupported) => {}
                Err(_) => {
                    self.swarm.close_connection(connection);
                }
            },
            BehaviourEvent::Mdns(mdns::Event::Discovered(found)) => {
                for (peer, address) in found {
                    let member = identity::author_of(&peer)
                        .is_some_and(|author| self.backend.standing(&author) == Standing::Member);
                    if !member {
                        self.shared.book().learn(peer, [address]);
                        continue;
                    }
                    // Kept, so that it is dialled again: where both find each other at once, both dials may fail (as
                    // each opens the same connection, neither side is the one that answers).
                    self.shared.book().keep(peer, [address]);
                    let addresses = self.shared.book().addresses(&peer);
                    self.dial(Due { peer: Some(peer), addresses });
                }
            }
            _ => {}
        }
    }

    /// Has the backend judge a message, off the loop: a signature check and a transaction may take a while.
    fn hear(&mut self, source: PeerId, id: MessageId, data: Vec<u8>) {
        let (Some(sender), Some(author)) = (self.sender.upgrade(), identity::author_of(&source)) else { return };
        self.shared.book().heard(&source);
        let backend = self.backend.clone();
        tokio::spawn(async move {
            let judged = tokio::task::spawn_blocking(move || backend.hear(&author, &data)).await;
            let _ = sender.send(Command::Heard(id, source, judged.unwrap_or(Verdict::Ignore))).await;
        });
    }

    async fn stop(&mut self) {
        for peer in self.shared.book().open() {
            let _ = self.swarm.disconnect_peer_id(peer);
        }
        // Goodbyes go out while the swarm is driven; there is no need to wait for who does not listen.
        let goodbye = async {
            while !self.shared.book().open().is_empty() {
                let event = self.swarm.select_next_some().await;
                if let SwarmEvent::ConnectionClosed { peer_id, .. } = event {
                    self.shared.book().disconnected(&peer_id, false);
                }
            }
        };
        let _ = tokio::time::timeout(Duration::from_millis(300), goodbye).await;
    }
}

/// What a swarm that ended before its command was done leaves behind.
pub(super) fn stopped() -> Error {
    Error::failed("the network has stopped")
}
