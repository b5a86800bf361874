//! What several answers have in common, with the field names that scripts rely on. Ids are lower-case hex, times RFC 3339.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::app::clock::rfc3339;
use crate::app::state::App;
use crate::app::strategy::Strategy;
use crate::app::team;
use crate::core::name::Name;
use crate::core::version::{Skip, Version};
use crate::error::Result;
use crate::store::Store;
use crate::tree::{self, Change};

/// A number and what it counts: `1 conflict`, `2 conflicts`.
pub fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// One version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionView {
    /// The pod it belongs to.
    pub pod: String,
    /// Its name.
    pub version: String,
    /// The tree that holds its state.
    pub root: String,
    /// Its author's key; none for a merge without conflicts.
    pub author: Option<String>,
    /// The author's name in the roster, if known.
    pub member: Option<String>,
    /// The versions it follows.
    pub parents: Vec<String>,
    /// What the author says about it.
    pub message: String,
    /// When it was made.
    pub created: Option<String>,
    /// How many records.
    pub records: u64,
    /// Records and contents together, before dedup and compression.
    pub bytes: u64,
    /// What the capture had to leave out.
    pub skipped: Vec<Skipped>,
}

impl VersionView {
    /// The view of a version.
    pub fn new(app: &App, name: &Name, version: &Version) -> Result<VersionView> {
        let by = version.authorship.as_ref();
        Ok(VersionView {
            pod: version.pod.clone(),
            version: name.to_string(),
            root: version.root.to_string(),
            author: by.map(|by| by.author.to_string()),
            member: by.map(|by| team::member_name(app, &by.author)).transpose()?.flatten(),
            parents: version.parents.iter().map(Name::to_string).collect(),
            message: version.message.clone(),
            created: by.map(|by| rfc3339(by.created)),
            records: version.stats.records,
            bytes: version.stats.bytes,
            skipped: version.skipped.iter().map(Skipped::from).collect(),
        })
    }
}

/// Something that could not be captured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// The address, or its leading parts.
    pub address: String,
    /// Why.
    pub reason: String,
}

impl From<&Skip> for Skipped {
    fn from(skip: &Skip) -> Skipped {
        Skipped { address: skip.prefix.join("/"), reason: skip.reason.clone() }
    }
}

impl Skipped {
    /// For a person: regions that lack a service for one reason are one line, `sqs in 34 regions`.
    pub fn by_service(skipped: &[Skipped]) -> Vec<Skipped> {
        let mut grouped: Vec<Skipped> = vec![];
        let mut regions: BTreeMap<(&str, &str), (usize, usize)> = BTreeMap::new();
        for skip in skipped {
            let &[_, _, service] = skip.address.split('/').collect::<Vec<_>>().as_slice() else {
                grouped.push(skip.clone());
                continue;
            };
            let (place, count) = regions.entry((service, &skip.reason)).or_insert((grouped.len(), 0));
            *count += 1;
            match grouped.get_mut(*place) {
                Some(line) => line.address = format!("{service} in {}", counted(*count, "region")),
                None => grouped.push(skip.clone()),
            }
        }
        grouped
    }
}

/// How many records differ.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// There now and not before.
    pub added: u64,
    /// Different.
    pub changed: u64,
    /// There before and not now.
    pub removed: u64,
}

impl Counts {
    /// How many records differ between two trees.
    pub fn between(store: &Store, before: &Name, after: &Name) -> Result<Counts> {
        let mut counts = Counts::default();
        for change in tree::diff(store, before, after)? {
            counts.count(&change?);
        }
        Ok(counts)
    }

    /// Counts one difference.
    pub fn count(&mut self, change: &Change) {
        match (&change.before, &change.after) {
            (None, _) => self.added += 1,
            (_, None) => self.removed += 1,
            (Some(_), Some(_)) => self.changed += 1,
        }
    }

    /// Whether nothing differs.
    pub fn is_zero(&self) -> bool {
        *self == Counts::default()
    }
}

