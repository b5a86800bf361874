//! Large values: a byte string cut into chunks, under a list of chunks with one name.

use serde::{Deserialize, Serialize};

use crate::core::name::Name;
use crate::error::Result;

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
