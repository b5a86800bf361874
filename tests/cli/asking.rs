//! What asks a person before it does something for good, and takes a pipe at its word.

use crate::common::emulators::{Emulator, Make, boto3, has_boto3};
use crate::node::{Down, QUIET};
use crate::team::{friends, member};
use crate::{Place, quoted};

/// How a refused question ends.
const NOT_DONE: &str = "not done; nothing was changed";

#[test]
fn deleting_asks_on_a_terminal_and_only_there() {
    let place = Place::new();
    let [first, second, third] = place.pod("p", ["a", "b", "c"]);
    let head = |place: &Place| place.run(&["show", "p", "--json"]).json()["version"].as_str().map(str::to_owned);

    for arguments in [&["delete", "p"][..], &["delete", "p@2"]] {
        let (code, screen) = place.on_a_terminal(arguments, "n\n");
        assert!(code == 1 && screen.contains("[y/N]") && screen.contains(NOT_DONE), "{screen}");
        assert_eq!(head(&place).as_ref(), Some(&third), "{arguments:?}");
    }
    let (code, screen) = place.on_a_terminal(&["delete", "p@3"], "y\n");
    assert!(code == 0 && screen.contains("delete p@3 and what follows it?"), "{screen}");
    let said = format!("p is back at {}; it was at {}", &second[..10], &third[..10]);
    assert!(screen.contains(&said), "{screen} lacks {said}");
    let (code, screen) = place.on_a_terminal(&["delete", "p@2", "-y"], "");
    assert!(code == 0 && !screen.contains("[y/N]"), "{screen}");
    assert_eq!(head(&place).as_ref(), Some(&first));
    let ran = place.run(&["delete", "p"]);
    assert!(ran.code() == 0 && !ran.err().contains("[y/N]"), "{ran:?}");
    assert_eq!(place.run(&["show", "p"]).code(), 4);
}

#[test]
fn deleting_says_where_the_pod_was_and_is() {
    let place = Place::new();
    let [first, second, third] = place.pod("p", ["a", "b", "c"]);
    let done = place.run(&["delete", "p@2", "--json"]).json();
    assert_eq!((&done["deleted"], &done["was"], &done["version"]), (&second.into(), &third.into(), &first.into()));
}

#[test]
fn what_changes_an_instance_asks_on_a_terminal_and_only_there() {
    let Some(emulator) = Emulator::start(Make::Ministack) else { return };
    let place = Place::new();
    place.pod("p", ["a"]);
    let url = ["--instance", emulator.url.as_str()];
    let words = |command: &[&'static str]| [command, &url[..]].concat();
    let holds = |place: &Place| {
        let ran = place.run(&[&["diff", "p", "--json"][..], &url].concat());
        ran.json()["removed"].as_array().map(Vec::is_empty).unwrap_or_else(|| panic!("{ran:?}"))
    };

    let (code, screen) = place.on_a_terminal(&words(&["inject", "p"]), "n\n");
    let question = format!("inject into {} (1 added, 0 changed, 0 removed)? [y/N]", emulator.url);
    assert!(code == 1 && screen.contains(&question) && screen.contains(NOT_DONE), "{screen}");
    assert!(!holds(&place));
    assert_eq!(place.on_a_terminal(&words(&["inject", "p"]), "y\n").0, 0);
    assert!(holds(&place));

    let (code, screen) = place.on_a_terminal(&words(&["undo"]), "n\n");
    assert!(code == 1 && screen.contains("take back the last inject into"), "{screen}");
    assert!(holds(&place));
    assert_eq!(place.on_a_terminal(&words(&["undo", "-y"]), "").0, 0);
    assert!(!holds(&place));

    assert_eq!(place.run(&words(&["inject", "p"])).code(), 0, "a pipe is not asked");
    let (code, screen) = place.on_a_terminal(&words(&["instance", "reset"]), "n\n");
    assert!(code == 1 && screen.contains("for good?") && holds(&place), "{screen}");
    assert_eq!(place.run(&words(&["undo"])).code(), 0, "a pipe is not asked");
}

#[test]
fn a_shell_gets_words_as_they_are() {
    assert_eq!(quoted(&["it's", "a b"]), r"'it'\''s' 'a b'");
}

#[test]
fn a_pull_asks_before_it_takes_anything_out() {
    let Some(emulator) = Emulator::start(Make::Ministack).filter(|_| has_boto3()) else { return };
    let place = Place::new();
    let [_, second] = place.pod("p", ["a", "b"]);
    place.pod("q", ["b"]);
    assert_eq!(place.run(&["team", "create", "friends", "--as", "anna"]).code(), 0);
    let _down = Down(&place);
    assert_eq!(place.run(&[&["up", "--detach"][..], &QUIET].concat()).code(), 0);
    boto3(&emulator.url, "import boto3\nboto3.client('ssm').put_parameter(Name='/mine', Value='x', Type='String')");
    let url = ["--instance", emulator.url.as_str()];
    let words = |command: &[&'static str]| [command, &url[..]].concat();
    let differs = |list: &str| {
        let ran = place.run(&words(&["diff", "p", "--json"]));
        ran.json()[list].as_array().map(Vec::len).unwrap_or_else(|| panic!("{ran:?}"))
    };

    // What only adds is what a pull is for.
    let planned = place.run(&words(&["pull", "p", "--dry-run", "--json"]));
    assert_eq!((planned.code(), planned.json()["plan"][0]["op"].as_str()), (0, Some("create")), "{planned:?}");
    assert_eq!((differs("removed"), &planned.json()["version"]), (1, &second.into()));
    let (code, screen) = place.on_a_terminal(&words(&["pull", "p"]), "");
    assert!(code == 0 && !screen.contains("[y/N]"), "{screen}");
    assert_eq!((differs("removed"), differs("added")), (0, 1));

    let overwrite = ["pull", "q", "--strategy", "overwrite"];
    let text = place.run(&words(&[&overwrite[..], &["--dry-run"]].concat()));
    assert!(text.out().contains("would change: 0 added, 0 changed, 1 removed"), "{text:?}");
    let (code, screen) = place.on_a_terminal(&words(&overwrite), "n\n");
    let question = format!("pull into {} (0 added, 0 changed, 1 removed)? [y/N]", emulator.url);
    assert!(code == 1 && screen.contains(&question) && screen.contains(NOT_DONE), "{screen}");
    assert_eq!(differs("added"), 1);
    let (code, screen) = place.on_a_terminal(&words(&[&overwrite[..], &["-y"]].concat()), "");
    assert!(code == 0 && !screen.contains("[y/N]"), "{screen}");
    assert_eq!(differs("added"), 0);
    assert_eq!(place.run(&["pull", "p", "--dry-run", "--no-inject"]).code(), 2);
}

#[test]
fn removing_a_member_asks_on_a_terminal() {
    let anna = friends();
    let _down = Down(&anna);
    member(&anna, "ben");
    let role = || {
        let members = anna.run(&["team", "members", "--json"]).json()["members"].clone();
        members.as_array().unwrap().iter().find(|member| member["member"] == "ben").unwrap()["role"].clone()
    };
    let (code, screen) = anna.on_a_terminal(&["team", "remove", "ben"], "n\n");
    assert!(code == 1 && screen.contains("remove ben from the team, for good? [y/N]"), "{screen}");
    assert_eq!(role(), "writer");
    let (code, screen) = anna.on_a_terminal(&["team", "remove", "ben", "-y"], "");
    assert!(code == 0 && !screen.contains("[y/N]"), "{screen}");
    assert!(role().is_null());
}
