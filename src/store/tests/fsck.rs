//! What fsck, repair and rebuild promise.

use super::{Home, flip, noise, reach, version};
use crate::store::*;

fn check(home: &Home, root: Name) -> Checked {
    home.store.fsck(&[(Kind::Version, root)], &mut |done, total| assert!(done <= total)).unwrap()
}

#[test]
fn a_sound_store_is_found_sound() {
    let home = Home::new();
    let root = version(&home.store, "first", &[], &[(1, 3_000_000)]);
    home.store.mark_complete(&[root]).unwrap();
    let checked = check(&home, root);
    assert!(checked.is_sound() && checked.damages.is_empty() && checked.missing.is_empty(), "{checked:?}");
    assert_eq!(checked.objects, reach(&home.store, root).len() as u64);
    assert!(checked.bytes > 3_000_000);
    assert_eq!(home.store.repair(&checked).unwrap(), Repaired::default());
}

#[test]
fn a_damaged_object_is_named_and_forgotten_and_the_rest_of_its_pack_stays() {
    let home = Home::new();
    let root = version(&home.store, "first", &[], &[(1, 3_000_000)]);
    home.store.mark_complete(&[root]).unwrap();
    home.store.publish(&[(Kind::Version, root)]).unwrap();
    let all = reach(&home.store, root);
    let pack = home.packs().remove(0);
    flip(&pack, 5_000);

    let checked = check(&home, root);
    assert!(!checked.is_sound());
    let named: Vec<_> = checked.damages.iter().filter_map(|damage| damage.object).collect();
    assert_eq!(named.len(), 1);
    assert!(checked.damages.iter().all(|damage| damage.pack == pack));

    let repaired = home.store.repair(&checked).unwrap();
    assert_eq!(repaired.forgotten, named);
    assert_eq!(repaired.quarantined.len(), 1);
    assert!(repaired.quarantined[0].exists() && !pack.exists());
    let (kind, name) = named[0];
    assert!(!home.store.has(&name).unwrap() && !home.store.is_complete(&root).unwrap());
    assert!(home.store.served_packs().is_empty());

    // A teammate sends it.
    let home = home.reopen();
    let checked = check(&home, root);
    assert!(checked.damages.is_empty());
    assert_eq!(checked.missing.iter().map(|missing| missing.object).collect::<Vec<_>>(), named);
    let source = Home::new();
    assert_eq!(version(&source.store, "first", &[], &[(1, 3_000_000)]), root);
    home.store.put(kind, &source.store.get(kind, &name).unwrap()).unwrap();
    home.store.publish(&[(Kind::Version, root)]).unwrap();
    assert_eq!(reach(&home.store, root), all);
    assert!(check(&home, root).missing.is_empty());
    assert!(home.store.locate(&[name, root]).unwrap().iter().all(Option::is_some));
}

#[test]
fn a_truncated_a_missing_and_a_wrongly_tabled_pack_are_found_and_repaired() {
    for damage in ["truncated", "missing", "table"] {
        let home = Home::new();
        let root = version(&home.store, "first", &[], &[(1, 3_000_000), (2, 5_000)]);
        home.store.mark_complete(&[root]).unwrap();
        let (pack, count) = (home.packs().remove(0), reach(&home.store, root).len());
        let length = std::fs::metadata(&pack).unwrap().len();
        match damage {
            "truncated" => std::fs::OpenOptions::new().write(true).open(&pack).unwrap().set_len(length / 2).unwrap(),
            "missing" => std::fs::remove_file(&pack).unwrap(),
            _ => flip(&pack, length as usize - 70),
        }
        let home = home.reopen();
        let checked = check(&home, root);
        assert!(!checked.is_sound(), "{damage}");
        assert_eq!(checked.objects, count as u64, "{damage}: the index knows what the pack held");
        let repaired = home.store.repair(&checked).unwrap();
        match damage {
            "truncated" => assert!(!repaired.forgotten.is_empty() && repaired.forgotten.len() < count),
            "missing" => assert_eq!((repaired.forgotten.len(), repaired.quarantined.len()), (count, 0)),
            _ => assert!(repaired.forgotten.is_empty()),
        }
        let home = home.reopen();
        assert!(check(&home, root).damages.is_empty(), "{damage}");
    }
}

#[test]
fn what_a_complete_mark_promised_and_is_missing_is_no_small_matter() {
    let home = Home::new();
    let root = version(&home.store, "first", &[], &[(1, 200_000)]);
    home.store.flush().unwrap();
    home.store.inner.index.write(|change| change.retain_objects(|_, place| place.kind != Kind::Chunk)).unwrap();
    let checked = check(&home, root);
    assert!(checked.is_sound() && !checked.missing.is_empty());
    assert!(checked.missing.iter().all(|missing| missing.object.0 == Kind::Chunk && missing.by.is_some()));
    home.store.mark_complete(&[root]).unwrap();
    assert!(!check(&home, root).is_sound());
}

#[test]
fn an_unreadable_index_is_made_again_from_the_packs() {
    for damage in ["zeros", "truncated", "garbage", "header", "middle"] {
        let home = Home::new();
        let root = version(&home.store, "first", &[], &[(1, 3_000_000)]);
        home.store.mark_complete(&[root]).unwrap();
        let (all, path) = (reach(&home.store, root), home.store.inner.layout.index.clone());
        let Home { store, dir } = home;
        drop(store);
        let mut bytes = std::fs::read(&path).unwrap();
        match damage {
            "zeros" => bytes.fill(0),
            "truncated" => bytes.truncate(bytes.len() / 3),
            "garbage" => bytes = noise(1, bytes.len()),
            "header" => bytes[..320].copy_from_slice(&noise(2, 320)),
            _ => {
                let (middle, length) = (bytes.len() / 200, bytes.len());
                bytes[middle..].copy_from_slice(&noise(3, length - middle));
            }
        }
        std::fs::write(&path, bytes).unwrap();
        // Some damage shows when it is opened, some when all of it is read.
        let roots = [(Kind::Version, root)];
        let opened = Store::open(dir.path(), Duration::ZERO);
        let error = opened.and_then(|store| store.fsck(&roots, &mut |_, _| {})).err();
        let error = error.unwrap_or_else(|| panic!("{damage}: found sound"));
        assert!(Store::needs_rebuild(&error), "{damage}: {error:?}");
        assert!(error.hint_text().unwrap().contains("fsck --repair"));
        let (store, rebuilt) = Store::rebuild(dir.path(), Duration::ZERO).unwrap();
        assert!(rebuilt.index.unwrap().exists() && rebuilt.packs == 1, "{damage}");
        assert_eq!(reach(&store, root), all);
        assert!(!store.is_complete(&root).unwrap());
    }
}
