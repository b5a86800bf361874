//! A state made by boto3, captured from every make and put into every make, changed and changed back.

use std::collections::{BTreeMap, BTreeSet};

use peapod::core::address::Address;
use peapod::core::record::Record;
use peapod::instance::Step;
use peapod::instance::aws::Aws;

use crate::common::captured::{Captured, connect};
use crate::common::emulators::{Emulator, Make, has_boto3};

/// What a round trip is made of.
pub struct Trip {
    pub services: &'static [&'static str],
    /// Makes it.
    pub state: &'static str,
    /// Changes it.
    pub changes: &'static str,
    /// Prints it as boto3 sees it, a line for each thing.
    pub seen: &'static str,
    /// Makes what must stand in an instance beside it.
    pub around: &'static str,
    /// What a make does not keep of it, wherever it comes from: `ADDRESS ATTRIBUTE`.
    pub not_kept: fn(Make) -> BTreeSet<String>,
    /// The addresses that a make hides.
    pub hidden: fn(Make) -> BTreeSet<String>,
    /// Addresses at which the changes can't be taken back without making the thing anew.
    pub anew: &'static [&'static str],
}

fn records(captured: &Captured) -> BTreeMap<Address, Record> {
    captured.records.lock().unwrap().clone()
}

pub fn lines(lines: &[&str]) -> BTreeSet<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}

/// How a second capture differs from a first: `ADDRESS ATTRIBUTE` for another value, `-ADDRESS` and `+ADDRESS` for a
/// record that only one has.
pub fn differences(first: &Captured, second: &Captured) -> BTreeSet<String> {
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

/// Brings an instance from what one capture has to what another has, as an inject does: deletes first.
pub async fn bring(now: &Captured, then: &Captured, aws: &Aws) {
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
    then.apply(aws, deletes).await;
    then.apply(aws, puts).await;
}

impl Trip {
    fn start(&self, make: Make) -> Option<Emulator> {
        let emulator = Emulator::start(make)?;
        emulator.boto3(self.around);
        Some(emulator)
    }

    async fn captured(&self, emulator: &Emulator) -> Captured {
        self.captured_by(&connect(&emulator.url).await).await
    }

    async fn captured_by(&self, aws: &Aws) -> Captured {
        Captured::of_services(aws, self.services).await
    }

    /// Nothing is skipped but what a make hides.
    fn assert_skipped(&self, captured: &Captured, make: Make) {
        let skips = captured.skips.lock().unwrap();
        let places: BTreeSet<String> = skips.iter().map(|skip| skip.prefix.join("/")).collect();
        assert_eq!(places, (self.hidden)(make), "{}: {skips:#?}", make.name());
    }

    /// The state goes from every make into every make, and only what is said to be lost is.
    pub async fn goes_from_every_make_into_every_make(&self) {
        if !has_boto3() {
            return;
        }
        let mut wrong = Vec::new();
        for source in Make::ALL {
            let Some(from) = self.start(source) else { continue };
            println!("{}: {}", source.name(), from.boto3(self.state));
            let first = self.captured(&from).await;
            self.assert_skipped(&first, source);
            let again = self.captured(&from).await;
            assert_eq!(differences(&first, &again), lines(&[]), "{} looked at twice", source.name());
            assert_eq!(*first.marks.lock().unwrap(), *again.marks.lock().unwrap());
            let seen = from.boto3(self.seen);
            drop(from);
            for target in Make::ALL {
                let Some(into) = self.start(target) else { continue };
                let aws = connect(&into.url).await;
                bring(&self.captured_by(&aws).await, &first, &aws).await;
                // As an inject looks: with what it wrote in mind.
                let second = self.captured_by(&aws).await;
                let names = format!("{} into {}", source.name(), target.name());
                let mut expected = (self.not_kept)(target);
                expected.retain(|line| holds(&first, line));
                let mut lost = differences(&first, &second);
                // What the source keeps in part may be just the part that the target does not.
                for line in (self.not_kept)(source).iter().filter(|line| expected.remove(*line)) {
                    lost.remove(line);
                }
                if lost != expected {
                    wrong.push(format!("{names}: {lost:#?}, not {expected:#?}"));
                }
                let there = into.boto3(self.seen);
                let account = if source == Make::Moto { "123456789012" } else { "000000000000" };
                if (source == Make::Moto) != (target == Make::Moto) && there.contains(account) {
                    wrong.push(format!("{names}: boto3 sees the account of the source"));
                }
                if source == target && (self.hidden)(source).is_empty() {
                    let (here, there): (BTreeSet<_>, BTreeSet<_>) = (seen.lines().collect(), there.lines().collect());
                    wrong.extend(here.difference(&there).map(|line| format!("{names}, for boto3 without {line}")));
                    wrong.extend(there.difference(&here).map(|line| format!("{names}, for boto3 with {line}")));
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    /// What was changed changes back, in place; what is deleted leaves nothing.
    pub async fn changes_are_undone_and_deletes_leave_nothing(&self, deletes: &[Make]) {
        if !has_boto3() {
            return;
        }
        let mut wrong = Vec::new();
        for make in Make::ALL {
            let Some(emulator) = self.start(make) else { continue };
            let aws = connect(&emulator.url).await;
            let empty = self.captured_by(&aws).await;
            emulator.boto3(self.state);
            let then = self.captured_by(&aws).await;
            println!("{}: {}", make.name(), emulator.boto3(self.changes));
            let now = self.captured_by(&aws).await;
            assert_ne!(differences(&then, &now), lines(&[]));
            bring(&now, &then, &aws).await;
            let undone = self.captured_by(&aws).await;
            let left = differences(&then, &undone);
            if !left.is_empty() {
                wrong.push(format!("{} is not as it was: {left:#?}", make.name()));
            }
            // What is made anew has another mark.
            let (old, new) = (now.marks.lock().unwrap().clone(), undone.marks.lock().unwrap().clone());
            let both = old.iter().filter_map(|(address, mark)| Some((address, mark, new.get(address)?)));
            let anew = both.filter(|(_, old, new)| old != new).map(|(address, ..)| address.to_string());
            let anew: Vec<String> = anew.filter(|address| !self.anew.contains(&address.as_str())).collect();
            if !anew.is_empty() {
                wrong.push(format!("{} made {anew:#?} anew", make.name()));
            }
            if !deletes.contains(&make) {
                continue;
            }
            bring(&undone, &empty, &aws).await;
            let left = differences(&empty, &self.captured_by(&aws).await);
            if !left.is_empty() {
                wrong.push(format!("{} is not empty: {left:#?}", make.name()));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    /// A step that was cut off may be carried out again.
    pub async fn a_step_carried_out_again_changes_nothing(&self) {
        if !has_boto3() {
            return;
        }
        for make in Make::ALL {
            let Some(emulator) = self.start(make) else { continue };
            emulator.boto3(self.state);
            let first = self.captured(&emulator).await;
            // Another client, as after a crash: nothing remembers what was done already.
            first.restore(&connect(&emulator.url).await).await;
            let second = self.captured(&emulator).await;
            assert_eq!(differences(&first, &second), lines(&[]), "{}", make.name());
            // What is made anew has another mark.
            assert_eq!(*first.marks.lock().unwrap(), *second.marks.lock().unwrap(), "{}", make.name());
        }
    }
}

/// Whether a capture has what a line of `not_kept` names.
fn holds(captured: &Captured, line: &str) -> bool {
    let (address, attribute) = line.split_once(' ').unwrap();
    let record = records(captured).remove(&Address::parse(address).unwrap());
    record.is_some_and(|record| record.attributes.contains_key(attribute))
}
