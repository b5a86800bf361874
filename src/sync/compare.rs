//! How two nodes find out what the other lacks: anti-entropy.
//!
//! One sends the hash of its summary; if the other's differs, that one answers with its summary. To a summary a node
//! answers with what the other lacks and a question for what it lacks itself. A turn is answered by finitely many
//! others: a question by links, links by a question for earlier ones or, if they were new and there are more, by a
//! summary.

use std::collections::BTreeMap;

use crate::core::chain::{Chain, Ruling};
use crate::core::codec;
use crate::core::head::Head;
use crate::core::identity::Author;
use crate::core::name::Name;
use crate::core::roster::Entry;
use crate::core::signed::{Signed, Statement, Verified};
use crate::limits;
use crate::sync::heads::Ledger;
use crate::sync::message::{Give, Line, Range, Summary, Sync};
use crate::sync::report::Heard;

impl Ledger {
    /// What opens a comparison.
    pub fn open(&self) -> Sync {
        Sync::Digest(digest(self.summary()))
    }

    /// Takes in a turn of a comparison.
    pub fn compare(&mut self, turn: Sync) -> Heard {
        let mut heard = Heard::default();
        match turn {
            Sync::Digest(theirs) => {
                let own = self.summary();
                if digest(own.clone()) != theirs {
                    heard.reply.push(Sync::Summary(own));
                }
            }
            Sync::Summary(theirs) => heard.reply = self.answer(&theirs),
            Sync::Want(ranges) => heard.reply.extend(self.give(ranges)),
            Sync::Give(give) => return self.given(give),
        }
        heard
    }

    /// What this node holds of every chain.
    pub fn summary(&self) -> Summary {
        let entries =
            self.entries.iter().filter_map(|(author, chain)| line(*author, chain, self.roster.entries(author)));
        let heads = self.heads.iter().filter_map(|((pod, author), chain)| {
            Some((pod.clone(), line(*author, chain, self.roster.heads(author, pod))?))
        });
        Summary { rosters: entries.collect(), heads: heads.take(limits::SUMMARY_LINES).collect() }
    }

    /// What the node with that summary lacks, and what it has that this one lacks.
    fn answer(&self, theirs: &Summary) -> Vec<Sync> {
        let rosters: BTreeMap<&Author, &Line> = theirs.rosters.iter().map(|line| (&line.author, line)).collect();
        let heads: BTreeMap<(&str, &Author), &Line> =
            theirs.heads.iter().map(|(pod, line)| ((pod.as_str(), &line.author), line)).collect();
        let mut parcel = Parcel::default();
        for admin in &self.roster.admins {
            if let Some(chain) = self.entries.get(admin) {
                lacking(chain, self.roster.entries(admin), rosters.get(admin).copied(), |link| parcel.entry(link));
            }
        }
        for ((pod, author), chain) in &self.heads {
            let line = heads.get(&(pod.as_str(), author)).copied();
            lacking(chain, self.roster.heads(author, pod), line, |link| parcel.head(link));
        }

        let mut wants = Vec::new();
        for line in &theirs.rosters {
            let ruling = self.roster.entries.get(&line.author).copied().unwrap_or_default();
            want(self.entries.get(&line.author), ruling, None, line, &mut wants);
        }
        for (pod, line) in &theirs.heads {
            // Of an author who is not known yet, the entry that adds them comes first; then the two compare again.
            let ruling = self.roster.heads(&line.author, pod);
            want(self.heads.get(&(pod.clone(), line.author)), ruling, Some(pod), line, &mut wants);
        }
        wants.truncate(limits::WANTS);
        parcel.finish().into_iter().chain((!wants.is_empty()).then_some(Sync::Want(wants))).collect()
    }

    fn give(&self, ranges: Vec<Range>) -> Option<Sync> {
        let mut parcel = Parcel::default();
        for Range { pod, author, from, to } in ranges.into_iter().take(limits::WANTS) {
            match pod {
                None => {
                    let links = self.entries.get(&author).into_iter().flat_map(|chain| chain.range(from, to));
                    links.take_while(|link| parcel.entry(link)).for_each(drop);
                }
                Some(pod) => {
                    let links = self.heads.get(&(pod, author)).into_iter().flat_map(|chain| chain.range(from, to));
                    links.take_while(|link| parcel.head(link)).for_each(drop);
                }
            }
        }
        parcel.finish()
    }
}

