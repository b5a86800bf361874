//! `list`, `log`, `show`, `blame`: pods, their versions, and who changed what.

use serde::{Deserialize, Serialize};

use crate::app::context::Context;
use crate::app::events::Events;
use crate::app::state::App;
use crate::app::views::VersionView;
use crate::core::reference::Reference;
use crate::error::{Error, Result};

/// Asks for every pod.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct List {}

/// The pods, by name.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ListOutcome {
    /// One each.
    pub pods: Vec<PodView>,
}

/// One pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodView {
    /// Its name.
    pub pod: String,
    /// This node's own head, if it has one.
    pub version: Option<String>,
    /// When that was made.
    pub created: Option<String>,
    /// Its records.
    pub records: u64,
    /// Its size.
    pub bytes: u64,
    /// What its author says about it.
    pub message: String,
    /// Whether the own head was pushed.
    pub pushed: bool,
    /// Everyone's heads.
    pub heads: Vec<HeadView>,
}

/// One member's head of a pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeadView {
    /// The member's key.
    pub author: String,
    /// The member's name, if known.
    pub member: Option<String>,
    /// The version.
    pub version: String,
    /// Whether all of it is held here.
    pub complete: bool,
}

/// Asks for a pod's history.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Log {
    /// Where it begins.
    pub reference: Reference,
    /// How many versions at the most.
    pub limit: Option<u64>,
}

/// The history; the versions themselves ([`LogEntry`]) come as rows of `versions`, newest first.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LogOutcome {
    /// The pod.
    pub pod: String,
}

/// One row of a history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEntry {
    /// The version.
    #[serde(flatten)]
    pub version: VersionView,
    /// Its place on the first-parent line, as in `@3`; none beside that line.
    pub number: Option<u64>,
    /// Whether its signature holds (a merge without an author needs none).
    pub signed: bool,
}

/// Asks for one version.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Show {
    /// Which.
    pub reference: Reference,
}

/// Asks who last changed a record.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Blame {
    /// The record's address, as `inspect` prints it.
    pub address: String,
    /// In the history of this version; none: of every pod that has the address.
    pub reference: Option<Reference>,
}

/// Who last changed a record.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BlameOutcome {
    /// The record's address.
    pub address: String,
    /// One line per pod that has it.
    pub blame: Vec<BlameEntry>,
}

/// The version that last changed a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlameEntry {
    /// The version.
    #[serde(flatten)]
    pub version: VersionView,
    /// What it did: `added`, `changed` or `removed`.
    pub did: String,
}

/// Every pod.
pub async fn list(app: &App, cx: &Context, request: List, events: &Events) -> Result<ListOutcome> {
    let _ = (app, cx, request, events);
    Err(Error::failed("not built yet"))
}

/// A pod's history.
pub async fn log(app: &App, cx: &Context, request: Log, events: &Events) -> Result<LogOutcome> {
    let _ = (app, cx, request, events);
    Err(Error::failed("not built yet"))
}

/// One version.
pub async fn show(app: &App, cx: &Context, request: Show, events: &Events) -> Result<VersionView> {
    let _ = (app, cx, request, events);
    Err(Error::failed("not built yet"))
}

/// Who last changed a record.
pub async fn blame(app: &App, cx: &Context, request: Blame, events: &Events) -> Result<BlameOutcome> {
    let _ = (app, cx, request, events);
    Err(Error::failed("not built yet"))
}
