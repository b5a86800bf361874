//! CloudWatch and KMS: captured, put into an empty instance, captured again.

use std::collections::BTreeSet;

use crate::common::emulators::Make;
use crate::round_trip::{Trip, lines};

const TRIP: Trip = Trip {
    services: &["cloudwatch", "kms"],
    state: include_str!("state/settings.py"),
    changes: include_str!("state/settings_changes.py"),
    seen: include_str!("state/settings_seen.py"),
    not_kept,
    skipped,
    anew,
};

/// See [`Trip::not_kept`].
pub(crate) fn not_kept(make: Make) -> BTreeSet<String> {
    lines(match make {
        // Asymmetric keys need a library that it does not bring along.
        Make::Ministack => &[
            "-self/us-east-1/kms/key/ECC_NIST_P256 SIGN_VERIFY",
            "-self/us-east-1/kms/key/RSA_2048 ENCRYPT_DECRYPT",
            "-self/us-east-1/kms/key/RSA_2048 SIGN_VERIFY",
            "self/us-east-1/cloudwatch/alarm/band Metrics",
            "self/us-east-1/cloudwatch/alarm/band ThresholdMetricId",
            "self/us-east-1/cloudwatch/alarm/math Metrics",
            "self/us-east-1/cloudwatch/alarm/percentile EvaluateLowSampleCountPercentile",
            "self/us-east-1/cloudwatch/composite-alarm/all of it ActionsSuppressor",
            "self/us-east-1/cloudwatch/composite-alarm/all of it ActionsSuppressorExtensionPeriod",
            "self/us-east-1/cloudwatch/composite-alarm/all of it ActionsSuppressorWaitPeriod",
        ],
        Make::Moto => &[
            "-self/us-east-1/cloudwatch/composite-alarm/all of it",
            "self/us-east-1/kms/key/shop%2Fmain_1-x RotationPeriodInDays",
        ],
        Make::LocalStack => &[],
        Make::Fakecloud => &[],
    })
}

fn skipped(_make: Make) -> &'static [&'static str] {
    &[]
}

fn anew(_make: Make) -> &'static [&'static str] {
    &[]
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_made_by_boto3_go_from_every_make_into_every_make() {
    TRIP.goes_from_every_make_into_every_make().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_settings_are_undone_and_deletes_leave_nothing() {
    TRIP.changes_are_undone_and_deletes_leave_nothing().await;
}
