//! API Gateway: REST APIs, and HTTP and WebSocket APIs, captured, put into an empty instance, captured again.

use std::collections::BTreeSet;

use crate::common::captured::{Captured, connect};
use crate::common::emulators::{Emulator, Make, has_boto3};
use crate::kept::not_offered;
use crate::orchestration::{bring, differences, holds, lines};

/// One of the two versions of the service, and what is made of it.
struct Version {
    service: &'static str,
    state: &'static str,
    changes: &'static str,
    seen: &'static str,
    not_kept: fn(Make) -> BTreeSet<String>,
}

const REST: Version = Version {
    service: "apigateway",
    state: include_str!("state/gateway.py"),
    changes: include_str!("state/gateway_changes.py"),
    seen: include_str!("state/gateway_seen.py"),
    not_kept: rest_not_kept,
};

const HTTP: Version = Version {
    service: "apigatewayv2",
    state: include_str!("state/gatewayv2.py"),
    changes: include_str!("state/gatewayv2_changes.py"),
    seen: include_str!("state/gatewayv2_seen.py"),
    not_kept: http_not_kept,
};

impl Version {
    async fn captured(&self, emulator: &Emulator) -> Captured {
        let captured = Captured::of_services(&connect(&emulator.url).await, &[self.service]).await;
        assert_eq!(captured.skipped(self.service), Vec::<String>::new(), "{}", emulator.make.name());
        captured
    }

    /// An empty instance of a make that offers it.
    fn start(&self, make: Make) -> Option<Emulator> {
        if not_offered(make).contains(self.service) { None } else { Emulator::start(make) }
    }
}

/// What a make does not keep of either version, wherever it comes from. `kept.md` says the same.
pub(crate) fn not_kept(make: Make) -> BTreeSet<String> {
    rest_not_kept(make).into_iter().chain(http_not_kept(make)).collect()
}

fn http_not_kept(make: Make) -> BTreeSet<String> {
    lines(match make {
        Make::Ministack => &[
            "self/us-east-1/apigatewayv2/api/chat {odd}%2F%25/integration/$connect passthroughBehavior",
            "self/us-east-1/apigatewayv2/api/chat {odd}%2F%25/integration/$connect templateSelectionExpression",
            "self/us-east-1/apigatewayv2/api/web/integration/$default tlsConfig",
            "self/us-east-1/apigatewayv2/api/web/integration/GET /orders/{id} credentialsArn",
        ],
        Make::Moto => &[
            "self/us-east-1/apigatewayv2/api/chat {odd}%2F%25/route/$connect responses",
            "self/us-east-1/apigatewayv2/api/web/stage/prod deployment",
        ],
        Make::LocalStack => &[],
        Make::Fakecloud => &[
            "self/us-east-1/apigatewayv2/api/chat {odd}%2F%25/integration/$connect contentHandlingStrategy",
            "self/us-east-1/apigatewayv2/api/chat {odd}%2F%25/integration/$connect requestTemplates",
            "self/us-east-1/apigatewayv2/api/chat {odd}%2F%25/integration/$connect templateSelectionExpression",
            "self/us-east-1/apigatewayv2/api/web/integration/$default tlsConfig",
            "self/us-east-1/apigatewayv2/api/web/integration/GET /orders/{id} credentialsArn",
            "self/us-east-1/apigatewayv2/api/web/integration/GET /orders/{id} description",
            "self/us-east-1/apigatewayv2/api/web/integration/GET /orders/{id} responseParameters",
            "self/us-east-1/apigatewayv2/vpc-link/to the inside tags",
        ],
    })
}

fn rest_not_kept(make: Make) -> BTreeSet<String> {
    lines(match make {
        Make::Ministack => &[
            "self/us-east-1/apigateway/rest-api/shop#2/method//files/{proxy+} ANY methodIntegration",
            "self/us-east-1/apigateway/rest-api/shop#2/method//orders/{id} GET methodIntegration",
            "self/us-east-1/apigateway/rest-api/shop#2/stage/canary canarySettings",
            "self/us-east-1/apigateway/rest-api/shop/method//inside GET methodIntegration",
        ],
        Make::Moto => &[
            "self/us-east-1/apigateway/rest-api/shop#2 binaryMediaTypes",
            "self/us-east-1/apigateway/rest-api/shop#2 version",
            "self/us-east-1/apigateway/rest-api/shop#2/authorizer/by token identityValidationExpression",
            "self/us-east-1/apigateway/rest-api/shop#2/method//orders POST methodIntegration",
            "self/us-east-1/apigateway/rest-api/shop#2/stage/canary canarySettings",
            "self/us-east-1/apigateway/rest-api/shop/method//inside GET methodIntegration",
        ],
        Make::LocalStack => &[
            "self/us-east-1/apigateway/domain-name/api.example.com tags",
            "self/us-east-1/apigateway/rest-api/shop#2/method//orders/{id} GET methodIntegration",
            "self/us-east-1/apigateway/vpc-link/to the inside tags",
        ],
        Make::Fakecloud => &[],
    })
}

/// Whether a make has no place for what a difference speaks of.
fn has_no_place(make: Make, line: &str) -> bool {
    match make {
        // No links, and no models of WebSocket APIs.
        Make::Ministack => line.contains("/vpc-link/") || line.contains("/apigatewayv2/") && line.contains("/model/"),
        // Its WebSocket APIs' models are not listed.
        Make::Moto => line.contains("/apigatewayv2/") && line.contains("/model/"),
        Make::LocalStack => false,
        // It shows what lies in one region in all.
        Make::Fakecloud => line.contains("/far"),
    }
}

