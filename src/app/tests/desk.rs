//! A developer's desk: one home, two instances (one keeps everything, one is poor), and a teammate. Every action checks
//! what must hold after it, whatever came before.

use std::collections::BTreeSet;
use std::time::Duration;

use super::model::{DROPPED, Failure, Model, Records};
use super::words::{hidden, record, selector, slot};
use crate::app::commit::{self, Commit, CommitOutcome};
use crate::app::conflicts::{Between, Party};
use crate::app::held::mark_held;
use crate::app::memory::Memory;
use crate::app::merging;
use crate::app::put::{self, Options};
use crate::app::strategy::{OnConflict, Strategy};
use crate::app::versions::{self, local_head, set_local_head};
use crate::app::views::InjectOutcome;
use crate::app::{App, Events, undo};
use crate::core::address::Address;
use crate::core::identity::Secret;
use crate::core::name::{Kind as ObjectKind, Name};
use crate::core::record::Record;
use crate::core::select::Selector;
use crate::core::version::{Authorship, Version};
use crate::error::{Error, Kind, Result};
use crate::instance::Instance;
use crate::tree::{self, Change, Leaf};

const POD: &str = "p";

/// How an inject is asked for.
#[derive(Debug, Clone, Copy)]
pub struct How {
    pub strategy: Strategy,
    pub on_conflict: OnConflict,
    pub selector: usize,
    pub hidden: usize,
    pub paused: bool,
    pub failure: Option<Failure>,
}

impl Default for How {
    fn default() -> How {
        let (strategy, on_conflict) = (Strategy::Deep, OnConflict::Fail);
        How { strategy, on_conflict, selector: 0, hidden: 0, paused: false, failure: None }
    }
}

/// What the user did to an instance since it last was as peapod knows it.
#[derive(Debug, Clone, Default)]
struct Hand {
    deleted: BTreeSet<Address>,
    touched: BTreeSet<Address>,
    /// Records of the user's own making: that a poor instance can't say all of them is no loss.
    made: BTreeSet<Address>,
}

impl Hand {
    fn join(&mut self, other: Hand) {
        self.deleted.extend(other.deleted);
        self.touched.extend(other.touched);
        self.made.extend(other.made);
    }
}

/// An instance, and what is known of its user.
pub struct Stack {
    pub model: Model,
    hand: Hand,
    /// For each inject that can be taken back: the hand before it, and what the user did since.
    injects: Vec<(Hand, Hand)>,
    /// The state before the last action on it, if that was an inject.
    before_inject: Option<Records>,
}

impl Stack {
    fn new(url: &str, poor: bool) -> Stack {
        Stack { model: Model::new(url, poor), hand: Hand::default(), injects: vec![], before_inject: None }
    }

    fn did(&mut self, hand: Hand) {
        self.before_inject = None;
        self.injects.iter_mut().for_each(|(_, since)| since.join(hand.clone()));
        self.hand.join(hand);
        self.settle();
    }

    /// What is there is not deleted.
    fn settle(&mut self) {
        let there = self.model.records();
        self.hand.deleted.retain(|address| !there.contains_key(address));
    }
}

/// The desk.
pub struct Desk {
    directory: tempfile::TempDir,
    pub app: App,
    mate: Secret,
    mates_head: Option<Name>,
    /// Every version that was ever anybody's head.
    versions: Vec<Name>,
    pub stacks: [Stack; 2],
}

/// Tests the truth of a sentence; what is false is what proptest shrinks.
macro_rules! must {
    ($truth:expr, $($word:tt)*) => {
        if !$truth {
            return Err(Error::failed(format!($($word)*)));
        }
    };
}

impl Desk {
    pub async fn new() -> Desk {
        let home = tempfile::tempdir().unwrap();
        let app = App::open(&home.path().join("home"), Duration::ZERO).await.unwrap();
        let stacks = [Stack::new("model:rich", false), Stack::new("model:poor", true)];
        let mate = Secret::from_seed(&[9; 32]);
        Desk { directory: home, app, mate, mates_head: None, versions: vec![], stacks }
    }

    /// Where its home is.
    pub fn home(&self) -> &std::path::Path {
        self.directory.path()
    }

    pub fn head(&self) -> Option<Name> {
        local_head(&self.app.store, POD).unwrap()
    }

