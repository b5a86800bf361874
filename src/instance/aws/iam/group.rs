//! What a group has and a role or user has not: members.

use std::collections::BTreeSet;

use super::{API, call, params, text};
use crate::core::record::Record;
use crate::core::value::Value;
use crate::error::Result;
use crate::instance::aws::{Request, Scope, found, items, refused};

pub(super) const MEMBERS: &str = "Users";

/// The names of a group's members.
pub(super) async fn members(cx: &Scope<'_>, group: &str) -> Result<BTreeSet<String>> {
    let mut members = BTreeSet::new();
    let mut pages = cx.pages(Request::form(&API, "GetGroup", &[("GroupName", group)]), "Marker", "Marker");
    while let Some(page) = pages.next().await? {
        members.extend(items(&page[MEMBERS]).iter().filter_map(|user| text(user, "UserName")).map(str::to_owned));
    }
    Ok(members)
}

/// Brings the members of a group to what a record says. Who is not there costs nobody else.
pub(super) async fn put_members(cx: &Scope<'_>, group: &str, after: &Record) -> Result<()> {
    let wanted: BTreeSet<String> = match after.attributes.get(MEMBERS) {
        Some(Value::Set(users)) => users.iter().filter_map(Value::as_text).map(str::to_owned).collect(),
        _ => BTreeSet::new(),
    };
    let live = members(cx, group).await?;
    for user in wanted.difference(&live) {
        found(add(cx, group, user).await).map_err(refused)?;
    }
    for user in live.difference(&wanted) {
        remove(cx, group, user).await?;
    }
    Ok(())
}

/// Makes a user a member.
pub(super) async fn add(cx: &Scope<'_>, group: &str, user: &str) -> Result<(), crate::instance::aws::ApiError> {
    call(cx, "AddUserToGroup", &params([("GroupName", group), ("UserName", user)])).await.map(drop)
}

/// Takes a user out.
pub(super) async fn remove(cx: &Scope<'_>, group: &str, user: &str) -> Result<()> {
    found(call(cx, "RemoveUserFromGroup", &params([("GroupName", group), ("UserName", user)])).await)?;
    Ok(())
}