/// An address where two sides disagree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConflictView {
    /// Where.
    pub address: String,
    /// What each side did, for a person.
    pub reason: String,
    /// One side: the instance, one's own version, or the first that was named.
    pub ours: ConflictSide,
    /// The other side.
    pub theirs: ConflictSide,
    /// What differs, where both sides have the record; empty beyond [`crate::limits::CONFLICTS_EXPLAINED`].
    pub attributes: Vec<ConflictAttribute>,
}

/// One side of a conflict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConflictSide {
    /// What it is called: `instance`, `pod`, `yours`, `theirs`, `first`, `second`.
    pub side: String,
    /// What it did to the record since the base: `added`, `changed`, `deleted`, `kept`, or `absent`.
    pub did: String,
    /// The key of who did it last, where the history tells.
    pub author: Option<String>,
    /// The author's name in the roster, if known.
    pub member: Option<String>,
}

/// An attribute that differs; none where a side does not have it. Long values are cut, and end in `…`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConflictAttribute {
    /// Its name, dotted below the first level; `body` stands for the value.
    pub attribute: String,
    /// What their common base has.
    #[serde(default)]
    pub base: Option<serde_json::Value>,
    /// What one side has.
    pub ours: Option<serde_json::Value>,
    /// What the other side has.
    pub theirs: Option<serde_json::Value>,
}

/// What a rule kept out of a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withheld {
    /// The rule, as it was given.
    pub rule: String,
    /// How many values.
    pub values: u64,
}

/// Something that an instance did not get or did not keep.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Lost {
    /// Where.
    pub address: String,
    /// What of it: attributes by name, or all of it.
    pub reason: String,
}

/// One operation of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanStep {
    /// `create`, `update` or `delete`.
    pub op: String,
    /// Where.
    pub address: String,
}

/// One attribute that differs; none where a side does not have it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AttributeChange {
    /// Its name, dotted below the first level.
    pub attribute: String,
    /// What the first side has.
    pub before: Option<serde_json::Value>,
    /// What the second side has.
    pub after: Option<serde_json::Value>,
}

/// What was, or would be, done to the instance.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct InjectOutcome {
    /// The pod.
    pub pod: String,
    /// The version that was put in; after an undo, the one that counts again, if there is one.
    pub version: Option<String>,
    /// How.
    pub strategy: Strategy,
    /// Records put in, changed and removed.
    pub applied: Counts,
    /// Conflicts that were settled.
    pub conflicts: Vec<ConflictView>,
    /// What the instance did not keep.
    pub lost: Vec<Lost>,
    /// What could not be brought, since the pod does not have it: it was withheld when it was committed.
    #[serde(default)]
    pub withheld: Vec<Lost>,
    /// What would be done; with `dry_run` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Vec<PlanStep>>,
}

impl InjectOutcome {
    /// Nothing was put anywhere.
    pub fn nothing(pod: &str, version: &Name, strategy: Strategy) -> InjectOutcome {
        InjectOutcome {
            pod: pod.to_owned(),
            version: Some(version.to_string()),
            strategy,
            applied: Counts::default(),
            conflicts: vec![],
            lost: vec![],
            withheld: vec![],
            plan: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_that_every_region_lacks_is_one_line() {
        let skip = |address: &str, reason: &str| Skipped { address: address.to_owned(), reason: reason.to_owned() };
        let skipped = [
            skip("self/us-east-1/dynamodb", "no download"),
            skip("self/us-east-1/sqs/queue/q", "no way to look"),
            skip("self/eu-west-1/dynamodb", "no download"),
            skip("self/eu-west-2/dynamodb", "broke down"),
            skip("", "and 3 more"),
        ];
        let lines = Skipped::by_service(&skipped);
        let lines: Vec<(&str, &str)> = lines.iter().map(|line| (line.address.as_str(), line.reason.as_str())).collect();
        assert_eq!(
            lines,
            [
                ("dynamodb in 2 regions", "no download"),
                ("self/us-east-1/sqs/queue/q", "no way to look"),
                ("self/eu-west-2/dynamodb", "broke down"),
                ("", "and 3 more"),
            ]
        );
    }
}
