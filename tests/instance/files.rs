//! A directory as an instance: what travels, what is left alone, and that nothing outside is ever touched.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use peapod::core::address::Address;
use peapod::core::content::Contents;
use peapod::core::record::{Body, Record};
use peapod::core::value::Value;
use peapod::error::Kind;
use peapod::instance::files::Directory;
use peapod::instance::{Instance, Step};

use crate::common::captured::Captured;

/// A directory for an instance, and one beside it that nobody may touch.
struct Ground {
    parent: tempfile::TempDir,
}

impl Ground {
    fn new() -> Ground {
        let parent = tempfile::tempdir().unwrap();
        fs::create_dir_all(parent.path().join("state")).unwrap();
        fs::create_dir_all(parent.path().join("outside")).unwrap();
        fs::write(parent.path().join("outside/kept"), "kept").unwrap();
        Ground { parent }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.parent.path().join("state").join(name)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), bytes).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn outside(&self) -> PathBuf {
        self.parent.path().join("outside")
    }

    fn instance(&self) -> Directory {
        Directory::open(&self.path("")).unwrap()
    }

    fn is_outside_untouched(&self) -> bool {
        fs::read_dir(self.outside()).unwrap().count() == 1
            && fs::read_to_string(self.outside().join("kept")).unwrap() == "kept"
    }
}

fn address(collection: &str, path: &str) -> Address {
    Address::resource("self", "local", "files", "tree", "root").item(collection, path)
}

fn file(text: &str) -> Record {
    let attributes = [("Executable".to_owned(), Value::Bool(false))].into();
    Record { body: Some(Body::Inline(text.into())), ..Record::new(attributes) }
}

fn link(target: &str) -> Record {
    Record::new([("Target".to_owned(), Value::text(target))].into())
}

fn put(address: Address, record: Record) -> Step {
    Step { address, before: None, after: Some(record), paused: false }
}

async fn apply(instance: &Directory, step: &Step) -> Result<(), Kind> {
    instance.apply(step, &Captured::default().contents).await.map_err(|error| error.kind())
}

fn printed(captured: &Captured) -> Vec<String> {
    let records = captured.records.lock().unwrap();
    records.keys().map(|address| address.parts()[5..].join(" ")).collect()
}

