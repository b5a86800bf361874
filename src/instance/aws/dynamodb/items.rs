//! Reading a table's items: in pages, several segments at a time, none held for longer than its page.

use futures::future::try_join_all;
use serde_json::{Map, Value as Json, json};

use super::value::{from_attributes, to_json};
use super::{API, ITEMS};
use crate::core::address::Address;
use crate::core::record::Record;
use crate::core::value::Value;
use crate::error::{Error, Result};
use crate::instance::Sink;
use crate::instance::aws::{Emulator, Request, Scope, items};

/// A table of more items than this is read in several segments at once.
const LARGE: u64 = 5_000;
const SEGMENTS: u64 = 4;

/// Records every item of the table.
pub(super) async fn capture(cx: &Scope<'_>, sink: &dyn Sink, table: &Address, live: &Json) -> Result<()> {
    let keys = key_names(live)?;
    let count = live["ItemCount"].as_u64().unwrap_or_default();
    // moto would go through the whole table for each.
    let segments = if count > LARGE && cx.emulator != Emulator::Moto { SEGMENTS } else { 1 };
    try_join_all((0..segments).map(|segment| scan(cx, sink, table, &keys, (segment, segments)))).await?;
    Ok(())
}

/// The names of a table's key attributes, the partition key first.
pub(super) fn key_names(live: &Json) -> Result<Vec<String>> {
    let keys = items(&live["KeySchema"]);
    let of = |kind: &str| keys.iter().find(|key| key["KeyType"] == kind)?["AttributeName"].as_str().map(str::to_owned);
    let partition = of("HASH").ok_or_else(|| Error::failed("the instance describes a table without a key"))?;
    Ok([Some(partition), of("RANGE")].into_iter().flatten().collect())
}

async fn scan(
    cx: &Scope<'_>,
    sink: &dyn Sink,
    table: &Address,
    keys: &[String],
    (segment, segments): (u64, u64),
) -> Result<()> {
    let mut request = json!({"TableName": table.name(), "ConsistentRead": true});
    if segments > 1 {
        request["Segment"] = segment.into();
        request["TotalSegments"] = segments.into();
    }
    let mut pages = cx.pages(Request::json(&API, "Scan", request), "ExclusiveStartKey", "LastEvaluatedKey");
    // One by one: as JSON in memory, a small item takes 20 times the bytes that it has in the answer.
    let mut record = |item: Json| -> Result<()> {
        let key: Map<String, Json> = keys.iter().map(|name| (name.clone(), item[name].clone())).collect();
        let id = item_id(keys, &from_attributes(&Json::Object(key))?)?;
        let address = table.item(ITEMS, &id);
        match from_attributes(&item) {
            Ok(attributes) => sink.record(address, Record::new(attributes)),
            Err(error) => {
                // moto answers with something else for some that it has taken.
                cx.skip(sink, address.parts(), error.chain());
                Ok(())
            }
        }
    };
    while pages.each("Items", &mut record).await? {}
    Ok(())
}

/// What an item is known by: its key attributes, typed, as one line of JSON in the order of the key.
fn item_id(keys: &[String], attributes: &std::collections::BTreeMap<String, Value>) -> Result<String> {
    let mut id = String::from("{");
    for (index, name) in keys.iter().enumerate() {
        let value = attributes.get(name).ok_or_else(|| Error::failed("an item without its key"))?;
        if index > 0 {
            id.push(',');
        }
        // A map would bring them into another order than the key's.
        id.push_str(&format!("{}:{}", Json::from(name.as_str()), to_json(value)?));
    }
    id.push('}');
    Ok(id)
}

/// The key in a request of the item that has this id.
pub(super) fn key(id: &str) -> Result<Map<String, Json>> {
    serde_json::from_str(id).map_err(|_| Error::failed("an item whose id is no key"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_the_typed_key_in_its_order_and_reads_back() {
        let item = json!({"z": {"S": "a/\"ü"}, "a": {"N": "1.50"}, "other": {"BOOL": true}});
        let id = item_id(&["z".into(), "a".into()], &from_attributes(&item).unwrap()).unwrap();
        assert_eq!(id, r#"{"z":{"S":"a/\"ü"},"a":{"N":"1.5"}}"#);
        assert_eq!(Json::Object(key(&id).unwrap()), json!({"z": {"S": "a/\"ü"}, "a": {"N": "1.5"}}));
        assert!(item_id(&["missing".into()], &from_attributes(&item).unwrap()).is_err());
    }
}