async fn goes_from_every_make_into_every_make(version: &Version) {
    if !has_boto3() {
        return;
    }
    let mut wrong = Vec::new();
    for source in Make::ALL {
        let Some(from) = version.start(source) else { continue };
        println!("{}: {}", source.name(), from.boto3(version.state));
        let first = version.captured(&from).await;
        let again = version.captured(&from).await;
        assert_eq!(differences(&first, &again), lines(&[]), "{} looked at twice", source.name());
        assert_eq!(*first.marks.lock().unwrap(), *again.marks.lock().unwrap());
        let seen = from.boto3(version.seen);
        drop(from);
        for target in Make::ALL {
            let Some(into) = version.start(target) else { continue };
            bring(&version.captured(&into).await, &first, &into).await;
            let second = version.captured(&into).await;
            let names = format!("{} into {}", source.name(), target.name());
            let mut expected = (version.not_kept)(target);
            // What the source does not keep either is not there to be lost.
            expected.retain(|line| !(version.not_kept)(source).contains(line) && holds(&first, line));
            let mut lost = differences(&first, &second);
            lost.retain(|line| !has_no_place(target, line));
            if lost != expected {
                wrong.push(format!("{names}: {lost:#?}, not {expected:#?}"));
            }
            if source == target {
                let there = into.boto3(version.seen);
                let (here, there): (BTreeSet<_>, BTreeSet<_>) = (seen.lines().collect(), there.lines().collect());
                wrong.extend(here.difference(&there).map(|line| format!("{names}, for boto3 without {line}")));
                wrong.extend(there.difference(&here).map(|line| format!("{names}, for boto3 with {line}")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

async fn is_undone_and_deletes_leave_nothing(version: &Version) {
    if !has_boto3() {
        return;
    }
    let mut wrong = Vec::new();
    for make in Make::ALL {
        let Some(emulator) = version.start(make) else { continue };
        let empty = version.captured(&emulator).await;
        emulator.boto3(version.state);
        let then = version.captured(&emulator).await;
        println!("{}: {}", make.name(), emulator.boto3(version.changes));
        let now = version.captured(&emulator).await;
        assert_ne!(differences(&then, &now), lines(&[]));
        bring(&now, &then, &emulator).await;
        let undone = version.captured(&emulator).await;
        let left = differences(&then, &undone);
        if !left.is_empty() {
            wrong.push(format!("{} is not as it was: {left:#?}", make.name()));
        }
        // What is made anew has another id.
        let (old, new) = (now.marks.lock().unwrap().clone(), undone.marks.lock().unwrap().clone());
        let both = old.iter().filter_map(|(address, mark)| Some((address, mark, new.get(address)?)));
        let anew = both.filter(|(_, old, new)| old != new).map(|(address, ..)| address.to_string());
        // Their updates of usage plans do not do all that they are told.
        let anew: Vec<String> =
            anew.filter(|address| make == Make::Ministack || !address.contains("/usage-plan/")).collect();
        if !anew.is_empty() {
            wrong.push(format!("{} made {anew:#?} anew", make.name()));
        }
        bring(&undone, &empty, &emulator).await;
        let left = differences(&empty, &version.captured(&emulator).await);
        if !left.is_empty() {
            wrong.push(format!("{} is not empty: {left:#?}", make.name()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

async fn changes_nothing_when_carried_out_again(version: &Version) {
    if !has_boto3() {
        return;
    }
    for make in Make::ALL {
        let Some(emulator) = version.start(make) else { continue };
        emulator.boto3(version.state);
        let first = version.captured(&emulator).await;
        // Another client, as after a crash: nothing remembers what was done already.
        first.restore(&connect(&emulator.url).await).await;
        let second = version.captured(&emulator).await;
        assert_eq!(differences(&first, &second), lines(&[]), "{}", make.name());
        assert_eq!(*first.marks.lock().unwrap(), *second.marks.lock().unwrap(), "{}", make.name());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rest_apis_made_by_boto3_go_from_every_make_into_every_make() {
    goes_from_every_make_into_every_make(&REST).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn http_apis_made_by_boto3_go_from_every_make_into_every_make() {
    goes_from_every_make_into_every_make(&HTTP).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_rest_apis_are_undone_and_deletes_leave_nothing() {
    is_undone_and_deletes_leave_nothing(&REST).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_http_apis_are_undone_and_deletes_leave_nothing() {
    is_undone_and_deletes_leave_nothing(&HTTP).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_of_rest_apis_carried_out_again_changes_nothing() {
    changes_nothing_when_carried_out_again(&REST).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_of_http_apis_carried_out_again_changes_nothing() {
    changes_nothing_when_carried_out_again(&HTTP).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_answers_where_it_was_put_as_if_it_had_been_made_there() {
    if !has_boto3() {
        return;
    }
    const ANSWERS: &str = include_str!("state/gateway_answers.py");
    const ASKED: &str = include_str!("state/gateway_asked.py");
    let Some(from) = Emulator::start(Make::Ministack) else { return };
    from.boto3(ANSWERS);
    let here = from.boto3(ASKED);
    assert!(here.contains("mock 200 {\"from\": \"mock\"}") && here.contains("hello 201"), "{here}");
    let taken = Captured::of_services(&connect(&from.url).await, &["lambda", "apigateway"]).await;
    drop(from);
    // moto serves no APIs.
    for make in [Make::Ministack, Make::LocalStack, Make::Fakecloud] {
        let (Some(native), Some(into)) = (Emulator::start(make), Emulator::start(make)) else { continue };
        native.boto3(ANSWERS);
        let made_there = native.boto3(ASKED);
        println!("{}: {made_there}", make.name());
        assert!(made_there.contains("mock 200"), "{}: {made_there}", make.name());
        taken.restore(&connect(&into.url).await).await;
        assert_eq!(into.boto3(ASKED), made_there, "{}", make.name());
    }
}
