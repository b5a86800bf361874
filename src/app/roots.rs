//! What must be kept: everything that gc and fsck begin at.

use crate::app::journal::Journal;
use crate::app::memory::Memory;
use crate::app::state::App;
use crate::app::team;
use crate::app::undo::UndoEntry;
use crate::core::name::{Kind, Name};
use crate::error::Result;
use crate::store::Table;

/// Every version and tree that something here names.
#[derive(Debug, Default)]
pub struct Roots {
    /// One's own heads and kept snapshots.
    pub own: Vec<Name>,
    /// Everybody's signed heads.
    pub heads: Vec<Name>,
    /// Versions that are only remembered: what instances stood for, what can be undone.
    pub remembered: Vec<Name>,
    /// Trees of the same.
    pub trees: Vec<Name>,
}

impl Roots {
    /// Collects them.
    pub fn of(app: &App) -> Result<Roots> {
        let store = &*app.store;
        let mut roots = Roots::default();
        for table in [Table::Refs, Table::Pins] {
            let names = store.list(table, b"")?.into_iter().filter_map(|(_, name)| name.try_into().ok().map(Name));
            roots.own.extend(names);
        }
        for pod in team::pods_with_heads(app)? {
            roots.heads.extend(team::member_heads(app, &pod)?.into_iter().map(|(_, version)| version));
        }
        for memory in Memory::all(store)? {
            roots.remember(&memory);
        }
        for undo in UndoEntry::all(store)? {
            roots.remembered.push(undo.version);
            roots.trees.extend([undo.before, undo.after]);
            if let Some(memory) = &undo.memory {
                roots.remember(memory);
            }
        }
        for journal in Journal::all(store)? {
            roots.remember(&journal.before);
            roots.trees.extend([journal.from, journal.to]);
        }
        Ok(roots)
    }

    fn remember(&mut self, memory: &Memory) {
        self.remembered.push(memory.version);
        self.trees.push(memory.echo);
    }

    /// All of them, as the store takes them.
    pub fn objects(&self) -> Vec<(Kind, Name)> {
        let versions = self.own.iter().chain(&self.heads).chain(&self.remembered).map(|name| (Kind::Version, *name));
        versions.chain(self.trees.iter().map(|name| (Kind::Node, *name))).collect()
    }
}
