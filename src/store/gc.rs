//! Garbage collection: keeps what some roots reach, and gives the room of the rest back.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use super::rows::{PackRow, State};
use super::{Store, walk};
use crate::core::name::{Kind, Name};
use crate::error::{Error, Result};
use crate::limits;

/// What [`Store::gc`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Collected {
    /// Objects that were kept.
    pub kept: u64,
    /// Objects that were dropped.
    pub dropped: u64,
    /// Bytes by which the packs shrank.
    pub freed: u64,
    /// Objects below the roots that are not held, because a fetch left them out.
    pub missing: u64,
}

impl Store {
    /// Keeps what the roots reach and drops everything else, marks included. The caller knows what roots there are:
    /// heads, refs, pins, the undo log, what is remembered of instances.
    ///
    /// Waits for sessions to end. Safe at any interruption: what is half done is finished at the next opening or gc.
    /// Stops before it drops anything if something under a `complete` mark is missing or anything is damaged.
    pub fn gc(&self, roots: &[(Kind, Name)]) -> Result<Collected> {
        let _alone = self.alone(limits::ALONE_WAIT)?;
        self.flush()?;
        let _rewriting = self.inner.rewriting.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.inner.index.packs();
        let mut report = Collected::default();
        let reached = walk::reach(self, roots, &mut |gap| {
            let missing = gap.error.kind() == crate::error::Kind::NotFound;
            if gap.promised || !missing {
                let (kind, name) = gap.object;
                return Err(Error::failed(format!("{} {name} is missing or damaged", kind.word()))
                    .because(gap.error)
                    .hint("nothing was dropped; run `peapod fsck --repair` first"));
            }
            report.missing += 1;
            Ok(())
        })?;
        let mut live: BTreeMap<u32, u64> = BTreeMap::new();
        report.dropped = self.inner.index.write(|change| {
            live.clear();
            report.kept = 0;
            change.retain_objects(|name, place| {
                // What came since into other packs is not looked at.
                let keep = reached.contains(name) || !before.contains_key(&place.pack);
                if keep {
                    report.kept += 1;
                    *live.entry(place.pack).or_default() += u64::from(place.stored);
                }
                keep
            })
        })?;
        drop(reached);
        let mostly_dead = |number: &u32, row: &PackRow| {
            live.get(number).copied().unwrap_or(0) < row.length / 2 && !self.is_promised(*number)
        };
        for state in [State::Private, State::Served] {
            let mut dead = before.clone();
            dead.retain(|number, row| row.state == state && mostly_dead(number, row));
            self.rewrite(&dead, state)?;
            self.merge_small(state, 2)?;
        }
        let length = |packs: &BTreeMap<u32, PackRow>| packs.values().map(|row| row.length).sum::<u64>();
        report.freed = length(&before).saturating_sub(length(&self.inner.index.packs()));
        Ok(report)
    }
}
