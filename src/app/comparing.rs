//! Comparing heads and rosters with peers, one conversation with each at a time.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::app::ledger::TeamState;
use crate::core::codec;
use crate::core::identity::Author;
use crate::error::{Context, Error, Result};
use crate::limits;
use crate::net::Net;
use crate::sync::message::{Request, Response};

/// Compares with whoever is due. A peer that stalls keeps nobody else waiting.
pub async fn run(net: Net, team: Arc<TeamState>, mut due: mpsc::UnboundedReceiver<Author>) {
    let mut talks = JoinSet::new();
    let (mut busy, mut again) = (BTreeSet::new(), BTreeSet::new());
    loop {
        let next = tokio::select! {
            peer = due.recv() => match peer {
                Some(peer) if busy.contains(&peer) => {
                    again.insert(peer);
                    None
                }
                Some(peer) => Some(peer),
                None => return,
            },
            Some(done) = talks.join_next() => match done {
                Ok(peer) => {
                    busy.remove(&peer);
                    again.remove(&peer).then_some(peer)
                }
                Err(_) => None,
            },
        };
        if let Some(peer) = next {
            busy.insert(peer);
            let (net, team) = (net.clone(), team.clone());
            talks.spawn(async move {
                compare(net, team, peer).await;
                peer
            });
        }
    }
}

/// Two nodes tell each other what the other lacks, for so long as both answer.
pub async fn compare(net: Net, team: Arc<TeamState>, peer: Author) {
    let told = tokio::time::timeout(limits::COMPARE_TIME, converse(&net, &team, &peer)).await;
    match told {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(peer = %peer, error = error.chain(), "could not compare"),
        Err(_) => tracing::debug!(peer = %peer, "comparing took too long"),
    }
}

async fn converse(net: &Net, team: &Arc<TeamState>, peer: &Author) -> Result<()> {
    let mut turns: VecDeque<_> = team.open().into_iter().collect();
    while let Some(turn) = turns.pop_front() {
        let answer = net.ask(peer, &codec::encode(&Request::Sync(turn))?).await?;
        let Response::Sync(replies) = codec::decode(&answer)? else {
            return Err(Error::failed("an answer to something else"));
        };
        for reply in replies {
            let team = team.clone();
            let taken = tokio::task::spawn_blocking(move || team.compare(reply)).await;
            turns.extend(taken.context("comparing broke off")??.reply);
        }
    }
    Ok(())
}
