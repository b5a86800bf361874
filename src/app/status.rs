//! `status` and `peers`: what the node does, and with whom.

use serde::{Deserialize, Serialize};

use crate::app::context::Context;
use crate::app::events::Events;
use crate::app::node::{Options, PeerView};
use crate::app::state::App;
use crate::app::team;
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
    /// Whether it was removed from the team, as far as it has been told.
    pub removed: bool,
    /// Who removed it.
    pub removed_by: Option<String>,
    /// Whether teammates' nodes refuse it, as they do one that was removed.
    pub refused: bool,
    /// The addresses it listens on.
    pub listen: Vec<String>,
    /// What it was started with, while it runs.
    pub options: Option<Options>,
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
    let own = app.secret.author();
    let removed = app.team.roster().is_some_and(|roster| roster.removed(&own));
    Ok(StatusOutcome {
        node: app.secret.author().to_string(),
        running: node.is_some(),
        pid: node.map(|_| std::process::id()),
        home: app.home.directory().display().to_string(),
        team: team::name(app)?,
        removed,
        removed_by: team::removed_by(app, &own).filter(|_| removed),
        refused: node.is_some_and(|node| node.net().is_refused()),
        listen: node.map(|node| node.listening()).unwrap_or_default(),
        options: node.map(|node| node.options().clone()),
        peers: node.map_or(0, |node| node.peers().iter().filter(|peer| peer.connected).count()),
        pods: app.store.list(Table::Refs, &[])?.len(),
    })
}

/// The peers; fails without a node.
pub async fn peers(app: &App, _cx: &Context, _request: Peers, _events: &Events) -> Result<PeersOutcome> {
    Ok(PeersOutcome { peers: app.node()?.peers() })
}
