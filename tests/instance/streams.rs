//! Kinesis: captured, put into an empty instance, captured again.

use std::collections::BTreeSet;

use crate::common::emulators::{Make, has_boto3};
use crate::round_trip::{Trip, bring, differences, lines};

const TRIP: Trip = Trip {
    services: &["kinesis"],
    state: include_str!("state/streams.py"),
    changes: include_str!("state/streams_changes.py"),
    seen: include_str!("state/streams_seen.py"),
    not_kept,
    skipped,
    anew,
};

/// See [`Trip::not_kept`].
pub(crate) fn not_kept(make: Make) -> BTreeSet<String> {
    lines(match make {
        Make::Ministack => &[
            "self/us-east-1/kinesis/stream/empty ShardLevelMetrics",
            "self/us-east-1/kinesis/stream/on-demand WarmThroughputMiBps",
            "self/us-east-1/kinesis/stream/orders_All.1 ShardLevelMetrics",
            "self/us-east-1/kinesis/stream/orders_All.1/consumer/reader-1 Tags",
            "self/us-east-1/kinesis/stream/wide MaxRecordSizeInKiB",
        ],
        Make::Moto => &[
            "self/us-east-1/kinesis/stream/on-demand WarmThroughputMiBps",
            "self/us-east-1/kinesis/stream/orders_All.1/consumer/reader-1 Policy",
            "self/us-east-1/kinesis/stream/orders_All.1/consumer/reader-1 Tags",
            "self/us-east-1/kinesis/stream/wide MaxRecordSizeInKiB",
        ],
        Make::LocalStack => &[
            "self/us-east-1/kinesis/stream/on-demand WarmThroughputMiBps",
            "self/us-east-1/kinesis/stream/orders_All.1/consumer/reader-1 Tags",
            "self/us-east-1/kinesis/stream/wide MaxRecordSizeInKiB",
        ],
        Make::Fakecloud => &["self/us-east-1/kinesis/stream/orders_All.1/consumer/reader-1 Policy"],
    })
}

fn skipped(make: Make) -> &'static [&'static str] {
    match make {
        Make::LocalStack => &["self/us-east-1/kinesis/stream/split/records/all: "],
        _ => &[],
    }
}

/// Two streams that lose records, and one that was deleted.
fn anew(_make: Make) -> &'static [&'static str] {
    &[
        "self/us-east-1/kinesis/stream/many-03",
        "self/us-east-1/kinesis/stream/many-04",
        "self/us-east-1/kinesis/stream/many-05",
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_made_by_boto3_go_from_every_make_into_every_make() {
    TRIP.goes_from_every_make_into_every_make().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_streams_are_undone_and_deletes_leave_nothing() {
    TRIP.changes_are_undone_and_deletes_leave_nothing().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_were_added_are_put_behind_those_that_are_there() {
    const MAKE: &str = "import boto3\nstreams = boto3.client('kinesis')\n";
    const FIRST: &str = "streams.create_stream(StreamName='s', ShardCount=2)
while streams.describe_stream_summary(StreamName='s')['StreamDescriptionSummary']['StreamStatus'] != 'ACTIVE': pass
for key in 'abcdef': streams.put_record(StreamName='s', PartitionKey=key, Data=b'first')";
    const MORE: &str = "for key in 'fedcba': streams.put_record(StreamName='s', PartitionKey=key, Data=b'more')";
    if !has_boto3() {
        return;
    }
    for make in Make::ALL {
        let Some(emulator) = TRIP.start(make).await else { continue };
        emulator.boto3(&format!("{MAKE}{FIRST}"));
        let few = TRIP.captured(&emulator).await;
        emulator.boto3(&format!("{MAKE}{MORE}"));
        let many = TRIP.captured(&emulator).await;
        bring(&many, &few, &emulator).await;
        let back = TRIP.captured(&emulator).await;
        assert_eq!(differences(&few, &back), lines(&[]), "{}", make.name());
        bring(&few, &many, &emulator).await;
        let again = TRIP.captured(&emulator).await;
        assert_eq!(differences(&many, &again), lines(&[]), "{}", make.name());
        assert_eq!(*back.marks.lock().unwrap(), *again.marks.lock().unwrap(), "{}", make.name());
    }
}
