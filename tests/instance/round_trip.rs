//! The round trips that every service must stand: made by boto3, captured, put into every make, captured again.

use std::collections::{BTreeMap, BTreeSet};

use peapod::core::address::Address;
use peapod::core::record::Record;
use peapod::instance::Step;

use crate::common::captured::{Captured, connect};
use crate::common::emulators::{Emulator, Make, has_boto3};

/// Some services, and what is known about them.
pub(crate) struct Trip {
    pub services: &'static [&'static str],
    /// Makes the state.
    pub state: &'static str,
    /// Changes it.
    pub changes: &'static str,
    /// Prints what there is, a line for each thing, without what is generated.
    pub seen: &'static str,
    /// What a make does not keep of the state, wherever it comes from: `ADDRESS ATTRIBUTE`, `-ADDRESS`. What an
    /// instance can't even hold is not there to be lost.
    pub not_kept: fn(Make) -> BTreeSet<String>,
    /// What a make says it can't capture of the state: the beginnings of skips.
    pub skipped: fn(Make) -> &'static [&'static str],
    /// What is made anew when the changes are undone, with another creation date: `ADDRESS`.
    pub anew: fn(Make) -> &'static [&'static str],
}

impl Trip {
    /// An empty instance; none if its make is not installed or lacks one of the services here, which is said.
    pub async fn start(&self, make: Make) -> Option<Emulator> {
        let emulator = Emulator::start(make)?;
        let captured = Captured::of_services(&connect(&emulator.url).await, self.services).await;
        let lacking = captured.skips.lock().unwrap().iter().find(|skip| skip.prefix.len() == 3).cloned();
        match lacking {
            Some(skip) if make == Make::LocalStack => {
                println!("skipped: {} of localstack, which needs a download: {}", skip.prefix.join("/"), skip.reason);
                None
            }
            _ => Some(emulator),
        }
    }

    pub async fn captured(&self, emulator: &Emulator) -> Captured {
        let captured = Captured::of_services(&connect(&emulator.url).await, self.services).await;
        for service in self.services {
            let skipped = captured.skipped(service);
            let known = |line: &String| (self.skipped)(emulator.make).iter().any(|start| line.starts_with(start));
            let unknown: Vec<&String> = skipped.iter().filter(|line| !known(line)).collect();
            assert_eq!(unknown, Vec::<&String>::new(), "{}", emulator.make.name());
        }
        captured
    }

