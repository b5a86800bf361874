//! `status` and `peers`: what the node does, and with whom.

use serde::{Deserialize, Serialize};

use crate::app::context::Context;
use crate::app::events::Events;
use crate::app::node::PeerView;
use crate::app::state::App;
use crate::error::Result;
use crate::store::Table;

/// Asks for the node's state.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Status {}

/// The node's state.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StatusOutcome {
    /// This node's key, 64 hex digits.
    pub node: String,
    /// Whether a node runs on this home.
    pub running: bool,
    /// Its process id, while it runs.
    pub pid: Option<u32>,
    /// Its home.
    pub home: String,
    /// The team's name, once it is in one.
    pub team: Option<String>,
    /// The addresses it listens on.
    pub listen: Vec<String>,
    /// How many peers are connected.
    pub peers: usize,
    /// How many pods it holds.
    pub pods: usize,
}

/// Asks for the peers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Peers {}

/// The peers that the node knows of.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PeersOutcome {
    /// In the order of their keys.
    pub peers: Vec<PeerView>,
}

/// The state of the node that runs the command, or of the home when none does.
pub async fn status(app: &App, _cx: &Context, _request: Status, _events: &Events) -> Result<StatusOutcome> {
    let node = app.node.get();
    Ok(StatusOutcome {
        node: app.secret.author().to_string(),
        running: node.is_some(),
        pid: node.map(|_| std::process::id()),
        home: app.home.directory().display().to_string(),
        team: crate::app::team::name(app)?,
        listen: node.map(|node| node.listening()).unwrap_or_default(),
        peers: node.map_or(0, |node| node.peers().iter().filter(|peer| peer.connected).count()),
        pods: app.store.list(Table::Refs, &[])?.len(),
    })
}

/// The peers; fails without a node.
pub async fn peers(app: &App, _cx: &Context, _request: Peers, _events: &Events) -> Result<PeersOutcome> {
    Ok(PeersOutcome { peers: app.node()?.peers() })
}
