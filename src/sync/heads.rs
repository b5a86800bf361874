//! What a node believes of its team: the roster and everyone's heads, and how a new one of either is judged.
//!
//! A link is kept when its signature holds, it belongs to this team, its author may sign it, and it follows a link that
//! is held. So a forged head, one of another team, one of a stranger, one older than what is known and one with a
//! jumped number all fail here, after a restart as before it, since the chains are loaded from the store. The time in a
//! link is never looked at.

use std::collections::BTreeMap;

use crate::core::chain::{Chain, Place, Placed, Ruling};
use crate::core::fold::fold;
use crate::core::head::{Head, SignedHead, VerifiedHead};
use crate::core::identity::Author;
use crate::core::name::Name;
use crate::core::roster::{Act, Entry, Roster, SignedEntry, TeamId, VerifiedEntry};
use crate::core::signed::{Statement, Verified};
use crate::limits;
use crate::sync::message::{Announce, Give, Range, Sync};
use crate::sync::parked::Parked;
use crate::sync::report::{Heard, Link, Refusal, Report, Verdict};

/// The roster and the heads of one team, as far as this node has heard.
#[derive(Debug)]
pub struct Ledger {
    pub(super) roster: Roster,
    pub(super) entries: BTreeMap<Author, Chain<Entry>>,
    pub(super) heads: BTreeMap<(String, Author), Chain<Head>>,
    parked_entries: Parked<Entry>,
    parked_heads: Parked<Head>,
}

/// A chain that stands still because its author said two things under one number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frozen {
    /// Whose chain.
    pub author: Author,
    /// Of which pod.
    pub pod: String,
    /// The heads with one number.
    pub proof: Vec<VerifiedHead>,
}

impl Ledger {
    /// The ledger of a team of which nothing is known yet.
    pub fn new(team: TeamId) -> Ledger {
        let entries = BTreeMap::new();
        Ledger {
            roster: fold(team, &entries),
            entries,
            heads: BTreeMap::new(),
            parked_entries: Parked::default(),
            parked_heads: Parked::default(),
        }
    }

    /// The ledger with what was stored, in any order.
    pub fn load(team: TeamId, entries: Vec<VerifiedEntry>, heads: Vec<VerifiedHead>) -> Ledger {
        let mut ledger = Ledger::new(team);
        for entry in by_number(entries) {
            ledger.entries.entry(entry.admin).or_default().restore(entry);
        }
        ledger.roster = fold(team, &ledger.entries);
        for head in by_number(heads) {
            ledger.heads.entry((head.pod.clone(), head.author)).or_default().restore(head);
        }
        ledger
    }

    /// Who is in the team.
    pub fn roster(&self) -> &Roster {
        &self.roster
    }

    /// The last head of `author` in `pod` that counts.
    pub fn head(&self, pod: &str, author: &Author) -> Option<&VerifiedHead> {
        self.heads.get(&(pod.to_owned(), *author))?.tip(self.roster.heads(author, pod))
    }

    /// Everybody's last heads that count, by pod and author.
    pub fn heads(&self) -> impl Iterator<Item = &VerifiedHead> {
        self.heads.iter().filter_map(|((pod, author), chain)| chain.tip(self.roster.heads(author, pod)))
    }

    /// The entry that put a member out of the team, if one that counts did.
    pub fn removal(&self, member: &Author) -> Option<&VerifiedEntry> {
        let counting = self.entries.iter().flat_map(|(admin, chain)| chain.counting(self.roster.entries(admin)));
        counting.into_iter().find(|entry| matches!(&entry.act, Act::Remove { member: out, .. } if out == member))
    }

    /// Every link that was ever kept, the proofs of forks included.
    pub fn links(&self) -> impl Iterator<Item = Link> {
        let entries = self.entries.values().flat_map(Chain::links).cloned().map(Link::Entry);
        entries.chain(self.heads.values().flat_map(Chain::links).cloned().map(Link::Head))
    }

    /// The chains that stand still until an admin names a branch.
    pub fn frozen(&self) -> Vec<Frozen> {
        let forks = self.heads.iter().map(|((pod, author), chain)| {
            let proof = chain.fork(self.roster.heads(author, pod)).to_vec();
            Frozen { author: *author, pod: pod.clone(), proof }
        });
        forks.filter(|frozen| !frozen.proof.is_empty()).collect()
    }

    /// Takes in a gossip message.
    pub fn announced(&mut self, news: Announce) -> Heard {
        let mut heard = Heard::default();
        let verdict = match news {
            Announce::Entry(entry) => self.take_entry(entry, &mut heard),
            Announce::Head(head) => self.take_head(head, &mut heard),
        };
        heard.verdict = verdict.unwrap_or_else(Refusal::verdict);
        // A new entry may let in heads that were refused before, and that nobody will announce again.
        if heard.store.iter().any(|link| matches!(link, Link::Entry(_))) {
            heard.reply.push(Sync::Summary(self.summary()));
        }
        heard
    }

