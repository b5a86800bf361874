//! The fetch against simulated peers: what is asked goes in and comes out as values, nothing waits.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use super::*;
use crate::core::address::Address;
use crate::core::content::{ContentRef, List, ListEntry};
use crate::core::identity::Secret;
use crate::core::objects::Objects;
use crate::core::objects::memory::Memory;
use crate::core::record::{Body, Record};
use crate::core::value::Value;
use crate::core::version::{Authorship, Stats, Version};
use crate::core::{codec, codec::Format};
use crate::error::Error;
use crate::sync::message::Location;
use crate::tree::{self, Entry, Leaf};

/// A store in memory that counts.
#[derive(Default)]
struct Held {
    objects: Mutex<BTreeMap<Name, (Kind, Vec<u8>)>>,
    complete: Mutex<BTreeSet<Name>>,
    reads: Mutex<usize>,
}

impl Shelf for Held {
    fn has(&self, name: &Name) -> Result<bool> {
        Ok(self.objects.lock().unwrap().contains_key(name))
    }
    fn is_complete(&self, name: &Name) -> Result<bool> {
        Ok(self.complete.lock().unwrap().contains(name))
    }
    fn get(&self, kind: Kind, name: &Name) -> Result<Bytes> {
        *self.reads.lock().unwrap() += 1;
        match self.objects.lock().unwrap().get(name) {
            Some((held, bytes)) if *held == kind => Ok(Bytes::copy_from_slice(bytes)),
            _ => Err(Error::not_found("not held")),
        }
    }
    fn put_stored(&self, kind: Kind, name: &Name, stored: &[u8], raw: usize) -> Result<()> {
        if stored.len() != raw || Name::of(kind, stored) != *name {
            return Err(Error::denied("other bytes"));
        }
        self.objects.lock().unwrap().insert(*name, (kind, stored.to_vec()));
        Ok(())
    }
    fn mark_complete(&self, names: &[Name]) -> Result<()> {
        self.complete.lock().unwrap().extend(names);
        Ok(())
    }
}

/// How a peer behaves.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    Honest,
    /// Sends other bytes.
    Forges,
    /// Says something is where something else is.
    Misplaces,
    /// Answers fewer names than it was asked.
    Truncates,
    /// Never sends a pack.
    Stalls,
    /// Says it has everything and serves nothing.
    Boasts,
    /// Has nothing.
    Poor,
    /// Goes away after so many transfers.
    Dies(usize),
    /// Sends the first half of what is asked, then fails to read its pack.
    Damaged,
}

struct Fake {
    way: Way,
    places: BTreeMap<Name, Location>,
    packs: BTreeMap<[u8; 32], Vec<u8>>,
    served: usize,
    located: usize,
}

/// All objects there are, with their kinds.
type World = BTreeMap<Name, (Kind, Vec<u8>)>;

fn fake(way: Way, number: u8, world: &World) -> (Author, Fake) {
    let mut fake = Fake { way, places: BTreeMap::new(), packs: BTreeMap::new(), served: 0, located: 0 };
    let author = Author([number; 32]);
    if way == Way::Poor {
        return (author, fake);
    }
    // Every node has its own order of objects and its own packs.
    let mut order: Vec<_> = world.iter().collect();
    order.sort_by_key(|(name, _)| *blake3::keyed_hash(&author.0, &name.0).as_bytes());
    for (index, group) in order.chunks(50).enumerate() {
        let pack = [[number; 16], (index as u128).to_be_bytes()].concat().try_into().unwrap();
        let bytes: Vec<u8> = group.iter().flat_map(|(_, (_, bytes))| bytes.clone()).collect();
        let mut offset = 0;
        for (name, (kind, object)) in group {
            let length = object.len() as u32;
            let location = Location {
                kind: *kind,
                pack_hash: pack,
                pack_len: bytes.len() as u64,
                offset,
                stored_len: length,
                raw_len: length,
            };
            fake.places.insert(**name, location);
            offset += u64::from(length);
        }
        fake.packs.insert(pack, bytes);
    }
    (author, fake)
}

/// Runs a fetch until it is done or stuck; returns whether it is done.
fn drive(fetch: &mut Fetch, held: &Held, peers: &mut BTreeMap<Author, Fake>) -> Result<bool> {
    peers.keys().for_each(|author| fetch.peer_came(*author));
    for _ in 0..100_000 {
        let actions = fetch.advance(held)?;
        if actions.is_empty() {
            assert!(fetch.is_idle(), "nothing to do and something under way");
            return Ok(fetch.is_done());
        }
        for action in actions {
            act(fetch, held, peers, action)?;
        }
    }
    panic!("a fetch that never ends");
}

