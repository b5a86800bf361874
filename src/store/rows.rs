//! The rows of the index: their bytes, and the bounds that hold whatever the file says.

use super::pack::Entry;
use crate::core::name::Kind;
use crate::error::{Error, Result};
use crate::limits;

/// Where an object lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// The number of its pack.
    pub pack: u32,
    /// Where its stored form begins.
    pub offset: u32,
    /// The length of its stored form.
    pub stored: u32,
    /// The length of its raw bytes.
    pub raw: u32,
    /// Its kind.
    pub kind: Kind,
}

impl Place {
    /// The place of a pack's entry.
    pub(super) fn of(pack: u32, entry: &Entry) -> Place {
        Place { pack, offset: entry.offset, stored: entry.stored, raw: entry.raw, kind: entry.kind }
    }

    pub(super) fn to_bytes(self) -> [u8; 17] {
        let mut bytes = [self.kind as u8; 17];
        for (at, number) in [self.pack, self.offset, self.stored, self.raw].into_iter().enumerate() {
            bytes[at * 4..at * 4 + 4].copy_from_slice(&number.to_le_bytes());
        }
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8; 17]) -> Result<Place> {
        let number = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let kind = Kind::from_number(bytes[16]).ok_or_else(damaged)?;
        let place = Place { pack: number(0), offset: number(4), stored: number(8), raw: number(12), kind };
        // What is read later allocates by these lengths.
        if place.stored > place.raw || place.raw as usize > limits::OBJECT {
            return Err(damaged());
        }
        Ok(place)
    }
}

/// What a pack is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum State {
    /// This node's own.
    Private = 1,
    /// Every object in it is reachable from a pushed head: teammates may read it.
    Served = 2,
    /// Nothing lies in it any more; its file is to be removed.
    Dead = 3,
}

/// A pack as the index knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PackRow {
    /// BLAKE3 of the file: its name and its iroh-blobs hash.
    pub hash: [u8; 32],
    /// Length of the file.
    pub length: u64,
    /// How many objects its table lists.
    pub objects: u32,
    /// What it is for.
    pub state: State,
}

impl PackRow {
    pub(super) fn to_bytes(self) -> [u8; 45] {
        let mut bytes = [self.state as u8; 45];
        bytes[..32].copy_from_slice(&self.hash);
        bytes[32..40].copy_from_slice(&self.length.to_le_bytes());
        bytes[40..44].copy_from_slice(&self.objects.to_le_bytes());
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8; 45]) -> Result<PackRow> {
        let (hash, rest) = bytes.split_first_chunk::<32>().ok_or_else(damaged)?;
        let (length, rest) = rest.split_first_chunk::<8>().ok_or_else(damaged)?;
        let (objects, rest) = rest.split_first_chunk::<4>().ok_or_else(damaged)?;
        let states = [State::Private, State::Served, State::Dead];
        let state = states.into_iter().find(|state| rest == [*state as u8]).ok_or_else(damaged)?;
        Ok(PackRow { hash: *hash, length: u64::from_le_bytes(*length), objects: u32::from_le_bytes(*objects), state })
    }
}

const DAMAGED: &str = "the store's index is damaged";

/// Whether an error says that the index can't be trusted any more.
pub(super) fn is_damage(error: &Error) -> bool {
    error.message() == DAMAGED
}

/// What is said of an index that reads wrongly.
pub(super) fn damaged() -> Error {
    Error::failed(DAMAGED)
        .hint("stop the node if one runs, then run `peapod fsck --repair`: it makes the index again from the packs")
}
