//! Two developers, each with a home, a node and an instance.

use serde_json::{Value, json};

use crate::cloud::Cloud;
use crate::door::Door;
use crate::hostile::damage;
use crate::program::{Developer, addresses, files, kill, until};

/// Nodes of tests keep to the loopback.
const UP: [&str; 5] = ["up", "--detach", "--no-mdns", "--listen", "127.0.0.1:0"];

const STATE: &str = "
bucket('photos', cat='meow', dog='woof')
table('users', ada='1', bob='2')
param('colour', 'red')
";

/// Alice's and Bob's side of a team.
struct Side {
    dev: Developer,
    cloud: Cloud,
}

impl Side {
    fn ok(&self, arguments: &[&str]) -> Value {
        self.dev.ok(&self.cloud.url, arguments)
    }

    fn fails(&self, code: i32, arguments: &[&str]) -> Value {
        self.dev.fails(code, &self.cloud.url, arguments)
    }

    fn head(&self) -> Value {
        self.ok(&["show", "p"])["version"].clone()
    }

    fn pid(&self) -> u32 {
        self.ok(&["status"])["pid"].as_u64().unwrap() as u32
    }

    /// Commits and pulls find nothing to do.
    fn is_at_rest(&self) {
        let head = self.head();
        assert_eq!(self.ok(&["commit", "p"])["made"], false);
        let pulled = self.ok(&["pull", "p"]);
        assert_eq!(pulled["applied"], json!({"added": 0, "changed": 0, "removed": 0}), "{pulled}");
        assert_eq!((&pulled["version"], &pulled["fetched"]), (&head, &json!(0)), "{pulled}");
        assert_eq!(self.head(), head);
    }
}

/// Two members, connected. None where ministack or boto3 is lacking.
fn alice_and_bob() -> Option<(Side, Side)> {
    let side = || Some(Side { dev: Developer::new(), cloud: Cloud::ministack()? });
    let (alice, bob) = (side()?, side()?);
    alice.ok(&["team", "create", "acme", "--as", "alice"]);
    alice.ok(&UP);
    join(&alice, &bob, "bob");
    Some((alice, bob))
}

/// Lets someone in and waits until both are connected.
fn join(host: &Side, guest: &Side, name: &str) {
    let ticket = host.ok(&["team", "invite"])["ticket"].as_str().unwrap().to_owned();
    guest.ok(&["team", "join", &ticket, "--as", name]);
    guest.ok(&UP);
    connected(guest);
}

fn connected(side: &Side) {
    until("a connection", || {
        side.ok(&["peers"])["peers"].as_array().unwrap().iter().any(|peer| peer["connected"] == true)
    });
}

#[test]
fn two_who_changed_different_things_get_both_and_come_to_rest() {
    let Some((alice, bob)) = alice_and_bob() else { return };
    alice.cloud.py(STATE);
    alice.ok(&["push", "p"]);
    bob.ok(&["pull", "p"]);
    assert_eq!(bob.cloud.state(), alice.cloud.state());
    // Both change: one pushes, the other has committed nothing yet.
    alice.cloud.py("put('photos', 'bird', 'tweet'); item('users', 'ada', '3')");
    bob.cloud.py("param('colour', 'blue'); drop('photos', 'dog'); item('users', 'eve', '5')");
    alice.ok(&["push", "p"]);
    bob.ok(&["push", "p"]);
    alice.ok(&["pull", "p"]);
    bob.ok(&["pull", "p"]);
    let both = json!([{"bird": "tweet", "cat": "meow"}, {"ada": "3", "bob": "2", "eve": "5"}, {"colour": "blue"}]);
    for side in [&alice, &bob] {
        assert_eq!(side.cloud.see("[objects('photos'), items('users'), params()]"), both);
    }
    // Whoever merges makes the same version, so there is nothing left to exchange.
    assert_eq!(alice.head(), bob.head());
    for side in [&alice, &bob, &alice] {
        side.is_at_rest();
        side.ok(&["push", "p"]);
    }
    assert_eq!(alice.head(), bob.head());
    bob.is_at_rest();
    alice.dev.home_is_clean();
    bob.dev.home_is_clean();
}

