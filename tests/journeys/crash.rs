//! An emulator or peapod itself killed at its work: the next command brings the instance to one end or the other, and
//! nothing acknowledged is lost.

use std::sync::mpsc;
use std::time::Duration;

use serde_json::json;

use crate::cloud::Cloud;
use crate::door::{Door, Pass};
use crate::program::{Developer, kill, until};

/// Forty objects and a parameter.
const POD: &str = "
bucket('box', **{f'o{i}': f'pod {i}' for i in range(40)})
param('colour', 'red')
";

/// Lets writes of objects through until so many have passed, then does `what` once and fails all that follow.
fn after_writes(door: &Door, count: usize, mut what: impl FnMut() + Send + 'static) {
    let mut passed = 0;
    door.guard(move |request| {
        if !request.starts_with("PUT /box/") {
            return Pass::Through;
        }
        passed += 1;
        if passed <= count {
            return Pass::Through;
        }
        if passed == count + 1 {
            what();
        }
        Pass::Fail
    });
}

#[test]
fn an_emulator_that_dies_in_the_middle_of_an_inject_is_said_and_not_remembered() {
    let (Some(from), Some(to), Some(next)) = (Cloud::ministack(), Cloud::ministack(), Cloud::ministack()) else {
        return;
    };
    let dev = Developer::new();
    from.py(POD);
    dev.ok(&from.url, &["commit", "p"]);
    let door = Door::to(&to.url);
    let pid = to.emulator.pid();
    after_writes(&door, 10, move || kill(pid));
    let ran = dev.run(&door.url, &["inject", "p"]);
    assert_ne!(ran.code(), 0, "{ran:?}");
    assert!(ran.json()["error"]["message"].as_str().unwrap().contains("inject failed"), "{ran:?}");
    // It comes back empty. Nothing is put back into it, and nothing is taken for a deletion.
    door.leave_alone();
    door.lead_to(&next.url);
    assert_eq!(dev.ok(&door.url, &["instance", "status"])["pods"], json!([]));
    dev.fails(3, &door.url, &["commit", "p"]);
    assert_eq!(next.see("buckets()"), json!([]));
    dev.ok(&door.url, &["inject", "p"]);
    assert_eq!(next.state(), from.state());
    dev.home_is_clean();
}

#[test]
fn an_instance_that_begins_to_fail_is_rolled_back() {
    let (Some(from), Some(to)) = (Cloud::ministack(), Cloud::ministack()) else { return };
    let dev = Developer::new();
    from.py(POD);
    to.py("bucket('box', o1='mine', other='o'); param('own', 'x')");
    dev.ok(&from.url, &["commit", "p"]);
    let before = to.state();
    let door = Door::to(&to.url);
    // Only new objects fail: those that stood there before can be put back.
    let mut passed = 0;
    door.guard(move |request| {
        if request.starts_with("PUT /box/o3") {
            passed += 1;
        }
        if passed > 3 && request.starts_with("PUT /box/o3") { Pass::Fail } else { Pass::Through }
    });
    let ran = dev.run(&door.url, &["inject", "p", "--strategy", "overwrite"]);
    assert_ne!(ran.code(), 0, "{ran:?}");
    assert!(ran.json()["error"]["message"].as_str().unwrap().contains("rolled back"), "{ran:?}");
    assert_eq!(to.state(), before);
    door.leave_alone();
    dev.ok(&door.url, &["inject", "p", "--strategy", "overwrite"]);
    assert_eq!(to.state(), from.state());
}

#[test]
fn an_inject_that_is_interrupted_is_taken_back() {
    let (Some(from), Some(to)) = (Cloud::ministack(), Cloud::ministack()) else { return };
    let dev = Developer::new();
    from.py("bucket('box', **{f'o{i}': str(i) for i in range(400)})");
    to.py("bucket('box', o1='mine', other='o'); param('own', 'x')");
    dev.ok(&from.url, &["commit", "p"]);
    let before = to.state();
    let door = Door::to(&to.url);
    let (reached, at_work) = mpsc::channel();
    let mut passed = 0;
    door.guard(move |request| {
        passed += usize::from(request.starts_with("PUT /box/"));
        if passed == 20 {
            let _ = reached.send(());
        }
        // Slow enough that there is something left to interrupt.
        std::thread::sleep(Duration::from_millis(20));
        Pass::Through
    });
    let inject = dev.start(&door.url, &["inject", "p", "--strategy", "overwrite"]);
    at_work.recv_timeout(Duration::from_secs(60)).unwrap();
    inject.interrupt();
    let ran = inject.wait();
    assert_eq!(ran.code(), 1, "{ran:?}");
    assert!(ran.json()["error"]["message"].as_str().unwrap().contains("rolled back"), "{ran:?}");
    assert_eq!(to.state(), before);
    door.leave_alone();
    dev.ok(&door.url, &["inject", "p", "--strategy", "overwrite"]);
    assert_eq!(to.state(), from.state());
}

