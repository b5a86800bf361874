//! `instance status` and `instance reset`: what runs there, and emptying it.

use serde::{Deserialize, Serialize};

use crate::app::context::Context;
use crate::app::events::Events;
use crate::app::memory::Memory;
use crate::app::state::App;
use crate::app::undo::UndoEntry;
use crate::error::Result;

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
    /// Whether peapod's agent runs in it; none for a make that needs none.
    pub agent: Option<bool>,
    /// What peapod captures there.
    pub services: Vec<ServiceView>,
    /// The pods that were last put in or taken there.
    pub pods: Vec<BaseView>,
}

/// What an instance stood for when peapod last met it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaseView {
    /// The pod.
    pub pod: String,
    /// The version.
    pub version: String,
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
    _request: InstanceStatus,
    events: &Events,
) -> Result<InstanceStatusOutcome> {
    let instance = cx.connect(None, events).await?;
    let identity = instance.identify().await?;
    let view = |(service, limits): (String, Option<String>)| ServiceView { service, limits };
    let stands_for = |(pod, memory): (String, Memory)| BaseView { pod, version: memory.version.to_string() };
    Ok(InstanceStatusOutcome {
        instance: instance.url().to_owned(),
        emulator: identity.emulator,
        version: identity.version,
        account: identity.account,
        agent: instance.agent(),
        services: identity.services.into_iter().map(view).collect(),
        pods: Memory::of_instance(&app.store, instance.url())?.into_iter().map(stands_for).collect(),
    })
}

/// Empties it. What is remembered of it stays, where the next command sees by its marks that it is not the same any more.
pub async fn reset(app: &App, cx: &Context, _request: InstanceReset, events: &Events) -> Result<InstanceResetOutcome> {
    let instance = cx.connect(None, events).await?;
    let identity = instance.identify().await?;
    instance.reset().await?;
    if !instance.reset_shows() {
        let pods = Memory::of_instance(&app.store, instance.url())?;
        let mut writes: Vec<_> = pods.iter().map(|(pod, _)| Memory::forget(instance.url(), pod)).collect();
        writes.extend(UndoEntry::forget(&app.store, instance.url())?);
        app.store.update(&writes)?;
    }
    Ok(InstanceResetOutcome { instance: instance.url().to_owned(), emulator: identity.emulator })
}
