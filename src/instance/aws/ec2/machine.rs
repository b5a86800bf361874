//! Instances, running or stopped, and volumes. An instance's root volume comes and goes with it and is no record.

use serde_json::{Value as Json, json};

use super::call::{act, keep, local, request, tagging, text, undo};
use super::look::Found;
use crate::core::value::Value;
use crate::error::Result;
use crate::instance::aws::described::{Attributes, changes};
use crate::instance::aws::{Scope, items};

/// Attributes that DescribeInstanceAttribute tells one by one: in answers, in requests, and usually.
const ASKED: [(&str, &str, &str); 3] = [
    ("disableApiTermination", "DisableApiTermination", "false"),
    ("instanceInitiatedShutdownBehavior", "InstanceInitiatedShutdownBehavior", "stop"),
    ("userData", "UserData", ""),
];

/// What is told about its metadata service, and usually.
const METADATA: [(&str, &str, &str); 5] = [
    ("httpEndpoint", "HttpEndpoint", "enabled"),
    ("httpProtocolIpv6", "HttpProtocolIpv6", "disabled"),
    ("httpPutResponseHopLimit", "HttpPutResponseHopLimit", "1"),
    ("httpTokens", "HttpTokens", "optional"),
    ("instanceMetadataTags", "InstanceMetadataTags", "disabled"),
];

pub(super) async fn read(cx: &Scope<'_>, found: &Found) -> Result<Attributes> {
    let live = &found.live;
    let mut attributes = Attributes::new();
    keep(
        cx,
        &mut attributes,
        live,
        &[
            ("ebsOptimized", "EbsOptimized", "false"),
            ("imageId", "ImageId", ""),
            ("instanceType", "InstanceType", ""),
            ("keyName", "KeyName", ""),
            ("subnetId", "SubnetId", ""),
        ],
    );
    keep(cx, &mut attributes, &live["iamInstanceProfile"], &[("arn", "IamInstanceProfile", "")]);
    let groups = items(&live["groupSet"]);
    // Who names no group is in the one called `default`; moto leaves it out.
    if groups.iter().any(|group| group["groupName"] != "default") {
        let groups = groups.iter().map(|group| cx.portable_text(text(group, "groupId")));
        attributes.insert("SecurityGroupIds".to_owned(), Value::text_set(groups));
    }
    if text(&live["monitoring"], "state") == "enabled" {
        attributes.insert("Monitoring".to_owned(), Value::text("true"));
    }
    let mut metadata = Attributes::new();
    keep(cx, &mut metadata, &live["metadataOptions"], &METADATA);
    if !metadata.is_empty() {
        attributes.insert("MetadataOptions".to_owned(), Value::Map(metadata));
    }
    let state = text(&live["instanceState"], "name");
    let state = if state.starts_with("stop") { "stopped" } else { "running" };
    attributes.insert("State".to_owned(), Value::text(state));
    for (told, name, usual) in ASKED {
        let asked = request("DescribeInstanceAttribute", &json!({"InstanceId": found.id, "Attribute": told}));
        let answer = cx.call(asked).await?;
        let value = text(&answer[told], "value");
        if !value.is_empty() && value != usual {
            attributes.insert(name.to_owned(), Value::text(value));
        }
    }
    Ok(attributes)
}

pub(super) async fn create(cx: &Scope<'_>, after: &Attributes) -> Result<String> {
    let mut parameters = json!({
        "IamInstanceProfile": {"Arn": local(cx, after, "IamInstanceProfile")},
        "MaxCount": 1,
        "MetadataOptions": local(cx, after, "MetadataOptions"),
        "MinCount": 1,
        "Monitoring": {"Enabled": local(cx, after, "Monitoring")},
        "SecurityGroupId": local(cx, after, "SecurityGroupIds"),
        "TagSpecification": tagging("instance", after),
    });
    for name in ["EbsOptimized", "ImageId", "InstanceType", "KeyName", "SubnetId"] {
        parameters[name] = local(cx, after, name);
    }
    for (_, name, _) in ASKED {
        parameters[name] = after.get(name).map_or(Json::Null, Value::to_json);
    }
    let answer = act(cx, "RunInstances", parameters).await?;
    Ok(items(&answer["instancesSet"]).first().map(|one| text(one, "instanceId")).unwrap_or_default().to_owned())
}

