//! References: which version `NAME@REF` means.

use crate::app::state::App;
use crate::app::team;
use crate::app::versions::{self, ancestors, local_head};
use crate::core::name::Name;
use crate::core::reference::{At, Reference};
use crate::error::{Error, Result};

/// The version that a reference means, among those held here.
pub fn resolve(app: &App, reference: &Reference) -> Result<Name> {
    if !reference.is_version() {
        return own_head(app, reference.pod());
    }
    for reading in reference.readings() {
        if let Some(name) = read(app, reference, &reading)? {
            return Ok(name);
        }
    }
    Err(Error::not_found(format!("there is no version {reference} here"))
        .hint(format!("`peapod log {}` shows the versions there are", reference.pod())))
}

fn own_head(app: &App, pod: &str) -> Result<Name> {
    if let Some(head) = local_head(&app.store, pod)? {
        return Ok(head);
    }
    let is_member = |pod: &str| {
        let roster = app.team.roster()?;
        Some(roster.members.values().any(|member| member.name == pod))
    };
    let hint = if is_member(pod) == Some(true) {
        format!("{pod} is a member: @{pod} names their head")
    } else if team::member_heads(app, pod)?.is_empty() {
        "`peapod list` shows the pods there are; `peapod commit` makes one".to_owned()
    } else {
        format!("teammates have it: `peapod pull {pod}` brings it here")
    };
    Err(Error::not_found(format!("there is no pod \"{pod}\" here")).hint(hint))
}

fn read(app: &App, reference: &Reference, reading: &At) -> Result<Option<Name>> {
    let store = &*app.store;
    let pod = reference.pod();
    match reading {
        At::Member(member) => team::head_of(app, pod, member),
        At::Back(steps) => {
            let mut line = versions::first_parents(store, own_head(app, pod)?);
            let steps = usize::try_from(*steps).unwrap_or(usize::MAX);
            Ok(line.nth(steps).transpose()?.map(|(name, _)| name))
        }
        At::Number(number) => {
            let Some(head) = local_head(store, pod)? else { return Ok(None) };
            let line = versions::first_parents(store, head).collect::<Result<Vec<_>>>()?;
            let place = usize::try_from(*number).ok().and_then(|number| line.len().checked_sub(number));
            Ok(place.and_then(|place| line.get(place)).map(|(name, _)| *name))
        }
        At::Hash(prefix) => {
            let mut heads: Vec<Name> = team::member_heads(app, pod)?.into_iter().map(|(_, head)| head).collect();
            heads.extend(local_head(store, pod)?);
            heads.extend(versions::snapshots(store, pod)?);
            let all = ancestors(store, &heads)?.into_iter().map(|(name, _)| name).chain(heads);
            let found: std::collections::BTreeSet<Name> =
                all.filter(|name| name.to_string().starts_with(prefix)).collect();
            if found.len() > 1 {
                return Err(Error::usage(format!("{reference} is ambiguous: {} versions begin so", found.len()))
                    .hint("give more digits; `peapod log --json` prints all of them"));
            }
            Ok(found.into_iter().next())
        }
    }
}