fn act(fetch: &mut Fetch, held: &Held, peers: &mut BTreeMap<Author, Fake>, action: Action) -> Result<()> {
    match action {
        Action::Locate { job, peer, names } => {
            assert!(names.len() <= limits::FETCH_LOCATE);
            let fake = peers.get_mut(&peer).unwrap();
            fake.located += names.len();
            let mut answers: Vec<_> = names.iter().map(|name| fake.places.get(name).copied()).collect();
            match fake.way {
                Way::Misplaces => {
                    for location in answers.iter_mut().flatten() {
                        location.offset =
                            (location.offset + 1) % (location.pack_len - u64::from(location.stored_len) + 1);
                    }
                }
                Way::Truncates => {
                    answers.pop();
                }
                _ => {}
            }
            fetch.located(job, &answers, 10);
        }
        Action::Get { job, peer, pack, ranges } => {
            let fake = peers.get_mut(&peer).unwrap();
            fake.served += 1;
            let bytes = &fake.packs[&pack];
            let mut runs: Vec<(u64, Vec<u8>)> = ranges
                .iter()
                .map(|range| (range.start, bytes[range.start as usize..range.end as usize].to_vec()))
                .collect();
            let wire = runs.iter().map(|(_, run)| run.len() as u64).sum();
            let mut end = Ok(());
            match fake.way {
                Way::Forges => runs[0].1[0] ^= 1,
                Way::Stalls => {
                    fetch.failed(job, Failure::Stalled);
                    return Ok(());
                }
                Way::Boasts => {
                    fetch.failed(job, Failure::NotHeld);
                    return Ok(());
                }
                Way::Dies(after) if fake.served > after => {
                    fetch.failed(job, Failure::Lost);
                    fetch.peer_left(&peer);
                    return Ok(());
                }
                Way::Damaged => {
                    end = Err(Failure::NotHeld);
                    runs.truncate(runs.len() / 2);
                }
                _ => {}
            }
            fetch.received(held, job, runs.iter().map(|(at, run)| (*at, run.as_slice())), wire, end)?;
        }
    }
    Ok(())
}

/// A version of a state with inline and spilled records and contents of one and of many chunks; and all its objects.
fn world(records: usize) -> (Name, World) {
    let memory = Memory::default();
    let mut kinds: BTreeMap<Name, Kind> = BTreeMap::new();
    let mut chunks = BTreeSet::new();
    let mut chunk = |bytes: &[u8]| {
        let name = memory.put(Kind::Chunk, bytes).unwrap();
        chunks.insert(name);
        name
    };
    let mut entries = BTreeMap::new();
    let mut lists = Vec::new();
    for number in 0..records {
        let address = Address::resource("0", "r", "s3", "object", &format!("{number:06}"));
        let text = match number % 10 {
            0 => "x".repeat(5000 + number),
            _ => format!("value {number}"),
        };
        let mut record = Record::new(BTreeMap::from([("a".to_owned(), Value::text(text))]));
        match number % 7 {
            0 => {
                let root = chunk(&vec![number as u8; 20_000 + number]);
                record.body = Some(Body::Content(ContentRef { root, level: 0, size: 20_000 + number as u64 }));
            }
            1 => {
                let pieces: Vec<ListEntry> = (0..3)
                    .map(|piece| ListEntry {
                        name: chunk(&vec![piece; 16_384 + number]),
                        length: 16_384 + number as u64,
                    })
                    .collect();
                let size = pieces.iter().map(|piece| piece.length).sum();
                let bytes = codec::encode(&List::new(1, pieces).unwrap()).unwrap();
                let root = memory.put(Kind::List, &bytes).unwrap();
                lists.push(root);
                record.body = Some(Body::Content(ContentRef { root, level: 1, size }));
            }
            _ => {}
        }
        let leaf = Leaf::new(&memory, &address, &record).unwrap();
        if let Leaf::Spilled { name, .. } = &leaf {
            kinds.insert(*name, Kind::Record);
        }
        entries.insert(address.key(), Entry { address, leaf });
    }
    kinds.extend(chunks.into_iter().map(|chunk| (chunk, Kind::Chunk)));
    kinds.extend(lists.into_iter().map(|list| (list, Kind::List)));
    let root = tree::build(&memory, &mut entries.into_values().map(Ok)).unwrap();
    let secret = Secret::from_seed(&[9; 32]);
    let version = Version {
        pod: "p".into(),
        parents: vec![],
        root,
        authorship: Some(Authorship { author: secret.author(), created: 1 }),
        message: String::new(),
        source: None,
        stats: Stats::default(),
        skipped: vec![],
    };
    let name = version.write(&memory, &secret).unwrap();
    kinds.insert(name, Kind::Version);
    let kind = |name: &Name| kinds.get(name).copied().unwrap_or(Kind::Node);
    let world = memory.objects.into_inner().unwrap();
    (name, world.into_iter().map(|(name, bytes)| (name, (kind(&name), bytes))).collect())
}

