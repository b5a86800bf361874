//! One signer's chain of statements, and what of it counts.
//!
//! Every link must follow one that is held, so a number can't be jumped and an old link can't come back as news. Two
//! links with one number are a fork: both are kept as proof, and the chain counts up to the link before them until
//! somebody entitled says which branch does.

use std::collections::BTreeMap;

use crate::core::name::Name;
use crate::core::signed::{Statement, Verified};
use crate::limits;

/// A link by its number and name.
pub type Place = (u64, Name);

/// What an admin has decided about a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ruling {
    /// Nothing: it counts up to its first fork.
    #[default]
    Open,
    /// The branch through this link counts, and what follows it.
    Branch(Place),
    /// The branch up to this link counts, and nothing after it.
    Until(Place),
    /// Nothing of it counts.
    Nothing,
}

/// What became of a link offered to a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placed {
    /// It is new and the chain holds it now.
    Linked,
    /// It is new, and proves that its signer said two things under one number.
    Forked,
    /// The chain held it already.
    Known,
    /// The link before it is not held.
    Loose,
    /// It follows a fork that nobody has settled, or would be one more branch of it.
    Frozen,
    /// It lies after the last link that counts.
    Over,
}

/// The links of one chain that are held, all of them linked down to the first.
#[derive(Debug, Clone)]
pub struct Chain<T> {
    links: BTreeMap<u64, Vec<Verified<T>>>,
    /// The lowest number that several links have; below it every link is the only one.
    fork: Option<u64>,
}

impl<T> Default for Chain<T> {
    fn default() -> Self {
        Chain { links: BTreeMap::new(), fork: None }
    }
}

impl<T: Statement> Chain<T> {
    /// Takes a link, if it has a place here under `ruling`.
    pub fn offer(&mut self, link: Verified<T>, ruling: Ruling) -> Placed {
        let placed = self.place(&link, ruling);
        if matches!(placed, Placed::Linked | Placed::Forked) {
            self.insert(link);
        }
        placed
    }

    /// Takes back a link that was held before, whatever has been ruled since. One that follows nothing is left out.
    pub fn restore(&mut self, link: Verified<T>) {
        if self.follows(&link) && !self.holds(link.seq(), &link.name()) {
            self.insert(link);
        }
    }

    fn insert(&mut self, link: Verified<T>) {
        let seq = link.seq();
        let links = self.links.entry(seq).or_default();
        links.push(link);
        if links.len() > 1 {
            self.fork = Some(self.fork.map_or(seq, |fork| fork.min(seq)));
        }
    }

    fn place(&self, link: &Verified<T>, ruling: Ruling) -> Placed {
        let seq = link.seq();
        if self.holds(seq, &link.name()) {
            return Placed::Known;
        }
        if ruling == Ruling::Nothing || matches!(ruling, Ruling::Until((last, _)) if seq > last) {
            return Placed::Over;
        }
        if !self.follows(link) {
            return Placed::Loose;
        }
        let rivals = self.at(seq).len();
        // On the way to a branch that was named but is not held yet, any branch may be the one; a few are let in.
        if let Ruling::Branch((named, name)) | Ruling::Until((named, name)) = ruling
            && seq <= named
            && !self.holds(named, &name)
        {
            let room = rivals < limits::FORK_BRANCHES || (seq, link.name()) == (named, name);
            return if !room {
                Placed::Frozen
            } else if rivals == 0 {
                Placed::Linked
            } else {
                Placed::Forked
            };
        }
        let tip = self.tip(ruling);
        match tip.map_or(0, |tip| tip.seq()) {
            last if seq <= last && rivals < 2 => Placed::Forked,
            last if seq == last + 1 && tip.map(Verified::name) == link.previous() => match rivals {
                0 => Placed::Linked,
                1 => Placed::Forked,
                _ => Placed::Frozen,
            },
            _ => Placed::Frozen,
        }
    }

