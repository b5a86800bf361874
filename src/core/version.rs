//! Versions: snapshots in a pod's history.

use serde::{Deserialize, Serialize};

use crate::core::codec::{self, Format};
use crate::core::identity::{Author, Purpose, Secret, Signature};
use crate::core::name::{Kind, Name};
use crate::core::objects::Objects;
use crate::error::{Error, Result};
use crate::limits;

/// One snapshot: a state, what it came from, and who says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// The pod's name.
    pub pod: String,
    /// The versions it follows; the first is the line that `@3` and `@~1` count along. None for the first version.
    pub parents: Vec<Name>,
    /// The tree that holds the state.
    pub root: Name,
    /// Who made it and when; none for a merge without conflicts, so that two nodes that merge the same heads make the
    /// same version.
    pub authorship: Option<Authorship>,
    /// What the author says about it.
    pub message: String,
    /// What it was captured from; none for a merge.
    pub source: Option<Source>,
    /// Size of the state.
    pub stats: Stats,
    /// What the capture had to leave out.
    pub skipped: Vec<Skip>,
}

/// Who made a version and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authorship {
    /// The author's key.
    pub author: Author,
    /// Milliseconds since 1970. Shown, never used for ordering.
    pub created: u64,
}

/// The instance that a version was captured from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// `moto`, `ministack`, `localstack`, `fakecloud`, or `aws-api` for what says no name.
    pub emulator: String,
    /// As it reports it; empty when it does not.
    pub version: String,
    /// The schema of the adapters that made the records.
    pub schema: u32,
}

/// Size of a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Stats {
    /// How many records.
    pub records: u64,
    /// Records and contents together, in bytes, before dedup and compression.
    pub bytes: u64,
}

/// A resource, or everything below it, that could not be captured; its absence is not a deletion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skip {
    /// The leading parts of the addresses that it covers: `[account, region, service, ..]`.
    pub prefix: Vec<String>,
    /// Why, for a person.
    pub reason: String,
}

impl Skip {
    /// Whether an address lies under it.
    pub fn covers(&self, parts: &[String]) -> bool {
        parts.len() >= self.prefix.len() && parts[..self.prefix.len()] == self.prefix[..]
    }
}

/// A version as it is stored: with its author's signature, if it has an author.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Signed {
    version: Version,
    signature: Option<Signature>,
}

impl Format for Version {
    const NUMBER: u8 = 1;
    const LIMIT: usize = limits::VERSION;
    const WORD: &'static str = "a version";
}

impl Format for Signed {
    const NUMBER: u8 = 1;
    const LIMIT: usize = limits::VERSION;
    const WORD: &'static str = "a version";
}

impl Version {
    /// Signs the version with its author's key, keeps it and names it. A version without author is kept unsigned.
    pub fn write(&self, objects: &dyn Objects, secret: &Secret) -> Result<Name> {
        self.check()?;
        let signature = match &self.authorship {
            Some(by) if by.author == secret.author() => Some(secret.sign(Purpose::Version, &codec::encode(self)?)),
            Some(_) => return Err(Error::denied("a version is signed by its author alone")),
            None => None,
        };
        objects.put(Kind::Version, &codec::encode(&Signed { version: self.clone(), signature })?)
    }

    /// The version of that name, its signature verified. It says nothing about whether its tree is held.
    pub fn read(objects: &dyn Objects, name: &Name) -> Result<Version> {
        Self::from_bytes(&objects.get(Kind::Version, name)?)
    }

    /// The version in these bytes, its signature verified.
    pub fn from_bytes(bytes: &[u8]) -> Result<Version> {
        let Signed { version, signature } = codec::decode(bytes)?;
        version.check()?;
        match (&version.authorship, &signature) {
            (Some(by), Some(signature)) => by.author.verify(Purpose::Version, &codec::encode(&version)?, signature)?,
            (None, None) => {}
            (Some(_), None) => return Err(Error::denied("a version without its author's signature")),
            (None, Some(_)) => return Err(Error::denied("a version signed by nobody it names")),
        }
        Ok(version)
    }

    /// The bounds that hold for every version, made here or elsewhere.
    fn check(&self) -> Result<()> {
        check_name("a pod's name", &self.pod)?;
        if self.parents.len() > limits::VERSION_PARENTS
            || self.message.len() > limits::MESSAGE
            || self.skipped.len() > limits::VERSION_SKIPPED
        {
            return Err(Error::failed("a version with too many parents, skips, or too long a message"));
        }
        if self.authorship.is_none() && (self.parents.len() < 2 || !self.parents.is_sorted_by(|a, b| a < b)) {
            return Err(Error::denied("a version without an author that is not a merge of sorted parents"));
        }
        Ok(())
    }
}

/// Refuses names that can't be typed, printed or told apart: pods, teams and members all follow it.
///
/// 1 to [`limits::NAME`] characters of letters, digits, `.`, `_` and `-`, the first a letter or a digit.
pub fn check_name(what: &str, name: &str) -> Result<()> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.len() <= limits::NAME && name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(legal) {
        return Ok(());
    }
    let shown: String = name.chars().take(limits::NAME).collect();
    Err(Error::usage(format!("{shown:?} can't be {what}"))
        .hint("use up to 100 letters, digits, dots, dashes and underscores, beginning with a letter or a digit"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::objects::memory::Memory;

    fn version(author: Option<Author>) -> Version {
        Version {
            pod: "p".into(),
            parents: vec![],
            root: Name([7; 32]),
            authorship: author.map(|author| Authorship { author, created: 1 }),
            message: "first".into(),
            source: None,
            stats: Stats::default(),
            skipped: vec![],
        }
    }

    #[test]
    fn a_version_reads_back_and_a_forged_one_does_not() {
        let (alice, bob) = (Secret::from_seed(&[1; 32]), Secret::from_seed(&[2; 32]));
        let objects = Memory::default();
        let name = version(Some(alice.author())).write(&objects, &alice).unwrap();
        assert_eq!(Version::read(&objects, &name).unwrap(), version(Some(alice.author())));
        assert!(version(Some(alice.author())).write(&objects, &bob).is_err());

        let unsigned = Signed { version: version(Some(alice.author())), signature: None };
        assert!(Version::from_bytes(&codec::encode(&unsigned).unwrap()).is_err());
        let signature = Some(bob.sign(Purpose::Version, &codec::encode(&unsigned.version).unwrap()));
        let forged = Signed { signature, ..unsigned };
        assert!(Version::from_bytes(&codec::encode(&forged).unwrap()).is_err());
    }

    #[test]
    fn only_a_merge_goes_without_an_author() {
        let secret = Secret::from_seed(&[1; 32]);
        let objects = Memory::default();
        assert!(version(None).write(&objects, &secret).is_err());
        let merge = Version { parents: vec![Name([1; 32]), Name([2; 32])], ..version(None) };
        assert!(merge.write(&objects, &secret).is_ok());
        let unsorted = Version { parents: vec![Name([2; 32]), Name([1; 32])], ..version(None) };
        assert!(unsorted.write(&objects, &secret).is_err());
    }

    #[test]
    fn names_are_plain() {
        for good in ["p1", "my-pod.v2_x"] {
            assert!(check_name("a pod's name", good).is_ok());
        }
        for bad in ["", "-p", "../p", "a b", "a@3", "é", &"x".repeat(101)] {
            assert!(check_name("a pod's name", bad).is_err(), "{bad}");
        }
    }
}
