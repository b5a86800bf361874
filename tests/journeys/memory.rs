//! What peapod remembers of an instance: what an emulator dropped, a call skipped or a selector left out never turns into
//! a deletion for the team, and a restarted instance never commits an empty version.

use serde_json::json;

use crate::cloud::Cloud;
use crate::common::emulators::Make;
use crate::door::Door;
use crate::program::{Developer, addresses};

/// A bucket, a table and a parameter.
const STATE: &str = "
bucket('photos', cat='meow', dog='woof')
table('users', ada='1', bob='2')
param('/app/colour', 'red')
";

#[test]
fn what_an_emulator_drops_is_no_deletion_for_the_team() {
    let (Some(rich), Some(poor)) = (Cloud::ministack(), Cloud::start(Make::Moto)) else { return };
    let dev = Developer::new();
    // moto forgets a table's class.
    rich.py(STATE);
    rich.py("aws('dynamodb').update_table(TableName='users', TableClass='STANDARD_INFREQUENT_ACCESS')");
    rich.py("
u = queue('jobs')
aws('sqs').send_message(QueueUrl=u, MessageBody='wash')
aws('sqs').send_message(QueueUrl=u, MessageBody='dry')
");
    dev.ok(&rich.url, &["commit", "p"]);
    let injected = dev.ok(&poor.url, &["inject", "p"]);
    const TABLE: &str = "self/us-east-1/dynamodb/table/users";
    assert!(addresses(&injected["lost"]).contains(&TABLE.to_owned()), "{injected}");
    // The very record of which it forgets a part is changed too.
    poor.py("
put('photos', 'bird', 'tweet'); item('users', 'ada', '3'); drop('photos', 'dog')
arn = aws('dynamodb').describe_table(TableName='users')['Table']['TableArn']
aws('dynamodb').tag_resource(ResourceArn=arn, Tags=[{'Key': 'team', 'Value': 'blue'}])
");
    let second = dev.ok(&poor.url, &["commit", "p"]);
    let [added, changed, removed] = dev.diff("p@1", "p@2");
    assert_eq!(added, ["self/us-east-1/s3/bucket/photos/object/bird"], "{injected} {second}");
    assert_eq!(changed.len(), 2, "{changed:?}");
    assert_eq!(changed[0], TABLE);
    let table = |version: &str| {
        let records = dev.ok("", &["inspect", version, "--only", TABLE]);
        records["records"].as_array().unwrap().iter().find(|one| one["address"] == TABLE).unwrap()["attributes"].clone()
    };
    let mut with_tag = table("p@1");
    assert_eq!(with_tag["TableClass"], "STANDARD_INFREQUENT_ACCESS");
    with_tag["Tags"] = table("p@2")["Tags"].clone();
    assert!(with_tag["Tags"].to_string().contains("blue"), "{with_tag}");
    assert_eq!(table("p@2"), with_tag);
    assert_eq!(removed, ["self/us-east-1/s3/bucket/photos/object/dog"]);
    let messages = |version: &str| dev.records(version).iter().filter(|record| record.contains("/message")).count();
    assert_eq!((messages("p@1"), messages("p@2")), (2, 2));
}

#[test]
fn what_a_selector_left_out_is_kept() {
    let Some(cloud) = Cloud::ministack() else { return };
    let dev = Developer::new();
    cloud.py(STATE);
    dev.ok(&cloud.url, &["commit", "p"]);
    cloud.py("drop('photos', 'cat'); param('/app/colour', 'blue'); aws('dynamodb').delete_table(TableName='users')");
    dev.ok(&cloud.url, &["commit", "p", "--service", "ssm"]);
    let [added, changed, removed] = dev.diff("p@1", "p@2");
    assert_eq!((added, removed), (vec![], vec![]));
    assert_eq!(changed, ["self/us-east-1/ssm/parameter/%2Fapp%2Fcolour"]);
    // What was left out is not forgotten: the next whole commit takes it.
    dev.ok(&cloud.url, &["commit", "p"]);
    let [added, changed, removed] = dev.diff("p@2", "p@3");
    assert_eq!((added, changed), (vec![], vec![]));
    assert!(removed.contains(&"self/us-east-1/s3/bucket/photos/object/cat".to_owned()), "{removed:?}");
    assert_eq!(removed.len(), 4, "the cat, the table and its two items: {removed:?}");
}

#[test]
fn what_a_call_skipped_is_kept() {
    let Some(cloud) = Cloud::ministack() else { return };
    let (dev, door) = (Developer::new(), Door::to(&cloud.url));
    cloud.py(STATE);
    dev.ok(&door.url, &["commit", "p"]);
    cloud.py("put('photos', 'bird', 'tweet'); item('users', 'eve', '9'); param('/app/colour', 'blue')");
    door.fail("DynamoDB_20120810.Scan");
    let second = dev.ok(&door.url, &["commit", "p"]);
    assert!(!second["skipped"].as_array().unwrap().is_empty(), "{second}");
    let [added, changed, removed] = dev.diff("p@1", "p@2");
    assert_eq!(added, ["self/us-east-1/s3/bucket/photos/object/bird"]);
    assert_eq!(changed, ["self/us-east-1/ssm/parameter/%2Fapp%2Fcolour"]);
    assert_eq!(removed, [""; 0]);
    dev.fails(1, &door.url, &["commit", "p", "--strict"]);
    // Nothing of a whole service: no list of tables, no list of buckets.
    door.guard(|request| match request.contains("DynamoDB_2012") || request.contains("/s3/aws4_request") {
        true => crate::door::Pass::Fail,
        false => crate::door::Pass::Through,
    });
    cloud.py("param('/app/colour', 'green')");
    dev.ok(&door.url, &["commit", "p"]);
    let [added, changed, removed] = dev.diff("p@2", "p@3");
    assert_eq!((added, removed), (vec![], vec![]));
    assert_eq!(changed, ["self/us-east-1/ssm/parameter/%2Fapp%2Fcolour"]);
    door.leave_alone();
    dev.ok(&door.url, &["commit", "p"]);
    let [added, changed, removed] = dev.diff("p@3", "p@4");
    assert_eq!((added.len(), changed, removed), (1, vec![], vec![]), "{added:?}");
}

#[test]
fn a_restarted_instance_never_commits_an_empty_version() {
    let (Some(first), Some(second)) = (Cloud::ministack(), Cloud::ministack()) else { return };
    let (dev, door) = (Developer::new(), Door::to(&first.url));
    first.py(STATE);
    let before = first.state();
    let version = dev.ok(&door.url, &["commit", "p"])["version"].clone();
    door.lead_to(&second.url);
    let refused = dev.fails(3, &door.url, &["commit", "p"]);
    assert!(refused["error"]["hint"].as_str().unwrap().contains("--replace"), "{refused}");
    assert_eq!(dev.ok("", &["show", "p"])["version"], version);
    // With something new in it the old is just as little deleted.
    second.py("param('/app/new', 'x')");
    dev.fails(3, &door.url, &["commit", "p"]);
    // It gets its state back, and keeps what is new.
    dev.ok(&door.url, &["inject", "p"]);
    let mut with_new = before;
    with_new["ssm"]["/app/new"] = json!("x");
    assert_eq!(second.state(), with_new);
    dev.ok(&door.url, &["commit", "p"]);
    assert_eq!(dev.diff("p@1", "p@2"), [vec!["self/us-east-1/ssm/parameter/%2Fapp%2Fnew".to_owned()], vec![], vec![]]);
}

#[test]
fn an_emptied_instance_commits_nothing_but_by_replace() {
    let Some(cloud) = Cloud::ministack() else { return };
    let dev = Developer::new();
    cloud.py(STATE);
    dev.ok(&cloud.url, &["commit", "p"]);
    dev.ok(&cloud.url, &["instance", "reset"]);
    dev.fails(3, &cloud.url, &["commit", "p"]);
    dev.ok(&cloud.url, &["commit", "p", "--replace"]);
    assert_eq!(dev.records("p"), [""; 0]);
}

#[test]
fn deleting_one_of_several_is_a_deletion() {
    let Some(cloud) = Cloud::ministack() else { return };
    let dev = Developer::new();
    cloud.py(STATE);
    cloud.py("bucket('other')");
    dev.ok(&cloud.url, &["commit", "p"]);
    cloud.py("aws('s3').delete_bucket(Bucket='other'); aws('ssm').delete_parameter(Name='/app/colour'); drop('photos', 'cat')");
    dev.ok(&cloud.url, &["commit", "p"]);
    let [added, changed, mut removed] = dev.diff("p@1", "p@2");
    removed.sort();
    assert_eq!((added, changed), (vec![], vec![]));
    assert_eq!(
        removed,
        [
            "self/us-east-1/s3/bucket/other",
            "self/us-east-1/s3/bucket/photos/object/cat",
            "self/us-east-1/ssm/parameter/%2Fapp%2Fcolour"
        ]
    );
}

#[test]
fn an_unchanged_instance_makes_no_version() {
    let Some(cloud) = Cloud::ministack() else { return };
    let dev = Developer::new();
    cloud.py(STATE);
    let first = dev.ok(&cloud.url, &["commit", "p"]);
    assert_eq!(first["made"], true);
    for _ in 0..2 {
        let again = dev.ok(&cloud.url, &["commit", "p"]);
        assert_eq!((&again["made"], &again["version"]), (&json!(false), &first["version"]));
    }
    // Nor does one that has just got a version.
    let Some(other) = Cloud::ministack() else { return };
    dev.ok(&other.url, &["inject", "p"]);
    let again = dev.ok(&other.url, &["commit", "p"]);
    assert_eq!((&again["made"], &again["version"]), (&json!(false), &first["version"]));
    assert_eq!(dev.ok("", &["log", "p"])["versions"].as_array().unwrap().len(), 1);
}

#[test]
fn an_uncommitted_change_survives_an_inject_and_is_committed_after_it() {
    let (Some(mine), Some(theirs)) = (Cloud::ministack(), Cloud::ministack()) else { return };
    let dev = Developer::new();
    mine.py(STATE);
    dev.ok(&mine.url, &["commit", "p"]);
    dev.ok(&theirs.url, &["inject", "p"]);
    theirs.py("put('photos', 'bird', 'tweet'); item('users', 'bob', '22')");
    dev.ok(&theirs.url, &["commit", "p"]);
    // Uncommitted: an addition, a change and a deletion.
    mine.py("put('photos', 'fish', ''); param('/app/colour', 'blue'); drop('photos', 'dog')");
    let injected = dev.ok(&mine.url, &["inject", "p"]);
    assert_eq!(injected["applied"], json!({"added": 1, "changed": 1, "removed": 0}));
    assert_eq!(mine.see("objects('photos')"), json!({"bird": "tweet", "cat": "meow", "fish": ""}));
    assert_eq!(mine.see("[items('users'), params()]"), json!([{"ada": "1", "bob": "22"}, {"/app/colour": "blue"}]));
    dev.ok(&mine.url, &["commit", "p"]);
    assert_eq!(
        dev.diff("p@2", "p@3"),
        [
            vec!["self/us-east-1/s3/bucket/photos/object/fish".to_owned()],
            vec!["self/us-east-1/ssm/parameter/%2Fapp%2Fcolour".to_owned()],
            vec!["self/us-east-1/s3/bucket/photos/object/dog".to_owned()],
        ]
    );
}

#[test]
fn a_commit_after_the_head_moved_on_merges_both() {
    let (Some(mine), Some(theirs)) = (Cloud::ministack(), Cloud::ministack()) else { return };
    let dev = Developer::new();
    mine.py(STATE);
    dev.ok(&mine.url, &["commit", "p"]);
    dev.ok(&theirs.url, &["inject", "p"]);
    theirs.py("put('photos', 'bird', 'tweet'); drop('photos', 'dog')");
    let theirs_head = dev.ok(&theirs.url, &["commit", "p"])["version"].clone();
    mine.py("param('/app/colour', 'blue'); item('users', 'eve', '5')");
    let merged = dev.ok(&mine.url, &["commit", "p"]);
    let parents = addresses(&merged["parents"]);
    assert!(parents.len() == 2 && parents.contains(&theirs_head.as_str().unwrap().to_owned()), "{merged}");
    assert!(merged["author"].is_null(), "a merge without conflicts has no author: {merged}");
    // Both instances come to the same state, and stay there.
    for cloud in [&mine, &theirs] {
        dev.ok(&cloud.url, &["inject", "p"]);
        let again = dev.ok(&cloud.url, &["commit", "p"]);
        assert_eq!((&again["made"], &again["version"]), (&json!(false), &merged["version"]), "{again}");
    }
    assert_eq!(mine.state(), theirs.state());
    assert_eq!(
        mine.see("[objects('photos'), items('users'), params()]"),
        json!([
            {"cat": "meow", "bird": "tweet"}, {"ada": "1", "bob": "2", "eve": "5"}, {"/app/colour": "blue"}
        ])
    );
}

#[test]
fn going_back_to_an_older_version_is_said_on_purpose() {
    let Some(cloud) = Cloud::ministack() else { return };
    let dev = Developer::new();
    cloud.py(STATE);
    dev.ok(&cloud.url, &["commit", "p"]);
    cloud.py("bucket('later'); aws('ssm').delete_parameter(Name='/app/colour')");
    dev.ok(&cloud.url, &["commit", "p"]);
    dev.ok(&cloud.url, &["inject", "p@1", "--strategy", "overwrite"]);
    // By itself it is no wish to undo what came later.
    dev.ok(&cloud.url, &["commit", "p"]);
    assert_eq!(dev.diff("p", "p@2"), [const { Vec::<String>::new() }; 3]);
    dev.ok(&cloud.url, &["inject", "p@1", "--strategy", "overwrite"]);
    dev.ok(&cloud.url, &["commit", "p", "--replace", "--service", "s3"]);
    assert_eq!(dev.diff("p@2", "p"), [vec![], vec![], vec!["self/us-east-1/s3/bucket/later".to_owned()]]);
    dev.ok(&cloud.url, &["inject", "p@1", "--strategy", "overwrite"]);
    dev.ok(&cloud.url, &["commit", "p", "--replace"]);
    assert_eq!(dev.diff("p", "p@1"), [const { Vec::<String>::new() }; 3]);
}

#[test]
fn a_commit_that_conflicts_with_the_head_keeps_its_snapshot() {
    let (Some(mine), Some(theirs)) = (Cloud::ministack(), Cloud::ministack()) else { return };
    let dev = Developer::new();
    mine.py(STATE);
    dev.ok(&mine.url, &["commit", "p"]);
    dev.ok(&theirs.url, &["inject", "p"]);
    theirs.py("param('/app/colour', 'blue')");
    let head = dev.ok(&theirs.url, &["commit", "p"])["version"].clone();
    mine.py("param('/app/colour', 'green'); put('photos', 'bird', 'tweet')");
    let refused = dev.fails(3, &mine.url, &["commit", "p"]);
    assert_eq!(addresses(&refused["conflicts"]), ["self/us-east-1/ssm/parameter/%2Fapp%2Fcolour"], "{refused}");
    assert_eq!(dev.ok("", &["show", "p"])["version"], head, "the head did not move");
    // The way out is the one that the error names, and gc leaves it open.
    dev.ok("", &["gc"]);
    let hint = refused["error"]["hint"].as_str().unwrap();
    let command = hint.split('`').nth(1).unwrap_or_else(|| panic!("no command in {hint:?}"));
    let words: Vec<&str> = command.split(' ').skip(1).map(|word| word.trim_end_matches("|b")).collect();
    let merged = dev.ok("", &words);
    assert_eq!(addresses(&merged["conflicts"]), ["self/us-east-1/ssm/parameter/%2Fapp%2Fcolour"], "{merged}");
    dev.ok(&theirs.url, &["inject", "p"]);
    assert_eq!(
        theirs.see("[params(), objects('photos')]"),
        json!([
            {"/app/colour": "green"}, {"cat": "meow", "dog": "woof", "bird": "tweet"}
        ])
    );
    dev.ok(&mine.url, &["inject", "p"]);
    assert_eq!(mine.state(), theirs.state());
}

#[test]
fn a_restart_is_noticed_on_every_make() {
    for make in Make::ALL {
        let (Some(first), Some(second)) = (Cloud::start(make), Cloud::start(make)) else { continue };
        let (dev, door) = (Developer::new(), Door::to(&first.url));
        let state = "bucket('photos', cat='meow'); param('colour', 'red'); queue('jobs')";
        first.py(state);
        dev.ok(&door.url, &["commit", "p"]);
        door.lead_to(&second.url);
        dev.fails(3, &door.url, &["commit", "p"]);
        // Seeded again by the same script, with one thing less.
        second.py("bucket('photos', cat='meow'); queue('jobs')");
        let refused = dev.fails(3, &door.url, &["commit", "p"]);
        let message = refused["error"]["message"].as_str().unwrap();
        assert!(message.contains("ssm/parameter/colour"), "{}: {message}", make.name());
        dev.ok(&door.url, &["inject", "p"]);
        assert_eq!(second.see("params()"), json!({"colour": "red"}), "{}", make.name());
        assert_eq!(dev.ok(&door.url, &["commit", "p"])["made"], false, "{}", make.name());
    }
}

#[test]
fn another_region_of_one_s_own_is_no_deletion() {
    let Some(cloud) = Cloud::ministack() else { return };
    let dev = Developer::new();
    cloud.py(STATE);
    cloud.py(
        "import boto3; boto3.client('ssm', region_name='moon-1').put_parameter(Name='base', Value='x', Type='String')",
    );
    let commit = |region: &str| {
        let mut command = dev.command(&cloud.url, &["commit", "p"]);
        crate::program::Ran::of({
            command.env("AWS_REGION", region);
            command
        })
        .json()
    };
    assert_eq!(commit("moon-1")["made"], true);
    assert!(dev.records("p").contains(&"self/moon-1/ssm/parameter/base".to_owned()));
    // A caller at home elsewhere does not ask moon-1.
    let again = commit("us-east-1");
    assert_eq!(again["made"], false, "{again}");
}
