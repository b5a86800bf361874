//! XML answers as JSON values, so that services read every protocol in one way.
//!
//! Text alone becomes a string, children an object, children of one name an array, and a list in the query protocol
//! (all children are called `member`, EC2's `item`) an array whatever its length. Attributes and namespaces mean nothing to AWS's
//! clients and are dropped.

use std::borrow::Cow;

use quick_xml::Reader;
use quick_xml::events::Event;
use serde_json::{Map, Value as Json};

use crate::error::{Error, Result};
use crate::limits;

/// The content of the document's root element.
pub fn parse(bytes: &[u8]) -> Result<Json> {
    let broken = || Error::failed("an answer that is not XML");
    let text = std::str::from_utf8(bytes).map_err(|_| broken())?;
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Element> = Vec::new();
    loop {
        match reader.read_event().map_err(|error| broken().because(error))? {
            Event::Start(tag) => {
                if open.len() >= limits::NESTING {
                    return Err(Error::failed(format!("an XML answer nested more than {} deep", limits::NESTING)));
                }
                open.push(Element::new(local(tag.local_name().into_inner())));
            }
            Event::Empty(tag) => {
                let element = Element::new(local(tag.local_name().into_inner()));
                match open.last_mut() {
                    Some(parent) => parent.children.push((element.name, Json::String(String::new()))),
                    None => return Ok(Json::String(String::new())),
                }
            }
            Event::Text(text) => push(&mut open, &text.xml10_content()),
            Event::CData(text) => push(&mut open, &text.xml10_content()),
            Event::GeneralRef(reference) => {
                let resolved: Cow<'_, str> =
                    match reference.resolve_char_ref().map_err(|error| broken().because(error))? {
                        Some(character) => character.to_string().into(),
                        None => quick_xml::escape::resolve_predefined_entity(&reference).ok_or_else(broken)?.into(),
                    };
                push(&mut open, &resolved);
            }
            Event::End(_) => {
                let element = open.pop().ok_or_else(broken)?;
                let (name, content) = element.close();
                match open.last_mut() {
                    Some(parent) => parent.children.push((name, content)),
                    None => return Ok(content),
                }
            }
            Event::Eof => return Err(broken()),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
        }
    }
}

/// What an answer holds where a list is expected: the items of an array, none of nothing (or of blanks: an empty list
/// of fakecloud's has line breaks in it), else the one thing itself.
pub fn items(json: &Json) -> &[Json] {
    match json {
        Json::Array(items) => items,
        Json::Null => &[],
        Json::String(text) if text.trim().is_empty() => &[],
        one => std::slice::from_ref(one),
    }
}

/// `text` for use between tags or in an attribute.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c if c.is_control() => escaped.push_str(&format!("&#{};", u32::from(c))),
            c => escaped.push(c),
        }
    }
    escaped
}

struct Element {
    name: String,
    text: String,
    children: Vec<(String, Json)>,
}

impl Element {
    fn new(name: String) -> Element {
        Element { name, text: String::new(), children: Vec::new() }
    }

    fn close(self) -> (String, Json) {
        let content = if self.children.is_empty() {
            Json::String(self.text)
        } else if ["member", "item"].iter().any(|list| self.children.iter().all(|(name, _)| name == list)) {
            Json::Array(self.children.into_iter().map(|(_, child)| child).collect())
        } else {
            let mut lists: Map<String, Json> = Map::new();
            let mut repeated: Vec<String> = Vec::new();
            for (name, child) in self.children {
                match lists.get_mut(&name) {
                    None => {
                        lists.insert(name, child);
                    }
                    Some(Json::Array(items)) if repeated.contains(&name) => items.push(child),
                    Some(first) => {
                        *first = Json::Array(vec![first.take(), child]);
                        repeated.push(name);
                    }
                }
            }
            Json::Object(lists)
        };
        (self.name, content)
    }
}

fn push(open: &mut [Element], text: &str) {
    if let Some(element) = open.last_mut() {
        element.text.push_str(text);
    }
}

fn local(name: &str) -> String {
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_becomes_the_value_that_services_read() {
        let answer = parse(
            b"<?xml version='1.0'?>\n<R xmlns='http://x'>\n  <Roles><member><N> a &amp;&#x41;</N></member></Roles>\
              <Key>1</Key><Key>2</Key><Empty/><None></None><vpcSet><item><id>v</id></item></vpcSet></R>",
        )
        .unwrap();
        assert_eq!(answer["Roles"], json!([{"N": " a &A"}]));
        assert_eq!(answer["Key"], json!(["1", "2"]));
        assert_eq!(answer["vpcSet"], json!([{"id": "v"}]));
        assert_eq!((items(&answer["Empty"]).len(), items(&answer["Nothing"]).len()), (0, 0));
        assert_eq!(items(&json!({"one": 1})).len(), 1);
    }

    #[test]
    fn odd_documents_are_refused() {
        for text in ["", "plain", "<a>", "<a></b>", "<a>&undefined;</a>"] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
        let deep = "<a>".repeat(1000);
        assert!(parse(deep.as_bytes()).is_err());
    }

    #[test]
    fn what_is_escaped_reads_back() {
        let odd = "a<b>&\"\r\n\t'é ";
        let document = format!("<r>{}</r>", escape(odd));
        assert_eq!(parse(document.as_bytes()).unwrap(), json!(odd));
    }
}