    /// Takes in links that were asked for or are due.
    pub(super) fn given(&mut self, give: Give) -> Heard {
        let mut heard = Heard::default();
        // An entry may come before the one that made its author an admin.
        let mut waiting = give.entries;
        loop {
            let before = waiting.len();
            waiting.retain(|entry| {
                let early = !self.may_decide(entry);
                if !early {
                    let _ = self.take_entry(entry.clone(), &mut heard);
                }
                early
            });
            if waiting.is_empty() || waiting.len() == before {
                break;
            }
        }
        for entry in waiting {
            let _ = self.take_entry(entry, &mut heard);
        }
        for head in give.heads {
            let _ = self.take_head(head, &mut heard);
        }
        // Progress only, so that two nodes come to an end. New entries may let in heads that were not asked for before.
        if heard.store.iter().any(|link| give.more || matches!(link, Link::Entry(_))) {
            heard.reply.push(Sync::Summary(self.summary()));
        }
        heard
    }

    fn may_decide(&self, entry: &SignedEntry) -> bool {
        entry.claim().team.is_none() || self.roster.entries.contains_key(&entry.claim().admin)
    }

    /// Judges a roster entry; an error is reported too.
    fn take_entry(&mut self, entry: SignedEntry, heard: &mut Heard) -> Result<Verdict, Refusal> {
        let claim = entry.claim();
        let (author, seq) = (claim.admin, claim.seq);
        self.judge_entry(entry, heard).inspect_err(|reason| {
            heard.reports.push(Report::Refused { author, pod: None, seq, reason: *reason });
        })
    }

    fn judge_entry(&mut self, entry: SignedEntry, heard: &mut Heard) -> Result<Verdict, Refusal> {
        let name = entry.name().map_err(|_| Refusal::Forged)?;
        let admin = entry.claim().admin;
        if entry.claim().team.unwrap_or(TeamId(name)) != self.roster.id {
            return Err(Refusal::OtherTeam);
        }
        if self.entries.get(&admin).is_some_and(|chain| chain.holds(entry.claim().seq, &name)) {
            return Ok(Verdict::Ignore);
        }
        if !self.may_decide(&entry) {
            return Err(Refusal::NotAnAdmin);
        }
        if entry.claim().seq > limits::ROSTER_CHAIN {
            return Err(Refusal::TooMany);
        }
        self.link_entry(entry.verify().map_err(|_| Refusal::Forged)?, heard)
    }

    /// Gives a verified entry its place in its chain, and those after it that were kept aside.
    pub(super) fn link_entry(&mut self, entry: VerifiedEntry, heard: &mut Heard) -> Result<Verdict, Refusal> {
        let admin = entry.admin;
        let mut next = Some(entry);
        let mut verdict = Verdict::Ignore;
        while let Some(entry) = next.take() {
            // The founding entry makes the team and precedes all rulings.
            let founds = matches!(entry.act, Act::Found { .. });
            let ruling = if founds { Ruling::Open } else { self.roster.entries(&admin) };
            let chain = self.entries.entry(admin).or_default();
            match chain.offer(entry.clone(), ruling) {
                Placed::Known => {}
                Placed::Loose => self.park_entry(entry, heard),
                Placed::Over => return Err(Refusal::Removed),
                Placed::Frozen => return Err(Refusal::Frozen),
                placed @ (Placed::Linked | Placed::Forked) => {
                    if placed == Placed::Forked {
                        heard.reports.push(forked(chain, &entry, None));
                    }
                    self.refold(heard);
                    next = self.parked_entries.take_after(&entry.name());
                    heard.store.push(Link::Entry(entry));
                    verdict = Verdict::Accept;
                }
            }
        }
        Ok(verdict)
    }

    /// Judges a head; an error is reported too.
    fn take_head(&mut self, head: SignedHead, heard: &mut Heard) -> Result<Verdict, Refusal> {
        let claim = head.claim();
        let (author, pod, seq, epoch) = (claim.author, claim.pod.clone(), claim.seq, claim.epoch);
        self.judge_head(head, heard).inspect_err(|reason| {
            // Its author may have joined, or been let write, by an entry that has not come yet.
            let stale = matches!(reason, Refusal::NotAMember | Refusal::NotAWriter) && epoch > self.roster.epoch;
            if stale && !heard.reply.iter().any(|sync| matches!(sync, Sync::Summary(_))) {
                heard.reply.push(Sync::Summary(self.summary()));
            }
            heard.reports.push(Report::Refused { author, pod: Some(pod), seq, reason: *reason });
        })
    }

