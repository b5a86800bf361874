//! The walk of a fetch: down from what is asked for to what is not held, and back up to what is complete.
//!
//! A held object is opened and what it refers to is looked at; an object that is not held is wanted. An object is
//! complete once everything below it is; that is noted in the store, from the bottom up, so that the next walk stops
//! there. What is named twice is walked once.

use std::collections::{HashMap, HashSet, VecDeque};

use super::Shelf;
use crate::core::name::{Kind, Name};
use crate::error::{Error, Result};
use crate::{limits, tree};

/// A name met on the way down.
struct Step {
    kind: Kind,
    name: Name,
    /// How many objects of its kind stand above it, one in the other.
    depth: u8,
    parent: Option<Name>,
}

/// An object that is not finished.
struct Item {
    kind: Kind,
    depth: u8,
    parents: Vec<Name>,
    /// What below it is not finished; none while the object itself is wanted.
    left: Option<usize>,
}

/// See the module.
pub(super) struct Walk {
    /// Leaves the chunks of contents out.
    shallow: bool,
    /// Names to look at: the last first, so that what a node brings is finished before the next node is opened.
    steps: VecDeque<Step>,
    /// Versions to look at, before anything else: a history is one chain, each link one round trip.
    versions: VecDeque<Step>,
    items: HashMap<Name, Item>,
    done: HashSet<Name>,
    /// Complete, and not yet noted in the store.
    marks: Vec<Name>,
    wanted_inner: usize,
    wanted_chunks: usize,
}

impl Walk {
    pub(super) fn new(goals: &[(Kind, Name)], shallow: bool) -> Walk {
        let mut walk = Walk {
            shallow,
            steps: VecDeque::new(),
            versions: VecDeque::new(),
            items: HashMap::new(),
            done: HashSet::new(),
            marks: Vec::new(),
            wanted_inner: 0,
            wanted_chunks: 0,
        };
        for (kind, name) in goals {
            walk.push(Step { kind: *kind, name: *name, depth: 0, parent: None }, None);
        }
        walk
    }

    /// The kind of an object that is wanted.
    pub(super) fn wanted(&self, name: &Name) -> Option<Kind> {
        self.items.get(name).filter(|item| item.left.is_none()).map(|item| item.kind)
    }

    /// Whether everything that was asked for is there.
    pub(super) fn is_done(&self) -> bool {
        self.items.is_empty() && self.steps.is_empty() && self.versions.is_empty()
    }

    /// Goes on until nothing is left to look at or enough is wanted. Adds to `wants` what is newly wanted.
    pub(super) fn descend(&mut self, shelf: &dyn Shelf, wants: &mut VecDeque<Name>) -> Result<()> {
        while self.wanted_inner < limits::FETCH_INNER && self.wanted_chunks < limits::FETCH_CHUNKS {
            let Some(step) = self.versions.pop_front().or_else(|| self.steps.pop_back()) else { break };
            self.look(shelf, step, wants)?;
        }
        Ok(())
    }

    /// Takes in that a wanted object is held now.
    pub(super) fn arrived(&mut self, shelf: &dyn Shelf, name: &Name) -> Result<()> {
        let Some(item) = self.items.get(name).filter(|item| item.left.is_none()) else { return Ok(()) };
        let (kind, depth) = (item.kind, item.depth);
        match kind {
            Kind::Chunk => self.wanted_chunks = self.wanted_chunks.saturating_sub(1),
            _ => self.wanted_inner = self.wanted_inner.saturating_sub(1),
        }
        self.open(shelf, kind, *name, depth)
    }

    /// What is complete and not noted yet, if it is worth a transaction or `all` is asked for.
    pub(super) fn take_marks(&mut self, all: bool) -> Vec<Name> {
        if all || self.marks.len() >= limits::FETCH_MARKS { std::mem::take(&mut self.marks) } else { Vec::new() }
    }

    fn look(&mut self, shelf: &dyn Shelf, step: Step, wants: &mut VecDeque<Name>) -> Result<()> {
        let Step { kind, name, depth, parent } = step;
        let skipped = self.shallow && matches!(kind, Kind::Chunk | Kind::List);
        if skipped || self.done.contains(&name) || (kind != Kind::Chunk && !self.shallow && shelf.is_complete(&name)?) {
            return self.finish(parent);
        }
        if let Some(item) = self.items.get_mut(&name) {
            if item.kind != kind {
                return Err(Error::failed(format!(
                    "{name} is named as a {} and as a {}",
                    item.kind.word(),
                    kind.word()
                )));
            }
            item.parents.extend(parent);
            return Ok(());
        }
        let deepest = match kind {
            Kind::Node => limits::TREE_DEPTH,
            Kind::List => limits::LIST_LEVELS,
            _ => u8::MAX,
        };
        if depth >= deepest {
            return Err(Error::failed(format!("a {} deeper than any may be", kind.word())));
        }
        let held = shelf.has(&name)?;
        if held && kind == Kind::Chunk {
            return self.finish(parent);
        }
        self.items.insert(name, Item { kind, depth, parents: parent.into_iter().collect(), left: None });
        if held {
            return self.open(shelf, kind, name, depth);
        }
        match kind {
            Kind::Chunk => self.wanted_chunks += 1,
            _ => self.wanted_inner += 1,
        }
        wants.push_back(name);
        Ok(())
    }

    /// Looks at what a held object refers to.
    fn open(&mut self, shelf: &dyn Shelf, kind: Kind, name: Name, depth: u8) -> Result<()> {
        let references = match kind {
            Kind::Chunk => Vec::new(),
            _ => tree::references(kind, &shelf.get(kind, &name)?)?,
        };
        let Some(item) = self.items.get_mut(&name) else { return Ok(()) };
        item.left = Some(references.len());
        if references.is_empty() {
            return self.complete(name);
        }
        for (below, child) in references.into_iter().rev() {
            let depth = if below == kind { depth.saturating_add(1) } else { 0 };
            self.push(Step { kind: below, name: child, depth, parent: Some(name) }, Some(kind));
        }
        Ok(())
    }

    fn push(&mut self, step: Step, above: Option<Kind>) {
        match (step.kind, above) {
            (Kind::Version, _) => self.versions.push_back(step),
            // The state of an older version waits until that of the newer one is there.
            (_, Some(Kind::Version)) => self.steps.push_front(step),
            _ => self.steps.push_back(step),
        }
    }

    /// Takes in that one thing below `parent` is finished.
    fn finish(&mut self, parent: Option<Name>) -> Result<()> {
        let Some(parent) = parent else { return Ok(()) };
        let Some(left) = self.items.get_mut(&parent).and_then(|item| item.left.as_mut()) else { return Ok(()) };
        *left = left.saturating_sub(1);
        if *left == 0 { self.complete(parent) } else { Ok(()) }
    }

    /// Everything below `name` is finished, and so it is, and perhaps what stands above it.
    fn complete(&mut self, name: Name) -> Result<()> {
        let mut finished = vec![name];
        while let Some(name) = finished.pop() {
            let Some(item) = self.items.remove(&name) else { continue };
            if matches!(item.kind, Kind::Node | Kind::Version) && !self.shallow {
                self.marks.push(name);
            }
            if item.kind != Kind::Chunk {
                if self.done.len() >= limits::FETCH_DONE {
                    self.done.clear();
                }
                self.done.insert(name);
            }
            for parent in item.parents {
                let Some(left) = self.items.get_mut(&parent).and_then(|item| item.left.as_mut()) else { continue };
                *left = left.saturating_sub(1);
                if *left == 0 {
                    finished.push(parent);
                }
            }
        }
        Ok(())
    }
}
