//! Records: one resource or item, as much of it as a restore can bring back.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::core::address::Address;
use crate::core::codec::Format;
use crate::core::content::ContentRef;
use crate::core::value::Value;
use crate::limits;

/// One resource or item.
///
/// What differs between two instances in the same state (creation times, generated ids, endpoint hosts) is not in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Record {
    /// The resource's or item's attributes by their AWS names.
    pub attributes: BTreeMap<String, Value>,
    /// The value it carries, where it carries one: an object's body, a function's code.
    pub body: Option<Body>,
    /// The whole address, if its tree key had to be cut. Set by the tree, not by who makes the record.
    pub whole: Option<Address>,
}

/// The bytes that a record carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Body {
    /// Up to [`limits::VALUE_INLINE`] bytes.
    Inline(Vec<u8>),
    /// More than that.
    Content(ContentRef),
    /// Bytes that a rule kept out of the pod: see [`super::redact`].
    Withheld,
}

impl Body {
    /// Length in bytes; 0 if withheld.
    pub fn size(&self) -> u64 {
        match self {
            Body::Inline(bytes) => bytes.len() as u64,
            Body::Content(content) => content.size,
            Body::Withheld => 0,
        }
    }
}

impl Record {
    /// A record without a body.
    pub fn new(attributes: BTreeMap<String, Value>) -> Record {
        Record { attributes, ..Record::default() }
    }

    /// The attribute of that name, if it is text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).and_then(Value::as_text)
    }

    /// The content it refers to, if any.
    pub fn content(&self) -> Option<&ContentRef> {
        match &self.body {
            Some(Body::Content(content)) => Some(content),
            _ => None,
        }
    }
}

impl Format for Record {
    const NUMBER: u8 = 1;
    const LIMIT: usize = limits::RECORD;
    const WORD: &'static str = "a record";
}
