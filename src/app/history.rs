//! `list`, `log`, `show`, `blame`: pods, their versions, and who changed what.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::app::clock::rfc3339;
use crate::app::context::Context;
use crate::app::events::Events;
use crate::app::resolve::resolve;
use crate::app::state::App;
use crate::app::team;
use crate::app::versions::{self, local_head};
use crate::app::views::VersionView;
use crate::core::address::Address;
use crate::core::name::Name;
use crate::core::reference::Reference;
use crate::core::version::Version;
use crate::error::{Error, Result};
use crate::store::{Store, Table};
use crate::tree;

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

/// Every pod that this node or a teammate has a head of.
pub async fn list(app: &App, _cx: &Context, _request: List, _events: &Events) -> Result<ListOutcome> {
    let own = app.store.list(Table::Refs, b"")?.into_iter().map(|(pod, _)| String::from_utf8_lossy(&pod).into_owned());
    let names: BTreeSet<String> = own.chain(team::pods_with_heads(app)?).collect();
    Ok(ListOutcome { pods: names.into_iter().map(|pod| pod_view(app, pod)).collect::<Result<_>>()? })
}

fn pod_view(app: &App, pod: String) -> Result<PodView> {
    let store = &*app.store;
    let head = local_head(store, &pod)?;
    let version = head.map(|head| Version::read(store, &head)).transpose()?;
    let by = version.as_ref().and_then(|version| version.authorship.as_ref());
    let mut view = PodView {
        version: head.map(|head| head.to_string()),
        created: by.map(|by| rfc3339(by.created)),
        records: version.as_ref().map_or(0, |version| version.stats.records),
        bytes: version.as_ref().map_or(0, |version| version.stats.bytes),
        message: version.map(|version| version.message).unwrap_or_default(),
        pushed: false,
        heads: vec![],
        pod,
    };
    for (author, name) in team::member_heads(app, &view.pod)? {
        view.pushed |= author == app.secret.author() && Some(name) == head;
        view.heads.push(HeadView {
            author: author.to_string(),
            member: team::member_name(app, &author)?,
            version: name.to_string(),
            complete: store.is_complete(&name)? || Some(name) == head,
        });
    }
    Ok(view)
}

/// A pod's history, every version verified as it is read.
pub async fn log(app: &App, _cx: &Context, request: Log, events: &Events) -> Result<LogOutcome> {
    let store = &*app.store;
    let start = resolve(app, &request.reference)?;
    let line = versions::first_parents(store, start).map(|entry| entry.map(|(name, _)| name));
    let line = line.collect::<Result<Vec<Name>>>()?;
    let number = |name: &Name| {
        let place = line.iter().position(|other| other == name)?;
        u64::try_from(line.len() - place).ok()
    };
    let history = tokio::task::block_in_place(|| versions::ancestors(store, &[start]))?;
    let limit = request.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    for (name, version) in history.iter().take(limit) {
        let entry = LogEntry { version: VersionView::new(app, name, version)?, number: number(name), signed: true };
        events.row("versions", &entry).await?;
    }
    Ok(LogOutcome { pod: request.reference.pod().to_owned() })
}

/// One version.
pub async fn show(app: &App, _cx: &Context, request: Show, _events: &Events) -> Result<VersionView> {
    let name = resolve(app, &request.reference)?;
    VersionView::new(app, &name, &Version::read(&*app.store, &name)?)
}

/// Who last changed a record, in every pod that has or had it.
pub async fn blame(app: &App, _cx: &Context, request: Blame, _events: &Events) -> Result<BlameOutcome> {
    let address = Address::parse(&request.address)?;
    let references = match request.reference {
        Some(reference) => vec![reference],
        None => {
            let pods = app.store.list(Table::Refs, b"")?;
            pods.iter().map(|(pod, _)| Reference::head(&String::from_utf8_lossy(pod))).collect::<Result<_>>()?
        }
    };
    let mut blame = vec![];
    for reference in &references {
        blame.extend(blame_in(app, resolve(app, reference)?, &address)?);
    }
    if blame.is_empty() {
        return Err(Error::not_found(format!("no version has a record at {address}"))
            .hint("`peapod inspect NAME` prints the addresses there are"));
    }
    Ok(BlameOutcome { address: address.to_string(), blame })
}

fn blame_in(app: &App, start: Name, address: &Address) -> Result<Option<BlameEntry>> {
    let change = last_change(&app.store, start, address)?;
    let entry = |change: LastChange| {
        Ok(BlameEntry { version: VersionView::new(app, &change.name, &change.version)?, did: change.did.to_owned() })
    };
    change.map(entry).transpose()
}

/// The version that made a record what it is.
pub struct LastChange {
    /// Its name.
    pub name: Name,
    /// The version.
    pub version: Version,
    /// `added`, `changed` or `removed`.
    pub did: &'static str,
}

/// Follows a record back through the parents that have it as it is, to the version whose parents all differ; none where
/// no version ever had it.
pub fn last_change(store: &Store, start: Name, address: &Address) -> Result<Option<LastChange>> {
    let record = |version: &Version| tree::get(store, &version.root, address);
    let (mut name, mut version) = (start, Version::read(store, &start)?);
    let present = record(&version)?;
    loop {
        let mut same = None;
        let mut before = None;
        for parent in &version.parents {
            if store.has(parent)? {
                let older = Version::read(store, parent)?;
                let then = record(&older)?;
                if then == present {
                    same = Some((*parent, older));
                    break;
                }
                before = before.or(then);
            }
        }
        match same {
            Some(parent) => (name, version) = parent,
            None => {
                let did = match (&before, &present) {
                    (None, None) => return Ok(None),
                    (None, Some(_)) => "added",
                    (Some(_), None) => "removed",
                    (Some(_), Some(_)) => "changed",
                };
                return Ok(Some(LastChange { name, version, did }));
            }
        }
    }
}
