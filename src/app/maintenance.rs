//! `gc` and `fsck`: the store's upkeep.

use serde::{Deserialize, Serialize};

use crate::app::context::Context;
use crate::app::events::Events;
use crate::app::state::App;
use crate::error::{Error, Result};

/// Asks to reclaim what nothing reaches.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Gc {}

/// What was reclaimed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GcOutcome {
    /// Objects dropped.
    pub objects: u64,
    /// Bytes on disk before.
    pub before: u64,
    /// Bytes on disk after.
    pub after: u64,
}

/// Asks to verify everything.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Fsck {
    /// Fetches what is damaged from peers.
    pub repair: bool,
}

/// What was found.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FsckOutcome {
    /// Objects verified.
    pub objects: u64,
    /// Bytes verified.
    pub bytes: u64,
    /// What is damaged or missing, and still is.
    pub damaged: Vec<Damage>,
    /// How many objects were fetched anew.
    pub repaired: u64,
}

/// One damaged or missing thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Damage {
    /// The object's name, or the pack's.
    pub name: String,
    /// `chunk`, `tree node`, `pack`, ...
    pub kind: String,
    /// What is wrong with it.
    pub reason: String,
}

/// Reclaims.
pub async fn gc(app: &App, cx: &Context, request: Gc, events: &Events) -> Result<GcOutcome> {
    let _ = (app, cx, request, events);
    Err(Error::failed("not built yet"))
}

/// Verifies. Damage that is left is an error whose details are the outcome.
pub async fn fsck(app: &App, cx: &Context, request: Fsck, events: &Events) -> Result<FsckOutcome> {
    let _ = (app, cx, request, events);
    Err(Error::failed("not built yet"))
}
