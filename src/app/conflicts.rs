//! Conflicts as people and scripts see them: where, which side did what, what differs, and whose change it was.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::app::diff::changed_attributes;
use crate::app::history::last_change;
use crate::app::state::App;
use crate::app::team;
use crate::app::views::{AttributeChange, ConflictAttribute, ConflictSide, ConflictView, counted};
use crate::core::name::Name;
use crate::error::{Error, Result};
use crate::limits;
use crate::store::Store;
use crate::tree::{Conflict, Leaf};

/// The two sides of a merge, as its user calls them.
#[derive(Debug, Clone, Copy)]
pub struct Between<'a> {
    /// The side that [`Conflict::ours`] is.
    pub ours: Party<'a>,
    /// The side that [`Conflict::theirs`] is.
    pub theirs: Party<'a>,
    /// How the user decides.
    pub hint: &'a str,
}

/// One side.
#[derive(Debug, Clone, Copy)]
pub struct Party<'a> {
    /// What it is called: `instance`, `pod`, `yours`.
    pub name: &'a str,
    /// The version whose history tells who changed a record; none for an instance.
    pub version: Option<Name>,
}

impl<'a> Between<'a> {
    /// An instance, and a version that is put into it.
    pub fn instance_and_pod(version: Name) -> Between<'static> {
        Between {
            ours: Party { name: "instance", version: None },
            theirs: Party { name: "pod", version: Some(version) },
            hint: "nothing was changed; decide with --on-conflict pod or --on-conflict instance",
        }
    }

    /// The same sides, at these versions.
    pub fn of(self, ours: Name, theirs: Name) -> Between<'a> {
        let at = |party: Party<'a>, version| Party { version: Some(version), ..party };
        Between { ours: at(self.ours, ours), theirs: at(self.theirs, theirs), ..self }
    }
}

/// Conflicts as scripts see them, up to [`limits::CONFLICTS_SHOWN`]; the first [`limits::CONFLICTS_EXPLAINED`] with
/// authors and attributes.
pub fn views(app: &App, between: Between<'_>, conflicts: &[Conflict]) -> Result<Vec<ConflictView>> {
    let shown = conflicts.iter().take(limits::CONFLICTS_SHOWN).enumerate();
    shown.map(|(place, conflict)| view(app, between, conflict, place < limits::CONFLICTS_EXPLAINED)).collect()
}

fn view(app: &App, between: Between<'_>, conflict: &Conflict, explained: bool) -> Result<ConflictView> {
    let side = |party: Party<'_>, leaf: &Option<Leaf>| -> Result<ConflictSide> {
        let did = match (&conflict.base, leaf) {
            (None, None) => "absent",
            (base, leaf) if base == leaf => "kept",
            (_, None) => "deleted",
            (None, Some(_)) => "added",
            (Some(_), Some(_)) => "changed",
        };
        let change = match party.version.filter(|_| explained) {
            Some(version) => last_change(&app.store, version, &conflict.address)?,
            None => None,
        };
        let author = change.and_then(|change| Some(change.version.authorship?.author));
        Ok(ConflictSide {
            side: party.name.to_owned(),
            did: did.to_owned(),
            member: author.map(|author| team::member_name(app, &author)).transpose()?.flatten(),
            author: author.map(|author| author.to_string()),
        })
    };
    let (ours, theirs) = (side(between.ours, &conflict.ours)?, side(between.theirs, &conflict.theirs)?);
    Ok(ConflictView {
        address: conflict.address.to_string(),
        reason: format!("{}, {}", phrase(&ours), phrase(&theirs)),
        attributes: if explained { attributes(&app.store, conflict)? } else { vec![] },
        ours,
        theirs,
    })
}

/// `changed in pod by ben`.
fn phrase(side: &ConflictSide) -> String {
    let by = side.member.as_ref().map(|member| format!(" by {member}")).unwrap_or_default();
    format!("{} in {}{by}", side.did, side.side)
}

/// What differs where both sides have the record.
fn attributes(store: &Store, conflict: &Conflict) -> Result<Vec<ConflictAttribute>> {
    let (Some(ours), Some(theirs)) = (&conflict.ours, &conflict.theirs) else { return Ok(vec![]) };
    let theirs = theirs.record(store)?;
    let in_conflict = |change: &AttributeChange| {
        let below = |path: &String| change.attribute.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'));
        conflict.attributes.is_empty()
            || conflict.attributes.iter().any(|path| *path == change.attribute || below(path))
    };
    let changes = changed_attributes(&ours.record(store)?, &theirs).into_iter().filter(in_conflict);
    // What both have in common with the base is not among these, so that each that the base has differs from one side.
    let base = conflict.base.as_ref().map(|base| base.record(store)).transpose()?;
    let was: BTreeMap<String, Value> = match &base {
        Some(base) => {
            changed_attributes(base, &theirs).into_iter().filter_map(|c| Some((c.attribute, c.before?))).collect()
        }
        None => BTreeMap::new(),
    };
    let attribute = |change: AttributeChange| ConflictAttribute {
        base: was.get(&change.attribute).cloned().map(brief),
        attribute: change.attribute,
        ours: change.before.map(brief),
        theirs: change.after.map(brief),
    };
    Ok(changes.take(limits::CONFLICT_ATTRIBUTES).map(attribute).collect())
}

/// A value as it is, or the beginning of its text if that is long.
fn brief(value: Value) -> Value {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    if text.chars().count() <= limits::CONFLICT_VALUE {
        return value;
    }
    Value::String(text.chars().take(limits::CONFLICT_VALUE).chain(['…']).collect())
}

/// The error that lists conflicts; nothing was changed.
pub fn error(app: &App, between: Between<'_>, pod: &str, conflicts: &[Conflict]) -> Error {
    let views = match views(app, between, conflicts) {
        Ok(views) => views,
        Err(error) => return error.in_front(format!("{} in pod \"{pod}\"", counted(conflicts.len(), "conflict"))),
    };
    let named: Vec<&str> = views.iter().take(5).map(|view| view.address.as_str()).collect();
    let more = conflicts.len().saturating_sub(named.len());
    let tail = if more > 0 { format!(" and {more} more") } else { String::new() };
    Error::conflict(format!("{} in pod \"{pod}\": {}{tail}", counted(conflicts.len(), "conflict"), named.join(", ")))
        .hint(between.hint)
        .details(serde_json::json!({ "conflicts": views }))
}
