//! `inspect`: the records of a version.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::app::context::Context;
use crate::app::events::Events;
use crate::app::state::App;
use crate::core::reference::Reference;
use crate::core::select::Selection;
use crate::error::{Error, Result};

/// Asks for the records of a version.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Inspect {
    /// Which version.
    pub reference: Reference,
    /// What of it.
    pub selection: Selection,
}

/// The version; its records ([`RecordView`]) come as rows of `records`, in the order of their addresses.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct InspectOutcome {
    /// The pod.
    pub pod: String,
    /// The version.
    pub version: String,
}

/// One record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordView {
    /// Where.
    pub address: String,
    /// The kind of resource, or the collection of an item.
    pub kind: String,
    /// Its attributes.
    pub attributes: BTreeMap<String, serde_json::Value>,
    /// Bytes of the value it carries; 0 without one.
    pub size: u64,
}

/// The records.
pub async fn run(app: &App, cx: &Context, request: Inspect, events: &Events) -> Result<InspectOutcome> {
    let _ = (app, cx, request, events);
    Err(Error::failed("not built yet"))
}
