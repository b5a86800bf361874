//! What publishing promises.

use std::collections::HashSet;

use super::{Home, noise, reach, version};
use crate::store::serve::Survey;
use crate::store::*;

const VERSION: Kind = Kind::Version;

fn serves(store: &Store, hash: &[u8; 32]) -> bool {
    store.served_pack(hash).is_some()
}

/// The names in every served pack file, as a teammate could read them.
fn exposed(store: &Store) -> HashSet<Name> {
    let packs = store.served_packs();
    packs.iter().flat_map(|served| pack::read_table(&served.path).unwrap()).map(|entry| entry.name).collect()
}

#[test]
fn publishing_shows_what_the_roots_reach_and_nothing_else() {
    let home = Home::new();
    let private = version(&home.store, "private", &[], &[(1, 100_000), (2, 50_000)]);
    let pushed = version(&home.store, "pushed", &[], &[(2, 50_000), (3, 45_000_000)]);
    let stray = home.store.put(Kind::Chunk, &noise(9, 1000)).unwrap();
    home.store.flush().unwrap();
    assert!(home.store.served_packs().is_empty());

    let wanted = reach(&home.store, pushed);
    let report = home.store.publish(&[(VERSION, pushed)]).unwrap();
    assert_eq!((report.objects, report.missing), (wanted.len() as u64, 0));
    assert!(report.moved > 0 && report.moved < report.objects, "pure packs stay: {report:?}");
    assert_eq!(exposed(&home.store), wanted);

    let home = home.reopen();
    assert_eq!(exposed(&home.store), wanted);
    assert_eq!(home.store.locate(&[private, stray]).unwrap(), [None, None]);
    reach(&home.store, private);
    assert!(home.store.fsck(&[(VERSION, private), (VERSION, pushed)], &mut |_, _| {}).unwrap().is_sound());
}

#[test]
fn a_location_leads_to_the_stored_form_that_another_store_takes() {
    let (home, other) = (Home::new(), Home::new());
    let pushed = version(&home.store, "pushed", &[], &[(3, 3_000_000)]);
    home.store.publish(&[(VERSION, pushed)]).unwrap();
    let names: Vec<Name> = reach(&home.store, pushed).into_iter().collect();
    for (name, location) in names.iter().zip(home.store.locate(&names).unwrap()) {
        let location = location.unwrap();
        let served = home.store.served_pack(&location.pack).unwrap();
        let file = std::fs::read(&served.path).unwrap();
        assert_eq!((served.length, location.pack_length), (file.len() as u64, file.len() as u64));
        assert_eq!(blake3::hash(&file).as_bytes(), &served.hash);
        let stored = &file[location.offset as usize..][..location.stored as usize];
        other.store.put_stored(location.kind, name, stored, location.raw as usize).unwrap();
    }
    assert_eq!(reach(&other.store, pushed).len(), names.len());
    // And from there to the next.
    other.store.publish(&[(VERSION, pushed)]).unwrap();
    assert_eq!(exposed(&other.store), names.into_iter().collect());
    assert!(!serves(&home.store, &[0; 32]));
}

#[test]
fn publishing_the_next_version_costs_only_what_is_new() {
    let home = Home::new();
    let bodies: Vec<(u64, usize)> = (0..300).map(|seed| (seed, 2_000)).collect();
    let first = version(&home.store, "first", &[], &bodies);
    home.store.publish(&[(VERSION, first)]).unwrap();
    let mut more = bodies.clone();
    more.push((500, 2_000));
    let second = version(&home.store, "second", &[first], &more);
    let new = reach(&home.store, second).difference(&reach(&home.store, first)).count() as u64;
    home.store.flush().unwrap();

    let survey = Survey::make(&home.store, &[(VERSION, second)]).unwrap();
    assert!((survey.seen() as u64) < new + 300, "{} of {}", survey.seen(), 300 + new);
    let report = home.store.publish(&[(VERSION, second)]).unwrap();
    assert_eq!((report.objects, report.missing), (new, 0));
    assert_eq!(exposed(&home.store), reach(&home.store, second));
    let again = home.store.publish(&[(VERSION, second)]).unwrap();
    assert_eq!(again, Published::default());
}

