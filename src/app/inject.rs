//! `inject`: a version goes into the instance.

use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::app::context::Context;
use crate::app::events::Events;
use crate::app::put::{self, Options};
use crate::app::resolve::resolve;
use crate::app::state::App;
use crate::app::views::{ConflictView, Counts, Lost, PlanStep};
use crate::core::reference::Reference;
use crate::core::select::{Selection, Selector};
use crate::error::{Error, Result};
use crate::tree::Settle;

/// What the instance shall look like afterwards.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// Exactly the pod.
    Overwrite,
    /// Exactly the pod in each (account, region, service) that the pod has; others untouched.
    AccountRegion,
    /// What is there, plus the resources that are missing.
    Basic,
    /// Both sides' changes since their base.
    #[default]
    Deep,
}

impl Strategy {
    /// Every strategy by its name on the command line.
    pub const NAMES: [(&'static str, Strategy); 4] = [
        ("overwrite", Strategy::Overwrite),
        ("account-region", Strategy::AccountRegion),
        ("basic", Strategy::Basic),
        ("deep", Strategy::Deep),
    ];
}

impl FromStr for Strategy {
    type Err = Error;

    fn from_str(text: &str) -> Result<Strategy> {
        by_name(&Self::NAMES, "a strategy", text)
    }
}

/// What happens where both sides changed the same record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnConflict {
    /// The conflicts are listed and nothing is changed.
    #[default]
    Fail,
    /// The pod's record counts.
    Pod,
    /// The instance's record counts.
    Instance,
}

impl OnConflict {
    /// Every choice by its name on the command line.
    pub const NAMES: [(&'static str, OnConflict); 3] =
        [("fail", OnConflict::Fail), ("pod", OnConflict::Pod), ("instance", OnConflict::Instance)];

    /// The same for a merge whose `ours` is the instance and whose `theirs` is the pod.
    pub fn settle(self) -> Settle {
        match self {
            OnConflict::Fail => Settle::List,
            OnConflict::Pod => Settle::Theirs,
            OnConflict::Instance => Settle::Ours,
        }
    }
}

impl FromStr for OnConflict {
    type Err = Error;

    fn from_str(text: &str) -> Result<OnConflict> {
        by_name(&Self::NAMES, "a choice for conflicts", text)
    }
}

fn by_name<T: Copy>(names: &[(&str, T)], what: &str, text: &str) -> Result<T> {
    let found = names.iter().find(|(name, _)| *name == text);
    found.map(|(_, value)| *value).ok_or_else(|| Error::usage(format!("\"{text}\" is not {what}")))
}

/// Asks to put a version into the instance.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Inject {
    /// Which version.
    pub reference: Reference,
    /// What of it, and of the instance.
    pub selection: Selection,
    /// What the instance shall look like.
    pub strategy: Strategy,
    /// What happens where both sides changed.
    pub on_conflict: OnConflict,
    /// Only says what would be done.
    pub dry_run: bool,
    /// Leaves what acts by itself switched off.
    pub paused: bool,
    /// How long to wait for an instance that does not answer yet.
    pub wait: Option<Duration>,
    /// Fails, and rolls back, when the instance does not keep something.
    pub strict: bool,
}

/// What was, or would be, done to the instance.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct InjectOutcome {
    /// The pod.
    pub pod: String,
    /// The version that was put in; after an undo, the one that counts again, if there is one.
    pub version: Option<String>,
    /// How.
    pub strategy: Strategy,
    /// Records put in, changed and removed.
    pub applied: Counts,
    /// Conflicts that were settled.
    pub conflicts: Vec<ConflictView>,
    /// What the instance did not keep.
    pub lost: Vec<Lost>,
    /// What would be done; with `dry_run` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Vec<PlanStep>>,
}

/// Puts the version in. What it has begun it finishes, or rolls back when it fails.
pub async fn run(app: &App, cx: &Context, request: Inject, events: &Events) -> Result<InjectOutcome> {
    let version = resolve(app, &request.reference)?;
    let options = Options {
        strategy: request.strategy,
        on_conflict: request.on_conflict,
        selector: Selector::new(request.selection)?,
        paused: request.paused,
        strict: request.strict,
        only_news: false,
    };
    let instance = cx.connect(request.wait, events).await?;
    let prepared = put::prepare(app, &*instance, &version, options, events).await?;
    if request.dry_run {
        return prepared.dry_run(app, &*instance);
    }
    prepared.carry_out(app, &*instance, events).await
}
