//! Invites: the short text that lets one person into a team, once.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::core::codec::{self, Format};
use crate::core::identity::Author;
use crate::core::roster::TeamId;
use crate::error::{Error, Result};
use crate::limits;

/// What the text of every invite begins with.
pub const PREFIX: &str = "pea1";

/// The digits of an invite: 32 that can't be taken for one another, all of one case.
const DIGITS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// Bytes of the hash at an invite's end that finds a mistyped or cut one.
const CHECK: usize = 4;

/// An invite. Whoever holds its text may join, so its secret shows in the text alone, never in logs.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// The team.
    pub team: TeamId,
    /// Who invites, and the only one who can admit: the key is the PeerId too.
    pub inviter: Author,
    /// Where the inviter listens: multiaddr texts. Empty on a LAN that finds it by itself.
    pub addresses: Vec<String>,
    /// What the joiner has to know.
    pub secret: InviteSecret,
    /// Milliseconds since 1970 by the inviter's clock, which alone decides.
    pub expires: u64,
}

/// The secret of one invite.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InviteSecret([u8; 32]);

/// What the inviter keeps of a secret: enough to check a proof, of no use to join.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct InviteKey([u8; 32]);

impl InviteSecret {
    /// The secret made of 32 random bytes.
    pub fn new(random: [u8; 32]) -> InviteSecret {
        InviteSecret(random)
    }

    /// What the inviter keeps.
    pub fn key(&self) -> InviteKey {
        InviteKey(blake3::derive_key("peapod 2026 invite key v1", &self.0))
    }
}

impl InviteKey {
    /// What tells one from another; says nothing about the secret.
    pub fn id(&self) -> [u8; 16] {
        let hash = blake3::derive_key("peapod 2026 invite id v1", &self.0);
        std::array::from_fn(|at| hash[at])
    }

    /// What shows that `joiner` knows the secret, to `inviter` and in `team` only.
    pub fn proof(&self, team: &TeamId, inviter: &Author, joiner: &Author, name: &str) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(&team.0.0).update(&inviter.0).update(&joiner.0).update(name.as_bytes());
        *hasher.finalize().as_bytes()
    }
}

impl fmt::Debug for InviteSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

impl fmt::Debug for InviteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invite of {:?} into {:?}", self.inviter, self.team)
    }
}

impl Format for Ticket {
    const NUMBER: u8 = 1;
    const LIMIT: usize = limits::TICKET;
    const WORD: &'static str = "an invite";
}

impl Ticket {
    /// The text to hand over.
    pub fn to_text(&self) -> Result<String> {
        self.check()?;
        let mut bytes = codec::encode(self)?;
        bytes.extend_from_slice(&check_bytes(&bytes));
        Ok(format!("{PREFIX}{}", to_digits(&bytes)))
    }

    fn check(&self) -> Result<()> {
        if self.addresses.len() > limits::TICKET_ADDRESSES
            || self.addresses.iter().any(|address| address.len() > limits::TICKET_ADDRESS)
        {
            return Err(Error::usage("an invite with too many addresses, or too long ones"));
        }
        Ok(())
    }
}

impl FromStr for Ticket {
    type Err = Error;

    /// Reads an invite as a person pastes it: white space, line breaks and upper case do no harm.
    fn from_str(text: &str) -> Result<Ticket> {
        const AGAIN: &str = "copy the whole line that `peapod team invite` printed";
        if text.len() > 2 * limits::TICKET {
            return Err(Error::usage("that is too long for an invite").hint(AGAIN));
        }
        let text: String = text.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_ascii_lowercase();
        let Some(digits) = text.strip_prefix(PREFIX) else {
            return Err(Error::usage(format!("that is no invite: one begins with \"{PREFIX}\"")).hint(AGAIN));
        };
        if let Some(odd) = digits.chars().find(|c| !c.is_ascii() || !DIGITS.contains(&(*c as u8))) {
            return Err(Error::usage(format!("an invite has no {odd:?} in it: it is mistyped")).hint(AGAIN));
        }
        let damaged = || Error::usage("the invite is cut short or mistyped").hint(AGAIN);
        let bytes = from_digits(digits).ok_or_else(damaged)?;
        let (body, check) = bytes.split_last_chunk::<CHECK>().ok_or_else(damaged)?;
        if check_bytes(body) != *check {
            return Err(damaged());
        }
        let ticket: Ticket = codec::decode(body)?;
        ticket.check()?;
        Ok(ticket)
    }
}

