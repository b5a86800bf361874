//! IAM and Lambda: captured, put into an empty instance, captured again.

use std::collections::BTreeSet;

use peapod::core::address::Address;
use peapod::core::record::Record;
use peapod::core::value::Value;
use peapod::instance::Step;
use tokio::sync::OnceCell;

use crate::common::captured::{Captured, connect};
use crate::common::emulators::{Emulator, Make, has_boto3};

const STATE: &str = include_str!("state/compute.py");
const SERVICES: [&str; 2] = ["iam", "lambda"];

fn make_state(emulator: &Emulator) -> String {
    let without = if has_tables(emulator.make) { "" } else { "import os; os.environ['NO_TABLES'] = '1'\n" };
    emulator.boto3(&format!("{without}{STATE}"))
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
    emulator.boto3(&format!("{script}{table}"));
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

/// What a make does not keep of [`STATE`], wherever it comes from. `kept.md` says the same.
pub(crate) fn not_kept(make: Make) -> BTreeSet<String> {
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

/// What there is to capture after [`STATE`] on a make: made and captured once for all tests. None if it is not here.
async fn first(make: Make) -> Option<&'static Captured> {
    static FIRST: [OnceCell<Option<Captured>>; Make::ALL.len()] = [const { OnceCell::const_new() }; Make::ALL.len()];
    let make_and_capture = async || {
        let source = Emulator::start(make)?;
        println!("{}: {}", make.name(), make_state(&source));
        let first = captured(&source).await;
        assert_nothing_skipped(&first, make);
        Some(first)
    };
    FIRST[make as usize].get_or_init(make_and_capture).await.as_ref()
}

async fn from_each_to(to: Make) {
    if !has_boto3() {
        return;
    }
    for from in Make::ALL {
        let (Some(first), Some(target)) = (first(from).await, Emulator::start(to)) else { continue };
        make_surroundings(&target);
        let mut records = first.records.lock().unwrap().clone();
        if !has_tables(to) {
            records.retain(|address, _| !address.name().contains(":dynamodb:"));
        }
        let first = Captured { records: records.into(), contents: first.contents.clone(), ..Captured::default() };
        let aws = connect(&target.url).await;
        first.restore(&aws).await;
        let second = captured(&target).await;
        assert_nothing_skipped(&second, to);
        let mut expected = not_kept(to);
        expected.retain(|line| !not_kept(from).contains(line));
        assert_eq!(differences(&first, &second), expected, "{} -> {}", from.name(), to.name());

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

/// A step that changes the record at a printed address.
fn edit(captured: &Captured, address: &str, change: impl FnOnce(&mut Record)) -> Step {
    let address = Address::parse(address).unwrap();
    let before = captured.records.lock().unwrap()[&address].clone();
    let mut after = before.clone();
    change(&mut after);
    Step { address, before: Some(before), after: Some(after), paused: false }
}

fn map<const N: usize>(fields: [(&str, Value); N]) -> Value {
    Value::Map(fields.map(|(name, value)| (name.to_owned(), value)).into())
}

fn set(record: &mut Record, attribute: &str, value: Value) {
    record.attributes.insert(attribute.to_owned(), value);
}

/// Changes of every sort, each of which must come out as it went in.
fn edits(first: &Captured) -> Vec<Step> {
    let newer = first.records.lock().unwrap()[&Address::parse("self/us-east-1/lambda/function/plain").unwrap()].clone();
    let trust = map([
        ("Version", "2012-10-17".into()),
        (
            "Statement",
            Value::List(vec![map([
                ("Effect", "Allow".into()),
                (
                    "Principal",
                    map([("Service", Value::List(vec!["lambda.amazonaws.com".into(), "ec2.amazonaws.com".into()]))]),
                ),
                ("Action", "sts:AssumeRole".into()),
            ])]),
        ),
    ]);
    let policy = map([
        ("Version", "2012-10-17".into()),
        (
            "Statement",
            map([
                ("Effect", "Deny".into()),
                ("Action", "*".into()),
                ("Resource", "arn:aws:sqs:us-east-1:self:orders".into()),
            ]),
        ),
    ]);
    vec![
        edit(first, "self/global/iam/policy/reader", |record| {
            set(record, "PolicyDocument", policy.clone());
            set(record, "Tags", map([("team", "b".into()), ("new", "".into())]));
        }),
        edit(first, "self/global/iam/role/worker", |record| {
            set(record, "AssumeRolePolicyDocument", trust);
            set(record, "MaxSessionDuration", 3600.into());
            record.attributes.remove("Description");
            record.attributes.remove("PermissionsBoundary");
            set(record, "Policies", map([("other", policy)]));
            set(record, "AttachedPolicies", Value::text_set(["arn:aws:iam::self:policy/plain"]));
            record.attributes.remove("Tags");
        }),
        edit(first, "self/global/iam/user/ann", |record| {
            record.attributes.remove("Policies");
            record.attributes.remove("AttachedPolicies");
            record.attributes.remove("PermissionsBoundary");
        }),
        edit(first, "self/global/iam/user/bob", |record| set(record, "Path", "/moved/".into())),
        edit(first, "self/us-east-1/lambda/function/echo", |record| {
            record.body.clone_from(&newer.body);
            set(record, "Environment", map([("Variables", map([("MODE", "second".into())]))]));
            set(record, "Timeout", 9.into());
            set(record, "Tags", map([("k", "w".into())]));
            set(record, "ReservedConcurrentExecutions", 6.into());
            for gone in
                ["Description", "Layers", "TracingConfig", "EphemeralStorage", "DeadLetterConfig", "LoggingConfig"]
            {
                record.attributes.remove(gone);
            }
        }),
        edit(first, "self/us-east-1/lambda/function/plain", |record| {
            record.attributes.remove("Architectures");
            set(record, "Description", "no longer plain".into());
        }),
        edit(first, "self/us-east-1/lambda/event-source-mapping/echo:sqs:orders", |record| {
            set(record, "BatchSize", 7.into());
            set(record, "Enabled", false.into());
            record.attributes.remove("FunctionResponseTypes");
        }),
        edit(first, "self/us-east-1/lambda/event-source-mapping/plain:sqs:results", |record| {
            record.attributes.remove("FilterCriteria");
            set(record, "MaximumBatchingWindowInSeconds", 1.into());
        }),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_record_changes_its_resource_in_place() {
    if !has_boto3() {
        return;
    }
    for make in Make::ALL {
        let Some(emulator) = Emulator::start(make) else { continue };
        make_state(&emulator);
        let first = captured(&emulator).await;
        let steps = edits(&first);
        let mut wanted = first.records.lock().unwrap().clone();
        for step in &steps {
            wanted.insert(step.address.clone(), step.after.clone().unwrap());
        }
        first.apply(&connect(&emulator.url).await, steps).await;
        let second = captured(&emulator).await;
        assert_nothing_skipped(&second, make);
        let wanted = Captured { records: wanted.into(), ..Captured::default() };
        assert_eq!(differences(&wanted, &second), BTreeSet::new(), "{}", make.name());
        // A resource that was made anew has another generated id. Only a user's path can't be changed.
        let marks = |captured: &Captured| {
            let marks = captured.marks.lock().unwrap();
            marks
                .iter()
                .filter(|(address, _)| address.name() != "bob")
                .map(|(a, m)| (a.clone(), m.clone()))
                .collect::<Vec<_>>()
        };
        assert_eq!(marks(&first), marks(&second), "{}", make.name());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deleted_is_gone() {
    if !has_boto3() {
        return;
    }
    // LocalStack deletes no function that can't run there, which without Docker is any.
    for make in [Make::Ministack, Make::Moto, Make::Fakecloud] {
        let Some(emulator) = Emulator::start(make) else { continue };
        make_state(&emulator);
        let aws = connect(&emulator.url).await;
        let first = captured(&emulator).await;
        for _ in 0..2 {
            first.delete(&aws).await;
            let second = captured(&emulator).await;
            assert_nothing_skipped(&second, make);
            assert!(second.records.lock().unwrap().is_empty(), "{}", make.name());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_is_put_back_runs_when_its_queue_gets_a_message() {
    let (Some(from), Some(to), true) =
        (Emulator::start(Make::Ministack), Emulator::start(Make::Ministack), has_boto3())
    else {
        return;
    };
    make_state(&from);
    make_surroundings(&to);
    captured(&from).await.restore(&connect(&to.url).await).await;
    let answer = to.boto3(ASK);
    assert_eq!(answer.trim(), r#"{"said": "hello", "lib": 2, "mode": "first"}"#);
}

/// Sends a message and prints what the function makes of it.
const ASK: &str = r#"
import boto3
sqs = boto3.client("sqs")
url = lambda name: sqs.get_queue_url(QueueName=name)["QueueUrl"]
sqs.send_message(QueueUrl=url("orders"), MessageBody="hello")
for _ in range(30):
    for message in sqs.receive_message(QueueUrl=url("results"), WaitTimeSeconds=1).get("Messages", []):
        print(message["Body"])
        raise SystemExit
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_mapping_comes_back_switched_off() {
    if !has_boto3() {
        return;
    }
    for make in [Make::Ministack, Make::Moto] {
        let (Some(from), Some(to)) = (Emulator::start(make), Emulator::start(make)) else { continue };
        make_state(&from);
        make_surroundings(&to);
        let (first, aws) = (captured(&from).await, connect(&to.url).await);
        let records = first.records.lock().unwrap().clone();
        let step = |(address, record)| Step { address, before: None, after: Some(record), paused: true };
        first.apply(&aws, records.into_iter().map(step).collect()).await;
        let second = captured(&to).await;
        let mapping = Address::parse("self/us-east-1/lambda/event-source-mapping/echo:sqs:orders").unwrap();
        assert_eq!(second.records.lock().unwrap()[&mapping].attributes["Enabled"], Value::Bool(false));
        // And is switched on when the same record is put back unpaused.
        first.restore(&aws).await;
        let third = captured(&to).await;
        assert_eq!(third.records.lock().unwrap()[&mapping].attributes["Enabled"], Value::Bool(true));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_finds_its_layer_where_its_number_is_taken() {
    let (Some(from), Some(to), true) =
        (Emulator::start(Make::Ministack), Emulator::start(Make::Ministack), has_boto3())
    else {
        return;
    };
    make_state(&from);
    make_surroundings(&to);
    // The numbers up to 5 are used up here, and number 2 can never come back.
    to.boto3(
        r#"
import boto3, io, zipfile
buffer = io.BytesIO()
with zipfile.ZipFile(buffer, "w") as archive:
    archive.writestr("python/lib.py", "VERSION = 'another'")
functions = boto3.client("lambda")
for number in range(1, 6):
    functions.publish_layer_version(LayerName="lib", Content={"ZipFile": buffer.getvalue()})
    functions.delete_layer_version(LayerName="lib", VersionNumber=number)
"#,
    );
    let aws = connect(&to.url).await;
    captured(&from).await.restore(&aws).await;
    let answer = to.boto3(ASK);
    assert_eq!(answer.trim(), r#"{"said": "hello", "lib": 2, "mode": "first"}"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_stands_in_for_a_functions_does_not_stay() {
    let (Some(from), Some(to), true) = (Emulator::start(Make::Ministack), Emulator::start(Make::Moto), has_boto3())
    else {
        return;
    };
    make_state(&from);
    make_surroundings(&to);
    captured(&from).await.restore(&connect(&to.url).await).await;
    let script = r#"
import boto3
print(boto3.client("lambda").get_function(FunctionName="nobodys")["Configuration"]["Role"])
print([role["RoleName"] for role in boto3.client("iam").list_roles()["Roles"] if role["RoleName"] == "never-made"])
"#;
    assert_eq!(to.boto3(script), "arn:aws:iam::123456789012:role/never-made\n[]\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_agent_moto_shows_no_code_and_that_is_said() {
    let (Some(moto), true) = (Emulator::start_plain_moto(), has_boto3()) else { return };
    make_state(&moto);
    let first = captured(&moto).await;
    let skips = first.skipped("lambda");
    for lost in ["function/echo", "function/plain", "layer/lib/version/000002"] {
        let said = |skip: &&String| skip.contains(&format!("{lost}: ")) && skip.contains("moto_agent.py");
        assert!(skips.iter().any(|skip| said(&skip)), "{lost} in {skips:#?}");
    }
    let records = first.service("lambda");
    assert!(records.keys().all(|address| address.kind() != "function" || address.name() == "image"));
    assert!(first.skipped("iam").is_empty());
}
