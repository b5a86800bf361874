//! References: how a user names a pod or one of its versions, `NAME` or `NAME@REF`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::core::version::check_name;
use crate::error::{Error, Result};

/// The shortest hash prefix that stands for a version.
const PREFIX: usize = 4;
/// Hex digits of a whole hash.
const HASH: usize = 64;

/// A pod, or one version of it, as the user named it. Serialised as its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Reference {
    pod: String,
    version: Option<String>,
}

/// One way to read what stands behind the `@`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum At {
    /// `@3`: the third version on the first-parent line, counted from 1.
    Number(u64),
    /// `@~1`: so many first parents before one's own head.
    Back(u64),
    /// `@1f9c`: the version whose hash begins with these lower-case hex digits.
    Hash(String),
    /// `@anna`: that member's head.
    Member(String),
}

impl Reference {
    /// Plain `NAME`: one's own head of a pod.
    pub fn head(pod: &str) -> Result<Reference> {
        check_name("a pod's name", pod)?;
        Ok(Reference { pod: pod.to_owned(), version: None })
    }

    /// The pod's name.
    pub fn pod(&self) -> &str {
        &self.pod
    }

    /// Whether it names one version, not the pod's own head.
    pub fn is_version(&self) -> bool {
        self.version.is_some()
    }

    /// How the part behind the `@` can be read; the first reading that exists counts. Empty for plain `NAME`.
    ///
    /// `@1234` may be a number, a hash or a member. A number comes first and a member last, so that nobody takes a
    /// name that hides a version.
    pub fn readings(&self) -> Vec<At> {
        self.version.as_deref().map(readings).unwrap_or_default()
    }
}

fn readings(text: &str) -> Vec<At> {
    if let Some(back) = text.strip_prefix('~') {
        return decimal(back).map(At::Back).into_iter().collect();
    }
    let hex = text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    let hash = (hex && (PREFIX..=HASH).contains(&text.len())).then(|| At::Hash(text.to_owned()));
    let member = check_name("a member's name", text).is_ok().then(|| At::Member(text.to_owned()));
    decimal(text).filter(|number| *number > 0).map(At::Number).into_iter().chain(hash).chain(member).collect()
}

/// A number as people write it: no sign, no leading zero.
fn decimal(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    plain.then(|| text.parse().ok()).flatten()
}

impl FromStr for Reference {
    type Err = Error;

    fn from_str(text: &str) -> Result<Reference> {
        let (pod, version) = match text.split_once('@') {
            Some((pod, version)) => (pod, Some(version)),
            None => (text, None),
        };
        check_name("a pod's name", pod)?;
        if let Some(version) = version.filter(|version| readings(version).is_empty()) {
            let shown: String = version.chars().take(HASH).collect();
            return Err(Error::usage(format!("{shown:?} names no version")).hint(
                "say NAME@3 (the third), NAME@1f9c (a hash of 4 or more digits), NAME@MEMBER (a member's head) or \
                 NAME@~1 (the one before your head)",
            ));
        }
        Ok(Reference { pod: pod.to_owned(), version: version.map(str::to_owned) })
    }
}

impl TryFrom<String> for Reference {
    type Error = Error;

    fn try_from(text: String) -> Result<Reference> {
        text.parse()
    }
}

impl From<Reference> for String {
    fn from(reference: Reference) -> String {
        reference.to_string()
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.version {
            Some(version) => write!(f, "{}@{version}", self.pod),
            None => f.write_str(&self.pod),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Vec<At> {
        text.parse::<Reference>().unwrap().readings()
    }

    #[test]
    fn each_form_is_read_as_documented() {
        assert_eq!(read("p"), []);
        assert_eq!(read("p@3"), [At::Number(3), At::Member("3".into())]);
        assert_eq!(read("p@~1"), [At::Back(1)]);
        assert_eq!(read("p@~0"), [At::Back(0)]);
        assert_eq!(read("p@1f9c"), [At::Hash("1f9c".into()), At::Member("1f9c".into())]);
        assert_eq!(read("p@1234"), [At::Number(1234), At::Hash("1234".into()), At::Member("1234".into())]);
        assert_eq!(read("p@0123"), [At::Hash("0123".into()), At::Member("0123".into())]);
        assert_eq!(read("p@1f9"), [At::Member("1f9".into())]);
        assert_eq!(read("my-pod.v2@anna"), [At::Member("anna".into())]);
        assert_eq!(read(&format!("p@{}", "a".repeat(64)))[0], At::Hash("a".repeat(64)));
    }

    #[test]
    fn odd_references_are_refused() {
        for text in ["", "@", "@3", "p@", "p@~", "p@~x", "p@~01", "p@a b", "../p", "p/../q", "p@../x", "a@b@c", "p@-1"]
        {
            assert!(text.parse::<Reference>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_reference_that_prints_itself_or_an_error(text in "\\PC{0,20}") {
            if let Ok(reference) = text.parse::<Reference>() {
                prop_assert_eq!(reference.to_string(), text);
            }
        }
    }
}
