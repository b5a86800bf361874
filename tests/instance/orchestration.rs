//! EventBridge, its scheduler and pipes, and Step Functions: captured, put into an empty instance, captured again.

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
const SERVICES: [&str; 4] = ["events", "scheduler", "pipes", "stepfunctions"];

async fn captured(emulator: &Emulator) -> Captured {
    let captured = Captured::of_services(&connect(&emulator.url).await, &SERVICES).await;
    let offered = |service: &&str| *service != "pipes" || emulator.make != Make::LocalStack;
    for service in SERVICES.into_iter().filter(offered) {
        assert_eq!(captured.skipped(service), Vec::<String>::new(), "{}", emulator.make.name());
    }
    captured
}

pub(crate) fn records(captured: &Captured) -> BTreeMap<Address, Record> {
    captured.records.lock().unwrap().clone()
}

/// An empty instance with the log group that a state machine writes to, which LocalStack wants to see.
fn start_empty(make: Make) -> Option<Emulator> {
    let emulator = Emulator::start(make)?;
    emulator.boto3("import boto3; boto3.client('logs').create_log_group(logGroupName='/aws/states/x')");
    Some(emulator)
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

/// How a second capture differs from a first: `ADDRESS ATTRIBUTE` for another value, `-ADDRESS` and `+ADDRESS` for a
/// record that only one has.
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
    }
    lines.extend(new.keys().filter(|address| !old.contains_key(*address)).map(|address| format!("+{address}")));
    lines
}

pub(crate) fn lines(lines: &[&str]) -> BTreeSet<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}

/// What a make does not keep of [`STATE`], wherever it comes from. `kept.md` says the same.
pub(crate) fn not_kept(make: Make) -> BTreeSet<String> {
    lines(match make {
        Make::Ministack => &[
            "self/us-east-1/events/event-bus/ruled Policy",
            "self/us-east-1/pipes/pipe/every.thing-1_x EnrichmentParameters",
            "self/us-east-1/pipes/pipe/every.thing-1_x LogConfiguration",
            "self/us-east-1/pipes/pipe/every.thing-1_x SourceParameters",
            "self/us-east-1/pipes/pipe/every.thing-1_x TargetParameters",
            "self/us-east-1/stepfunctions/activity/sealed encryptionConfiguration",
            "self/us-east-1/stepfunctions/state-machine/greeter tracingConfiguration",
        ],
        Make::Moto => &[
            "self/us-east-1/events/archive/sealed KmsKeyIdentifier",
            "self/us-east-1/stepfunctions/state-machine/versioned aliases",
            "self/us-east-1/stepfunctions/state-machine/versioned versions",
        ],
        Make::LocalStack => &[
            "-self/us-east-1/pipes/pipe/every.thing-1_x",
            "-self/us-east-1/pipes/pipe/plain",
            "self/us-east-1/events/archive/sealed KmsKeyIdentifier",
            "self/us-east-1/events/event-bus/orders DeadLetterConfig",
            "self/us-east-1/events/event-bus/orders KmsKeyIdentifier",
            "self/us-east-1/stepfunctions/activity/by-hand_1 tags",
            "self/us-east-1/stepfunctions/activity/sealed encryptionConfiguration",
            "self/us-east-1/stepfunctions/state-machine/greeter tracingConfiguration",
            "self/us-east-1/stepfunctions/state-machine/sealed encryptionConfiguration",
        ],
        Make::Fakecloud => &[
            "self/us-east-1/events/archive/sealed KmsKeyIdentifier",
            "self/us-east-1/stepfunctions/activity/sealed encryptionConfiguration",
            "self/us-east-1/stepfunctions/state-machine/versioned aliases",
            "self/us-east-1/stepfunctions/state-machine/versioned versions",
        ],
    })
}

/// Whether a capture has what this line of [`not_kept`] names.
pub(crate) fn holds(captured: &Captured, line: &str) -> bool {
    let Some((address, attribute)) = line.rsplit_once(' ') else {
        return records(captured).contains_key(&Address::parse(line.trim_start_matches('-')).unwrap());
    };
    let record = records(captured).remove(&Address::parse(address).unwrap());
    record.is_some_and(|record| record.attributes.contains_key(attribute))
}

