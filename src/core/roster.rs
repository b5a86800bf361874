//! The roster: who is in a team, with which role, by what its admins have signed.
//!
//! Every admin has one chain of entries. [`super::fold`] makes a [`Roster`] of the chains, the same one whatever the
//! order in which the entries came.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::core::chain::{Place, Ruling};
use crate::core::codec::Format;
use crate::core::identity::{Author, Purpose};
use crate::core::name::Name;
use crate::core::signed::{Signed, Statement, Verified};
use crate::core::version::check_name;
use crate::error::{Error, Result};
use crate::limits;

/// A team: the name of the entry that founded it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TeamId(pub Name);

impl fmt::Display for TeamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for TeamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// What a member may do. Each may do what the lower ones may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Fetches.
    Reader,
    /// Signs heads.
    Writer,
    /// Signs roster entries.
    Admin,
}

impl Role {
    /// Every role by its name.
    pub const NAMES: [(&'static str, Role); 3] =
        [("admin", Role::Admin), ("writer", Role::Writer), ("reader", Role::Reader)];
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(Self::NAMES.iter().find(|(_, role)| role == self).map_or("", |(name, _)| name))
    }
}

impl FromStr for Role {
    type Err = Error;

    fn from_str(text: &str) -> Result<Role> {
        let found = Self::NAMES.iter().find(|(name, _)| *name == text);
        found
            .map(|(_, role)| *role)
            .ok_or_else(|| Error::usage(format!("{text:?} is not a role")).hint("use admin, writer or reader"))
    }
}

/// One thing an admin has decided: a link in the chain of that admin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The team; none in the entry that founds it, whose name is the team's id.
    pub team: Option<TeamId>,
    /// Who decides.
    pub admin: Author,
    /// Its number in this admin's chain, from 1.
    pub seq: u64,
    /// The entry before it.
    pub previous: Option<Name>,
    /// What is decided.
    pub act: Act,
    /// Milliseconds since 1970 by the admin's clock. Shown, never used for ordering.
    pub created: u64,
}

/// A roster entry as it travels, not yet verified.
pub type SignedEntry = Signed<Entry>;
/// A roster entry whose signature holds. Whether it counts is [`super::fold`]'s business.
pub type VerifiedEntry = Verified<Entry>;

/// What an admin decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Act {
    /// Makes the team; its admin is the founder.
    Found {
        /// The team's name.
        team: String,
        /// The founder's name.
        name: String,
    },
    /// Takes someone in.
    Add {
        /// The new member.
        member: Author,
        /// What it may do.
        role: Role,
        /// What it is called.
        name: String,
    },
    /// Changes what a member may do.
    SetRole {
        /// Whom it is about.
        member: Author,
        /// The role until now. Who was an admin and is none any more can't become one again.
        from: Role,
        /// The role from now on.
        to: Role,
        /// How many changes of this member's role came before, and one. Of two changes with one turn the lower role
        /// holds; a turn that skips one does not count.
        turn: u32,
        /// What was signed before and still counts, where the new role may no longer sign it.
        kept: Kept,
    },
    /// Puts a member out, for good: this key never comes back.
    Remove {
        /// Whom it is about.
        member: Author,
        /// What was signed before and still counts.
        kept: Kept,
    },
    /// Names the branch that counts after a member signed two heads with one number.
    Settle {
        /// Whom it is about.
        member: Author,
        /// A head of the branch.
        branch: LastHead,
    },
    /// Withholds values from everything that the team commits, or no longer.
    Redact {
        /// What is withheld, as [`super::redact::Rule`] reads it. A rule that only a newer peapod can read stands too.
        rule: String,
        /// Whether it is withheld from now on.
        withhold: bool,
        /// How many changes of this rule came before, and one. Of two changes with one turn, withholding holds; a turn
        /// that skips one does not count.
        turn: u32,
    },
}

/// What someone signed that still counts when they may not sign any more.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Kept {
    /// Their last roster entry, if they were an admin and signed one.
    pub entry: Option<Place>,
    /// Their last head of each pod, in the order of the pods. Heads of other pods do not count.
    pub heads: Vec<LastHead>,
}

/// A head by its place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LastHead {
    /// The pod.
    pub pod: String,
    /// Its number and name.
    pub head: Place,
}

