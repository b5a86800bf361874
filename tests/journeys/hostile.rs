//! Hostile and odd surroundings: each gives a clear error or simply works, and nothing is lost.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cloud::Cloud;
use crate::common::emulators::{Emulator, Make, free_port};
use crate::program::{Developer, addresses, files};

/// A server that answers every request with these bytes, or never.
fn answer_everything_with(answer: Option<&'static [u8]>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                let mut buffer = [0; 65_536];
                while stream.read(&mut buffer).is_ok_and(|read| read > 0) {
                    if let Some(answer) = answer {
                        let _ = stream.write_all(answer);
                    }
                }
            });
        }
    });
    url
}

/// The commands that touch an instance.
const TOUCHING: &[&[&str]] = &[&["commit", "p"], &["inject", "p"], &["undo"], &["instance", "status"]];

/// Runs commands on a home that has a pod: each fails with this code within a minute, names the instance, and leaves the
/// pod as it is.
fn all_fail(code: i32, url: &str, commands: &[&[&str]]) {
    let Some(cloud) = Cloud::ministack() else { return };
    let dev = Developer::new();
    cloud.py("param('colour', 'red')");
    let version = dev.ok(&cloud.url, &["commit", "p"])["version"].clone();
    for arguments in commands {
        let start = Instant::now();
        let ran = dev.run(url, arguments);
        assert!(start.elapsed() < Duration::from_secs(90), "{arguments:?}: {:?}", start.elapsed());
        assert_eq!(ran.code(), code, "{arguments:?}: {ran:?}");
        let error = &ran.json()["error"];
        let said = format!("{} {}", error["message"], error["hint"]);
        assert!(said.contains(url.trim_start_matches("http://")), "{arguments:?}: {said}");
    }
    assert_eq!(dev.ok("", &["show", "p"])["version"], version);
    dev.home_is_clean();
}

#[test]
fn where_no_instance_listens_commands_say_so() {
    all_fail(4, &format!("http://127.0.0.1:{}", free_port()), TOUCHING);
}

#[test]
fn an_instance_that_answers_500_to_everything_is_said() {
    all_fail(6, &answer_everything_with(Some(b"HTTP/1.1 500 oops\r\ncontent-length: 0\r\n\r\n")), TOUCHING);
}

#[test]
fn an_instance_that_hangs_is_given_up() {
    all_fail(6, &answer_everything_with(None), &[&["commit", "p"]]);
}

#[test]
fn an_instance_that_talks_nonsense_is_said() {
    all_fail(6, &answer_everything_with(Some(b"220 mail.example ESMTP\r\n")), TOUCHING);
}

#[test]
fn unknown_pods_and_versions_exit_4_and_change_nothing() {
    let Some(cloud) = Cloud::ministack() else { return };
    let dev = Developer::new();
    cloud.py("param('colour', 'red')");
    dev.ok(&cloud.url, &["commit", "p"]);
    let before = cloud.state();
    for arguments in [
        &["inject", "nope"][..],
        &["inject", "p@7"],
        &["inject", "p@0123abcd"],
        &["inject", "p@nobody"],
        &["inject", "p@~1"],
        &["show", "p@2"],
        &["diff", "p", "nope"],
        &["log", "nope"],
        &["delete", "nope"],
        &["merge", "p", "@1", "@9"],
        &["blame", "self/us-east-1/ssm/parameter/none", "p"],
    ] {
        let ran = dev.run(&cloud.url, arguments);
        assert!(matches!(ran.code(), 4 | 2), "{arguments:?}: {ran:?}");
    }
    dev.fails(4, &cloud.url, &["inject", "nope"]);
    assert_eq!(cloud.state(), before);
}

/// Objects and items that break naive tools, and a digest of all there is.
const ODD: &str = r#"
import hashlib
keys = ["plain", "a/b/c", "/lead", "trail/", "a//b", "../../etc/passwd", "a/../b", "with space", "plus+and%25",
        "tab\there", "ünïcödé/日本語/🫛", "q?x=1&y=2#z", "quote\"'<&>", "back\\slash", "k" * 1024, "é" * 512]
def make():
    bucket("odd")
    for i, k in enumerate(keys):
        put("odd", k, b"" if i % 5 == 0 else ("body of %d" % i).encode())
    put("odd", "large", bytes(range(256)) * 24_000)
    table("odd")
    d = aws("dynamodb")
    d.put_item(TableName="odd", Item={"id": {"S": "binary"}, "b": {"B": bytes(range(256))}, "bs": {"BS": [b"\x00", b"\xff\xfe"]}})
    d.put_item(TableName="odd", Item={"id": {"S": "large"}, "v": {"S": "x" * 399_000}})
    d.put_item(TableName="odd", Item={"id": {"S": "🫛/../ \u0000 x"}, "n": {"N": "-12345678901234567890.5"}, "t": {"BOOL": False},
        "nil": {"NULL": True}, "e": {"S": ""}, "l": {"L": [{"M": {"k": {"SS": ["b", "a"]}}}, {"L": []}]}, "m": {"M": {}}})
