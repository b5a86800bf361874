//! `delete`: a pod goes, or its newest version.

use serde::{Deserialize, Serialize};

use crate::app::context::Context;
use crate::app::events::Events;
use crate::app::state::App;
use crate::core::reference::Reference;
use crate::error::{Error, Result};

/// Asks to remove a pod from this node, or with `@REF` to move its head back before that version.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Delete {
    /// What.
    pub reference: Reference,
}

/// What is left.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DeleteOutcome {
    /// The pod.
    pub pod: String,
    /// The version that was its head.
    pub deleted: String,
    /// Its head now; none when the pod is gone.
    pub version: Option<String>,
}

/// Removes it.
pub async fn run(app: &App, cx: &Context, request: Delete, events: &Events) -> Result<DeleteOutcome> {
    let _ = (app, cx, request, events);
    Err(Error::failed("not built yet"))
}
