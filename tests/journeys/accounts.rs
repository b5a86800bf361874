//! Several accounts in one pod.

use serde_json::{Value, json};

use crate::common::emulators::{Emulator, Make, has_boto3};
use crate::program::{Developer, addresses};

const ACCOUNTS: &str = "self,111111111111,222222222222";

/// Clients of an account, as a team's scripts make them; moto takes the account by a header.
const CLIENTS: &str = r#"
import json
import boto3

def client(service, account, region="us-east-1"):
    made = boto3.client(service, region_name=region, aws_access_key_id=account, aws_secret_access_key="test")
    if account != "test":
        made.meta.events.register("before-sign.*", lambda request, **_: request.headers.add_header("x-moto-account-id", account))
    return made

def seen():
    found = {}
    for account in ("test", "111111111111", "222222222222"):
        s3 = client("s3", account)
        found[account] = {
            "buckets": sorted(bucket["Name"] for bucket in s3.list_buckets()["Buckets"]),
            "users": sorted(user["UserName"] for user in client("iam", account).list_users()["Users"]),
            "parameters": {
                f"{region}{one['Name']}": client("ssm", account, region).get_parameter(Name=one["Name"])["Parameter"]["Value"]
                for region in ("us-east-1", "eu-west-1")
                for one in client("ssm", account, region).describe_parameters()["Parameters"]
            },
            "queues": sorted(url.rsplit("/", 1)[1] for url in client("sqs", account).list_queues().get("QueueUrls", [])),
        }
    return found
"#;

const STATE: &str = r#"
for account, name in (("test", "own"), ("111111111111", "a"), ("222222222222", "b")):
    client("s3", account).create_bucket(Bucket=f"team-{name}")
    client("s3", account).put_object(Bucket=f"team-{name}", Key="k", Body=name.encode())
    client("iam", account).create_user(UserName=name)
    client("ssm", account).put_parameter(Name="/app/same", Value=name, Type="String")
    client("ssm", account, "eu-west-1").put_parameter(Name="/app/west", Value=f"arn:aws:sqs:eu-west-1:{account}:q", Type="String")
    url = client("sqs", account).create_queue(QueueName="orders")["QueueUrl"]
    client("sqs", account).send_message(QueueUrl=url, MessageBody=f"to {name}")
"#;

fn run(emulator: &Emulator, script: &str) -> Value {
    let printed = emulator.boto3(&format!("{CLIENTS}\n{script}\nprint(json.dumps(seen()))"));
    serde_json::from_str(printed.trim()).unwrap()
}

#[test]
fn accounts_that_are_named_once_come_along_into_every_make_that_has_them() {
    if !has_boto3() {
        return;
    }
    let Some(from) = Emulator::start(Make::Ministack) else { return };
    let dev = Developer::new();
    let before = run(&from, STATE);
    assert_eq!(before["111111111111"]["buckets"], json!(["team-a"]));
    dev.ok(&from.url, &["commit", "p", "--account", ACCOUNTS]);
    for make in [Make::Moto, Make::LocalStack] {
        let Some(to) = Emulator::start(make) else { continue };
        dev.ok(&to.url, &["inject", "p"]);
        assert_eq!(run(&to, ""), before, "{}", make.name());
        // What is changed there is a change of that account, though nothing names it any more.
        let changed = "client('sqs', '111111111111').delete_queue(QueueUrl=client('sqs', '111111111111').get_queue_url(QueueName='orders')['QueueUrl'])";
        run(&to, changed);
        dev.ok(&to.url, &["commit", "p"]);
        let queue = "111111111111/us-east-1/sqs/queue/orders".to_owned();
        let [added, changed, removed] = dev.diff("p@~1", "p");
        assert_eq!((added, changed), (vec![], vec![]), "{}", make.name());
        assert!(removed.contains(&queue) && removed.iter().all(|gone| gone.starts_with(&queue)), "{removed:?}");
        dev.ok(&to.url, &["inject", "p@~1", "--strategy", "overwrite"]);
        assert_eq!(run(&to, ""), before, "{}", make.name());
        dev.ok(&to.url, &["commit", "p", "--replace"]);
        assert_eq!(dev.diff("p@1", "p"), [const { Vec::<String>::new() }; 3], "{}", make.name());
    }
}

#[test]
fn an_emulator_with_one_account_takes_the_callers_and_says_which_others_it_lacks() {
    let (Some(from), Some(to)) = (Emulator::start(Make::Ministack), Emulator::start(Make::Fakecloud)) else { return };
    if !has_boto3() {
        return;
    }
    let dev = Developer::new();
    run(&from, STATE);
    dev.ok(&from.url, &["commit", "p", "--account", ACCOUNTS]);
    let injected = dev.ok(&to.url, &["inject", "p"]);
    let lost = addresses(&injected["lost"]);
    assert!(lost.contains(&"111111111111/global/iam/user/a".to_owned()), "{lost:?}");
    assert!(lost.iter().all(|address| !address.starts_with("self/")), "{lost:?}");
    assert_eq!(
        to.boto3("import boto3; print([u['UserName'] for u in boto3.client('iam').list_users()['Users']])").trim(),
        "['own']"
    );
    // None of that is a deletion.
    to.boto3("import boto3; boto3.client('iam').create_user(UserName='new')");
    dev.ok(&to.url, &["commit", "p"]);
    assert_eq!(dev.diff("p@~1", "p"), [vec!["self/global/iam/user/new".to_owned()], vec![], vec![]]);
}