#[test]
fn an_uncommitted_change_survives_a_pull() {
    let Some((alice, bob)) = alice_and_bob() else { return };
    alice.cloud.py(STATE);
    alice.ok(&["push", "p"]);
    bob.ok(&["pull", "p"]);
    alice.cloud.py("put('photos', 'bird', 'tweet')");
    alice.ok(&["push", "p"]);
    bob.cloud.py("param('colour', 'blue'); put('photos', 'fish', '')");
    let pulled = bob.ok(&["pull", "p"]);
    assert_eq!(pulled["applied"], json!({"added": 1, "changed": 0, "removed": 0}));
    assert_eq!(
        bob.cloud.see("[sorted(objects('photos')), params()]"),
        json!([["bird", "cat", "dog", "fish"], {"colour": "blue"}])
    );
    bob.ok(&["push", "p"]);
    assert_eq!(bob.dev.diff("p@~1", "p")[0], ["self/us-east-1/s3/bucket/photos/object/fish"]);
    alice.ok(&["pull", "p"]);
    assert_eq!(alice.cloud.state(), bob.cloud.state());
}

#[test]
fn two_who_changed_the_same_thing_get_a_conflict_and_nothing_changes() {
    let Some((alice, bob)) = alice_and_bob() else { return };
    alice.cloud.py(STATE);
    alice.ok(&["push", "p"]);
    bob.ok(&["pull", "p"]);
    alice.cloud.py("param('colour', 'green'); put('photos', 'bird', 'tweet')");
    bob.cloud.py("param('colour', 'blue'); put('photos', 'fish', '')");
    alice.ok(&["push", "p"]);
    const COLOUR: &str = "self/us-east-1/ssm/parameter/colour";
    // Not committed yet, then committed: the same answer.
    for _ in 0..2 {
        let (before, head) = (bob.cloud.state(), bob.head());
        let refused = bob.fails(3, &["pull", "p"]);
        assert_eq!(addresses(&refused["conflicts"]), [COLOUR], "{refused}");
        assert_eq!((bob.cloud.state(), bob.head()), (before, head));
        bob.ok(&["commit", "p"]);
    }
    bob.ok(&["push", "p"]);
    let (before, head) = (alice.cloud.state(), alice.head());
    let refused = alice.fails(3, &["pull", "p"]);
    assert_eq!(addresses(&refused["conflicts"]), [COLOUR], "{refused}");
    assert_eq!((alice.cloud.state(), alice.head()), (before, head));
    // One decides, both have it.
    let settled = bob.ok(&["pull", "p", "--on-conflict", "pod"]);
    assert!(!settled["version"].is_null());
    assert_eq!(bob.cloud.see("params()"), json!({"colour": "green"}));
    bob.ok(&["push", "p"]);
    alice.ok(&["pull", "p"]);
    assert_eq!(alice.cloud.state(), bob.cloud.state());
    assert_eq!(alice.head(), bob.head());
    alice.is_at_rest();
    bob.is_at_rest();
}

#[test]
fn a_restarted_instance_gets_its_state_back_by_pull_and_pushes_no_empty_version() {
    let Some((alice, bob)) = alice_and_bob() else { return };
    let Some(fresh) = Cloud::ministack() else { return };
    let door = Door::to(&bob.cloud.url);
    alice.cloud.py(STATE);
    alice.ok(&["push", "p"]);
    bob.dev.ok(&door.url, &["pull", "p"]);
    door.lead_to(&fresh.url);
    bob.dev.fails(3, &door.url, &["push", "p"]);
    bob.dev.ok(&door.url, &["pull", "p"]);
    assert_eq!(fresh.state(), alice.cloud.state());
    assert_eq!(bob.dev.ok(&door.url, &["push", "p"])["made"], false);
    assert_eq!(bob.head(), alice.head());
}

#[test]
fn a_node_that_was_off_catches_up() {
    let Some((alice, bob)) = alice_and_bob() else { return };
    alice.cloud.py(STATE);
    bob.ok(&["down"]);
    alice.ok(&["push", "p"]);
    alice.cloud.py("param('colour', 'blue')");
    alice.ok(&["push", "p"]);
    bob.ok(&UP);
    connected(&bob);
    bob.ok(&["pull", "p"]);
    assert_eq!(bob.cloud.state(), alice.cloud.state());
    assert_eq!(bob.ok(&["log", "p"])["versions"].as_array().unwrap().len(), 2);
}

