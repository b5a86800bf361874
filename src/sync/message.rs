//! Everything that is said between nodes, but for the ranges of packs.
//!
//! A [`Request`] is answered by one [`Response`] on the same stream; an [`Announce`] is gossip. Each is one value of
//! [`crate::core::codec`], so that its length is checked before it is decoded and its lists are bounded by it.

use serde::{Deserialize, Serialize};

use crate::core::chain::Place;
use crate::core::codec::Format;
use crate::core::head::SignedHead;
use crate::core::identity::{Author, Signature};
use crate::core::name::{Kind, Name};
use crate::core::roster::{SignedEntry, TeamId};
use crate::limits;

/// News, told to the whole team. A hint: whoever misses it learns it from a [`Summary`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Announce {
    /// Somebody pushed.
    Head(SignedHead),
    /// Somebody decided something about the team.
    Entry(SignedEntry),
}

/// What one node asks another on a stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// A turn in comparing heads and rosters. Answered by [`Response::Sync`]. Members only.
    Sync(Sync),
    /// "Where do you hold these?" Answered by [`Response::Located`]. Members only.
    Locate {
        /// At most [`limits::LOCATE`] object names.
        names: Vec<Name>,
    },
    /// A stranger with an invite. Answered by [`Response::Joined`]. At most [`limits::MESSAGE_JOIN`] bytes.
    Join(JoinRequest),
    /// "Do you hold this version and everything below it?" Answered by [`Response::Holds`]. Members only.
    Holds {
        /// The version.
        version: Name,
    },
}

/// What the other one answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Response {
    /// Further turns for the asker to take in; none when there is nothing more to say.
    Sync(Vec<Sync>),
    /// One answer for each name, in their order.
    Located(Vec<Option<Location>>),
    /// The joiner is a member now.
    Joined(JoinAccept),
    /// It is not allowed or not understood; the words are for a person.
    Refused(String),
    /// Whether all of it is held, durably.
    Holds(bool),
}

/// A turn in comparing heads and rosters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sync {
    /// The hash of one's summary. Who has the same has nothing to say; anybody else sends theirs.
    Digest([u8; 32]),
    /// What one holds.
    Summary(Summary),
    /// What one lacks.
    Want(Vec<Range>),
    /// What the other one lacks.
    Give(Give),
}

/// What a node holds of every chain.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Summary {
    /// Each admin's roster entries.
    pub rosters: Vec<Line>,
    /// Each author's heads of each pod.
    pub heads: Vec<(String, Line)>,
}

/// What a node holds of one chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Whose chain it is.
    pub author: Author,
    /// The last link that counts; none when a chain forks at its first link.
    pub tip: Option<Place>,
    /// The links right after it, when there are several: they are the proof of a fork.
    pub fork: Vec<Name>,
}

/// Some links of one chain, by their numbers, both included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// The pod whose heads are meant; none for the roster.
    pub pod: Option<String>,
    /// Whose chain it is.
    pub author: Author,
    /// The first number.
    pub from: u64,
    /// The last number.
    pub to: u64,
}

/// Links, each after the one that it follows.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Give {
    /// Roster entries; they come first because they say whose heads count.
    pub entries: Vec<SignedEntry>,
    /// Heads.
    pub heads: Vec<SignedHead>,
    /// Whether there was more than fits: compare again.
    pub more: bool,
}

/// Where a node holds an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Location {
    /// What kind of object it is.
    pub kind: Kind,
    /// The pack: an iroh-blobs hash.
    pub pack_hash: [u8; 32],
    /// Length of the pack in bytes.
    pub pack_len: u64,
    /// Where in the pack it begins.
    pub offset: u64,
    /// How many bytes it takes there.
    pub stored_len: u32,
    /// How many bytes it has when inflated.
    pub raw_len: u32,
}

/// "I hold an invite of yours; take me in."
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinRequest {
    /// The team that the invite is for.
    pub team: TeamId,
    /// Shows that the joiner knows the invite's secret, without saying it: see [`crate::core::ticket`].
    pub proof: [u8; 32],
    /// The joiner's key.
    pub joiner: Author,
    /// What it wants to be called.
    pub name: String,
    /// The joiner's signature over everything above, and the inviter's key.
    pub signature: Signature,
}

/// "You are a member": the roster so far, the entry that adds the joiner in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinAccept {
    /// Entries, the founding one first; what does not fit comes when the two compare.
    pub entries: Vec<SignedEntry>,
}

impl Format for Announce {
    const NUMBER: u8 = 1;
    const LIMIT: usize = limits::GOSSIP;
    const WORD: &'static str = "a gossip message";
}

impl Format for Request {
    const NUMBER: u8 = 1;
    const LIMIT: usize = limits::MESSAGE_SYNC;
    const WORD: &'static str = "a request";
}

impl Format for Response {
    const NUMBER: u8 = 1;
    const LIMIT: usize = limits::MESSAGE_SYNC;
    const WORD: &'static str = "a response";
}

impl Format for Summary {
    const NUMBER: u8 = 1;
    const LIMIT: usize = limits::MESSAGE_SYNC;
    const WORD: &'static str = "a summary";
}
