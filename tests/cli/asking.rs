//! What asks a person before it does something for good, and takes a pipe at its word.

use crate::common::emulators::{Emulator, Make};
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