impl Format for Entry {
    const NUMBER: u8 = 1;
    const LIMIT: usize = limits::ROSTER_ENTRY;
    const WORD: &'static str = "a roster entry";
}

impl Statement for Entry {
    const PURPOSE: Purpose = Purpose::Roster;
    const CONTEXT: &'static str = "peapod 2026 signed roster entry v1";

    fn signer(&self) -> Author {
        self.admin
    }

    fn seq(&self) -> u64 {
        self.seq
    }

    fn previous(&self) -> Option<Name> {
        self.previous
    }

    fn check(&self) -> Result<()> {
        let founds = matches!(self.act, Act::Found { .. });
        if founds != self.team.is_none() || (founds && self.seq != 1) {
            return Err(Error::denied("a roster entry of no team, or one that founds a team twice"));
        }
        match &self.act {
            Act::Found { team, name } => {
                check_name("a team's name", team)?;
                check_name("a member's name", name)
            }
            Act::Add { name, .. } => check_name("a member's name", name),
            Act::SetRole { kept, .. } | Act::Remove { kept, .. } => kept.check(),
            Act::Settle { branch, .. } => check_name("a pod's name", &branch.pod),
            Act::Redact { rule, .. } => {
                if rule.is_empty() || rule.len() > limits::REDACT_RULE || rule.chars().any(char::is_control) {
                    return Err(Error::denied("a roster entry whose rule is too long or can't be printed"));
                }
                Ok(())
            }
        }
    }
}

impl Kept {
    fn check(&self) -> Result<()> {
        if self.heads.len() > limits::KEPT_HEADS || !self.heads.is_sorted_by(|a, b| a.pod < b.pod) {
            return Err(Error::denied("a roster entry whose last heads are too many or out of order"));
        }
        self.heads.iter().try_for_each(|last| check_name("a pod's name", &last.pod))
    }
}

/// The team as its counted entries make it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roster {
    /// The team.
    pub id: TeamId,
    /// Its name; empty while the founding entry is not held.
    pub name: String,
    /// How many entries count.
    pub epoch: u64,
    /// Everyone who is or was in it.
    pub members: BTreeMap<Author, Member>,
    /// Those who may or once might sign entries, the senior first: who is nearer to the founder, then who came earlier.
    pub admins: Vec<Author>,
    /// What of each admin's chain counts.
    pub(crate) entries: BTreeMap<Author, Ruling>,
    /// What the team withholds or once did, by rule: whether it does, and how many changes of it count.
    pub(crate) redact: BTreeMap<String, (bool, u32)>,
    /// The branches named by admins.
    pub(crate) branches: BTreeMap<(Author, String), Place>,
}

/// Someone who is or was in a team.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Member {
    /// What it is called. Two members may have one name.
    pub name: String,
    /// What it may do, or might when it was removed.
    pub role: Role,
    /// Whether it was removed.
    pub removed: bool,
    /// How many changes of its role count.
    #[serde(skip)]
    pub turn: u32,
    /// The last heads that count, if not all do.
    #[serde(skip)]
    pub(crate) kept: Option<BTreeMap<String, Place>>,
}

impl Roster {
    /// The role of someone who is in the team now.
    pub fn role(&self, who: &Author) -> Option<Role> {
        self.members.get(who).filter(|member| !member.removed).map(|member| member.role)
    }

    /// The rules for what the team withholds, the first [`limits::REDACT_RULES`] in their order.
    pub fn withheld(&self) -> impl Iterator<Item = &str> {
        let held = self.redact.iter().filter(|(_, (withheld, _))| *withheld);
        held.map(|(rule, _)| rule.as_str()).take(limits::REDACT_RULES)
    }

    /// Whether someone was in the team and was put out.
    pub fn removed(&self, who: &Author) -> bool {
        self.members.get(who).is_some_and(|member| member.removed)
    }

    /// What of the heads of `author` in `pod` counts.
    pub fn heads(&self, author: &Author, pod: &str) -> Ruling {
        let Some(member) = self.members.get(author) else { return Ruling::Nothing };
        match &member.kept {
            Some(kept) => kept.get(pod).map_or(Ruling::Nothing, |place| Ruling::Until(*place)),
            None if member.role == Role::Reader => Ruling::Nothing,
            None => match self.branches.get(&(*author, pod.to_owned())) {
                Some(place) => Ruling::Branch(*place),
                None => Ruling::Open,
            },
        }
    }