#[test]
fn what_lies_above_something_missing_is_not_served_but_for_versions() {
    let home = Home::new();
    let first = version(&home.store, "first", &[], &[(1, 100_000)]);
    let second = version(&home.store, "second", &[first], &[(2, 100_000)]);
    home.store.flush().unwrap();
    let all = reach(&home.store, second);
    let chunk = Name::of(Kind::Chunk, &noise(1, 100_000)[..0]);
    assert!(!all.contains(&chunk));
    // The first version's tree is not here: a fetch of the second left it out.
    let only_first: HashSet<Name> = reach(&home.store, first).difference(&own(&home.store, second)).copied().collect();
    let absent = |name: &Name| only_first.contains(name) && *name != first;
    let kept: Vec<(Name, Kind, Vec<u8>)> = all
        .iter()
        .map(|name| (*name, home.store.inner.index.place(name).unwrap().unwrap().kind))
        .map(|(name, kind)| (name, kind, home.store.get(kind, &name).unwrap().to_vec()))
        .collect();
    home.store.inner.index.write(|change| change.retain_objects(|name, _| !absent(name))).unwrap();
    let report = home.store.publish(&[(VERSION, second)]).unwrap();
    assert_eq!(report.missing, 1);
    assert_eq!(exposed(&home.store), all.iter().copied().filter(|name| !absent(name)).collect());

    // It comes later, and is served then.
    for (name, kind, bytes) in kept {
        assert_eq!(home.store.put(kind, &bytes).unwrap(), name);
    }
    assert_eq!(home.store.publish(&[(VERSION, second)]).unwrap().missing, 0);
    assert_eq!(exposed(&home.store), all);
    assert_eq!(home.store.publish(&[(VERSION, second)]).unwrap(), Published::default());
}

/// What a version's own tree reaches, and the version.
fn own(store: &Store, version: Name) -> HashSet<Name> {
    let read = crate::core::version::Version::read(store, &version).unwrap();
    let mut names = walk::reach(store, &[(Kind::Node, read.root)], &mut |gap| Err(gap.error)).unwrap();
    names.insert(version);
    names
}

#[test]
fn gc_keeps_served_packs_served_and_spares_what_was_promised() {
    let home = Home::new();
    let kept = version(&home.store, "kept", &[], &[(1, 50_000)]);
    let gone = version(&home.store, "gone", &[], &[(2, 3_000_000)]);
    home.store.publish(&[(VERSION, kept), (VERSION, gone)]).unwrap();
    let promised = home.store.locate(&[kept]).unwrap()[0].unwrap();
    home.store.gc(&[(VERSION, kept)]).unwrap();
    assert!(serves(&home.store, &promised.pack), "a peer may be reading it");
    home.store.inner.promised.lock().unwrap().clear();
    home.store.gc(&[(VERSION, kept)]).unwrap();
    assert!(!serves(&home.store, &promised.pack));
    assert_eq!(exposed(&home.store), reach(&home.store, kept));
    assert_eq!(home.store.publish(&[(VERSION, kept)]).unwrap(), Published::default());
}

#[test]
fn served_packs_of_many_small_pushes_are_merged() {
    let home = Home::new();
    let mut head = Vec::new();
    for seed in 0..80 {
        let next = version(&home.store, "next", &head, &[(seed, 5_000)]);
        home.store.publish(&[(VERSION, next)]).unwrap();
        head = vec![next];
    }
    assert!(home.store.served_packs().len() < 40, "{}", home.store.served_packs().len());
    assert_eq!(exposed(&home.store), reach(&home.store, head[0]));
}