    /// A version's records; nothing for no version.
    pub fn records(&self, version: Option<Name>) -> Records {
        let Some(version) = version else { return Records::new() };
        let root = Version::read(&*self.app.store, &version).unwrap().root;
        let entries = tree::scan(&*self.app.store, &root, &[]).unwrap();
        entries.map(|entry| entry.unwrap()).map(|e| (e.address.clone(), e.record(&*self.app.store).unwrap())).collect()
    }

    pub fn put(&mut self, stack: usize, number: usize, value: usize) {
        let (stack, address) = (&mut self.stacks[stack], slot(number));
        let is_new = !stack.model.records().contains_key(&address);
        if stack.model.put(&address, &record(&address, value)) {
            let made = is_new.then(|| address.clone()).into_iter().collect();
            stack.did(Hand { deleted: BTreeSet::new(), touched: [address].into(), made });
        }
    }

    pub fn delete(&mut self, stack: usize, number: usize) {
        let stack = &mut self.stacks[stack];
        let gone = stack.model.delete(&slot(number));
        stack.did(Hand { deleted: gone.clone(), touched: gone, made: BTreeSet::new() });
    }

    pub fn restart(&mut self, stack: usize) {
        let stack = &mut self.stacks[stack];
        stack.model.restart();
        (stack.hand, stack.before_inject) = (Hand::default(), None);
    }

    /// What is in a version that the instance stands for and one's own head does not contain: a teammate's, put in by
    /// `inject`. A commit takes it over.
    fn news(&self, stack: usize, head: Option<Name>) -> Result<Option<Records>> {
        let store = &*self.app.store;
        let memory = Memory::of_instance(store, self.stacks[stack].model.url())?.into_iter().next();
        let (Some((_, memory)), Some(head)) = (memory, head) else { return Ok(None) };
        let is_known = versions::contains(store, &head, &memory.version)?;
        Ok((!is_known).then(|| self.records(Some(memory.version))))
    }

    /// Commits. A record leaves the head or changes there only if the user did that to the instance.
    pub async fn commit(&mut self, stack: usize, selected: usize, skipped: usize) -> Result<Option<CommitOutcome>> {
        let old = self.head();
        let news = self.news(stack, old)?;
        let theirs = |address: &Address, now: Option<&Record>| news.as_ref().is_some_and(|r| r.get(address) == now);
        let hand = self.stacks[stack].hand.clone();
        let model = &self.stacks[stack].model;
        model.hide(hidden(skipped));
        let held = model.records();
        let done = commit::of(&self.app, model, request(selected), &quiet()).await;
        model.hide(vec![]);
        must!(model.records() == held, "a commit changed the instance");
        let done = allowed(done)?;
        let new = self.head();
        must!(done.is_some() || new == old, "a commit that failed moved the head");
        let (before, after) = (self.records(old), self.records(new));
        for (address, record) in &before {
            let now = after.get(address);
            let is_theirs = theirs(address, now);
            must!(now.is_some() || hand.deleted.contains(address) || is_theirs, "{address} left the head");
            must!(
                now.is_none_or(|now| now == record) || hand.touched.contains(address) || is_theirs,
                "{address} changed"
            );
            let class = |record: &Record| record.attributes.get(DROPPED).cloned();
            let lost = stack == 1 && !hand.made.contains(address) && now.is_some_and(|now| class(now) != class(record));
            must!(!lost || is_theirs, "{address} lost what a poor instance drops");
        }
        for (address, now) in after.iter().filter(|(address, _)| !before.contains_key(address)) {
            must!(hand.touched.contains(address) || theirs(address, Some(now)), "{address} came from nowhere");
        }
        if done.is_some() {
            self.versions.extend(new);
            let stack = &mut self.stacks[stack];
            stack.before_inject = None;
            if (selected, skipped) == (0, 0) {
                stack.hand = Hand::default();
            }
        }
        Ok(done)
    }

