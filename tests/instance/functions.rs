//! Published versions and aliases of Lambda functions, and what hangs on them.

use std::collections::BTreeSet;

use crate::common::emulators::Make;
use crate::trip::{Trip, lines};

const TRIP: Trip = Trip {
    services: &["lambda"],
    state: include_str!("state/functions.py"),
    changes: include_str!("state/functions_changes.py"),
    seen: include_str!("state/functions_seen.py"),
    around: "",
    not_kept,
    hidden,
    anew: &[],
};

/// What a make does not keep of the state, wherever it comes from. `kept.md` says the same.
pub(crate) fn not_kept(make: Make) -> BTreeSet<String> {
    lines(match make {
        Make::Ministack => &[],
        Make::Moto => &[
            "self/us-east-1/lambda/function/bare_1-x Policy",
            "self/us-east-1/lambda/function/shop RecursiveLoop",
            "self/us-east-1/lambda/function/shop/alias/live EventInvokeConfig",
            "self/us-east-1/lambda/function/shop/alias/live FunctionUrlConfig",
            "self/us-east-1/lambda/function/shop/alias/live ProvisionedConcurrentExecutions",
            "self/us-east-1/lambda/function/shop/version/000001 EventInvokeConfig",
            "self/us-east-1/lambda/function/shop/version/000001 ProvisionedConcurrentExecutions",
        ],
        Make::LocalStack => &[
            "self/us-east-1/lambda/function/bare_1-x Policy",
            "self/us-east-1/lambda/function/shop/alias/live ProvisionedConcurrentExecutions",
            "self/us-east-1/lambda/function/shop/version/000001 ProvisionedConcurrentExecutions",
        ],
        Make::Fakecloud => {
            &["self/us-east-1/lambda/function/shop Policy", "self/us-east-1/lambda/function/shop/alias/live Policy"]
        }
    })
}

/// Versions that a make shows without their code.
fn hidden(make: Make) -> BTreeSet<String> {
    lines(match make {
        Make::Ministack => &["self/us-east-1/lambda/function/shop/version/000004"],
        _ => &[],
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_and_aliases_made_by_boto3_go_from_every_make_into_every_make() {
    TRIP.goes_from_every_make_into_every_make().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_aliases_are_undone_and_deletes_leave_nothing() {
    // LocalStack deletes no function that can't run there, which without Docker is any.
    TRIP.changes_are_undone_and_deletes_leave_nothing(&[Make::Ministack, Make::Moto, Make::Fakecloud]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_put_back_again_changes_nothing() {
    TRIP.a_step_carried_out_again_changes_nothing().await;
}