    /// The links that count under `ruling`, from the first.
    pub fn counting(&self, ruling: Ruling) -> Counting<'_, T> {
        let (named, last) = match ruling {
            Ruling::Open => (None, u64::MAX),
            Ruling::Branch(place) => (Some(place), u64::MAX),
            Ruling::Until(place) => (Some(place), place.0),
            Ruling::Nothing => (None, 0),
        };
        Counting { chain: self, path: named.map(|place| self.path_to(place)).unwrap_or_default(), last, at: None }
    }

    /// The links that count under `ruling` and have a higher number than `seq`.
    pub fn counting_after(&self, ruling: Ruling, seq: u64) -> Counting<'_, T> {
        let mut counting = self.counting(ruling);
        counting.skip_sure(seq);
        while counting.at.is_none_or(|link| link.seq() < seq) && seq > 0 && counting.next().is_some() {}
        counting
    }

    /// The last link that counts.
    pub fn tip(&self, ruling: Ruling) -> Option<&Verified<T>> {
        let mut counting = self.counting(ruling);
        counting.skip_sure(u64::MAX);
        let start = counting.at;
        counting.last().or(start)
    }

    /// The links right after the last one that counts, when there are several: the proof of a fork.
    pub fn fork(&self, ruling: Ruling) -> &[Verified<T>] {
        if matches!(ruling, Ruling::Nothing) {
            return &[];
        }
        let next = self.tip(ruling).map_or(0, |tip| tip.seq()) + 1;
        if matches!(ruling, Ruling::Until((last, _)) if next > last) {
            return &[];
        }
        match self.at(next) {
            several if several.len() > 1 => several,
            _ => &[],
        }
    }

    /// Whether a link is held.
    pub fn holds(&self, seq: u64, name: &Name) -> bool {
        self.at(seq).iter().any(|link| link.name() == *name)
    }

    /// The links held from one number to another, both included.
    pub fn range(&self, from: u64, to: u64) -> impl Iterator<Item = &Verified<T>> {
        // An empty range would panic in BTreeMap.
        let bounds = if from <= to { from..=to } else { 0..=0 };
        self.links.range(bounds).flat_map(|(_, links)| links)
    }

    /// Every link held, in the order of the numbers.
    pub fn links(&self) -> impl Iterator<Item = &Verified<T>> {
        self.links.values().flatten()
    }

    fn at(&self, seq: u64) -> &[Verified<T>] {
        self.links.get(&seq).map_or(&[], Vec::as_slice)
    }

    fn follows(&self, link: &Verified<T>) -> bool {
        match link.previous() {
            None => true,
            Some(previous) => self.holds(link.seq() - 1, &previous),
        }
    }

    /// The names on the way from the fork to a link, by number; empty when it is not held.
    fn path_to(&self, (seq, name): Place) -> BTreeMap<u64, Name> {
        let mut path = BTreeMap::new();
        let mut next = Some((seq, name));
        while let Some((seq, name)) = next.filter(|(seq, _)| self.fork.is_some_and(|fork| *seq >= fork)) {
            let Some(link) = self.at(seq).iter().find(|link| link.name() == name) else { break };
            path.insert(seq, name);
            next = link.previous().map(|previous| (seq - 1, previous));
        }
        path
    }
}

/// See [`Chain::counting`].
pub struct Counting<'a, T> {
    chain: &'a Chain<T>,
    path: BTreeMap<u64, Name>,
    last: u64,
    at: Option<&'a Verified<T>>,
}

impl<T: Statement> Counting<'_, T> {
    /// Goes on from the link with that number, or from the last one before the fork: up to there is no choice.
    fn skip_sure(&mut self, seq: u64) {
        let sure = self.chain.fork.map_or(u64::MAX, |fork| fork - 1).min(self.last).min(seq);
        self.at = self.chain.links.range(..=sure).next_back().and_then(|(_, links)| links.first());
    }
}

impl<'a, T: Statement> Iterator for Counting<'a, T> {
    type Item = &'a Verified<T>;

    fn next(&mut self) -> Option<&'a Verified<T>> {
        let seq = self.at.map_or(0, |link| link.seq()) + 1;
        if seq > self.last {
            return None;
        }
        let before = self.at.map(Verified::name);
        let mut next = self.chain.at(seq).iter().filter(|link| link.previous() == before);
        let link = match self.path.get(&seq) {
            Some(name) => next.find(|link| link.name() == *name)?,
            None => {
                let only = next.next()?;
                if next.next().is_some() {
                    return None;
                }
                only
            }
        };
        self.at = Some(link);
        Some(link)
    }
}
