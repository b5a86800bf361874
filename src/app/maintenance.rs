//! `gc` and `fsck`: the store's upkeep.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::app::context::Context;
use crate::app::events::{Events, Unit};
use crate::app::reach;
use crate::app::roots::Roots;
use crate::app::state::App;
use crate::core::name::Kind;
use crate::error::{Error, Result};
use crate::store::{Checked, Store, Table, Write};

/// How long a repair waits to meet teammates, and for each of their answers.
const REACH: Duration = Duration::from_secs(10);

/// Asks to reclaim what nothing reaches.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Gc {}

/// What was reclaimed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GcOutcome {
    /// Objects dropped.
    pub objects: u64,
    /// Objects kept.
    pub kept: u64,
    /// Bytes by which the packs shrank.
    pub freed: u64,
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

/// Reclaims what neither heads, nor pins, nor what is remembered of instances reach.
pub async fn gc(app: &App, _cx: &Context, _request: Gc, _events: &Events) -> Result<GcOutcome> {
    let roots = Roots::of(app)?.objects();
    let done = tokio::task::block_in_place(|| app.store.gc(&roots))?;
    Ok(GcOutcome { objects: done.dropped, kept: done.kept, freed: done.freed })
}

/// Verifies. Damage that is left is an error whose details are the outcome.
pub async fn fsck(app: &App, _cx: &Context, request: Fsck, events: &Events) -> Result<FsckOutcome> {
    let store = &*app.store;
    let mut checked = check(app, events)?;
    let mut repaired = 0;
    if request.repair && !checked.is_sound() {
        let broken = damages(&checked).len();
        tokio::task::block_in_place(|| store.repair(&checked))?;
        forget_shortcuts(store)?;
        fetch_again(app, events).await?;
        checked = check(app, events)?;
        repaired = broken.saturating_sub(damages(&checked).len()) as u64;
    }
    let outcome = FsckOutcome { objects: checked.objects, bytes: checked.bytes, damaged: damages(&checked), repaired };
    if checked.is_sound() {
        return Ok(outcome);
    }
    let count = outcome.damaged.len();
    let first = outcome.damaged.first().map(|damage| format!("{} {}: {}", damage.kind, damage.name, damage.reason));
    let hint = if request.repair {
        "no connected teammate has what is missing; try again when one who does is there (`peapod peers`)"
    } else {
        "`peapod fsck --repair` sets it aside and fetches what is lost from teammates"
    };
    Err(Error::failed(format!("{count} damaged or missing: {}", first.unwrap_or_default()))
        .hint(hint)
        .details(serde_json::to_value(&outcome).unwrap_or_default()))
}

/// Checks everything. What one's own heads need is always promised to be there: a head moves only to what is held.
fn check(app: &App, events: &Events) -> Result<Checked> {
    let roots = Roots::of(app)?;
    app.store.mark_complete(&roots.own)?;
    tokio::task::block_in_place(|| {
        let progress = &mut |done, total| events.progress("checking", done, Some(total), Unit::Bytes);
        app.store.fsck(&roots.objects(), progress)
    })
}

/// Drops the marks and the remembered bodies that let a fetch or a capture pass over what is held: any of them may
/// vouch for what was lost.
fn forget_shortcuts(store: &Store) -> Result<()> {
    for table in [Table::Complete, Table::Bodies] {
        let keys = store.list(table, b"")?;
        let writes: Vec<Write> = keys.into_iter().map(|(key, _)| Write::Remove(table, key)).collect();
        store.update(&writes)?;
    }
    Ok(())
}

/// Fetches what is missing under any head from whoever has it. What nobody has stays missing, and is found again.
async fn fetch_again(app: &App, events: &Events) -> Result<()> {
    if app.team.roster().is_none() {
        return Ok(());
    }
    let node = reach::node(app).await?;
    reach::teammates(app, node, REACH, events).await?;
    let roots = Roots::of(app)?;
    // One's own versions are fetched without being published: not all of them were ever pushed.
    for version in &roots.own {
        if let Err(error) = node.fetch_objects(vec![(Kind::Version, *version)], false, REACH, events).await {
            events.warn(format!("{}: {}", version.short(), error.chain())).await;
        }
    }
    for version in &roots.heads {
        if let Err(error) = node.fetch(version, false, REACH, events).await {
            events.warn(format!("{}: {}", version.short(), error.chain())).await;
        }
    }
    Ok(())
}

fn damages(checked: &Checked) -> Vec<Damage> {
    let broken = checked.damages.iter().map(|damage| match damage.object {
        Some((kind, name)) => Damage {
            name: name.to_string(),
            kind: kind.word().to_owned(),
            reason: format!("{}, in {}", damage.what, damage.pack.display()),
        },
        None => {
            Damage { name: damage.pack.display().to_string(), kind: "pack".to_owned(), reason: damage.what.clone() }
        }
    });
    let missing = checked.missing.iter().filter(|missing| missing.promised).map(|missing| Damage {
        name: missing.object.1.to_string(),
        kind: missing.object.0.word().to_owned(),
        reason: match missing.by {
            Some((kind, name)) => format!("missing, and {} {} refers to it", kind.word(), name.short()),
            None => "missing, and a head names it".to_owned(),
        },
    });
    broken.chain(missing).collect()
}
