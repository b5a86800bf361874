//! `pull` and `fetch`: the team's newest versions come here, and into the instance.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::app::context::Context;
use crate::app::events::Events;
use crate::app::state::App;
use crate::app::strategy::{OnConflict, Strategy};
use crate::app::views::InjectOutcome;
use crate::core::reference::Reference;
use crate::core::select::Selection;
use crate::error::{Error, Result};

/// Asks to fetch, merge and inject.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Pull {
    /// The pod, or one version of it.
    pub reference: Reference,
    /// What of it is injected.
    pub selection: Selection,
    /// Like `inject`'s.
    pub strategy: Strategy,
    /// Like `inject`'s; settles conflicts between heads too, `instance` in favour of one's own.
    pub on_conflict: OnConflict,
    /// Fetches and merges only.
    pub no_inject: bool,
    /// Like `inject`'s.
    pub paused: bool,
    /// Like `inject`'s.
    pub strict: bool,
    /// How long to wait for peers.
    pub timeout: Option<Duration>,
}

/// What came, and what was done to the instance.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PullOutcome {
    /// The instance's side; its `version` is the own head after the merge.
    #[serde(flatten)]
    pub inject: InjectOutcome,
    /// Bytes that came over the network.
    pub fetched: u64,
    /// The versions that were merged.
    pub merged: Vec<String>,
    /// Whether anything was injected.
    pub injected: bool,
}

/// Asks to fetch only.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Fetch {
    /// The pod, or one version of it.
    pub reference: Reference,
    /// Leaves the large contents where they are.
    pub shallow: bool,
    /// How long to wait for peers.
    pub timeout: Option<Duration>,
}

/// What came.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FetchOutcome {
    /// The pod.
    pub pod: String,
    /// The versions that are here now.
    pub versions: Vec<String>,
    /// Bytes that came over the network.
    pub fetched: u64,
}

/// Pulls. Takes [`App::turn`] while it merges and injects, not while it fetches; minds [`Events::stopped`] itself.
pub async fn run(app: &App, cx: &Context, request: Pull, events: &Events) -> Result<PullOutcome> {
    let _ = (app, cx, request, events);
    Err(Error::failed("not built yet"))
}

/// Fetches.
pub async fn fetch(app: &App, cx: &Context, request: Fetch, events: &Events) -> Result<FetchOutcome> {
    let _ = (app, cx, request, events);
    Err(Error::failed("not built yet"))
}
