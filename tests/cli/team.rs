//! Teams of programs on this machine: who is put out hears of it.

use serde_json::Value;

use crate::node::{Down, QUIET};
use crate::{Place, until};

fn up(place: &Place) {
    let ran = place.run(&[&["up", "--detach"][..], &QUIET].concat());
    assert_eq!(ran.code(), 0, "{ran:?}");
}

/// A home that has joined the team of `admin`, whose node is up. Its own node is not.
pub(crate) fn member(admin: &Place, name: &str) -> Place {
    let place = Place::new();
    let ticket = admin.run(&["team", "invite", "--json"]).json()["ticket"].as_str().unwrap().to_owned();
    let ran = place.run(&["team", "join", &ticket, "--as", name]);
    assert_eq!(ran.code(), 0, "{ran:?}");
    place
}

pub(crate) fn friends() -> Place {
    let anna = Place::new();
    assert_eq!(anna.run(&["team", "create", "friends", "--as", "anna"]).code(), 0);
    up(&anna);
    anna
}

fn connected(place: &Place) -> usize {
    let peers = place.run(&["peers", "--json"]).json()["peers"].clone();
    peers.as_array().map_or(0, |peers| peers.iter().filter(|peer| peer["connected"] == true).count())
}

fn error(value: &Value) -> String {
    value["error"]["message"].as_str().unwrap_or_else(|| panic!("{value}")).to_owned()
}

#[test]
fn a_member_that_is_removed_while_connected_is_told_by_whom() {
    let anna = friends();
    let _down = Down(&anna);
    let ben = member(&anna, "ben");
    ben.pod("p", ["a"]);
    let _down_too = Down(&ben);
    up(&ben);
    until("they meet", || connected(&anna) == 1 && connected(&ben) == 1);
    assert_eq!(ben.run(&["status", "--json"]).json()["removed"], false);
    assert_eq!(anna.run(&["team", "remove", "ben"]).code(), 0);

    until("ben hears of it", || ben.run(&["status", "--json"]).json()["removed"] == true);
    assert!(ben.run(&["status"]).out().contains("this node was removed from it by anna"));
    let members = ben.run(&["team", "members"]);
    assert!(members.out().contains("by anna  (this node)"), "{members:?}");
    for arguments in [&["push", "p", "--no-commit"][..], &["pull", "p", "--no-inject"], &["fetch", "p"]] {
        let ran = ben.run(&[arguments, &["--json"]].concat());
        assert_eq!(ran.code(), 5, "{ran:?}");
        assert_eq!(error(&ran.json()), "this node was removed from the team \"friends\" by anna");
    }
}

#[test]
fn a_member_that_is_removed_while_away_is_told_that_it_is_refused() {
    let anna = friends();
    let _down = Down(&anna);
    let carol = member(&anna, "carol");
    carol.pod("p", ["a"]);
    // What `up` was told holds for the commands afterwards.
    up(&carol);
    until("they meet", || connected(&carol) == 1);
    assert_eq!(carol.run(&["down"]).code(), 0);
    assert_eq!(anna.run(&["team", "remove", "carol"]).code(), 0);
    for arguments in [&["push", "p", "--no-commit"][..], &["pull", "p", "--no-inject"]] {
        // A push does not wait long for anybody; on a busy machine it may go before the answer comes.
        let mut last = None;
        until("it is refused", || {
            let ran = carol.run(&[arguments, &["--json"]].concat());
            let code = ran.code();
            last = Some(ran);
            code == 5
        });
        assert!(last.as_ref().is_some_and(|ran| error(&ran.json()).contains("refuse this node")), "{last:?}");
    }
    let _down_too = Down(&carol);
    up(&carol);
    until("the node notices", || carol.run(&["status", "--json"]).json()["refused"] == true);
    assert!(carol.run(&["status"]).out().contains("may have been removed"));
    let members = carol.run(&["team", "members"]);
    assert!(members.err().contains("may have been removed"), "{members:?}");
}

#[test]
fn a_node_that_is_away_is_not_one_that_refuses() {
    let anna = friends();
    let ben = member(&anna, "ben");
    ben.pod("p", ["a"]);
    up(&ben);
    until("they meet", || connected(&ben) == 1);
    ben.run(&["down"]);
    anna.run(&["down"]);
    let ran = ben.run(&["pull", "p", "--no-inject", "--timeout", "1s", "--json"]);
    assert_eq!(ran.code(), 6, "{ran:?}");
    assert_eq!(ben.run(&["push", "p", "--no-commit"]).code(), 0);
}

