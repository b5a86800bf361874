//! What a store promises, beyond its parts.

mod fsck;
mod gc;
mod serve;

use tempfile::TempDir;

use super::*;

/// A store in a folder of its own.
pub(crate) struct Home {
    pub(crate) store: Store,
    pub(crate) dir: TempDir,
}

impl Home {
    pub(crate) fn new() -> Home {
        let dir = tempfile::tempdir().unwrap();
        Home { store: Store::open(dir.path(), Duration::ZERO).unwrap(), dir }
    }

    /// The same folder, as a process finds it after the last one was killed: nothing was flushed at the end.
    pub(crate) fn reopen(self) -> Home {
        let Home { store, dir } = self;
        drop(store);
        Home { store: Store::open(dir.path(), Duration::ZERO).unwrap(), dir }
    }

    pub(crate) fn packs(&self) -> Vec<std::path::PathBuf> {
        disk::list(&self.store.inner.layout.packs).unwrap()
    }
}

/// Bytes that do not compress, the same ones for the same seed.
pub(crate) fn noise(seed: u64, size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

/// Flips one bit of a file.
pub(crate) fn flip(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[at] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn an_object_reads_back_before_and_after_it_is_flushed_and_after_a_kill() {
    let home = Home::new();
    let (text, bytes) = (b"words ".repeat(1000), noise(1, 5000));
    let text_name = home.store.put(Kind::Record, &text).unwrap();
    let bytes_name = home.store.put(Kind::Chunk, &bytes).unwrap();
    let check = |store: &Store| {
        assert_eq!(store.get(Kind::Record, &text_name).unwrap(), text);
        assert_eq!(store.get(Kind::Chunk, &bytes_name).unwrap(), bytes);
        assert!(store.has(&text_name).unwrap());
        assert_eq!(store.get(Kind::Node, &text_name).unwrap_err().kind(), crate::error::Kind::NotFound);
    };
    check(&home.store);
    home.store.flush().unwrap();
    check(&home.store);
    check(&home.reopen().store);
}

#[test]
fn what_was_not_flushed_is_gone_after_a_kill_and_leaves_nothing_behind() {
    let home = Home::new();
    let kept = home.store.put(Kind::Chunk, &noise(1, 1000)).unwrap();
    home.store.update(&[Write::Put(Table::Refs, b"pod".to_vec(), kept.0.to_vec())]).unwrap();
    let lost = home.store.put(Kind::Chunk, &noise(2, 1000)).unwrap();
    assert_eq!(disk::list(&home.store.inner.layout.temporary).unwrap().len(), 1);
    let home = home.reopen();
    assert!(!home.store.has(&lost).unwrap());
    assert!(home.store.has(&kept).unwrap());
    assert_eq!(home.store.read(Table::Refs, b"pod").unwrap().unwrap(), kept.0);
    assert!(disk::list(&home.store.inner.layout.temporary).unwrap().is_empty());
}

#[test]
fn a_pack_that_was_sealed_but_not_indexed_is_adopted() {
    let home = Home::new();
    let layout = &home.store.inner.layout;
    let bytes = noise(1, 1000);
    let name = Name::of(Kind::Chunk, &bytes);
    let mut packing = pack::Packing::start(layout).unwrap();
    packing.append(name, Kind::Chunk, &bytes, bytes.len()).unwrap();
    packing.seal(layout).map_err(Error::from).unwrap();
    assert!(!home.store.has(&name).unwrap());
    let home = home.reopen();
    assert_eq!(home.store.get(Kind::Chunk, &name).unwrap(), bytes);
    assert_eq!(home.reopen().packs().len(), 1);
}

#[test]
fn an_unknown_pack_that_was_cut_short_is_set_aside() {
    let home = Home::new();
    let path = home.store.inner.layout.pack(&[7; 32]);
    std::fs::write(&path, b"peapod pack v1\n\0 and then the power went").unwrap();
    let home = home.reopen();
    assert!(home.packs().is_empty());
    assert_eq!(disk::list(&home.store.inner.layout.quarantine).unwrap().len(), 1);
}

#[test]
fn an_object_put_again_costs_nothing() {
    let home = Home::new();
    let bytes = noise(1, 100_000);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| home.store.put(Kind::Chunk, &bytes).unwrap());
        }
    });
    home.store.flush().unwrap();
    home.store.put(Kind::Chunk, &bytes).unwrap();
    home.store.flush().unwrap();
    let packs = home.packs();
    assert_eq!(packs.len(), 1);
    assert!(std::fs::metadata(&packs[0]).unwrap().len() < 101_000);
}

