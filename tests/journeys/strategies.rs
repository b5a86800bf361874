//! Each strategy against a real instance, looked at with boto3; and what goes with all of them.

use serde_json::{Value, json};

use crate::cloud::Cloud;
use crate::common::emulators::Make;
use crate::program::{Developer, addresses};

const POD: &str = "
bucket('box1', o1='one')
queue('q1')
table('users', ada='1')
";

/// What an unrelated instance has: the same bucket and table with other things in them, and resources of its own.
const OTHER: &str = "
bucket('box1', o2='two')
bucket('box2', o='x')
table('users', bob='2')
param('mine', 'm')
";

/// A pod "p" of [`POD`], and an instance with [`OTHER`].
fn pod_and_other() -> Option<(Developer, Cloud)> {
    let (from, to) = (Cloud::ministack()?, Cloud::ministack()?);
    let dev = Developer::new();
    from.py(POD);
    to.py(OTHER);
    dev.ok(&from.url, &["commit", "p"]);
    Some((dev, to))
}

fn put_in(strategy: &str) -> Option<Value> {
    let (dev, to) = pod_and_other()?;
    dry_run_is_the_run(&dev, &to, &["inject", "p", "--strategy", strategy]);
    Some(to.state())
}

/// Runs an inject dry, then really: the dry run changes nothing, and says address by address what a bystander, who
/// compares the instance before and after, sees change.
fn dry_run_is_the_run(dev: &Developer, to: &Cloud, inject: &[&str]) {
    let bystander = Developer::new();
    bystander.ok(&to.url, &["commit", "seen"]);
    let before = to.state();
    let planned = dev.ok(&to.url, &[inject, &["--dry-run"]].concat());
    assert_eq!(to.state(), before, "a dry run changes nothing");
    let done = dev.ok(&to.url, inject);
    assert_eq!(done["applied"], planned["applied"]);
    assert!(done["plan"].is_null());
    bystander.ok(&to.url, &["commit", "seen"]);
    let changed = match bystander.ok("", &["log", "seen"])["versions"].as_array().unwrap().len() {
        1 => [vec![], vec![], vec![]],
        _ => bystander.diff("seen@1", "seen@2"),
    };
    for (op, mut seen) in ["create", "update", "delete"].into_iter().zip(changed) {
        let steps = planned["plan"].as_array().unwrap().iter().filter(|step| step["op"] == op).cloned();
        let mut steps = addresses(&steps.collect());
        steps.sort();
        seen.sort();
        assert_eq!(steps, seen, "{op}");
    }
}

#[test]
fn overwrite_makes_the_instance_exactly_the_pod() {
    let Some(state) = put_in("overwrite") else { return };
    assert_eq!(
        state,
        json!({"s3": {"box1": {"o1": "one"}}, "dynamodb": {"users": {"ada": "1"}}, "ssm": {}, "sqs": ["q1"]})
    );
}

#[test]
fn account_region_replaces_the_services_that_the_pod_has_and_no_other() {
    let Some(state) = put_in("account-region") else { return };
    assert_eq!(
        state,
        json!({"s3": {"box1": {"o1": "one"}}, "dynamodb": {"users": {"ada": "1"}}, "ssm": {"mine": "m"}, "sqs": ["q1"]})
    );
}

#[test]
fn basic_adds_the_resources_that_are_missing_and_touches_no_other() {
    let Some(state) = put_in("basic") else { return };
    let s3 = json!({"box1": {"o2": "two"}, "box2": {"o": "x"}});
    assert_eq!(state, json!({"s3": s3, "dynamodb": {"users": {"bob": "2"}}, "ssm": {"mine": "m"}, "sqs": ["q1"]}));
}

#[test]
fn deep_unites_resources_of_one_name() {
    let Some(state) = put_in("deep") else { return };
    let s3 = json!({"box1": {"o1": "one", "o2": "two"}, "box2": {"o": "x"}});
    let users = json!({"ada": "1", "bob": "2"});
    assert_eq!(state, json!({"s3": s3, "dynamodb": {"users": users}, "ssm": {"mine": "m"}, "sqs": ["q1"]}));
}

