//! `undo`: takes back the last inject. The instance gets back what the inject changed, and keeps what changed since.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::app::accounts;
use crate::app::apply::{self, Plan};
use crate::app::capture::{Captured, capture, capture_differing};
use crate::app::conflicts::{self, Between, Party};
use crate::app::context::Context;
use crate::app::events::Events;
use crate::app::journal::{self, Journal};
use crate::app::memory::{Again, Memory};
use crate::app::state::App;
use crate::app::strategy::Strategy;
use crate::app::views::InjectOutcome;
use crate::core::codec::{self, Format};
use crate::core::name::Name;
use crate::core::select::Selector;
use crate::error::{Error, Result};
use crate::instance::Instance;
use crate::limits;
use crate::store::{Store, Table, Write};
use crate::tree::{self, Settle};

/// The sides of an undo's conflicts.
const BETWEEN: Between<'static> = Between {
    ours: Party { name: "instance", version: None },
    theirs: Party { name: "the state before the inject", version: None },
    hint: "",
};

/// Asks to take back the last inject into the caller's instance.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Undo {}

/// What an inject changed and what was remembered before it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct UndoEntry {
    /// The instance.
    pub url: String,
    /// The pod.
    pub pod: String,
    /// The version that was put in.
    pub version: Name,
    /// What the instance held before: a tree.
    pub before: Name,
    /// What it held after: a tree.
    pub after: Name,
    /// Creation dates and generated ids after it, to recognise the instance.
    pub marks: BTreeMap<String, String>,
    /// What was remembered of the instance before.
    pub memory: Option<Memory>,
    /// Whether that was proven to be of the same instance.
    pub is_proven: bool,
}

impl Format for UndoEntry {
    const NUMBER: u8 = 1;
    const LIMIT: usize = 2 * <Memory as Format>::LIMIT;
    const WORD: &'static str = "an undo entry";
}

impl UndoEntry {
    /// Adding it, as changes of the store; the oldest beyond [`limits::UNDOS`] go.
    pub fn append(&self, store: &Store) -> Result<Vec<Write>> {
        let entries = store.list(Table::Oplog, b"")?;
        let next = entries.last().and_then(|(key, _)| number(key)).map_or(0, |last| last + 1);
        let mut writes = vec![Write::Put(Table::Oplog, next.to_be_bytes().to_vec(), codec::encode(self)?)];
        let surplus = (entries.len() + 1).saturating_sub(limits::UNDOS);
        writes.extend(entries.into_iter().take(surplus).map(|(key, _)| Write::Remove(Table::Oplog, key)));
        Ok(writes)
    }

    /// Every entry: gc keeps what they name.
    pub fn all(store: &Store) -> Result<Vec<UndoEntry>> {
        store.list(Table::Oplog, b"")?.iter().map(|(_, bytes)| codec::decode(bytes)).collect()
    }

    /// Forgetting those of one instance, as changes of the store.
    pub fn forget(store: &Store, url: &str) -> Result<Vec<Write>> {
        let mut writes = vec![];
        for (key, bytes) in store.list(Table::Oplog, b"")? {
            if codec::decode::<UndoEntry>(&bytes)?.url == url {
                writes.push(Write::Remove(Table::Oplog, key));
            }
        }
        Ok(writes)
    }

    fn last(store: &Store, url: &str) -> Result<Option<(Vec<u8>, UndoEntry)>> {
        for (key, bytes) in store.list(Table::Oplog, b"")?.into_iter().rev() {
            let entry: UndoEntry = codec::decode(&bytes)?;
            if entry.url == url {
                return Ok(Some((key, entry)));
            }
        }
        Ok(None)
    }
}

fn number(key: &[u8]) -> Option<u64> {
    key.try_into().ok().map(u64::from_be_bytes)
}

/// Takes back the last inject into the caller's instance.
pub async fn run(app: &App, cx: &Context, _request: Undo, events: &Events) -> Result<InjectOutcome> {
    let instance = cx.connect(None, events).await?;
    last_of(app, &*instance, events).await
}

/// Takes back the last inject into this instance.
pub async fn last_of(app: &App, instance: &dyn Instance, events: &Events) -> Result<InjectOutcome> {
    let _session = app.store.session();
    journal::recover(app, instance, events).await?;
    let store = &*app.store;
    let Some((key, entry)) = UndoEntry::last(store, instance.url())? else {
        return Err(Error::not_found(format!("no inject into {} to take back", instance.url())));
    };
    accounts::visit(store, instance, &[])?;
    let now = capture(app, instance, &Selector::all(), events).await?;
    let then = Memory { version: entry.version, echo: entry.after, marks: entry.marks.clone() };
    if !then.is_of(store, &now)? {
        return Err(Error::conflict(format!("{} has been restarted or emptied since the inject", instance.url()))
            .hint("there is nothing to take back; inject the version you want"));
    }
    let seen = then.echo_after(store, &now)?;
    let merged = tree::merge(store, Some(&entry.after), &seen, &entry.before, Settle::List)?;
    if !merged.conflicts.is_empty() {
        return Err(conflicts::error(app, BETWEEN, &entry.pod, &merged.conflicts)
            .hint("these were changed after the inject; commit first, then inject the version you want with --strategy overwrite"));
    }
    let plan = Plan { actual: now.root, from: seen, to: merged.root, paused: false, skipped: now.skipped.clone() };
    let journal = Journal {
        before: Memory { version: entry.version, echo: now.root, marks: now.marks.clone() },
        from: plan.from,
        to: plan.to,
    };
    store.update(&[journal.begin(instance.url())?])?;
    let (mut done, again) = match carry_out(app, instance, &plan, events).await {
        Ok(done) => done,
        Err(error) => {
            journal.roll_back(app, instance, events).await?;
            return Err(error);
        }
    };
    done.lost.sort();
    let again = again.map(|captured| Again { captured, other: plan.from, wanted: plan.to });
    let memory = match &entry.memory {
        Some(memory) => memory
            .clone()
            .without(store, &done.lost, again.as_ref())?
            .made_again(again.as_ref().filter(|_| entry.is_proven))
            .write(&entry.url, &entry.pod)?,
        None => Memory::forget(&entry.url, &entry.pod),
    };
    store.update(&[Journal::end(instance.url()), memory, Write::Remove(Table::Oplog, key)])?;
    Ok(InjectOutcome {
        pod: entry.pod,
        version: entry.memory.map(|memory| memory.version.to_string()),
        strategy: Strategy::Overwrite,
        applied: done.applied,
        conflicts: vec![],
        lost: done.lost,
        withheld: vec![],
        plan: None,
    })
}

/// What was done, and how the instance looks where that was.
async fn carry_out(
    app: &App,
    instance: &dyn Instance,
    plan: &Plan,
    events: &Events,
) -> Result<(apply::Done, Option<Captured>)> {
    let mut done = apply::run_quiet(app, instance, plan, events).await?;
    let acted = apply::run_acting(app, instance, plan, events).await?;
    done.applied.added += acted.applied.added;
    done.applied.changed += acted.applied.changed;
    done.lost.extend(acted.lost);
    Ok((done, capture_differing(app, instance, &plan.from, &plan.to, events).await?))
}
