//! Leaves: records as tree nodes hold them, comparable without being decoded.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::core::address::Address;
use crate::core::codec;
use crate::core::name::{Kind, Name};
use crate::core::objects::Objects;
use crate::core::record::Record;
use crate::error::{Error, Result};
use crate::limits;

/// A record as its tree node holds it: comparable without being decoded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Leaf {
    /// A record in the node itself.
    Inline {
        /// Its encoding, up to [`limits::RECORD_INLINE`] bytes.
        #[serde(with = "raw")]
        bytes: Bytes,
        /// The size of its content, if it has one.
        content: Option<u64>,
    },
    /// A record too large for the node.
    Spilled {
        /// Its name as [`Kind::Record`].
        name: Name,
        /// The length of its encoding.
        length: u64,
        /// The size of its content, if it has one.
        content: Option<u64>,
    },
}

impl Leaf {
    /// The leaf that holds `record` at `address`; a large record is put into `objects`.
    ///
    /// Sets [`Record::whole`] as the address needs it, whatever it was.
    pub fn new(objects: &dyn Objects, address: &Address, record: &Record) -> Result<Leaf> {
        let (_, cut) = address.key();
        let bytes = if record.whole.is_none() && !cut {
            codec::encode(record)?
        } else {
            codec::encode(&Record { whole: cut.then(|| address.clone()), ..record.clone() })?
        };
        let content = record.content().map(|content| content.size);
        if bytes.len() <= limits::RECORD_INLINE {
            return Ok(Leaf::Inline { bytes: bytes.into(), content });
        }
        Ok(Leaf::Spilled { name: objects.put(Kind::Record, &bytes)?, length: bytes.len() as u64, content })
    }

    /// The record. Fails when it is not what its leaf says.
    pub fn record(&self, objects: &dyn Objects) -> Result<Record> {
        let (record, content) = match self {
            Leaf::Inline { bytes, content } => (codec::decode::<Record>(bytes)?, content),
            Leaf::Spilled { name, length, content } => {
                let bytes = objects.get(Kind::Record, name)?;
                if bytes.len() as u64 != *length {
                    return Err(Error::failed(format!("record {} has not the length its tree says", name.short())));
                }
                (codec::decode::<Record>(&bytes)?, content)
            }
        };
        if record.content().map(|content| content.size) != *content {
            return Err(Error::failed("a record whose content has not the size its tree says"));
        }
        if record.whole.as_ref().is_some_and(|whole| !whole.key().1) {
            return Err(Error::failed("a record that keeps an address which its key holds already"));
        }
        Ok(record)
    }

    /// The size of the record's content, if it has one; known without reading it.
    pub fn content(&self) -> Option<u64> {
        match self {
            Leaf::Inline { content, .. } | Leaf::Spilled { content, .. } => *content,
        }
    }

    /// The length of the record's encoding.
    pub fn length(&self) -> u64 {
        match self {
            Leaf::Inline { bytes, .. } => bytes.len() as u64,
            Leaf::Spilled { length, .. } => *length,
        }
    }
}

/// One entry of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where.
    pub address: Address,
    /// What.
    pub leaf: Leaf,
}

impl Entry {
    /// The record. Fails when it is not what its leaf says, or another address's.
    pub fn record(&self, objects: &dyn Objects) -> Result<Record> {
        let record = self.leaf.record(objects)?;
        match &record.whole {
            Some(whole) if *whole != self.address => Err(another(&self.address)),
            _ => Ok(record),
        }
    }
}

/// A difference between two trees at one address. At least one side is there, and they differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Where.
    pub address: Address,
    /// What the first tree has there.
    pub before: Option<Leaf>,
    /// What the second tree has there.
    pub after: Option<Leaf>,
}

/// The whole address of the entry under `key`, which is an address's key.
///
/// Only a key with a part that looks cut costs a look into the record, where the whole address then is.
pub(super) fn address_of(objects: &dyn Objects, key: &[u8], leaf: &Leaf) -> Result<Address> {
    let address = Address::from_key(key)?;
    // A cut part is the longest start of up to KEY_PART - 64 bytes that ends with a character, and 64 hex digits.
    if address.parts().iter().all(|part| part.len() < limits::KEY_PART - 3) {
        return Ok(address);
    }
    match leaf.record(objects)?.whole {
        None => Ok(address),
        Some(whole) if whole.key().0 == key => Ok(whole),
        Some(_) => Err(another(&address)),
    }
}

fn another(address: &Address) -> Error {
    Error::failed(format!("the record at {address} is another address's"))
}

/// Bytes as one string, not as a sequence of numbers.
pub(super) mod raw {
    use std::fmt;

    use bytes::Bytes;
    use serde::de::Visitor;
    use serde::{Deserializer, Serializer};

    pub(in crate::tree) fn serialize<S: Serializer>(bytes: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    pub(in crate::tree) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        deserializer.deserialize_bytes(Raw)
    }

    struct Raw;

    impl Visitor<'_> for Raw {
        type Value = Bytes;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("bytes")
        }

        fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Bytes, E> {
            Ok(Bytes::copy_from_slice(bytes))
        }
    }
}
