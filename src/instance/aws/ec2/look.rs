//! What there is in a region, and what each thing is called.
//!
//! Nearly everything in EC2 has a generated id and no name of its own. Its name in an address is its `Name` tag, else
//! what tells it from others (a block of addresses), after the name of the VPC that it lies in. What an instance makes
//! by itself is called `default`, a VPC's own tables `main` and `default`.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::call::{list, name_tag, text};
use crate::core::address::Address;
use crate::error::Result;
use crate::instance::aws::{ApiError, Scope, ids, items, quirks};

/// Kinds, in the order in which names build on one another.
pub(super) const KINDS: [&str; 12] = [
    "vpc",
    "subnet",
    "internet-gateway",
    "security-group",
    "elastic-ip",
    "key-pair",
    "launch-template",
    "instance",
    "volume",
    "nat-gateway",
    "route-table",
    "network-acl",
];

/// One thing that is there.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub kind: &'static str,
    pub name: String,
    pub id: String,
    /// Whether the instance made it by itself: it can be changed, but not be made or deleted.
    pub own: bool,
    /// The VPC that it lies in is the default one.
    pub in_default: bool,
    pub live: Json,
}

/// What there is of some kinds.
#[derive(Debug, Default)]
pub(super) struct Look {
    pub found: Vec<Found>,
    /// Kinds that could not be listed, and why.
    pub failed: Vec<(&'static str, ApiError)>,
}

/// How a kind is listed: the action, the list in its answer, and the field that holds the id.
fn listing(kind: &str) -> (&'static str, &'static str, &'static str) {
    match kind {
        "vpc" => ("DescribeVpcs", "vpcSet", "vpcId"),
        "subnet" => ("DescribeSubnets", "subnetSet", "subnetId"),
        "internet-gateway" => ("DescribeInternetGateways", "internetGatewaySet", "internetGatewayId"),
        "security-group" => ("DescribeSecurityGroups", "securityGroupInfo", "groupId"),
        "route-table" => ("DescribeRouteTables", "routeTableSet", "routeTableId"),
        "network-acl" => ("DescribeNetworkAcls", "networkAclSet", "networkAclId"),
        "elastic-ip" => ("DescribeAddresses", "addressesSet", "allocationId"),
        "nat-gateway" => ("DescribeNatGateways", "natGatewaySet", "natGatewayId"),
        "key-pair" => ("DescribeKeyPairs", "keySet", "keyPairId"),
        "launch-template" => ("DescribeLaunchTemplates", "launchTemplates", "launchTemplateId"),
        "instance" => ("DescribeInstances", "reservationSet", "instanceId"),
        _ => ("DescribeVolumes", "volumeSet", "volumeId"),
    }
}

/// What must be listed so that things of a kind can be named and put in order.
fn needed(kind: &str) -> &'static [&'static str] {
    match kind {
        "vpc" => &["vpc"],
        "subnet" => &["vpc", "subnet"],
        "internet-gateway" => &["vpc", "internet-gateway"],
        "security-group" => &["vpc", "security-group"],
        "route-table" => &["vpc", "route-table"],
        "network-acl" => &["vpc", "network-acl"],
        "elastic-ip" => &["elastic-ip"],
        "nat-gateway" => &["vpc", "subnet", "nat-gateway"],
        "key-pair" => &["key-pair"],
        "launch-template" => &["launch-template"],
        "instance" => &["instance"],
        _ => &["instance", "volume"],
    }
}

impl Look {
    /// Everything.
    pub async fn at_all(cx: &Scope<'_>) -> Result<Look, ApiError> {
        Look::at(cx, &KINDS).await
    }

    /// What one kind's things are called, and what they are.
    pub async fn at_kind(cx: &Scope<'_>, kind: &str) -> Result<Look> {
        let look = Look::at(cx, needed(kind)).await?;
        match look.failed.first() {
            Some((_, error)) => Err(error.clone().into()),
            None => Ok(look),
        }
    }

