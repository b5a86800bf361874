//! Security groups, and their rules, which are a record of their own: groups refer to one another, in circles too, so
//! rules come when all groups are there.
//!
//! A new group lets everything out and nothing in; rules are recorded where they say something else. That members of a
//! group named `default` may talk to one another holds by itself in AWS and fakecloud, and is no rule anywhere.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};

use super::call::{act, keep, local, tagging, text, undo};
use super::look::Found;
use crate::core::value::Value;
use crate::error::Result;
use crate::instance::aws::described::{Attributes, changes};
use crate::instance::aws::{Scope, items};

/// What a rule speaks of: the list it stands in in answers and in requests, and its field in both.
const PEERS: [(&str, &str, &str, &str); 4] = [
    ("ipRanges", "IpRanges", "cidrIp", "CidrIp"),
    ("ipv6Ranges", "Ipv6Ranges", "cidrIpv6", "CidrIpv6"),
    ("groups", "Groups", "groupId", "GroupId"),
    ("prefixListIds", "PrefixListIds", "prefixListId", "PrefixListId"),
];

/// The two directions: the attribute, the list in answers, and what the actions' names end in.
const DIRECTIONS: [(&str, &str, &str); 2] =
    [("Egress", "ipPermissionsEgress", "Egress"), ("Ingress", "ipPermissions", "Ingress")];

pub(super) fn read(cx: &Scope<'_>, found: &Found) -> Attributes {
    let mut attributes = Attributes::new();
    if !found.own {
        keep(
            cx,
            &mut attributes,
            &found.live,
            &[("groupDescription", "GroupDescription", ""), ("groupName", "GroupName", ""), ("vpcId", "VpcId", "")],
        );
    }
    attributes
}

pub(super) async fn create(cx: &Scope<'_>, after: &Attributes) -> Result<String> {
    let parameters = json!({
        "GroupName": local(cx, after, "GroupName"),
        "GroupDescription": local(cx, after, "GroupDescription"),
        "VpcId": local(cx, after, "VpcId"),
        "TagSpecification": tagging("security-group", after),
    });
    Ok(text(&act(cx, "CreateSecurityGroup", parameters).await?, "groupId").to_owned())
}

/// What a group's rules are when nobody said anything.
pub(super) fn usual_rules() -> Attributes {
    let rules = BTreeSet::from([everything("CidrIp", "0.0.0.0/0")]);
    Attributes::from([("Egress".to_owned(), Value::Set(rules))])
}

/// The rule that lets everything pass.
fn everything(peer: &str, block: &str) -> Value {
    let rule = [("IpProtocol", "-1"), (peer, block)].map(|(name, value)| (name.to_owned(), Value::text(value)));
    Value::Map(rule.into())
}

pub(super) fn read_rules(cx: &Scope<'_>, found: &Found) -> Attributes {
    let mut attributes = Attributes::new();
    for (name, told, _) in DIRECTIONS {
        let mut rules = BTreeSet::new();
        for permission in items(&found.live[told]) {
            for (list, _, field, _) in PEERS {
                for peer in items(&permission[list]) {
                    if found.own && text(permission, "ipProtocol") == "-1" && text(peer, field) == found.id {
                        continue;
                    }
                    rules.insert(Value::Map(rule(cx, permission, peer)));
                }
            }
        }
        // Where a VPC has IPv6, who lets everything out does so over both (moto 5.2.5, as AWS).
        if rules.contains(&everything("CidrIp", "0.0.0.0/0")) {
            rules.remove(&everything("CidrIpv6", "::/0"));
        }
        if !rules.is_empty() {
            attributes.insert(name.to_owned(), Value::Set(rules));
        }
    }
    attributes
}

fn rule(cx: &Scope<'_>, permission: &Json, peer: &Json) -> Attributes {
    let mut rule = Attributes::new();
    keep(cx, &mut rule, permission, &[("ipProtocol", "IpProtocol", "")]);
    if text(permission, "ipProtocol") != "-1" {
        keep(cx, &mut rule, permission, &[("fromPort", "FromPort", ""), ("toPort", "ToPort", "")]);
    }
    keep(cx, &mut rule, peer, &PEERS.map(|(_, _, told, name)| (told, name, "")));
    if !text(peer, "description").is_empty() {
        rule.insert("Description".to_owned(), Value::text(text(peer, "description")));
    }
    rule
}

pub(super) async fn settle_rules(
    cx: &Scope<'_>,
    found: &Found,
    live: &Attributes,
    before: Option<&Attributes>,
    after: &Attributes,
) -> Result<()> {
    let none = BTreeSet::new();
    let rules = |attributes: &Attributes, name: &str| match attributes.get(name) {
        Some(Value::Set(rules)) => rules.clone(),
        _ => none.clone(),
    };
    for (name, _, direction) in DIRECTIONS {
        if !changes(name, live, before, after) {
            continue;
        }
        let (have, want) = (rules(live, name), rules(after, name));
        for rule in have.difference(&want) {
            let parameters = json!({"GroupId": found.id, "IpPermissions": [permission(cx, rule)]});
            undo(cx, &format!("RevokeSecurityGroup{direction}"), parameters).await?;
        }
        let put: Vec<Json> = want.difference(&have).map(|rule| permission(cx, rule)).collect();
        if !put.is_empty() {
            let parameters = json!({"GroupId": found.id, "IpPermissions": put});
            act(cx, &format!("AuthorizeSecurityGroup{direction}"), parameters).await?;
        }
    }
    Ok(())
}

/// A rule as requests want it.
fn permission(cx: &Scope<'_>, rule: &Value) -> Json {
    let none = BTreeMap::new();
    let rule = rule.as_map().unwrap_or(&none);
    let mut permission = json!({
        "IpProtocol": local(cx, rule, "IpProtocol"),
        "FromPort": local(cx, rule, "FromPort"),
        "ToPort": local(cx, rule, "ToPort"),
    });
    for (_, list, _, field) in PEERS {
        if rule.contains_key(field) {
            let mut peer = json!({ field: local(cx, rule, field) });
            if let Some(description) = rule.get("Description") {
                peer["Description"] = description.to_json();
            }
            permission[list] = json!([peer]);
        }
    }
    permission
}
