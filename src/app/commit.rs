//! `commit`: the instance's state becomes a new version.

use serde::{Deserialize, Serialize};

use crate::app::context::Context;
use crate::app::events::Events;
use crate::app::state::App;
use crate::app::views::{Counts, VersionView};
use crate::core::select::Selection;
use crate::error::{Error, Result};

/// Asks for a snapshot.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Commit {
    /// The pod that gets the version.
    pub pod: String,
    /// What the author says about it; none: peapod says what changed.
    pub message: Option<String>,
    /// What of the instance is taken; the rest keeps the parent's value.
    pub selection: Selection,
    /// Fails when anything has to be skipped.
    pub strict: bool,
    /// Without a valid base, leaves out the head's records that the instance does not have.
    pub replace: bool,
}

/// The version that now holds the state.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CommitOutcome {
    /// The version.
    #[serde(flatten)]
    pub version: VersionView,
    /// Whether it is new; an unchanged state makes none.
    pub made: bool,
    /// What differs from its first parent.
    pub changes: Counts,
}

/// Takes the snapshot.
pub async fn run(app: &App, cx: &Context, request: Commit, events: &Events) -> Result<CommitOutcome> {
    let _ = (app, cx, request, events);
    Err(Error::failed("not built yet"))
}
