//! Heads: an author's signed word that a pod is at a version.

use serde::{Deserialize, Serialize};

use crate::core::codec::Format;
use crate::core::identity::{Author, Purpose};
use crate::core::name::Name;
use crate::core::roster::TeamId;
use crate::core::signed::{Signed, Statement, Verified};
use crate::core::version::check_name;
use crate::error::Result;
use crate::limits;

/// "In this team, this pod is at this version, say I": a link in the chain of one author and pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The team it is said in; elsewhere it means nothing.
    pub team: TeamId,
    /// The pod's name.
    pub pod: String,
    /// Who says it.
    pub author: Author,
    /// Its number in this author's chain of this pod, from 1.
    pub seq: u64,
    /// The head before it.
    pub previous: Option<Name>,
    /// The version that the pod is at.
    pub version: Name,
    /// [`crate::core::roster::Roster::epoch`] as the author knew it: a reader who knows fewer entries asks for them.
    pub epoch: u64,
    /// Milliseconds since 1970 by the author's clock. Shown, never used for ordering.
    pub created: u64,
}

/// A head as it travels, not yet verified.
pub type SignedHead = Signed<Head>;
/// A head whose signature holds. Whether it counts is the roster's business.
pub type VerifiedHead = Verified<Head>;

impl Format for Head {
    const NUMBER: u8 = 1;
    const LIMIT: usize = limits::HEAD;
    const WORD: &'static str = "a head";
}

impl Statement for Head {
    const PURPOSE: Purpose = Purpose::Head;
    const CONTEXT: &'static str = "peapod 2026 signed head v1";

    fn signer(&self) -> Author {
        self.author
    }

    fn seq(&self) -> u64 {
        self.seq
    }

    fn previous(&self) -> Option<Name> {
        self.previous
    }

    fn check(&self) -> Result<()> {
        check_name("a pod's name", &self.pod)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::identity::Secret;

    fn head(author: Author) -> Head {
        Head {
            team: TeamId(Name([9; 32])),
            pod: "p".into(),
            author,
            seq: 1,
            previous: None,
            version: Name([1; 32]),
            epoch: 1,
            created: 0,
        }
    }

    #[test]
    fn a_head_reads_back_and_a_forged_one_does_not() {
        let (alice, bob) = (Secret::from_seed(&[1; 32]), Secret::from_seed(&[2; 32]));
        let good = VerifiedHead::sign(head(alice.author()), &alice).unwrap();
        let bytes = good.to_bytes().unwrap();
        assert_eq!(SignedHead::from_bytes(&bytes).unwrap(), good);
        assert!(VerifiedHead::sign(head(alice.author()), &bob).is_err());
        for at in 0..bytes.len() {
            let mut bent = bytes.clone();
            bent[at] ^= 1;
            assert!(SignedHead::from_bytes(&bent).is_err(), "byte {at}");
        }
    }

    #[test]
    fn a_number_fits_its_predecessor() {
        let alice = Secret::from_seed(&[1; 32]);
        let base = head(alice.author());
        for (seq, previous) in [(0, None), (1, Some(Name([1; 32]))), (2, None), (u64::MAX, Some(Name([1; 32])))] {
            assert!(VerifiedHead::sign(Head { seq, previous, ..base.clone() }, &alice).is_err(), "{seq}");
        }
    }

    #[test]
    fn a_head_over_its_bounds_is_not_signed() {
        let alice = Secret::from_seed(&[1; 32]);
        assert!(VerifiedHead::sign(Head { pod: "../p".into(), ..head(alice.author()) }, &alice).is_err());
    }
}
