//! The running node: the network side of an open home.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::app::home::Home;
use crate::core::identity::Secret;
use crate::error::{Error, Result};
use crate::store::Store;

/// How a node takes part in the network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// Addresses to listen on (multiaddr, or `IP:PORT`); empty: every interface, ports of the system's choice.
    pub listen: Vec<String>,
    /// Addresses of nodes to connect to, beside those learnt from invites and from the LAN.
    pub peers: Vec<String>,
    /// Whether to find and be found on the LAN by multicast DNS.
    pub mdns: bool,
}

/// A running node.
pub struct Node {}

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
    pub async fn start(home: &Home, store: Arc<Store>, secret: Arc<Secret>, options: Options) -> Result<Arc<Node>> {
        let _ = (home, store, secret, options);
        Err(Error::failed("this build has no network"))
    }

    /// The addresses it listens on.
    pub fn listening(&self) -> Vec<String> {
        vec![]
    }

    /// Every peer it knows of.
    pub fn peers(&self) -> Vec<PeerView> {
        vec![]
    }

    /// Closes its connections and ends its tasks.
    pub async fn stop(&self) {}
}
