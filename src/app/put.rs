//! Putting a version into an instance: the heart of `inject` and `pull`.
//!
//! Look, decide, write down, change, look again: the capture before gives the plan and the way back; the capture after is
//! the echo, and shows what the instance did not keep.

use std::collections::BTreeSet;

use crate::app::accounts;
use crate::app::apply::{self, Plan};
use crate::app::capture::{Captured, capture, look, warn_of_nothing};
use crate::app::conflicts::{self, Between};
use crate::app::journal::{self, Journal};
use crate::app::memory::{Memory, overlay};
use crate::app::strategy::{OnConflict, Strategy};
use crate::app::target::{Sides, target};
use crate::app::undo::UndoEntry;
use crate::app::versions;
use crate::app::views::{ConflictView, Counts, InjectOutcome, Lost, counted};
use crate::app::withholding;
use crate::app::{App, Events};
use crate::core::address::Address;
use crate::core::name::Name;
use crate::core::select::Selector;
use crate::core::version::{Skip, Version};
use crate::core::withheld;
use crate::error::{Error, Result};
use crate::instance::{Instance, Stage};
use crate::limits;
use crate::store::{Session, Store};
use crate::tree::{self, Change};

/// How a version is put into an instance.
#[derive(Debug, Clone)]
pub struct Options {
    /// How it meets what is there.
    pub strategy: Strategy,
    /// Which side conflicts go to.
    pub on_conflict: OnConflict,
    /// What of it.
    pub selector: Selector,
    /// Whether what acts by itself stays switched off.
    pub paused: bool,
    /// Whether anything lost is an error, and rolled back.
    pub strict: bool,
    /// Whether a version that the instance's history contains is left alone (`pull`) or brings back what is missing.
    pub only_news: bool,
}

/// A decided but not yet begun change of an instance.
pub struct Prepared {
    /// Keeps gc away from what was captured.
    _session: Session,
    version: Name,
    pod: String,
    options: Options,
    captured: Captured,
    /// What was remembered of the instance, if it is still the same one.
    memory: Option<Memory>,
    /// Whether that is proven, so that new marks may stand beside its echo.
    is_proven: bool,
    /// What is known of the instance before the change: the capture, and what was not selected as last seen.
    seen: Memory,
    /// The state of the instance before, in full.
    live: Name,
    pod_root: Name,
    /// The version that the instance will stand for afterwards.
    stands_for: Name,
    plan: Plan,
    conflicts: Vec<ConflictView>,
    /// What the version does not have for this instance.
    withheld: Vec<Lost>,
}

/// What the look afterwards shows of what was put in.
struct Kept {
    lost: Vec<Lost>,
    /// Where it can't be looked at: service and reason.
    unseen: BTreeSet<(String, String)>,
}

/// Captures the instance and decides on the target. Unsettled conflicts are an error; nothing is changed.
pub async fn prepare(
    app: &App,
    instance: &dyn Instance,
    version: &Name,
    options: Options,
    events: &Events,
) -> Result<Prepared> {
    let session = app.store.session();
    journal::recover(app, instance, events).await?;
    let root = Version::read(&*app.store, version)?.root;
    accounts::visit(&app.store, instance, &[root])?;
    let captured = capture(app, instance, &options.selector, events).await?;
    warn_of_nothing(&app.store, &captured, Some(&root), events).await?;
    tokio::task::block_in_place(|| decide(app, instance, version, options, captured, session))
}