fn leftovers(directory: &Path) -> usize {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap());
    let entries = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(".peapod"));
    entries.count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_comes_back_as_it_was() {
    let (here, there) = (Ground::new(), Ground::new());
    here.write("a.txt", "one");
    here.write("empty", "");
    here.write("deep/er/large.bin", (0..3_000_000u32).flat_map(u32::to_le_bytes).collect::<Vec<u8>>());
    here.write("deep/run.sh", "#!/bin/sh\n");
    here.write("odd %2F\n'\"/ü", "odd");
    fs::set_permissions(here.path("deep/run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::create_dir_all(here.path("nothing/in it")).unwrap();
    symlink("../a.txt", here.path("deep/link")).unwrap();
    let captured = Captured::of(&here.instance()).await;
    assert_eq!(captured.skips.lock().unwrap().len(), 0);
    captured.restore(&there.instance()).await;
    let again = captured.again(&there.instance()).await;
    assert_eq!(captured.differences(&again, "files"), Vec::<String>::new());
    assert_eq!(printed(&again).len(), 7);
    assert_eq!(fs::read(here.path("deep/er/large.bin")).unwrap(), fs::read(there.path("deep/er/large.bin")).unwrap());
    assert_eq!(fs::metadata(there.path("deep/run.sh")).unwrap().permissions().mode() & 0o100, 0o100);
    assert_eq!(fs::read_link(there.path("deep/link")).unwrap(), Path::new("../a.txt"));

    again.delete(&there.instance()).await;
    assert_eq!(fs::read_dir(there.path("")).unwrap().count(), 0, "directories go with what they held");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_has_not_changed_is_not_read_again() {
    let ground = Ground::new();
    ground.write("old", "old".repeat(1000));
    std::thread::sleep(std::time::Duration::from_millis(3100));
    ground.write("young", "young");
    let captured = Captured::of(&ground.instance()).await;
    let again = captured.again(&ground.instance()).await;
    assert_eq!(*again.spared.lock().unwrap(), 1, "only what was not written just now");
    assert_eq!(captured.differences(&again, "files"), Vec::<String>::new());
    ground.write("old", "new".repeat(1000));
    let changed = again.again(&ground.instance()).await;
    assert_eq!(*changed.spared.lock().unwrap(), 0);
    assert_eq!(again.differences(&changed, "files").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_travel_is_left_alone_and_said() {
    let ground = Ground::new();
    ground.write("plain", "plain");
    ground.write(".git/config", "[core]\nfsmonitor = evil");
    ground.write("home/key", "secret");
    ground.write("home/store/index.redb", "index");
    symlink(ground.outside(), ground.path("out")).unwrap();
    symlink("/etc/passwd", ground.path("absolute")).unwrap();
    let pipe = std::process::Command::new("mkfifo").arg(ground.path("pipe")).status().unwrap();
    assert!(pipe.success());
    let captured = Captured::of(&ground.instance()).await;
    assert_eq!(printed(&captured), ["file plain"]);
    let said = captured.skipped("files").join("\n");
    for name in [".git", "home", "out", "absolute", "pipe"] {
        assert!(said.contains(&format!("/{name}: ")), "{name} in {said}");
    }

    ground.instance().reset().await.unwrap();
    let left: Vec<_> = fs::read_dir(ground.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 5, "a reset removes what a capture shows: {left:?}");
    assert!(ground.path("home/key").exists() && ground.is_outside_untouched());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_address_leads_out_of_the_directory() {
    let ground = Ground::new();
    let instance = ground.instance();
    let outside = ground.outside();
    let outside = outside.to_str().unwrap();
    let long = "x".repeat(300);
    let absolute = format!("{outside}/new");
    for path in ["../outside/new", "..", ".", "", "/", &absolute, "a/../../outside/new", "a\0b", &long, ".git/config"] {
        for (collection, record) in [("file", file("evil")), ("directory", Record::default()), ("link", link("x"))] {
            let step = put(address(collection, path), record);
            assert_eq!(apply(&instance, &step).await, Err(Kind::Denied), "{collection} {path:?}");
            let step = Step { before: step.after, after: None, ..step };
            assert_eq!(apply(&instance, &step).await, Err(Kind::Denied), "{collection} {path:?}");
        }
    }
    for target in ["../outside/kept", "/etc/passwd", "..", "a/../../outside", ""] {
        assert_eq!(apply(&instance, &put(address("link", "l"), link(target))).await, Err(Kind::Denied), "{target:?}");
    }
    let other = Address::resource("123456789012", "local", "files", "tree", "root").item("file", "a");
    assert!(apply(&instance, &put(other, file("x"))).await.is_err());
    let other = Address::resource("self", "us-east-1", "s3", "bucket", "b");
    assert_eq!(apply(&instance, &put(other, file("x"))).await, Err(Kind::Failed));
    assert!(ground.is_outside_untouched());
    assert_eq!(fs::read_dir(ground.path("")).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_symbolic_link_is_never_followed() {
    let ground = Ground::new();
    symlink(ground.outside(), ground.path("door")).unwrap();
    symlink(ground.outside().join("kept"), ground.path("window")).unwrap();
    let instance = ground.instance();
    for step in [
        put(address("file", "door/new"), file("evil")),
        put(address("file", "door/kept"), file("evil")),
        put(address("directory", "door/new"), Record::default()),
        put(address("file", "window"), file("evil")),
        put(address("file", "door"), file("evil")),
        // Swapped in since the capture saw a file there.
        Step { before: Some(file("old")), ..put(address("file", "window"), file("evil")) },
        Step { before: Some(file("old")), after: None, ..put(address("file", "window"), file("evil")) },
    ] {
        assert_eq!(apply(&instance, &step).await, Err(Kind::Denied), "{step:?}");
    }
    let gone = Step { before: Some(file("old")), after: None, ..put(address("file", "door/kept"), file("")) };
    assert_eq!(apply(&instance, &gone).await, Ok(()), "behind the link lies nothing of the instance");
    assert!(ground.is_outside_untouched() && ground.path("window").is_symlink());
    assert_eq!(leftovers(&ground.path("")), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_the_capture_did_not_see_is_overwritten() {
    let ground = Ground::new();
    ground.write("a/b", "mine");
    let instance = ground.instance();
    for step in [
        put(address("file", "a/b"), file("theirs")),
        put(address("file", "a"), file("theirs")),
        put(address("file", "a/b/c"), file("theirs")),
        put(address("link", "a/b"), link("c")),
        Step { before: Some(link("c")), after: None, ..put(address("link", "a/b"), link("c")) },
        Step { before: Some(file("x")), after: None, ..put(address("file", "a"), file("x")) },
    ] {
        assert_eq!(apply(&instance, &step).await, Err(Kind::Denied), "{step:?}");
    }
    assert_eq!(ground.read("a/b"), "mine");
    assert_eq!(leftovers(&ground.path("a")) + leftovers(&ground.path("")), 0);
    let step = Step { before: Some(file("mine")), ..put(address("file", "a/b"), file("theirs")) };
    assert_eq!(apply(&instance, &step).await, Ok(()));
    assert_eq!(apply(&instance, &step).await, Ok(()), "a step may be carried out again");
    assert_eq!(ground.read("a/b"), "theirs");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_content_that_breaks_off_leaves_the_file_as_it_was() {
    let ground = Ground::new();
    ground.write("a", "mine");
    let contents = Captured::default().contents;
    let mut writer = contents.write_content();
    writer.write(&[7; 5000]).unwrap();
    let mut content = writer.finish().unwrap();
    content.size += 1;
    let record = Record { body: Some(Body::Content(content)), ..file("") };
    let step = Step { before: Some(file("mine")), ..put(address("file", "a"), record) };
    assert!(ground.instance().apply(&step, &contents).await.is_err());
    assert_eq!((ground.read("a").as_str(), leftovers(&ground.path(""))), ("mine", 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swapped_directory_is_told_from_the_old_one() {
    let ground = Ground::new();
    ground.write("a", "a");
    let marks = async || Captured::of(&ground.instance()).await.marks.lock().unwrap().clone();
    let first = marks().await;
    ground.write("b", "b");
    assert_eq!(marks().await, first);
    fs::rename(ground.path(""), ground.parent.path().join("old")).unwrap();
    ground.write("a", "a");
    assert_ne!(marks().await, first);
    fs::remove_file(ground.path("a")).unwrap();
    assert_eq!(marks().await.len(), 0, "an emptied directory proves nothing");
}

#[test]
fn a_directory_that_is_not_one_is_said() {
    let ground = Ground::new();
    ground.write("file", "");
    ground.write("home/key", "");
    ground.write("home/store/index.redb", "");
    let kind = |path: &Path| Directory::open(path).err().unwrap().kind();
    assert_eq!(kind(&ground.path("none")), Kind::NotFound);
    assert_eq!(kind(&ground.path("file")), Kind::Usage);
    assert_eq!(kind(&ground.path("home")), Kind::Denied);
    assert_eq!(kind(Path::new("/")), Kind::Denied);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_cut_off_inject_left_is_never_captured_and_goes_with_the_next() {
    let ground = Ground::new();
    ground.write("d/a", "a");
    ground.write("d/.peapod-0011223344556677.tmp", "half");
    let instance = ground.instance();
    let captured = Captured::of(&instance).await;
    assert_eq!(printed(&captured), ["file d/a"]);
    assert!(ground.path("d/.peapod-0011223344556677.tmp").exists(), "a capture changes nothing");
    instance.settle(&captured.contents).await.unwrap();
    assert_eq!(leftovers(&ground.path("d")), 0);
}
