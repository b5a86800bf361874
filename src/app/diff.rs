//! `diff`: what differs between two versions, or between a version and the instance.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::app::accounts;
use crate::app::capture::capture_without;
use crate::app::context::Context;
use crate::app::events::Events;
use crate::app::memory::Memory;
use crate::app::resolve::resolve;
use crate::app::services;
use crate::app::state::App;
use crate::app::views::{AttributeChange, Counts};
use crate::app::withholding;
use crate::core::name::Name;
use crate::core::record::Record;
use crate::core::reference::Reference;
use crate::core::select::{Selection, Selector};
use crate::core::value::Value;
use crate::core::version::Version;
use crate::core::withheld;
use crate::error::Result;
use crate::tree;

/// Asks what differs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Diff {
    /// The first side.
    pub from: Reference,
    /// The second side.
    pub to: Side,
    /// What of both.
    pub selection: Selection,
}

/// What the first side is compared with.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// Another version.
    Version(Reference),
    /// The version's first parent is the first side, and the version the second.
    Parent,
    /// The live instance.
    Instance,
}

/// How much differs. The addresses come as rows of `added`, `changed` and `removed`; the attributes of a changed record
/// ([`Detail`]) as a row of `details` behind it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DiffOutcome {
    /// The first side's version; none for the state before the first version.
    pub from: Option<String>,
    /// The second side's version; none for the instance.
    pub to: Option<String>,
    /// How many of each.
    pub counts: Counts,
}

/// What differs in one record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Detail {
    /// Where.
    pub address: String,
    /// Attribute by attribute; `body` stands for the value.
    pub attributes: Vec<AttributeChange>,
}

/// What differs.
pub async fn run(app: &App, cx: &Context, request: Diff, events: &Events) -> Result<DiffOutcome> {
    let store = &*app.store;
    let selector = Selector::new(request.selection.clone())?;
    let name = resolve(app, &request.from)?;
    let version = Version::read(store, &name)?;
    let (from, to, from_root, to_root) = match &request.to {
        Side::Version(to) => {
            let to = resolve(app, to)?;
            (Some(name), Some(to), version.root, Version::read(store, &to)?.root)
        }
        Side::Parent => {
            let parent = version.parents.first().copied();
            let root = match parent {
                Some(parent) => Version::read(store, &parent)?.root,
                None => tree::empty(store)?,
            };
            (parent, Some(name), root, version.root)
        }
        Side::Instance => (Some(name), None, version.root, live(app, cx, &version, &selector, events).await?),
    };
    services::require_held(store, &[from_root, to_root], &request.selection)?;
    // What was withheld says nothing about an instance.
    let is_live = matches!(request.to, Side::Instance);
    let mut counts = Counts::default();
    for change in tree::diff(store, &from_root, &to_root)? {
        let change = change?;
        if !selector.matches(&change.address) {
            continue;
        }
        let address = change.address.to_string();
        let records = match (&change.before, &change.after) {
            (Some(before), Some(after)) => {
                let (before, after) = (before.record(store)?, after.record(store)?);
                let (before, after) = if is_live { mutually_revealed(&before, &after) } else { (before, after) };
                if before == after {
                    continue;
                }
                Some((before, after))
            }
            _ => None,
        };
        counts.count(&change);
        match (change.before, change.after) {
            (None, _) => events.row("added", &address).await?,
            (_, None) => events.row("removed", &address).await?,
            (Some(_), Some(_)) => {
                events.row("changed", &address).await?;
                let attributes = records.map(|(before, after)| changed_attributes(&before, &after)).unwrap_or_default();
                events.row("details", &Detail { address, attributes }).await?;
            }
        }
    }
    let text = |name: Option<Name>| name.map(|name| name.to_string());
    Ok(DiffOutcome { from: text(from), to: text(to), counts })
}

/// Both records, with what is withheld in one as the other has it.
fn mutually_revealed(before: &Record, after: &Record) -> (Record, Record) {
    (withheld::reveal(before, after), withheld::reveal(after, before))
}

/// The instance's state as a commit of the version's pod would take it. What could not be captured is as the version
/// has it.
async fn live(app: &App, cx: &Context, version: &Version, selector: &Selector, events: &Events) -> Result<Name> {
    let store = &*app.store;
    let instance = cx.connect(None, events).await?;
    accounts::visit(store, &*instance, &[version.root])?;
    let rules = withholding::rules(app, &[])?;
    let captured = capture_without(app, &*instance, selector, &rules, events).await?;
    let memory = Memory::of(store, instance.url(), &version.pod, &captured)?;
    if let Some(memory) = memory {
        return memory.live(store, &Version::read(store, &memory.version)?.root, &captured);
    }
    let mut seen = tree::diff(store, &version.root, &captured.root)?.filter(|change| match change {
        Ok(change) => change.after.is_some() || captured.proves_absence(&change.address),
        Err(_) => true,
    });
    tree::edit(store, &version.root, &mut seen)
}

/// The attributes that differ between two records, maps in them followed down, and `body` where the bodies differ.
pub fn changed_attributes(before: &Record, after: &Record) -> Vec<AttributeChange> {
    let mut changes = vec![];
    compare("", &before.attributes, &after.attributes, &mut changes);
    if before.body != after.body {
        let size = |record: &Record| record.body.as_ref().map(|body| serde_json::json!({ "size": body.size() }));
        changes.push(AttributeChange { attribute: "body".into(), before: size(before), after: size(after) });
    }
    changes
}

fn compare(
    prefix: &str,
    before: &BTreeMap<String, Value>,
    after: &BTreeMap<String, Value>,
    changes: &mut Vec<AttributeChange>,
) {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for name in names {
        let attribute = format!("{prefix}{name}");
        match (before.get(name), after.get(name)) {
            (old, new) if old == new => {}
            (Some(Value::Map(old)), Some(Value::Map(new))) => compare(&format!("{attribute}."), old, new, changes),
            (old, new) => changes.push(AttributeChange {
                attribute,
                before: old.map(Value::to_json),
                after: new.map(Value::to_json),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nested_attribute_is_named_by_its_path() {
        let record = |color: &str, kept: bool| {
            let tags = Value::Map([("color".to_owned(), Value::text(color)), ("size".to_owned(), "s".into())].into());
            let mut attributes = BTreeMap::from([("Tags".to_owned(), tags)]);
            if kept {
                attributes.insert("Policy".into(), "p".into());
            }
            Record::new(attributes)
        };
        let changes = changed_attributes(&record("red", true), &record("blue", false));
        let names: Vec<&str> = changes.iter().map(|change| change.attribute.as_str()).collect();
        assert_eq!(names, ["Policy", "Tags.color"]);
        assert_eq!(changes[0].after, None);
        assert!(changed_attributes(&record("red", true), &record("red", true)).is_empty());
    }
}
