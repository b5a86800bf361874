//! Large values: a byte string cut into chunks, under a list of chunks with one name.

use serde::{Deserialize, Serialize};

use crate::core::codec::Format;
use crate::core::name::Name;
use crate::error::{Error, Result};
use crate::limits;

/// The name of some content and what a reader must know before fetching it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ContentRef {
    /// A chunk (level 0) or a chunk list (level 1 and up).
    pub root: Name,
    /// Levels of lists above the chunks; content of one chunk has none.
    pub level: u8,
    /// Length in bytes.
    pub size: u64,
}

/// A node of a chunk list: what one stretch of a content consists of.
///
/// Decoding and [`List::new`] refuse what breaks the bounds, so every value of this type is within them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "(u8, Vec<ListEntry>)")]
pub struct List {
    level: u8,
    entries: Vec<ListEntry>,
}

/// One piece of a content: a chunk, or a list of the level below.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListEntry {
    /// Its name.
    pub name: Name,
    /// How many bytes of the content it covers.
    pub length: u64,
}

impl List {
    /// A list of chunks (level 1) or of lists of the level below.
    ///
    /// Fails when it has no entry or more than [`limits::LIST_ENTRIES`], a level over [`limits::LIST_LEVELS`], an
    /// entry that covers nothing or more than its level can, or, before the last one, a chunk under
    /// [`limits::CHUNK_MIN`].
    pub fn new(level: u8, entries: Vec<ListEntry>) -> Result<List> {
        if level == 0 || level > limits::LIST_LEVELS || entries.is_empty() || entries.len() > limits::LIST_ENTRIES {
            return Err(Error::failed(format!("a chunk list of level {level} with {} entries", entries.len())));
        }
        let longest = limits::CHUNK_MAX as u64 * (limits::LIST_ENTRIES as u64).pow(u32::from(level) - 1);
        for (index, entry) in entries.iter().enumerate() {
            let shortest = if index + 1 == entries.len() { 1 } else { limits::CHUNK_MIN as u64 };
            if !(shortest..=longest).contains(&entry.length) {
                return Err(Error::failed(format!("a chunk list of level {level} with a piece of {}", entry.length)));
            }
        }
        Ok(List { level, entries })
    }

    /// 1 where the entries are chunks, one more for each level of lists.
    pub fn level(&self) -> u8 {
        self.level
    }

    /// The pieces in order; at least one.
    pub fn entries(&self) -> &[ListEntry] {
        &self.entries
    }

    /// How many bytes of the content it covers.
    pub fn length(&self) -> u64 {
        // At most 2^20 * 512^4 by the bounds of `new`: no overflow.
        self.entries.iter().map(|entry| entry.length).sum()
    }
}

impl TryFrom<(u8, Vec<ListEntry>)> for List {
    type Error = Error;

    fn try_from((level, entries): (u8, Vec<ListEntry>)) -> Result<List> {
        List::new(level, entries)
    }
}

impl Format for List {
    const NUMBER: u8 = 1;
    const LIMIT: usize = limits::LIST;
    const WORD: &'static str = "a chunk list";
}

/// Takes the bytes of one content, in order and in pieces of any size.
pub trait ContentWriter: Send {
    /// Takes the next bytes.
    fn write(&mut self, bytes: &[u8]) -> Result<()>;
    /// Ends the content and names it. Chunks may not be durable until the store says so.
    fn finish(self: Box<Self>) -> Result<ContentRef>;
}

/// The bytes of one content, chunk by chunk, each verified by its name. Ends after the first error.
pub type ContentReader = Box<dyn Iterator<Item = Result<bytes::Bytes>> + Send>;

/// Where contents are kept; an instance writes what it captures into it and reads what it restores from it.
pub trait Contents: Send + Sync {
    /// Starts a new content.
    fn write_content(&self) -> Box<dyn ContentWriter>;
    /// Reads a content from its first byte.
    fn read_content(&self, content: &ContentRef) -> ContentReader;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::codec::{decode, encode};

    fn entry(length: usize) -> ListEntry {
        ListEntry { name: Name([7; 32]), length: length as u64 }
    }

    #[test]
    fn a_list_reads_back() {
        let full = vec![entry(limits::CHUNK_MAX); limits::LIST_ENTRIES];
        for entries in [full.clone(), vec![entry(limits::CHUNK_MIN), entry(1)]] {
            let list = List::new(1, entries).unwrap();
            assert_eq!(decode::<List>(&encode(&list).unwrap()).unwrap(), list);
        }
        let most = u64::MAX >> (64 - 20 - 9 * 3);
        let top = List::new(limits::LIST_LEVELS, vec![ListEntry { length: most, ..entry(1) }; limits::LIST_ENTRIES]);
        assert_eq!(top.unwrap().length(), most * limits::LIST_ENTRIES as u64);
        assert_eq!(List::new(1, full).unwrap().length(), 512 << 20);
    }

    #[test]
    fn a_list_out_of_bounds_is_refused_and_does_not_decode() {
        for (level, entries) in [
            (0, vec![entry(1)]),
            (limits::LIST_LEVELS + 1, vec![entry(1)]),
            (1, vec![]),
            (1, vec![entry(limits::CHUNK_MIN); limits::LIST_ENTRIES + 1]),
            (1, vec![entry(0)]),
            (1, vec![entry(limits::CHUNK_MAX + 1)]),
            (1, vec![entry(limits::CHUNK_MIN - 1), entry(limits::CHUNK_MIN)]),
        ] {
            let forged = encode(&List { level, entries: entries.clone() });
            assert!(List::new(level, entries).is_err());
            assert!(forged.is_err() || decode::<List>(&forged.unwrap()).is_err());
        }
    }
}
