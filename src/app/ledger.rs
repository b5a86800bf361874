//! The team's ledger, in memory and in the store's tables, changed together.
//!
//! What was heard or decided is stored durably before anybody is answered or told. One lock orders all changes; who is
//! in the team is read beside it, since the network asks that on its event loop.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use tokio::sync::{broadcast, watch};

use crate::app::copybook::Copybook;
use crate::core::codec;
use crate::core::head::SignedHead;
use crate::core::identity::Author;
use crate::core::roster::{Roster, SignedEntry, TeamId};
use crate::core::signed::{Statement, Verified};
use crate::error::{Context, Error, Result};
use crate::limits;
use crate::store::{Store, Table, Write};
use crate::sync::admission::Standing;
use crate::sync::heads::Ledger;
use crate::sync::join::Invite;
use crate::sync::message::{Announce, Sync};
use crate::sync::report::{Heard, Link, Report};

/// [`Table::Settings`]: the id of this node's team.
const TEAM: &[u8] = b"team";
/// [`Table::Settings`]: an invite, by the hash that checks it.
const INVITE: &[u8] = b"invite/";
/// [`Table::Settings`]: where a teammate was last known to be.
const PEER: &[u8] = b"peer/";
/// News that waits for a network that is slow to take it; more is left to comparing.
const OUTBOX: usize = 256;

/// What this node knows of its team.
pub struct TeamState {
    store: Arc<Store>,
    copybook: Copybook,
    ledger: Mutex<Option<Ledger>>,
    roster: RwLock<Option<Arc<Roster>>>,
    outbox: broadcast::Sender<Announce>,
    changes: watch::Sender<u64>,
}

/// What a change of the ledger has to store beside its links, and what it ends with.
#[derive(Debug)]
pub struct Change<T> {
    /// The outcome.
    pub value: T,
    /// The links that are new.
    pub links: Vec<Link>,
    /// Other writes of the same transaction.
    pub writes: Vec<Write>,
}

impl TeamState {
    /// Reads it from the store. A store that knows no team has lost it with its index if the copybook knows one: then
    /// it is taken from there.
    pub fn load(store: Arc<Store>, copybook: Copybook) -> Result<TeamState> {
        let ledger = match read(&store)? {
            Some(ledger) if copybook.agrees_with(&ledger)? => Some(ledger),
            Some(ledger) => {
                let ledger = with_copied(&store, &copybook, ledger)?;
                if let Err(error) = copybook.rewrite(&ledger) {
                    tracing::warn!(error = error.chain(), "the copy of the team's links is behind");
                }
                Some(ledger)
            }
            None => {
                let copied = copybook.ledger()?;
                if let Some(ledger) = &copied {
                    let links: Vec<Link> = ledger.links().collect();
                    store.update(&[writes_of(&links)?, vec![write_team(ledger.roster().id)]].concat())?;
                }
                copied
            }
        };
        let roster = ledger.as_ref().map(|ledger| Arc::new(ledger.roster().clone()));
        Ok(TeamState {
            store,
            copybook,
            ledger: Mutex::new(ledger),
            roster: RwLock::new(roster),
            outbox: broadcast::Sender::new(OUTBOX),
            changes: watch::Sender::new(0),
        })
    }

