//! `inspect`: the records of a version.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::app::context::Context;
use crate::app::events::Events;
use crate::app::resolve::resolve;
use crate::app::services;
use crate::app::state::App;
use crate::core::address::Address;
use crate::core::record::{Body, Record};
use crate::core::reference::Reference;
use crate::core::select::{Selection, Selector};
use crate::core::version::Version;
use crate::error::Result;
use crate::tree;

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
    /// `service/kind`, and `/collection` for an item.
    pub kind: String,
    /// Its attributes.
    pub attributes: BTreeMap<String, serde_json::Value>,
    /// Bytes of the value it carries; 0 without one.
    pub size: u64,
}

impl RecordView {
    /// The view of a record.
    pub fn new(address: &Address, record: &Record) -> RecordView {
        let kind = match address.collection_and_item() {
            Some((collection, _)) => format!("{}/{}/{collection}", address.service(), address.kind()),
            None => format!("{}/{}", address.service(), address.kind()),
        };
        RecordView {
            address: address.to_string(),
            kind,
            attributes: record.attributes.iter().map(|(name, value)| (name.clone(), value.to_json())).collect(),
            size: record.body.as_ref().map_or(0, Body::size),
        }
    }
}

/// The records. None of their large contents is read.
pub async fn run(app: &App, _cx: &Context, request: Inspect, events: &Events) -> Result<InspectOutcome> {
    let store = &*app.store;
    let name = resolve(app, &request.reference)?;
    let root = Version::read(store, &name)?.root;
    services::require_held(store, &[root], &request.selection)?;
    let selector = Selector::new(request.selection)?;
    for entry in tree::scan(store, &root, &[])? {
        let entry = entry?;
        if selector.matches(&entry.address) {
            events.row("records", &RecordView::new(&entry.address, &entry.leaf.record(store)?)).await?;
        }
    }
    Ok(InspectOutcome { pod: request.reference.pod().to_owned(), version: name.to_string() })
}