pub(super) async fn settle(
    cx: &Scope<'_>,
    found: &Found,
    live: &Attributes,
    before: Option<&Attributes>,
    after: &Attributes,
) -> Result<()> {
    let id = found.id.as_str();
    for (name, usual) in
        [("DisableApiTermination", "false"), ("InstanceInitiatedShutdownBehavior", "stop"), ("InstanceType", "")]
    {
        if changes(name, live, before, after) {
            let value = after.get(name).and_then(Value::as_text).unwrap_or(usual);
            act(cx, "ModifyInstanceAttribute", json!({"InstanceId": id, name: {"Value": value}})).await?;
        }
    }
    if changes("SecurityGroupIds", live, before, after) {
        let groups = local(cx, after, "SecurityGroupIds");
        act(cx, "ModifyInstanceAttribute", json!({"InstanceId": id, "GroupId": groups})).await?;
    }
    if changes("Monitoring", live, before, after) {
        let action = if after.contains_key("Monitoring") { "MonitorInstances" } else { "UnmonitorInstances" };
        act(cx, action, json!({"InstanceId": [id]})).await?;
    }
    if changes("State", live, before, after) {
        let stopped = after.get("State").and_then(Value::as_text) == Some("stopped");
        let action = if stopped { "StopInstances" } else { "StartInstances" };
        act(cx, action, json!({"InstanceId": [id]})).await?;
    }
    Ok(())
}

pub(super) async fn delete(cx: &Scope<'_>, found: &Found, live: &Attributes) -> Result<()> {
    if live.contains_key("DisableApiTermination") {
        let parameters = json!({"InstanceId": found.id, "DisableApiTermination": {"Value": false}});
        act(cx, "ModifyInstanceAttribute", parameters).await?;
    }
    undo(cx, "TerminateInstances", json!({"InstanceId": [found.id]})).await
}

pub(super) fn read_volume(cx: &Scope<'_>, found: &Found) -> Attributes {
    let live = &found.live;
    let mut attributes = Attributes::new();
    keep(
        cx,
        &mut attributes,
        live,
        &[
            ("availabilityZone", "AvailabilityZone", ""),
            ("encrypted", "Encrypted", "false"),
            ("multiAttachEnabled", "MultiAttachEnabled", "false"),
            ("size", "Size", ""),
            ("volumeType", "VolumeType", ""),
        ],
    );
    if matches!(text(live, "volumeType"), "gp3" | "io1" | "io2") {
        keep(cx, &mut attributes, live, &[("iops", "Iops", "3000"), ("throughput", "Throughput", "125")]);
    }
    let attached = items(&live["attachmentSet"]).iter().filter(|one| !text(one, "instanceId").is_empty());
    let devices: Attributes = attached
        .map(|one| (text(one, "device").to_owned(), Value::text(cx.portable_text(text(one, "instanceId")))))
        .collect();
    if !devices.is_empty() {
        attributes.insert("Attachments".to_owned(), Value::Map(devices));
    }
    attributes
}

pub(super) async fn create_volume(cx: &Scope<'_>, after: &Attributes) -> Result<String> {
    let mut parameters = json!({"TagSpecification": tagging("volume", after)});
    for name in ["AvailabilityZone", "Encrypted", "Iops", "MultiAttachEnabled", "Size", "Throughput", "VolumeType"] {
        parameters[name] = local(cx, after, name);
    }
    Ok(text(&act(cx, "CreateVolume", parameters).await?, "volumeId").to_owned())
}

pub(super) async fn settle_volume(
    cx: &Scope<'_>,
    found: &Found,
    live: &Attributes,
    before: Option<&Attributes>,
    after: &Attributes,
) -> Result<()> {
    let mut parameters = json!({ "VolumeId": found.id });
    for name in ["Iops", "Size", "Throughput", "VolumeType"] {
        if changes(name, live, before, after) {
            parameters[name] = local(cx, after, name);
        }
    }
    if parameters.as_object().is_some_and(|fields| fields.len() > 1) {
        act(cx, "ModifyVolume", parameters).await?;
    }
    if changes("Attachments", live, before, after) {
        let none = Attributes::new();
        let map = |attributes: &Attributes| attributes.get("Attachments").and_then(Value::as_map).cloned();
        let (have, want) = (map(live).unwrap_or_default(), map(after).unwrap_or(none));
        for (device, instance) in have.iter().filter(|(device, of)| want.get(*device) != Some(of)) {
            let instance = cx.local(instance).to_json();
            let parameters = json!({"VolumeId": found.id, "Device": device, "InstanceId": instance});
            undo(cx, "DetachVolume", parameters).await?;
        }
        for (device, instance) in want.iter().filter(|(device, of)| have.get(*device) != Some(of)) {
            let instance = cx.local(instance).to_json();
            act(cx, "AttachVolume", json!({"VolumeId": found.id, "Device": device, "InstanceId": instance})).await?;
        }
    }
    Ok(())
}

pub(super) async fn delete_volume(cx: &Scope<'_>, found: &Found) -> Result<()> {
    for one in items(&found.live["attachmentSet"]) {
        let parameters = json!({"VolumeId": found.id, "InstanceId": text(one, "instanceId")});
        undo(cx, "DetachVolume", parameters).await?;
    }
    undo(cx, "DeleteVolume", json!({ "VolumeId": found.id })).await
}
