//! `merge`: two versions become one.

use serde::{Deserialize, Serialize};

use crate::app::conflicts::{Between, Party};
use crate::app::context::Context;
use crate::app::events::Events;
use crate::app::merging;
use crate::app::resolve::resolve;
use crate::app::state::App;
use crate::app::versions::{self, local_head};
use crate::app::views::{ConflictView, VersionView};
use crate::core::reference::Reference;
use crate::core::version::Version;
use crate::error::Result;
use crate::tree::Settle;

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

/// Merges. The pod's own head moves to the merge if the merge contains it; else the merge is kept beside it.
pub async fn run(app: &App, _cx: &Context, request: Merge, _events: &Events) -> Result<MergeOutcome> {
    let store = &*app.store;
    let pod = request.pod.as_str();
    let (first, second) = (resolve(app, &request.first)?, resolve(app, &request.second)?);
    let settle = match request.prefer {
        Prefer::Neither => Settle::List,
        Prefer::First => Settle::Ours,
        Prefer::Second => Settle::Theirs,
    };
    let between = Between {
        ours: Party { name: "first", version: Some(first) },
        theirs: Party { name: "second", version: Some(second) },
        hint: "nothing was changed; decide with --prefer a (the first) or --prefer b (the second)",
    };
    let message = request.message.as_deref().unwrap_or("");
    let _session = store.session();
    tokio::task::block_in_place(|| {
        let merged = merging::merge_versions(app, pod, &[first, second], between, settle, message)?;
        let head = local_head(store, pod)?;
        let moves = head.map_or(Ok(true), |head| versions::contains(store, &merged.version, &head))?;
        let write = if moves {
            versions::set_local_head(pod, &merged.version)
        } else {
            versions::keep_snapshot(pod, &merged.version)
        };
        store.update(&[write])?;
        Ok(MergeOutcome {
            version: VersionView::new(app, &merged.version, &Version::read(store, &merged.version)?)?,
            made: merged.version != first && merged.version != second,
            conflicts: merged.settled,
        })
    })
}