#[test]
fn an_inject_that_was_killed_is_taken_back_by_the_next_command() {
    let (Some(from), Some(to)) = (Cloud::ministack(), Cloud::ministack()) else { return };
    let dev = Developer::new();
    from.py(POD);
    to.py("bucket('box', o1='mine', other='o'); param('own', 'x')");
    dev.ok(&from.url, &["commit", "p"]);
    let before = to.state();
    let door = Door::to(&to.url);
    let (reached, at_work) = mpsc::channel();
    after_writes(&door, 10, move || reached.send(()).unwrap());
    let inject = dev.start(&door.url, &["inject", "p", "--strategy", "overwrite"]);
    at_work.recv_timeout(Duration::from_secs(60)).unwrap();
    inject.kill();
    door.leave_alone();
    assert_ne!(to.state(), before, "it was in the middle");
    let ran = dev.run(&door.url, &["commit", "own"]);
    assert_eq!(ran.code(), 0, "{ran:?}");
    assert!(ran.err().contains("cut off"), "{ran:?}");
    assert_eq!(to.state(), before);
    assert_eq!(dev.ok(&door.url, &["instance", "status"])["pods"].as_array().unwrap().len(), 1);
    dev.ok(&door.url, &["inject", "p", "--strategy", "overwrite"]);
    assert_eq!(to.state(), from.state());
    dev.home_is_clean();
}

#[test]
fn a_commit_that_was_killed_loses_nothing_that_was_acknowledged() {
    let Some(cloud) = Cloud::ministack() else { return };
    let (dev, door) = (Developer::new(), Door::to(&cloud.url));
    cloud.py("bucket('box', **{f'o{i}': str(i) * 5000 for i in range(30)})");
    let mut acknowledged = vec![dev.ok(&door.url, &["commit", "p"])["version"].clone()];
    // In the middle of reading.
    for count in [1, 60, 200] {
        cloud.py(&format!("put('box', 'new', '{count}' * 3000)"));
        let (reached, at_work) = mpsc::channel();
        let mut seen = 0;
        door.guard(move |_| {
            seen += 1;
            if seen == count {
                let _ = reached.send(());
            }
            if seen < count { Pass::Through } else { Pass::Fail }
        });
        let commit = dev.start(&door.url, &["commit", "p"]);
        at_work.recv_timeout(Duration::from_secs(60)).unwrap();
        commit.kill();
        door.leave_alone();
        dev.home_is_clean();
        if count == 60 {
            acknowledged.push(dev.ok(&door.url, &["commit", "p"])["version"].clone());
        }
    }
    // In the middle of writing: as soon as a pack is begun, and as soon as one is in its place.
    for ending in [".pack", ".redb"] {
        cloud.py(&format!("put('box', 'new{ending}', '{ending}' * 30000)"));
        let written = || crate::program::newest(&dev.home(), ending);
        let before = written();
        let commit = dev.start(&door.url, &["commit", "p"]);
        until("a file to be written", || written() > before);
        commit.kill();
        dev.home_is_clean();
    }
    let kept = dev.ok("", &["log", "p"]);
    let kept: Vec<_> = kept["versions"].as_array().unwrap().iter().map(|version| version["version"].clone()).collect();
    assert!(acknowledged.iter().all(|version| kept.contains(version)), "{acknowledged:?} {kept:?}");
    // What was not acknowledged is simply committed again.
    dev.ok(&door.url, &["commit", "p"]);
    let fresh = Developer::new();
    fresh.ok(&cloud.url, &["commit", "p"]);
    assert_eq!(dev.ok("", &["show", "p"])["root"], fresh.ok("", &["show", "p"])["root"]);
}
