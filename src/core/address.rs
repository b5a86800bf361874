//! Addresses: where a record lives.
//!
//! `account/region/service/kind/name[/collection/item]`, a tuple of strings in which any string is legal in any place.
//! The first five parts name a *resource*; the last two an *item* of one of its collections (an object of a bucket, a
//! message of a queue). An address is data; none is ever used as a file path.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::limits;

/// Stands for the caller's own account in addresses and in references, and is mapped when a pod is injected.
pub const SELF_ACCOUNT: &str = "self";
/// The region of services that have none (IAM).
pub const GLOBAL_REGION: &str = "global";

/// The place of one record: five parts for a resource, seven for an item.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct Address {
    parts: Vec<String>,
}

impl Address {
    /// The address of a resource.
    pub fn resource(account: &str, region: &str, service: &str, kind: &str, name: &str) -> Address {
        Address { parts: [account, region, service, kind, name].map(str::to_owned).to_vec() }
    }

    /// The address of an item of this resource.
    #[must_use]
    pub fn item(&self, collection: &str, item: &str) -> Address {
        let mut parts = self.parts[..limits::ADDRESS_PARTS_MIN].to_vec();
        parts.extend([collection.to_owned(), item.to_owned()]);
        Address { parts }
    }

    /// The parts, five or seven of them.
    pub fn parts(&self) -> &[String] {
        &self.parts
    }

    /// The account, or [`SELF_ACCOUNT`].
    pub fn account(&self) -> &str {
        &self.parts[0]
    }

    /// The region, or [`GLOBAL_REGION`].
    pub fn region(&self) -> &str {
        &self.parts[1]
    }

    /// The service as the AWS command line calls it: `s3`, `sqs`.
    pub fn service(&self) -> &str {
        &self.parts[2]
    }

    /// The kind of the resource within its service: `bucket`, `queue`.
    pub fn kind(&self) -> &str {
        &self.parts[3]
    }

    /// The resource's name.
    pub fn name(&self) -> &str {
        &self.parts[4]
    }

    /// The collection and the item in it, for an item.
    pub fn collection_and_item(&self) -> Option<(&str, &str)> {
        match self.parts.as_slice() {
            [_, _, _, _, _, collection, item] => Some((collection, item)),
            _ => None,
        }
    }

    /// The resource that an item belongs to; none for a resource.
    pub fn owner(&self) -> Option<Address> {
        (self.parts.len() > limits::ADDRESS_PARTS_MIN)
            .then(|| Address { parts: self.parts[..limits::ADDRESS_PARTS_MIN].to_vec() })
    }

    /// The address's key in a tree, and whether a part had to be cut (then the record keeps the whole address).
    ///
    /// Byte order is tuple order, but for parts over [`limits::KEY_PART`] bytes, which are cut and end in their hash. In
    /// each part NUL is written `00 FF`, and NUL ends it; UTF-8 has no byte FF, so no part ends early.
    pub fn key(&self) -> (Vec<u8>, bool) {
        key_of(&self.parts)
    }

    /// What the keys of all addresses that begin with these parts begin with. A key that begins with it belongs to
    /// another address if its next byte is FF.
    pub fn key_prefix(parts: &[String]) -> Vec<u8> {
        key_of(parts).0
    }

    /// The address that a key stands for, as [`Address::key`] wrote it. A cut part comes back cut.
    pub fn from_key(key: &[u8]) -> Result<Address> {
        let broken = || Error::failed("a tree key that is no address");
        let mut parts = Vec::with_capacity(limits::ADDRESS_PARTS);
        let mut part = Vec::new();
        let mut bytes = key.iter().copied().peekable();
        while let Some(byte) = bytes.next() {
            if byte != 0 {
                part.push(byte);
            } else if bytes.peek() == Some(&0xff) {
                bytes.next();
                part.push(0);
            } else {
                parts.push(String::from_utf8(std::mem::take(&mut part)).map_err(|_| broken())?);
            }
        }
        if !part.is_empty() {
            return Err(broken());
        }
        Address::try_from(parts)
    }
}

fn key_of(parts: &[String]) -> (Vec<u8>, bool) {
    let mut key = Vec::with_capacity(64);
    let mut cut = false;
    for part in parts {
        if part.len() <= limits::KEY_PART {
            push_part(&mut key, part);
        } else {
            cut = true;
            let hash = blake3::derive_key("peapod 2026 cut key part v1", part.as_bytes());
            let end = part.floor_char_boundary(limits::KEY_PART - 64);
            push_part(&mut key, &part[..end]);
            key.pop();
            key.extend_from_slice(hex::encode(hash).as_bytes());
            key.push(0);
        }
    }
    (key, cut)
}

