//! S3: the fixed-point law on each emulator and between them, and bodies that need not be read again.

use peapod::core::record::Body;
use peapod::instance::aws::Aws;
use peapod::instance::{Instance, Step};

use crate::common::captured::{Captured, connect};
use crate::common::emulators::{Emulator, Make, has_boto3};

const STATE: &str = include_str!("state/s3.py");

/// Captures what S3 holds, with nothing skipped.
async fn capture(aws: &Aws, make: Make) -> Captured {
    let captured = Captured::of_services(aws, &["s3"]).await;
    assert_eq!(captured.skipped("s3"), Vec::<String>::new(), "skipped on {}", make.name());
    captured
}

#[tokio::test(flavor = "multi_thread")]
async fn buckets_and_objects_come_back_the_same_on_every_emulator() {
    if !has_boto3() {
        return;
    }
    let mut made = Vec::new();
    for make in Make::ALL {
        let Some(emulator) = Emulator::start(make) else { continue };
        println!("{}: {}", make.name(), emulator.boto3(STATE));
        let aws = connect(&emulator.url).await;
        let captured = capture(&aws, make).await;
        made.push((make, emulator, aws, captured));
    }
    let mut wrong = Vec::new();
    for (target, emulator, aws, _) in &made {
        for (source, _, _, captured) in &made {
            aws.reset().await.unwrap();
            let empty = capture(aws, *target).await.service("s3");
            assert!(empty.is_empty(), "{} is not empty after a reset: {:?}", target.name(), empty.keys());
            // The target of the notifications, which moto calls when they are set.
            emulator.boto3("import boto3; boto3.client('sqs').create_queue(QueueName='s3-events')");
            captured.restore(aws).await;
            let again = capture(aws, *target).await;
            for difference in captured.differences(&again, "s3") {
                wrong.push(format!("{} -> {}: {difference}", source.name(), target.name()));
            }
        }
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_read_once_and_one_just_written_not_at_all() {
    let Some(emulator) = Emulator::start(Make::Moto).filter(|_| has_boto3()) else { return };
    let reads = || emulator.count_in_log("GET /bucket/");
    emulator.boto3(
        "import boto3, time\ns3 = boto3.client('s3')\ns3.create_bucket(Bucket='bucket')\n\
         for i in range(5): s3.put_object(Bucket='bucket', Key=f'k{i}', Body=bytes([i]) * 5000)\ntime.sleep(2.5)",
    );
    let aws = connect(&emulator.url).await;
    let first = Captured::of_services(&aws, &["s3"]).await;
    assert_eq!(reads(), 5);
    let second = first.again(&aws).await;
    assert_eq!((reads(), *second.spared.lock().unwrap()), (5, 5));
    assert!(first.differences(&second, "s3").is_empty());

    // Written by this process: its ETag is known, however young the object is.
    aws.reset().await.unwrap();
    first.restore(&aws).await;
    let echo = Captured::of_services(&aws, &["s3"]).await;
    assert_eq!(reads(), 5);
    assert!(first.differences(&echo, "s3").is_empty());
    // Overwritten by another: read again.
    emulator.boto3("import boto3; boto3.client('s3').put_object(Bucket='bucket', Key='k0', Body=b'x' * 5000)");
    let changed = echo.again(&aws).await;
    assert_eq!(reads(), 6);
    assert_eq!(first.differences(&changed, "s3").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_body_goes_up_in_parts_and_comes_back_the_same() {
    if !has_boto3() {
        return;
    }
    for make in Make::ALL {
        let Some(emulator) = Emulator::start(make) else { continue };
        emulator.boto3(
            "import boto3, os\ns3 = boto3.client('s3')\ns3.create_bucket(Bucket='bucket')\n\
             s3.put_object(Bucket='bucket', Key='large', Body=os.urandom(70 << 20), Metadata={'m': '1'}, Tagging='t=1')",
        );
        let aws = connect(&emulator.url).await;
        let captured = capture(&aws, make).await;
        captured.delete(&aws).await;
        assert!(capture(&aws, make).await.service("s3").is_empty());
        captured.restore(&aws).await;
        // A new connection has written nothing, so that the body is read.
        let again = capture(&connect(&emulator.url).await, make).await;
        assert_eq!(captured.differences(&again, "s3"), Vec::<String>::new(), "{}", make.name());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn buckets_and_objects_change_step_by_step() {
    if !has_boto3() {
        return;
    }
    for make in Make::ALL {
        let Some(emulator) = Emulator::start(make) else { continue };
        emulator.boto3("import boto3; boto3.client('sqs').create_queue(QueueName='s3-events')");
        emulator.boto3(STATE);
        let aws = connect(&emulator.url).await;
        let full = capture(&aws, make).await;
        // The same buckets and objects, without any attribute and with other bodies.
        let bare = Captured { contents: full.contents.clone(), ..Captured::default() };
        for (address, mut record) in full.service("s3") {
            if address.kind() == "bucket" {
                let tags_only = address.name() == "plain" && record.attributes.contains_key("Tagging");
                record
                    .attributes
                    .retain(|name, _| name != "Tagging" && (tags_only || name == "VersioningConfiguration"));
                record.body = record.body.map(|body| if tags_only { body } else { Body::Inline(b"new".to_vec()) });
                bare.records.lock().unwrap().insert(address, record);
            }
        }
        full.apply(&aws, steps(&full, &bare)).await;
        let now = capture(&aws, make).await;
        assert_eq!(bare.differences(&now, "s3"), Vec::<String>::new(), "{}: full -> bare", make.name());
        full.apply(&aws, steps(&bare, &full)).await;
        let now = capture(&aws, make).await;
        assert_eq!(full.differences(&now, "s3"), Vec::<String>::new(), "{}: bare -> full", make.name());
        // Versions and delete markers don't keep a bucket.
        full.delete(&aws).await;
        assert!(capture(&aws, make).await.service("s3").is_empty(), "{}: all deleted", make.name());
    }
}

/// The steps from one state to another.
fn steps(from: &Captured, to: &Captured) -> Vec<Step> {
    let (from, to) = (from.service("s3"), to.service("s3"));
    let addresses: std::collections::BTreeSet<_> = from.keys().chain(to.keys()).collect();
    let step = |address: &peapod::core::address::Address| {
        let (before, after) = (from.get(address).cloned(), to.get(address).cloned());
        (before != after).then(|| Step { address: address.clone(), before, after, paused: false })
    };
    addresses.into_iter().filter_map(step).collect()
}
