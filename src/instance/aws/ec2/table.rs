//! Route tables and network ACLs: what both hold, and the subnets that they are for.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::call::{act, keep, local, tagging, text, undo};
use super::look::{Found, Look};
use super::network::texts;
use crate::core::value::Value;
use crate::error::{Kind, Result};
use crate::instance::aws::described::{Attributes, changes};
use crate::instance::aws::{Scope, items, quirks};

/// Where routes lead that can be put back: what is captured.
const TARGETS: [(&str, &str, &str); 3] =
    [("gatewayId", "GatewayId", ""), ("instanceId", "InstanceId", ""), ("natGatewayId", "NatGatewayId", "")];

/// Adds the VPC that a table lies in, and the subnets that it is for. A subnet that is told to use the main table does
/// what it would do untold.
fn read_common(cx: &Scope<'_>, found: &Found) -> Attributes {
    let mut attributes = Attributes::new();
    if found.own {
        return attributes;
    }
    keep(cx, &mut attributes, &found.live, &[("vpcId", "VpcId", "")]);
    let subnets = items(&found.live["associationSet"]).iter().map(|one| text(one, "subnetId"));
    let subnets: Vec<String> = subnets.filter(|id| !id.is_empty()).map(|id| cx.portable_text(id)).collect();
    if !subnets.is_empty() {
        attributes.insert("SubnetIds".to_owned(), Value::text_set(subnets));
    }
    attributes
}

/// A map that a table holds.
fn entries<'a>(attributes: &'a Attributes, name: &str) -> BTreeMap<&'a str, &'a Attributes> {
    let map = attributes.get(name).and_then(Value::as_map).into_iter().flatten();
    map.filter_map(|(key, value)| Some((key.as_str(), value.as_map()?))).collect()
}

pub(super) fn read_routes(cx: &Scope<'_>, found: &Found) -> Attributes {
    let mut attributes = read_common(cx, found);
    let mut routes = Attributes::new();
    for route in items(&found.live["routeSet"]) {
        let to = ["destinationCidrBlock", "destinationIpv6CidrBlock"].map(|name| text(route, name));
        let Some(to) = to.into_iter().find(|to| !to.is_empty()) else { continue };
        let mut target = Attributes::new();
        keep(cx, &mut target, route, &TARGETS);
        // Not the route to the VPC itself, and not one to what no record stands for.
        target.retain(|_, id| id.as_text().is_some_and(|id| id.starts_with('{')));
        if !target.is_empty() {
            routes.insert(to.to_owned(), Value::Map(target));
        }
    }
    if !routes.is_empty() {
        attributes.insert("Routes".to_owned(), Value::Map(routes));
    }
    attributes
}

/// What a VPC's main table holds by itself: nothing, but where the default VPC has a way out from the beginning.
pub(super) fn usual_routes(cx: &Scope<'_>, found: &Found) -> Attributes {
    let mut usual = Attributes::new();
    if found.in_default && quirks::default_vpc_has_route_out(cx.emulator) {
        let address = cx.address("internet-gateway", "default");
        let target = Attributes::from([("GatewayId".to_owned(), Value::text(format!("{{{address}}}")))]);
        let routes = Attributes::from([("0.0.0.0/0".to_owned(), Value::Map(target))]);
        usual.insert("Routes".to_owned(), Value::Map(routes));
    }
    usual
}

pub(super) async fn create_routes(cx: &Scope<'_>, after: &Attributes) -> Result<String> {
    let parameters = json!({"VpcId": local(cx, after, "VpcId"), "TagSpecification": tagging("route-table", after)});
    Ok(text(&act(cx, "CreateRouteTable", parameters).await?["routeTable"], "routeTableId").to_owned())
}

