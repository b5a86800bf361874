//! Carrying out a plan: the ordered operations that take an instance from its live state to a target state.
//!
//! The plan is never held in memory: it is the difference of two trees, walked once per stage that has something to do.
//! Deletes run first, in falling order of their stages, then puts in rising order. What acts by itself is switched on
//! last, by a second call.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use crate::app::events::{Counter, Unit};
use crate::app::target::Owners;
use crate::app::views::{Counts, Lost, PlanStep};
use crate::app::{App, Events};
use crate::core::address::Address;
use crate::core::name::Name;
use crate::core::record::Record;
use crate::core::version::Skip;
use crate::core::withheld;
use crate::error::{Kind, Result};
use crate::instance::{Instance, Stage, Step};
use crate::limits;
use crate::tree::{self, Change};
use futures::StreamExt;

/// A plan: three trees and how to go from one to another.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What the instance really holds, as the capture saw it.
    pub actual: Name,
    /// The state it stands for, with what it does not keep.
    pub from: Name,
    /// The state it shall stand for.
    pub to: Name,
    /// Puts what acts by itself back switched off.
    pub paused: bool,
    /// What the capture could not see and so must not be put on top of.
    pub skipped: Vec<Skip>,
}

/// Puts in the order in which they run; deletes run in the reverse order.
const STAGES: [Stage; 7] =
    [Stage::Foundation, Stage::Resource, Stage::Dependent, Stage::Item, Stage::Published, Stage::Mapped, Stage::Acting];

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Delete(Stage),
    Put(Stage),
}

/// Everything but switching on what acts.
fn quiet_phases() -> impl Iterator<Item = Phase> {
    let deletes = STAGES.into_iter().rev().map(Phase::Delete);
    deletes.chain(STAGES.into_iter().filter(|stage| *stage != Stage::Acting).map(Phase::Put))
}

impl Phase {
    fn of(instance: &dyn Instance, change: &Change) -> Phase {
        let stage = instance.stage(&change.address);
        if change.after.is_some() { Phase::Put(stage) } else { Phase::Delete(stage) }
    }
}

impl Plan {
    /// The operations in the order in which they would run.
    pub fn operations(&self, app: &App, instance: &dyn Instance) -> Result<Vec<PlanStep>> {
        let mut operations = vec![];
        for phase in quiet_phases().chain([Phase::Put(Stage::Acting)]) {
            for change in tree::diff(&*app.store, &self.from, &self.to)? {
                let change = change?;
                if Phase::of(instance, &change) == phase && self.obstacle(&change).is_none() {
                    let op = match (&change.before, &change.after) {
                        (None, _) => "create",
                        (_, Some(_)) => "update",
                        (_, None) => "delete",
                    };
                    operations.push(PlanStep { op: op.to_owned(), address: change.address.to_string() });
                }
            }
        }
        Ok(operations)
    }

    /// Why a change is not tried: the instance hides what may be there already.
    fn obstacle(&self, change: &Change) -> Option<&Skip> {
        self.skipped.iter().find(|skip| skip.covers(change.address.parts()))
    }
}

/// What carrying out a plan came to.
#[derive(Debug, Default)]
pub struct Done {
    /// Counts.
    pub applied: Counts,
    /// What the instance refused.
    pub lost: Vec<Lost>,
}

/// Carries out all but what acts by itself. An error means that the instance stands somewhere between two states.
pub async fn run_quiet(app: &App, instance: &dyn Instance, plan: &Plan, events: &Events) -> Result<Done> {
    run(app, instance, plan, quiet_phases(), events).await
}

/// Puts back what acts by itself, after [`run_quiet`].
pub async fn run_acting(app: &App, instance: &dyn Instance, plan: &Plan, events: &Events) -> Result<Done> {
    run(app, instance, plan, [Phase::Put(Stage::Acting)].into_iter(), events).await
}

async fn run(
    app: &App,
    instance: &dyn Instance,
    plan: &Plan,
    phases: impl Iterator<Item = Phase>,
    events: &Events,
) -> Result<Done> {
    let phases: Vec<Phase> = phases.collect();
    let mut changes: BTreeMap<Phase, u64> = BTreeMap::new();
    for change in tree::diff(&*app.store, &plan.from, &plan.to)? {
        *changes.entry(Phase::of(instance, &change?)).or_default() += 1;
    }
    let total = phases.iter().filter_map(|phase| changes.get(phase)).sum();
    let counter = events.counter("changing", Some(total), Unit::Items);
    let mut run = Run { app, instance, plan, events, counter, state: Mutex::default() };
    for phase in phases.into_iter().filter(|phase| changes.contains_key(phase)) {
        run.phase(phase).await?;
    }
    let settled = instance.settle(&*app.store).await?;
    for note in settled.notes {
        events.warn(note).await;
    }
    for (address, reason) in settled.refused {
        run.lose(&address, reason);
    }
    run.done()
}