    /// What of the roster entries of `admin` counts.
    pub fn entries(&self, admin: &Author) -> Ruling {
        self.entries.get(admin).copied().unwrap_or(Ruling::Nothing)
    }

    /// Whether `admin` may decide about `member`: nobody decides about who is senior to them.
    pub fn may_decide(&self, admin: &Author, member: &Author) -> bool {
        let rank = |who: &Author| self.admins.iter().position(|other| other == who);
        self.role(admin) == Some(Role::Admin)
            && rank(member).is_none_or(|theirs| rank(admin).is_some_and(|own| own <= theirs))
    }

    /// The member that `text` means: a name, or four or more leading digits of a key.
    pub fn find(&self, text: &str) -> Result<Author> {
        let is_key = text.len() >= 4 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let named = |wanted: bool| {
            self.members.iter().filter(move |(key, member)| {
                if wanted { member.name == text } else { is_key && key.to_string().starts_with(&text.to_lowercase()) }
            })
        };
        // A member who is still there is meant before one who was removed.
        for by_name in [true, false] {
            for removed in [false, true] {
                let found: Vec<Author> =
                    named(by_name).filter(|(_, member)| member.removed == removed).map(|(key, _)| *key).collect();
                match found.as_slice() {
                    [] => {}
                    [one] => return Ok(*one),
                    _ => {
                        let keys: Vec<String> = found.iter().map(Author::short).collect();
                        return Err(Error::usage(format!("{} members are called {text:?}", found.len()))
                            .hint(format!("say which by the beginning of the key: {}", keys.join(", "))));
                    }
                }
            }
        }
        Err(Error::not_found(format!("no member {text:?} in the team")).hint("`peapod team members` lists them"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::codec::{decode, encode};

    fn entry(act: Act) -> Entry {
        Entry {
            team: Some(TeamId(Name([1; 32]))),
            admin: Author([2; 32]),
            seq: 2,
            previous: Some(Name([3; 32])),
            act,
            created: 4,
        }
    }

    /// What an act is on the wire, after the team, the admin, the number and the entry before.
    fn act(act: Act) -> String {
        let bytes = encode(&entry(act.clone())).unwrap();
        assert_eq!(decode::<Entry>(&bytes).unwrap().act, act);
        hex::encode(&bytes[1 + 33 + 32 + 1 + 33..bytes.len() - 1])
    }

    #[test]
    fn every_act_is_written_as_it_always_was() {
        let member = Author([5; 32]);
        let fives = "05".repeat(32);
        let add = Act::Add { member, role: Role::Writer, name: "ben".into() };
        assert_eq!(act(add), format!("01{fives}010362656e"));
        let kept = Kept { entry: None, heads: vec![] };
        let set = Act::SetRole { member, from: Role::Reader, to: Role::Admin, turn: 1, kept: kept.clone() };
        assert_eq!(act(set), format!("02{fives}0002010000"));
        assert_eq!(act(Act::Remove { member, kept }), format!("03{fives}0000"));
        let branch = LastHead { pod: "p".into(), head: (7, Name([6; 32])) };
        assert_eq!(act(Act::Settle { member, branch }), format!("04{fives}017007{}", "06".repeat(32)));
        let redact = Act::Redact { rule: "secrets".into(), withhold: true, turn: 1 };
        assert_eq!(act(redact), "050773656372657473".to_owned() + "0101");
    }

    #[test]
    fn a_rule_that_can_not_be_printed_is_no_entry() {
        let secret = crate::core::identity::Secret::from_seed(&[1; 32]);
        let sign = |rule: String| {
            let act = Act::Redact { rule, withhold: true, turn: 1 };
            VerifiedEntry::sign(Entry { admin: secret.author(), ..entry(act) }, &secret)
        };
        assert!(sign("a rule of a newer peapod".into()).is_ok());
        for bad in [String::new(), "a\nb".into(), "x".repeat(limits::REDACT_RULE + 1)] {
            assert!(sign(bad).is_err());
        }
    }
}