#[test]
fn many_threads_fill_many_packs() {
    let home = Home::new();
    let names: Vec<Name> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4u64)
            .map(|thread| {
                let store = &home.store;
                scope.spawn(move || -> Vec<Name> {
                    let put = |number: u64| store.put(Kind::Chunk, &noise((thread << 32) | number, 500_000)).unwrap();
                    (0..30u64).map(put).inspect(|name| assert!(store.has(name).unwrap())).collect()
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    home.store.flush().unwrap();
    assert!((4..=8).contains(&home.packs().len()), "{}", home.packs().len());
    assert!(home.packs().iter().all(|pack| std::fs::metadata(pack).unwrap().len() <= limits::PACK as u64));
    let home = home.reopen();
    names.iter().for_each(|name| assert_eq!(home.store.get(Kind::Chunk, name).unwrap().len(), 500_000));
}

#[test]
fn a_flipped_bit_is_found_when_it_is_read_and_named() {
    let home = Home::new();
    let name = home.store.put(Kind::Chunk, &noise(1, 1000)).unwrap();
    home.store.flush().unwrap();
    let pack = home.packs().remove(0);
    flip(&pack, 500);
    let error = home.store.get(Kind::Chunk, &name).unwrap_err();
    assert!(error.message().contains(&name.to_string()) && error.message().contains("at byte 32 of"), "{error}");
    assert!(error.message().contains(&*pack.to_string_lossy()));
    assert!(error.hint_text().unwrap().contains("peapod fsck --repair"));
}

#[test]
fn a_truncated_and_a_missing_pack_are_found_when_they_are_read() {
    let home = Home::new();
    let name = home.store.put(Kind::Chunk, &noise(1, 1000)).unwrap();
    home.store.flush().unwrap();
    let pack = home.packs().remove(0);
    std::fs::OpenOptions::new().write(true).open(&pack).unwrap().set_len(700).unwrap();
    let home = home.reopen();
    assert!(home.store.get(Kind::Chunk, &name).unwrap_err().message().contains("damaged"));
    std::fs::remove_file(&pack).unwrap();
    let home = home.reopen();
    assert!(home.store.get(Kind::Chunk, &name).unwrap_err().message().contains("damaged"));
}

#[test]
fn a_second_process_waits_and_is_told_who_holds_the_store() {
    let home = Home::new();
    let error = Store::open(home.dir.path(), Duration::from_millis(30)).err().unwrap();
    assert_eq!(error.kind(), crate::error::Kind::Unavailable);
    assert!(error.message().contains(&std::process::id().to_string()));
    let path = home.dir.path().to_owned();
    let waiting = std::thread::spawn(move || Store::open(&path, Duration::from_secs(10)).map(drop));
    std::thread::sleep(Duration::from_millis(50));
    drop(home.store);
    waiting.join().unwrap().unwrap();
}

#[test]
fn tables_keep_what_they_are_told_in_the_order_of_keys() {
    let home = Home::new();
    let put = |key: &[u8]| Write::Put(Table::Heads, key.to_vec(), key.to_vec());
    home.store.update(&[put(b"b1"), put(b"a1"), put(b"b\xff\xff"), put(b"c")]).unwrap();
    home.store.update(&[Write::Remove(Table::Heads, b"b1".to_vec()), put(b"b0")]).unwrap();
    let home = home.reopen();
    let keys = |prefix: &[u8]| -> Vec<Vec<u8>> {
        home.store.list(Table::Heads, prefix).unwrap().into_iter().map(|(key, _)| key).collect()
    };
    assert_eq!(keys(b"b"), [b"b0".to_vec(), b"b\xff\xff".to_vec()]);
    assert_eq!(keys(b"").len(), 4);
    assert!(home.store.list(Table::Refs, b"").unwrap().is_empty());
}

#[test]
fn an_object_from_a_peer_is_kept_only_under_its_own_name() {
    let home = Home::new();
    let text = b"words ".repeat(1000);
    let (name, frame) = (Name::of(Kind::Node, &text), zstd::bulk::compress(&text, 1).unwrap());
    for (kind, stored, raw) in [
        (Kind::Chunk, &frame[..], text.len()),
        (Kind::Node, &frame, text.len() + 1),
        (Kind::Node, &text[1..], text.len()),
    ] {
        let error = home.store.put_stored(kind, &name, stored, raw).unwrap_err();
        assert_eq!(error.kind(), crate::error::Kind::Denied);
    }
    assert!(!home.store.has(&name).unwrap());
    home.store.put_stored(Kind::Node, &name, &frame, text.len()).unwrap();
    assert_eq!(home.store.get(Kind::Node, &name).unwrap(), text);
    let raw = noise(1, 100);
    home.store.put_stored(Kind::Chunk, &Name::of(Kind::Chunk, &raw), &raw, 100).unwrap();
    assert_eq!(home.reopen().packs().len(), 0);
}

#[test]
fn complete_marks_outlive_the_process_with_what_they_vouch_for() {
    let home = Home::new();
    let name = home.store.put(Kind::Node, b"a node").unwrap();
    assert!(!home.store.is_complete(&name).unwrap());
    home.store.mark_complete(&[name]).unwrap();
    let home = home.reopen();
    assert!(home.store.is_complete(&name).unwrap() && home.store.has(&name).unwrap());
}

/// A version whose tree holds a bucket with objects of these sizes, each body the noise of its seed.
pub(crate) fn version(store: &Store, message: &str, parents: &[Name], bodies: &[(u64, usize)]) -> Name {
    use std::collections::BTreeMap;

    use crate::core::address::Address;
    use crate::core::identity::Secret;
    use crate::core::record::{Body, Record};
    use crate::core::version::{Authorship, Stats, Version};

    let mut sorter = store.sorter().unwrap();
    let bucket = Address::resource("self", "us-east-1", "s3", "bucket", "b");
    sorter.push(&bucket, &Record::new(BTreeMap::new())).unwrap();
    for (seed, size) in bodies {
        let mut writer = store.write_content();
        writer.write(&noise(*seed, *size)).unwrap();
        let body = Some(Body::Content(writer.finish().unwrap()));
        let record = Record { body, ..Record::default() };
        sorter.push(&bucket.item("objects", &format!("{seed:03}")), &record).unwrap();
    }
    let root = crate::tree::build(store, &mut sorter.finish().unwrap()).unwrap();
    let author = Secret::from_seed(&[1; 32]);
    let version = Version {
        pod: "p".into(),
        parents: parents.to_vec(),
        root,
        authorship: Some(Authorship { author: author.author(), created: 0 }),
        message: message.into(),
        source: None,
        stats: Stats::default(),
        skipped: Vec::new(),
    };
    version.write(store, &author).unwrap()
}

/// Every held object that a version reaches, without what it shares with its parents' absence: all must be there.
pub(crate) fn reach(store: &Store, version: Name) -> std::collections::HashSet<Name> {
    walk::reach(store, &[(Kind::Version, version)], &mut |gap| Err(gap.error)).unwrap()
}

/// Every object in the index.
pub(crate) fn indexed(store: &Store) -> std::collections::HashSet<Name> {
    let mut names = std::collections::HashSet::new();
    store
        .inner
        .index
        .each_object(&mut |name, _| {
            names.insert(name);
            Ok(())
        })
        .unwrap();
    names
}

#[test]
fn small_packs_merge_as_they_gather() {
    let home = Home::new();
    let names: Vec<Name> = (0..100)
        .map(|seed| {
            let name = home.store.put(Kind::Chunk, &noise(seed, 500)).unwrap();
            home.store.flush().unwrap();
            name
        })
        .collect();
    assert!(home.packs().len() < 40, "{}", home.packs().len());
    let home = home.reopen();
    names.iter().for_each(|name| assert_eq!(home.store.get(Kind::Chunk, name).unwrap().len(), 500));
}

#[test]
fn readers_never_notice_that_objects_move() {
    let home = Home::new();
    let names: Vec<Name> = (0..50).map(|seed| home.store.put(Kind::Chunk, &noise(seed, 500)).unwrap()).collect();
    home.store.flush().unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    names.iter().for_each(|name| drop(home.store.get(Kind::Chunk, name).unwrap()));
                }
            });
        }
        for _ in 0..20 {
            let packs = home.store.inner.index.packs();
            home.store.rewrite(&packs, rows::State::Private).unwrap();
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    assert_eq!(home.packs().len(), 1);
}
