//! What this node itself says: the next link of its own chains, signed.
//!
//! Each function adds the link to the ledger and returns it; the caller stores it durably, then gossips it. Before it
//! calls them it compares with the peers it can reach, so that a node restored from a backup first takes its own newer
//! links back from them and does not say two things under one number.

use crate::core::chain::Place;
use crate::core::head::{Head, VerifiedHead};
use crate::core::identity::{Author, Secret};
use crate::core::name::Name;
use crate::core::roster::{Act, Entry, Kept, LastHead, Role, TeamId, VerifiedEntry};
use crate::core::version::check_name;
use crate::error::{Error, Result};
use crate::limits;
use crate::sync::heads::Ledger;
use crate::sync::report::{Heard, Link, Refusal};

/// A new team with its founder as the only member, and the entry to store.
pub fn found(team: &str, name: &str, secret: &Secret, now: u64) -> Result<(Ledger, VerifiedEntry)> {
    let act = Act::Found { team: team.to_owned(), name: name.to_owned() };
    let entry = Entry { team: None, admin: secret.author(), seq: 1, previous: None, act, created: now };
    let entry = VerifiedEntry::sign(entry, secret)?;
    Ok((Ledger::load(TeamId(entry.name()), vec![entry.clone()], vec![]), entry))
}

impl Ledger {
    /// Says that `pod` is at `version`. None when one's last head says so already.
    pub fn say_head(&mut self, pod: &str, version: Name, secret: &Secret, now: u64) -> Result<Option<VerifiedHead>> {
        let author = secret.author();
        check_name("a pod's name", pod)?;
        if self.roster.role(&author).is_none_or(|role| role < Role::Writer) {
            return Err(Error::denied("only a writer or an admin of the team may push")
                .hint("ask an admin: `peapod team role NAME writer`"));
        }
        if self.frozen().iter().any(|frozen| frozen.author == author && frozen.pod == pod) {
            return Err(Error::denied(format!("two heads of {pod} were signed with this node's key under one number"))
                .hint("was this home restored from a backup, or copied? An admin has to say which counts: `peapod team settle`"));
        }
        let last = self.head(pod, &author);
        if last.is_some_and(|last| last.version == version) {
            return Ok(None);
        }
        let head = Head {
            team: self.roster.id,
            pod: pod.to_owned(),
            author,
            seq: last.map_or(0, |last| last.seq) + 1,
            previous: last.map(VerifiedHead::name),
            version,
            epoch: self.roster.epoch,
            created: now,
        };
        let head = VerifiedHead::sign(head, secret)?;
        let mut heard = Heard::default();
        self.link_head(head.clone(), &mut heard).map_err(own)?;
        kept(&heard, &Link::Head(head.clone()))?;
        Ok(Some(head))
    }

    /// Takes someone into the team.
    pub fn add(&mut self, member: Author, role: Role, name: &str, secret: &Secret, now: u64) -> Result<VerifiedEntry> {
        if self.roster.members.contains_key(&member) {
            return Err(Error::denied(format!("{} is or was in the team", member.short())));
        }
        self.decide(Act::Add { member, role, name: name.to_owned() }, secret, now)
    }

    /// Changes a member's role. None when they have it already.
    pub fn set_role(&mut self, member: Author, to: Role, secret: &Secret, now: u64) -> Result<Option<VerifiedEntry>> {
        self.may(secret, &member)?;
        let Some(from) = self.roster.role(&member) else {
            return Err(Error::not_found(format!("{} is not in the team", member.short())));
        };
        if from == to {
            return Ok(None);
        }
        if to == Role::Admin && self.roster.admins.contains(&member) {
            return Err(Error::denied(format!("{} was an admin once and can't be one again", member.short()))
                .hint("let them join again with a new home, and make that one an admin"));
        }
        let turn = self.roster.members.get(&member).map_or(0, |member| member.turn) + 1;
        let kept = self.kept(&member);
        self.decide(Act::SetRole { member, from, to, turn, kept }, secret, now).map(Some)
    }

    /// Puts a member out, for good. What they signed until now still counts.
    pub fn remove(&mut self, member: Author, secret: &Secret, now: u64) -> Result<VerifiedEntry> {
        self.may(secret, &member)?;
        if self.roster.role(&member).is_none() {
            return Err(Error::not_found(format!("{} is not in the team", member.short())));
        }
        let kept = self.kept(&member);
        self.decide(Act::Remove { member, kept }, secret, now)
    }

