//! `diff`: what differs between two versions, or between a version and the instance.

use serde::{Deserialize, Serialize};

use crate::app::context::Context;
use crate::app::events::Events;
use crate::app::state::App;
use crate::app::views::{AttributeChange, Counts};
use crate::core::reference::Reference;
use crate::core::select::Selection;
use crate::error::{Error, Result};

/// Asks what differs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Diff {
    /// The first side.
    pub from: Reference,
    /// The second side.
    pub to: Side,
    /// What of both.
    pub selection: Selection,
}

/// What the first side is compared with.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// Another version.
    Version(Reference),
    /// The version's first parent is the first side, and the version the second.
    Parent,
    /// The live instance.
    Instance,
}

/// How much differs. The addresses come as rows of `added`, `changed` and `removed`; the attributes of a changed record
/// ([`Detail`]) as a row of `details` behind it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DiffOutcome {
    /// The first side's version; none for the state before the first version.
    pub from: Option<String>,
    /// The second side's version; none for the instance.
    pub to: Option<String>,
    /// How many of each.
    pub counts: Counts,
}

/// What differs in one record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Detail {
    /// Where.
    pub address: String,
    /// Attribute by attribute; `body` stands for the value.
    pub attributes: Vec<AttributeChange>,
}

/// What differs.
pub async fn run(app: &App, cx: &Context, request: Diff, events: &Events) -> Result<DiffOutcome> {
    let _ = (app, cx, request, events);
    Err(Error::failed("not built yet"))
}