fn digest(mut summary: Summary) -> [u8; 32] {
    // Of three links with one number, two nodes may keep different pairs as proof: nothing to talk about.
    let lines = summary.rosters.iter_mut().chain(summary.heads.iter_mut().map(|(_, line)| line));
    lines.filter(|line| !line.fork.is_empty()).for_each(|line| line.fork = vec![Name([0; 32])]);
    // A summary within its bounds always encodes; if one does not, the two compare once too often.
    blake3::derive_key("peapod 2026 summary v1", &codec::encode(&summary).unwrap_or_default())
}

fn line<T: Statement>(author: Author, chain: &Chain<T>, ruling: Ruling) -> Option<Line> {
    let tip = chain.tip(ruling).map(|tip| (tip.seq(), tip.name()));
    let mut fork: Vec<_> = chain.fork(ruling).iter().map(Verified::name).collect();
    fork.sort();
    (tip.is_some() || !fork.is_empty()).then_some(Line { author, tip, fork })
}

/// Calls `send` for the links that a node with `theirs` lacks of this chain, until it says that no more fits.
fn lacking<T: Statement>(
    chain: &Chain<T>,
    ruling: Ruling,
    theirs: Option<&Line>,
    mut send: impl FnMut(&Verified<T>) -> bool,
) {
    let tip = chain.tip(ruling).map_or(0, |tip| tip.seq());
    let (start, fork) = theirs.map_or((0, &[][..]), |line| (line.tip.map_or(0, |(seq, _)| seq), &line.fork));
    let common = theirs.and_then(|line| line.tip).is_none_or(|(seq, name)| chain.holds(seq, &name));
    if common && start < tip {
        // Only what counts: the way to a branch that was named may lead past others.
        for link in chain.counting_after(ruling, start) {
            if !send(link) {
                return;
            }
        }
    }
    for link in chain.fork(ruling).iter().filter(|link| !fork.contains(&link.name())) {
        if !send(link) {
            return;
        }
    }
}

/// Adds what a node with `theirs` has and this one lacks of a chain.
fn want<T: Statement>(
    chain: Option<&Chain<T>>,
    ruling: Ruling,
    pod: Option<&String>,
    theirs: &Line,
    wants: &mut Vec<Range>,
) {
    let last = match ruling {
        Ruling::Nothing => return,
        Ruling::Until((last, _)) => last,
        Ruling::Open | Ruling::Branch(_) => u64::MAX,
    };
    let holds = |seq, name| chain.is_some_and(|chain| chain.holds(seq, &name));
    let tip = chain.and_then(|chain| chain.tip(ruling)).map_or(0, |tip| tip.seq());
    let mut ask = |from, to| wants.push(Range { pod: pod.cloned(), author: theirs.author, from, to });
    let their_tip = theirs.tip.map_or(0, |(seq, _)| seq);
    if let Some((seq, _)) = theirs.tip.filter(|(seq, name)| *seq <= last && !holds(*seq, *name)) {
        let named = match ruling {
            Ruling::Branch((seq, name)) | Ruling::Until((seq, name)) => Some((seq, name)),
            _ => None,
        };
        let frozen = chain.is_some_and(|chain| !chain.fork(ruling).is_empty());
        if seq <= tip {
            ask(seq.saturating_sub(limits::BACKTRACK).max(1), seq);
        } else if !frozen || named.is_some_and(|(seq, name)| !holds(seq, name)) {
            ask(tip + 1, seq);
        }
    }
    let next = their_tip + 1;
    let rivals = chain.map_or(0, |chain| chain.range(next, next).count());
    if next <= last && rivals < 2 && theirs.fork.iter().any(|name| !holds(next, *name)) {
        ask(next, next);
    }
}

/// Links to give, as many as fit one message.
#[derive(Default)]
struct Parcel {
    give: Give,
    bytes: usize,
}

impl Parcel {
    fn entry(&mut self, link: &Verified<Entry>) -> bool {
        let fits = self.fits(link.signed());
        if fits {
            self.give.entries.push(link.signed().clone());
        }
        fits
    }

    fn head(&mut self, link: &Verified<Head>) -> bool {
        let fits = self.fits(link.signed());
        if fits {
            self.give.heads.push(link.signed().clone());
        }
        fits
    }

    fn fits<T: Statement>(&mut self, link: &Signed<T>) -> bool {
        let length = codec::encode(link).map_or(T::LIMIT, |bytes| bytes.len());
        let links = self.give.entries.len() + self.give.heads.len();
        if self.give.more || links >= limits::GIVE_LINKS || self.bytes + length > limits::GIVE_BYTES {
            self.give.more = true;
            return false;
        }
        self.bytes += length;
        true
    }

    fn finish(self) -> Option<Sync> {
        let empty = self.give.entries.is_empty() && self.give.heads.is_empty();
        (!empty).then_some(Sync::Give(self.give))
    }
}
