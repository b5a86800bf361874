"""Prints what there is of CloudWatch and KMS as boto3 sees it, a line for each thing, without dates and generated ids."""

import json

import boto3

VOLATILE = {
    "ResponseMetadata",
    "AlarmConfigurationUpdatedTimestamp",
    "StateReason",
    "StateReasonData",
    "StateTransitionedTimestamp",
    "StateUpdatedTimestamp",
    "StateValue",
    "CreationDate",
    "GrantId",
    "NextRotationDate",
    "LastUpdatedDate",
    "CurrentKeyMaterialId",
}


def show(what, answer, ids=()):
    def plain(thing):
        if isinstance(thing, dict):
            return {key: plain(value) for key, value in thing.items() if key not in VOLATILE}
        if isinstance(thing, list):
            return sorted(map(plain, thing), key=lambda one: json.dumps(one, sort_keys=True, default=str))
        if isinstance(thing, str) and thing.startswith("{"):
            return plain(json.loads(thing))
        return thing

    text = json.dumps(plain(answer), sort_keys=True, default=str)
    for id in ids:
        text = text.replace(id, "ITS-ID")
    print(what, text)


def said(what, call, ids=(), **arguments):
    try:
        answer = call(**arguments)
    except Exception as error:  # Not offered by this emulator, which is the same each time.
        print(what, type(error).__name__)
        return {}
    show(what, answer, ids)
    return answer


def cloudwatch(region):
    watch = boto3.client("cloudwatch", region_name=region)
    alarms = watch.describe_alarms(AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    for kind in ("MetricAlarms", "CompositeAlarms"):
        for alarm in alarms[kind]:
            show(f"alarm {region}", alarm)
            said(f"alarm tags {alarm['AlarmName']}", watch.list_tags_for_resource, ResourceARN=alarm["AlarmArn"])
    for dashboard in watch.list_dashboards()["DashboardEntries"]:
        said("dashboard", watch.get_dashboard, DashboardName=dashboard["DashboardName"])


def kms(region):
    keys = boto3.client("kms", region_name=region)
    for key in keys.list_keys()["Keys"]:
        metadata = keys.describe_key(KeyId=key["KeyId"])["KeyMetadata"]
        if metadata["KeyState"] == "PendingDeletion":
            continue
        id = {"ids": [metadata["KeyId"]], "KeyId": metadata["KeyId"]}
        word = f"key {region} {metadata['Description']}"
        show(word, metadata, id["ids"])
        said(f"{word} aliases", keys.list_aliases, **id)
        said(f"{word} grants", keys.list_grants, **id)
        said(f"{word} tags", keys.list_resource_tags, **id)
        said(f"{word} policy", keys.get_key_policy, PolicyName="default", **id)
        said(f"{word} rotation", keys.get_key_rotation_status, **id)


for region in ("us-east-1", "eu-west-1"):
    cloudwatch(region)
    kms(region)