fn push_part(key: &mut Vec<u8>, part: &str) {
    for byte in part.bytes() {
        key.push(byte);
        if byte == 0 {
            key.push(0xff);
        }
    }
    key.push(0);
}

impl TryFrom<Vec<String>> for Address {
    type Error = Error;

    fn try_from(parts: Vec<String>) -> Result<Address> {
        if parts.len() != limits::ADDRESS_PARTS_MIN && parts.len() != limits::ADDRESS_PARTS {
            return Err(Error::failed(format!("an address of {} parts; it has 5 or 7", parts.len())));
        }
        if let Some(long) = parts.iter().find(|part| part.len() > limits::ADDRESS_PART) {
            return Err(Error::failed(format!("an address part of {} bytes is too long", long.len())));
        }
        Ok(Address { parts })
    }
}

impl From<Address> for Vec<String> {
    fn from(address: Address) -> Vec<String> {
        address.parts
    }
}

/// As a person reads and types it: parts joined by `/`. Only the last part may itself hold a `/` when it is read back
/// by [`Address::parse`]; in the others `/` and `%` are percent-encoded, and control characters everywhere.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = self.parts.len() - 1;
        for (index, part) in self.parts.iter().enumerate() {
            if index > 0 {
                f.write_str("/")?;
            }
            for c in part.chars() {
                if c.is_control() || c == '%' || (c == '/' && index != last) || (c == '/' && index < 6) {
                    for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                        write!(f, "%{byte:02X}")?;
                    }
                } else {
                    write!(f, "{c}")?;
                }
            }
        }
        Ok(())
    }
}

impl Address {
    /// The address that [`fmt::Display`] printed.
    pub fn parse(text: &str) -> Result<Address> {
        let parts = text
            .splitn(limits::ADDRESS_PARTS, '/')
            .map(|part| percent_encoding::percent_decode_str(part).decode_utf8().map(|part| part.into_owned()))
            .collect::<Result<Vec<_>, _>>();
        parts.ok().and_then(|parts| Address::try_from(parts).ok()).ok_or_else(|| {
            Error::usage(format!("\"{text}\" is not an address"))
                .hint("an address is account/region/service/kind/name[/collection/item]; `peapod inspect` prints them")
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn addresses() -> impl Strategy<Value = Address> {
        let part = prop_oneof![
            "[a-c/%\u{0}\u{1}é. ]{0,4}",
            "\\PC{0,20}",
            "[ab]{0,3}".prop_map(|tail| format!("{}{tail}", "x".repeat(300))),
        ];
        (proptest::collection::vec(part, 7), any::<bool>()).prop_map(|(mut parts, resource)| {
            if resource {
                parts.truncate(5);
            }
            Address::try_from(parts).unwrap()
        })
    }

    proptest! {
        #[test]
        fn a_key_reads_back_and_orders_as_the_tuple(a in addresses(), b in addresses()) {
            let ((key_a, cut_a), (key_b, cut_b)) = (a.key(), b.key());
            prop_assert_eq!(a == b, key_a == key_b);
            if !cut_a {
                prop_assert_eq!(&Address::from_key(&key_a).unwrap(), &a);
            }
            if !cut_a && !cut_b {
                prop_assert_eq!(a.cmp(&b), key_a.cmp(&key_b));
            }
        }

        #[test]
        fn an_address_reads_back_as_it_is_printed(a in addresses()) {
            prop_assert_eq!(Address::parse(&a.to_string()).unwrap(), a);
        }

        #[test]
        fn any_bytes_as_a_key_are_an_address_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(address) = Address::from_key(&bytes) {
                prop_assert_eq!(address.key().0, bytes);
            }
        }
    }

    #[test]
    fn an_items_key_stands_behind_its_owners() {
        let bucket = Address::resource("self", "us-east-1", "s3", "bucket", "b");
        let object = bucket.item("object", "a/../b");
        assert!(object.key().0.starts_with(&bucket.key().0));
        assert_eq!(object.owner(), Some(bucket));
        assert_eq!(object.to_string(), "self/us-east-1/s3/bucket/b/object/a/../b");
    }
}
