//! Published versions of a state machine, and the aliases that lead to them: a part of the machine's record, since a
//! version can only be published by making the machine what the version is.
//!
//! Instances number versions themselves. Versions are put back in order and gaps filled, so that an instance which never
//! published one gives them their old numbers, which aliases and callers use.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};

use super::{API, setting};
use crate::core::value::Value;
use crate::error::{Error, Result};
use crate::instance::aws::described::Attributes;
use crate::instance::aws::{Request, Scope, found, items, quirks, refused};
use crate::limits;

/// A definition that no version has: publishing takes a change.
const FILLER: &str = r#"{"Comment":"peapod","StartAt":"A","States":{"A":{"Type":"Pass","End":true}}}"#;

/// Adds `versions` and `aliases` to what is known of a machine, where it has any.
pub(super) async fn read(cx: &Scope<'_>, machine: &str, attributes: &mut Attributes) -> Result<()> {
    if !quirks::has_state_machine_versions(cx.emulator) {
        return Ok(());
    }
    let mut versions = BTreeMap::new();
    for number in numbers(cx, machine).await? {
        let request = json!({"stateMachineArn": format!("{machine}:{number}")});
        let Some(live) = found(cx.json(&API, "DescribeStateMachine", request).await)? else { continue };
        let mut version = setting::read(cx, &live)?;
        version.remove("type");
        if let Some(text) = live["description"].as_str().filter(|text| !text.is_empty()) {
            version.insert("description".to_owned(), text.into());
        }
        versions.insert(number.to_string(), Value::Map(version));
    }
    let mut aliases = BTreeMap::new();
    for name in alias_names(cx, machine).await? {
        let request = json!({"stateMachineAliasArn": format!("{machine}:{name}")});
        let Some(live) = found(cx.json(&API, "DescribeStateMachineAlias", request).await)? else { continue };
        let mut alias = BTreeMap::new();
        if let Some(text) = live["description"].as_str().filter(|text| !text.is_empty()) {
            alias.insert("description".to_owned(), text.into());
        }
        for route in items(&live["routingConfiguration"]) {
            let number = route["stateMachineVersionArn"].as_str().and_then(|arn| arn.rsplit(':').next());
            if let Some(number) = number {
                alias.insert(format!("version {number}"), Value::from_json(&route["weight"])?);
            }
        }
        aliases.insert(name, Value::Map(alias));
    }
    for (attribute, all) in [("versions", versions), ("aliases", aliases)] {
        if !all.is_empty() {
            attributes.insert(attribute.to_owned(), Value::Map(all));
        }
    }
    Ok(())
}

/// The numbers of a machine's versions.
async fn numbers(cx: &Scope<'_>, machine: &str) -> Result<BTreeSet<u64>> {
    let request = json!({"stateMachineArn": machine, "maxResults": 1000});
    let mut pages = cx.pages(Request::json(&API, "ListStateMachineVersions", request), "nextToken", "nextToken");
    let mut numbers = BTreeSet::new();
    while let Some(page) = found(pages.next().await)?.flatten() {
        let arns = items(&page["stateMachineVersions"]).iter().map(|version| &version["stateMachineVersionArn"]);
        numbers.extend(arns.filter_map(number));
    }
    Ok(numbers)
}

fn number(arn: &Json) -> Option<u64> {
    arn.as_str()?.rsplit(':').next()?.parse().ok()
}

async fn alias_names(cx: &Scope<'_>, machine: &str) -> Result<Vec<String>> {
    let request = json!({"stateMachineArn": machine, "maxResults": 1000});
    let mut pages = cx.pages(Request::json(&API, "ListStateMachineAliases", request), "nextToken", "nextToken");
    let mut names = Vec::new();
    while let Some(page) = found(pages.next().await)?.flatten() {
        let arns = items(&page["stateMachineAliases"]).iter().map(|alias| &alias["stateMachineAliasArn"]);
        names.extend(arns.filter_map(|arn| Some(arn.as_str()?.rsplit(':').next()?.to_owned())));
    }
    Ok(names)
}

/// The maps of one attribute by their names.
fn maps<'a>(attributes: &'a Attributes, name: &str) -> BTreeMap<&'a str, &'a Attributes> {
    let all = attributes.get(name).and_then(Value::as_map).into_iter().flatten();
    all.filter_map(|(name, value)| Some((name.as_str(), value.as_map()?))).collect()
}

