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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::objects::memory::Memory;
    use crate::tree::testing::{address, record};
    use crate::tree::{build, get, scan};

    fn cut() -> Address {
        let address = address(16 * 3 + 6);
        assert!(address.key().1);
        address
    }

    #[test]
    fn a_cut_key_keeps_its_whole_address_and_others_keep_none() {
        let objects = Memory::default();
        let stray = Record { whole: Some(cut()), ..record(1) };
        for (address, whole) in [(cut(), Some(cut())), (address(1), None)] {
            let leaf = Leaf::new(&objects, &address, &stray).unwrap();
            assert_eq!(leaf.record(&objects).unwrap(), Record { whole, ..record(1) });
        }
    }

    #[test]
    fn a_record_that_keeps_another_address_is_refused() {
        let objects = Memory::default();
        let (cut, plain) = (cut(), address(1));
        let other = Address::try_from([&cut.parts()[..6], &["y".repeat(999)]].concat()).unwrap();
        for (at, whole) in [(&cut, &other), (&plain, &cut), (&plain, &plain)] {
            let bytes = codec::encode(&Record { whole: Some(whole.clone()), ..Record::default() }).unwrap().into();
            let entry = Entry { address: at.clone(), leaf: Leaf::Inline { bytes, content: None } };
            let root = build(&objects, &mut [Ok(entry)].into_iter()).unwrap();
            let read = scan(&objects, &root, &[]).unwrap().next().unwrap().and_then(|entry| entry.record(&objects));
            assert!(read.is_err() && get(&objects, &root, at).is_err(), "{at} as {whole}");
        }
    }

    #[test]
    fn a_plain_address_that_looks_cut_is_not_the_one_that_was_cut() {
        let objects = Memory::default();
        let twin = Address::from_key(&cut().key().0).unwrap();
        for (at, other) in [(cut(), twin.clone()), (twin, cut())] {
            let leaf = Leaf::new(&objects, &at, &record(1)).unwrap();
            let root = build(&objects, &mut [Ok(Entry { address: at.clone(), leaf })].into_iter()).unwrap();
            assert!(get(&objects, &root, &at).unwrap().is_some());
            assert!(get(&objects, &root, &other).unwrap().is_none());
        }
    }

    #[test]
    fn a_record_that_is_not_what_its_leaf_says_is_refused() {
        let objects = Memory::default();
        for value in [3, 7] {
            for lie in [None, Some(1)] {
                let honest = Leaf::new(&objects, &address(1), &record(value)).unwrap();
                let liar = match honest.clone() {
                    Leaf::Inline { bytes, .. } => Leaf::Inline { bytes, content: lie.or(Some(2)) },
                    Leaf::Spilled { name, length, content } => {
                        Leaf::Spilled { name, length: length + lie.unwrap_or(1), content }
                    }
                };
                assert!(honest.record(&objects).is_ok() && liar.record(&objects).is_err());
            }
        }
    }
}
