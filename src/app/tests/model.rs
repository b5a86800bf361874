//! A small instance in memory, to put peapod's own logic to the test: what it makes of an instance that keeps less than
//! it is told, hides things, fails in the middle and starts over. It says nothing about any real emulator.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard};

use async_trait::async_trait;

use crate::core::address::Address;
use crate::core::content::Contents;
use crate::core::record::Record;
use crate::core::select::Selector;
use crate::core::value::Value;
use crate::core::version::Skip;
use crate::error::{Error, Result};
use crate::instance::{Identity, Instance, Sink, Stage, Step};

/// An attribute that a poor instance forgets.
pub const DROPPED: &str = "Class";
/// An attribute that a poor instance gives every bucket, whatever it was told.
pub const ADDED: &str = "Zone";
/// Whether what acts is switched on.
pub const ENABLED: &str = "Enabled";

/// The state by address.
pub type Records = BTreeMap<Address, Record>;

/// One instance.
pub struct Model {
    url: String,
    poor: bool,
    world: Mutex<World>,
}

/// A failure to come, counted in steps.
#[derive(Debug, Clone, Copy)]
pub struct Failure {
    /// Steps that still go well.
    pub after: usize,
    /// Whether the failing step is carried out all the same: its answer is lost.
    pub done: bool,
}

#[derive(Default)]
struct World {
    records: Records,
    marks: BTreeMap<Address, u64>,
    made: u64,
    hidden: Vec<Vec<String>>,
    failure: Option<Failure>,
    refused: Option<Address>,
    /// Whether the failure to come is the last thing it does, and whether it has come.
    dies: bool,
    dead: bool,
}

impl Model {
    /// An empty instance. A poor one drops an attribute and one kind, refuses another, and adds an attribute.
    pub fn new(url: &str, poor: bool) -> Model {
        Model { url: url.to_owned(), poor, world: Mutex::default() }
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    /// What it holds.
    pub fn records(&self) -> Records {
        self.world().records.clone()
    }

    /// What it would hold of these records.
    pub fn keeps(&self, records: &Records) -> Records {
        let kept = |(address, record): (&Address, &Record)| Some((address.clone(), self.kept(address, record)?));
        let kept: Records = records.iter().filter_map(kept).collect();
        let owned = |address: &Address| address.owner().is_none_or(|owner| kept.contains_key(&owner));
        kept.iter().filter(|(address, _)| owned(address)).map(|(a, r)| (a.clone(), r.clone())).collect()
    }

    fn kept(&self, address: &Address, record: &Record) -> Option<Record> {
        let mut record = record.clone();
        if self.poor {
            record.attributes.remove(DROPPED);
            if address.kind() == "bucket" && address.owner().is_none() {
                record.attributes.insert(ADDED.to_owned(), Value::text("z"));
            }
        }
        (!self.poor || !matches!(address.kind(), "ghost" | "mist")).then_some(record)
    }

    /// The user's hand: puts a record where its owner is. Says whether that changed anything.
    pub fn put(&self, address: &Address, record: &Record) -> bool {
        let before = self.records();
        let _ = self.set(address, Some(record));
        before != self.records()
    }

    /// The user's hand: deletes a record and its items. Gives what went.
    pub fn delete(&self, address: &Address) -> BTreeSet<Address> {
        let before = self.records();
        let _ = self.set(address, None);
        let after = self.records();
        before.into_keys().filter(|address| !after.contains_key(address)).collect()
    }

    /// Empty, as a new process is.
    pub fn restart(&self) {
        let mut world = self.world();
        world.records.clear();
        world.marks.clear();
    }

    /// Captures skip what lies under these leading parts from now on.
    pub fn hide(&self, prefixes: Vec<Vec<String>>) {
        self.world().hidden = prefixes;
    }

    /// Refuses every record at this address from now on.
    pub fn refuse(&self, address: Option<Address>) {
        self.world().refused = address;
    }

    /// A step to come fails.
    pub fn fail(&self, failure: Option<Failure>) {
        self.world().failure = failure;
    }

    /// Whether every step after the failure to come fails too. Living again, it has what it had.
    pub fn die(&self, dies: bool) {
        let mut world = self.world();
        (world.dies, world.dead) = (dies, false);
    }

    /// Whether the failure is still to come.
    pub fn will_fail(&self) -> bool {
        self.world().failure.is_some()
    }

    fn set(&self, address: &Address, record: Option<&Record>) -> Result<()> {
        let mut world = self.world();
        let Some(record) = record else {
            let below = |other: &Address| other == address || other.owner().as_ref() == Some(address);
            world.records.retain(|other, _| !below(other));
            world.marks.retain(|other, _| !below(other));
            return Ok(());
        };
        if address.owner().is_some_and(|owner| !world.records.contains_key(&owner)) {
            return Err(Error::denied(format!("{address} has no owner here")));
        }
        if self.poor && address.kind() == "ghost" || world.refused.as_ref() == Some(address) {
            return Err(Error::denied("no such kind here"));
        }
        let Some(kept) = self.kept(address, record) else { return Ok(()) };
        let is_new = world.records.insert(address.clone(), kept).is_none();
        if is_new && address.owner().is_none() {
            world.made += 1;
            let made = world.made;
            world.marks.insert(address.clone(), made);
        }
        Ok(())
    }
}

#[async_trait]
impl Instance for Model {
    fn url(&self) -> &str {
        &self.url
    }