fn peers(ways: &[Way], world: &World) -> BTreeMap<Author, Fake> {
    ways.iter().enumerate().map(|(number, way)| fake(*way, number as u8 + 1, world)).collect()
}

fn goal(version: Name) -> [(Kind, Name); 1] {
    [(Kind::Version, version)]
}

#[test]
fn everything_arrives_once_and_is_marked() {
    let (version, world) = world(3000);
    let held = Held::default();
    let mut peers = peers(&[Way::Honest], &world);
    let mut fetch = Fetch::new(&goal(version), false);
    assert!(drive(&mut fetch, &held, &mut peers).unwrap());
    assert!(*held.objects.lock().unwrap() == world);
    assert!(held.is_complete(&version).unwrap());
    assert_eq!(fetch.progress().objects, world.len() as u64);
    assert_eq!(fetch.progress().ahead, 0);

    // A second fetch asks nobody and reads nothing.
    *held.reads.lock().unwrap() = 0;
    let mut again = Fetch::new(&goal(version), false);
    assert!(drive(&mut again, &held, &mut BTreeMap::new()).unwrap());
    assert_eq!(*held.reads.lock().unwrap(), 0);
}

#[test]
fn several_peers_share_the_work() {
    let (version, world) = world(3000);
    let mut peers = peers(&[Way::Honest; 3], &world);
    let mut fetch = Fetch::new(&goal(version), false);
    assert!(drive(&mut fetch, &Held::default(), &mut peers).unwrap());
    assert_eq!(fetch.progress().objects as usize, world.len(), "nothing is fetched twice");
    let total: usize = peers.values().map(|peer| peer.located).sum();
    assert!(total < world.len() * 2, "work changes hands only when a peer is idle");
    for peer in peers.values() {
        assert!(peer.located > total / 6, "{} of {total}", peer.located);
    }
}

#[test]
fn whatever_bad_peers_do_a_good_one_is_enough() {
    let (version, world) = world(1000);
    for bad in
        [Way::Forges, Way::Misplaces, Way::Truncates, Way::Stalls, Way::Boasts, Way::Poor, Way::Dies(1), Way::Damaged]
    {
        let held = Held::default();
        let mut peers = peers(&[bad, Way::Honest, bad], &world);
        assert!(drive(&mut Fetch::new(&goal(version), false), &held, &mut peers).unwrap());
        assert!(*held.objects.lock().unwrap() == world);
    }
}

#[test]
fn bad_peers_alone_end_in_a_fetch_that_says_what_is_missing() {
    let (version, world) = world(300);
    for bad in [Way::Forges, Way::Misplaces, Way::Truncates, Way::Stalls, Way::Boasts, Way::Poor] {
        let held = Held::default();
        let mut peers = peers(&[bad, bad], &world);
        let mut fetch = Fetch::new(&goal(version), false);
        assert!(!drive(&mut fetch, &held, &mut peers).unwrap());
        let (count, ..) = fetch.missing().unwrap();
        assert!(count > 0);
        assert!(!held.is_complete(&version).unwrap());
        for (name, (kind, bytes)) in held.objects.lock().unwrap().iter() {
            assert_eq!(Name::of(*kind, bytes), *name);
        }
        // One that has it comes along.
        let (author, honest) = fake(Way::Honest, 99, &world);
        peers.insert(author, honest);
        assert!(drive(&mut fetch, &held, &mut peers).unwrap());
    }
}

