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

fn records(captured: &Captured) -> BTreeMap<Address, Record> {
    captured.records.lock().unwrap().clone()
}

/// What an instance hides of these records.
fn hidden(by: &Captured, records: &BTreeMap<Address, Record>) -> BTreeSet<Address> {
    let skips = by.skips.lock().unwrap();
    let hidden = records.keys().filter(|address| skips.iter().any(|skip| skip.covers(address.parts())));
    hidden.cloned().collect()
}

/// Brings an instance from what one capture has to what another has, as an inject does: deletes first, and what the
/// instance hides is not tried.
async fn bring(now: &Captured, then: &Captured, into: &Emulator) {
    let (have, mut want) = (records(now), records(then));
    let hidden = hidden(now, &want);
    want.retain(|address, _| !hidden.contains(address));
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
/// record that only one has. What the second one's instance hides does not count.
fn differences(first: &Captured, second: &Captured) -> BTreeSet<String> {
    let (mut old, new) = (records(first), records(second));
    let hidden = hidden(second, &old);
    old.retain(|address, _| !hidden.contains(address));
    let short = |address: &Address| {
        let [_, region, _, _, name, rest @ ..] = address.parts() else { unreachable!() };
        let place = if region == "us-east-1" { String::new() } else { format!("{region}:") };
        format!("{place}{name} {}", rest.join(" ")).trim().chars().take(100).collect::<String>()
    };
    let mut lines = BTreeSet::new();
    for (address, record) in &old {
        let Some(other) = new.get(address) else {
            lines.insert(format!("-{}", short(address)));
            continue;
        };
        let names = record.attributes.keys().chain(other.attributes.keys());
        let differing = names.filter(|name| record.attributes.get(*name) != other.attributes.get(*name));
        lines.extend(differing.map(|name| format!("{}: {name}", short(address))));
    }
    lines
        .extend(new.keys().filter(|address| !old.contains_key(*address)).map(|address| format!("+{}", short(address))));
    lines
}

/// Whether a capture has this attribute, written `NAME: ATTRIBUTE`.
fn holds(captured: &Captured, line: &str) -> bool {
    let (name, attribute) = line.split_once(": ").unwrap();
    records(captured)
        .iter()
        .any(|(address, record)| address.name() == name && record.attributes.contains_key(attribute))
}

fn lines(lines: &[&str]) -> BTreeSet<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}

/// What a make does not keep of [`STATE`], wherever it comes from. `kept.md` says the same.
pub(crate) fn not_kept(make: Make) -> BTreeSet<String> {
    lines(match make {
        Make::Moto => &["everything: TableClass", "zz-dead: RedriveAllowPolicy"],
        Make::Ministack | Make::LocalStack | Make::Fakecloud => &[],
    })
}

/// What a make does not put back when [`CHANGES`] are undone, beside that.
fn not_undone(make: Make) -> BTreeSet<String> {
    lines(match make {
        // A stream can't be switched off or changed, and a description can't be taken away.
        Make::Moto => &["everything: StreamViewType", "plain: Description"],
        Make::Ministack | Make::LocalStack | Make::Fakecloud => &[],
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn state_made_by_boto3_goes_from_every_make_into_every_make() {
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
        drop(from);
        for target in Make::ALL {
            let Some(into) = Emulator::start(target) else { continue };
            bring(&captured(&into).await, &first, &into).await;
            let second = captured(&into).await;
            let names = format!("{} into {}", source.name(), target.name());
            println!("{names}: {:?}", second.skips.lock().unwrap().iter().map(|skip| &skip.prefix).collect::<Vec<_>>());
            let mut expected = not_kept(target);
            // What the source does not keep either is not there to be lost.
            expected.retain(|line| holds(&first, line));
            assert_eq!(differences(&first, &second), expected, "{names}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_undone_and_deletes_leave_nothing() {
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
async fn a_step_carried_out_again_changes_nothing() {
    if !has_boto3() {
        return;
    }
    for make in [Make::Ministack, Make::Moto] {
        let Some(emulator) = Emulator::start(make) else { continue };
        emulator.boto3(STATE);
        let first = captured(&emulator).await;
        // Another client, as after a crash: nothing remembers what was done already.
        first.restore(&connect(&emulator.url).await).await;
        assert_eq!(differences(&first, &captured(&emulator).await), lines(&[]), "{}", make.name());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_capture_receives_no_message_and_hides_none() {
    const SEND: &str = r#"
import boto3
queues = boto3.client("sqs")
for name, more in [("q", {}), ("q.fifo", {"MessageGroupId": "g", "MessageDeduplicationId": "d"})]:
    fifo = {"FifoQueue": "true"} if more else {}
    url = queues.create_queue(QueueName=name, Attributes=fifo)["QueueUrl"]
    queues.send_message(QueueUrl=url, MessageBody="m", **more)
"#;
    const RECEIVE: &str = r#"
import boto3
queues = boto3.client("sqs")
for name in ["q", "q.fifo"]:
    url = queues.get_queue_url(QueueName=name)["QueueUrl"]
    (message,) = queues.receive_message(QueueUrl=url, AttributeNames=["All"])["Messages"]
    print(message["Attributes"]["ApproximateReceiveCount"], end=" ")
"#;
    if !has_boto3() {
        return;
    }
    for make in Make::ALL {
        let Some(emulator) = Emulator::start(make) else { continue };
        emulator.boto3(SEND);
        captured(&emulator).await;
        let seen = captured(&emulator).await;
        let messages = seen.service("sqs").keys().filter(|address| address.owner().is_some()).count();
        // fakecloud shows too little of a message; that is said.
        assert_eq!(messages, if make == Make::Fakecloud { 0 } else { 2 }, "{}", make.name());
        assert_eq!(seen.skipped("sqs").len(), if make == Make::Fakecloud { 2 } else { 0 }, "{}", make.name());
        assert_eq!(emulator.boto3(RECEIVE), "1 1 ", "{}", make.name());
    }
}
