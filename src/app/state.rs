//! What every journey works with: the home, its store and key, and the node while one runs.

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard};

use crate::app::copybook::Copybook;
use crate::app::home::Home;
use crate::app::ledger::TeamState;
use crate::app::node::Node;
use crate::core::identity::Secret;
use crate::error::{Context, Error, Result};
use crate::store::Store;

/// One open home.
pub struct App {
    /// Its directory.
    pub home: Home,
    /// Its store, which this process owns.
    pub store: Arc<Store>,
    /// Its key.
    pub secret: Arc<Secret>,
    /// Its team.
    pub team: Arc<TeamState>,
    /// The running node; unset in a command that works on its own.
    pub node: OnceLock<Arc<Node>>,
    turn: Mutex<()>,
}

impl App {
    /// Opens the home in `directory`, waiting up to `wait` for another process to let go of its store.
    pub async fn open(directory: &Path, wait: Duration) -> Result<App> {
        let home = Home::open(directory)?;
        let secret = Arc::new(home.secret()?);
        let store = home.store();
        let opening = tokio::task::spawn_blocking(move || Store::open(&store, wait));
        let store = Arc::new(opening.await.context("opening the store broke off")??);
        let team = Arc::new(TeamState::load(store.clone(), Copybook::of(home.directory()))?);
        Ok(App { home, store, secret, team, node: OnceLock::new(), turn: Mutex::new(()) })
    }

    /// The node, for what can't be done without one.
    pub fn node(&self) -> Result<&Arc<Node>> {
        self.node.get().ok_or_else(|| Error::unavailable("no node is running").hint("start it: `peapod up --detach`"))
    }

    /// One command's turn at changing refs or the instance. Commands that do nothing else get it around all they do;
    /// `push` and `pull` take it themselves, and not while they wait for peers.
    pub async fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().await
    }
}
