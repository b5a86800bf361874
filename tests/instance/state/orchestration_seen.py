"""Prints what there is of EventBridge, its scheduler and Step Functions as boto3 sees it, a line for each thing, without
dates and generated ids."""

import json

import boto3

VOLATILE = {
    "ResponseMetadata",
    "CreationTime",
    "LastModifiedTime",
    "CreationDate",
    "LastModificationDate",
    "creationDate",
    "updateDate",
    "revisionId",
    "CurrentState",
    "StateReason",
    "nextToken",
    "NextToken",
}


def said(what, call, **arguments):
    try:
        answer = call(**arguments)
    except Exception as error:  # Not offered by this emulator, which is the same each time.
        print(what, type(error).__name__)
        return {}
    for name in VOLATILE & answer.keys():
        del answer[name]
    for many in ("Targets", "Tags", "tags"):
        if isinstance(answer.get(many), list):
            answer[many].sort(key=lambda one: json.dumps(one, sort_keys=True))
    for document in ("Policy", "EventPattern"):
        if answer.get(document):
            answer[document] = json.loads(answer[document])
    for statement in answer.get("Policy", {}).get("Statement", []):
        # Two ways to write one thing, by a statement's own call and by a policy.
        if statement["Principal"] == {"AWS": "arn:aws:iam::*:root"}:
            statement["Principal"] = "*"
        condition = statement.get("Condition", {})
        if "Type" in condition:
            statement["Condition"] = {condition["Type"]: {condition["Key"]: condition["Value"]}}
    print(what, json.dumps(answer, sort_keys=True, default=str))
    return answer


def listed(call, key, name, **arguments):
    """Every page's elements, in the order of their names."""
    found, token = [], {}
    while True:
        answer = call(**arguments, **token)
        found += answer[key]
        again = next((field for field in ("NextToken", "nextToken") if answer.get(field)), None)
        if not again:
            return sorted(found, key=lambda one: one[name])
        token = {again: answer[again]}


for region in ("us-east-1", "eu-west-1"):
    events = boto3.client("events", region_name=region)
    for bus in listed(events.list_event_buses, "EventBuses", "Name"):
        bus, arn = bus["Name"], bus["Arn"]
        said("bus", events.describe_event_bus, Name=bus)
        said("bus tags", events.list_tags_for_resource, ResourceARN=arn)
        for rule in listed(events.list_rules, "Rules", "Name", EventBusName=bus):
            # An archive's own, and all but the last of those that fill pages.
            if rule["Name"].startswith(("Events-Archive-", "many-0")):
                continue
            said("rule", events.describe_rule, Name=rule["Name"], EventBusName=bus)
            said("rule tags", events.list_tags_for_resource, ResourceARN=rule["Arn"])
            said("targets", events.list_targets_by_rule, Rule=rule["Name"], EventBusName=bus)
    for archive in listed(events.list_archives, "Archives", "ArchiveName"):
        said("archive", events.describe_archive, ArchiveName=archive["ArchiveName"])

    scheduler = boto3.client("scheduler", region_name=region)
    for group in listed(scheduler.list_schedule_groups, "ScheduleGroups", "Name"):
        said("group", scheduler.get_schedule_group, Name=group["Name"])
        said("group tags", scheduler.list_tags_for_resource, ResourceArn=group["Arn"])
        for schedule in listed(scheduler.list_schedules, "Schedules", "Name", GroupName=group["Name"]):
            said("schedule", scheduler.get_schedule, Name=schedule["Name"], GroupName=group["Name"])

    pipes = boto3.client("pipes", region_name=region)
    for name in ("every.thing-1_x", "plain"):
        said("pipe", pipes.describe_pipe, Name=name)

    states = boto3.client("stepfunctions", region_name=region)
    for machine in listed(states.list_state_machines, "stateMachines", "name"):
        arn = machine["stateMachineArn"]
        said("machine", states.describe_state_machine, stateMachineArn=arn)
        said("machine tags", states.list_tags_for_resource, resourceArn=arn)
        if machine["name"] == "versioned":
            for number in (1, 2, 3, 4):
                said("version", states.describe_state_machine, stateMachineArn=f"{arn}:{number}")
            said("alias", states.describe_state_machine_alias, stateMachineAliasArn=f"{arn}:live")
    for activity in listed(states.list_activities, "activities", "name"):
        said("activity", states.describe_activity, activityArn=activity["activityArn"])
        said("activity tags", states.list_tags_for_resource, resourceArn=activity["activityArn"])
