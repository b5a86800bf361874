//! `instance status` and `instance reset`: what runs there, and emptying it.

use serde::{Deserialize, Serialize};

use crate::app::context::Context;
use crate::app::events::Events;
use crate::app::state::App;
use crate::error::{Error, Result};

/// Asks what runs at the instance's URL.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct InstanceStatus {}

/// What runs there.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct InstanceStatusOutcome {
    /// The URL.
    pub instance: String,
    /// The make of emulator.
    pub emulator: String,
    /// As it reports it; empty when it does not.
    pub version: String,
    /// The account of the caller's credentials.
    pub account: String,
    /// What peapod captures there.
    pub services: Vec<ServiceView>,
    /// The pod that was last put in or taken, while the instance is still the same one.
    pub pod: Option<String>,
    /// That pod's version.
    pub base: Option<String>,
}

/// One service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceView {
    /// As the AWS command line calls it.
    pub service: String,
    /// What peapod can't capture of it there.
    pub limits: Option<String>,
}

/// Asks to empty the instance.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct InstanceReset {}

/// The emptied instance.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct InstanceResetOutcome {
    /// The URL.
    pub instance: String,
    /// The make of emulator.
    pub emulator: String,
}

/// What runs there.
pub async fn status(
    app: &App,
    cx: &Context,
    request: InstanceStatus,
    events: &Events,
) -> Result<InstanceStatusOutcome> {
    let _ = (app, cx, request, events);
    Err(Error::failed("not built yet"))
}

/// Empties it.
pub async fn reset(app: &App, cx: &Context, request: InstanceReset, events: &Events) -> Result<InstanceResetOutcome> {
    let _ = (app, cx, request, events);
    Err(Error::failed("not built yet"))
}
