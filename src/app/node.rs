//! The running node: the network side of an open home.
//!
//! It gossips this node's news, and compares heads and rosters with every member that connects, whenever news hints at
//! something unknown, and from time to time.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::app::backend::Answers;
use crate::app::clock::rfc3339;
use crate::app::comparing;
use crate::app::home::Home;
use crate::app::ledger::{TeamState, keep_peer};
use crate::app::listen;
use crate::core::codec;
use crate::core::identity::{Author, Secret};
use crate::error::Result;
use crate::limits;
use crate::net::{Config, Multiaddr, Net, Standing, parse_address};
use crate::store::Store;
use crate::sync::message::{Give, Request, Sync};

/// How often it compares with every member although nothing hints at news.
const COMPARE: Duration = Duration::from_secs(60);
/// How long a removed member has to hear of it before its connection is closed.
const FAREWELL: Duration = Duration::from_millis(500);

/// How a node takes part in the network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// Addresses to listen on (multiaddr, or `IP:PORT`); empty: every interface, ports that stay the same.
    pub listen: Vec<String>,
    /// Addresses of nodes to connect to, beside those learnt from invites and from the LAN.
    pub peers: Vec<String>,
    /// Whether to find and be found on the LAN by multicast DNS.
    pub mdns: bool,
}

/// A running node.
pub struct Node {
    net: Net,
    store: Arc<Store>,
    team: Arc<TeamState>,
    options: Options,
    tasks: std::sync::Mutex<JoinSet<()>>,
}

/// One peer that a node knows of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerView {
    /// Its key, 64 hex digits.
    pub key: String,
    /// Its name in the roster, if it is a member.
    pub member: Option<String>,
    /// Whether there is a connection now.
    pub connected: bool,
    /// Where it was last reached.
    pub address: Option<String>,
    /// When it was last heard of, RFC 3339.
    pub heard: Option<String>,
}

impl Node {
    /// Starts the node of an open home.
    pub async fn start(
        home: &Home,
        store: Arc<Store>,
        secret: Arc<Secret>,
        team: Arc<TeamState>,
        options: Options,
    ) -> Result<Arc<Node>> {
        let (compare, due) = mpsc::unbounded_channel();
        let fixed = options.peers.iter().map(|text| parse_address(text)).collect::<Result<Vec<_>>>()?;
        let known = team.known_peers()?.into_iter();
        let known: Vec<_> = known.map(|(author, addresses)| (author, lenient(&addresses))).collect();
        let config = |listen| Config {
            secret: Secret::from_seed(&secret.seed()),
            listen,
            mdns: options.mdns,
            fixed: fixed.clone(),
            known: known.clone(),
            cache: home.directory().join("transfer"),
            team: team.roster().map(|roster| roster.id.0.0.to_vec()),
        };
        let answers =
            Answers { store: store.clone(), team: team.clone(), secret: secret.clone(), compare: compare.clone() };
        let net = listen::start(&store, &options.listen, config, Arc::new(answers)).await?;
        let mut tasks = JoinSet::new();
        tasks.spawn(comparing::run(net.clone(), team.clone(), due));
        tasks.spawn(gossiping(net.clone(), team.clone()));
        tasks.spawn(minding_the_roster(net.clone(), team.clone()));
        tasks.spawn(remembering(net.clone(), team.clone(), store.clone()));
        tasks.spawn(stirring(net.clone(), compare));
        Ok(Arc::new(Node { net, store, team, options, tasks: std::sync::Mutex::new(tasks) }))
    }

    /// The network, for transfers.
    pub fn net(&self) -> &Net {
        &self.net
    }

    /// The store that it serves and fetches into.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// What it was started with.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The addresses it listens on.
    pub fn listening(&self) -> Vec<String> {
        self.net.listening().iter().map(Multiaddr::to_string).collect()
    }