/// Brings versions and aliases from what is live to what shall be, and leaves the machine itself as it shall be.
pub(super) async fn apply(cx: &Scope<'_>, machine: &str, live: &Attributes, after: &Attributes) -> Result<()> {
    if !quirks::has_state_machine_versions(cx.emulator) {
        return Ok(());
    }
    let (have, want) = (maps(live, "versions"), maps(after, "versions"));
    let (have_aliases, want_aliases) = (maps(live, "aliases"), maps(after, "aliases"));
    for alias in have_aliases.keys().filter(|alias| !want_aliases.contains_key(*alias)) {
        let request = json!({"stateMachineAliasArn": format!("{machine}:{alias}")});
        found(cx.json(&API, "DeleteStateMachineAlias", request).await).map_err(refused)?;
    }
    let numbered = want.iter().filter_map(|(number, version)| Some((number.parse::<u64>().ok()?, *version)));
    let mut missing: Vec<(u64, &Attributes)> =
        numbered.filter(|(number, _)| !have.contains_key(number.to_string().as_str())).collect();
    missing.sort_by_key(|(number, _)| *number);
    if !missing.is_empty() {
        let published = publish_all(cx, machine, after, &missing).await;
        // Whatever came of it, what runs from now on is what shall.
        let settings = current(cx, machine).await?;
        setting::update(cx, machine, &settings, None, after).await?;
        published?;
    }
    for (alias, wanted) in &want_aliases {
        if have_aliases.get(alias) != Some(wanted) {
            put_alias(cx, machine, alias, wanted, have_aliases.contains_key(alias)).await?;
        }
    }
    for number in have.keys().filter(|number| !want.contains_key(*number)) {
        delete(cx, machine, number).await?;
    }
    // What an instance does not keep of a version is missing from both looks at it, so only the heart of it counts.
    let other = |version: &Attributes, wanted: &Attributes| {
        ["definition", "description"].into_iter().any(|name| version.get(name) != wanted.get(name))
    };
    match have.iter().find(|(number, version)| want.get(*number).is_some_and(|wanted| other(version, wanted))) {
        Some((number, _)) => {
            Err(Error::denied(format!("version {number} is another one there, and no version can be changed")))
        }
        None => Ok(()),
    }
}

async fn current(cx: &Scope<'_>, machine: &str) -> Result<Attributes> {
    let live = cx.json(&API, "DescribeStateMachine", json!({"stateMachineArn": machine})).await?;
    setting::read(cx, &live)
}

async fn publish_all(cx: &Scope<'_>, machine: &str, after: &Attributes, missing: &[(u64, &Attributes)]) -> Result<()> {
    let mut gaps = 0;
    for (number, version) in missing {
        loop {
            // What was published already is not published again, so it changes on the way.
            let filler = Attributes::from([("definition".to_owned(), FILLER.into())]);
            let base = current(cx, machine).await?;
            let between = base.iter().map(|(name, value)| (name.clone(), value.clone())).chain(filler).collect();
            setting::update(cx, machine, &base, None, &between).await?;
            let mut wanted = (*version).clone();
            // A version is of its machine's kind.
            wanted.extend(after.get("type").map(|kind| ("type".to_owned(), kind.clone())));
            setting::update(cx, machine, &between, None, &wanted).await?;
            let mut request = json!({"stateMachineArn": machine});
            if let Some(text) = version.get("description").and_then(Value::as_text) {
                request["description"] = text.into();
            }
            let made = cx.json(&API, "PublishStateMachineVersion", request).await.map_err(refused)?;
            let made = self::number(&made["stateMachineVersionArn"])
                .ok_or_else(|| Error::failed("the instance gave the version no number"))?;
            if made == *number {
                break;
            }
            delete(cx, machine, &made.to_string()).await?;
            gaps += 1;
            if made > *number || gaps > limits::STATE_MACHINE_GAP {
                return Err(Error::denied(format!("version {number} can't be put back: the instance counts {made}")));
            }
        }
    }
    Ok(())
}

async fn delete(cx: &Scope<'_>, machine: &str, number: &str) -> Result<()> {
    let request = json!({"stateMachineVersionArn": format!("{machine}:{number}")});
    found(cx.json(&API, "DeleteStateMachineVersion", request).await).map_err(refused)?;
    Ok(())
}

async fn put_alias(cx: &Scope<'_>, machine: &str, name: &str, wanted: &Attributes, there: bool) -> Result<()> {
    let routes: Vec<Json> = wanted
        .iter()
        .filter_map(|(route, weight)| {
            let number = route.strip_prefix("version ")?;
            Some(json!({"stateMachineVersionArn": format!("{machine}:{number}"), "weight": weight.to_json()}))
        })
        .collect();
    let text = wanted.get("description").and_then(Value::as_text).unwrap_or_default();
    let mut request = json!({"description": text, "routingConfiguration": routes});
    let action = if there {
        request["stateMachineAliasArn"] = format!("{machine}:{name}").into();
        "UpdateStateMachineAlias"
    } else {
        request["name"] = name.into();
        "CreateStateMachineAlias"
    };
    cx.json(&API, action, request).await.map_err(refused)?;
    Ok(())
}
