//! EC2: networks (VPCs, subnets, gateways, route tables, security groups, network ACLs, elastic addresses), key pairs,
//! launch templates, instances and volumes.
//!
//! Everything has a generated id; what stands for it in records is a name, see [`look`]. What an instance makes by
//! itself (a default VPC and what is in it, a VPC's own tables and groups) is recorded only when it was changed.

mod call;
mod group;
mod look;
mod machine;
mod network;
mod table;
mod template;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use serde_json::{Value as Json, json};

use self::call::{request, retag, undo};
use self::look::{Found, Look};
use crate::core::address::Address;
use crate::core::content::Contents;
use crate::core::record::Record;
use crate::error::{Error, Result};
use crate::instance::aws::described::{Attributes, changes};
use crate::instance::aws::{Emulator, Request, Scope, Service, quirks, tags};
use crate::instance::{Sink, Stage, Step};

/// The kind of the records that hold a group's rules.
const RULES: &str = "security-group-rules";

/// The service.
#[derive(Default)]
pub struct Ec2 {
    /// What was seen in an account's region when its ids were asked for, for the capture that follows: a look is a dozen calls.
    seen: Mutex<HashMap<(String, String), Look>>,
}

#[async_trait]
impl Service for Ec2 {
    fn name(&self) -> &'static str {
        "ec2"
    }

    fn probe(&self) -> Option<Request> {
        Some(request("DescribeKeyPairs", &Json::Null))
    }

    fn partial(&self, emulator: Emulator, _agent: bool) -> Option<&'static str> {
        match emulator {
            Emulator::Ministack | Emulator::Fakecloud => {
                Some("key pairs come back with other keys: it shows no public key")
            }
            _ => None,
        }
    }

    async fn ids(&self, cx: &Scope<'_>) -> Result<Vec<(Address, String)>> {
        let Some(look) = look_around(cx).await? else { return Ok(Vec::new()) };
        let ids = look.found.iter().map(|found| (found.address(cx), found.id.clone())).collect();
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(place(cx), look);
        Ok(ids)
    }

    fn stage(&self, address: &Address) -> Stage {
        match address.kind() {
            "vpc" | "key-pair" | "elastic-ip" => Stage::Foundation,
            "subnet" | "internet-gateway" | "security-group" => Stage::Resource,
            "route-table" | "volume" => Stage::Item,
            _ => Stage::Dependent,
        }
    }

    async fn capture(&self, cx: &Scope<'_>, sink: &dyn Sink) -> Result<()> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).remove(&place(cx));
        let look = match seen {
            Some(look) => Some(look),
            None => look_around(cx).await?,
        };
        let Some(look) = look else { return Ok(()) };
        for (kind, error) in &look.failed {
            cx.each_kind(sink, [(kind, Err(error.clone().into()))])?;
        }
        let mut found = Vec::new();
        for one in look.found {
            if one.kind == "security-group" {
                found.push((cx.address(RULES, &one.name), one.clone()));
            }
            found.push((one.address(cx), one));
        }
        cx.each(sink, found, |address, found| async move {
            let attributes = read(cx, address.kind(), &found).await?;
            if attributes == usual(cx, address.kind(), &found) && (found.own || address.kind() == RULES) {
                return Ok(());
            }
            if !found.own {
                sink.mark(&address, &found.id);
            }
            sink.record(address, Record::new(attributes))
        })
        .await
    }

    async fn apply(&self, cx: &Scope<'_>, step: &Step, _contents: &dyn Contents) -> Result<()> {
        let kind = step.address.kind();
        let of_group = kind == RULES;
        let look_for = if of_group { "security-group" } else { kind };
        if !look::KINDS.contains(&look_for) || step.address.collection_and_item().is_some() {
            return Err(Error::failed(format!("this peapod can't restore a {kind} of EC2"))
                .hint("it was captured by a newer peapod: update this one"));
        }
        let known = cx.address(look_for, step.address.name());
        let look = Look::at_kind(cx, look_for).await?;
        let before = step.before.as_ref().map(|before| &before.attributes);
        let Some(after) = &step.after else {
            let Some(found) = find(cx, &look, &known) else { return Ok(()) };
            if found.own || of_group {
                let after = usual(cx, kind, found);
                return settle(cx, kind, &look, found, before, &after).await;
            }
            return delete(cx, &look, found).await;
        };
        let after = &after.attributes;
        match find(cx, &look, &known) {
            Some(found) => {
                // What can't be changed is made anew.
                let live = read(cx, kind, found).await?;
                if !is_changeable(kind, found, &live, before, after) {
                    delete(cx, &look, found).await?;
                    return make(cx, &step.address, after).await;
                }
                cx.learn(&known, &found.id);
                settle(cx, kind, &look, found, before, after).await
            }
            None if of_group => Err(Error::denied(format!("there is no {known} to have these rules"))),
            None => make(cx, &step.address, after).await,
        }
    }
}