    /// Injects a version. A failure changes nothing.
    async fn put_in(
        &mut self,
        stack: usize,
        version: Name,
        how: How,
        only_news: bool,
    ) -> Result<Option<InjectOutcome>> {
        let (app, model) = (&self.app, &self.stacks[stack].model);
        let before = model.records();
        let options = Options {
            strategy: how.strategy,
            on_conflict: how.on_conflict,
            selector: Selector::new(selector(how.selector)).unwrap(),
            paused: how.paused,
            strict: false,
            only_news,
        };
        model.hide(hidden(how.hidden));
        model.fail(how.failure);
        let done = match put::prepare(app, model, &version, options, &quiet()).await {
            Ok(prepared) => prepared.carry_out(app, model, &quiet()).await,
            Err(error) => Err(error),
        };
        let failed = how.failure.is_some() && !model.will_fail();
        model.hide(vec![]);
        model.fail(None);
        let done = match done {
            Err(error) if failed => {
                must!(error.chain().contains("rolled back"), "not rolled back: {}", error.chain());
                None
            }
            done => allowed(done)?,
        };
        let after = model.records();
        must!(done.is_some() || after == before, "a failed inject left {after:?} of {before:?}");
        if done.is_some() {
            let stack = &mut self.stacks[stack];
            stack.injects.push((stack.hand.clone(), Hand::default()));
            stack.before_inject = (how.hidden == 0).then_some(before);
            // A pull of what is there already does nothing.
            if !only_news && how.strategy == Strategy::Overwrite && (how.selector, how.hidden) == (0, 0) && !how.paused
            {
                stack.hand = Hand::default();
            }
            // What the user lets win is the user's doing.
            for conflict in
                done.iter().flat_map(|done| &done.conflicts).filter(|_| how.on_conflict == OnConflict::Instance)
            {
                let address = Address::parse(&conflict.address)?;
                stack.hand.touched.insert(address.clone());
                stack.hand.deleted.insert(address);
            }
            stack.settle();
        }
        Ok(done)
    }

    /// Injects the head (0) or an older version. One's own head stays.
    pub async fn inject(&mut self, stack: usize, which: usize, how: How) -> Result<Option<InjectOutcome>> {
        let old = self.head();
        let older = || self.versions.iter().rev().cycle().nth(which % self.versions.len().max(1)).copied();
        let Some(version) = (if which == 0 { old } else { older() }) else { return Ok(None) };
        let done = self.put_in(stack, version, how, false).await?;
        must!(self.head() == old, "an inject moved the head");
        Ok(done)
    }

    /// Takes back the last inject: at once exactly.
    pub async fn undo(&mut self, stack: usize) -> Result<bool> {
        let old = self.head();
        let stack = &mut self.stacks[stack];
        let before = stack.model.records();
        let done = match undo::last_of(&self.app, &stack.model, &quiet()).await {
            Err(error) if error.kind() == Kind::NotFound && stack.injects.is_empty() => return Ok(false),
            done => allowed(done)?,
        };
        let after = stack.model.records();
        match (&done, stack.before_inject.take()) {
            (Some(_), Some(wanted)) => must!(after == wanted, "undo left {after:?} of {wanted:?}"),
            (None, Some(wanted)) => must!(after == wanted, "undo was refused at once"),
            (None, None) => must!(after == before, "an undo that failed changed the instance"),
            (Some(_), None) => {}
        }
        if done.is_some() {
            let Some((hand, since)) = stack.injects.pop() else { return Err(Error::failed("undo of nothing")) };
            stack.hand = hand;
            stack.hand.join(since);
            stack.settle();
        }
        let is_done = done.is_some();
        must!(self.head() == old, "an undo moved the head");
        Ok(is_done)
    }

    /// Takes back the last inject where the instance refuses a part of it.
    pub async fn undo_in_part(&mut self, stack: usize) {
        let done = undo::last_of(&self.app, &self.stacks[stack].model, &quiet()).await.unwrap();
        assert!(!done.lost.is_empty());
    }

    /// Commits without a look at what the user did.
    pub async fn commit_as_it_is(&mut self, stack: usize) -> CommitOutcome {
        commit::of(&self.app, &self.stacks[stack].model, request(0), &quiet()).await.unwrap()
    }

    /// Commits what these rules let through.
    pub async fn commit_without(&mut self, stack: usize, rules: &[&str]) -> CommitOutcome {
        let redact = rules.iter().map(|rule| (*rule).to_owned()).collect();
        commit::of(&self.app, &self.stacks[stack].model, Commit { redact, ..request(0) }, &quiet()).await.unwrap()
    }

