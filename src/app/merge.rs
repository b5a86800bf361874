//! `merge`: two versions become one.

use serde::{Deserialize, Serialize};

use crate::app::context::Context;
use crate::app::events::Events;
use crate::app::state::App;
use crate::app::views::{ConflictView, VersionView};
use crate::core::reference::Reference;
use crate::error::{Error, Result};

/// How `merge` settles conflicts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Prefer {
    /// Not at all: they are listed and no version is made.
    #[default]
    Neither,
    /// The first version's record counts.
    First,
    /// The second version's record counts.
    Second,
}

/// Asks for a merge.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Merge {
    /// The pod that gets the version.
    pub pod: String,
    /// One version.
    pub first: Reference,
    /// The other.
    pub second: Reference,
    /// How conflicts are settled.
    pub prefer: Prefer,
    /// What the author says about it.
    pub message: Option<String>,
}

/// The merged version.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MergeOutcome {
    /// The version.
    #[serde(flatten)]
    pub version: VersionView,
    /// Whether it is new; one side may contain the other already.
    pub made: bool,
    /// Conflicts that were settled.
    pub conflicts: Vec<ConflictView>,
}

/// Merges.
pub async fn run(app: &App, cx: &Context, request: Merge, events: &Events) -> Result<MergeOutcome> {
    let _ = (app, cx, request, events);
    Err(Error::failed("not built yet"))
}
