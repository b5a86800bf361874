//! Names: the BLAKE3 hashes by which everything stored is known.
//!
//! A name is taken in derive-key mode with one context per kind of object, so that no kind passes for another: the
//! bytes of a version, offered as a tree node, have another name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The kinds of stored objects. The numbers are part of the store's index format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum Kind {
    /// A run of bytes of some content.
    Chunk = 1,
    /// A node of a chunk list: the names and lengths of the chunks (or lists) of some content.
    List = 2,
    /// A record too large for its tree node.
    Record = 3,
    /// A node of a tree.
    Node = 4,
    /// A signed version.
    Version = 5,
}

impl Kind {
    /// Every kind, in the order of its number.
    pub const ALL: [Kind; 5] = [Kind::Chunk, Kind::List, Kind::Record, Kind::Node, Kind::Version];

    /// The kind with that number, if there is one.
    pub fn from_number(number: u8) -> Option<Kind> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == number)
    }

    /// The word a person reads in messages.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Chunk => "chunk",
            Kind::List => "chunk list",
            Kind::Record => "record",
            Kind::Node => "tree node",
            Kind::Version => "version",
        }
    }

    fn context(self) -> &'static str {
        match self {
            Kind::Chunk => "peapod 2026 content chunk v1",
            Kind::List => "peapod 2026 content list v1",
            Kind::Record => "peapod 2026 spilled record v1",
            Kind::Node => "peapod 2026 tree node v1",
            Kind::Version => "peapod 2026 version v1",
        }
    }
}

/// The name of an object: 32 bytes, printed as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Name(pub [u8; 32]);

impl Name {
    /// The name of `bytes` as an object of `kind`.
    pub fn of(kind: Kind, bytes: &[u8]) -> Name {
        Name(blake3::derive_key(kind.context(), bytes))
    }

    /// The first ten hex digits: enough for a person.
    pub fn short(&self) -> String {
        hex::encode(&self.0[..5])
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.short())
    }
}

impl FromStr for Name {
    type Err = Error;

    fn from_str(text: &str) -> Result<Name> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes)
            .map_err(|_| Error::usage(format!("\"{text}\" is not a hash of 64 hex digits")))?;
        Ok(Name(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_kind_never_passes_for_another() {
        let names: std::collections::BTreeSet<Name> = Kind::ALL.iter().map(|kind| Name::of(*kind, b"same")).collect();
        assert_eq!(names.len(), Kind::ALL.len());
    }

    #[test]
    fn a_name_is_read_as_it_is_printed() {
        let name = Name::of(Kind::Chunk, b"x");
        assert_eq!(name.to_string().parse::<Name>().unwrap(), name);
        assert!("12".parse::<Name>().is_err());
    }
}
