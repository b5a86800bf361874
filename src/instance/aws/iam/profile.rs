//! Instance profiles: the role that an EC2 instance has.

use std::collections::BTreeMap;

use super::{API, call, described_tags, params, retag, tag_params, text};
use crate::core::record::Record;
use crate::core::value::Value;
use crate::error::Result;
use crate::instance::aws::{Request, Scope, found, items, refused, tags};
use crate::instance::{Sink, Step};

/// In addresses.
pub(super) const PROFILE: &str = "instance-profile";
const NAME: &str = "InstanceProfileName";

pub(super) async fn capture(cx: &Scope<'_>, sink: &dyn Sink) -> Result<()> {
    let mut names = Vec::new();
    let mut pages = cx.pages(Request::form(&API, "ListInstanceProfiles", &[]), "Marker", "Marker");
    while let Some(page) = pages.next().await? {
        let listed = items(&page["InstanceProfiles"]).iter().filter_map(|profile| text(profile, NAME));
        names.extend(listed.map(|name| (cx.address(PROFILE, name), name.to_owned())));
    }
    cx.each(sink, names, |address, name| async move {
        if let Some((record, id)) = look(cx, &name).await? {
            sink.mark(&address, &id);
            sink.record(address, record)?;
        }
        Ok(())
    })
    .await
}

/// The profile as it stands there, and its generated id.
async fn look(cx: &Scope<'_>, name: &str) -> Result<Option<(Record, String)>> {
    let Some(answer) = found(call(cx, "GetInstanceProfile", &params([(NAME, name)])).await)? else { return Ok(None) };
    let profile = &answer["InstanceProfile"];
    let mut attributes = BTreeMap::from([("Path".to_owned(), Value::text(text(profile, "Path").unwrap_or("/")))]);
    let roles: Vec<&str> = items(&profile["Roles"]).iter().filter_map(|role| text(role, "RoleName")).collect();
    if !roles.is_empty() {
        attributes.insert("Roles".to_owned(), Value::text_set(roles));
    }
    attributes.extend(described_tags(&profile["Tags"]));
    let id = text(profile, "InstanceProfileId").unwrap_or_default().to_owned();
    Ok(Some((Record::new(attributes), id)))
}

fn roles(record: &Record) -> Vec<&str> {
    match record.attributes.get("Roles") {
        Some(Value::Set(roles)) => roles.iter().filter_map(Value::as_text).collect(),
        _ => Vec::new(),
    }
}

pub(super) async fn apply(cx: &Scope<'_>, step: &Step) -> Result<()> {
    let name = step.address.name();
    let mut live = look(cx, name).await?.map(|(record, _)| record);
    // A profile's path is fixed for its life.
    if let Some(old) = &live
        && step.after.as_ref().is_none_or(|after| after.text("Path") != old.text("Path"))
    {
        for role in roles(old) {
            remove(cx, name, role).await?;
        }
        found(call(cx, "DeleteInstanceProfile", &params([(NAME, name)])).await)?;
        live = None;
    }
    let Some(after) = &step.after else { return Ok(()) };
    let there = live.is_some();
    let live = live.unwrap_or_default();
    if there {
        retag(cx, "InstanceProfile", (NAME, name), live.attributes.get("Tags"), after.attributes.get("Tags")).await?;
    } else {
        let mut create = params([(NAME, name), ("Path", after.text("Path").unwrap_or("/"))]);
        create.extend(tag_params(&tags::changes(None, after.attributes.get("Tags")).0));
        call(cx, "CreateInstanceProfile", &create).await.map_err(refused)?;
    }
    let (old, new) = (roles(&live), roles(after));
    // It has one role at the most.
    for role in old.iter().filter(|role| !new.contains(role)) {
        remove(cx, name, role).await?;
    }
    for role in new.iter().filter(|role| !old.contains(role)) {
        add(cx, name, role).await?;
    }
    Ok(())
}

/// Puts a role into a profile.
pub(super) async fn add(cx: &Scope<'_>, profile: &str, role: &str) -> Result<()> {
    call(cx, "AddRoleToInstanceProfile", &params([(NAME, profile), ("RoleName", role)])).await.map_err(refused)?;
    Ok(())
}

async fn remove(cx: &Scope<'_>, profile: &str, role: &str) -> Result<()> {
    found(call(cx, "RemoveRoleFromInstanceProfile", &params([(NAME, profile), ("RoleName", role)])).await)?;
    Ok(())
}
