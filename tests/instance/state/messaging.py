"""Makes SNS and CloudWatch Logs state. Endpoint, keys and region come by environment.

What an emulator refuses is printed, `refused CALL: REASON`; the rest of the state is made.
"""

import io
import json
import os
import time
import zipfile

import boto3
from botocore.config import Config

CONFIG = Config(retries={"max_attempts": 1}, read_timeout=60)


def client(service, region="us-east-1"):
    return boto3.client(service, region_name=region, config=CONFIG)


def attempt(call, **arguments):
    try:
        return call(**arguments)
    except Exception as error:  # Any refusal is the emulator's; the state is what it takes.
        print(f"refused {call.__self__.meta.service_model.service_name} {call.__name__}: {str(error)[:200]}")
        return None


ACCOUNT = client("sts").get_caller_identity()["Account"]


def arn(service, resource, region="us-east-1"):
    return f"arn:aws:{service}:{region}:{ACCOUNT}:{resource}"


def allow(action, resource):
    principal = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    statement = {"Sid": "s", "Effect": "Allow", "Principal": principal, "Action": action, "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Id": "own", "Statement": [statement]})


def surroundings():
    """What subscriptions and filters point at."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as files:
        files.writestr("main.py", "def handler(event, context):\n    return None\n")
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    attempt(client("iam").create_role, RoleName="reader", AssumeRolePolicyDocument=trust)
    attempt(
        client("lambda").create_function,
        FunctionName="log-reader",
        Runtime="python3.12",
        Handler="main.handler",
        Role=f"arn:aws:iam::{ACCOUNT}:role/reader",
        Code={"ZipFile": archive.getvalue()},
    )
    if "NO_STREAMS" not in os.environ:
        attempt(client("kinesis").create_stream, StreamName="log-lines", ShardCount=1)
    queues = client("sqs")
    for name in ("mail", "mail-raw", "lost-mail"):
        attempt(queues.create_queue, QueueName=name)
    attempt(queues.create_queue, QueueName="mail.fifo", Attributes={"FifoQueue": "true"})


def sns():
    topics = client("sns")

    def topic(name, attributes=None, tags=None, **later):
        tags = [{"Key": key, "Value": value} for key, value in (tags or {}).items()]
        made = attempt(topics.create_topic, Name=name, Attributes=attributes or {}, Tags=tags)
        for attribute, value in later.items():
            attempt(topics.set_topic_attributes, TopicArn=made["TopicArn"], AttributeName=attribute, AttributeValue=value)
        return made["TopicArn"]

    def subscribe(topic, protocol, endpoint, **attributes):
        attempt(
            topics.subscribe,
            TopicArn=topic,
            Protocol=protocol,
            Endpoint=endpoint,
            Attributes=attributes,
            ReturnSubscriptionArn=True,
        )

    topic("bare")
    retries = {
        "http": {
            "defaultHealthyRetryPolicy": {
                "minDelayTarget": 5,
                "maxDelayTarget": 30,
                "numRetries": 7,
                "numMaxDelayRetries": 0,
                "numNoDelayRetries": 0,
                "numMinDelayRetries": 0,
                "backoffFunction": "linear",
            },
            "disableSubscriptionOverrides": False,
        }
    }
    role = f"arn:aws:iam::{ACCOUNT}:role/feedback"
    feedback = {
        f"{protocol}{word}": value
        for protocol in ("HTTP", "Lambda", "SQS", "Application", "Firehose")
        for word, value in (
            ("SuccessFeedbackRoleArn", role),
            ("SuccessFeedbackSampleRate", "25"),
            ("FailureFeedbackRoleArn", role),
        )
    }
    orders = topic(
        "orders_All-1",
        {"DisplayName": "Örders & <more> \"'"},
        {"team": "blue", "empty": "", "ünï": "cödé"},
        Policy=allow("sns:Publish", arn("sns", "orders_All-1")),
        DeliveryPolicy=json.dumps(retries),
        KmsMasterKeyId="alias/aws/sns",
        TracingConfig="Active",
        SignatureVersion="2",
        **feedback,
    )
    protection = {
        "Name": "no-cards",
        "Description": "d",
        "Version": "2021-06-01",
        "Statement": [
            {
                "Sid": "deny",
                "DataDirection": "Inbound",
                "Principal": ["*"],
                "DataIdentifier": ["arn:aws:dataprotection::aws:data-identifier/CreditCardNumber"],
                "Operation": {"Deny": {}},
            }
        ],
    }
    attempt(topics.put_data_protection_policy, ResourceArn=orders, DataProtectionPolicy=json.dumps(protection))
    fifo = topic(
        "orders.fifo",
        {"FifoTopic": "true", "ContentBasedDeduplication": "true", "FifoThroughputScope": "MessageGroup"},
        {"kind": "fifo"},
        ArchivePolicy=json.dumps({"MessageRetentionPeriod": "30"}),
    )

    redrive = json.dumps({"deadLetterTargetArn": arn("sqs", "lost-mail")})
    subscribe(orders, "sqs", arn("sqs", "mail"))
    subscribe(
        orders,
        "sqs",
        arn("sqs", "mail-raw"),
        RawMessageDelivery="true",
        RedrivePolicy=redrive,
        FilterPolicyScope="MessageBody",
        FilterPolicy=json.dumps({"kind": ["a", {"prefix": "ü"}], "n": [{"numeric": [">", 1.5]}], "in": {"ner": [True]}}),
    )
    subscribe(orders, "lambda", arn("lambda", "function:log-reader"), FilterPolicy=json.dumps({"kind": ["b"]}))
    # Delivery streams take a role.
    subscribe(orders, "firehose", arn("firehose", "deliverystream/s"), SubscriptionRoleArn=role)
    subscribe(orders, "sms", "+15550100")
    subscribe(fifo, "sqs", arn("sqs", "mail.fifo"), RawMessageDelivery="true")
    # Pending until somebody confirms them.
    subscribe(orders, "email", "ann@example.com")
    subscribe(orders, "email-json", "json@example.com")
    subscribe(orders, "http", "http://127.0.0.1:9/hook", DeliveryPolicy=json.dumps({"healthyRetryPolicy": {"numRetries": 3}}))
    subscribe(orders, "https", "https://127.0.0.1:9/hook?a=b&c=d")

    other = client("sns", "eu-west-1")
    attempt(other.create_topic, Name="bare", Tags=[{"Key": "region", "Value": "other"}])


def logs():
    groups = client("logs")

    def group(name, **arguments):
        attempt(groups.create_log_group, logGroupName=name, **arguments)

    group("bare")
    group("/aws/lambda/worker", tags={"team": "blue", "empty": "", "ünï": "cödé"})
    attempt(groups.put_retention_policy, logGroupName="/aws/lambda/worker", retentionInDays=14)
    group("rare", logGroupClass="INFREQUENT_ACCESS")
    group("odd/.-_#Name", kmsKeyId=arn("kms", "key/1234abcd-12ab-34cd-56ef-1234567890ab"))

    now = int(time.time() * 1000)
    minute = 60_000

    def stream(group, name, *events):
        attempt(groups.create_log_stream, logGroupName=group, logStreamName=name)
        if events:
            events = [{"timestamp": at, "message": message} for at, message in events]
            attempt(groups.put_log_events, logGroupName=group, logStreamName=name, logEvents=events)

    stream("/aws/lambda/worker", "empty")
    stream(
        "/aws/lambda/worker",
        "2026/11/24/[$LATEST]0123456789abcdef",
        (now - 60 * minute, "START"),
        (now - 30 * minute, "same moment, same words"),
        (now - 30 * minute, "same moment, same words"),
        (now - 30 * minute, "same moment, b"),
        (now - 30 * minute, "same moment, a"),
        (now - 20 * minute, "ünïcödé \U0001f980 \u2028 \t\n end"),
        (now - 10 * minute, '{"level": "error", "n": 2.50, "null": null}'),
        (now - 5 * minute, " spaces and <&>\"' "),
        (now, "last"),
    )
    stream("bare", "s", (now - 24 * 60 * minute, "a day ago"))
    # More than one answer holds.
    stream("bare", "long")
    for start in range(0, 12_000, 6_000):
        events = [{"timestamp": now - 12_000 + n, "message": f"line {n}"} for n in range(start, start + 6_000)]
        attempt(groups.put_log_events, logGroupName="bare", logStreamName="long", logEvents=events)
    stream("bare", "big", (now - minute, "x" * 200_000), (now - minute, "y" * 200_000))
    stream("odd/.-_#Name", "a b/ü.(1)", (now - minute, "in an odd place"))

    metric = {
        "metricName": "errors",
        "metricNamespace": "App",
        "metricValue": "1",
        "defaultValue": 0.0,
        "unit": "Count",
    }
    attempt(
        groups.put_metric_filter,
        logGroupName="/aws/lambda/worker",
        filterName="errors",
        filterPattern='{ $.level = "error" }',
        metricTransformations=[metric],
    )
    attempt(
        groups.put_metric_filter,
        logGroupName="/aws/lambda/worker",
        filterName="by-kind",
        filterPattern="{ $.n = * }",
        metricTransformations=[
            {"metricName": "n", "metricNamespace": "App", "metricValue": "$.n", "dimensions": {"Kind": "$.level"}}
        ],
    )
    attempt(
        groups.put_metric_filter,
        logGroupName="bare",
        filterName="all",
        filterPattern="",
        metricTransformations=[{"metricName": "lines", "metricNamespace": "App", "metricValue": "1"}],
    )
    attempt(
        groups.put_subscription_filter,
        logGroupName="/aws/lambda/worker",
        filterName="to-worker",
        filterPattern="ERROR",
        destinationArn=arn("lambda", "function:log-reader"),
    )
    if "NO_STREAMS" not in os.environ:
        attempt(
            groups.put_subscription_filter,
            logGroupName="bare",
            filterName="to-stream",
            filterPattern="",
            destinationArn=arn("kinesis", "stream/log-lines"),
            roleArn=f"arn:aws:iam::{ACCOUNT}:role/feedback",
            distribution="Random",
        )
    policy = allow("logs:PutLogEvents", "*")
    attempt(groups.put_resource_policy, policyName="own", policyDocument=policy)
    attempt(
        groups.put_destination,
        destinationName="far",
        targetArn=arn("kinesis", "stream/log-lines"),
        roleArn=f"arn:aws:iam::{ACCOUNT}:role/feedback",
    )
    attempt(
        groups.put_destination_policy,
        destinationName="far",
        accessPolicy=allow("logs:PutSubscriptionFilter", arn("logs", "destination:far")),
    )
    mask = {
        "Name": "mask",
        "Version": "2021-06-01",
        "Statement": [
            {
                "Sid": sid,
                "DataIdentifier": ["arn:aws:dataprotection::aws:data-identifier/EmailAddress"],
                "Operation": operation,
            }
            for sid, operation in (
                ("audit", {"Audit": {"FindingsDestination": {}}}),
                ("mask", {"Deidentify": {"MaskConfig": {}}}),
            )
        ],
    }
    attempt(groups.put_data_protection_policy, logGroupIdentifier="bare", policyDocument=json.dumps(mask))
    other = client("logs", "eu-west-1")
    attempt(other.create_log_group, logGroupName="bare", tags={"region": "other"})


surroundings()
if "ONLY_SURROUNDINGS" not in os.environ:
    sns()
    logs()