    async fn identify(&self) -> Result<Identity> {
        let (emulator, account) = ("model".to_owned(), "000000000000".to_owned());
        Ok(Identity { emulator, version: String::new(), account, services: vec![] })
    }

    fn regions(&self) -> Vec<String> {
        vec!["here".to_owned(), "global".to_owned()]
    }

    async fn capture(&self, selector: &Selector, sink: &dyn Sink) -> Result<()> {
        let world = self.world();
        let skips = world.hidden.iter().map(|prefix| Skip { prefix: prefix.clone(), reason: "hidden".to_owned() });
        let skips: Vec<Skip> = skips.collect();
        skips.iter().for_each(|skip| sink.skip(skip.clone()));
        for (address, record) in &world.records {
            let asked = selector.may_match(address.account(), address.region(), address.service());
            if !asked || skips.iter().any(|skip| skip.covers(address.parts())) {
                continue;
            }
            if let Some(mark) = world.marks.get(address) {
                sink.mark(address, &mark.to_string());
            }
            if sink.wants(address) {
                sink.record(address.clone(), record.clone())?;
            }
        }
        Ok(())
    }

    fn stage(&self, address: &Address) -> Stage {
        match (address.owner(), address.kind()) {
            (Some(_), _) => Stage::Item,
            (None, "role") => Stage::Foundation,
            (None, "mapping") => Stage::Acting,
            (None, _) => Stage::Resource,
        }
    }

    async fn apply(&self, step: &Step, _contents: &dyn Contents) -> Result<()> {
        let failure = {
            let mut world = self.world();
            if world.dead {
                return Err(Error::failed("the instance is dead"));
            }
            let there = world.records.get(&step.address);
            assert_eq!(step.before.as_ref(), there, "a step at {} knows what stands there", step.address);
            match world.failure {
                Some(failure) if failure.after == 0 => {
                    world.dead = world.dies;
                    world.failure.take()
                }
                Some(failure) => {
                    world.failure = Some(Failure { after: failure.after - 1, ..failure });
                    None
                }
                None => None,
            }
        };
        let mut after = step.after.clone();
        if let Some(record) = after.as_mut().filter(|_| step.paused && self.stage(&step.address) == Stage::Acting) {
            record.attributes.insert(ENABLED.to_owned(), Value::text("no"));
        }
        match failure {
            None => self.set(&step.address, after.as_ref()),
            Some(failure) => {
                if failure.done {
                    self.set(&step.address, after.as_ref())?;
                }
                Err(Error::failed("the instance fails"))
            }
        }
    }

    async fn reset(&self) -> Result<()> {
        self.restart();
        Ok(())
    }
}