fn decide(
    app: &App,
    instance: &dyn Instance,
    name: &Name,
    options: Options,
    captured: Captured,
    session: Session,
) -> Result<Prepared> {
    let store = &*app.store;
    let version = Version::read(store, name)?;
    versions::require_complete(store, &version.pod, name)?;
    let memory = Memory::of(store, instance.url(), &version.pod, &captured)?;
    let (live, base, contained) = match &memory {
        Some(memory) => {
            let root = Version::read(store, &memory.version)?.root;
            let live = memory.live(store, &root, &captured)?;
            let contained = versions::contains(store, &memory.version, name)?;
            (live, versions::base(store, &memory.version, name)?, contained)
        }
        None => (captured.root, None, false),
    };
    let decided = if contained && options.only_news {
        (live, vec![])
    } else {
        let sides = Sides { live: &live, pod: &version.root, base: base.as_ref(), contained };
        let target = target(store, options.strategy, options.on_conflict, sides, &options.selector)?;
        (target.root, target.conflicts)
    };
    let (to, conflicts) = decided;
    if options.on_conflict == OnConflict::Fail && !conflicts.is_empty() {
        return Err(conflicts::error(app, Between::instance_and_pod(*name), &version.pod, &conflicts));
    }
    let older = contained && !matches!(options.strategy, Strategy::Overwrite | Strategy::AccountRegion);
    let stands_for = match &memory {
        Some(memory) if older => memory.version,
        _ => *name,
    };
    // An inject that was asked for tries again what the instance did not take, or took switched off.
    let (mut target, mut pod) = (tree::Lookup::new(store, &to)?, tree::Lookup::new(store, &version.root)?);
    let becomes_the_pods = |address: &Address| Ok(target.get(address)? == pod.get(address)?);
    let from = match options.only_news {
        true => live,
        false => to_try_again(store, instance, options.strategy, &live, &captured, becomes_the_pods)?,
    };
    let to = withholding::revealed(store, &from, &to)?;
    let withheld = withholding::not_brought(store, &from, &to)?;
    let plan = Plan { actual: captured.root, from, to, paused: options.paused, skipped: captured.skipped.clone() };
    let seen = match &memory {
        Some(memory) => Memory {
            version: stands_for,
            echo: memory.echo_after(store, &captured)?,
            marks: memory.marks_after(&captured),
        },
        None => Memory { version: stands_for, echo: captured.root, marks: captured.marks.clone() },
    };
    let is_proven = memory.as_ref().map_or(Ok(true), |memory| memory.is_proven_by(store, &captured))?;
    Ok(Prepared {
        is_proven,
        withheld,
        version: *name,
        _session: session,
        live,
        seen,
        pod_root: Version::read(store, &stands_for)?.root,
        stands_for,
        conflicts: conflicts::views(app, Between::instance_and_pod(*name), &conflicts)?,
        pod: version.pod,
        options,
        captured,
        memory,
        plan,
    })
}

/// The state of the instance in full, but where an inject that was asked for tries again: what the capture proves is not
/// there, what acts as it is, and what `overwrite` and `account-region` shall make exactly the pod's.
fn to_try_again(
    store: &Store,
    instance: &dyn Instance,
    strategy: Strategy,
    live: &Name,
    captured: &Captured,
    mut becomes_the_pods: impl FnMut(&Address) -> Result<bool>,
) -> Result<Name> {
    let exactly = matches!(strategy, Strategy::Overwrite | Strategy::AccountRegion);
    let mut tries = |change: &Change| -> Result<bool> {
        match change.after {
            None => Ok(captured.proves_absence(&change.address)),
            Some(_) if instance.stage(&change.address) == Stage::Acting => Ok(true),
            Some(_) => Ok(exactly && becomes_the_pods(&change.address)?),
        }
    };
    let mut again = tree::diff(store, live, &captured.root)?.filter_map(|change| match change {
        Ok(change) => match tries(&change) {
            Ok(true) => Some(Ok(change)),
            Ok(false) => None,
            Err(error) => Some(Err(error)),
        },
        Err(error) => Some(Err(error)),
    });
    tree::edit(store, live, &mut again)
}

impl Prepared {
    /// What would be done.
    pub fn dry_run(&self, app: &App, instance: &dyn Instance) -> Result<InjectOutcome> {
        let operations = self.plan.operations(app, instance)?;
        let count = |op: &str| operations.iter().filter(|operation| operation.op == op).count() as u64;
        let applied = Counts { added: count("create"), changed: count("update"), removed: count("delete") };
        Ok(InjectOutcome { plan: Some(operations), ..self.outcome(applied, vec![]) })
    }

    fn outcome(&self, applied: Counts, lost: Vec<Lost>) -> InjectOutcome {
        InjectOutcome {
            pod: self.pod.clone(),
            version: Some(self.version.to_string()),
            strategy: self.options.strategy,
            applied,
            conflicts: self.conflicts.clone(),
            lost,
            withheld: self.withheld.clone(),
            plan: None,
        }
    }

