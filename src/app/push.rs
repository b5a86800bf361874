//! `push`: commit, sign the head, tell the team.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::app::context::Context;
use crate::app::events::Events;
use crate::app::state::App;
use crate::app::views::{Counts, VersionView};
use crate::core::select::Selection;
use crate::error::{Error, Result};

/// Asks to share a pod with the team.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Push {
    /// The pod.
    pub pod: String,
    /// The message of the commit.
    pub message: Option<String>,
    /// What of the instance is committed.
    pub selection: Selection,
    /// Pushes the head as it is; needs no instance.
    pub no_commit: bool,
    /// Like `commit`'s.
    pub strict: bool,
    /// Like `commit`'s.
    pub replace: bool,
    /// Waits until so many teammates hold all of it.
    pub replicas: usize,
    /// How long to wait for them.
    pub timeout: Option<Duration>,
}

/// The pushed version.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PushOutcome {
    /// The version.
    #[serde(flatten)]
    pub version: VersionView,
    /// Whether a commit made it just now.
    pub made: bool,
    /// What the commit changed.
    pub changes: Counts,
    /// The number of the signed head.
    pub seq: u64,
    /// Teammates told at once.
    pub peers: usize,
    /// Teammates that said they hold all of it.
    pub replicas: usize,
}

/// Pushes. Takes [`App::turn`] while it commits and signs, not while it waits for replicas.
pub async fn run(app: &App, cx: &Context, request: Push, events: &Events) -> Result<PushOutcome> {
    let _ = (app, cx, request, events);
    Err(Error::failed("not built yet"))
}
