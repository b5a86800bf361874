//! EventBridge, its scheduler and Step Functions: captured, put into an empty instance, captured again.

use std::collections::{BTreeMap, BTreeSet};

use peapod::core::address::Address;
use peapod::core::record::Record;
use peapod::core::value::Value;
use peapod::instance::Step;

use crate::common::captured::{Captured, connect};
use crate::common::emulators::{Emulator, Make, has_boto3};

const STATE: &str = include_str!("state/orchestration.py");
const CHANGES: &str = include_str!("state/orchestration_changes.py");
const SEEN: &str = include_str!("state/orchestration_seen.py");
const SERVICES: [&str; 3] = ["events", "scheduler", "stepfunctions"];

async fn captured(emulator: &Emulator) -> Captured {
    let captured = Captured::of_services(&connect(&emulator.url).await, &SERVICES).await;
    for service in SERVICES {
        assert_eq!(captured.skipped(service), Vec::<String>::new(), "{}", emulator.make.name());
    }
    captured
}

fn records(captured: &Captured) -> BTreeMap<Address, Record> {
    captured.records.lock().unwrap().clone()
}

/// An empty instance with the log group that a state machine writes to, which LocalStack wants to see.
fn start_empty(make: Make) -> Option<Emulator> {
    let emulator = Emulator::start(make)?;
    emulator.boto3("import boto3; boto3.client('logs').create_log_group(logGroupName='/aws/states/x')");
    Some(emulator)
}

/// Brings an instance from what one capture has to what another has, as an inject does: deletes first.
async fn bring(now: &Captured, then: &Captured, into: &Emulator) {
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

/// How a second capture differs from a first: `ADDRESS ATTRIBUTE` for another value, `-ADDRESS` and `+ADDRESS` for a
/// record that only one has.
fn differences(first: &Captured, second: &Captured) -> BTreeSet<String> {
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
    }
    lines.extend(new.keys().filter(|address| !old.contains_key(*address)).map(|address| format!("+{address}")));
    lines
}

fn lines(lines: &[&str]) -> BTreeSet<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}

/// What a make does not keep of [`STATE`], wherever it comes from. README's table says the same.
pub(crate) fn not_kept(make: Make) -> BTreeSet<String> {
    lines(match make {
        Make::Ministack => &[],
        Make::Moto => &[],
        Make::LocalStack => &[],
        Make::Fakecloud => &[],
    })
}

/// What a make does not put back when [`CHANGES`] are undone, beside that.
fn not_undone(make: Make) -> BTreeSet<String> {
    lines(match make {
        Make::Ministack => &[],
        Make::Moto => &[],
        Make::LocalStack => &[],
        Make::Fakecloud => &[],
    })
}

/// Whether a capture has what this line of [`not_kept`] names.
fn holds(captured: &Captured, line: &str) -> bool {
    let (address, attribute) = line.split_once(' ').unwrap();
    let record = records(captured).remove(&Address::parse(address).unwrap());
    record.is_some_and(|record| record.attributes.contains_key(attribute))
}

#[tokio::test(flavor = "multi_thread")]
async fn orchestration_made_by_boto3_goes_from_every_make_into_every_make() {
    if !has_boto3() {
        return;
    }
    for source in Make::ALL {
        let Some(from) = Emulator::start(source) else { continue };
        println!("{}: {}", source.name(), from.boto3(STATE));
        let first = captured(&from).await;
        let again = captured(&from).await;
        assert_eq!(differences(&first, &again), lines(&[]), "{} looked at twice", source.name());
        assert_eq!(*first.marks.lock().unwrap(), *again.marks.lock().unwrap());
        let seen = from.boto3(SEEN);
        drop(from);
        for target in Make::ALL {
            let Some(into) = start_empty(target) else { continue };
            bring(&captured(&into).await, &first, &into).await;
            let second = captured(&into).await;
            let names = format!("{} into {}", source.name(), target.name());
            let mut expected = not_kept(target);
            // What the source does not keep either is not there to be lost.
            expected.retain(|line| holds(&first, line));
            assert_eq!(differences(&first, &second), expected, "{names}");
            if source == target {
                let there = into.boto3(SEEN);
                for (here, there) in seen.lines().zip(there.lines()) {
                    assert_eq!(here, there, "{names}, as boto3 sees it");
                }
                assert_eq!(seen.lines().count(), there.lines().count(), "{names}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_orchestration_are_undone_and_deletes_leave_nothing() {
    if !has_boto3() {
        return;
    }
    for make in Make::ALL {
        let Some(emulator) = Emulator::start(make) else { continue };
        let empty = captured(&emulator).await;
        emulator.boto3(STATE);
        let then = captured(&emulator).await;
        println!("{}: {}", make.name(), emulator.boto3(CHANGES));
        let now = captured(&emulator).await;
        assert_ne!(differences(&then, &now), lines(&[]));
        bring(&now, &then, &emulator).await;
        let undone = captured(&emulator).await;
        assert_eq!(differences(&then, &undone), not_undone(make), "{}", make.name());
        bring(&undone, &empty, &emulator).await;
        assert_eq!(differences(&empty, &captured(&emulator).await), lines(&[]), "{}", make.name());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_of_orchestration_carried_out_again_changes_nothing() {
    if !has_boto3() {
        return;
    }
    for make in Make::ALL {
        let Some(emulator) = Emulator::start(make) else { continue };
        emulator.boto3(STATE);
        let first = captured(&emulator).await;
        // Another client, as after a crash: nothing remembers what was done already.
        first.restore(&connect(&emulator.url).await).await;
        let second = captured(&emulator).await;
        assert_eq!(differences(&first, &second), lines(&[]), "{}", make.name());
        // What is made anew has another date.
        assert_eq!(*first.marks.lock().unwrap(), *second.marks.lock().unwrap(), "{}", make.name());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_and_schedules_come_back_disabled_when_paused() {
    if !has_boto3() {
        return;
    }
    for make in Make::ALL {
        let (Some(from), Some(into)) = (Emulator::start(make), start_empty(make)) else { continue };
        from.boto3(STATE);
        let first = captured(&from).await;
        let acting = |(address, _): &(Address, Record)| matches!(address.kind(), "rule" | "schedule");
        let (acting, quiet): (Vec<_>, Vec<_>) = records(&first).into_iter().partition(acting);
        let steps = |records: Vec<(Address, Record)>, paused| {
            let step = move |(address, after)| Step { address, before: None, after: Some(after), paused };
            records.into_iter().map(step).collect::<Vec<_>>()
        };
        let aws = connect(&into.url).await;
        let count = acting.len();
        first.apply(&aws, steps(quiet, true)).await;
        first.apply(&aws, steps(acting.clone(), true)).await;
        let states = |captured: &Captured| {
            let states =
                records(captured).into_iter().filter(|(address, _)| matches!(address.kind(), "rule" | "schedule"));
            states.map(|(_, record)| record.attributes.get("State").cloned()).collect::<Vec<_>>()
        };
        assert_eq!(states(&captured(&into).await), vec![Some(Value::text("DISABLED")); count], "{}", make.name());
        // And on again.
        first.apply(&aws, steps(acting, false)).await;
        assert_eq!(states(&captured(&into).await), states(&first), "{}", make.name());
    }
}
