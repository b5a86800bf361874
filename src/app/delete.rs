//! `delete`: a pod goes, or its newest version.

use serde::{Deserialize, Serialize};

use crate::app::context::Context;
use crate::app::events::Events;
use crate::app::memory::Memory;
use crate::app::resolve::resolve;
use crate::app::state::App;
use crate::app::team;
use crate::app::versions::{self, local_head, set_local_head};
use crate::core::name::Name;
use crate::core::reference::Reference;
use crate::error::{Error, Result};
use crate::store::{Table, Write};

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
    /// The version that went, and with it what followed it; for a whole pod its head.
    pub deleted: String,
    /// Its head before; none where it had none.
    pub was: Option<String>,
    /// Its head now; none when the pod is gone.
    pub version: Option<String>,
}

/// Removes it. Space comes back with `gc`; what teammates hold is theirs.
pub async fn run(app: &App, _cx: &Context, request: Delete, events: &Events) -> Result<DeleteOutcome> {
    let store = &*app.store;
    let pod = request.reference.pod();
    let name = resolve(app, &request.reference)?;
    let head = local_head(store, pod)?;
    let gone = |version: Option<Name>| DeleteOutcome {
        pod: pod.to_owned(),
        deleted: name.to_string(),
        was: head.map(|head| head.to_string()),
        version: version.map(|version| version.to_string()),
    };
    let pushed: Vec<Name> = team::member_heads(app, pod)?.into_iter().map(|(_, head)| head).collect();
    let known = match request.reference.is_version() {
        true => versions::ancestors(store, &pushed)?.iter().any(|(version, _)| *version == name),
        false => !pushed.is_empty(),
    };
    if known {
        let what = &request.reference;
        let text = format!(
            "{what} was pushed: teammates who have it keep it, and the next `peapod pull {pod}` brings it back"
        );
        events.warn(text).await;
    }
    if !request.reference.is_version() {
        let mut writes = vec![Write::Remove(Table::Refs, pod.as_bytes().to_vec())];
        writes.extend(Memory::forget_pod(store, pod)?);
        writes.extend(versions::snapshots(store, pod)?.iter().map(|name| versions::drop_snapshot(pod, name)));
        store.update(&writes)?;
        return Ok(gone(None));
    }
    if versions::snapshots(store, pod)?.contains(&name) {
        store.update(&[versions::drop_snapshot(pod, &name)])?;
        return Ok(gone(head));
    }
    let line = match head {
        Some(head) => versions::first_parents(store, head).collect::<Result<Vec<_>>>()?,
        None => vec![],
    };
    let Some(place) = line.iter().position(|(version, _)| *version == name) else {
        return Err(Error::denied(format!("{} is not on the line of your head", request.reference))
            .hint(format!("`peapod log {pod}` numbers the versions that can be deleted")));
    };
    let back = line[place].1.parents.first().copied();
    let mut writes = match back {
        Some(parent) => vec![set_local_head(pod, &parent)],
        None => vec![Write::Remove(Table::Refs, pod.as_bytes().to_vec())],
    };
    // An instance that stands for a deleted version would bring it back with its next commit.
    for (version, _) in &line[..=place] {
        writes.extend(Memory::forget_version(store, pod, version)?);
    }
    store.update(&writes)?;
    Ok(gone(back))
}