    /// Changes the instance. On failure it is put back as it was.
    pub async fn carry_out(self, app: &App, instance: &dyn Instance, events: &Events) -> Result<InjectOutcome> {
        let journal = Journal {
            before: Memory { version: self.version, echo: self.captured.root, marks: self.captured.marks.clone() },
            from: self.plan.from,
            to: self.plan.to,
        };
        app.store.update(&[journal.begin(instance.url())?])?;
        match self.change(app, instance, events).await {
            Ok(outcome) => Ok(outcome),
            Err(error) => match journal.roll_back(app, instance, events).await {
                Ok(()) => Err(error.in_front("the inject failed and was rolled back")),
                Err(rollback) => {
                    tracing::warn!(error = rollback.chain(), "rollback failed");
                    let hint = format!(
                        "{} is between two states ({}); the next peapod command that reaches it puts it back",
                        instance.url(),
                        rollback.chain()
                    );
                    Err(error.in_front("the inject failed").hint(hint))
                }
            },
        }
    }

    async fn change(&self, app: &App, instance: &dyn Instance, events: &Events) -> Result<InjectOutcome> {
        let store = &*app.store;
        let mut done = apply::run_quiet(app, instance, &self.plan, events).await?;
        let (quiet, mut hidden) = self.look_again(app, instance, events, &self.seen, false).await?;
        let acted = apply::run_acting(app, instance, &self.plan, events).await?;
        let (echo, marks) = if acted.applied.is_zero() {
            (quiet.echo, quiet.marks)
        } else {
            let (after, too) = self.look_again(app, instance, events, &quiet, true).await?;
            hidden.extend(too);
            let acting = tree::diff(store, &quiet.echo, &after.echo)?;
            let mut acting = acting
                .filter(|change| !matches!(change, Ok(change) if instance.stage(&change.address) != Stage::Acting));
            (tree::edit(store, &quiet.echo, &mut acting)?, after.marks)
        };
        done.applied.added += acted.applied.added;
        done.applied.changed += acted.applied.changed;
        done.lost.extend(acted.lost);
        let refused = done.lost.iter().map(|lost| lost.address.clone()).collect();
        let kept = self.not_kept(store, instance, &echo, &hidden, &refused)?;
        for (service, reason) in kept.unseen {
            events.warn(format!("{service}: put in, but this instance can't show it: {reason}")).await;
        }
        done.lost.extend(kept.lost);
        done.lost.sort();
        done.lost.dedup_by(|next, first| next.address == first.address);
        if self.options.strict && !done.lost.is_empty() {
            let first = &done.lost[0];
            return Err(Error::failed(format!(
                "{} would be lost: {}: {}",
                counted(done.lost.len(), "record"),
                first.address,
                first.reason
            ))
            .hint("leave --strict away to put in what the instance takes")
            .details(serde_json::json!({ "lost": done.lost })));
        }
        let kept = self.memory.as_ref().filter(|_| !self.is_proven).map_or(&marks, |memory| &memory.marks).clone();
        let memory = Memory { version: self.stands_for, echo: self.as_echo_of_the_version(store, &echo)?, marks: kept };
        let undo = UndoEntry {
            url: instance.url().to_owned(),
            pod: self.pod.clone(),
            version: self.version,
            before: self.seen.echo,
            after: echo,
            marks,
            memory: self.memory.clone(),
            is_proven: self.is_proven,
        };
        let mut writes = vec![Journal::end(instance.url()), memory.write(instance.url(), &self.pod)?];
        // One that changed nothing can be taken back too: else `undo` would take back another one than the last.
        writes.extend(undo.append(store)?);
        store.update(&writes)?;
        Ok(self.outcome(done.applied, done.lost))
    }

    /// Captures again the services that the plan touches, or those of them where something acts; the rest is as it was
    /// seen before. Gives what it could not see too.
    async fn look_again(
        &self,
        app: &App,
        instance: &dyn Instance,
        events: &Events,
        seen: &Memory,
        acting: bool,
    ) -> Result<(Memory, Vec<Skip>)> {
        let store = &*app.store;
        let mut services = BTreeSet::new();
        for change in tree::diff(store, &self.plan.from, &self.plan.to)? {
            let address = change?.address;
            if !acting || instance.stage(&address) == Stage::Acting {
                services.insert(address.service().to_owned());
            }
        }
        if services.is_empty() {
            return Ok((seen.clone(), vec![]));
        }
        // Nothing beyond what was selected: it was not looked at before, and would pass for something new.
        let selector = self.options.selector.of_services(services.into_iter().collect());
        let again = look(app, instance, &selector, events).await?;
        let memory =
            Memory { version: seen.version, echo: seen.echo_after(store, &again)?, marks: seen.marks_after(&again) };
        Ok((memory, again.skipped))
    }