#[test]
fn an_interrupted_fetch_goes_on_where_it_was() {
    let (version, world) = world(1500);
    for after in [1, 5, 12] {
        let held = Held::default();
        let mut first = peers(&[Way::Dies(after)], &world);
        assert!(!drive(&mut Fetch::new(&goal(version), false), &held, &mut first).unwrap());
        let before = held.objects.lock().unwrap().len();
        assert!(before > 0 && before < world.len());
        let mut second = peers(&[Way::Honest], &world);
        let mut fetch = Fetch::new(&goal(version), false);
        assert!(drive(&mut fetch, &held, &mut second).unwrap());
        assert_eq!(fetch.progress().objects as usize, world.len() - before);
        assert!(*held.objects.lock().unwrap() == world);
    }
}

#[test]
fn peers_that_hold_half_each_are_enough_together() {
    let (version, world) = world(1000);
    let mut peers = peers(&[Way::Honest, Way::Honest], &world);
    for (number, peer) in peers.values_mut().enumerate() {
        peer.places.retain(|name, _| name.0[0] as usize % 2 == number);
    }
    let held = Held::default();
    assert!(drive(&mut Fetch::new(&goal(version), false), &held, &mut peers).unwrap());
    assert!(*held.objects.lock().unwrap() == world);
}

#[test]
fn a_shallow_fetch_leaves_the_contents_and_marks_nothing() {
    let (version, world) = world(1000);
    let held = Held::default();
    let mut peers = peers(&[Way::Honest], &world);
    assert!(drive(&mut Fetch::new(&goal(version), true), &held, &mut peers).unwrap());
    let kinds: BTreeSet<Kind> = held.objects.lock().unwrap().values().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, BTreeSet::from([Kind::Record, Kind::Node, Kind::Version]));
    assert!(held.complete.lock().unwrap().is_empty());
    assert!(drive(&mut Fetch::new(&goal(version), false), &held, &mut peers).unwrap());
    assert!(*held.objects.lock().unwrap() == world);
}

#[test]
fn what_is_held_is_marked_without_any_peer() {
    let (version, world) = world(1000);
    let held = Held { objects: Mutex::new(world), ..Held::default() };
    assert!(drive(&mut Fetch::new(&goal(version), false), &held, &mut BTreeMap::new()).unwrap());
    assert!(held.is_complete(&version).unwrap());
}

#[test]
fn lists_nested_too_deep_and_shared_without_end_are_refused_quickly() {
    // 512 entries that all name one list, four levels up: 512^4 paths to one chunk.
    let mut world = World::new();
    let bytes = vec![1; limits::CHUNK_MIN];
    let mut below = Name::of(Kind::Chunk, &bytes);
    world.insert(below, (Kind::Chunk, bytes));
    let mut length = limits::CHUNK_MIN as u64;
    for level in 1..=limits::LIST_LEVELS {
        let list = List::new(level, vec![ListEntry { name: below, length }; 512]).unwrap();
        length *= 512;
        let bytes = codec::encode(&list).unwrap();
        below = Name::of(Kind::List, &bytes);
        world.insert(below, (Kind::List, bytes));
    }
    let mut honest = peers(&[Way::Honest], &world);
    let held = Held::default();
    assert!(drive(&mut Fetch::new(&[(Kind::List, below)], false), &held, &mut honest).unwrap());

    // A list that names lists of its own level, on and on: five of them are one too many.
    let mut world = World::new();
    let mut below = Name([1; 32]);
    for _ in 0..5 {
        let list = List::new(2, vec![ListEntry { name: below, length: 1 }]).unwrap();
        let bytes = codec::encode(&list).unwrap();
        below = Name::of(Kind::List, &bytes);
        world.insert(below, (Kind::List, bytes));
    }
    let mut honest = peers(&[Way::Honest], &world);
    assert!(drive(&mut Fetch::new(&[(Kind::List, below)], false), &held, &mut honest).is_err());
    const { assert!(List::LIMIT < limits::OBJECT) };
}

#[test]
fn a_malformed_object_ends_the_fetch_with_an_error() {
    let mut world = World::new();
    let name = Name::of(Kind::Node, b"no tree node");
    world.insert(name, (Kind::Node, b"no tree node".to_vec()));
    let mut honest = peers(&[Way::Honest], &world);
    assert!(drive(&mut Fetch::new(&[(Kind::Node, name)], false), &Held::default(), &mut honest).is_err());
}
