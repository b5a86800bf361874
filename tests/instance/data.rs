//! SQS, DynamoDB, SSM and Secrets Manager: captured, put into an empty instance, captured again.

use std::collections::{BTreeMap, BTreeSet};

use peapod::core::address::Address;
use peapod::core::record::Record;
use peapod::instance::Step;

use crate::common::captured::{Captured, connect};
use crate::common::emulators::{Emulator, Make, has_boto3};

const STATE: &str = include_str!("state/data.py");
const CHANGES: &str = include_str!("state/data_changes.py");
const SERVICES: [&str; 4] = ["sqs", "dynamodb", "ssm", "secretsmanager"];

async fn captured(emulator: &Emulator) -> Captured {
    Captured::of_services(&connect(&emulator.url).await, &SERVICES).await
}

/// Puts what one capture has into another instance.
async fn put(from: &Captured, into: &Emulator) {
    from.restore(&connect(&into.url).await).await;
}

fn records(captured: &Captured) -> BTreeMap<Address, Record> {
    captured.records.lock().unwrap().clone()
}

/// How a second capture differs from a first: `ADDRESS ATTRIBUTE` for another value, `-ADDRESS` and `+ADDRESS` for a
/// record that only one has.
fn differences(first: &Captured, second: &Captured) -> BTreeSet<String> {
    let (first, second) = (records(first), records(second));
    let mut lines = BTreeSet::new();
    for (address, record) in &first {
        let Some(other) = second.get(address) else {
            lines.insert(format!("-{}", short(address)));
            continue;
        };
        let names = record.attributes.keys().chain(other.attributes.keys());
        let differing = names.filter(|name| record.attributes.get(*name) != other.attributes.get(*name));
        lines.extend(differing.map(|name| format!("{} {name}", short(address))));
    }
    let added = second.keys().filter(|address| !first.contains_key(*address));
    lines.extend(added.map(|address| format!("+{}", short(address))));
    lines
}

fn short(address: &Address) -> String {
    let text = address.to_string();
    text.chars().take(200).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn explore() {
    if !has_boto3() {
        return;
    }
    let only = std::env::var("MAKES").unwrap_or_default();
    let makes = || Make::ALL.into_iter().filter(|make| only.is_empty() || only.contains(make.name()));
    for source in makes() {
        let Some(from) = Emulator::start(source) else { continue };
        println!("==== {} {}", source.name(), from.boto3(STATE));
        let first = captured(&from).await;
        for service in SERVICES {
            println!("{service} skipped {:?} records {}", first.skipped(service), first.service(service).len());
        }
        let again = captured(&from).await;
        println!("again: {:#?}", differences(&first, &again));
        assert_eq!(*first.marks.lock().unwrap(), *again.marks.lock().unwrap());
        for target in makes() {
            let Some(into) = Emulator::start(target) else { continue };
            put(&first, &into).await;
            let second = captured(&into).await;
            println!("---- {} -> {}: {:#?}", source.name(), target.name(), differences(&first, &second));
            println!("{:?}", second.skips.lock().unwrap());
            if source == target {
                println!("{}", into.boto3(CHANGES));
                let changed = captured(&into).await;
                println!("changed {}", differences(&second, &changed).len());
                undo(&changed, &second, &into).await;
                println!("undone: {:#?}", differences(&second, &captured(&into).await));
                second.delete(&connect(&into.url).await).await;
                println!("left: {:#?}", records(&captured(&into).await));
            }
        }
    }
}

/// Brings an instance from the state of one capture to that of another.
async fn undo(now: &Captured, then: &Captured, emulator: &Emulator) {
    let (now, wanted) = (records(now), records(then));
    let addresses: BTreeSet<&Address> = now.keys().chain(wanted.keys()).collect();
    let steps = addresses.into_iter().map(|address| Step {
        address: address.clone(),
        before: now.get(address).cloned(),
        after: wanted.get(address).cloned(),
        paused: false,
    });
    let steps = steps.filter(|step| step.before != step.after).collect::<Vec<_>>();
    let (deletes, puts): (Vec<Step>, Vec<Step>) = steps.into_iter().partition(|step| step.after.is_none());
    let aws = connect(&emulator.url).await;
    then.apply(&aws, deletes).await;
    then.apply(&aws, puts).await;
}
