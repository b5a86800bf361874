//! The journal of an inject: how an instance that was left half changed gets to one end or the other.
//!
//! Before the first step the journal names the state before and the plan; after the last one it goes, in the same
//! transaction that remembers the new state. A step that fails is rolled back at once; a command that was killed, by the
//! next command that meets the instance.

use serde::{Deserialize, Serialize};

use crate::app::apply::{self, Plan};
use crate::app::capture::{Captured, capture};
use crate::app::memory::Memory;
use crate::app::{App, Events};
use crate::core::codec::{self, Format};
use crate::core::name::Name;
use crate::core::select::Selector;
use crate::error::{Context, Result};
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
        let now = capture(app, instance, &Selector::all(), events).await?;
        if self.before.is_of(&now) {
            self.restore(app, instance, &now, events).await?;
        }
        app.store.update(&[Journal::end(instance.url())])
    }

    async fn restore(&self, app: &App, instance: &dyn Instance, now: &Captured, events: &Events) -> Result<()> {
        let store = &*app.store;
        let touched = |address: &crate::core::address::Address| -> Result<bool> {
            Ok(tree::get(store, &self.from, address)? != tree::get(store, &self.to, address)?)
        };
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
            to: tree::edit(store, &now.root, &mut back)?,
            paused: false,
            skipped: now.skipped.clone(),
        };
        apply::run_quiet(app, instance, &plan, events).await?;
        apply::run_acting(app, instance, &plan, events).await?;
        Ok(())
    }
}

/// Brings an inject into this instance that was cut off to its beginning. To be called before anything else is done
/// with an instance.
pub async fn recover(app: &App, instance: &dyn Instance, events: &Events) -> Result<()> {
    let Some(bytes) = app.store.read(Table::Journal, instance.url().as_bytes())? else { return Ok(()) };
    let journal: Journal = codec::decode(&bytes)?;
    events.warn(format!("an earlier inject into {} was cut off; putting back what it changed", instance.url())).await;
    journal.roll_back(app, instance, events).await.context("can't put back what a cut-off inject had changed")
}
