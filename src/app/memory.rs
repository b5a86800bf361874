//! What peapod remembers of an instance: the version last put in or taken, and its echo.
//!
//! An emulator drops things, calls fail, selectors leave things out, and none of that is a deletion. So a capture is
//! never taken as the new state by itself: the state is *version + (echo -> live)*, and only a complete listing proves
//! that something is gone.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::app::capture::Captured;
use crate::app::views::Lost;
use crate::core::address::Address;
use crate::core::carry::carry;
use crate::core::codec::{self, Format};
use crate::core::name::Name;
use crate::error::Result;
use crate::store::{Store, Table, Write};
use crate::tree::{self, Change, Leaf};

/// A pair of version and echo, kept for one instance and one pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// The version last put in or taken.
    pub version: Name,
    /// What a capture showed when the instance held exactly that version: a tree.
    pub echo: Name,
    /// Creation dates and generated ids then, by printed address.
    pub marks: BTreeMap<String, String>,
}

/// How an instance looks after something was put back into it.
#[derive(Debug)]
pub struct Again {
    /// What stands there, in the services where something was.
    pub captured: Captured,
    /// The state that was taken back: a tree.
    pub other: Name,
    /// The state that was to be there again: a tree.
    pub wanted: Name,
}

impl Format for Memory {
    const NUMBER: u8 = 1;
    const LIMIT: usize = 64 * 1024 * 1024;
    const WORD: &'static str = "what is remembered of an instance";
}

impl Memory {
    /// What is remembered of the instance at `url` for `pod`, if it is still the instance that was captured.
    pub fn of(store: &Store, url: &str, pod: &str, captured: &Captured) -> Result<Option<Memory>> {
        match Self::read(store, url, pod)? {
            Some(memory) if memory.is_of(store, captured)? => Ok(Some(memory)),
            _ => Ok(None),
        }
    }

    fn read(store: &Store, url: &str, pod: &str) -> Result<Option<Memory>> {
        store.read(Table::Memory, &key(url, pod))?.map(|bytes| codec::decode(&bytes)).transpose()
    }

    /// What captures of the instance at `url` showed when it was remembered, for all its pods: trees.
    pub fn echoes(store: &Store, url: &str) -> Result<Vec<Name>> {
        let kept = store.list(Table::Memory, format!("{url}\0").as_bytes())?;
        kept.iter().map(|(_, bytes)| codec::decode(bytes).map(|memory: Memory| memory.echo)).collect()
    }

    /// Remembering this, as a change of the store.
    pub fn write(&self, url: &str, pod: &str) -> Result<Write> {
        Ok(Write::Put(Table::Memory, key(url, pod), codec::encode(self)?))
    }

    /// Forgetting it, as a change of the store.
    pub fn forget(url: &str, pod: &str) -> Write {
        Write::Remove(Table::Memory, key(url, pod))
    }

    /// Forgetting a pod in all instances, as changes of the store.
    pub fn forget_pod(store: &Store, pod: &str) -> Result<Vec<Write>> {
        let ending = format!("\0{pod}").into_bytes();
        let kept = store.list(Table::Memory, b"")?.into_iter().filter(|(key, _)| key.ends_with(&ending));
        Ok(kept.map(|(key, _)| Write::Remove(Table::Memory, key)).collect())
    }

    /// Forgetting the instances that stand for one version, as changes of the store.
    pub fn forget_version(store: &Store, pod: &str, version: &Name) -> Result<Vec<Write>> {
        let ending = format!("\0{pod}").into_bytes();
        let mut writes = vec![];
        for (key, bytes) in store.list(Table::Memory, b"")? {
            if key.ends_with(&ending) && codec::decode::<Memory>(&bytes)?.version == *version {
                writes.push(Write::Remove(Table::Memory, key));
            }
        }
        Ok(writes)
    }

    /// What is remembered of one instance, by pod.
    pub fn of_instance(store: &Store, url: &str) -> Result<Vec<(String, Memory)>> {
        let prefix = key(url, "");
        let kept = store.list(Table::Memory, &prefix)?;
        let pod = |key: &[u8]| String::from_utf8_lossy(&key[prefix.len()..]).into_owned();
        kept.iter().map(|(key, bytes)| Ok((pod(key), codec::decode(bytes)?))).collect()
    }

    /// Every pair there is: gc keeps what they name.
    pub fn all(store: &Store) -> Result<Vec<Memory>> {
        store.list(Table::Memory, b"")?.iter().map(|(_, bytes)| codec::decode(bytes)).collect()
    }

