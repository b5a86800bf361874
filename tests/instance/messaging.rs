//! SNS and CloudWatch Logs: captured, put into an empty instance, captured again.

use std::collections::{BTreeMap, BTreeSet};

use peapod::core::address::Address;
use peapod::core::record::Record;
use peapod::instance::Step;

use crate::common::captured::{Captured, connect};
use crate::common::emulators::{Emulator, Make, has_boto3};

const STATE: &str = include_str!("state/messaging.py");
const CHANGES: &str = include_str!("state/messaging_changes.py");
const SEEN: &str = include_str!("state/messaging_seen.py");
const SERVICES: [&str; 2] = ["sns", "logs"];

/// Runs the state script with these words set. LocalStack downloads its Kinesis.
fn run_state(emulator: &Emulator, words: &str) -> String {
    let streams = if emulator.make == Make::LocalStack { "NO_STREAMS='1'" } else { "" };
    emulator.boto3(&format!("import os; os.environ.update({streams})\nos.environ.update({words})\n{STATE}"))
}

/// An empty instance, but for what subscriptions and filters point at.
fn start_with_surroundings(make: Make) -> Option<Emulator> {
    let emulator = Emulator::start(make)?;
    run_state(&emulator, "ONLY_SURROUNDINGS='1'");
    Some(emulator)
}

async fn captured(emulator: &Emulator) -> Captured {
    Captured::of_services(&connect(&emulator.url).await, &SERVICES).await
}

fn records(captured: &Captured) -> BTreeMap<Address, Record> {
    captured.records.lock().unwrap().clone()
}

/// Subscriptions that wait for their confirmation there.
fn pending(captured: &Captured) -> BTreeSet<String> {
    let skips = captured.skips.lock().unwrap();
    let address = |skip: &peapod::core::version::Skip| Address::try_from(skip.prefix.clone()).unwrap();
    for skip in skips.iter() {
        assert!(skip.reason.contains("confirmation"), "{skip:?}");
    }
    skips.iter().map(|skip| address(skip).to_string()).collect()
}

/// Brings an instance from what one capture has to what another has, as an inject does: deletes first.
async fn bring(now: &Captured, then: &Captured, into: &Emulator) {
    let (have, mut want) = (records(now), records(then));
    let hidden = pending(now);
    want.retain(|address, _| !hidden.contains(&address.to_string()));
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

/// The fifteen attributes about who is told of deliveries are one to a reader.
fn short(attribute: &str) -> &str {
    if attribute.contains("Feedback") { "*Feedback*" } else { attribute }
}

/// How a second capture differs from a first: `ADDRESS ATTRIBUTE` for another value, `-ADDRESS` and `+ADDRESS` for a
/// record that only one has. What waits for a confirmation in the second does not count.
fn differences(first: &Captured, second: &Captured) -> BTreeSet<String> {
    let (mut old, new) = (records(first), records(second));
    let hidden = pending(second);
    old.retain(|address, _| !hidden.contains(&address.to_string()));
    let mut lines = BTreeSet::new();
    for (address, record) in &old {
        let Some(other) = new.get(address) else {
            lines.insert(format!("-{address}"));
            continue;
        };
        let names = record.attributes.keys().chain(other.attributes.keys());
        let differing = names.filter(|name| record.attributes.get(*name) != other.attributes.get(*name));
        lines.extend(differing.map(|name| format!("{address} {}", short(name))));
        if record.body != other.body {
            lines.insert(format!("{address} body"));
        }
    }
    lines.extend(new.keys().filter(|address| !old.contains_key(*address)).map(|address| format!("+{address}")));
    lines
}

fn lines(lines: &[&str]) -> BTreeSet<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}

/// What a make does not keep of [`STATE`], wherever it comes from. `kept.md` says the same.
pub(crate) fn not_kept(make: Make) -> BTreeSet<String> {
    lines(match make {
        Make::Ministack => &[
            "self/us-east-1/logs/log-group/bare dataProtectionPolicy",
            "self/us-east-1/sns/topic/orders_All-1 DataProtectionPolicy",
        ],
        Make::Moto => &[
            "self/us-east-1/logs/log-group/bare dataProtectionPolicy",
            "self/us-east-1/logs/log-group/bare/subscription-filter/to-stream distribution",
            "self/us-east-1/logs/log-group/rare logGroupClass",
            "self/us-east-1/sns/topic/orders.fifo ArchivePolicy",
            "self/us-east-1/sns/topic/orders.fifo FifoThroughputScope",
            "self/us-east-1/sns/topic/orders_All-1 *Feedback*",
            "self/us-east-1/sns/topic/orders_All-1 DataProtectionPolicy",
            "self/us-east-1/sns/topic/orders_All-1 SignatureVersion",
            "self/us-east-1/sns/topic/orders_All-1 TracingConfig",
        ],
        Make::LocalStack => &[
            "self/us-east-1/logs/log-group/bare dataProtectionPolicy",
            "self/us-east-1/logs/log-group/rare logGroupClass",
        ],
        Make::Fakecloud => &[],
    })
}

/// What can't be put back where there is no Kinesis.
const TO_STREAM: &str = "self/us-east-1/logs/log-group/bare/subscription-filter/to-stream";

