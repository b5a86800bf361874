//! The caller's own account and the instance's own address in references, and what stands for them in a record.
//!
//! Emulators have different default accounts and ports, so a record that named them would differ between two
//! instances in the same state, and point into the void after an inject. Only references of *configuration* are
//! mapped: ARNs (the account field), URLs of the instance (host and port, and a queue URL's account), and generated ids
//! ([`super::ids`]). What users store (bodies, messages, items, secrets) is never touched.

use std::borrow::Cow;

use serde_json::Value as Json;

use super::ids::Ids;
use crate::core::address::SELF_ACCOUNT;
use crate::core::value::Value;

/// Stands for the instance's host and port in URLs. `.invalid` never resolves (RFC 6761).
pub const SELF_HOST: &str = "self.invalid";

/// Names of policy elements whose values may be bare account ids.
const ACCOUNT_FIELDS: [&str; 5] =
    ["AWS", "aws:SourceAccount", "aws:PrincipalAccount", "aws:ResourceAccount", "kms:CallerAccount"];

/// Maps references both ways, for one instance and caller.
#[derive(Debug, Clone, Copy)]
pub struct Names<'a> {
    /// The caller's own account there: twelve digits.
    pub account: &'a str,
    /// The instance's URL: scheme, host and port.
    pub endpoint: &'a str,
    /// The ids that it generated.
    pub ids: &'a Ids,
    /// The account and the region that the text belongs to, for ids that several have.
    pub label: &'a str,
    pub region: &'a str,
}

impl Names<'_> {
    /// A text with its references made independent of the instance.
    pub fn portable(&self, text: &str) -> String {
        let text = arns(text, self.account, SELF_ACCOUNT);
        let text = self.urls_to_portable(&text);
        self.ids.portable(&text, (self.label, self.region)).into_owned()
    }

    /// The text that [`Names::portable`] made, for this instance.
    pub fn local(&self, text: &str) -> String {
        let text = self.ids.local(text);
        let text = arns(&text, SELF_ACCOUNT, self.account);
        urls_to_local(&text, self.endpoint, self.account).into_owned()
    }

    /// A JSON document that AWS keeps as a string, as a value; text that is no JSON stays text.
    pub fn document(&self, text: &str) -> Value {
        let parsed = serde_json::from_str::<Json>(text).ok().and_then(|json| Value::from_json(&json).ok());
        match parsed {
            Some(value @ (Value::Map(_) | Value::List(_))) => {
                bare(&value.map_text(&|text| self.portable(text)), false, self.account, SELF_ACCOUNT)
            }
            _ => Value::text(text),
        }
    }

    /// The text of a value that [`Names::document`] made, for this instance.
    pub fn document_text(&self, value: &Value) -> String {
        match value {
            Value::Text(text) => text.clone(),
            value => {
                bare(value, false, SELF_ACCOUNT, self.account).map_text(&|text| self.local(text)).to_json().to_string()
            }
        }
    }

    fn urls_to_portable<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if !text.contains("://") {
            return Cow::Borrowed(text);
        }
        let own_port = self.endpoint.rsplit(':').next().unwrap_or_default();
        urls(text, |host, path| {
            let (name, port) = host.rsplit_once(':').unwrap_or((host, ""));
            // The API's own part of such a host would be lost.
            if name.contains(".execute-api.") {
                return None;
            }
            let own = self.endpoint.split_once("://").is_some_and(|(_, own)| own == host);
            let alias = port == own_port
                && (name == "127.0.0.1"
                    || name == "[::1]"
                    || name == "localhost"
                    || name.ends_with(".localhost")
                    || name == "localhost.localstack.cloud"
                    || name.ends_with(".localhost.localstack.cloud"));
            (own || alias).then(|| (SELF_HOST.to_owned(), swap_first(path, self.account, SELF_ACCOUNT)))
        })
    }
}

fn urls_to_local<'t>(text: &'t str, endpoint: &str, account: &str) -> Cow<'t, str> {
    if !text.contains(SELF_HOST) {
        return Cow::Borrowed(text);
    }
    let own = endpoint.split_once("://").map_or(endpoint, |(_, own)| own);
    urls(text, |host, path| (host == SELF_HOST).then(|| (own.to_owned(), swap_first(path, SELF_ACCOUNT, account))))
}

/// Rewrites host and path of each URL in the text for which `change` gives new ones. The scheme stays.
fn urls(text: &str, change: impl Fn(&str, &str) -> Option<(String, String)>) -> Cow<'_, str> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        out.push_str(before);
        let host_end =
            after.find(|c: char| !(c.is_ascii_alphanumeric() || ".:-_[]".contains(c))).unwrap_or(after.len());
        let (host, tail) = after.split_at(host_end);
        let path_end = tail.find(|c: char| c.is_whitespace() || "\"'<>,;".contains(c)).unwrap_or(tail.len());
        let (path, tail) = tail.split_at(path_end);
        match change(host, path) {
            Some((host, path)) => out.extend([host, path]),
            None => out.extend([host, path]),
        }
        rest = tail;
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// `/from/q` -> `/to/q`.
fn swap_first(path: &str, from: &str, to: &str) -> String {
    match path.strip_prefix('/').and_then(|path| path.strip_prefix(from)) {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => format!("/{to}{rest}"),
        _ => path.to_owned(),
    }
}