    async fn at(cx: &Scope<'_>, kinds: &[&'static str]) -> Result<Look, ApiError> {
        let mut look = Look::default();
        for &kind in kinds {
            if kinds.len() == KINDS.len() && !look.is_worth(cx, kind) {
                continue;
            }
            let (action, set, id) = listing(kind);
            let parameters = if kind == "key-pair" { json!({"IncludePublicKey": true}) } else { Json::Null };
            let mut listed = match list(cx, action, &parameters, set).await {
                Err(error) if error.is_gone() => return Err(error),
                Err(error) => {
                    look.failed.push((kind, error));
                    continue;
                }
                Ok(listed) => listed,
            };
            if kind == "instance" {
                listed = listed.iter().flat_map(|one| items(&one["instancesSet"]).iter().cloned()).collect();
            }
            listed.retain(|live| is_there(live) && !text(live, id).is_empty());
            if kind == "volume" {
                listed.retain(|volume| !is_root(volume, &look.found));
            }
            let named: Vec<(String, String, Json)> =
                listed.into_iter().map(|live| (look.name(kind, &live), rank(kind, &live), live)).collect();
            for (name, live) in ids::named(named) {
                let in_default = look.vpc_of(&live).is_some_and(|vpc| vpc.own);
                let gateway = in_default && name_tag(&live).is_none() && quirks::default_vpc_has_gateway(cx.emulator);
                let own = is_own(kind, &live) || (kind == "internet-gateway" && gateway);
                let id = text(&live, id).to_owned();
                look.found.push(Found { kind, name, id, own, in_default, live });
            }
        }
        Ok(look)
    }

    /// Whether a kind is worth listing, with what was found so far: in a region that is not the caller's own and in
    /// which nothing was made, a default VPC's tables are taken for what they were.
    fn is_worth(&self, cx: &Scope<'_>, kind: &str) -> bool {
        let late = matches!(kind, "nat-gateway" | "network-acl" | "route-table");
        !late || cx.region == cx.client.home_region() || self.found.iter().any(|found| !found.own)
    }

    /// The thing with this id.
    pub fn by_id(&self, id: &str) -> Option<&Found> {
        self.found.iter().find(|found| found.id == id)
    }

    fn vpc_of(&self, live: &Json) -> Option<&Found> {
        let attached = items(&live["attachmentSet"]).first().map(|attachment| text(attachment, "vpcId"));
        let id = if live["vpcId"].is_string() { text(live, "vpcId") } else { attached? };
        self.found.iter().find(|found| found.kind == "vpc" && found.id == id)
    }

    fn name(&self, kind: &str, live: &Json) -> String {
        let tag = name_tag(live);
        let vpc = self.vpc_of(live);
        let within = |name: &str| vpc.map_or_else(|| name.to_owned(), |vpc| format!("{}/{name}", vpc.name));
        match kind {
            "vpc" if live["isDefault"] == "true" => "default".to_owned(),
            "vpc" => tag.unwrap_or(text(live, "cidrBlock")).to_owned(),
            "subnet" if live["defaultForAz"] == "true" => within(text(live, "availabilityZone")),
            "subnet" => within(tag.unwrap_or(text(live, "cidrBlock"))),
            "internet-gateway" => match (tag, vpc) {
                (Some(tag), _) => tag.to_owned(),
                (None, Some(vpc)) => vpc.name.clone(),
                (None, None) => "unattached".to_owned(),
            },
            "security-group" => within(text(live, "groupName")),
            "route-table" if is_main(live) => within("main"),
            "route-table" => within(tag.unwrap_or("table")),
            "network-acl" if live["default"] == "true" => within("default"),
            "network-acl" => within(tag.unwrap_or("acl")),
            "nat-gateway" => {
                let subnet = || self.by_id(text(live, "subnetId")).map(|subnet| subnet.name.as_str());
                tag.or_else(subnet).unwrap_or("nat").to_owned()
            }
            "elastic-ip" => tag.unwrap_or("address").to_owned(),
            "key-pair" => text(live, "keyName").to_owned(),
            "launch-template" => text(live, "launchTemplateName").to_owned(),
            "instance" => tag.unwrap_or(text(live, "instanceType")).to_owned(),
            _ => tag.unwrap_or("volume").to_owned(),
        }
    }
}

impl Found {
    pub fn address(&self, cx: &Scope<'_>) -> Address {
        cx.address(self.kind, &self.name)
    }
}

/// What is deleted is listed for a while.
fn is_there(live: &Json) -> bool {
    const GONE: [&str; 6] = ["terminated", "shutting-down", "deleting", "deleted", "failed", "error"];
    let state = live["instanceState"]["name"].as_str().or(live["state"].as_str()).or(live["status"].as_str());
    !state.is_some_and(|state| GONE.contains(&state))
}

pub(super) fn is_main(table: &Json) -> bool {
    items(&table["associationSet"]).iter().any(|association| association["main"] == "true")
}

fn is_own(kind: &str, live: &Json) -> bool {
    match kind {
        "vpc" => live["isDefault"] == "true",
        "subnet" => live["defaultForAz"] == "true",
        "security-group" => live["groupName"] == "default",
        "route-table" => is_main(live),
        "network-acl" => live["default"] == "true",
        _ => false,
    }
}

/// By what equals are told apart: nothing that the instance generated. What the instance made itself comes first.
fn rank(kind: &str, live: &Json) -> String {
    if is_own(kind, live) {
        return String::new();
    }
    let mut texts: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    gather("", live, &mut texts);
    format!("-{texts:?}")
}

fn gather<'j>(name: &str, json: &'j Json, texts: &mut BTreeMap<String, Vec<&'j str>>) {
    const TOLD: [&str; 10] = [
        "availabilityZone",
        "cidrBlock",
        "destinationCidrBlock",
        "imageId",
        "instanceType",
        "key",
        "ruleAction",
        "size",
        "value",
        "volumeType",
    ];
    match json {
        Json::Object(fields) => fields.iter().for_each(|(name, field)| gather(name, field, texts)),
        Json::Array(list) => list.iter().for_each(|item| gather(name, item, texts)),
        Json::String(text) if TOLD.contains(&name) => texts.entry(name.to_owned()).or_default().push(text),
        _ => {}
    }
}

/// Whether a volume is an instance's root, or is left of one that is gone (ministack lets it stand).
fn is_root(volume: &Json, instances: &[Found]) -> bool {
    items(&volume["attachmentSet"]).iter().any(|attached| {
        let id = text(attached, "instanceId");
        match instances.iter().find(|found| found.kind == "instance" && found.id == id) {
            Some(instance) => text(&instance.live, "rootDeviceName") == text(attached, "device"),
            None => !id.is_empty() && text(attached, "deleteOnTermination") == "true",
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_are_told_apart_by_what_people_said() {
        let volume = |id, size| json!({"volumeId": id, "size": size, "createTime": id});
        assert_eq!(rank("volume", &volume("vol-1", "8")), rank("volume", &volume("vol-2", "8")));
        assert_ne!(rank("volume", &volume("vol-1", "8")), rank("volume", &volume("vol-1", "9")));
        assert_eq!(rank("security-group", &json!({"groupName": "default"})), "");
    }
}
