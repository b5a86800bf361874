//! Joining a team with an invite, on both sides.
//!
//! An invite lets in whoever first shows that they know its secret, before it expires, and only by the node that made
//! it. Asked again by that same key it gives the same answer, since the first answer may have been lost.

use serde::{Deserialize, Serialize};

use crate::core::codec::Format;
use crate::core::identity::{Author, Purpose, Secret, Signature};
use crate::core::roster::{Member, Role, SignedEntry, TeamId};
use crate::core::ticket::{InviteKey, InviteSecret, Ticket};
use crate::core::version::check_name;
use crate::error::{Error, Result};
use crate::limits;
use crate::sync::heads::Ledger;
use crate::sync::message::{Give, JoinAccept, JoinRequest};
use crate::sync::report::Link;

/// An invite as its maker keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invite {
    /// Checks the proof of its secret.
    pub key: InviteKey,
    /// What the joiner will be.
    pub role: Role,
    /// Milliseconds since 1970.
    pub expires: u64,
    /// Who has joined with it.
    pub used: Option<Author>,
}

impl Format for Invite {
    const NUMBER: u8 = 1;
    const LIMIT: usize = 256;
    const WORD: &'static str = "an invite";
}

impl Invite {
    /// What tells it from others; says nothing about its secret.
    pub fn id(&self) -> [u8; 16] {
        self.key.id()
    }
}

/// Makes an invite: the ticket to hand over and what to keep. `random` is fresh from the system.
pub fn invite(
    ledger: &Ledger,
    inviter: &Secret,
    role: Role,
    addresses: Vec<String>,
    expires: u64,
    random: [u8; 32],
) -> Result<(Ticket, Invite)> {
    let roster = ledger.roster();
    if roster.role(&inviter.author()) != Some(Role::Admin) {
        return Err(
            Error::denied("only an admin of the team may invite").hint("`peapod team members` shows who is one")
        );
    }
    let secret = InviteSecret::new(random);
    let invite = Invite { key: secret.key(), role, expires, used: None };
    Ok((Ticket { team: roster.id, inviter: inviter.author(), addresses, secret, expires }, invite))
}

/// Someone was let in.
#[derive(Debug)]
pub struct Admitted {
    /// What to keep, durably and in one transaction with `invite`, before the answer is sent. Then it is gossiped.
    pub store: Vec<Link>,
    /// The invite as it is now.
    pub invite: Invite,
    /// The answer.
    pub accept: JoinAccept,
}

/// Decides on a join request that came from `peer`, whose key the connection has proven. An error's words are the
/// answer; they tell a stranger nothing about the team.
pub fn admit(
    ledger: &mut Ledger,
    invites: &[Invite],
    inviter: &Secret,
    peer: &Author,
    request: &JoinRequest,
    now: u64,
) -> Result<Admitted> {
    let none = || {
        Error::denied("no such invite: it was used, has expired, or is another node's")
            .hint("ask for a new one: `peapod team invite`")
    };
    let team = ledger.roster().id;
    if request.joiner != *peer || request.team != team {
        return Err(none());
    }
    let signed = signed_bytes(&team, &inviter.author(), request);
    peer.verify(Purpose::Join, &signed, &request.signature).map_err(|_| none())?;
    // blake3 hashes are compared in constant time.
    let proof = blake3::Hash::from_bytes(request.proof);
    let expected = |invite: &Invite| invite.key.proof(&team, &inviter.author(), peer, &request.name);
    let Some(invite) = invites.iter().find(|invite| blake3::Hash::from_bytes(expected(invite)) == proof) else {
        return Err(none());
    };
    if invite.used.is_some_and(|by| by != *peer) || (invite.used.is_none() && invite.expires <= now) {
        return Err(none());
    }
    if ledger.roster().removed(peer) {
        return Err(Error::denied("this key was removed from the team").hint("join with a new home: --home DIR"));
    }
    let mut store = Vec::new();
    let mut invite = invite.clone();
    if ledger.roster().role(peer).is_none() {
        check_name("a member's name", &request.name)?;
        let taken = |member: &Member| !member.removed && member.name == request.name;
        if ledger.roster().members.values().any(taken) {
            return Err(Error::denied(format!("somebody in the team is called {} already", request.name))
                .hint("join with another name: --as NAME"));
        }
        store.push(Link::Entry(ledger.add(*peer, invite.role, &request.name, inviter, now)?));
        invite.used = Some(*peer);
    }
    Ok(Admitted { store, invite, accept: JoinAccept { entries: ledger.counted_entries() } })
}

impl JoinRequest {
    /// Asks to be let in with `ticket` under `name`.
    pub fn new(ticket: &Ticket, name: &str, joiner: &Secret) -> Result<JoinRequest> {
        check_name("a member's name", name)?;
        let key = joiner.author();
        let mut request = JoinRequest {
            team: ticket.team,
            proof: ticket.secret.key().proof(&ticket.team, &ticket.inviter, &key, name),
            joiner: key,
            name: name.to_owned(),
            signature: Signature([0; 64]),
        };
        request.signature = joiner.sign(Purpose::Join, &signed_bytes(&ticket.team, &ticket.inviter, &request));
        Ok(request)
    }
}

impl JoinAccept {
    /// The ledger of the team that was joined, with the links to store. Fails unless the entries show that the team of
    /// the ticket has taken `joiner` in.
    pub fn open(self, ticket: &Ticket, joiner: &Author) -> Result<(Ledger, Vec<Link>)> {
        let mut ledger = Ledger::new(ticket.team);
        let heard = ledger.given(Give { entries: self.entries, heads: vec![], more: false });
        if ledger.roster().role(joiner).is_none() {
            return Err(Error::denied("the answer to the invite does not show that the team took this node in")
                .hint("ask for a new invite: `peapod team invite`"));
        }
        Ok((ledger, heard.store))
    }
}

fn signed_bytes(team: &TeamId, inviter: &Author, request: &JoinRequest) -> Vec<u8> {
    [&team.0.0[..], &inviter.0, &request.joiner.0, &request.proof, request.name.as_bytes()].concat()
}

impl Ledger {
    /// The entries that count, as many as fit one answer; only the rest of a huge roster waits for the first compare.
    fn counted_entries(&self) -> Vec<SignedEntry> {
        let room = limits::MESSAGE_SYNC - limits::GOSSIP;
        let counted = self.roster.admins.iter().filter_map(|admin| Some((admin, self.entries.get(admin)?)));
        let counted = counted.flat_map(|(admin, chain)| chain.counting(self.roster.entries(admin)));
        let mut bytes = 0;
        let fitting = counted.take_while(|entry| {
            bytes += entry.to_bytes().map_or(room, |bytes| bytes.len());
            bytes <= room
        });
        fitting.map(|entry| entry.signed().clone()).collect()
    }
}