    fn judge_head(&mut self, head: SignedHead, heard: &mut Heard) -> Result<Verdict, Refusal> {
        let claim = head.claim();
        if claim.team != self.roster.id {
            return Err(Refusal::OtherTeam);
        }
        let name = head.name().map_err(|_| Refusal::Forged)?;
        let key = (claim.pod.clone(), claim.author);
        if self.heads.get(&key).is_some_and(|chain| chain.holds(claim.seq, &name)) {
            return Ok(Verdict::Ignore);
        }
        let author = claim.author;
        let ruling = self.roster.heads(&author, &key.0);
        if ruling == Ruling::Nothing {
            return Err(match self.roster.members.get(&author) {
                None => Refusal::NotAMember,
                Some(member) if member.removed => Refusal::Removed,
                Some(_) => Refusal::NotAWriter,
            });
        }
        if !self.heads.contains_key(&key)
            && self.heads.keys().filter(|(_, other)| *other == author).count() >= limits::PODS_PER_AUTHOR
        {
            return Err(Refusal::TooMany);
        }
        self.link_head(head.verify().map_err(|_| Refusal::Forged)?, heard)
    }

    /// Gives a verified head its place in its chain, and those after it that were kept aside.
    pub(super) fn link_head(&mut self, head: VerifiedHead, heard: &mut Heard) -> Result<Verdict, Refusal> {
        let (key, author) = ((head.pod.clone(), head.author), head.author);
        let ruling = self.roster.heads(&author, &key.0);
        let mut next = Some(head);
        let mut verdict = Verdict::Ignore;
        while let Some(head) = next.take() {
            let chain = self.heads.entry(key.clone()).or_default();
            let placed = chain.offer(head.clone(), ruling);
            match placed {
                Placed::Known => {}
                Placed::Loose => self.park_head(head, heard),
                Placed::Over => return Err(Refusal::Removed),
                Placed::Frozen => return Err(Refusal::Frozen),
                Placed::Linked | Placed::Forked => {
                    heard.reports.push(match placed {
                        Placed::Forked => forked(chain, &head, Some(key.0.clone())),
                        _ => Report::Moved { author, pod: key.0.clone(), seq: head.seq, version: head.version },
                    });
                    next = self.parked_heads.take_after(&head.name());
                    heard.store.push(Link::Head(head));
                    verdict = Verdict::Accept;
                }
            }
        }
        Ok(verdict)
    }

    fn park_entry(&mut self, entry: VerifiedEntry, heard: &mut Heard) {
        let tip = self.entry_tip(&entry.admin).map_or(0, |(seq, _)| seq);
        let (author, seq) = (entry.admin, entry.seq);
        if !self.parked_entries.put(entry) {
            heard.reply.push(ask_before(None, author, tip, seq));
        }
    }

    fn park_head(&mut self, head: VerifiedHead, heard: &mut Heard) {
        let tip = self.head(&head.pod, &head.author).map_or(0, |tip| tip.seq);
        let (pod, author, seq) = (head.pod.clone(), head.author, head.seq);
        if !self.parked_heads.put(head) {
            heard.reply.push(ask_before(Some(pod), author, tip, seq));
        }
    }

    /// The place of the last entry of `admin` that counts.
    pub(super) fn entry_tip(&self, admin: &Author) -> Option<Place> {
        let tip = self.entries.get(admin)?.tip(self.roster.entries(admin))?;
        Some((tip.seq, tip.name()))
    }

    /// Makes the roster anew and reports what is different.
    fn refold(&mut self, heard: &mut Heard) {
        let roster = fold(self.roster.id, &self.entries);
        for (key, member) in &roster.members {
            let (member_key, name, role) = (*key, member.name.clone(), member.role);
            let report = match self.roster.members.get(key) {
                None if member.removed => Report::Removed { member: member_key, name },
                None => Report::Joined { member: member_key, name, role },
                Some(before) if member.removed && !before.removed => Report::Removed { member: member_key, name },
                Some(before) if before.role != role && !member.removed => {
                    Report::Changed { member: member_key, name, role }
                }
                Some(_) => continue,
            };
            heard.reports.push(report);
        }
        self.roster = roster;
    }
}

fn by_number<T: Statement>(mut links: Vec<Verified<T>>) -> Vec<Verified<T>> {
    links.sort_by_key(|link| link.seq());
    links
}

fn forked<T: Statement>(chain: &Chain<T>, link: &Verified<T>, pod: Option<String>) -> Report {
    let proof: Vec<Name> = chain.range(link.seq(), link.seq()).map(Verified::name).collect();
    Report::Forked { author: link.signer(), pod, seq: link.seq(), proof }
}

/// Asks for what lies between the last link that counts and one that came too early; or, when the two do not fit
/// together, for a stretch before it, further back each time.
fn ask_before(pod: Option<String>, author: Author, tip: u64, seq: u64) -> Sync {
    let to = seq.saturating_sub(1);
    let from = if tip < to { tip + 1 } else { to.saturating_sub(limits::BACKTRACK).max(1) };
    Sync::Want(vec![Range { pod, author, from, to }])
}