fn place(cx: &Scope<'_>) -> (String, String) {
    (cx.label.to_owned(), cx.region.to_owned())
}

/// Everything in a region; none where another region shows it.
async fn look_around(cx: &Scope<'_>) -> Result<Option<Look>> {
    if quirks::networks_span_regions(cx.emulator) && cx.region != cx.client.home_region() {
        return Ok(None);
    }
    let look = Look::at_all(cx).await?;
    match look.failed.first() {
        Some((_, error)) if look.found.is_empty() => Err(error.clone().into()),
        _ => Ok(Some(look)),
    }
}

/// The thing that stands at an address: the one with the id that is known for it, else the one that is called so and is
/// not known by another address (equals are made at the same time).
fn find<'l>(cx: &Scope<'_>, look: &'l Look, address: &Address) -> Option<&'l Found> {
    let all = || look.found.iter().filter(|found| found.kind == address.kind());
    let known = cx.id(address);
    let by_id = known.and_then(|id| all().find(|found| found.id == id));
    let is_other = |id: &str| {
        let reference = cx.portable_text(id);
        reference != id && cx.id(address).as_deref() != Some(id)
    };
    by_id.or_else(|| all().find(|found| found.name == address.name() && !is_other(&found.id)))
}

async fn read(cx: &Scope<'_>, kind: &str, found: &Found) -> Result<Attributes> {
    let mut attributes = match kind {
        "vpc" => network::read_vpc(cx, found).await?,
        "subnet" => network::read_subnet(cx, found),
        "internet-gateway" => network::read_gateway(cx, found),
        "security-group" => group::read(cx, found),
        RULES => return Ok(group::read_rules(cx, found)),
        "route-table" => table::read_routes(cx, found),
        "network-acl" => table::read_acl(cx, found),
        "elastic-ip" => network::read_address(),
        "nat-gateway" => network::read_nat(cx, found),
        "key-pair" => template::read_key(found),
        "launch-template" => template::read(cx, found).await?,
        "instance" => machine::read(cx, found).await?,
        _ => machine::read_volume(cx, found),
    };
    if let Some(tags) = tags::from_list(&found.live["tagSet"]) {
        attributes.insert("Tags".to_owned(), tags);
    }
    Ok(attributes)
}

/// What is recorded of something when nobody changed what the instance made.
fn usual(cx: &Scope<'_>, kind: &str, found: &Found) -> Attributes {
    match kind {
        "internet-gateway" => network::read_gateway(cx, found),
        RULES => group::usual_rules(),
        "route-table" => table::usual_routes(cx, found),
        "network-acl" => table::usual_acl(),
        _ => Attributes::new(),
    }
}

/// Whether what is there can become what shall be.
fn is_changeable(
    kind: &str,
    found: &Found,
    live: &Attributes,
    before: Option<&Attributes>,
    after: &Attributes,
) -> bool {
    let fixed: &[&str] = match kind {
        "vpc" => &["AmazonProvidedIpv6CidrBlock", "CidrBlock", "InstanceTenancy"],
        "subnet" => &["AvailabilityZone", "CidrBlock", "VpcId"],
        "security-group" => &["GroupDescription", "GroupName", "VpcId"],
        "route-table" | "network-acl" => &["VpcId"],
        "nat-gateway" => &["AllocationId", "ConnectivityType", "SubnetId"],
        "key-pair" => &["KeyType", "PublicKeyMaterial"],
        "launch-template" => return template::grows(live, after) || !changes("Versions", live, before, after),
        "instance" => {
            &["EbsOptimized", "IamInstanceProfile", "ImageId", "KeyName", "MetadataOptions", "SubnetId", "UserData"]
        }
        "volume" => &["AvailabilityZone", "Encrypted", "MultiAttachEnabled"],
        _ => &[],
    };
    found.own || !fixed.iter().any(|name| changes(name, live, before, after))
}