    /// Whether `captured` is of the same instance, or of one that has been restarted or emptied since.
    ///
    /// One matching mark is proof: resources come and go, but a restarted instance matches none. Without one, nothing
    /// that the echo has may be taken for deleted; only where the capture could not have seen any of it is there
    /// nothing to lose.
    pub fn is_of(&self, store: &Store, captured: &Captured) -> Result<bool> {
        if self.shares_a_mark(&captured.marks) {
            return Ok(true);
        }
        for entry in tree::scan(store, &self.echo, &[])? {
            if captured.proves_absence(&entry?.address) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether it is proven that `captured` is of the same instance, or there is nothing to lose in it. Where it is not
    /// (the selector left out all that could tell), a restart may have been in between: then new marks must not be
    /// remembered beside the old echo, or the next whole capture would take all of it for deleted.
    pub fn is_proven_by(&self, store: &Store, captured: &Captured) -> Result<bool> {
        Ok(self.shares_a_mark(&captured.marks) || self.echo == tree::empty(store)?)
    }

    fn shares_a_mark(&self, marks: &BTreeMap<String, String>) -> bool {
        self.marks.iter().any(|(address, mark)| marks.get(address) == Some(mark))
    }

    /// Remembering, for every pod, that the instance was put back as `before`, when it was last known: what it lost is
    /// no deletion, and what was made again has the marks of `again`.
    pub fn put_back(
        store: &Store,
        url: &str,
        before: &Memory,
        lost: &[Lost],
        again: Option<&Again>,
    ) -> Result<Vec<Write>> {
        let mut writes = vec![];
        for (pod, memory) in Self::of_instance(store, url)? {
            // What was of another instance, before a restart, stays so.
            let was_of_it = memory.shares_a_mark(&before.marks);
            let memory = memory.without(store, lost, again)?;
            let memory = if was_of_it { memory.made_again(again) } else { memory };
            writes.push(memory.write(url, &pod)?);
        }
        Ok(writes)
    }

    /// The same with the marks that its resources have since they were made again.
    #[must_use]
    pub fn made_again(mut self, again: Option<&Again>) -> Memory {
        self.marks.extend(again.into_iter().flat_map(|again| again.captured.marks.clone()));
        self
    }

    /// The same with what was lost, or was to be put back and is not there, taken out of the echo.
    pub fn without(self, store: &Store, lost: &[Lost], again: Option<&Again>) -> Result<Memory> {
        let mut keys: Vec<Address> = lost.iter().filter_map(|lost| Address::parse(&lost.address).ok()).collect();
        keys.sort_by_key(Address::key);
        keys.dedup();
        let mut gone = keys.into_iter().map(|address| Ok(Change { address, before: None, after: None }));
        let echo = tree::edit(store, &self.echo, &mut gone)?;
        let Some(Again { captured, other, wanted }) = again else { return Ok(Memory { echo, ..self }) };
        // The list of what was lost has an end; this has none.
        let mut there = tree::Lookup::new(store, &captured.root)?;
        let mut missing = tree::diff(store, other, wanted)?.filter_map(|change| match change {
            Ok(change) if change.after.is_none() => None,
            Ok(change) => match there.get(&change.address) {
                Ok(None) => Some(Ok(Change { before: None, after: None, ..change })),
                Ok(Some(_)) => None,
                Err(error) => Some(Err(error)),
            },
            Err(error) => Some(Err(error)),
        });
        Ok(Memory { echo: tree::edit(store, &echo, &mut missing)?, ..self })
    }

    /// The instance's state in full: the version with the change from the echo to the capture made to it.
    ///
    /// `root` is the version's tree.
    pub fn live(&self, store: &Store, root: &Name, captured: &Captured) -> Result<Name> {
        let changes = tree::diff(store, &self.echo, &captured.root)?;
        overlay(store, root, Box::new(changes.filter(|change| believed(change, captured))))
    }

    /// The echo after the version `captured` was taken as: what was neither selected nor seen stays as it was.
    pub fn echo_after(&self, store: &Store, captured: &Captured) -> Result<Name> {
        let changes = tree::diff(store, &self.echo, &captured.root)?;
        tree::edit(store, &self.echo, &mut changes.filter(|change| believed(change, captured)))
    }

    /// The marks after the same.
    pub fn marks_after(&self, captured: &Captured) -> BTreeMap<String, String> {
        let stays = |address: &str| !Address::parse(address).is_ok_and(|address| captured.proves_absence(&address));
        let mut marks: BTreeMap<_, _> =
            self.marks.iter().filter(|(address, _)| stays(address)).map(|(a, m)| (a.clone(), m.clone())).collect();
        marks.extend(captured.marks.clone());
        marks
    }
}

/// Whether a difference between echo and capture is the user's: what was not looked for is not gone.
fn believed(change: &Result<Change>, captured: &Captured) -> bool {
    match change {
        Ok(change) => change.after.is_some() || captured.proves_absence(&change.address),
        Err(_) => true,
    }
}

/// The tree `root` with each change carried over to its own record ([`carry`]).
pub fn overlay(store: &Store, root: &Name, changes: tree::Stream<'_, Change>) -> Result<Name> {
    let mut own = tree::Lookup::new(store, root)?;
    let mut carried = changes.map(|change| {
        let change = change?;
        let Some(live) = &change.after else { return Ok(change) };
        let Some(kept) = own.get(&change.address)? else { return Ok(change) };
        let echo = change.before.as_ref().map(|echo| echo.record(store)).transpose()?;
        let record = carry(&kept, echo.as_ref(), &live.record(store)?);
        let after = Some(Leaf::new(store, &change.address, &record)?);
        Ok(Change { after, ..change })
    });
    tree::edit(store, root, &mut carried)
}

fn key(url: &str, pod: &str) -> Vec<u8> {
    format!("{url}\0{pod}").into_bytes()
}