    /// Who is in the team; none while this node is in no team. Never waits for the store.
    pub fn roster(&self) -> Option<Arc<Roster>> {
        self.roster.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What a peer is. Never waits for the store.
    pub fn standing(&self, peer: &Author) -> Standing {
        Standing::of(peer, self.roster().as_deref())
    }

    /// Looks something up in the ledger.
    pub fn look<T>(&self, look: impl FnOnce(&Ledger) -> T) -> Option<T> {
        self.lock().as_ref().map(look)
    }

    /// Changes the ledger and the store together. Links of one's own are news, and go to [`TeamState::outbox`].
    pub fn decide<T>(&self, decide: impl FnOnce(&mut Ledger) -> Result<Change<T>>) -> Result<T> {
        let mut guard = self.lock();
        let ledger = guard.as_mut().ok_or_else(no_team)?;
        let Change { value, links, writes } = decide(ledger)?;
        self.keep(&mut guard, &links, writes)?;
        links.iter().for_each(|link| drop(self.outbox.send(link.announce())));
        Ok(value)
    }

    /// Enters a team: the ledger, and where teammates are known to be. Fails if this node is in one already.
    pub fn enter(&self, ledger: Ledger, writes: Vec<Write>) -> Result<()> {
        let mut guard = self.lock();
        if let Some(team) = guard.as_ref() {
            return Err(in_a_team(team.roster()));
        }
        let links: Vec<Link> = ledger.links().collect();
        let id = ledger.roster().id;
        *guard = Some(ledger);
        self.keep(&mut guard, &links, [writes, vec![write_team(id)]].concat())
    }

    /// Takes in gossip.
    pub fn announced(&self, news: Announce) -> Result<Heard> {
        self.take(|ledger| ledger.announced(news))
    }

    /// Takes in a turn of a comparison.
    pub fn compare(&self, turn: Sync) -> Result<Heard> {
        self.take(|ledger| ledger.compare(turn))
    }

    /// What opens a comparison.
    pub fn open(&self) -> Option<Sync> {
        self.look(Ledger::open)
    }

    /// This node's own news, for the network to gossip.
    pub fn outbox(&self) -> broadcast::Receiver<Announce> {
        self.outbox.subscribe()
    }

    /// Counts up with every change of heads or roster.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// The invites that are kept: open ones, and used ones until they expire.
    pub fn invites(&self) -> Result<Vec<Invite>> {
        let kept = self.store.list(Table::Settings, INVITE)?;
        kept.into_iter().map(|(_, bytes)| codec::decode(&bytes)).collect()
    }

    /// Where teammates are known to be.
    pub fn known_peers(&self) -> Result<Vec<(Author, Vec<String>)>> {
        let kept = self.store.list(Table::Settings, PEER)?;
        let read = |(key, bytes): (Vec<u8>, Vec<u8>)| {
            let author = Author(key.get(PEER.len()..)?.try_into().ok()?);
            Some((author, postcard::from_bytes(&bytes).ok()?))
        };
        Ok(kept.into_iter().filter_map(read).collect())
    }

    fn take(&self, take: impl FnOnce(&mut Ledger) -> Heard) -> Result<Heard> {
        let mut guard = self.lock();
        let heard = take(guard.as_mut().ok_or_else(no_team)?);
        self.keep(&mut guard, &heard.store, vec![])?;
        for report in &heard.reports {
            match report {
                Report::Refused { .. } | Report::Forked { .. } => tracing::warn!("{report}"),
                _ => tracing::info!("{report}"),
            }
        }
        Ok(heard)
    }

    /// Stores links that the ledger holds already. If that fails the ledger is read again: it must not know more than
    /// the store.
    fn keep(&self, guard: &mut MutexGuard<'_, Option<Ledger>>, links: &[Link], mut writes: Vec<Write>) -> Result<()> {
        writes.extend(writes_of(links)?);
        if writes.is_empty() {
            return Ok(());
        }
        let stored = self.store.update(&writes);
        // What the copybook misses it gets at the next start; it must not know more than the store.
        if let (Ok(()), Some(ledger)) = (&stored, guard.as_ref())
            && let Err(error) = self.copybook.add(ledger.roster().id, links)
        {
            tracing::warn!(error = error.chain(), "the copy of the team's links is behind");
        }
        if stored.is_err() {
            **guard = read(&self.store)?;
        }
        let roster = guard.as_ref().map(|ledger| Arc::new(ledger.roster().clone()));
        *self.roster.write().unwrap_or_else(PoisonError::into_inner) = roster;
        self.changes.send_modify(|count| *count += 1);
        stored
    }

    fn lock(&self) -> MutexGuard<'_, Option<Ledger>> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The ledger with what only the copybook has. An index that came from a backup knows less: heads that this node signed
/// since must not get their numbers a second time.
fn with_copied(store: &Store, copybook: &Copybook, ledger: Ledger) -> Result<Ledger> {
    let Some(copied) = copybook.ledger()?.filter(|copied| copied.roster().id == ledger.roster().id) else {
        return Ok(ledger);
    };
    let mut more = vec![];
    for write in writes_of(&copied.links().collect::<Vec<_>>())? {
        if let Write::Put(table, key, _) = &write
            && store.read(*table, key)?.is_none()
        {
            more.push(write);
        }
    }
    store.update(&more)?;
    Ok(read(store)?.unwrap_or(ledger))
}

fn write_team(id: TeamId) -> Write {
    Write::Put(Table::Settings, TEAM.to_vec(), id.0.0.to_vec())
}

fn writes_of(links: &[Link]) -> Result<Vec<Write>> {
    let write = |link: &Link| {
        Ok(match link {
            Link::Entry(entry) => Write::Put(Table::Roster, entry_key(entry), entry.to_bytes()?),
            Link::Head(head) => Write::Put(Table::Heads, key(head.pod.as_bytes(), head), head.to_bytes()?),
        })
    };
    links.iter().map(write).collect()
}

/// Keeping an invite, as a change of the store.
pub fn keep_invite(invite: &Invite) -> Result<Write> {
    Ok(Write::Put(Table::Settings, invite_key(invite), codec::encode(invite)?))
}

/// Forgetting an invite, as a change of the store.
pub fn forget_invite(invite: &Invite) -> Write {
    Write::Remove(Table::Settings, invite_key(invite))
}

/// Remembering where a teammate is, as a change of the store.
pub fn keep_peer(peer: &Author, addresses: &[String]) -> Result<Write> {
    let addresses = &addresses[..addresses.len().min(limits::TICKET_ADDRESSES)];
    let bytes = postcard::to_stdvec(addresses).context("can't encode a peer's addresses")?;
    Ok(Write::Put(Table::Settings, [PEER, &peer.0].concat(), bytes))
}

/// This node is in no team.
pub fn no_team() -> Error {
    Error::denied("this node is in no team")
        .hint("start one with `peapod team create NAME`, or join one with `peapod team join TICKET`")
}

/// This node is in a team already: one home, one team.
pub fn in_a_team(roster: &Roster) -> Error {
    Error::denied(format!("this node is in the team {} already", roster.name))
        .hint("one home holds one team: use another with --home DIR")
}

fn invite_key(invite: &Invite) -> Vec<u8> {
    [INVITE, &invite.id()].concat()
}

fn entry_key(entry: &Verified<crate::core::roster::Entry>) -> Vec<u8> {
    key(b"", entry)
}

/// Ordered by pod, signer and number. The name at the end keeps both links of a fork.
fn key<T: Statement>(pod: &[u8], link: &Verified<T>) -> Vec<u8> {
    let pod = if pod.is_empty() { vec![] } else { [pod, b"\0"].concat() };
    [&pod[..], &link.signer().0, &link.seq().to_be_bytes(), &link.name().0].concat()
}

fn read(store: &Store) -> Result<Option<Ledger>> {
    let Some(id) = store.read(Table::Settings, TEAM)? else { return Ok(None) };
    let id = id.try_into().map_err(|_| Error::failed("the team's id in the store is damaged"))?;
    let entries = store.list(Table::Roster, b"")?;
    let entries: Result<Vec<_>> = entries.iter().map(|(_, bytes)| SignedEntry::from_own_store(bytes)).collect();
    let heads = store.list(Table::Heads, b"")?;
    let heads: Result<Vec<_>> = heads.iter().map(|(_, bytes)| SignedHead::from_own_store(bytes)).collect();
    Ok(Some(Ledger::load(TeamId(crate::core::name::Name(id)), entries?, heads?)))
}