    /// The state goes from every make into every make, and only what is written down differs.
    pub async fn goes_from_every_make_into_every_make(&self) {
        if !has_boto3() {
            return;
        }
        let mut wrong = Vec::new();
        for source in makes() {
            let Some(from) = self.start(source).await else { continue };
            println!("{}: {}", source.name(), from.boto3(self.state));
            let first = self.captured(&from).await;
            let again = self.captured(&from).await;
            assert_eq!(differences(&first, &again), lines(&[]), "{} looked at twice", source.name());
            assert_eq!(*first.marks.lock().unwrap(), *again.marks.lock().unwrap());
            let seen = from.boto3(self.seen);
            drop(from);
            for target in makes() {
                let Some(into) = self.start(target).await else { continue };
                bring(&self.captured(&into).await, &first, &into).await;
                let second = self.captured(&into).await;
                let names = format!("{} into {}", source.name(), target.name());
                let mut expected = (self.not_kept)(target);
                // What the source does not keep either is not there to be lost.
                expected.retain(|line| !(self.not_kept)(source).contains(line) && holds(&first, line));
                let lost = differences(&first, &second);
                if lost != expected {
                    wrong.push(format!("{names}: {lost:#?}, not {expected:#?}"));
                }
                let there = into.boto3(self.seen);
                let account = if source == Make::Moto { "123456789012" } else { "000000000000" };
                if (source == Make::Moto) != (target == Make::Moto) && there.contains(account) {
                    wrong.push(format!("{names}: boto3 sees the account of the source: {there}"));
                }
                if source == target {
                    let (here, there): (BTreeSet<_>, BTreeSet<_>) = (seen.lines().collect(), there.lines().collect());
                    wrong.extend(here.difference(&there).map(|line| format!("{names}, for boto3 without {line}")));
                    wrong.extend(there.difference(&here).map(|line| format!("{names}, for boto3 with {line}")));
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    /// Changes are undone without making things anew, a step carried out again changes nothing, and deletes leave nothing.
    pub async fn changes_are_undone_and_deletes_leave_nothing(&self) {
        if !has_boto3() {
            return;
        }
        let mut wrong = Vec::new();
        for make in makes() {
            let Some(emulator) = self.start(make).await else { continue };
            let empty = self.captured(&emulator).await;
            emulator.boto3(self.state);
            let then = self.captured(&emulator).await;
            // Another client, as after a crash: nothing remembers what was done already.
            then.restore(&connect(&emulator.url).await).await;
            let again = self.captured(&emulator).await;
            if differences(&then, &again) != lines(&[]) {
                wrong.push(format!("{} is changed by a second time: {:#?}", make.name(), differences(&then, &again)));
            }
            println!("{}: {}", make.name(), emulator.boto3(self.changes));
            let now = self.captured(&emulator).await;
            assert_ne!(differences(&then, &now), lines(&[]));
            bring(&now, &then, &emulator).await;
            let undone = self.captured(&emulator).await;
            let left = differences(&then, &undone);
            if !left.is_empty() {
                wrong.push(format!("{} is not as it was: {left:#?}", make.name()));
            }
            // What is made anew has another date or id.
            let (old, new) = (then.marks.lock().unwrap().clone(), undone.marks.lock().unwrap().clone());
            let both = old.iter().filter_map(|(address, mark)| Some((address, mark, new.get(address)?)));
            let anew = both.filter(|(_, old, new)| old != new).map(|(address, ..)| address.to_string());
            let anew: BTreeSet<String> = anew.collect();
            if anew != lines((self.anew)(make)) {
                wrong.push(format!("{} made {anew:#?} anew", make.name()));
            }
            bring(&undone, &empty, &emulator).await;
            let left = differences(&empty, &self.captured(&emulator).await);
            if !left.is_empty() {
                wrong.push(format!("{} is not empty: {left:#?}", make.name()));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

/// The makes to try: all, or those that `PEAPOD_MAKES` names while something is being built.
fn makes() -> Vec<Make> {
    let named = std::env::var("PEAPOD_MAKES").unwrap_or_default();
    Make::ALL.into_iter().filter(|make| named.is_empty() || named.contains(make.name())).collect()
}

pub(crate) fn records(captured: &Captured) -> BTreeMap<Address, Record> {
    captured.records.lock().unwrap().clone()
}

/// Brings an instance from what one capture has to what another has, as an inject does: deletes first.
pub(crate) async fn bring(now: &Captured, then: &Captured, into: &Emulator) {
    let (have, want) = (records(now), records(then));
    let addresses: BTreeSet<&Address> = have.keys().chain(want.keys()).collect();
    let steps = addresses.into_iter().map(|address| Step {
        address: address.clone(),
        before: have.get(address).cloned(),
        after: want.get(address).cloned(),
        paused: false,
    });
    let steps: Vec<Step> = steps.filter(|step| step.before != step.after).collect();
    let (deletes, puts): (Vec<Step>, Vec<Step>) = steps.into_iter().partition(|step| step.after.is_none());
    let aws = connect(&into.url).await;
    then.apply(&aws, deletes).await;
    then.apply(&aws, puts).await;
}

/// How a second capture differs from a first: `ADDRESS ATTRIBUTE` for another value (`body` for the body), `-ADDRESS` and
/// `+ADDRESS` for a record that only one has.
pub(crate) fn differences(first: &Captured, second: &Captured) -> BTreeSet<String> {
    let (old, new) = (records(first), records(second));
    let mut lines = BTreeSet::new();
    for (address, record) in &old {
        let Some(other) = new.get(address) else {
            lines.insert(format!("-{address}"));
            continue;
        };
        let names = record.attributes.keys().chain(other.attributes.keys());
        let differing = names.filter(|name| record.attributes.get(*name) != other.attributes.get(*name));
        lines.extend(differing.map(|name| format!("{address} {name}")));
        if record.body != other.body {
            lines.insert(format!("{address} body"));
        }
    }
    lines.extend(new.keys().filter(|address| !old.contains_key(*address)).map(|address| format!("+{address}")));
    lines
}

pub(crate) fn lines(lines: &[&str]) -> BTreeSet<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}

/// Whether a capture has the record that a line of [`Trip::not_kept`] names, and its attribute if it must.
fn holds(captured: &Captured, line: &str) -> bool {
    let records = records(captured);
    let record = |address: &str| records.get(&Address::parse(address).unwrap());
    match (line.strip_prefix('-'), line.rsplit_once(' ')) {
        (Some(address), _) => record(address).is_some(),
        (None, Some((address, "body"))) => record(address).is_some(),
        (None, Some((address, attribute))) => record(address).is_some_and(|r| r.attributes.contains_key(attribute)),
        (None, None) => false,
    }
}
