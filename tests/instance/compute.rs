//! IAM and Lambda: captured, put into an empty instance, captured again.

use std::collections::BTreeSet;

use crate::common::captured::{Captured, connect};
use crate::common::emulators::{Emulator, Make, boto3, has_boto3};

const STATE: &str = include_str!("state_compute.py");
const SERVICES: [&str; 2] = ["iam", "lambda"];

fn make_state(emulator: &Emulator) -> String {
    let script = STATE.replace("sys.argv[1]", &format!("{:?}", emulator.url));
    let script = if has_tables(emulator.make) { script } else { script.replace("tables.create_table", "no_tables") };
    boto3(&emulator.url, &format!("def no_tables(**arguments): return None\n{script}"))
}

/// LocalStack's DynamoDB is a program that it downloads when it is first asked for, which takes minutes to fail where
/// there is no way out.
fn has_tables(make: Make) -> bool {
    make != Make::LocalStack
}

/// Queues and a table as the state script makes them, for an instance that gets only functions.
fn make_surroundings(emulator: &Emulator) {
    let script = r#"
import boto3
for queue in ("orders", "results", "dead"):
    boto3.client("sqs").create_queue(QueueName=queue)
"#;
    let table = r#"
boto3.client("dynamodb").create_table(
    TableName="streamed", BillingMode="PAY_PER_REQUEST",
    KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"})
"#;
    let table = if has_tables(emulator.make) { table } else { "" };
    boto3(&emulator.url, &format!("{script}{table}"));
}

async fn captured(emulator: &Emulator) -> Captured {
    Captured::of_services(&connect(&emulator.url).await, &SERVICES).await
}

/// How a second capture differs from a first: `ADDRESS ATTRIBUTE` for another value, `-ADDRESS` and `+ADDRESS` for a
/// record that only one has.
fn differences(first: &Captured, second: &Captured) -> BTreeSet<String> {
    let (first, second) = (first.records.lock().unwrap(), second.records.lock().unwrap());
    let mut lines = BTreeSet::new();
    for (address, record) in first.iter() {
        let Some(other) = second.get(address) else {
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
    lines.extend(second.keys().filter(|address| !first.contains_key(*address)).map(|address| format!("+{address}")));
    lines
}

/// What a make does not keep of [`STATE`], wherever it comes from. README's table says the same.
fn not_kept(make: Make) -> BTreeSet<String> {
    let lines: &[&str] = match make {
        Make::Ministack => &[],
        Make::Moto => &[
            "self/global/iam/role/worker AttachedPolicies",
            "self/global/iam/user/ann PermissionsBoundary",
            "self/us-east-1/lambda/function/echo DeadLetterConfig",
            "self/us-east-1/lambda/function/echo LoggingConfig",
        ],
        Make::LocalStack => &[],
        Make::Fakecloud => &[
            "self/us-east-1/lambda/event-source-mapping/echo:sqs:orders Tags",
            "self/us-east-1/lambda/event-source-mapping/plain:sqs:results ScalingConfig",
        ],
    };
    lines.iter().map(|line| (*line).to_owned()).collect()
}

fn assert_nothing_skipped(captured: &Captured, make: Make) {
    let skips = captured.skips.lock().unwrap();
    let skips: Vec<String> = skips.iter().map(|skip| format!("{}: {}", skip.prefix.join("/"), skip.reason)).collect();
    assert!(skips.is_empty(), "{} skipped {skips:#?}", make.name());
}

async fn from_each_to(to: Make) {
    if !has_boto3() {
        return;
    }
    for from in Make::ALL {
        let (Some(source), Some(target)) = (Emulator::start(from), Emulator::start(to)) else { continue };
        let refused = make_state(&source);
        make_surroundings(&target);
        let first = captured(&source).await;
        assert_nothing_skipped(&first, from);
        if !has_tables(to) {
            first.records.lock().unwrap().retain(|address, _| !address.name().contains(":dynamodb:"));
        }
        let aws = connect(&target.url).await;
        first.restore(&aws).await;
        let second = captured(&target).await;
        assert_nothing_skipped(&second, to);
        let lost = differences(&first, &second);
        let mut expected = not_kept(to);
        expected.retain(|line| !not_kept(from).contains(line));
        assert_eq!(lost, expected, "{} -> {}\n{refused}", from.name(), to.name());

        // Idempotent: a step that was cut off may be carried out again.
        first.restore(&aws).await;
        assert_eq!(differences(&second, &captured(&target).await), BTreeSet::new(), "{} again", to.name());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn state_of_every_make_comes_back_on_ministack() {
    from_each_to(Make::Ministack).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn state_of_every_make_comes_back_on_moto() {
    from_each_to(Make::Moto).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn state_of_every_make_comes_back_on_localstack() {
    from_each_to(Make::LocalStack).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn state_of_every_make_comes_back_on_fakecloud() {
    from_each_to(Make::Fakecloud).await;
}
