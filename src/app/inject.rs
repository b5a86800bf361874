//! `inject`: a version goes into the instance.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::app::context::Context;
use crate::app::events::Events;
use crate::app::journal;
use crate::app::put::{self, Options};
use crate::app::resolve::resolve;
use crate::app::state::App;
use crate::app::strategy::{OnConflict, Strategy};
use crate::app::views::InjectOutcome;
use crate::core::reference::Reference;
use crate::core::select::{Selection, Selector};
use crate::error::Result;

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
    if request.dry_run {
        journal::require_none(app, instance.url())?;
    }
    let prepared = put::prepare(app, &*instance, &version, options, events).await?;
    if request.dry_run {
        return prepared.dry_run(app, &*instance);
    }
    prepared.carry_out(app, &*instance, events).await
}