fn check_bytes(body: &[u8]) -> [u8; CHECK] {
    let hash = blake3::derive_key("peapod 2026 invite text v1", body);
    let mut check = [0; CHECK];
    check.copy_from_slice(&hash[..CHECK]);
    check
}

/// Five bits a digit, the last one filled up with zeros.
fn to_digits(bytes: &[u8]) -> String {
    let (mut bits, mut held, mut text) = (0u32, 0, String::with_capacity(bytes.len() * 8 / 5 + 1));
    for byte in bytes {
        bits = bits << 8 | u32::from(*byte);
        held += 8;
        while held >= 5 {
            held -= 5;
            text.push(DIGITS[(bits >> held) as usize & 31] as char);
        }
    }
    if held > 0 {
        text.push(DIGITS[(bits << (5 - held)) as usize & 31] as char);
    }
    text
}

/// The bytes that [`to_digits`] wrote as exactly this text.
fn from_digits(text: &str) -> Option<Vec<u8>> {
    let (mut bits, mut held, mut bytes) = (0u32, 0, Vec::with_capacity(text.len() * 5 / 8));
    for digit in text.bytes() {
        bits = bits << 5 | DIGITS.iter().position(|other| *other == digit)? as u32;
        held += 5;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
        }
    }
    (to_digits(&bytes) == text).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::core::name::Name;

    fn ticket() -> Ticket {
        Ticket {
            team: TeamId(Name([1; 32])),
            inviter: Author([2; 32]),
            addresses: vec!["/ip4/192.168.1.7/tcp/4717".into()],
            secret: InviteSecret::new([3; 32]),
            expires: 1_800_000_000_000,
        }
    }

    #[test]
    fn an_invite_is_read_as_it_is_printed_and_as_people_paste_it() {
        let text = ticket().to_text().unwrap();
        assert!(text.starts_with("pea1") && text.len() < 260, "{text}");
        assert_eq!(text.parse::<Ticket>().unwrap(), ticket());
        let (a, b) = text.split_at(50);
        assert_eq!(format!(" {a}\r\n  {b}\n").to_uppercase().parse::<Ticket>().unwrap(), ticket());
    }

    #[test]
    fn a_cut_or_mistyped_invite_says_so() {
        let text = ticket().to_text().unwrap();
        for cut in 4..text.len() {
            let error = text[..cut].parse::<Ticket>().unwrap_err();
            assert!(error.message().contains("cut short"), "{cut}: {}", error.message());
            assert!(error.hint_text().is_some());
        }
        for at in 4..text.len() {
            let mut bent = text.clone().into_bytes();
            bent[at] = if bent[at] == b'a' { b'b' } else { b'a' };
            assert!(String::from_utf8(bent).unwrap().parse::<Ticket>().is_err(), "{at}");
        }
        assert!("hello".parse::<Ticket>().unwrap_err().message().contains("pea1"));
        assert!("pea1lo0".parse::<Ticket>().unwrap_err().message().contains("'l'"));
        assert!("x".repeat(1 << 20).parse::<Ticket>().is_err());
    }

    #[test]
    fn the_secret_of_an_invite_is_never_printed() {
        let shown = format!("{:?} {:?} {:?}", ticket(), ticket().secret, ticket().secret.key());
        assert!(!shown.contains("03") && !shown.contains("3, 3"), "{shown}");
    }

    #[test]
    fn a_proof_is_bound_to_team_inviter_joiner_and_name() {
        let key = ticket().secret.key();
        let (team, a, b) = (TeamId(Name([1; 32])), Author([2; 32]), Author([3; 32]));
        let proof = key.proof(&team, &a, &b, "bob");
        assert_ne!(proof, key.proof(&team, &b, &a, "bob"));
        assert_ne!(proof, key.proof(&team, &a, &b, "eve"));
        assert_ne!(proof, key.proof(&TeamId(Name([9; 32])), &a, &b, "bob"));
        assert_ne!(proof, InviteSecret::new([4; 32]).key().proof(&team, &a, &b, "bob"));
    }

    proptest! {
        #[test]
        fn digits_keep_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            prop_assert_eq!(from_digits(&to_digits(&bytes)).unwrap(), bytes);
        }

        #[test]
        fn no_text_makes_reading_an_invite_panic(text in "(pea1)?\\PC{0,80}") {
            let _ = text.parse::<Ticket>();
        }
    }
}
