//! `commit`: the instance's state becomes a new version.

use serde::{Deserialize, Serialize};

use crate::app::accounts;
use crate::app::capture::{Captured, capture_without, warn_of_nothing};
use crate::app::clock::now;
use crate::app::conflicts::{Between, Party};
use crate::app::context::Context;
use crate::app::events::Events;
use crate::app::held::mark_held;
use crate::app::journal;
use crate::app::memory::{self, Memory};
use crate::app::merging;
use crate::app::state::App;
use crate::app::versions::{self, local_head, set_local_head};
use crate::app::views::{Counts, VersionView, Withheld, counted};
use crate::app::withholding;
use crate::core::name::{Kind, Name};
use crate::core::redact::Rules;
use crate::core::select::{Selection, Selector};
use crate::core::version::{Authorship, Skip, Source, Version, check_name};
use crate::error::{Error, Result};
use crate::instance::{Identity, Instance};
use crate::limits;
use crate::store::Store;
use crate::tree::{self, Settle};

/// Asks for a snapshot.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Commit {
    /// The pod that gets the version.
    pub pod: String,
    /// What the author says about it; none: peapod says what changed.
    pub message: Option<String>,
    /// What of the instance is taken; the rest keeps the parent's value.
    pub selection: Selection,
    /// Fails when anything has to be skipped.
    pub strict: bool,
    /// Lets the instance's state replace the head's: also where the instance is not known, or stands for an older version.
    pub replace: bool,
    /// Rules for what is withheld, beside the team's: see [`crate::core::redact`].
    #[serde(default)]
    pub redact: Vec<String>,
}

/// The version that now holds the state.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CommitOutcome {
    /// The version.
    #[serde(flatten)]
    pub version: VersionView,
    /// Whether it is new; an unchanged state makes none.
    pub made: bool,
    /// What differs from its first parent.
    pub changes: Counts,
    /// How many values each rule keeps out of it.
    #[serde(default)]
    pub withheld: Vec<Withheld>,
}

/// Commits the caller's instance.
pub async fn run(app: &App, cx: &Context, request: Commit, events: &Events) -> Result<CommitOutcome> {
    check_name("a pod's name", &request.pod)?;
    if request.message.as_ref().is_some_and(|message| message.len() > limits::MESSAGE) {
        return Err(Error::usage(format!("the message is longer than {} bytes", limits::MESSAGE)));
    }
    let instance = cx.connect(None, events).await?;
    of(app, &*instance, request, events).await
}

/// Commits this instance.
pub async fn of(app: &App, instance: &dyn Instance, request: Commit, events: &Events) -> Result<CommitOutcome> {
    let selector = Selector::new(request.selection.clone())?;
    let rules = withholding::rules(app, &request.redact)?;
    let _session = app.store.session();
    journal::recover(app, instance, events).await?;
    let identity = instance.identify().await?;
    let head = local_head(&app.store, &request.pod)?;
    let root = head.map(|head| Version::read(&*app.store, &head)).transpose()?.map(|version| version.root);
    accounts::visit(&app.store, instance, root.as_slice())?;
    let captured = capture_without(app, instance, &selector, &rules, events).await?;
    warn_of_nothing(&app.store, &captured, root.as_ref(), events).await?;
    if request.strict && !captured.skipped.is_empty() {
        let first = &captured.skipped[0];
        return Err(Error::failed(format!(
            "{} of the instance could not be captured: {}: {}",
            counted(captured.skipped.len(), "part"),
            first.prefix.join("/"),
            first.reason
        ))
        .hint("leave --strict away to commit the rest"));
    }
    let done = tokio::task::block_in_place(|| record(app, instance.url(), &identity, &request, &captured, &rules))?;
    if done.version.author.is_none() {
        let text = "the pod's head had moved on since this instance was put in or taken, so both were merged; `peapod diff \
                    NAME --instance` shows what the instance does not hold of it; `commit --replace` would have gone back \
                    to the instance's state";
        events.warn(text).await;
    }
    Ok(done)
}