#[test]
fn a_teams_only_admin_goes_on_after_the_index_is_lost() {
    let anna = Place::new();
    assert_eq!(anna.run(&["team", "create", "friends", "--as", "anna"]).code(), 0);
    let index = || anna.home().join("store/index.redb");
    let members = || {
        let members = anna.run(&["team", "members", "--json"]).json()["members"].clone();
        let names = members.as_array().unwrap().iter().map(|one| (one["member"].clone(), one["role"].clone()));
        names.collect::<Vec<_>>()
    };
    let before = members();
    // With nothing in the packs there is nothing to make again but the team.
    std::fs::remove_file(index()).unwrap();
    assert_eq!(members(), before);

    let [_, second] = anna.pod("p", ["red", "blue"]);
    std::fs::remove_file(index()).unwrap();
    let ran = anna.run(&["list", "--json"]);
    assert_eq!(ran.code(), 1);
    assert!(ran.json()["error"]["hint"].as_str().unwrap().contains("fsck --repair"), "{ran:?}");
    let ran = anna.run(&["fsck", "--repair"]);
    assert!(ran.code() == 0 && ran.err().contains("friends"), "{ran:?}");
    assert_eq!(members(), before);
    assert_eq!(anna.run(&["show", "p", "--json"]).json()["version"], second.as_str());
    let older = std::fs::read(index()).unwrap();
    // It lets people in, and they are kept as well.
    let down = Down(&anna);
    up(&anna);
    member(&anna, "ben");
    drop(down);
    let both = members();
    assert_eq!(both.len(), 2);
    std::fs::remove_file(index()).unwrap();
    assert_eq!(anna.run(&["fsck", "--repair"]).code(), 0);
    assert_eq!(members(), both);
    // An index from a backup knows less, and learns it again.
    std::fs::write(index(), older).unwrap();
    assert_eq!(members(), both);
}

#[test]
fn a_push_tells_whose_versions_it_lacks_and_a_delete_that_they_come_back() {
    let anna = Place::new();
    let [first, _] = anna.pod("p", ["x", "y"]);
    assert_eq!(anna.run(&["team", "create", "friends", "--as", "anna"]).code(), 0);
    let _down = Down(&anna);
    up(&anna);
    let invite = anna.run(&["team", "invite"]);
    assert!(invite.err().contains("`peapod team join TICKET --as NAME`"), "{invite:?}");
    let ben = member(&anna, "ben");
    ben.pod("p", ["a", "b"]);
    let _down_too = Down(&ben);
    up(&ben);
    until("they meet", || connected(&anna) == 1 && connected(&ben) == 1);
    let push = |place: &Place| {
        let ran = place.run(&["push", "p", "--no-commit"]);
        assert_eq!(ran.code(), 0, "{ran:?}");
        ran.err()
    };
    let unpushed = anna.run(&["delete", "p@2"]);
    assert!(unpushed.code() == 0 && !unpushed.err().contains("was pushed"), "{unpushed:?}");
    assert!(!push(&ben).contains("ahead"));
    until("anna hears of it", || {
        anna.run(&["list", "--json"]).json()["pods"][0]["heads"].as_array().is_some_and(|heads| heads.len() == 1)
    });
    let said = push(&anna);
    assert!(said.contains("p: ben is ahead by versions that yours lacks; `peapod pull p` merges them"), "{said}");
    assert_eq!(anna.run(&["fetch", "p"]).code(), 0);
    assert!(push(&anna).contains("p: ben is ahead by 2 versions that yours lacks"));

    let swapped = anna.run(&["merge", "p", "anna", "ben", "--json"]);
    assert!(swapped.json()["error"]["hint"].as_str().unwrap().contains("@anna"), "{swapped:?}");
    let deleted = anna.run(&["delete", "p"]);
    assert!(deleted.err().contains("p was pushed: teammates who have it keep it"), "{deleted:?}");
    assert_eq!(anna.run(&["pull", "p@anna", "--no-inject"]).code(), 0);
    assert_eq!(anna.run(&["show", "p", "--json"]).json()["version"], first.as_str());
}