/// Whether a capture has what this line of [`not_kept`] names.
fn holds(captured: &Captured, line: &str) -> bool {
    let (address, attribute) = line.split_once(' ').unwrap();
    let record = records(captured).remove(&Address::parse(address).unwrap());
    record.is_some_and(|record| record.attributes.keys().any(|name| short(name) == attribute))
}

/// What boto3 sees, without what is known to be lost on either side, and what waits for a confirmation. A line that
/// comes again is another: an instance may have two of a name.
fn seen(text: &str, lost: &BTreeSet<String>, hidden: &BTreeSet<String>) -> BTreeSet<String> {
    let known = |line: &&str| {
        let mut words = line.split(' ');
        let (address, attribute) = (words.next().unwrap(), short(words.next().unwrap()));
        !lost.contains(&format!("{address} {attribute}"))
            && !lost.contains(&format!("-{address}"))
            && !hidden.iter().any(|hidden| hidden.replace('/', "%2F") == address.replace('/', "%2F"))
    };
    let mut lines = BTreeSet::new();
    for line in text.lines().filter(known) {
        let mut line = line.to_owned();
        while !lines.insert(line.clone()) {
            line.push_str(" (again)");
        }
    }
    lines
}

#[tokio::test(flavor = "multi_thread")]
async fn messaging_made_by_boto3_goes_from_every_make_into_every_make() {
    if !has_boto3() {
        return;
    }
    let mut wrong = Vec::new();
    for source in Make::ALL {
        let Some(from) = Emulator::start(source) else { continue };
        println!("{}: {}", source.name(), run_state(&from, ""));
        let first = captured(&from).await;
        let again = captured(&from).await;
        assert_eq!(differences(&first, &again), lines(&[]), "{} looked at twice", source.name());
        assert_eq!(*first.marks.lock().unwrap(), *again.marks.lock().unwrap());
        let by_boto3 = from.boto3(SEEN);
        assert!(by_boto3.lines().count() > 50, "{by_boto3}");
        drop(from);
        for target in Make::ALL {
            let Some(into) = start_with_surroundings(target) else { continue };
            bring(&captured(&into).await, &first, &into).await;
            let second = captured(&into).await;
            let names = format!("{} into {}", source.name(), target.name());
            let mut expected = not_kept(target);
            // What the source does not keep either is not there to be lost.
            expected.retain(|line| holds(&first, line));
            let has_stream = records(&first).contains_key(&Address::parse(TO_STREAM).unwrap());
            if target == Make::LocalStack && has_stream {
                expected.insert(format!("-{TO_STREAM}"));
            }
            let differing = differences(&first, &second);
            if differing != expected {
                wrong.push(format!("{names}: {differing:#?}, not {expected:#?}"));
            }
            let hidden: BTreeSet<String> = pending(&first).into_iter().chain(pending(&second)).collect();
            let (there, here) = (seen(&into.boto3(SEEN), &expected, &hidden), seen(&by_boto3, &expected, &hidden));
            let lines: Vec<_> = here.symmetric_difference(&there).collect();
            if !lines.is_empty() {
                wrong.push(format!("{names}, as boto3 sees it: {lines:#?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_messaging_are_undone_and_deletes_leave_nothing() {
    if !has_boto3() {
        return;
    }
    let mut wrong = Vec::new();
    for make in Make::ALL {
        let Some(emulator) = start_with_surroundings(make) else { continue };
        let empty = captured(&emulator).await;
        assert_eq!(records(&empty).len(), 0, "{}", make.name());
        run_state(&emulator, "");
        let then = captured(&emulator).await;
        let before = emulator.boto3(SEEN);
        println!("{}: {}", make.name(), emulator.boto3(CHANGES));
        let now = captured(&emulator).await;
        assert!(differences(&then, &now).len() > 30, "{}", make.name());
        bring(&now, &then, &emulator).await;
        let undone = captured(&emulator).await;
        let (none, after) = (lines(&[]), emulator.boto3(SEEN));
        let (before, after) = (seen(&before, &none, &none), seen(&after, &none, &none));
        let by_boto3: Vec<_> = before.symmetric_difference(&after).collect();
        let left = differences(&then, &undone);
        bring(&undone, &empty, &emulator).await;
        let over = differences(&empty, &captured(&emulator).await);
        if !left.is_empty() || !by_boto3.is_empty() || !over.is_empty() {
            wrong.push(format!("{}: {left:#?}, as boto3 sees it {by_boto3:#?}, not deleted {over:#?}", make.name()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_messaging_step_carried_out_again_changes_nothing() {
    if !has_boto3() {
        return;
    }
    for make in Make::ALL {
        let Some(emulator) = Emulator::start(make) else { continue };
        run_state(&emulator, "");
        let first = captured(&emulator).await;
        let before = emulator.boto3(SEEN);
        // As after a crash: nothing remembers what was done already.
        first.restore(&connect(&emulator.url).await).await;
        let second = captured(&emulator).await;
        assert_eq!(differences(&first, &second), lines(&[]), "{}", make.name());
        // The same subscriptions and groups, not others like them.
        assert_eq!(*first.marks.lock().unwrap(), *second.marks.lock().unwrap(), "{}", make.name());
        let none = lines(&[]);
        let (before, after) = (seen(&before, &none, &none), seen(&emulator.boto3(SEEN), &none, &none));
        assert_eq!(before, after, "{}", make.name());
    }
}
