//! Messages as records see them.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value as Json, json};

use crate::core::codec;
use crate::core::record::Record;
use crate::core::value::Value;
use crate::error::Result;
use crate::instance::aws::items;

/// What makes a message the same message to a user: `MessageBody`, `MessageAttributes`, `AWSTraceHeader`. Never its
/// id, its deduplication id or its times.
pub(super) type Content = BTreeMap<String, Value>;

const BODY: &str = "MessageBody";
const ATTRIBUTES: &str = "MessageAttributes";
const TRACE: &str = "AWSTraceHeader";

/// A message as it lies in a queue.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Peeked {
    pub content: Content,
    /// The group, in a FIFO queue.
    pub group: Option<String>,
}

/// The content of a message, from the parts that every instance gives it in: a body, the message attributes by name
/// and the system attributes by name.
pub(super) fn content(body: &Json, attributes: &Json, system: &Json) -> Content {
    let mut content = Content::from([(BODY.to_owned(), Value::text(body.as_str().unwrap_or_default()))]);
    if let Json::Object(fields) = attributes
        && !fields.is_empty()
    {
        let fields = fields.iter().map(|(name, value)| (name.clone(), attribute(value)));
        content.insert(ATTRIBUTES.to_owned(), Value::Map(fields.collect()));
    }
    if let Some(trace) = system[TRACE].as_str() {
        content.insert(TRACE.to_owned(), Value::text(trace));
    }
    content
}

fn attribute(value: &Json) -> Value {
    let mut fields = BTreeMap::new();
    for name in ["DataType", "StringValue"] {
        if let Some(text) = value[name].as_str() {
            fields.insert(name.to_owned(), Value::text(text));
        }
    }
    if let Some(bytes) = value["BinaryValue"].as_str().and_then(|text| BASE64.decode(text).ok()) {
        fields.insert("BinaryValue".to_owned(), Value::Bytes(bytes));
        fields.remove("StringValue");
    }
    Value::Map(fields)
}

/// `[{Name, Value}]`, or one of them alone, by name: how LocalStack's own endpoint lists attributes.
pub(super) fn by_name(list: &Json) -> Json {
    let pairs = items(list).iter().filter_map(|pair| Some((pair["Name"].as_str()?.to_owned(), pair["Value"].clone())));
    Json::Object(pairs.collect())
}

/// The request that sends a message of this content.
pub(super) fn request(url: &str, content: &Content) -> Json {
    let text = |name| content.get(name).and_then(Value::as_text);
    let mut request = json!({"QueueUrl": url, "MessageBody": text(BODY).unwrap_or_default()});
    if let Some(attributes) = content.get(ATTRIBUTES) {
        request[ATTRIBUTES] = attributes.to_json();
    }
    if let Some(trace) = text(TRACE) {
        request["MessageSystemAttributes"] = json!({TRACE: {"DataType": "String", "StringValue": trace}});
    }
    request
}

/// About as many bytes as the content takes in a record.
pub(super) fn size(content: &Content) -> usize {
    fn of(value: &Value) -> usize {
        16 + match value {
            Value::Text(text) => text.len(),
            Value::Bytes(bytes) => bytes.len(),
            Value::Map(fields) => fields.iter().map(|(name, field)| name.len() + of(field)).sum(),
            _ => 0,
        }
    }
    content.iter().map(|(name, value)| name.len() + of(value)).sum()
}

/// What equal contents, and only they, have in common.
pub(super) fn hash(content: &Content) -> Result<String> {
    let bytes = codec::encode(&Record::new(content.clone()))?;
    let hash = blake3::derive_key("peapod 2026 sqs message v1", &bytes);
    Ok(hex::encode(hash.get(..16).unwrap_or_default()))
}

/// The item id of the message that is the `ordinal`th, from 0, among equal ones.
pub(super) fn item(hash: &str, ordinal: usize) -> String {
    format!("{hash}-{ordinal}")
}

/// Hash and ordinal of an item id.
pub(super) fn parse_item(item: &str) -> Option<(&str, usize)> {
    let (hash, ordinal) = item.rsplit_once('-')?;
    Some((hash, ordinal.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_sent_as_it_was_seen() {
        let attributes = json!({
            "n": {"DataType": "Number", "StringValue": "1.50"},
            "b": {"DataType": "Binary", "BinaryValue": "AP8="},
        });
        let seen = content(&json!("bödy\r\n"), &attributes, &json!({"AWSTraceHeader": "Root=1", "SenderId": "x"}));
        let request = request("u", &seen);
        assert_eq!(request["MessageBody"], "bödy\r\n");
        assert_eq!(request["MessageAttributes"], attributes);
        assert_eq!(request["MessageSystemAttributes"]["AWSTraceHeader"]["StringValue"], "Root=1");
    }

    #[test]
    fn equal_messages_share_a_hash_and_differ_in_their_ordinal() {
        let (a, b) = (content(&json!("a"), &json!({}), &json!({})), content(&json!("b"), &json!(null), &json!({})));
        assert_eq!(hash(&a).unwrap(), hash(&content(&json!("a"), &json!(null), &json!({}))).unwrap());
        assert_ne!(hash(&a).unwrap(), hash(&b).unwrap());
        assert_eq!(parse_item(&item("ab-c", 7)), Some(("ab-c", 7)));
        assert_eq!(parse_item("ab"), None);
    }

    #[test]
    fn attributes_of_localstack_are_read_by_name() {
        let one = json!({"Name": "n", "Value": {"StringValue": "2", "DataType": "Number"}});
        assert_eq!(by_name(&one)["n"]["StringValue"], "2");
        assert_eq!(by_name(&json!([one.clone(), one]))["n"]["DataType"], "Number");
        assert_eq!(by_name(&Json::Null), json!({}));
    }
}
