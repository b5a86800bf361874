"""Makes EventBridge, EventBridge Scheduler, EventBridge Pipes and Step Functions state. Endpoint, keys and region come by environment.

What an emulator refuses is printed, `refused CALL: REASON`; the rest of the state is made. Nothing here fires within
the time of a test.
"""

import json
import os
from datetime import datetime, timezone

import boto3
from botocore.config import Config

CONFIG = Config(retries={"max_attempts": 1}, read_timeout=60)
REGION = "us-east-1"
PATTERN = {
    "source": ["shop", {"prefix": "shöp."}],
    "detail": {"price": [{"numeric": [">", 0, "<=", 5.5]}], "state": [{"anything-but": ["x", "y"]}, {"exists": True}]},
}


def client(service, region=REGION):
    return boto3.client(service, region_name=region, config=CONFIG)


def attempt(call, **arguments):
    try:
        return call(**arguments)
    except Exception as error:  # Any refusal is the emulator's; the state is what it takes.
        print(f"refused {call.__self__.meta.service_model.service_name} {call.__name__}: {str(error)[:200]}")
        return None


def tags(**pairs):
    return [{"Key": key, "Value": value} for key, value in pairs.items()]


HERE = client("sts").get_caller_identity()["Account"]


def arn(service, resource, region=REGION):
    return f"arn:aws:{service}:{region}:{HERE}:{resource}"


ROLE = f"arn:aws:iam::{HERE}:role/worker"


def targets(rule, *targets, **more):
    answer = attempt(client("events").put_targets, Rule=rule, Targets=list(targets), **more)
    for failed in answer["FailedEntries"] if answer else []:
        print(f"refused target {failed}")


def events():
    events = client("events")
    attempt(
        events.create_event_bus,
        Name="orders",
        Description="what is ordered",
        KmsKeyIdentifier=arn("kms", "alias/own"),
        DeadLetterConfig={"Arn": arn("sqs", "undelivered")},
        Tags=tags(team="blue", empty="", **{"ünï/1": "cödé +-=._:/@"}),
    )
    attempt(events.create_event_bus, Name="team.bus-1_x")
    attempt(events.create_event_bus, Name="ruled")
    statement = {
        "Sid": "all of one account",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{HERE}:root"},
        "Action": ["events:PutEvents", "events:PutRule"],
        "Resource": arn("events", "event-bus/ruled"),
    }
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    attempt(events.put_permission, EventBusName="ruled", Policy=json.dumps(policy))
    attempt(
        events.put_permission,
        EventBusName="orders",
        Action="events:PutEvents",
        Principal="111122223333",
        StatementId="partner",
    )

    attempt(
        events.put_permission,
        EventBusName="default",
        Action="events:PutEvents",
        Principal="*",
        StatementId="organisation",
        Condition={"Type": "StringEquals", "Key": "aws:PrincipalOrgID", "Value": "o-123"},
    )
    attempt(events.tag_resource, ResourceARN=arn("events", "event-bus/default"), Tags=tags(team="blue"))

    attempt(
        events.put_rule,
        Name="everything",
        EventBusName="orders",
        EventPattern=json.dumps(PATTERN, indent=2),
        Description="any order <&> \"ünï\"",
        State="ENABLED",
        RoleArn=ROLE,
        Tags=tags(team="blue", empty=""),
    )
    targets(
        "everything",
        {"Id": "plain", "Arn": arn("sqs", "outbox")},
        {
            "Id": "fifo.1_x-y",
            "Arn": arn("sqs", "outbox.fifo"),
            "SqsParameters": {"MessageGroupId": "grüppe"},
            "Input": '{"fixed": [1, 2.50, null], "arn": "x"}',
            "DeadLetterConfig": {"Arn": arn("sqs", "undelivered")},
            "RetryPolicy": {"MaximumRetryAttempts": 5, "MaximumEventAgeInSeconds": 3600},
        },
        {"Id": "path", "Arn": arn("lambda", "function:echo"), "InputPath": "$.detail"},
        {
            "Id": "transformed",
            "Arn": arn("logs", "log-group:/aws/events/x"),
            "InputTransformer": {
                "InputPathsMap": {"who": "$.detail.who", "when": "$.time"},
                "InputTemplate": '{"timestamp": "<when>", "message": "<who> ünï"}',
            },
        },
        {
            "Id": "stream",
            "Arn": arn("kinesis", "stream/s"),
            "RoleArn": ROLE,
            "KinesisParameters": {"PartitionKeyPath": "$.detail.id"},
        },
        EventBusName="orders",
    )
    attempt(events.put_rule, Name="more", EventBusName="orders", EventPattern='{"source": ["x"]}')
    targets(
        "more",
        {
            "Id": "task",
            "Arn": arn("ecs", "cluster/c"),
            "RoleArn": ROLE,
            "EcsParameters": {
                "TaskDefinitionArn": arn("ecs", "task-definition/t:1"),
                "TaskCount": 2,
                "LaunchType": "FARGATE",
                "PlatformVersion": "1.4.0",
                "Group": "g",
            },
        },
        {"Id": "states", "Arn": arn("states", "stateMachine:greeter"), "RoleArn": ROLE},
        {"Id": "bus", "Arn": arn("events", "event-bus/ruled"), "RoleArn": ROLE},
        {
            "Id": "http",
            "Arn": arn("execute-api", "abc/prod/GET/x"),
            "HttpParameters": {
                "PathParameterValues": ["*"],
                "HeaderParameters": {"X-A": "b"},
                "QueryStringParameters": {"q": "$.id"},
            },
        },
        EventBusName="orders",
    )
    attempt(events.put_rule, Name="off", EventBusName="orders", EventPattern=json.dumps({"account": [HERE, "111122223333"]}), State="DISABLED")
    attempt(events.put_rule, Name="no.targets-1_x", EventPattern='{"detail-type": ["t"]}')
    attempt(events.put_rule, Name="yearly", ScheduleExpression="cron(0 12 1 1 ? 2099)", State="DISABLED")
    targets("yearly", {"Id": "1", "Arn": arn("sqs", "outbox"), "Input": '"text"'})
    attempt(events.put_rule, Name="often", ScheduleExpression="rate(7 days)", Description="weekly")
    targets("often", {"Id": "1", "Arn": arn("sqs", "outbox")})
    for index in range(105):
        attempt(events.put_rule, Name=f"many-{index:03}", EventBusName="team.bus-1_x", EventPattern='{"source": ["m"]}')
    attempt(client("events", "eu-west-1").put_rule, Name="afar", EventPattern='{"source": ["x"]}')

    attempt(
        events.create_archive,
        ArchiveName="all.orders-1_x",
        EventSourceArn=arn("events", "event-bus/orders"),
        Description="kept",
        EventPattern=json.dumps(PATTERN),
        RetentionDays=30,
    )
    attempt(
        events.create_archive,
        ArchiveName="sealed",
        EventSourceArn=arn("events", "event-bus/orders"),
        KmsKeyIdentifier=arn("kms", "key/own"),
    )
    attempt(events.create_archive, ArchiveName="default", EventSourceArn=arn("events", "event-bus/default"))