#[test]
fn a_conflict_changes_nothing_until_somebody_decides() {
    let Some((dev, to)) = pod_and_other() else { return };
    to.py("put('box1', 'o1', 'eins'); item('users', 'ada', 'I')");
    let before = to.state();
    let refused = dev.fails(3, &to.url, &["inject", "p"]);
    let mut listed = addresses(&refused["conflicts"]);
    listed.sort();
    assert_eq!(listed.len(), 2, "{refused}");
    assert_eq!(listed[1], "self/us-east-1/s3/bucket/box1/object/o1");
    assert_eq!(to.state(), before);

    let done = dev.ok(&to.url, &["inject", "p", "--on-conflict", "instance"]);
    assert_eq!(done["conflicts"].as_array().unwrap().len(), 2, "{done}");
    assert_eq!(
        to.see("[objects('box1'), items('users'), queues()]"),
        json!([{"o1": "eins", "o2": "two"}, {"ada": "I", "bob": "2"}, ["q1"]])
    );
    // What the instance has of its own is news to the pod.
    let committed = dev.ok(&to.url, &["commit", "p"]);
    assert_eq!(committed["made"], true);
    let [_, changed, removed] = dev.diff("p@1", "p@2");
    assert_eq!((changed.len(), removed.len()), (2, 0), "{changed:?} {removed:?}");
    dev.ok(&to.url, &["inject", "p@1", "--strategy", "overwrite"]);
    assert_eq!(to.see("[objects('box1'), items('users')]"), json!([{"o1": "one"}, {"ada": "1"}]));
}

#[test]
fn the_pod_wins_a_conflict_when_told_so() {
    let Some((dev, to)) = pod_and_other() else { return };
    to.py("put('box1', 'o1', 'eins'); item('users', 'ada', 'I')");
    dry_run_is_the_run(&dev, &to, &["inject", "p", "--on-conflict", "pod"]);
    assert_eq!(
        to.see("[objects('box1'), items('users')]"),
        json!([{"o1": "one", "o2": "two"}, {"ada": "1", "bob": "2"}])
    );
}

#[test]
fn only_what_is_selected_goes_in() {
    let Some((dev, to)) = pod_and_other() else { return };
    dry_run_is_the_run(&dev, &to, &["inject", "p", "--strategy", "overwrite", "--service", "sqs,dynamodb"]);
    assert_eq!(
        to.see("[buckets(), objects('box1'), items('users'), queues()]"),
        json!([["box1", "box2"], {"o2": "two"}, {"ada": "1"}, ["q1"]])
    );
    dry_run_is_the_run(&dev, &to, &["inject", "p", "--only", "*/bucket/box1", "--except", "*/q1"]);
    assert_eq!(to.see("[objects('box1'), params()]"), json!([{"o1": "one", "o2": "two"}, {"mine": "m"}]));
}

#[test]
fn a_paused_inject_leaves_what_acts_switched_off_and_that_is_no_change() {
    let (Some(from), Some(to)) = (Cloud::ministack(), Cloud::ministack()) else { return };
    let dev = Developer::new();
    from.py(r#"
import io, zipfile
code = io.BytesIO()
with zipfile.ZipFile(code, "w") as z: z.writestr("app.py", "def handler(event, context): return 1")
aws("lambda").create_function(FunctionName="worker", Runtime="python3.11", Role="arn:aws:iam::000000000000:role/r",
                              Handler="app.handler", Code={"ZipFile": code.getvalue()})
queue("jobs")
aws("lambda").create_event_source_mapping(EventSourceArn="arn:aws:sqs:us-east-1:000000000000:jobs",
                                          FunctionName="worker", Enabled=True)
"#);
    let first = dev.ok(&from.url, &["commit", "p"]);
    dev.ok(&to.url, &["inject", "p", "--paused"]);
    const STATES: &str = "[m['State'] for m in aws('lambda').list_event_source_mappings()['EventSourceMappings']]";
    assert_eq!(to.see(STATES), json!(["Disabled"]));
    let again = dev.ok(&to.url, &["commit", "p"]);
    assert_eq!((&again["made"], &again["version"]), (&json!(false), &first["version"]), "{again}");
    dev.ok(&to.url, &["instance", "reset"]);
    dev.ok(&to.url, &["inject", "p"]);
    assert_eq!(to.see(STATES), json!(["Enabled"]));
}

#[test]
fn a_strict_inject_takes_everything_back_when_something_is_lost() {
    let (Some(from), Some(to)) = (Cloud::ministack(), Cloud::start(Make::Moto)) else { return };
    let dev = Developer::new();
    from.py(POD);
    // moto forgets a table's class.
    from.py("table('rare', eve='5'); aws('dynamodb').update_table(TableName='rare', TableClass='STANDARD_INFREQUENT_ACCESS')");
    dev.ok(&from.url, &["commit", "p"]);
    to.py(OTHER);
    let before = to.state();
    let refused = dev.fails(1, &to.url, &["inject", "p", "--strict"]);
    assert_eq!(addresses(&refused["lost"]), ["self/us-east-1/dynamodb/table/rare"], "{refused}");
    assert_eq!(to.state(), before);
    let done = dev.ok(&to.url, &["inject", "p"]);
    assert_eq!(done["lost"], refused["lost"]);
    assert_eq!(to.see("[items('rare'), queues()]"), json!([{"eve": "5"}, ["q1"]]));
}