    /// Names the branch that counts after `member` signed two heads of `pod` with one number.
    pub fn settle(
        &mut self,
        member: Author,
        pod: &str,
        head: Place,
        secret: &Secret,
        now: u64,
    ) -> Result<VerifiedEntry> {
        if !self.heads.get(&(pod.to_owned(), member)).is_some_and(|chain| chain.holds(head.0, &head.1)) {
            return Err(Error::not_found(format!("no such head of {pod} by {}", member.short())));
        }
        let branch = LastHead { pod: pod.to_owned(), head };
        self.decide(Act::Settle { member, branch }, secret, now)
    }

    /// Withholds by a rule from now on, or no longer. None when that is so already.
    pub fn redact(&mut self, rule: &str, withhold: bool, secret: &Secret, now: u64) -> Result<Option<VerifiedEntry>> {
        let (holds, turn) = self.roster.redact.get(rule).copied().unwrap_or_default();
        if self.roster.role(&secret.author()) != Some(Role::Admin) {
            return Err(not_an_admin());
        }
        if holds == withhold {
            return Ok(None);
        }
        if withhold && self.roster.withheld().count() >= limits::REDACT_RULES {
            return Err(Error::denied(format!("the team has {} rules already", limits::REDACT_RULES)));
        }
        self.decide(Act::Redact { rule: rule.to_owned(), withhold, turn: turn + 1 }, secret, now).map(Some)
    }

    /// Fails unless the key's owner is an admin who may decide about `member`.
    fn may(&self, secret: &Secret, member: &Author) -> Result<()> {
        let own = secret.author();
        if self.roster.role(&own) != Some(Role::Admin) {
            return Err(not_an_admin());
        }
        if *member == own {
            return Err(Error::denied("nobody can decide about themselves"));
        }
        if !self.roster.may_decide(&own, member) {
            return Err(Error::denied(format!("{} has been an admin for longer than you", member.short()))
                .hint("the founder, or an admin before them, can do it"));
        }
        Ok(())
    }

    fn decide(&mut self, act: Act, secret: &Secret, now: u64) -> Result<VerifiedEntry> {
        let admin = secret.author();
        if self.roster.role(&admin) != Some(Role::Admin) {
            return Err(not_an_admin());
        }
        if self.entries.get(&admin).is_some_and(|chain| !chain.fork(self.roster.entries(&admin)).is_empty()) {
            return Err(Error::denied("two roster entries were signed with this node's key under one number")
                .hint("was this home restored from a backup, or copied? A senior admin has to remove this key"));
        }
        let last = self.entry_tip(&admin);
        let entry = Entry {
            team: Some(self.roster.id),
            admin,
            seq: last.map_or(0, |(seq, _)| seq) + 1,
            previous: last.map(|(_, name)| name),
            act,
            created: now,
        };
        let entry = VerifiedEntry::sign(entry, secret)?;
        let mut heard = Heard::default();
        self.link_entry(entry.clone(), &mut heard).map_err(own)?;
        kept(&heard, &Link::Entry(entry.clone()))?;
        Ok(entry)
    }

    /// What a member has signed until now: their last entry, and their last heads of as many pods as fit.
    fn kept(&self, member: &Author) -> Kept {
        let heads = self.heads().filter(|head| head.author == *member);
        let heads = heads.map(|head| LastHead { pod: head.pod.clone(), head: (head.seq, head.name()) });
        Kept { entry: self.entry_tip(member), heads: heads.take(limits::KEPT_HEADS).collect() }
    }
}

fn not_an_admin() -> Error {
    Error::denied("only an admin of the team may do that").hint("`peapod team members` shows who is one")
}

/// A link of one's own that one's own rules refuse.
fn own(refusal: Refusal) -> Error {
    Error::denied(format!("this node may not say that: {refusal}"))
}

fn kept(heard: &Heard, link: &Link) -> Result<()> {
    match heard.store.contains(link) {
        true => Ok(()),
        false => Err(Error::failed("this node's own chain has no place for what it says")),
    }
}