async fn make(cx: &Scope<'_>, address: &Address, after: &Attributes) -> Result<()> {
    let kind = address.kind();
    let needs = match kind {
        "vpc" | "subnet" => "CidrBlock",
        "security-group" | "route-table" | "network-acl" => "VpcId",
        _ => "",
    };
    if !needs.is_empty() && !after.contains_key(needs) {
        return Err(Error::denied(format!("{address} is made by an instance itself, and this one has none")));
    }
    let id = match kind {
        "vpc" => network::create_vpc(cx, after).await?,
        "subnet" => network::create_subnet(cx, after).await?,
        "internet-gateway" => network::create_gateway(cx, after).await?,
        "security-group" => group::create(cx, after).await?,
        "route-table" => table::create_routes(cx, after).await?,
        "network-acl" => table::create_acl(cx, after).await?,
        "elastic-ip" => network::create_address(cx, after).await?,
        "nat-gateway" => network::create_nat(cx, after).await?,
        "key-pair" => template::create_key(cx, address.name(), after).await?,
        "launch-template" => template::create(cx, address.name(), after).await?,
        "instance" => machine::create(cx, after).await?,
        _ => machine::create_volume(cx, after).await?,
    };
    if id.is_empty() {
        return Err(Error::failed(format!("the instance made {address}, but does not say its id")));
    }
    cx.learn(address, &id);
    let look = Look::at_kind(cx, kind).await?;
    let Some(found) = look.by_id(&id) else {
        return Err(Error::failed(format!("the instance made {address}, but does not list it")));
    };
    // What it was made with needs no second call, even where it was not kept.
    let made: Option<Attributes> = match kind {
        "instance" => Some(after.iter().filter(|(name, _)| *name != "State").map(own).collect()),
        "volume" => Some(after.iter().filter(|(name, _)| *name != "Attachments").map(own).collect()),
        _ => None,
    };
    settle(cx, kind, &look, found, made.as_ref(), after).await
}

fn own<A: Clone, B: Clone>((name, value): (&A, &B)) -> (A, B) {
    (name.clone(), value.clone())
}

async fn settle(
    cx: &Scope<'_>,
    kind: &str,
    look: &Look,
    found: &Found,
    before: Option<&Attributes>,
    after: &Attributes,
) -> Result<()> {
    let live = &read(cx, kind, found).await?;
    if kind != RULES && changes("Tags", live, before, after) {
        retag(cx, &found.id, live, after).await?;
    }
    match kind {
        "vpc" if !found.own => network::settle_vpc(cx, found, live, before, after).await,
        "subnet" => network::settle_subnet(cx, found, live, before, after).await,
        "internet-gateway" => network::settle_gateway(cx, found, live, after).await,
        RULES => group::settle_rules(cx, found, live, before, after).await,
        "route-table" => table::settle_routes(cx, look, found, live, before, after).await,
        "network-acl" => table::settle_acl(cx, look, found, live, before, after).await,
        "launch-template" => template::settle(cx, found, live, before, after).await,
        "instance" => machine::settle(cx, found, live, before, after).await,
        "volume" => machine::settle_volume(cx, found, live, before, after).await,
        _ => Ok(()),
    }
}

async fn delete(cx: &Scope<'_>, look: &Look, found: &Found) -> Result<()> {
    let id = &found.id;
    match found.kind {
        "vpc" => undo(cx, "DeleteVpc", json!({ "VpcId": id })).await,
        "subnet" => undo(cx, "DeleteSubnet", json!({ "SubnetId": id })).await,
        "internet-gateway" => network::delete_gateway(cx, found).await,
        "security-group" => undo(cx, "DeleteSecurityGroup", json!({ "GroupId": id })).await,
        "route-table" => table::delete_routes(cx, found).await,
        "network-acl" => table::delete_acl(cx, look, found).await,
        "elastic-ip" => undo(cx, "ReleaseAddress", json!({ "AllocationId": id })).await,
        "nat-gateway" => undo(cx, "DeleteNatGateway", json!({ "NatGatewayId": id })).await,
        "key-pair" => undo(cx, "DeleteKeyPair", json!({ "KeyName": found.name })).await,
        "launch-template" => undo(cx, "DeleteLaunchTemplate", json!({ "LaunchTemplateId": id })).await,
        "instance" => machine::delete(cx, found, &machine::read(cx, found).await?).await,
        _ => machine::delete_volume(cx, found).await,
    }
}
