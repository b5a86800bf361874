//! VPCs, subnets, internet gateways, elastic addresses and NAT gateways.

use serde_json::{Value as Json, json};

use super::call::{act, keep, local, request, tagging, text, undo};
use super::look::Found;
use crate::core::value::Value;
use crate::error::Result;
use crate::instance::aws::described::{Attributes, changes};
use crate::instance::aws::{Scope, items};

const DNS: [(&str, &str, &str); 3] = [
    ("enableDnsHostnames", "EnableDnsHostnames", "false"),
    ("enableDnsSupport", "EnableDnsSupport", "true"),
    ("enableNetworkAddressUsageMetrics", "EnableNetworkAddressUsageMetrics", "false"),
];

const SUBNET: [(&str, &str, &str); 3] = [
    ("assignIpv6AddressOnCreation", "AssignIpv6AddressOnCreation", "false"),
    ("enableDns64", "EnableDns64", "false"),
    ("mapPublicIpOnLaunch", "MapPublicIpOnLaunch", "false"),
];

const HOSTNAMES: [(&str, &str, &str); 3] = [
    ("enableResourceNameDnsAAAARecord", "EnableResourceNameDnsAAAARecordOnLaunch", "false"),
    ("enableResourceNameDnsARecord", "EnableResourceNameDnsARecordOnLaunch", "false"),
    ("hostnameType", "PrivateDnsHostnameTypeOnLaunch", "ip-name"),
];

/// The blocks of addresses that a VPC has besides its first one, and their associations.
fn more_blocks(live: &Json) -> Vec<(&str, &str)> {
    let associations = items(&live["cidrBlockAssociationSet"]).iter();
    let there =
        associations.filter(|one| !one["cidrBlockState"]["state"].as_str().unwrap_or_default().starts_with("dis"));
    let blocks = there.map(|one| (text(one, "cidrBlock"), text(one, "associationId")));
    blocks.filter(|(block, _)| *block != text(live, "cidrBlock") && !block.is_empty()).collect()
}

/// A default VPC's blocks and DNS settings are what each make likes: only its tags are looked at.
pub(super) async fn read_vpc(cx: &Scope<'_>, found: &Found) -> Result<Attributes> {
    let mut attributes = Attributes::new();
    if found.own {
        return Ok(attributes);
    }
    let live = &found.live;
    keep(
        cx,
        &mut attributes,
        live,
        &[("cidrBlock", "CidrBlock", ""), ("instanceTenancy", "InstanceTenancy", "default")],
    );
    let blocks = more_blocks(live);
    if !blocks.is_empty() {
        attributes.insert("MoreCidrBlocks".into(), Value::text_set(blocks.into_iter().map(|(block, _)| block)));
    }
    if !items(&live["ipv6CidrBlockAssociationSet"]).is_empty() {
        attributes.insert("AmazonProvidedIpv6CidrBlock".into(), Value::text("true"));
    }
    for (told, name, usual) in DNS {
        let asked = request("DescribeVpcAttribute", &json!({"VpcId": found.id, "Attribute": told}));
        let answer = cx.call(asked).await?;
        let value = text(&answer[told], "value");
        if !value.is_empty() && value != usual {
            attributes.insert(name.to_owned(), Value::text(value));
        }
    }
    Ok(attributes)
}

pub(super) async fn create_vpc(cx: &Scope<'_>, after: &Attributes) -> Result<String> {
    let parameters = json!({
        "CidrBlock": local(cx, after, "CidrBlock"),
        "InstanceTenancy": local(cx, after, "InstanceTenancy"),
        "AmazonProvidedIpv6CidrBlock": local(cx, after, "AmazonProvidedIpv6CidrBlock"),
        "TagSpecification": tagging("vpc", after),
    });
    Ok(text(&act(cx, "CreateVpc", parameters).await?["vpc"], "vpcId").to_owned())
}

pub(super) async fn settle_vpc(
    cx: &Scope<'_>,
    found: &Found,
    live: &Attributes,
    before: Option<&Attributes>,
    after: &Attributes,
) -> Result<()> {
    for (_, name, usual) in DNS {
        if changes(name, live, before, after) {
            let value = after.get(name).and_then(Value::as_text).unwrap_or(usual);
            act(cx, "ModifyVpcAttribute", json!({"VpcId": found.id, name: {"Value": value}})).await?;
        }
    }
    if changes("MoreCidrBlocks", live, before, after) {
        let wanted = texts(after.get("MoreCidrBlocks"));
        let there = more_blocks(&found.live);
        for (_, association) in there.iter().filter(|(block, _)| !wanted.contains(block)) {
            undo(cx, "DisassociateVpcCidrBlock", json!({ "AssociationId": association })).await?;
        }
        for block in wanted.iter().filter(|block| !there.iter().any(|(other, _)| other == *block)) {
            act(cx, "AssociateVpcCidrBlock", json!({"VpcId": found.id, "CidrBlock": block})).await?;
        }
    }
    Ok(())
}

/// The texts in a set.
pub(super) fn texts(value: Option<&Value>) -> Vec<&str> {
    match value {
        Some(Value::Set(items)) => items.iter().filter_map(Value::as_text).collect(),
        _ => Vec::new(),
    }
}

