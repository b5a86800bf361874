//! `undo`: takes back the last inject.

use serde::{Deserialize, Serialize};

use crate::app::context::Context;
use crate::app::events::Events;
use crate::app::inject::InjectOutcome;
use crate::app::state::App;
use crate::error::{Error, Result};

/// Asks to take back the last inject into the caller's instance.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Undo {}

/// Takes it back. Minds [`Events::stopped`] itself.
pub async fn run(app: &App, cx: &Context, request: Undo, events: &Events) -> Result<InjectOutcome> {
    let _ = (app, cx, request, events);
    Err(Error::failed("not built yet"))
}
