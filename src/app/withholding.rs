//! Withholding over whole states: what rules keep out of a version, and what a version that lacks it means to an
//! instance.

use crate::app::state::App;
use crate::app::views::{Lost, Withheld};
use crate::core::name::Name;
use crate::core::redact::Rules;
use crate::core::withheld;
use crate::error::{Error, Result};
use crate::limits;
use crate::store::Store;
use crate::tree::{self, Change, Leaf};

/// The team's rules and these.
pub fn rules(app: &App, more: &[String]) -> Result<Rules> {
    let roster = app.team.roster();
    let team: Vec<&str> = roster.iter().flat_map(|roster| roster.withheld()).collect();
    let ours = Rules::parse(&team).map_err(|error| {
        error
            .in_front("the team withholds by a rule that this peapod does not know")
            .hint("upgrade peapod, or ask an admin: `peapod team redact` lists the rules")
    })?;
    let rules = Rules::parse(ours.texts().chain(more.iter().map(String::as_str)))?;
    if rules.texts().count() > 2 * limits::REDACT_RULES {
        return Err(Error::usage(format!("more than {} rules", 2 * limits::REDACT_RULES)));
    }
    Ok(rules)
}

/// The state without what the rules withhold, and how much that is.
pub fn withhold(store: &Store, root: &Name, rules: &Rules) -> Result<(Name, Vec<Withheld>)> {
    if rules.is_empty() {
        return Ok((*root, vec![]));
    }
    let mut counts = vec![];
    let mut changes = tree::scan(store, root, &[])?.filter_map(|entry| {
        let withhold = |entry: tree::Entry, counts: &mut Vec<u64>| {
            let mut record = entry.record(store)?;
            if !rules.withhold(&entry.address, &mut record, counts) {
                return Ok(None);
            }
            let after = Some(Leaf::new(store, &entry.address, &record)?);
            Ok(Some(Change { address: entry.address, before: Some(entry.leaf), after }))
        };
        entry.and_then(|entry| withhold(entry, &mut counts)).transpose()
    });
    let withheld = tree::edit(store, root, &mut changes)?;
    drop(changes);
    counts.resize(rules.texts().count(), 0);
    let count = |(rule, values): (&str, u64)| Withheld { rule: rule.to_owned(), values };
    Ok((withheld, rules.texts().zip(counts).map(count).collect()))
}

/// The state `to` with everything withheld in it as `from` has it, where `from` has it: an instance keeps what the pod
/// does not say.
pub fn revealed(store: &Store, from: &Name, to: &Name) -> Result<Name> {
    let mut changes = tree::diff(store, from, to)?.filter_map(|change| {
        let reveal = |change: Change| {
            let (Some(before), Some(after)) = (&change.before, &change.after) else { return Ok(None) };
            let record = after.record(store)?;
            if !withheld::has_withheld(&record) {
                return Ok(None);
            }
            let known = withheld::reveal(&record, &before.record(store)?);
            let after = Some(Leaf::new(store, &change.address, &known)?);
            Ok((after != change.after).then_some(Change { after, ..change }))
        };
        change.and_then(reveal).transpose()
    });
    tree::edit(store, to, &mut changes)
}

/// What going from one state to another would put into an instance, and can't, since the pod does not have it. The first
/// [`limits::LOST`].
pub fn not_brought(store: &Store, from: &Name, to: &Name) -> Result<Vec<Lost>> {
    let mut lacking = vec![];
    for change in tree::diff(store, from, to)? {
        let change = change?;
        let Some(after) = &change.after else { continue };
        let (_, missing) = withheld::without(&after.record(store)?);
        if missing.is_empty() || lacking.len() >= limits::LOST {
            continue;
        }
        let what = missing.join(", ");
        let reason = match withheld::can_be_without(&change.address, &missing) {
            true => format!("withheld: {what}"),
            false => format!("left out: {what} is withheld"),
        };
        lacking.push(Lost { address: change.address.to_string(), reason });
    }
    Ok(lacking)
}