    /// A teammate's version: edits of the head here, or of the teammate's own.
    pub fn mate_commits(&mut self, on_own: bool, edits: &[(usize, Option<usize>)]) {
        let Some(parent) = (if on_own { self.mates_head } else { None }).or(self.head()) else { return };
        let store = &*self.app.store;
        let mut records = self.records(Some(parent));
        for (number, value) in edits {
            let address = slot(*number);
            match value {
                Some(value) if address.owner().is_none_or(|owner| records.contains_key(&owner)) => {
                    records.insert(address.clone(), record(&address, *value));
                }
                Some(_) => {}
                None => records.retain(|other, _| *other != address && other.owner().as_ref() != Some(&address)),
            }
        }
        let mut changes = records.iter().map(|(address, record)| {
            let after = Some(Leaf::new(store, address, record)?);
            Ok(Change { address: address.clone(), before: None, after })
        });
        let root = tree::edit(store, &tree::empty(store).unwrap(), &mut changes).unwrap();
        if root == Version::read(store, &parent).unwrap().root {
            return;
        }
        let version = Version {
            pod: POD.to_owned(),
            parents: vec![parent],
            root,
            authorship: Some(Authorship { author: self.mate.author(), created: self.versions.len() as u64 }),
            message: String::new(),
            source: None,
            stats: tree::stats(store, &root).unwrap(),
            skipped: vec![],
        };
        let name = version.write(store, &self.mate).unwrap();
        mark_held(store, &[(ObjectKind::Version, name)]).unwrap();
        self.mates_head = Some(name);
        self.versions.push(name);
    }

    /// Pulls the teammate's version. Only what that version lacks leaves the head.
    pub async fn pull(&mut self, stack: usize, how: How) -> Result<bool> {
        let (Some(old), Some(theirs)) = (self.head(), self.mates_head) else { return Ok(false) };
        let settle = how.on_conflict.settle();
        let merging = tokio::task::block_in_place(|| {
            let (ours, name) = (Party { name: "yours", version: Some(old) }, "theirs");
            let between = Between { ours, theirs: Party { name, version: Some(theirs) }, hint: "" };
            merging::merge_versions(&self.app, POD, &[theirs, old], between, settle, "")
        });
        let Some(merged) = allowed(merging)? else { return Ok(false) };
        let Some(_) = self.put_in(stack, merged.version, how, true).await? else { return Ok(false) };
        self.app.store.update(&[set_local_head(POD, &merged.version)])?;
        self.versions.push(merged.version);
        let (before, theirs, after) = (self.records(Some(old)), self.records(Some(theirs)), self.records(self.head()));
        for (address, record) in &before {
            let now = after.get(address);
            must!(now == Some(record) || now == theirs.get(address), "{address} is nobody's");
        }
        Ok(true)
    }

    /// After a restart nothing is committed, and an inject of one's own head gives all back.
    pub async fn come_back(&mut self, stack: usize) -> Result<()> {
        self.restart(stack);
        // That nothing leaves the head by it, `commit` checks itself.
        self.commit(stack, 0, 0).await?;
        let Some(head) = self.head() else { return Ok(()) };
        let records = self.records(Some(head));
        self.restart(stack);
        must!(self.inject(stack, 0, How::default()).await?.is_some(), "the head did not go in");
        let (there, kept) = (self.stacks[stack].model.records(), self.stacks[stack].model.keeps(&records));
        must!(there == kept, "back came {there:?} of {kept:?}");
        let again = self.commit(stack, 0, 0).await?;
        must!(again.is_some_and(|done| !done.made), "a commit after an inject made a version");
        must!(self.head() == Some(head), "a commit after an inject moved the head");
        Ok(())
    }

    /// The head over everything, and a commit: nothing new.
    pub async fn settle_down(&mut self, stack: usize) -> Result<()> {
        let Some(head) = self.head() else { return Ok(()) };
        let how = How { strategy: Strategy::Overwrite, ..How::default() };
        must!(self.inject(stack, 0, how).await?.is_some(), "overwrite was refused");
        let (there, kept) =
            (self.stacks[stack].model.records(), self.stacks[stack].model.keeps(&self.records(Some(head))));
        must!(there == kept, "overwritten with {kept:?} it holds {there:?}");
        let again = self.commit(stack, 0, 0).await?;
        must!(again.is_some_and(|done| !done.made), "a commit after an inject made a version");
        Ok(())
    }
}

fn request(selected: usize) -> Commit {
    Commit {
        pod: POD.to_owned(),
        message: None,
        selection: selector(selected),
        strict: false,
        replace: false,
        redact: vec![],
    }
}

/// An outcome; none for a conflict, which changed nothing.
fn allowed<T>(done: Result<T>) -> Result<Option<T>> {
    match done {
        Ok(done) => Ok(Some(done)),
        Err(error) if error.kind() == Kind::Conflict => Ok(None),
        Err(error) => Err(error),
    }
}

/// Nobody listens; nothing waits for anybody either.
fn quiet() -> Events {
    Events::nowhere()
}