struct Run<'a> {
    app: &'a App,
    instance: &'a dyn Instance,
    plan: &'a Plan,
    events: &'a Events,
    counter: Counter,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    done: Done,
    refused: BTreeSet<Address>,
    failed: bool,
}

impl Run<'_> {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn phase(&mut self, phase: Phase) -> Result<()> {
        let this = &*self;
        let store = &*this.app.store;
        let changes = tree::diff(store, &this.plan.from, &this.plan.to)?;
        let (mut before, mut after) = (Owners::default(), Owners::default());
        // A container takes what it holds with it.
        let mut goes_with_owner = |change: &Change| -> Result<bool> {
            Ok(phase == Phase::Delete(Stage::Item)
                && before.has(store, &this.plan.from, &change.address)?
                && !after.has(store, &this.plan.to, &change.address)?)
        };
        let mut actual = tree::Lookup::new(store, &this.plan.actual)?;
        let mut with_before = |change: Change| {
            if goes_with_owner(&change)? { Ok(None) } else { Ok(Some((actual.get(&change.address)?, change))) }
        };
        let wanted = changes.filter_map(|change| match change {
            Ok(change) if Phase::of(this.instance, &change) != phase => None,
            Ok(change) => with_before(change).transpose(),
            Err(error) => Some(Err(error)),
        });
        let mut steps = futures::stream::iter(wanted)
            .map(|wanted: Result<(Option<Record>, Change)>| async move {
                let (before, change) = wanted?;
                if this.state().failed {
                    return Ok(());
                }
                this.events.check()?;
                this.change(before, change).await
            })
            .buffer_unordered(limits::INSTANCE_REQUESTS);
        // After a failure nothing new is begun, but what is under way ends before anybody looks at the instance again.
        let mut failure = None;
        while let Some(done) = steps.next().await {
            if let Err(error) = done {
                this.state().failed = true;
                failure.get_or_insert(error);
            }
        }
        failure.map_or(Ok(()), Err)
    }

    /// `before` is what really stands there.
    async fn change(&self, before: Option<Record>, change: Change) -> Result<()> {
        if let Some(skip) = self.plan.obstacle(&change) {
            self.lose(&change.address, format!("not visible in this instance: {}", skip.reason));
            return Ok(());
        }
        if let Some(owner) = change.address.owner().filter(|owner| self.state().refused.contains(owner)) {
            self.lose(&change.address, format!("{owner} was refused or left out"));
            return Ok(());
        }
        let store = &*self.app.store;
        let mut after = change.after.as_ref().map(|leaf| leaf.record(store)).transpose()?;
        if let Some(record) = after.as_mut().filter(|record| withheld::has_withheld(record)) {
            // An instance keeps what the pod does not say, and goes without what neither has.
            let known = before.as_ref().map_or_else(|| record.clone(), |before| withheld::reveal(record, before));
            let (whole, missing) = withheld::without(&known);
            if !withheld::can_be_without(&change.address, &missing) {
                if before.is_none() {
                    self.state().refused.insert(change.address);
                }
                return Ok(());
            }
            *record = whole;
        }
        let step = Step { before, after, address: change.address, paused: self.plan.paused };
        match self.instance.apply(&step, store).await {
            Ok(()) => {
                let went = match &step.after {
                    None if step.address.owner().is_none() => self.held(&step.address)?,
                    _ => 0,
                };
                let mut state = self.state();
                let applied = &mut state.done.applied;
                match (&change.before, &step.after) {
                    (_, None) => applied.removed += 1 + went,
                    (None, _) => applied.added += 1,
                    (Some(_), _) => applied.changed += 1,
                }
                drop(state);
                self.counter.add(1 + went);
                Ok(())
            }
            Err(error) if error.kind() == Kind::Denied => {
                self.lose(&step.address, error.chain());
                if step.before.is_none() {
                    self.state().refused.insert(step.address);
                }
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// How many items went with this container.
    fn held(&self, container: &Address) -> Result<u64> {
        let mut count = 0;
        for entry in tree::scan(&*self.app.store, &self.plan.from, container.parts())? {
            let address = entry?.address;
            count += u64::from(address != *container && self.instance.stage(&address) == Stage::Item);
        }
        Ok(count)
    }

    fn lose(&self, address: &Address, reason: String) {
        let mut state = self.state();
        if state.done.lost.len() < limits::LOST {
            state.done.lost.push(Lost { address: address.to_string(), reason });
        }
    }

    fn done(self) -> Result<Done> {
        let mut state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        state.done.lost.sort();
        Ok(state.done)
    }
}