pub(super) async fn settle_routes(
    cx: &Scope<'_>,
    look: &Look,
    found: &Found,
    live: &Attributes,
    before: Option<&Attributes>,
    after: &Attributes,
) -> Result<()> {
    if changes("Routes", live, before, after) {
        let (have, want) = (entries(live, "Routes"), entries(after, "Routes"));
        for to in have.keys().filter(|to| !want.contains_key(*to)) {
            undo(cx, "DeleteRoute", json!({"RouteTableId": found.id, destination(to): to})).await?;
        }
        for (to, target) in want.iter().filter(|(to, target)| have.get(*to) != Some(target)) {
            let mut parameters = json!({"RouteTableId": found.id, destination(to): to});
            for (_, name, _) in TARGETS {
                parameters[name] = local(cx, target, name);
            }
            let action = if have.contains_key(to) { "ReplaceRoute" } else { "CreateRoute" };
            act(cx, action, parameters).await?;
        }
    }
    if !found.own && changes("SubnetIds", live, before, after) {
        let (have, want) = (subnets(cx, live), subnets(cx, after));
        for association in items(&found.live["associationSet"]) {
            if have.contains(&text(association, "subnetId").to_owned())
                && !want.contains(&text(association, "subnetId").to_owned())
            {
                let id = text(association, "routeTableAssociationId");
                undo(cx, "DisassociateRouteTable", json!({ "AssociationId": id })).await?;
            }
        }
        for subnet in want.iter().filter(|subnet| !have.contains(subnet)) {
            let elsewhere = association(look, "route-table", subnet, "routeTableAssociationId");
            let moved = match elsewhere {
                None => false,
                Some(id) => {
                    let parameters = json!({"AssociationId": id, "RouteTableId": found.id});
                    match act(cx, "ReplaceRouteTableAssociation", parameters).await {
                        Ok(_) => true,
                        // The table that had it has let go of it meanwhile.
                        Err(error) if error.kind() == Kind::Denied => false,
                        Err(error) => return Err(error),
                    }
                }
            };
            if !moved {
                act(cx, "AssociateRouteTable", json!({"RouteTableId": found.id, "SubnetId": subnet})).await?;
            }
        }
    }
    Ok(())
}

pub(super) async fn delete_routes(cx: &Scope<'_>, found: &Found) -> Result<()> {
    for association in items(&found.live["associationSet"]) {
        let id = text(association, "routeTableAssociationId");
        undo(cx, "DisassociateRouteTable", json!({ "AssociationId": id })).await?;
    }
    undo(cx, "DeleteRouteTable", json!({ "RouteTableId": found.id })).await
}

fn destination(to: &str) -> &'static str {
    if to.contains(':') { "DestinationIpv6CidrBlock" } else { "DestinationCidrBlock" }
}

/// The subnets of a table, by their ids here.
fn subnets(cx: &Scope<'_>, attributes: &Attributes) -> Vec<String> {
    texts(attributes.get("SubnetIds")).into_iter().map(|id| cx.local_text(id)).collect()
}

/// The association of a subnet with whichever table of a kind it has.
fn association<'l>(look: &'l Look, kind: &str, subnet: &str, id: &str) -> Option<&'l str> {
    let tables = look.found.iter().filter(|found| found.kind == kind);
    let mut all = tables.flat_map(|table| items(&table.live["associationSet"]));
    all.find(|one| text(one, "subnetId") == subnet).map(|one| text(one, id)).filter(|id| !id.is_empty())
}

/// The last entry of every ACL, which forbids what no other allowed.
const LAST: &str = "32767";

pub(super) fn read_acl(cx: &Scope<'_>, found: &Found) -> Attributes {
    let mut attributes = read_common(cx, found);
    let mut all = Attributes::new();
    for entry in items(&found.live["entrySet"]).iter().filter(|entry| text(entry, "ruleNumber") != LAST) {
        let mut told = Attributes::new();
        keep(
            cx,
            &mut told,
            entry,
            &[
                ("cidrBlock", "CidrBlock", ""),
                ("ipv6CidrBlock", "Ipv6CidrBlock", ""),
                ("protocol", "Protocol", ""),
                ("ruleAction", "RuleAction", ""),
            ],
        );
        for (list, name, fields) in [
            ("icmpTypeCode", "Icmp", [("code", "Code", ""), ("type", "Type", "")]),
            ("portRange", "PortRange", [("from", "From", ""), ("to", "To", "")]),
        ] {
            let mut inner = Attributes::new();
            keep(cx, &mut inner, &entry[list], &fields);
            if !inner.is_empty() {
                told.insert(name.to_owned(), Value::Map(inner));
            }
        }
        let direction = if text(entry, "egress") == "true" { "egress" } else { "ingress" };
        all.insert(format!("{direction} {}", text(entry, "ruleNumber")), Value::Map(told));
    }
    if !all.is_empty() {
        attributes.insert("Entries".to_owned(), Value::Map(all));
    }
    attributes
}

