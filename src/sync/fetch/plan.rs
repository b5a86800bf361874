//! Which ranges of which pack to ask for next: neighbours as one range, in requests of bounded size.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::core::name::{Kind, Name};
use crate::limits;
use crate::sync::message::Location;

/// One object at its place in a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) kind: Kind,
    pub(super) name: Name,
    pub(super) offset: u64,
    pub(super) stored: u64,
    pub(super) raw: usize,
}

/// Ranges of one pack and the objects in them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Batch {
    pub(super) pack: [u8; 32],
    pub(super) ranges: Vec<Range<u64>>,
    pub(super) pieces: Vec<Piece>,
    /// Bytes in the ranges.
    pub(super) bytes: u64,
}

/// What one peer has said it holds and was not asked for yet.
#[derive(Default)]
pub(super) struct Backlog {
    /// Pack -> (offset, name) -> piece: an empty object has its neighbour's offset.
    packs: BTreeMap<[u8; 32], BTreeMap<(u64, Name), Piece>>,
}

/// Whether a place can be one of an object of this kind: a peer may say anything.
pub(super) fn plausible(kind: Kind, location: &Location) -> bool {
    let limit = match kind {
        Kind::Chunk => limits::CHUNK_MAX,
        Kind::List | Kind::Node => limits::NODE_MAX.max(limits::LIST_ENTRIES * 64),
        Kind::Record => limits::RECORD,
        Kind::Version => limits::VERSION,
    };
    let end = location.offset.checked_add(u64::from(location.stored_len));
    location.kind == kind
        && location.raw_len as usize <= limit
        && location.stored_len <= location.raw_len
        && location.pack_len <= limits::BLOB
        && end.is_some_and(|end| end <= location.pack_len)
}

impl Backlog {
    pub(super) fn add(&mut self, kind: Kind, name: Name, location: &Location) {
        let piece = Piece {
            kind,
            name,
            offset: location.offset,
            stored: location.stored_len.into(),
            raw: location.raw_len as usize,
        };
        self.packs.entry(location.pack_hash).or_default().insert((location.offset, name), piece);
    }

    pub(super) fn len(&self) -> usize {
        self.packs.values().map(BTreeMap::len).sum()
    }

    /// Takes everything back, or the half of it that would have its turn last.
    pub(super) fn take(&mut self, all: bool) -> Vec<Name> {
        let keep = if all { 0 } else { self.len() / 2 };
        let mut taken = Vec::new();
        while self.len() > keep {
            let Some(mut pack) = self.packs.last_entry() else { break };
            taken.extend(pack.get_mut().pop_last().map(|(_, piece)| piece.name));
            if pack.get().is_empty() {
                pack.remove();
            }
        }
        taken
    }

    /// The next request, of one pack and of no more than `room` bytes but for a single larger object.
    pub(super) fn next(&mut self, room: u64) -> Option<Batch> {
        let mut pack = self.packs.first_entry()?;
        let mut batch = Batch { pack: *pack.key(), ranges: Vec::new(), pieces: Vec::new(), bytes: 0 };
        while let Some(piece) = pack.get_mut().first_entry() {
            let Piece { offset, stored, .. } = *piece.get();
            let end = offset + stored;
            let full = batch.ranges.len() >= limits::FETCH_RANGES;
            match batch.ranges.last_mut() {
                _ if stored == 0 => {}
                Some(last) if offset <= last.end + limits::FETCH_GAP => {
                    let longer = end.max(last.end) - last.end;
                    if batch.bytes + longer > room {
                        break;
                    }
                    last.end += longer;
                    batch.bytes += longer;
                }
                Some(_) if batch.bytes + stored > room || full => break,
                _ => {
                    batch.ranges.push(offset..end);
                    batch.bytes += stored;
                }
            }
            batch.pieces.push(piece.remove());
        }
        if pack.get().is_empty() {
            pack.remove();
        }
        Some(batch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(pack: u8, offset: u64, stored: u32) -> Location {
        Location {
            kind: Kind::Chunk,
            pack_hash: [pack; 32],
            pack_len: limits::PACK as u64,
            offset,
            stored_len: stored,
            raw_len: stored,
        }
    }

    #[test]
    fn neighbours_are_one_range_and_far_ones_two() {
        let mut backlog = Backlog::default();
        for (name, offset) in [(3, 1_000_000), (1, 0), (2, 1500)] {
            backlog.add(Kind::Chunk, Name([name; 32]), &at(1, offset, 1000));
        }
        let batch = backlog.next(limits::FETCH_REQUEST).unwrap();
        assert_eq!(batch.ranges, [0..2500, 1_000_000..1_001_000]);
        assert_eq!(batch.bytes, 3500);
        assert_eq!(batch.pieces.iter().map(|piece| piece.name.0[0]).collect::<Vec<_>>(), [1, 2, 3]);
        assert!(backlog.next(limits::FETCH_REQUEST).is_none());
    }

    #[test]
    fn requests_are_bounded_and_of_one_pack() {
        let mut backlog = Backlog::default();
        for number in 0..64u8 {
            backlog.add(Kind::Chunk, Name([number; 32]), &at(number / 32, u64::from(number) * 300_000, 300_000));
        }
        let mut seen = 0;
        while let Some(batch) = backlog.next(limits::FETCH_REQUEST) {
            assert!(batch.bytes <= limits::FETCH_REQUEST);
            assert!(batch.pieces.iter().all(|piece| piece.name.0[0] / 32 == batch.pack[0]));
            seen += batch.pieces.len();
        }
        assert_eq!(seen, 64);
    }

    #[test]
    fn an_object_larger_than_a_request_is_a_request_of_its_own() {
        let mut backlog = Backlog::default();
        backlog.add(Kind::Record, Name([1; 32]), &at(1, 0, 4_000_000));
        backlog.add(Kind::Record, Name([2; 32]), &at(1, 4_000_000, 4_000_000));
        assert_eq!(backlog.next(1000).unwrap().pieces.len(), 1);
        assert_eq!(backlog.next(1000).unwrap().pieces.len(), 1);
    }

    #[test]
    fn places_that_cannot_be_are_seen() {
        assert!(plausible(Kind::Chunk, &at(1, 0, 1000)));
        for lie in [
            Location { kind: Kind::Node, ..at(1, 0, 1000) },
            Location { offset: u64::MAX, ..at(1, 0, 1000) },
            Location { offset: limits::PACK as u64, ..at(1, 0, 1000) },
            Location { pack_len: u64::MAX, ..at(1, 0, 1000) },
            Location { raw_len: u32::MAX, ..at(1, 0, 1000) },
            Location { raw_len: 10, ..at(1, 0, 1000) },
        ] {
            assert!(!plausible(Kind::Chunk, &lie), "{lie:?}");
        }
    }
}
