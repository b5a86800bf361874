//! What gc promises.

use super::{Home, indexed, noise, reach, version};
use crate::store::rewrite::Copier;
use crate::store::rows::{PackRow, State};
use crate::store::*;

#[test]
fn gc_keeps_exactly_what_the_roots_reach() {
    let home = Home::new();
    let first = version(&home.store, "first", &[], &[(1, 300_000), (2, 3_000_000)]);
    let second = version(&home.store, "second", &[first], &[(2, 3_000_000), (3, 10)]);
    let other = version(&home.store, "other", &[], &[(2, 3_000_000), (4, 20_000_000)]);
    home.store.mark_complete(&[first, other]).unwrap();
    let wanted = reach(&home.store, second);
    assert!(wanted.contains(&first));
    let dropped = reach(&home.store, other).difference(&wanted).count() as u64;

    let report = home.store.gc(&[(Kind::Version, second)]).unwrap();
    assert_eq!((report.kept, report.dropped, report.missing), (wanted.len() as u64, dropped, 0));
    assert!(report.freed > 15_000_000, "{report:?}");
    assert_eq!(indexed(&home.store), wanted);
    assert!(home.store.is_complete(&first).unwrap() && !home.store.is_complete(&other).unwrap());

    let home = home.reopen();
    assert_eq!(reach(&home.store, second), wanted);
    assert!(home.store.fsck(&[(Kind::Version, second)], &mut |_, _| {}).unwrap().is_sound());
    let again = home.store.gc(&[(Kind::Version, second)]).unwrap();
    assert_eq!((again.kept, again.dropped), (wanted.len() as u64, 0));
}

#[test]
fn what_was_dropped_can_be_put_again() {
    let home = Home::new();
    let name = home.store.put(Kind::Chunk, &noise(1, 1000)).unwrap();
    assert_eq!(home.store.gc(&[]).unwrap().dropped, 1);
    assert!(!home.store.has(&name).unwrap() && home.packs().is_empty());
    home.store.put(Kind::Chunk, &noise(1, 1000)).unwrap();
    assert_eq!(home.reopen().packs().len(), 0, "nothing was flushed");
}

#[test]
fn a_gc_killed_between_its_steps_loses_nothing() {
    let home = Home::new();
    let kept = version(&home.store, "kept", &[], &[(1, 100_000)]);
    version(&home.store, "gone", &[], &[(2, 3_000_000)]);
    home.store.flush().unwrap();
    let wanted = reach(&home.store, kept);
    // As far as the index forgets and a pack is called dead, but its file is still there.
    home.store.inner.index.write(|change| change.retain_objects(|name, _| wanted.contains(name))).unwrap();
    let packs = home.store.inner.index.packs();
    let mut copier = Copier::new(&home.store, State::Private);
    for (number, row) in &packs {
        for (name, place) in home.store.objects_in(*number, row).unwrap() {
            copier.copy(&name, &place).unwrap();
        }
    }
    copier.finish().unwrap();
    let dead = |(number, row): (u32, PackRow)| (number, PackRow { state: State::Dead, ..row });
    home.store
        .inner
        .index
        .write(|change| packs.into_iter().map(dead).try_for_each(|(number, row)| change.set_pack(number, row)))
        .unwrap();
    let home = home.reopen();
    assert_eq!(home.packs().len(), 1);
    assert_eq!(indexed(&home.store), wanted);
    assert_eq!(reach(&home.store, kept), wanted);
}

#[test]
fn gc_waits_for_sessions_and_sessions_for_gc() {
    let home = Home::new();
    let session = home.store.session();
    let _nested = home.store.session();
    assert_eq!(home.store.alone(Duration::from_millis(20)).err().unwrap().kind(), crate::error::Kind::Unavailable);
    drop((session, _nested));
    let alone = home.store.alone(Duration::ZERO).unwrap();
    let store = home.store.clone();
    let waiting = std::thread::spawn(move || drop(store.session()));
    std::thread::sleep(Duration::from_millis(20));
    assert!(!waiting.is_finished());
    drop(alone);
    waiting.join().unwrap();
}

#[test]
fn gc_tolerates_what_a_fetch_left_out_but_not_what_is_damaged() {
    let home = Home::new();
    let root = version(&home.store, "shallow", &[], &[(1, 200_000)]);
    home.store.flush().unwrap();
    let chunk = reach(&home.store, root)
        .into_iter()
        .find(|name| home.store.inner.index.place(name).unwrap().unwrap().kind == Kind::Chunk)
        .unwrap();
    home.store.inner.index.write(|change| change.retain_objects(|name, _| *name != chunk)).unwrap();
    assert_eq!(home.store.gc(&[(Kind::Version, root)]).unwrap().missing, 1);
    home.store.mark_complete(&[root]).unwrap();
    let kept = indexed(&home.store);
    assert!(home.store.gc(&[(Kind::Version, root)]).unwrap_err().hint_text().unwrap().contains("fsck"));
    assert_eq!(indexed(&home.store), kept);
    assert!(home.store.list(Table::Complete, &root.0).unwrap().len() == 1);
    assert!(disk::list(&home.store.inner.layout.temporary).unwrap().is_empty());
}