    /// Every peer it knows of.
    pub fn peers(&self) -> Vec<PeerView> {
        let roster = self.team.roster();
        let name = |author: &Author| Some(roster.as_ref()?.members.get(author)?.name.clone());
        let millis = |time: std::time::SystemTime| {
            let since = time.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
            rfc3339(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
        };
        let mut peers: Vec<PeerView> = self
            .net
            .peers()
            .into_iter()
            .map(|peer| PeerView {
                key: peer.author.to_string(),
                member: name(&peer.author),
                connected: peer.connected,
                address: peer.addresses.first().map(Multiaddr::to_string),
                heard: peer.heard.map(millis),
            })
            .collect();
        peers.sort_by(|a, b| a.key.cmp(&b.key));
        peers
    }

    /// Compares heads and rosters with every member that is connected, and returns when all have answered or `within`
    /// is over. Done before this node signs anything, so that its own newer links come back to it, and before a pull.
    pub async fn catch_up(&self, within: Duration) {
        let mut talks = JoinSet::new();
        for peer in self.net.members() {
            talks.spawn(comparing::compare(self.net.clone(), self.team.clone(), peer));
        }
        let all = async { while talks.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(within, all).await;
    }

    /// Closes its connections and ends its tasks.
    pub async fn stop(&self) {
        if let Ok(mut tasks) = self.tasks.lock() {
            tasks.abort_all();
        }
        self.net.stop().await;
    }
}

async fn gossiping(net: Net, team: Arc<TeamState>) {
    let mut outbox = team.outbox();
    loop {
        match outbox.recv().await {
            Ok(news) => match codec::encode(&news) {
                Ok(message) => net.publish(message).await,
                Err(error) => tracing::error!(error = error.chain(), "news that can't be told"),
            },
            Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => {}
            Err(tokio::sync::broadcast::error::RecvError::Closed) => return,
        }
    }
}

/// Tells the network when this node enters a team and when members come or go. Who is put out while connected is told
/// so first: nobody answers them any more, and a closed connection alone would not say why.
async fn minding_the_roster(net: Net, team: Arc<TeamState>) {
    let mut changes = team.changes();
    let mut before = team.roster();
    while changes.changed().await.is_ok() {
        let now = team.roster();
        if now == before {
            continue;
        }
        if let (None, Some(roster)) = (&before, &now) {
            net.follow(&roster.id.0.0).await;
            for (peer, addresses) in team.known_peers().unwrap_or_default() {
                let _ = net.keep(&peer, &lenient(&addresses)).await;
            }
        }
        let connected = net.members().into_iter();
        let out = connected.filter(|peer| now.as_ref().is_some_and(|roster| roster.removed(peer)));
        futures::future::join_all(out.map(|peer| farewell(&net, &team, peer))).await;
        net.recheck().await;
        before = now;
    }
}

/// Tells a removed member which entry removed it, and no other news.
async fn farewell(net: &Net, team: &TeamState, peer: Author) {
    let Some(entry) = team.look(|ledger| ledger.removal(&peer).cloned()).flatten() else { return };
    let give = Give { entries: vec![entry.signed().clone()], ..Give::default() };
    if let Ok(question) = codec::encode(&Request::Sync(Sync::Give(give))) {
        let told = tokio::time::timeout(FAREWELL, net.ask(&peer, &question)).await;
        tracing::debug!(%peer, told = matches!(told, Ok(Ok(_))), "told that it was removed");
    }
}

/// Keeps where members were reached, for the next start.
async fn remembering(net: Net, team: Arc<TeamState>, store: Arc<Store>) {
    let mut changes = net.changes();
    while changes.changed().await.is_ok() {
        // Several come at once when a node starts.
        tokio::time::sleep(Duration::from_secs(1)).await;
        changes.borrow_and_update();
        let known = team.known_peers().unwrap_or_default();
        let is_new = |author: &Author, addresses: &[String]| !known.iter().any(|(a, k)| a == author && k == addresses);
        let mut writes = Vec::new();
        for peer in net.peers().into_iter().filter(|peer| peer.connected && peer.standing == Standing::Member) {
            let addresses: Vec<String> =
                peer.addresses.iter().take(limits::TICKET_ADDRESSES).map(Multiaddr::to_string).collect();
            if !addresses.is_empty() && is_new(&peer.author, &addresses) {
                writes.extend(keep_peer(&peer.author, &addresses));
            }
        }
        if !writes.is_empty() {
            let store = store.clone();
            let stored = tokio::task::spawn_blocking(move || store.update(&writes)).await;
            if let Ok(Err(error)) = stored {
                tracing::warn!(error = error.chain(), "can't remember where peers are");
            }
        }
    }
}

async fn stirring(net: Net, compare: mpsc::UnboundedSender<Author>) {
    let mut tick = tokio::time::interval(COMPARE);
    loop {
        tick.tick().await;
        for peer in net.members() {
            let _ = compare.send(peer);
        }
    }
}

/// The addresses among these texts; others' texts may be anything.
pub(super) fn lenient(addresses: &[String]) -> Vec<Multiaddr> {
    addresses.iter().filter_map(|text| text.parse().ok()).collect()
}