#[test]
fn an_interrupted_pull_resumes() {
    let Some((alice, bob)) = alice_and_bob() else { return };
    alice.cloud.py("import os\nbucket('big')\nfor i in range(24): put('big', f'o{i}', os.urandom(2_000_000))");
    alice.ok(&["push", "p"]);
    let pull = bob.dev.start(&bob.cloud.url, &["pull", "p"]);
    until("the first pack", || !files(&bob.dev.home().join("store"), ".pack").is_empty());
    kill(bob.pid());
    pull.kill();
    bob.ok(&UP);
    connected(&bob);
    bob.dev.home_is_clean();
    bob.ok(&["pull", "p"]);
    const DIGEST: &str = "__import__('hashlib').sha256(repr(sorted(objects('big').items())).encode()).hexdigest()";
    assert_eq!(bob.cloud.see(DIGEST), alice.cloud.see(DIGEST));
    assert_eq!(bob.head(), alice.head());
    bob.dev.home_is_clean();
}

#[test]
fn damage_is_repaired_from_the_teammate() {
    let Some((alice, bob)) = alice_and_bob() else { return };
    alice.cloud.py("import os\nbucket('box', **{f'o{i}': os.urandom(90000) for i in range(20)})");
    alice.ok(&["push", "p"]);
    bob.ok(&["pull", "p"]);
    for truncate in [false, true] {
        bob.ok(&["down"]);
        damage(&bob.dev, truncate);
        bob.ok(&UP);
        connected(&bob);
        let found = bob.fails(1, &["fsck"]);
        assert!(!found["damaged"].as_array().unwrap().is_empty(), "{found}");
        let repaired = bob.ok(&["fsck", "--repair"]);
        assert!(repaired["repaired"].as_u64().unwrap() > 0, "{repaired}");
        bob.dev.home_is_clean();
    }
    bob.ok(&["instance", "reset"]);
    bob.ok(&["inject", "p"]);
    assert_eq!(bob.cloud.state(), alice.cloud.state());
}

#[test]
fn a_removed_member_can_neither_push_nor_pull() {
    let Some((alice, bob)) = alice_and_bob() else { return };
    alice.cloud.py(STATE);
    alice.ok(&["push", "p"]);
    bob.ok(&["pull", "p"]);
    alice.ok(&["team", "remove", "bob"]);
    alice.cloud.py("param('colour', 'secret')");
    let head = alice.ok(&["push", "p"])["version"].clone();
    bob.cloud.py("param('colour', 'evil')");
    let (push, pull) = (["push", "p"], ["pull", "p", "--timeout", "3s"]);
    let pushed = bob.dev.run(&bob.cloud.url, &push);
    let pulled = bob.dev.run(&bob.cloud.url, &pull);
    // Whether it knows yet or not: nothing new reaches it.
    assert!(matches!(pulled.code(), 5 | 6) || pulled.json()["fetched"] == 0, "{pulled:?}");
    assert!(matches!(pushed.code(), 0 | 5), "{pushed:?}");
    bob.fails(4, &["show", &format!("p@{}", &head.as_str().unwrap()[..16])]);
    assert_eq!(bob.cloud.see("params()"), json!({"colour": "evil"}));
    // Whatever Bob's node believes, Alice takes nothing from it.
    alice.ok(&["pull", "p"]);
    assert_eq!((alice.head(), alice.cloud.see("params()")), (head, json!({"colour": "secret"})));
}

#[test]
fn a_stranger_gets_nothing_and_gives_nothing() {
    let Some((alice, bob)) = alice_and_bob() else { return };
    let Some(cloud) = Cloud::ministack() else { return };
    let eve = Side { dev: Developer::new(), cloud };
    alice.cloud.py(STATE);
    let head = alice.ok(&["push", "p"])["version"].clone();
    let address = alice.ok(&["status"])["listen"][0].as_str().unwrap().to_owned();
    // A team of her own with the same name, and Alice's address.
    eve.ok(&["team", "create", "acme", "--as", "alice"]);
    eve.ok(&[&UP[..], &["--peer", &address]].concat());
    eve.cloud.py("param('colour', 'evil')");
    eve.ok(&["push", "p"]);
    let pulled = eve.ok(&["pull", "p", "--timeout", "3s"]);
    assert_eq!(pulled["fetched"], 0);
    assert_eq!(eve.cloud.see("[params(), buckets()]"), json!([{"colour": "evil"}, []]));
    for side in [&alice, &bob] {
        side.ok(&["pull", "p"]);
        assert_eq!(side.head(), head);
        assert_eq!(side.ok(&["team", "members"])["members"].as_array().unwrap().len(), 2);
    }
    assert_eq!(bob.cloud.state(), alice.cloud.state());
}