def digest(b):
    return hashlib.sha256(b).hexdigest()
def seen():
    pages = aws("s3").get_paginator("list_objects_v2").paginate(Bucket="odd")
    found = [o["Key"] for p in pages for o in p.get("Contents", [])]
    bodies = {k: digest(aws("s3").get_object(Bucket="odd", Key=k)["Body"].read()) for k in found}
    def plain(v):
        if isinstance(v, bytes): return digest(v)
        if isinstance(v, dict): return {k: sorted(plain(x) for x in w) if k in ("SS", "NS", "BS") else plain(w) for k, w in v.items()}
        if isinstance(v, list): return [plain(x) for x in v]
        return v
    items = sorted((plain(i) for i in aws("dynamodb").scan(TableName="odd")["Items"]), key=lambda i: json.dumps(i, sort_keys=True))
    return [bodies, items]
"#;

fn odd(cloud: &Cloud) -> Value {
    cloud.look(&format!("{ODD}\nprint(json.dumps(seen()))"))
}

#[test]
fn odd_keys_empty_large_and_binary_values_survive_the_whole_way() {
    let (Some(from), Some(to)) = (Cloud::ministack(), Cloud::ministack()) else { return };
    let (dev, fresh) = (Developer::new(), Developer::new());
    from.py(&format!("{ODD}\nmake()"));
    let made = odd(&from);
    assert_eq!(made[0].as_object().unwrap().len(), 17, "the emulator itself keeps all: {made}");
    let first = dev.ok(&from.url, &["commit", "p", "--strict"]);
    let injected = dev.ok(&to.url, &["inject", "p", "--strict"]);
    assert_eq!(injected["lost"], json!([]));
    assert_eq!(odd(&to), made);
    assert_eq!(fresh.ok(&to.url, &["commit", "p"])["root"], first["root"], "the same state is the same tree");
    // And out again.
    to.py("put('odd', '../../etc/passwd', 'changed'); drop('odd', 'a/../b')");
    dev.ok(&to.url, &["commit", "p"]);
    let [added, changed, removed] = dev.diff("p@1", "p@2");
    assert_eq!((added.len(), changed.len(), removed.len()), (0, 1, 1), "{changed:?} {removed:?}");
    dev.ok(&to.url, &["inject", "p@1", "--strategy", "overwrite"]);
    assert_eq!(odd(&to), made);
    dev.home_is_clean();
}

#[test]
fn a_key_that_no_url_can_name_is_said_and_costs_no_other() {
    let Some(cloud) = Cloud::ministack() else { return };
    let dev = Developer::new();
    cloud.py("bucket('odd', plain='x')");
    dev.ok(&cloud.url, &["commit", "p"]);
    cloud.py("put('odd', '..', 'up'); put('odd', 'other', 'y')");
    let second = dev.ok(&cloud.url, &["commit", "p"]);
    assert_eq!(addresses(&second["skipped"]), ["self/us-east-1/s3/bucket/odd/object/.."]);
    let added = vec!["self/us-east-1/s3/bucket/odd/object/other".to_owned()];
    assert_eq!(dev.diff("p@1", "p@2"), [added, vec![], vec![]]);
}

#[test]
fn two_commands_at_once_on_one_home_both_succeed() {
    let (Some(one), Some(two)) = (Cloud::ministack(), Cloud::ministack()) else { return };
    let dev = Developer::new();
    one.py("param('colour', 'red')");
    two.py("param('colour', 'blue')");
    let running = [
        dev.start(&one.url, &["commit", "p"]),
        dev.start(&two.url, &["commit", "q"]),
        dev.start(&one.url, &["commit", "r"]),
        dev.start("", &["list"]),
    ];
    for run in running {
        let ran = run.wait();
        assert_eq!(ran.code(), 0, "{ran:?}");
    }
    assert_eq!(dev.ok("", &["list"])["pods"].as_array().unwrap().len(), 3);
    for pod in ["p", "q", "r"] {
        assert_eq!(dev.records(pod), ["self/us-east-1/ssm/parameter/colour"]);
    }
    dev.home_is_clean();
}

#[test]
fn a_damaged_pack_is_found_and_named_and_nothing_wrong_is_put_in() {
    let (Some(from), Some(to)) = (Cloud::ministack(), Cloud::ministack()) else { return };
    for truncate in [false, true] {
        let dev = Developer::new();
        from.py("'box' in buckets() or bucket('box', **{f'o{i}': 'x%d' % i * 9000 for i in range(5)})");
        dev.ok(&from.url, &["commit", "p"]);
        damage(&dev, truncate);
        let found = dev.fails(1, "", &["fsck"]);
        let damaged = found["damaged"].as_array().unwrap_or_else(|| panic!("nothing is named: {found}"));
        assert!(!damaged.is_empty() && damaged.iter().all(|one| one["name"].is_string()), "{found}");
        let before = to.state();
        let refused = dev.run(&to.url, &["inject", "p"]);
        assert_ne!(refused.code(), 0, "{refused:?}");
        assert_eq!(to.state(), before);
    }
}

