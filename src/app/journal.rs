//! The journal of an inject: how an instance that was left half changed gets to one end or the other.
//!
//! Before the first step the journal names the state before and the plan; after the last one it goes, in the same
//! transaction that remembers the new state. A step that fails is rolled back at once; a command that was killed, by the
//! next command that meets the instance.

use serde::{Deserialize, Serialize};

use crate::app::accounts;
use crate::app::apply::{self, Plan};
use crate::app::capture::{Captured, capture, capture_differing};
use crate::app::memory::{Again, Memory};
use crate::app::target::with_containers;
use crate::app::views::Lost;
use crate::app::{App, Events};
use crate::core::address::Address;
use crate::core::codec::{self, Format};
use crate::core::name::Name;
use crate::core::select::Selector;
use crate::error::{Context, Error, Result};
use crate::instance::Instance;
use crate::store::{Store, Table, Write};
use crate::tree;

/// An inject under way.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Journal {
    /// What the instance held before, as the capture saw it. Its marks tell whether it is still the same instance.
    pub before: Memory,
    /// The tree that the plan leads from.
    pub from: Name,
    /// The tree that the plan leads to.
    pub to: Name,
}

impl Format for Journal {
    const NUMBER: u8 = 1;
    const LIMIT: usize = <Memory as Format>::LIMIT;
    const WORD: &'static str = "the journal of an inject";
}

impl Journal {
    /// Beginning, as a change of the store.
    pub fn begin(&self, url: &str) -> Result<Write> {
        Ok(Write::Put(Table::Journal, url.as_bytes().to_vec(), codec::encode(self)?))
    }

    /// Ending, as a change of the store.
    pub fn end(url: &str) -> Write {
        Write::Remove(Table::Journal, url.as_bytes().to_vec())
    }

    /// Every inject under way: gc keeps what they name.
    pub fn all(store: &Store) -> Result<Vec<Journal>> {
        store.list(Table::Journal, b"")?.iter().map(|(_, bytes)| codec::decode(bytes)).collect()
    }

    /// Puts back what the plan has touched: whatever stands at its addresses now becomes what stood there before.
    pub async fn roll_back(&self, app: &App, instance: &dyn Instance, events: &Events) -> Result<()> {
        let events = &events.to_the_end();
        let now = capture(app, instance, &Selector::all(), events).await?;
        let lost = self.restore(app, instance, &now, events).await?;
        for lost in &lost {
            events.warn(format!("could not be put back: {}: {}", lost.address, lost.reason)).await;
        }
        let again = capture_differing(app, instance, &self.from, &self.to, events).await?;
        let again = again.map(|captured| Again { captured, other: self.to, wanted: self.from });
        let mut writes = Memory::put_back(&app.store, instance.url(), &self.before, &lost, again.as_ref())?;
        writes.push(Journal::end(instance.url()));
        app.store.update(&writes)
    }

    /// Whether the instance may be the one that the inject went into. Where the plan itself was to delete all that
    /// tells instances apart, there is no telling, and putting back is the safer guess.
    fn may_be_of(&self, store: &Store, now: &Captured) -> Result<bool> {
        if self.before.is_of(store, now)? {
            return Ok(true);
        }
        for address in self.before.marks.keys().filter_map(|address| Address::parse(address).ok()) {
            if tree::get(store, &self.to, &address)?.is_some() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn restore(&self, app: &App, instance: &dyn Instance, now: &Captured, events: &Events) -> Result<Vec<Lost>> {
        let store = &*app.store;
        let mut from = tree::Lookup::new(store, &self.from)?;
        let mut to = tree::Lookup::new(store, &self.to)?;
        let mut touched = |address: &Address| -> Result<bool> { Ok(from.get(address)? != to.get(address)?) };
        let mut back = tree::diff(store, &now.root, &self.before.echo)?.filter_map(|change| match change {
            Ok(change) => match touched(&change.address) {
                Ok(true) => Some(Ok(change)),
                Ok(false) => None,
                Err(error) => Some(Err(error)),
            },
            Err(error) => Some(Err(error)),
        });
        let plan = Plan {
            actual: now.root,
            from: now.root,
            to: with_containers(store, &now.root, &tree::edit(store, &now.root, &mut back)?)?,
            paused: false,
            skipped: now.skipped.clone(),
        };
        let mut lost = apply::run_quiet(app, instance, &plan, events).await?.lost;
        lost.extend(apply::run_acting(app, instance, &plan, events).await?.lost);
        Ok(lost)
    }
}

/// Fails where an inject into this instance was cut off: for commands that may not change it.
pub fn require_none(app: &App, url: &str) -> Result<()> {
    match app.store.read(Table::Journal, url.as_bytes())? {
        None => Ok(()),
        Some(_) => Err(Error::failed(format!("an earlier inject into {url} was cut off"))
            .hint("any `peapod commit`, `inject` or `undo` there puts back what it changed; then try again")),
    }
}

/// Brings an inject into this instance that was cut off to its beginning. To be called before anything else is done
/// with an instance.
pub async fn recover(app: &App, instance: &dyn Instance, events: &Events) -> Result<()> {
    let Some(bytes) = app.store.read(Table::Journal, instance.url().as_bytes())? else { return Ok(()) };
    let journal: Journal = codec::decode(&bytes)?;
    accounts::visit(&app.store, instance, &[journal.from, journal.to])?;
    let now = capture(app, instance, &Selector::all(), events).await?;
    if !journal.may_be_of(&app.store, &now)? {
        events.warn(format!("{} was restarted after an inject was cut off; nothing to put back", instance.url())).await;
        return app.store.update(&[Journal::end(instance.url())]);
    }
    events.warn(format!("an earlier inject into {} was cut off; putting back what it changed", instance.url())).await;
    journal.roll_back(app, instance, events).await.context("can't put back what a cut-off inject had changed")
}
