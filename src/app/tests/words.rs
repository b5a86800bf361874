//! What the actions of a story are about: few addresses, values, selections and blind spots, each a small number.

use super::model::{DROPPED, ENABLED};
use crate::core::address::Address;
use crate::core::record::{Body, Record};
use crate::core::select::Selection;
use crate::core::value::Value;

/// The addresses that are used: few, so that hands meet.
pub fn slot(number: usize) -> Address {
    let resource = |service: &str, kind: &str, name: &str| Address::resource("self", "here", service, kind, name);
    let (b1, b2) = (resource("s3", "bucket", "b1"), resource("s3", "bucket", "b2"));
    match number % SLOTS {
        0 => b1,
        1 => b1.item("object", "o1"),
        2 => b1.item("object", "o2"),
        3 => b2,
        4 => b2.item("object", "o1"),
        5 => resource("ssm", "parameter", "p1"),
        6 => resource("ssm", "parameter", "p2"),
        7 => Address::resource("self", "global", "iam", "role", "r"),
        8 => resource("lambda", "mapping", "m"),
        9 => resource("sqs", "ghost", "g"),
        _ => resource("sqs", "mist", "g"),
    }
}

/// How many there are.
pub const SLOTS: usize = 11;

/// A record with this value; a value of 3 and more has the attribute that the poor instance drops.
pub fn record(address: &Address, value: usize) -> Record {
    let mut record = Record::new([("Value".to_owned(), Value::text((value % 3).to_string()))].into());
    if value >= 3 {
        record.attributes.insert(DROPPED.to_owned(), Value::text((value / 3).to_string()));
    }
    if address.kind() == "mapping" {
        record.attributes.insert(ENABLED.to_owned(), Value::text("yes"));
    }
    if address.owner().is_some() {
        record.body = Some(Body::Inline(vec![b'0' + value as u8]));
    }
    record
}

/// What a command is told to look at.
pub fn selector(number: usize) -> Selection {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    match number {
        1 => Selection { services: words(&["s3"]), ..Default::default() },
        2 => Selection { services: words(&["ssm", "iam", "sqs"]), ..Default::default() },
        3 => Selection { only: words(&["*/bucket/b1"]), ..Default::default() },
        4 => Selection { except: words(&["*/object/o1", "*/mapping/*"]), ..Default::default() },
        _ => Selection::default(),
    }
}

/// What a capture can't see.
pub fn hidden(number: usize) -> Vec<Vec<String>> {
    let words = |text: &str| text.split('/').map(str::to_owned).collect::<Vec<_>>();
    match number {
        1 => vec![words("self/here/s3")],
        2 => vec![words("self/here/s3/bucket/b1/object"), words("self/here/ssm")],
        3 => vec![words("self/global/iam"), words("self/here/lambda/mapping/m")],
        _ => vec![],
    }
}