#[tokio::test(flavor = "multi_thread")]
async fn orchestration_made_by_boto3_goes_from_every_make_into_every_make() {
    if !has_boto3() {
        return;
    }
    let mut wrong = Vec::new();
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
            expected.retain(|line| !not_kept(source).contains(line) && holds(&first, line));
            let lost = differences(&first, &second);
            if lost != expected {
                wrong.push(format!("{names}: {lost:#?}, not {expected:#?}"));
            }
            let there = into.boto3(SEEN);
            let account = if source == Make::Moto { "123456789012" } else { "000000000000" };
            if (source == Make::Moto) != (target == Make::Moto) && there.contains(account) {
                wrong.push(format!("{names}: boto3 sees the account of the source"));
            }
            if source == target {
                // A version's alias can be made on fakecloud, but the version not be read.
                let kept = |line: &&str| source != Make::Fakecloud || !line.starts_with("alias");
                let (here, there) = (seen.lines().filter(kept), there.lines().filter(kept));
                let (here, there): (BTreeSet<_>, BTreeSet<_>) = (here.collect(), there.collect());
                wrong.extend(here.difference(&there).map(|line| format!("{names}, for boto3 without {line}")));
                wrong.extend(there.difference(&here).map(|line| format!("{names}, for boto3 with {line}")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_orchestration_are_undone_and_deletes_leave_nothing() {
    if !has_boto3() {
        return;
    }
    let mut wrong = Vec::new();
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
        let left = differences(&then, &undone);
        if !left.is_empty() {
            wrong.push(format!("{} is not as it was: {left:#?}", make.name()));
        }
        // What is made anew has another date. Only an archive whose pattern was taken away must be.
        let (old, new) = (now.marks.lock().unwrap().clone(), undone.marks.lock().unwrap().clone());
        let both = old.iter().filter_map(|(address, mark)| Some((address, mark, new.get(address)?)));
        let anew = both.filter(|(_, old, new)| old != new).map(|(address, ..)| address.to_string());
        let anew: Vec<String> = anew.filter(|address| address != "self/us-east-1/events/archive/default").collect();
        if !anew.is_empty() {
            wrong.push(format!("{} made {anew:#?} anew", make.name()));
        }
        bring(&undone, &empty, &emulator).await;
        let left = differences(&empty, &captured(&emulator).await);
        if !left.is_empty() {
            wrong.push(format!("{} is not empty: {left:#?}", make.name()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
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
async fn what_acts_comes_back_switched_off_when_paused() {
    if !has_boto3() {
        return;
    }
    for make in Make::ALL {
        let (Some(from), Some(into)) = (Emulator::start(make), start_empty(make)) else { continue };
        from.boto3(STATE);
        let first = captured(&from).await;
        let is_acting = |address: &Address| matches!(address.kind(), "rule" | "schedule" | "pipe");
        let state = |address: &Address, record: &Record| {
            let attribute = if address.kind() == "pipe" { "DesiredState" } else { "State" };
            record.attributes.get(attribute).cloned()
        };
        let (acting, quiet): (Vec<_>, Vec<_>) =
            records(&first).into_iter().partition(|(address, _)| is_acting(address));
        let steps = |records: Vec<(Address, Record)>, paused| {
            let step = move |(address, after)| Step { address, before: None, after: Some(after), paused };
            records.into_iter().map(step).collect::<Vec<_>>()
        };
        let aws = connect(&into.url).await;
        first.apply(&aws, steps(quiet, true)).await;
        first.apply(&aws, steps(acting.clone(), true)).await;
        let states = |captured: &Captured| {
            let states = records(captured).into_iter().filter(|(address, _)| is_acting(address));
            states.map(|(address, record)| state(&address, &record)).collect::<Vec<_>>()
        };
        let off = records(&first).into_keys().filter(is_acting).map(|address| match address.kind() {
            "pipe" => Some(Value::text("STOPPED")),
            _ => Some(Value::text("DISABLED")),
        });
        assert_eq!(states(&captured(&into).await), off.collect::<Vec<_>>(), "{}", make.name());
        // And on again.
        first.apply(&aws, steps(acting, false)).await;
        assert_eq!(states(&captured(&into).await), states(&first), "{}", make.name());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_skipped_and_said() {
    const CONNECT: &str = r#"
import boto3
secret = {"Username": "me", "Password": "s3cr3t"}
boto3.client("events").create_connection(
    Name="partner", AuthorizationType="BASIC", AuthParameters={"BasicAuthParameters": secret})
"#;
    if !has_boto3() {
        return;
    }
    for make in Make::ALL {
        let Some(emulator) = Emulator::start(make) else { continue };
        emulator.boto3(CONNECT);
        let captured = Captured::of_services(&connect(&emulator.url).await, &SERVICES).await;
        let skipped = captured.skipped("events");
        assert!(
            skipped.iter().any(|line| line.starts_with("self/us-east-1/events/connection/partner: ")),
            "{}: {skipped:?}",
            make.name()
        );
    }
}
