//! What this node answers to its peers: the network's questions, met with the team's ledger and the store.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::mpsc;

use crate::app::clock::now;
use crate::app::ledger::{Change, TeamState, keep_invite};
use crate::core::codec;
use crate::core::identity::{Author, Secret};
use crate::error::{Error, Result};
use crate::limits;
use crate::net::{self, Backend};
use crate::store::Store;
use crate::sync::admission::{Ask, Standing};
use crate::sync::join;
use crate::sync::message::{Announce, JoinAccept, JoinRequest, Location, Request, Response};
use crate::sync::report::Verdict;

/// The node's side of the network.
pub struct Answers {
    /// The store, for what is served.
    pub store: Arc<Store>,
    /// The team.
    pub team: Arc<TeamState>,
    /// The key, for letting people in.
    pub secret: Arc<Secret>,
    /// Peers to compare heads and rosters with: they have come, or know something that this node does not.
    pub compare: mpsc::UnboundedSender<Author>,
}

impl Answers {
    fn admit(&self, from: &Author, request: &JoinRequest) -> Result<JoinAccept> {
        let invites = self.team.invites()?;
        self.team.decide(|ledger| {
            let admitted = join::admit(ledger, &invites, &self.secret, from, request, now())?;
            let writes = vec![keep_invite(&admitted.invite)?];
            Ok(Change { value: admitted.accept, links: admitted.store, writes })
        })
    }

    fn locate(&self, names: &[crate::core::name::Name]) -> Result<Response> {
        if names.len() > limits::LOCATE {
            return Err(Error::denied(format!("more than {} names in one question", limits::LOCATE)));
        }
        let found = self.store.locate(names)?.into_iter().map(|place| {
            place.map(|place| Location {
                kind: place.kind,
                pack_hash: place.pack,
                pack_len: place.pack_length,
                offset: u64::from(place.offset),
                stored_len: place.stored,
                raw_len: place.raw,
            })
        });
        Ok(Response::Located(found.collect()))
    }
}

impl Backend for Answers {
    fn standing(&self, peer: &Author) -> net::Standing {
        match self.team.standing(peer) {
            Standing::Member(_) => net::Standing::Member,
            Standing::Removed => net::Standing::Removed,
            Standing::Stranger => net::Standing::Stranger,
        }
    }

    fn answer(&self, from: &Author, question: &[u8]) -> Result<Vec<u8>> {
        let request: Request = codec::decode(question)?;
        let ask = match &request {
            Request::Sync(_) => Ask::Sync,
            Request::Locate { .. } | Request::Holds { .. } => Ask::Locate,
            Request::Join(_) => Ask::Join,
        };
        if !self.team.standing(from).may(ask) {
            return Err(Error::denied("that is for members of the team"));
        }
        let response = match request {
            Request::Sync(turn) => Response::Sync(self.team.compare(turn)?.reply),
            Request::Locate { names } => self.locate(&names)?,
            Request::Holds { version } => Response::Holds(self.store.is_complete(&version)?),
            Request::Join(request) => match self.admit(from, &request) {
                Ok(accept) => Response::Joined(accept),
                Err(error) => {
                    tracing::warn!(peer = %from, error = error.chain(), "refused to let someone in");
                    let hint = error.hint_text().map(|hint| format!("; {hint}")).unwrap_or_default();
                    Response::Refused(format!("{}{hint}", error.message()))
                }
            },
        };
        codec::encode(&response)
    }

    fn hear(&self, from: &Author, message: &[u8]) -> net::Verdict {
        let Ok(news) = codec::decode::<Announce>(message) else { return net::Verdict::Reject };
        match self.team.announced(news) {
            Ok(heard) => {
                if !heard.reply.is_empty() {
                    let _ = self.compare.send(*from);
                }
                match heard.verdict {
                    Verdict::Accept => net::Verdict::PassOn,
                    Verdict::Ignore => net::Verdict::Ignore,
                    Verdict::Reject => net::Verdict::Reject,
                }
            }
            Err(error) => {
                tracing::error!(error = error.chain(), "can't take in news");
                net::Verdict::Ignore
            }
        }
    }

    fn pack(&self, hash: &[u8; 32]) -> Option<PathBuf> {
        self.store.served_pack(hash).map(|pack| pack.path)
    }

    fn connected(&self, peer: Author) {
        let _ = self.compare.send(peer);
    }
}

/// A network that only asks one peer: what joins a team before there is a node.
pub struct Asker {
    /// Whom it asks.
    pub peer: Author,
}

impl Backend for Asker {
    fn standing(&self, peer: &Author) -> net::Standing {
        if *peer == self.peer { net::Standing::Member } else { net::Standing::Stranger }
    }

    fn answer(&self, _from: &Author, _question: &[u8]) -> Result<Vec<u8>> {
        Err(Error::denied("nothing is answered here"))
    }

    fn hear(&self, _from: &Author, _message: &[u8]) -> net::Verdict {
        net::Verdict::Ignore
    }

    fn pack(&self, _hash: &[u8; 32]) -> Option<PathBuf> {
        None
    }

    fn connected(&self, _peer: Author) {}
}