/// What a VPC's own ACL says by itself: everything may pass.
pub(super) fn usual_acl() -> Attributes {
    let all = [("CidrBlock", "0.0.0.0/0"), ("Protocol", "-1"), ("RuleAction", "allow")];
    let all: Attributes = all.map(|(name, value)| (name.to_owned(), Value::text(value))).into();
    let entries = ["egress 100", "ingress 100"].map(|key| (key.to_owned(), Value::Map(all.clone())));
    Attributes::from([("Entries".to_owned(), Value::Map(entries.into()))])
}

pub(super) async fn create_acl(cx: &Scope<'_>, after: &Attributes) -> Result<String> {
    let parameters = json!({"VpcId": local(cx, after, "VpcId"), "TagSpecification": tagging("network-acl", after)});
    Ok(text(&act(cx, "CreateNetworkAcl", parameters).await?["networkAcl"], "networkAclId").to_owned())
}

pub(super) async fn settle_acl(
    cx: &Scope<'_>,
    look: &Look,
    found: &Found,
    live: &Attributes,
    before: Option<&Attributes>,
    after: &Attributes,
) -> Result<()> {
    if changes("Entries", live, before, after) {
        let (have, want) = (entries(live, "Entries"), entries(after, "Entries"));
        for key in have.keys().filter(|key| !want.contains_key(*key)) {
            undo(cx, "DeleteNetworkAclEntry", entry(&found.id, key)).await?;
        }
        for (key, told) in want.iter().filter(|(key, told)| have.get(*key) != Some(told)) {
            let mut parameters = entry(&found.id, key);
            for (name, value) in *told {
                parameters[name] = value.to_json();
            }
            let action = if have.contains_key(key) { "ReplaceNetworkAclEntry" } else { "CreateNetworkAclEntry" };
            act(cx, action, parameters).await?;
        }
    }
    if !found.own && changes("SubnetIds", live, before, after) {
        let (have, want) = (subnets(cx, live), subnets(cx, after));
        for subnet in want.iter().filter(|subnet| !have.contains(subnet)) {
            // ministack does not say which subnets an ACL is for.
            if let Some(id) = association(look, "network-acl", subnet, "networkAclAssociationId") {
                let parameters = json!({"AssociationId": id, "NetworkAclId": found.id});
                act(cx, "ReplaceNetworkAclAssociation", parameters).await?;
            }
        }
        release(cx, look, found, &want).await?;
    }
    Ok(())
}

/// Gives a subnet that an ACL is no longer for back to the VPC's own one.
async fn release(cx: &Scope<'_>, look: &Look, found: &Found, wanted: &[String]) -> Result<()> {
    let own = look.found.iter().find(|other| {
        other.kind == "network-acl" && other.own && text(&other.live, "vpcId") == text(&found.live, "vpcId")
    });
    let Some(own) = own else { return Ok(()) };
    for association in items(&found.live["associationSet"]) {
        if !wanted.contains(&text(association, "subnetId").to_owned()) {
            let id = text(association, "networkAclAssociationId");
            let parameters = json!({"AssociationId": id, "NetworkAclId": own.id});
            undo(cx, "ReplaceNetworkAclAssociation", parameters).await?;
        }
    }
    Ok(())
}

pub(super) async fn delete_acl(cx: &Scope<'_>, look: &Look, found: &Found) -> Result<()> {
    release(cx, look, found, &[]).await?;
    undo(cx, "DeleteNetworkAcl", json!({ "NetworkAclId": found.id })).await
}

fn entry(acl: &str, key: &str) -> Json {
    let (direction, number) = key.split_once(' ').unwrap_or(("ingress", key));
    json!({"NetworkAclId": acl, "Egress": direction == "egress", "RuleNumber": number})
}
