//! S3's XML documents as values and back.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use md5::{Digest, Md5};
use serde_json::Value as Json;

use super::super::{Request, escape, items};
use crate::core::value::Value;

/// The content of an XML document: elements as maps, elements named in `lists` always as lists (XML can't tell a list
/// of one from no list), everything else as text.
pub(super) fn to_value(json: &Json, lists: &[&str]) -> Value {
    match json {
        Json::Object(fields) => {
            let field = |(name, field): (&String, &Json)| {
                let value = if lists.contains(&name.as_str()) {
                    Value::List(items(field).iter().map(|item| to_value(item, lists)).collect())
                } else {
                    to_value(field, lists)
                };
                (name.clone(), value)
            };
            Value::Map(fields.iter().map(field).collect())
        }
        Json::Array(list) => Value::List(list.iter().map(|item| to_value(item, lists)).collect()),
        Json::String(text) => Value::text(text),
        other => Value::text(other.to_string()),
    }
}

/// The XML document of a value that [`to_value`] made.
pub(super) fn to_xml(root: &str, value: &Value) -> String {
    let mut xml = format!("<{root} xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    write_content(&mut xml, value);
    xml.push_str(&format!("</{root}>"));
    xml
}

fn write_content(xml: &mut String, value: &Value) {
    match value {
        Value::Map(fields) => {
            for (name, field) in fields {
                write_element(xml, name, field);
            }
        }
        Value::Text(text) => xml.push_str(&escape(text)),
        Value::Number(number) => xml.push_str(number.as_str()),
        Value::Bool(truth) => xml.push_str(&truth.to_string()),
        Value::List(_) | Value::Set(_) | Value::Bytes(_) | Value::Null | Value::Withheld => {}
    }
}

fn write_element(xml: &mut String, name: &str, value: &Value) {
    match value {
        Value::List(list) => list.iter().for_each(|item| write_element(xml, name, item)),
        Value::Set(set) => set.iter().for_each(|item| write_element(xml, name, item)),
        one => {
            // A name from a pod must not become markup.
            let name: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
            xml.push_str(&format!("<{name}>"));
            write_content(xml, one);
            xml.push_str(&format!("</{name}>"));
        }
    }
}

/// A `TagSet` document.
pub(super) fn tagging(tags: &BTreeMap<String, String>) -> String {
    let tag = |(key, value): (&String, &String)| {
        format!("<Tag><Key>{}</Key><Value>{}</Value></Tag>", escape(key), escape(value))
    };
    let set: String = tags.iter().map(tag).collect();
    format!("<Tagging xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><TagSet>{set}</TagSet></Tagging>")
}

impl Request {
    /// Sets a document as body, with the checksum that S3 wants for several of them.
    pub(super) fn body_document(self, document: String) -> Request {
        let checksum = BASE64.encode(Md5::digest(document.as_bytes()));
        self.header("content-md5", &checksum).header("content-type", "application/xml").body_bytes(document)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::xml;
    use super::*;

    #[test]
    fn a_document_reads_back() {
        let document = "<C xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><CORSRule><AllowedMethod>GET</AllowedMethod>\
                        <AllowedOrigin>https://a&amp;b</AllowedOrigin></CORSRule></C>";
        let value =
            to_value(&xml::parse(document.as_bytes()).unwrap(), &["CORSRule", "AllowedMethod", "AllowedOrigin"]);
        assert_eq!(to_xml("C", &value), document);
        let Value::Map(fields) = &value else { panic!("no map") };
        assert!(matches!(&fields["CORSRule"], Value::List(rules) if rules.len() == 1));
    }

    #[test]
    fn a_name_in_a_pod_does_not_become_markup() {
        let value = Value::Map([("a><evil".to_owned(), Value::text("<x>"))].into());
        assert!(to_xml("R", &value).contains("<aevil>&lt;x&gt;</aevil>"));
    }
}