/// Damages every pack in the middle, or cuts off its second half.
pub fn damage(dev: &Developer, truncate: bool) {
    for pack in files(&dev.home(), ".pack") {
        let mut bytes = fs::read(&pack).unwrap();
        let middle = bytes.len() / 2;
        if truncate {
            bytes.truncate(middle);
        } else {
            bytes[middle] ^= 0x10;
        }
        fs::remove_file(&pack).unwrap();
        fs::write(pack, bytes).unwrap();
    }
}

/// A small file system of one's own.
struct Disk(tempfile::TempDir);

impl Disk {
    /// None without the right to mount, which is said.
    fn of(size: &str) -> Option<Disk> {
        let place = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size},mode=700"), "tmpfs"]).arg(place.path());
        if !mount.output().is_ok_and(|done| done.status.success()) {
            println!("skipped: a full disk needs the right to mount one; run the tests as root");
            return None;
        }
        Some(Disk(place))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).output();
    }
}

#[test]
fn a_full_disk_is_said_and_loses_nothing() {
    let (Some(cloud), Some(disk)) = (Cloud::ministack(), Disk::of("24m")) else { return };
    let dev = Developer::new();
    let home = disk.0.path().join("home");
    let run = |arguments: &[&str]| crate::program::Ran::of(dev.command_in(&home, &cloud.url, arguments));
    cloud.py("bucket('box', small='s'); param('colour', 'red')");
    let first = run(&["commit", "p"]);
    assert_eq!(first.code(), 0, "{first:?}");
    cloud.py("import os\nfor i in range(8): put('box', f'large{i}', os.urandom(4_000_000))");
    let refused = run(&["commit", "p"]);
    assert_eq!(refused.code(), 1, "{refused:?}");
    let said = refused.json()["error"].to_string();
    assert!(said.contains("space"), "{said}");
    // The first version is there, whole, and with room again the next is made.
    assert_eq!(run(&["fsck"]).code(), 0);
    assert_eq!(run(&["show", "p"]).json()["version"], first.json()["version"]);
    cloud.py("for i in range(8): drop('box', f'large{i}')\nput('box', 'small2', 't')");
    assert_eq!(run(&["gc"]).code(), 0);
    let again = run(&["commit", "p"]);
    assert_eq!(again.code(), 0, "{again:?}");
    assert_eq!(run(&["fsck"]).code(), 0);
}

#[test]
fn what_moto_or_localstack_can_not_do_costs_that_and_no_more() {
    for make in [Make::Moto, Make::LocalStack] {
        let Some(emulator) = Emulator::start(make) else { continue };
        let cloud = Cloud { url: emulator.url.clone(), emulator };
        let dev = Developer::new();
        cloud.py("bucket('box', o='x'); param('colour', 'red'); queue('jobs')");
        dev.ok(&cloud.url, &["commit", "p"]);
        cloud.py("put('box', 'o2', 'y')");
        dev.ok(&cloud.url, &["commit", "p"]);
        let [added, changed, removed] = dev.diff("p@1", "p@2");
        let name = make.name();
        assert_eq!(added, ["self/us-east-1/s3/bucket/box/object/o2"], "{name}");
        assert_eq!((changed, removed), (vec![], vec![]), "{name}");
    }
}

#[test]
fn what_an_instance_can_not_show_is_not_told_as_lost() {
    let (Some(from), Some(to)) = (Cloud::ministack(), Emulator::start_plain_moto()) else { return };
    let dev = Developer::new();
    from.py("for name, texts in {'jobs': ['one', 'two'], 'more': ['three']}.items():
        url = aws('sqs').create_queue(QueueName=name)['QueueUrl']
        for text in texts: aws('sqs').send_message(QueueUrl=url, MessageBody=text)");
    dev.ok(&from.url, &["commit", "p"]);
    let ran = dev.run(&to.url, &["inject", "p"]);
    assert_eq!((ran.code(), &ran.json()["lost"]), (0, &json!([])), "{ran:?}");
    assert_eq!(ran.err().matches("put in, but this instance can't show it").count(), 1, "{ran:?}");
    const COUNT: &str = "import boto3\nprint(sum(int(boto3.client('sqs').get_queue_attributes(QueueUrl=url, \
        AttributeNames=['All'])['Attributes']['ApproximateNumberOfMessages']) for url in boto3.client('sqs').list_queues()['QueueUrls']))";
    assert_eq!(to.boto3(COUNT).trim(), "3");
}
