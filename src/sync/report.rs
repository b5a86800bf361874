//! What comes out when something was heard.

use std::fmt;

use serde::Serialize;

use crate::core::head::VerifiedHead;
use crate::core::identity::Author;
use crate::core::name::Name;
use crate::core::roster::{Role, VerifiedEntry};
use crate::sync::message::{Announce, Sync};

/// What to do about what was heard, in this order: store, then answer and tell others.
#[derive(Debug, Default)]
pub struct Heard {
    /// What is new and to be kept, durably, before anything else is done.
    pub store: Vec<Link>,
    /// What to send back to whom it came from.
    pub reply: Vec<Sync>,
    /// What happened, for the log and for whoever watches.
    pub reports: Vec<Report>,
    /// What to do with a gossip message.
    pub verdict: Verdict,
}

/// A link of some chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Link {
    /// An admin's.
    Entry(VerifiedEntry),
    /// An author's.
    Head(VerifiedHead),
}

impl Link {
    /// The gossip that tells it.
    pub fn announce(&self) -> Announce {
        match self {
            Link::Entry(entry) => Announce::Entry(entry.signed().clone()),
            Link::Head(head) => Announce::Head(head.signed().clone()),
        }
    }
}

/// What to do with a gossip message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Verdict {
    /// Known already, or not to be judged yet: drop it and think no worse of the sender.
    #[default]
    Ignore,
    /// New and right: pass it on.
    Accept,
    /// Nobody honest would have passed it on.
    Reject,
}

/// Something that happened to the team.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Report {
    /// An author's head of a pod moved.
    Moved {
        /// Whose.
        author: Author,
        /// Of what.
        pod: String,
        /// Its number.
        seq: u64,
        /// Where to.
        version: Name,
    },
    /// Someone joined.
    Joined {
        /// Who.
        member: Author,
        /// Called.
        name: String,
        /// As.
        role: Role,
    },
    /// Someone's role changed.
    Changed {
        /// Whose.
        member: Author,
        /// Called.
        name: String,
        /// To.
        role: Role,
    },
    /// Someone was removed.
    Removed {
        /// Who.
        member: Author,
        /// Called.
        name: String,
    },
    /// Someone said two things under one number. Their chain stands still until an admin names the branch that counts.
    Forked {
        /// Who.
        author: Author,
        /// The pod; none for the roster.
        pod: Option<String>,
        /// The number.
        seq: u64,
        /// The two links.
        proof: Vec<Name>,
    },
    /// Something was refused.
    Refused {
        /// Who is said to have signed it.
        author: Author,
        /// The pod; none for the roster.
        pod: Option<String>,
        /// Its number.
        seq: u64,
        /// Why.
        reason: Refusal,
    },
}

/// Why something was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// Its signature or its form does not hold.
    Forged,
    /// It was said in another team.
    OtherTeam,
    /// Its author is nobody this node knows.
    NotAMember,
    /// Its author may only read.
    NotAWriter,
    /// Its author is no admin.
    NotAnAdmin,
    /// Its author was removed, and it is not among what still counts.
    Removed,
    /// Its author said two things under one number and nobody has named the branch that counts.
    Frozen,
    /// There are too many of its kind.
    TooMany,
}

impl Refusal {
    /// Whether a node that knows what its sender knows would have passed it on: if not, the sender is to blame.
    pub(crate) fn verdict(self) -> Verdict {
        match self {
            Refusal::Forged | Refusal::OtherTeam => Verdict::Reject,
            // The sender's roster may be older or newer than one's own.
            _ => Verdict::Ignore,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refusal::Forged => "it is forged or malformed",
            Refusal::OtherTeam => "it belongs to another team",
            Refusal::NotAMember => "its author is not in the team",
            Refusal::NotAWriter => "its author may only read",
            Refusal::NotAnAdmin => "its author is not an admin",
            Refusal::Removed => "its author was removed from the team, or is no admin any more",
            Refusal::Frozen => "its author signed two things with one number",
            Refusal::TooMany => "there are too many already",
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |pod: &Option<String>| pod.as_ref().map_or("roster entry".to_owned(), |pod| format!("head of {pod}"));
        match self {
            Report::Moved { author, pod, seq, version } => {
                write!(f, "{} put {pod} at {} (head {seq})", author.short(), version.short())
            }
            Report::Joined { member, name, role } => write!(f, "{name} ({}) joined as {role}", member.short()),
            Report::Changed { member, name, role } => write!(f, "{name} ({}) is {role} now", member.short()),
            Report::Removed { member, name } => write!(f, "{name} ({}) was removed", member.short()),
            Report::Forked { author, pod, seq, .. } => {
                write!(f, "{} signed {} number {seq} twice: it stands still there", author.short(), of(pod))
            }
            Report::Refused { author, pod, seq, reason } => {
                write!(f, "{} number {seq} by {} refused: {reason}", of(pod), author.short())
            }
        }
    }
}