/// A default subnet gives instances public addresses, another one does not, when nobody says otherwise.
pub(super) fn read_subnet(cx: &Scope<'_>, found: &Found) -> Attributes {
    let mut attributes = Attributes::new();
    let live = &found.live;
    if !found.own {
        keep(
            cx,
            &mut attributes,
            live,
            &[("availabilityZone", "AvailabilityZone", ""), ("cidrBlock", "CidrBlock", ""), ("vpcId", "VpcId", "")],
        );
    }
    for (told, name, usual) in SUBNET {
        let usual = if found.own && told == "mapPublicIpOnLaunch" { "true" } else { usual };
        keep(cx, &mut attributes, live, &[(told, name, usual)]);
    }
    keep(cx, &mut attributes, &live["privateDnsNameOptionsOnLaunch"], &HOSTNAMES);
    attributes
}

pub(super) async fn create_subnet(cx: &Scope<'_>, after: &Attributes) -> Result<String> {
    let parameters = json!({
        "VpcId": local(cx, after, "VpcId"),
        "CidrBlock": local(cx, after, "CidrBlock"),
        "AvailabilityZone": local(cx, after, "AvailabilityZone"),
        "TagSpecification": tagging("subnet", after),
    });
    Ok(text(&act(cx, "CreateSubnet", parameters).await?["subnet"], "subnetId").to_owned())
}

pub(super) async fn settle_subnet(
    cx: &Scope<'_>,
    found: &Found,
    live: &Attributes,
    before: Option<&Attributes>,
    after: &Attributes,
) -> Result<()> {
    for (told, name, usual) in SUBNET.into_iter().chain(HOSTNAMES) {
        if changes(name, live, before, after) {
            let usual = if found.own && told == "mapPublicIpOnLaunch" { "true" } else { usual };
            let value = after.get(name).and_then(Value::as_text).unwrap_or(usual);
            let value = if told == "hostnameType" { json!(value) } else { json!({ "Value": value }) };
            act(cx, "ModifySubnetAttribute", json!({"SubnetId": found.id, name: value})).await?;
        }
    }
    Ok(())
}

pub(super) fn read_gateway(cx: &Scope<'_>, found: &Found) -> Attributes {
    let mut attributes = Attributes::new();
    if let Some(attachment) = items(&found.live["attachmentSet"]).first() {
        keep(cx, &mut attributes, attachment, &[("vpcId", "VpcId", "")]);
    }
    attributes
}

pub(super) async fn create_gateway(cx: &Scope<'_>, after: &Attributes) -> Result<String> {
    let parameters = json!({"TagSpecification": tagging("internet-gateway", after)});
    let answer = act(cx, "CreateInternetGateway", parameters).await?;
    Ok(text(&answer["internetGateway"], "internetGatewayId").to_owned())
}

pub(super) async fn settle_gateway(cx: &Scope<'_>, found: &Found, live: &Attributes, after: &Attributes) -> Result<()> {
    if live.get("VpcId") == after.get("VpcId") {
        return Ok(());
    }
    detach(cx, found).await?;
    if after.contains_key("VpcId") {
        let parameters = json!({"InternetGatewayId": found.id, "VpcId": local(cx, after, "VpcId")});
        act(cx, "AttachInternetGateway", parameters).await?;
    }
    Ok(())
}

async fn detach(cx: &Scope<'_>, found: &Found) -> Result<()> {
    for attachment in items(&found.live["attachmentSet"]) {
        let parameters = json!({"InternetGatewayId": found.id, "VpcId": text(attachment, "vpcId")});
        undo(cx, "DetachInternetGateway", parameters).await?;
    }
    Ok(())
}

pub(super) async fn delete_gateway(cx: &Scope<'_>, found: &Found) -> Result<()> {
    detach(cx, found).await?;
    undo(cx, "DeleteInternetGateway", json!({ "InternetGatewayId": found.id })).await
}

/// An elastic address is one that the instance chooses: there is nothing to say of it but its tags.
pub(super) fn read_address() -> Attributes {
    Attributes::from([("Domain".to_owned(), Value::text("vpc"))])
}

pub(super) async fn create_address(cx: &Scope<'_>, after: &Attributes) -> Result<String> {
    let parameters = json!({"Domain": "vpc", "TagSpecification": tagging("elastic-ip", after)});
    Ok(text(&act(cx, "AllocateAddress", parameters).await?, "allocationId").to_owned())
}

pub(super) fn read_nat(cx: &Scope<'_>, found: &Found) -> Attributes {
    let mut attributes = Attributes::new();
    keep(cx, &mut attributes, &found.live, &[("subnetId", "SubnetId", "")]);
    if text(&found.live, "connectivityType") == "private" {
        attributes.insert("ConnectivityType".into(), Value::text("private"));
    }
    if let Some(address) = items(&found.live["natGatewayAddressSet"]).first() {
        keep(cx, &mut attributes, address, &[("allocationId", "AllocationId", "")]);
    }
    attributes
}

pub(super) async fn create_nat(cx: &Scope<'_>, after: &Attributes) -> Result<String> {
    let parameters = json!({
        "SubnetId": local(cx, after, "SubnetId"),
        "AllocationId": local(cx, after, "AllocationId"),
        "ConnectivityType": local(cx, after, "ConnectivityType"),
        "TagSpecification": tagging("natgateway", after),
    });
    Ok(text(&act(cx, "CreateNatGateway", parameters).await?["natGateway"], "natGatewayId").to_owned())
}