/// Makes the version of what was captured, and remembers it.
fn record(
    app: &App,
    url: &str,
    identity: &Identity,
    request: &Commit,
    captured: &Captured,
    rules: &Rules,
) -> Result<CommitOutcome> {
    let store = &*app.store;
    let pod = &request.pod;
    let head = local_head(store, pod)?;
    let memory = Memory::of(store, url, pod, captured)?;
    let mut snapshot = match (&memory, &head) {
        (Some(memory), _) => {
            let root = Version::read(store, &memory.version)?.root;
            let live = memory.live(store, &root, captured)?;
            match head {
                Some(head) if request.replace && !versions::contains(store, &memory.version, &head)? => {
                    in_place_of(store, head, live, captured)?
                }
                _ => Snapshot { parent: Some((memory.version, root)), root: live },
            }
        }
        (None, Some(head)) => on_top_of(app, pod, head, captured, request.replace)?,
        (None, None) => Snapshot { parent: None, root: captured.root },
    };
    // What the instance does not show stays as the parent has it: the rules are for that too.
    let withheld;
    (snapshot.root, withheld) = withholding::withhold(store, &snapshot.root, rules)?;
    let name = match snapshot.parent {
        Some((parent, root)) if root == snapshot.root => parent,
        _ => version(app, identity, request, captured, &snapshot)?.write(store, &app.secret)?,
    };
    mark_held(store, &[(Kind::Version, name)])?;
    let remembered = match &memory {
        Some(memory) => {
            let is_proven = memory.is_proven_by(store, captured)?;
            let marks = if is_proven { memory.marks_after(captured) } else { memory.marks.clone() };
            Memory { version: name, echo: memory.echo_after(store, captured)?, marks }
        }
        None => Memory { version: name, echo: captured.root, marks: captured.marks.clone() },
    };
    let new_head = match head {
        // The local head has moved on since the instance's version: both count.
        Some(head) if !versions::contains(store, &name, &head)? => {
            let between = Between {
                ours: Party { name: "instance", version: Some(name) },
                theirs: Party { name: "head", version: Some(head) },
                hint: "",
            };
            let merged = merging::merge_versions(app, pod, &[name, head], between, Settle::List, "");
            match merged {
                Ok(merged) => merged.version,
                Err(error) => {
                    store.update(&[versions::keep_snapshot(pod, &name)])?;
                    return Err(error.hint(format!(
                        "the snapshot is kept as {pod}@{0}: `peapod merge {pod} @{0} @{1} --prefer a` lets it win, `--prefer b` the head",
                        name.short(),
                        head.short()
                    )));
                }
            }
        }
        _ => name,
    };
    store.update(&[set_local_head(pod, &new_head), remembered.write(url, pod)?])?;
    let version = Version::read(store, &new_head)?;
    let before = match version.parents.first() {
        Some(parent) => Version::read(store, parent)?.root,
        None => tree::empty(store)?,
    };
    Ok(CommitOutcome {
        version: VersionView::new(app, &new_head, &version)?,
        made: head != Some(new_head),
        changes: Counts::between(store, &before, &version.root)?,
        withheld,
    })
}

struct Snapshot {
    /// The version it follows, and that version's tree.
    parent: Option<(Name, Name)>,
    root: Name,
}

/// A snapshot that takes the head back to the instance's state, an older one, in what was selected and could be seen.
fn in_place_of(store: &Store, head: Name, live: Name, captured: &Captured) -> Result<Snapshot> {
    let root = Version::read(store, &head)?.root;
    let mut changes = tree::diff(store, &root, &live)?
        .filter(|change| !matches!(change, Ok(change) if !captured.proves_absence(&change.address)));
    Ok(Snapshot { parent: Some((head, root)), root: tree::edit(store, &root, &mut changes)? })
}

/// A snapshot on top of the local head, of an instance that peapod knows nothing of: a fresh one, or one restarted.
///
/// What the head has and the instance lacks may have been deleted, lost in the restart, or never been there; only the
/// user can tell, so leaving it out needs `--replace`.
fn on_top_of(app: &App, pod: &str, head: &Name, captured: &Captured, replace: bool) -> Result<Snapshot> {
    let store = &*app.store;
    let root = Version::read(store, head)?.root;
    let gone = |change: &tree::Change| change.after.is_none() && captured.proves_absence(&change.address);
    let mut missing = vec![];
    let mut count = 0;
    for change in tree::diff(store, &root, &captured.root)? {
        let change = change?;
        if gone(&change) {
            count += 1;
            if missing.len() < 3 {
                missing.push(change.address.to_string());
            }
        }
    }
    if count > 0 && !replace {
        let more = if count > missing.len() { ", .." } else { "" };
        return Err(Error::conflict(format!(
            "the instance lacks {} that pod \"{pod}\" has ({}{more}), and peapod can't tell whether that was deleted or the \
             instance was restarted",
            counted(count, "record"),
            missing.join(", ")
        ))
        .hint(format!("`peapod inject {pod}` brings them back; `peapod commit {pod} --replace` leaves them out")));
    }
    let changes = tree::diff(store, &root, &captured.root)?;
    let root_now = if replace {
        let mut changes = changes.filter(|change| match change {
            Ok(change) => change.after.is_some() || gone(change),
            Err(_) => true,
        });
        tree::edit(store, &root, &mut changes)?
    } else {
        // Nothing tells what this instance drops: a record counts by what it has, not by what it lacks.
        let changes = changes.filter(|change| !matches!(change, Ok(change) if change.after.is_none()));
        let unknown = changes.map(|change| change.map(|change| tree::Change { before: None, ..change }));
        memory::overlay(store, &root, Box::new(unknown))?
    };
    Ok(Snapshot { parent: Some((*head, root)), root: root_now })
}

fn version(
    app: &App,
    identity: &Identity,
    request: &Commit,
    captured: &Captured,
    snapshot: &Snapshot,
) -> Result<Version> {
    let mut skipped = captured.skipped.clone();
    if skipped.len() > limits::VERSION_SKIPPED {
        let rest = skipped.len() - (limits::VERSION_SKIPPED - 1);
        skipped.truncate(limits::VERSION_SKIPPED - 1);
        skipped.push(Skip { prefix: vec![], reason: format!("and {rest} more") });
    }
    Ok(Version {
        pod: request.pod.clone(),
        parents: snapshot.parent.iter().map(|(parent, _)| *parent).collect(),
        root: snapshot.root,
        authorship: Some(Authorship { author: app.secret.author(), created: now() }),
        message: request.message.clone().unwrap_or_default(),
        source: Some(Source {
            emulator: identity.emulator.clone(),
            version: identity.version.clone(),
            schema: crate::instance::SCHEMA,
        }),
        stats: tree::stats(&*app.store, &snapshot.root)?,
        skipped,
    })
}
