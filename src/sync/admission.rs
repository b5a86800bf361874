//! Who may ask for what.

use crate::core::identity::Author;
use crate::core::roster::{Role, Roster};

/// What a peer is to this node, by its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// In the team.
    Member(Role),
    /// Was in the team: dropped at once, even as a stranger.
    Removed,
    /// Anybody else.
    Stranger,
}

/// What a peer asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// To be let in with an invite.
    Join,
    /// To exchange heads and roster entries, by gossip or by comparing.
    Sync,
    /// Where objects are held.
    Locate,
    /// Bytes of packs.
    Fetch,
}

impl Standing {
    /// What `peer` is in the team; of no team everybody is a stranger.
    pub fn of(peer: &Author, roster: Option<&Roster>) -> Standing {
        match roster {
            Some(roster) if roster.removed(peer) => Standing::Removed,
            Some(roster) => roster.role(peer).map_or(Standing::Stranger, Standing::Member),
            None => Standing::Stranger,
        }
    }

    /// Whether it may ask for that. What a fetch names must also be reachable from pushed heads: the store knows.
    pub fn may(self, ask: Ask) -> bool {
        match self {
            // Every role fetches and listens; whose heads and entries count is judged link by link.
            Standing::Member(_) => true,
            Standing::Stranger => ask == Ask::Join,
            Standing::Removed => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::identity::Secret;
    use crate::sync::decide::found;

    const ASKS: [Ask; 4] = [Ask::Join, Ask::Sync, Ask::Locate, Ask::Fetch];

    #[test]
    fn strangers_may_only_join_and_removed_members_nothing() {
        let [alice, bob, eve] = [1, 2, 3].map(|seed| Secret::from_seed(&[seed; 32]));
        let (mut ledger, _) = found("team", "alice", &alice, 0).unwrap();
        let standing =
            |ledger: &crate::sync::heads::Ledger, who: &Secret| Standing::of(&who.author(), Some(ledger.roster()));
        ledger.add(bob.author(), Role::Reader, "bob", &alice, 0).unwrap();
        assert!(ASKS.iter().all(|ask| standing(&ledger, &bob).may(*ask)));
        assert_eq!(ASKS.map(|ask| standing(&ledger, &eve).may(ask)), [true, false, false, false]);
        assert_eq!(ASKS.map(|ask| Standing::of(&bob.author(), None).may(ask)), [true, false, false, false]);

        ledger.remove(bob.author(), &alice, 0).unwrap();
        assert!(!ASKS.iter().any(|ask| standing(&ledger, &bob).may(*ask)));
    }
}
