//! The team's links once more, in a file of the home outside the index: `links`.
//!
//! Roster entries and signed heads stand in the index alone, in no pack. Teammates have them too; but a team's only
//! admin would lose the team with the index. So each link that is stored is also added to this file. What opens a home
//! compares both; where they differ (a crash between the two writes, an index from a backup), each gets what the other
//! has more.
//!
//! Frames: a byte that says what it is, four bytes of length (little endian), the bytes, and four bytes of their BLAKE3
//! hash. The first is the team's id. What follows a broken frame is left out.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use crate::app::home::open_private;
use crate::core::head::SignedHead;
use crate::core::name::Name;
use crate::core::roster::{SignedEntry, TeamId};
use crate::error::{Context, Result};
use crate::sync::heads::Ledger;
use crate::sync::report::Link;

const TEAM: u8 = 0;
const ENTRY: u8 = 1;
const HEAD: u8 = 2;

/// The file.
#[derive(Debug)]
pub struct Copybook {
    path: PathBuf,
}

impl Copybook {
    /// The one in this directory, whether it is there or not.
    pub fn of(directory: &Path) -> Copybook {
        Copybook { path: directory.join("links") }
    }

    /// Adds links of this team. The file is there already, unless they are the first.
    pub fn add(&self, team: TeamId, links: &[Link]) -> Result<()> {
        if links.is_empty() {
            return Ok(());
        }
        let mut file = open_private(&self.path)?;
        let length = file.metadata().with_context(|| self.what())?.len();
        let mut bytes = if length == 0 { frame(TEAM, &team.0.0) } else { vec![] };
        for link in links {
            bytes.extend(frame_of(link)?);
        }
        let end = std::io::Seek::seek(&mut file, std::io::SeekFrom::End(0));
        let written = end.and_then(|_| file.write_all(&bytes)).and_then(|()| file.sync_all());
        if written.is_err() {
            // A half-written frame would hide those after it.
            let _ = file.set_len(length);
        }
        written.with_context(|| self.what())
    }

    /// Whether the file says what this ledger says, no more and no less.
    pub fn agrees_with(&self, ledger: &Ledger) -> Result<bool> {
        let bytes = whole(ledger)?;
        // Links were added in another order than the ledger has them.
        Ok(self.read()?.is_some_and(|kept| sorted(&kept) == sorted(&bytes)))
    }

    /// Writes the file anew, as this ledger.
    pub fn rewrite(&self, ledger: &Ledger) -> Result<()> {
        let bytes = whole(ledger)?;
        let directory = self.path.parent().unwrap_or(Path::new("."));
        let mut file = tempfile::Builder::new().prefix("links.").tempfile_in(directory).with_context(|| self.what())?;
        file.write_all(&bytes).and_then(|()| file.as_file().sync_all()).with_context(|| self.what())?;
        file.persist(&self.path).map_err(|error| error.error).with_context(|| self.what())?;
        fs::File::open(directory).and_then(|directory| directory.sync_all()).with_context(|| self.what())
    }

    /// The ledger it tells, its signatures verified; none if there is no file or no team in it.
    pub fn ledger(&self) -> Result<Option<Ledger>> {
        let Some(bytes) = self.read()? else { return Ok(None) };
        let (mut team, mut entries, mut heads) = (None, vec![], vec![]);
        for (kind, body) in frames(&bytes) {
            match kind {
                TEAM => team = body.try_into().ok().map(|id| TeamId(Name(id))),
                ENTRY => entries.extend(SignedEntry::from_bytes(body).ok()),
                HEAD => heads.extend(SignedHead::from_bytes(body).ok()),
                _ => {}
            }
        }
        Ok(team.map(|team| Ledger::load(team, entries, heads)))
    }

    fn read(&self) -> Result<Option<Vec<u8>>> {
        match fs::read(&self.path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| self.what()),
        }
    }

    fn what(&self) -> String {
        format!("can't keep the team's links in {}", self.path.display())
    }
}

fn whole(ledger: &Ledger) -> Result<Vec<u8>> {
    let mut bytes = frame(TEAM, &ledger.roster().id.0.0);
    for link in ledger.links() {
        bytes.extend(frame_of(&link)?);
    }
    Ok(bytes)
}

fn frame_of(link: &Link) -> Result<Vec<u8>> {
    Ok(match link {
        Link::Entry(entry) => frame(ENTRY, &entry.to_bytes()?),
        Link::Head(head) => frame(HEAD, &head.to_bytes()?),
    })
}

fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX).to_le_bytes();
    [&[kind], &length[..], body, &check(body)].concat()
}

fn check(body: &[u8]) -> [u8; 4] {
    let [a, b, c, d, ..] = *blake3::hash(body).as_bytes();
    [a, b, c, d]
}

/// The frames up to the first broken one.
fn frames(mut bytes: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        let (head, rest) = bytes.split_first_chunk::<5>()?;
        let [kind, length @ ..] = *head;
        let length = usize::try_from(u32::from_le_bytes(length)).ok()?;
        let (body, rest) = rest.split_at_checked(length)?;
        let (hash, rest) = rest.split_first_chunk::<4>()?;
        bytes = rest;
        (*hash == check(body)).then_some((kind, body))
    })
}

fn sorted(bytes: &[u8]) -> (Vec<(u8, &[u8])>, usize) {
    let mut all: Vec<_> = frames(bytes).collect();
    all.sort_unstable();
    (all, bytes.len())
}