def scheduler():
    scheduler = client("scheduler")
    attempt(scheduler.create_schedule_group, Name="team.group-1_x", Tags=tags(team="blue", more="ünï"))
    attempt(scheduler.create_schedule_group, Name="bare")
    attempt(scheduler.tag_resource, ResourceArn=arn("scheduler", "schedule-group/default"), Tags=tags(team="blue"))
    attempt(
        scheduler.create_schedule,
        Name="everything",
        GroupName="team.group-1_x",
        Description="daily <&> ünï",
        ScheduleExpression="cron(0 12 1 1 ? 2099)",
        ScheduleExpressionTimezone="Europe/Berlin",
        State="ENABLED",
        StartDate=datetime(2090, 1, 2, 3, 4, 5, tzinfo=timezone.utc),
        EndDate=datetime(2100, 1, 2, 3, 4, 5, tzinfo=timezone.utc),
        FlexibleTimeWindow={"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15},
        KmsKeyArn=arn("kms", "key/own"),
        ActionAfterCompletion="DELETE",
        Target={
            "Arn": arn("sqs", "outbox.fifo"),
            "RoleArn": ROLE,
            "Input": '{"x": [1, 2.50, null]}',
            "SqsParameters": {"MessageGroupId": "g"},
            "DeadLetterConfig": {"Arn": arn("sqs", "undelivered")},
            "RetryPolicy": {"MaximumRetryAttempts": 5, "MaximumEventAgeInSeconds": 3600},
        },
    )
    plain = {"Arn": arn("sqs", "outbox"), "RoleArn": ROLE}
    exact = {"Mode": "OFF"}
    for name, group in [("everything", "default"), ("plain.1-_x", "bare"), ("off", "default")]:
        attempt(
            scheduler.create_schedule,
            Name=name,
            GroupName=group,
            ScheduleExpression="at(2099-01-01T00:00:00)",
            FlexibleTimeWindow=exact,
            Target=plain,
            State="DISABLED" if name == "off" else "ENABLED",
        )
    attempt(
        scheduler.create_schedule,
        Name="put",
        ScheduleExpression="rate(7 days)",
        FlexibleTimeWindow=exact,
        Target={
            "Arn": arn("events", "event-bus/orders"),
            "RoleArn": ROLE,
            "EventBridgeParameters": {"DetailType": "t", "Source": "s"},
        },
    )


def pipes():
    pipes = client("pipes")
    attempt(
        pipes.create_pipe,
        Name="every.thing-1_x",
        Description="from <&> to ünï",
        DesiredState="STOPPED",
        Source=arn("sqs", "inbox"),
        SourceParameters={
            "FilterCriteria": {"Filters": [{"Pattern": json.dumps({"body": {"x": [1, None]}})}]},
            "SqsQueueParameters": {"BatchSize": 5, "MaximumBatchingWindowInSeconds": 2},
        },
        EnrichmentParameters={"InputTemplate": "x"},
        Target=arn("sqs", "outbox"),
        TargetParameters={"InputTemplate": '{"body": <$.body>}'},
        RoleArn=ROLE,
        LogConfiguration={
            "Level": "ERROR",
            "CloudwatchLogsLogDestination": {"LogGroupArn": arn("logs", "log-group:/aws/states/x")},
        },
        Tags={"team": "blue", "more": "ünï"},
    )
    attempt(pipes.create_pipe, Name="plain", Source=arn("sqs", "inbox"), Target=arn("sqs", "outbox"), RoleArn=ROLE)


def stepfunctions():
    states = client("stepfunctions")
    definition = {
        "Comment": "ünï \"quoted\"",
        "StartAt": "Hello",
        "States": {
            "Hello": {"Type": "Pass", "Result": {"n": 1.5, "s": "x"}, "ResultPath": "$.r", "Next": "Work"},
            "Work": {"Type": "Task", "Resource": arn("lambda", "function:echo"), "Next": "Wait"},
            "Wait": {"Type": "Wait", "Seconds": 1, "Next": "Done"},
            "Done": {"Type": "Succeed"},
        },
    }
    least = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}})
    attempt(
        states.create_state_machine,
        name="greeter",
        definition=json.dumps(definition, indent=2),
        roleArn=ROLE,
        type="STANDARD",
        tracingConfiguration={"enabled": True},
        tags=[{"key": "team", "value": "blue"}, {"key": "empty", "value": ""}],
    )
    logging = {}
    if "NO_LOGS" not in os.environ:
        attempt(client("logs").create_log_group, logGroupName="/aws/states/x")
        group = {"logGroupArn": arn("logs", "log-group:/aws/states/x:*")}
        destinations = [{"cloudWatchLogsLogGroup": group}]
        logging = {"level": "ALL", "includeExecutionData": True, "destinations": destinations}
    attempt(
        states.create_state_machine,
        name="quick-1_x",
        definition=least,
        roleArn=ROLE,
        type="EXPRESS",
        loggingConfiguration=logging,
    )
    attempt(
        states.create_state_machine,
        name="sealed",
        definition=least,
        roleArn=ROLE,
        encryptionConfiguration={
            "type": "CUSTOMER_MANAGED_KMS_KEY",
            "kmsKeyId": arn("kms", "key/own"),
            "kmsDataKeyReusePeriodSeconds": 600,
        },
    )
    made = attempt(states.create_state_machine, name="versioned", definition=least, roleArn=ROLE)
    if made:
        machine = made["stateMachineArn"]
        versions = []
        for number in (1, 2, 3):
            changed = least.replace('"End"', f'"Comment": "{number}", "End"')
            attempt(states.update_state_machine, stateMachineArn=machine, definition=changed)
            version = attempt(states.publish_state_machine_version, stateMachineArn=machine, description=f"v {number}")
            versions += [version["stateMachineVersionArn"]] if version else []
        if len(versions) == 3:
            # Which leaves a gap in the numbers.
            attempt(states.delete_state_machine_version, stateMachineVersionArn=versions[1])
            attempt(
                states.create_state_machine_alias,
                name="live",
                description="what is live",
                routingConfiguration=[
                    {"stateMachineVersionArn": versions[0], "weight": 90},
                    {"stateMachineVersionArn": versions[2], "weight": 10},
                ],
            )
    attempt(client("stepfunctions", "eu-west-1").create_state_machine, name="afar", definition=least, roleArn=ROLE)
    attempt(states.create_activity, name="by-hand_1", tags=[{"key": "team", "value": "blue"}])
    attempt(
        states.create_activity,
        name="sealed",
        encryptionConfiguration={
            "type": "CUSTOMER_MANAGED_KMS_KEY",
            "kmsKeyId": arn("kms", "key/own"),
            "kmsDataKeyReusePeriodSeconds": 600,
        },
    )
    attempt(states.create_activity, name="bare")


events()
scheduler()
pipes()
stepfunctions()
