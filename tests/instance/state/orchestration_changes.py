"""Changes what `orchestration.py` made: other values, values taken away, things deleted and things added."""

import json

import boto3
from botocore.config import Config

CONFIG = Config(retries={"max_attempts": 1}, read_timeout=60)


def client(service):
    return boto3.client(service, region_name="us-east-1", config=CONFIG)


def attempt(call, **arguments):
    try:
        return call(**arguments)
    except Exception as error:  # Any refusal is the emulator's.
        print(f"refused {call.__self__.meta.service_model.service_name} {call.__name__}: {str(error)[:200]}")
        return None


HERE = client("sts").get_caller_identity()["Account"]


def arn(service, resource):
    return f"arn:aws:{service}:us-east-1:{HERE}:{resource}"


def events():
    events = client("events")
    attempt(events.update_event_bus, Name="orders", Description="", DeadLetterConfig={"Arn": arn("sqs", "other")})
    attempt(events.tag_resource, ResourceARN=arn("events", "event-bus/orders"), Tags=[{"Key": "team", "Value": "red"}])
    attempt(events.untag_resource, ResourceARN=arn("events", "event-bus/orders"), TagKeys=["empty"])
    attempt(events.remove_permission, EventBusName="orders", RemoveAllPermissions=True)
    attempt(events.put_permission, EventBusName="ruled", Action="events:PutEvents", Principal="*", StatementId="new")
    attempt(events.remove_permission, EventBusName="default", RemoveAllPermissions=True)
    attempt(events.update_event_bus, Name="default", Description="no longer as it was")
    attempt(events.untag_resource, ResourceARN=arn("events", "event-bus/default"), TagKeys=["team"])
    attempt(events.create_event_bus, Name="more")
    attempt(events.put_rule, Name="of-more", EventBusName="more", EventPattern='{"source": ["x"]}')
    target = {"Id": "one", "Arn": arn("sqs", "outbox")}
    attempt(events.put_targets, Rule="of-more", EventBusName="more", Targets=[target])

    attempt(events.put_rule, Name="everything", EventBusName="orders", EventPattern='{"source": ["y"]}', State="DISABLED")
    attempt(events.untag_resource, ResourceARN=arn("events", "rule/orders/everything"), TagKeys=["team"])
    attempt(events.remove_targets, Rule="everything", EventBusName="orders", Ids=["path", "stream"])
    added = {"Id": "added", "Arn": arn("sqs", "outbox")}
    plain = {"Id": "plain", "Arn": arn("sqs", "outbox"), "Input": "{}"}
    attempt(events.put_targets, Rule="everything", EventBusName="orders", Targets=[added, plain])
    attempt(events.put_rule, Name="off", EventBusName="orders", EventPattern='{"source": ["x"]}', Description="new")
    attempt(events.put_rule, Name="often", ScheduleExpression="rate(8 days)", Description="", RoleArn=f"arn:aws:iam::{HERE}:role/r")
    attempt(events.delete_rule, Name="no.targets-1_x")
    attempt(events.delete_rule, Name="many-004", EventBusName="team.bus-1_x")

    pattern = json.dumps({"source": ["q"]})
    attempt(events.update_archive, ArchiveName="all.orders-1_x", Description="other", RetentionDays=5, EventPattern=pattern)
    attempt(events.update_archive, ArchiveName="default", Description="new", RetentionDays=9, EventPattern=pattern)
    attempt(events.delete_archive, ArchiveName="sealed")


def scheduler():
    scheduler = client("scheduler")
    group = arn("scheduler", "schedule-group/team.group-1_x")
    attempt(scheduler.tag_resource, ResourceArn=group, Tags=[{"Key": "team", "Value": "red"}, {"Key": "n", "Value": "m"}])
    attempt(scheduler.untag_resource, ResourceArn=group, TagKeys=["more"])
    attempt(scheduler.untag_resource, ResourceArn=arn("scheduler", "schedule-group/default"), TagKeys=["team"])
    attempt(scheduler.create_schedule_group, Name="more")
    # An update replaces all.
    attempt(
        scheduler.update_schedule,
        Name="everything",
        GroupName="team.group-1_x",
        ScheduleExpression="rate(9 days)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": arn("sqs", "other"), "RoleArn": f"arn:aws:iam::{HERE}:role/other"},
        State="DISABLED",
    )
    attempt(scheduler.delete_schedule, Name="put")
    attempt(scheduler.delete_schedule_group, Name="bare")


def arn_of_role(name):
    return f"arn:aws:iam::{HERE}:role/{name}"


def pipes():
    pipes = client("pipes")
    every = arn("pipes", "pipe/every.thing-1_x")
    attempt(
        pipes.update_pipe,
        Name="every.thing-1_x",
        Description="",
        DesiredState="RUNNING",
        SourceParameters={"SqsQueueParameters": {"BatchSize": 7}},
        EnrichmentParameters={},
        Target=arn("sqs", "other"),
        TargetParameters={},
        RoleArn=arn_of_role("other"),
        LogConfiguration={"Level": "OFF"},
    )
    attempt(pipes.tag_resource, resourceArn=every, tags={"team": "red", "n": "m"})
    attempt(pipes.untag_resource, resourceArn=every, tagKeys=["more"])
    attempt(
        pipes.update_pipe,
        Name="plain",
        Description="now with words",
        RoleArn=arn_of_role("worker"),
        Target=arn("sqs", "outbox"),
        TargetParameters={"InputTemplate": "y"},
    )


def stepfunctions():
    states = client("stepfunctions")
    least = json.dumps({"StartAt": "Z", "States": {"Z": {"Type": "Succeed"}}})
    greeter = arn("states", "stateMachine:greeter")
    attempt(
        states.update_state_machine,
        stateMachineArn=greeter,
        definition=least,
        roleArn=f"arn:aws:iam::{HERE}:role/other",
        tracingConfiguration={"enabled": False},
    )
    attempt(states.tag_resource, resourceArn=greeter, tags=[{"key": "team", "value": "red"}, {"key": "n", "value": "m"}])
    attempt(states.untag_resource, resourceArn=greeter, tagKeys=["empty"])
    attempt(states.update_state_machine, stateMachineArn=arn("states", "stateMachine:quick-1_x"), loggingConfiguration={"level": "OFF"})
    attempt(states.update_state_machine, stateMachineArn=arn("states", "stateMachine:versioned"), definition=least)
    attempt(states.publish_state_machine_version, stateMachineArn=arn("states", "stateMachine:versioned"))
    attempt(
        states.update_state_machine_alias,
        stateMachineAliasArn=arn("states", "stateMachine:versioned:live"),
        description="other",
        routingConfiguration=[{"stateMachineVersionArn": arn("states", "stateMachine:versioned:4"), "weight": 100}],
    )
    attempt(states.delete_state_machine, stateMachineArn=arn("states", "stateMachine:sealed"))
    attempt(states.create_state_machine, name="more", definition=least, roleArn=f"arn:aws:iam::{HERE}:role/other")
    attempt(states.untag_resource, resourceArn=arn("states", "activity:by-hand_1"), tagKeys=["team"])
    attempt(states.delete_activity, activityArn=arn("states", "activity:bare"))
    attempt(states.create_activity, name="more")


events()
scheduler()
pipes()
stepfunctions()