    /// What the plan put in and the echo does not show. Under what the capture could not see (`hidden`) nothing is known
    /// to be lost.
    fn not_kept(
        &self,
        store: &Store,
        instance: &dyn Instance,
        echo: &Name,
        hidden: &[Skip],
        refused: &BTreeSet<String>,
    ) -> Result<Kept> {
        let (mut lost, mut unseen) = (vec![], BTreeSet::new());
        let mut kept = tree::Lookup::new(store, echo)?;
        for change in tree::diff(store, &self.plan.from, &self.plan.to)? {
            let change = change?;
            let Some(after) = &change.after else { continue };
            let wanted = after.record(store)?;
            if lost.len() >= limits::LOST {
                break;
            }
            // Asked for switched off, it is switched off.
            if self.options.paused && instance.stage(&change.address) == Stage::Acting {
                continue;
            }
            let reason = match kept.get(&change.address)? {
                None if !withheld::can_be_without(&change.address, &withheld::without(&wanted).1) => continue,
                None => "not kept by this instance".to_owned(),
                Some(kept) => {
                    let (wanted, _) = withheld::without(&withheld::reveal(&wanted, &kept));
                    let mut missing: Vec<&str> = wanted
                        .attributes
                        .iter()
                        .filter(|(name, value)| kept.attributes.get(*name) != Some(value))
                        .map(|(name, _)| name.as_str())
                        .collect();
                    if wanted.body != kept.body {
                        missing.push("body");
                    }
                    if missing.is_empty() {
                        continue;
                    }
                    format!("not kept as it was: {}", missing.join(", "))
                }
            };
            let address = change.address.to_string();
            match hidden.iter().find(|skip| skip.covers(change.address.parts())) {
                Some(_) if refused.contains(&address) => {}
                Some(skip) => {
                    unseen.insert((change.address.service().to_owned(), skip.reason.clone()));
                }
                None => lost.push(Lost { address, reason }),
            }
        }
        Ok(Kept { lost, unseen })
    }

    /// The echo as it would be if the instance held exactly the version it stands for.
    ///
    /// Where a local change was kept, the echo must show the version's value: else the next commit would take the local
    /// change for the version's own. Only what is known to be the user's change may differ so: a record that was there
    /// and is deleted here, or one that stands in the instance with another value. What was not selected, not put in or
    /// not kept is left as it was seen, since the next commit would take it for a deletion.
    fn as_echo_of_the_version(&self, store: &Store, echo: &Name) -> Result<Name> {
        let mut before = match &self.memory {
            Some(memory) => Some(tree::Lookup::new(store, &Version::read(store, &memory.version)?.root)?),
            None => None,
        };
        let mut live = tree::Lookup::new(store, &self.live)?;
        let mut seen = tree::Lookup::new(store, echo)?;
        let deep = self.options.strategy == Strategy::Deep;
        let passes_over = matches!(self.options.strategy, Strategy::Basic | Strategy::AccountRegion);
        let mut theirs = |change: &Change| -> Result<bool> {
            let address = &change.address;
            if !self.options.selector.matches(address) {
                return Ok(false);
            }
            let asks = if change.before.is_none() { deep } else { passes_over };
            let was = match &mut before {
                Some(before) if asks => Some(before.get(address)?),
                _ => None,
            };
            match (&change.before, was) {
                (None, Some(Some(_))) => Ok(live.get(address)?.is_none()),
                (None, _) => Ok(false),
                // Where a strategy passes over what is there, that is nobody's change but the user's own since.
                (Some(_), Some(was)) => Ok(was != live.get(address)? && seen.get(address)?.is_some()),
                (Some(_), None) if passes_over && change.after.is_some() => Ok(false),
                (Some(_), None) => Ok(seen.get(address)?.is_some()),
            }
        };
        let changes = tree::diff(store, &self.plan.to, &self.pod_root)?.filter_map(|change| match change {
            Ok(change) => match theirs(&change) {
                Ok(true) => Some(Ok(change)),
                Ok(false) => None,
                Err(error) => Some(Err(error)),
            },
            Err(error) => Some(Err(error)),
        });
        overlay(store, echo, Box::new(changes))
    }
}
