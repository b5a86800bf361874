//! The fixed-point law: commit, inject with `overwrite` into an empty instance of the same make, commit; one root.
//!
//! Each commit is from a home that knows nothing, so that nothing is filled in from memory.

use crate::cloud::Cloud;
use crate::common::emulators::Make;
use crate::program::Developer;

/// State of every service, as the tests of the services make it.
const STATES: [&str; 12] = [
    include_str!("../instance/state/compute.py"),
    include_str!("../instance/state/data.py"),
    include_str!("../instance/state/functions.py"),
    include_str!("../instance/state/gateway.py"),
    include_str!("../instance/state/gatewayv2.py"),
    include_str!("../instance/state/groups.py"),
    include_str!("../instance/state/messaging.py"),
    include_str!("../instance/state/network.py"),
    include_str!("../instance/state/orchestration.py"),
    include_str!("../instance/state/s3.py"),
    include_str!("../instance/state/settings.py"),
    include_str!("../instance/state/streams.py"),
];

const COMMIT: [&str; 6] = ["commit", "law", "--except", "*/event-source-mapping/*", "--except", "*/notification/*"];

fn the_law_holds_on(make: Make) {
    let (Some(from), Some(into)) = (Cloud::start(make), Cloud::start(make)) else { return };
    for state in STATES {
        // LocalStack downloads its tables. Streams are no part of a pod, and moto takes no filter that sends to none.
        let tables = if make == Make::LocalStack { "NO_TABLES='1', " } else { "" };
        let without = format!("import os; os.environ.update({tables}NO_STREAMS='1', NO_LOGS='1')\n");
        println!("{}", from.emulator.boto3(&format!("{without}{state}")));
    }
    let author = Developer::new();
    // Without what acts: a mapping takes messages, and switching on a notification sends one.
    let first = author.ok(&from.url, &COMMIT);
    author.ok(&into.url, &["inject", "law", "--strategy", "overwrite"]);
    let second = Developer::new().ok(&into.url, &COMMIT);
    assert!(first["records"].as_u64().unwrap() > 50, "{first}");
    if first["root"] != second["root"] {
        let live = author.ok(&into.url, &["diff", "law", "--instance"]);
        panic!("{}: {live}\n{first}\n{second}", make.name());
    }
}

#[test]
fn the_law_holds_on_ministack() {
    the_law_holds_on(Make::Ministack);
}

#[test]
fn the_law_holds_on_moto() {
    the_law_holds_on(Make::Moto);
}

#[test]
fn the_law_holds_on_localstack() {
    the_law_holds_on(Make::LocalStack);
}

#[test]
fn the_law_holds_on_fakecloud() {
    the_law_holds_on(Make::Fakecloud);
}
