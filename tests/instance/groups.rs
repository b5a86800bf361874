//! Groups, instance profiles and identity providers of IAM.

use std::collections::BTreeSet;

use crate::common::emulators::Make;
use crate::trip::{Trip, lines};

const TRIP: Trip = Trip {
    services: &["iam"],
    state: include_str!("state/groups.py"),
    changes: include_str!("state/groups_changes.py"),
    seen: include_str!("state/groups_seen.py"),
    around: "",
    not_kept,
    hidden: |_| lines(&[]),
    anew: &[],
};

/// What a make does not keep of the state, wherever it comes from. `kept.md` says the same.
pub(crate) fn not_kept(make: Make) -> BTreeSet<String> {
    lines(match make {
        Make::Ministack => &[],
        Make::Moto => &["self/global/iam/saml-provider/office.1_- Tags"],
        Make::LocalStack => &[],
        Make::Fakecloud => &[],
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_and_providers_made_by_boto3_go_from_every_make_into_every_make() {
    TRIP.goes_from_every_make_into_every_make().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_groups_and_providers_are_undone_and_deletes_leave_nothing() {
    TRIP.changes_are_undone_and_deletes_leave_nothing(&Make::ALL).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_of_groups_and_providers_carried_out_again_changes_nothing() {
    TRIP.a_step_carried_out_again_changes_nothing().await;
}
