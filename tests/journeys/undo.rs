//! `undo` takes back the last inject, and nothing else.

use serde_json::json;

use crate::cloud::Cloud;
use crate::door::Door;
use crate::program::{Developer, addresses};

/// Two instances: the first is committed as "p", the second holds something else.
fn two() -> Option<(Developer, Cloud, Cloud)> {
    let (from, to) = (Cloud::ministack()?, Cloud::ministack()?);
    let dev = Developer::new();
    from.py("bucket('box', o='pod'); param('colour', 'red'); table('tab', ada='1')");
    to.py("bucket('box', mine='m'); param('own', 'x'); param('colour', 'green')");
    dev.ok(&from.url, &["commit", "p"]);
    Some((dev, from, to))
}

#[test]
fn undo_gives_back_what_the_inject_changed_and_keeps_what_changed_since() {
    let Some((dev, _from, to)) = two() else { return };
    let before = to.state();
    dev.ok(&to.url, &["inject", "p", "--strategy", "overwrite"]);
    assert_eq!(to.see("[objects('box'), params(), tables()]"), json!([{"o": "pod"}, {"colour": "red"}, ["tab"]]));
    to.py("put('box', 'later', 'l'); param('later', 'l')");
    dev.ok(&to.url, &["undo"]);
    let mut with_later = before;
    with_later["s3"]["box"]["later"] = json!("l");
    with_later["ssm"]["later"] = json!("l");
    assert_eq!(to.state(), with_later);
    dev.fails(4, &to.url, &["undo"]);
}

#[test]
fn undo_gives_back_what_was_remembered_too() {
    let Some((dev, from, to)) = two() else { return };
    let first = dev.ok("", &["show", "p"])["version"].clone();
    from.py("param('colour', 'blue'); put('box', 'o2', 'x')");
    dev.ok(&from.url, &["commit", "p"]);
    // Back to the first version, and that taken back: as if nothing had happened.
    let before = from.state();
    dev.ok(&from.url, &["inject", "p@1", "--strategy", "overwrite"]);
    assert_eq!(from.see("params()"), json!({"colour": "red"}));
    dev.ok(&from.url, &["undo"]);
    assert_eq!(from.state(), before);
    assert_eq!(dev.ok(&from.url, &["commit", "p"])["made"], false);
    assert_ne!(dev.ok("", &["show", "p"])["version"], first);
    // In an instance that stood for no version, it stands for none again.
    dev.ok(&to.url, &["inject", "p", "--strategy", "overwrite"]);
    dev.ok(&to.url, &["undo"]);
    dev.fails(3, &to.url, &["commit", "p"]);
    assert_eq!(dev.ok(&to.url, &["instance", "status"])["pods"], json!([]));
}

#[test]
fn undo_of_what_was_changed_since_is_a_conflict_and_changes_nothing() {
    let Some((dev, _from, to)) = two() else { return };
    dev.ok(&to.url, &["inject", "p", "--strategy", "overwrite"]);
    to.py("param('colour', 'black'); put('box', 'later', 'l')");
    let before = to.state();
    let refused = dev.fails(3, &to.url, &["undo"]);
    assert_eq!(addresses(&refused["conflicts"]), ["self/us-east-1/ssm/parameter/colour"]);
    assert_eq!(to.state(), before);
    // It stays possible.
    to.py("param('colour', 'red')");
    dev.ok(&to.url, &["undo"]);
    assert_eq!(to.see("params()"), json!({"own": "x", "colour": "green"}));
}

#[test]
fn an_instance_restarted_since_has_nothing_to_take_back() {
    let Some((dev, _from, to)) = two() else { return };
    let Some(fresh) = Cloud::ministack() else { return };
    let door = Door::to(&to.url);
    dev.fails(4, &door.url, &["undo"]);
    dev.ok(&door.url, &["inject", "p", "--strategy", "overwrite"]);
    fresh.py("param('fresh', 'f')");
    door.lead_to(&fresh.url);
    let refused = dev.fails(3, &door.url, &["undo"]);
    assert!(refused["error"]["message"].as_str().unwrap().contains("restarted"), "{refused}");
    assert_eq!(fresh.see("params()"), json!({"fresh": "f"}));
}
