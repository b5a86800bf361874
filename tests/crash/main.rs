//! What was acknowledged is there after `kill -9`, and a full disk is said and loses nothing.
//!
//! Each test runs this same program again as the process that suffers; `PEAPOD_CRASH` tells it its part.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use peapod::core::name::{Kind, Name};
use peapod::core::objects::Objects;
use peapod::store::{Store, Table, Write};

/// Opens the store, waiting for the system to take the lock from a killed process.
fn open(dir: &Path) -> Store {
    Store::open(dir, Duration::from_secs(10)).unwrap()
}

fn bytes(number: u64, size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    blake3::Hasher::new().update(&number.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

/// Puts an object and a ref to it, as a commit does.
fn save(store: &Store, number: u64, size: usize) -> peapod::Result<()> {
    let name = store.put(Kind::Chunk, &bytes(number, size))?;
    store.update(&[Write::Put(Table::Refs, number.to_be_bytes().to_vec(), name.0.to_vec())])
}

/// What was saved, each read and verified.
fn saved(store: &Store) -> BTreeMap<u64, Name> {
    let refs = store.list(Table::Refs, b"").unwrap().into_iter();
    let refs = refs.map(|(key, name)| (u64::from_be_bytes(key.try_into().unwrap()), Name(name.try_into().unwrap())));
    refs.inspect(|(_, name)| drop(store.get(Kind::Chunk, name).unwrap())).collect()
}

/// This program again, playing a part in `dir`.
fn again(part: &str, dir: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["the_process_that_suffers", "--exact", "--nocapture"]);
    command.env("PEAPOD_CRASH", part).env("PEAPOD_CRASH_DIR", dir);
    command
}

#[test]
fn the_process_that_suffers() {
    let Ok(part) = std::env::var("PEAPOD_CRASH") else { return };
    let dir = std::path::PathBuf::from(std::env::var_os("PEAPOD_CRASH_DIR").unwrap());
    match part.as_str() {
        "killed" => save_for_ever(&dir),
        "full" => fill_the_disk(&dir),
        _ => panic!("no such part"),
    }
}

fn save_for_ever(dir: &Path) {
    let store = open(dir);
    for number in saved(&store).len() as u64.. {
        save(&store, number, 30_000).unwrap();
        println!("saved {number}");
    }
}

#[test]
fn what_was_acknowledged_is_there_after_kill_9() {
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged = None;
    for round in 0..12 {
        let mut child = again("killed", dir.path()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut numbers = lines.filter_map(|line| line.ok()?.split("saved ").nth(1)?.parse::<u64>().ok());
        // Killed after a few saves, at a moment that has nothing to do with them.
        acknowledged = numbers.nth(round % 5).or(acknowledged);
        std::thread::sleep(Duration::from_micros(1_370 * round as u64));
        child.kill().unwrap();
        acknowledged = numbers.last().or(acknowledged);
        child.wait().unwrap();

        let store = open(dir.path());
        let saved = saved(&store);
        assert!(saved.len() as u64 > acknowledged.unwrap(), "round {round}: {acknowledged:?} of {}", saved.len());
        assert!(saved.len() as u64 <= acknowledged.unwrap() + 2);
        let roots: Vec<_> = saved.into_values().map(|name| (Kind::Chunk, name)).collect();
        let checked = store.fsck(&roots, &mut |_, _| {}).unwrap();
        assert!(checked.is_sound() && checked.missing.is_empty(), "round {round}: {checked:?}");
    }
}

fn fill_the_disk(dir: &Path) {
    let home = dir.join("home");
    let ballast = File::create(dir.join("ballast")).unwrap();
    std::io::copy(&mut std::io::Read::take(std::io::repeat(1), 4 << 20), &mut &ballast).unwrap();
    // Once with objects, once with the tables alone, which fill the index file.
    for size in [100_000, 0] {
        let store = open(&home);
        let before = saved(&store).len() as u64;
        let save = |number| {
            save(&store, number, size)?;
            let filler = if size == 0 { 20_000 } else { 0 };
            store.update(&[Write::Put(Table::Bodies, number.to_be_bytes().to_vec(), vec![0; filler])])
        };
        let (number, error) = (before..).find_map(|number| Some((number, save(number).err()?))).unwrap();
        assert!(error.chain().contains("No space left"), "{}", error.chain());
        assert!(error.hint_text().unwrap().contains("free some space"), "{error:?}");
        assert!(save(number).is_err());
        let full = saved(&store);
        assert!(full.len() as u64 >= number);

        // With room again, the same process goes on; and so does the next one.
        drop(ballast.set_len(if size == 0 { 0 } else { 2 << 20 }));
        save(number).unwrap();
        drop(store);
        let store = open(&home);
        assert!(full.iter().all(|(number, name)| saved(&store).get(number) == Some(name)));
        assert!(store.fsck(&[], &mut |_, _| {}).unwrap().is_sound());
    }
    println!("went well");
}

#[test]
fn a_full_disk_is_said_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    // A small disk of its own, in a mount namespace that ends with the process.
    let probe = Command::new("unshare").args(["-rm", "mount", "-t", "tmpfs", "tmpfs"]).arg(dir.path()).output();
    if !probe.is_ok_and(|probe| probe.status.success()) {
        eprintln!("skipped: this needs `unshare` (util-linux) and user namespaces");
        return;
    }
    let child = again("full", dir.path());
    let mut command = Command::new("unshare");
    command.args(["-rm", "sh", "-c", r#"mount -t tmpfs -o size=12m tmpfs "$0" && exec "$@""#]).arg(dir.path());
    command.arg(child.get_program()).args(child.get_args());
    command.envs(child.get_envs().filter_map(|(key, value)| Some((key, value?))));
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("went well"), "{said}{}", String::from_utf8_lossy(&output.stderr));
}