/// Swaps the account field (`arn:partition:service:region:ACCOUNT:..`) of every ARN in the text.
fn arns(text: &str, from: &str, to: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("arn:") {
        let (before, arn) = rest.split_at(at);
        out.push_str(before);
        let mut end = 0;
        // Four fields stand before the account; none holds a blank, a quote or a bracket.
        for _ in 0..4 {
            let field = arn.get(end..).unwrap_or_default();
            match field.find(|c: char| c == ':' || c.is_whitespace() || "\"'(){},".contains(c)) {
                Some(length) if field.as_bytes().get(length) == Some(&b':') => end += length + 1,
                _ => {
                    end = 0;
                    break;
                }
            }
        }
        let (head, tail) = arn.split_at(if end == 0 { 4 } else { end });
        out.push_str(head);
        rest = match tail.strip_prefix(from) {
            Some(after) if end > 0 && after.starts_with(':') => {
                out.push_str(to);
                after
            }
            _ => tail,
        };
    }
    out.push_str(rest);
    out
}

/// Swaps bare account ids where policies hold them.
fn bare(value: &Value, here: bool, from: &str, to: &str) -> Value {
    match value {
        Value::Text(text) if here && text == from => Value::text(to),
        Value::List(items) => Value::List(items.iter().map(|item| bare(item, here, from, to)).collect()),
        Value::Map(fields) => {
            let field = |(name, field): (&String, &Value)| {
                let here = ACCOUNT_FIELDS.iter().any(|known| known.eq_ignore_ascii_case(name));
                (name.clone(), bare(field, here, from, to))
            };
            Value::Map(fields.iter().map(field).collect())
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::address::Address;

    fn here(ids: &Ids) -> Names<'_> {
        Names {
            account: "123456789012",
            endpoint: "http://localhost:5000",
            ids,
            label: SELF_ACCOUNT,
            region: "us-east-1",
        }
    }

    fn there(ids: &Ids) -> Names<'_> {
        Names {
            account: "000000000000",
            endpoint: "http://127.0.0.1:4566",
            ids,
            label: SELF_ACCOUNT,
            region: "us-east-1",
        }
    }

    #[test]
    fn references_are_mapped_and_back() {
        let ids = [Ids::default(), Ids::default()];
        let api = Address::resource(SELF_ACCOUNT, "us-east-1", "apigateway", "rest-api", "shop");
        ids[0].learn(&api, "a1b2c3d4e5");
        ids[1].learn(&api, "f6g7h8i9j0");
        for (here_text, portable, there_text) in [
            (
                "arn:aws:sqs:us-east-1:123456789012:q",
                "arn:aws:sqs:us-east-1:self:q",
                "arn:aws:sqs:us-east-1:000000000000:q",
            ),
            ("arn:aws:iam::123456789012:role/r", "arn:aws:iam::self:role/r", "arn:aws:iam::000000000000:role/r"),
            (
                "arn:aws:sqs:us-east-1:999999999999:q",
                "arn:aws:sqs:us-east-1:999999999999:q",
                "arn:aws:sqs:us-east-1:999999999999:q",
            ),
            (
                "two: arn:aws:s3:::b and arn:aws:sns:eu-west-1:123456789012:t.",
                "two: arn:aws:s3:::b and arn:aws:sns:eu-west-1:self:t.",
                "two: arn:aws:s3:::b and arn:aws:sns:eu-west-1:000000000000:t.",
            ),
            (
                "http://localhost:5000/123456789012/q?x=y",
                "http://self.invalid/self/q?x=y",
                "http://127.0.0.1:4566/000000000000/q?x=y",
            ),
            ("http://127.0.0.1:5000", "http://self.invalid", "http://127.0.0.1:4566"),
            (
                "http://localhost:80/123456789012/q",
                "http://localhost:80/123456789012/q",
                "http://localhost:80/123456789012/q",
            ),
            (
                "arn:aws:execute-api:us-east-1:123456789012:a1b2c3d4e5/*/GET/pets",
                "arn:aws:execute-api:us-east-1:self:{self/us-east-1/apigateway/rest-api/shop}/*/GET/pets",
                "arn:aws:execute-api:us-east-1:000000000000:f6g7h8i9j0/*/GET/pets",
            ),
            (
                "http://localhost:5000/restapis/a1b2c3d4e5/dev/_user_request_/pets",
                "http://self.invalid/restapis/{self/us-east-1/apigateway/rest-api/shop}/dev/_user_request_/pets",
                "http://127.0.0.1:4566/restapis/f6g7h8i9j0/dev/_user_request_/pets",
            ),
            (
                "https://a1b2c3d4e5.execute-api.us-east-1.amazonaws.com/dev",
                "https://{self/us-east-1/apigateway/rest-api/shop}.execute-api.us-east-1.amazonaws.com/dev",
                "https://f6g7h8i9j0.execute-api.us-east-1.amazonaws.com/dev",
            ),
            (
                "123456789012 arn: arn:aws http:// plain",
                "123456789012 arn: arn:aws http:// plain",
                "123456789012 arn: arn:aws http:// plain",
            ),
        ] {
            assert_eq!(here(&ids[0]).portable(here_text), portable);
            assert_eq!(there(&ids[1]).local(portable), there_text);
            assert_eq!(there(&ids[1]).portable(there_text), portable);
        }
    }

    #[test]
    fn a_policy_is_one_value_whatever_its_spaces_and_account() {
        let ids = Ids::default();
        let (here, there) = (here(&ids), there(&ids));
        let policy = r#"{ "Statement": [{"Principal": {"AWS": ["123456789012", "arn:aws:iam::123456789012:root"]}, "Sid": "123456789012"}]}"#;
        let value = here.document(policy);
        let text = there.document_text(&value);
        assert_eq!(
            text,
            r#"{"Statement":[{"Principal":{"AWS":["000000000000","arn:aws:iam::000000000000:root"]},"Sid":"123456789012"}]}"#
        );
        assert_eq!(there.document(&text), value);
        assert_eq!(here.document_text(&here.document("no json")), "no json");
    }
}
