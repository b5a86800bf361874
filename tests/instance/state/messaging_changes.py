"""Changes what state/messaging.py made: each attribute set, changed or taken away, things deleted and new."""

import json
import time

import boto3
from botocore.config import Config

CONFIG = Config(retries={"max_attempts": 1}, read_timeout=60)
ACCOUNT = boto3.client("sts", config=CONFIG).get_caller_identity()["Account"]


def attempt(call, **arguments):
    try:
        return call(**arguments)
    except Exception as error:  # As in the state.
        print(f"refused {call.__self__.meta.service_model.service_name} {call.__name__}: {str(error)[:200]}")
        return None


def arn(service, resource):
    return f"arn:aws:{service}:us-east-1:{ACCOUNT}:{resource}"


def document(sid, action):
    statement = {"Sid": sid, "Effect": "Allow", "Principal": "*", "Action": action, "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


topics = boto3.client("sns", config=CONFIG)
orders, bare, fifo = (arn("sns", name) for name in ("orders_All-1", "bare", "orders.fifo"))
for name, value in {
    "DisplayName": "other",
    "Policy": document("changed", "sns:Subscribe"),
    "DeliveryPolicy": "",
    "KmsMasterKeyId": "",
    "TracingConfig": "PassThrough",
    "SignatureVersion": "1",
    "HTTPSuccessFeedbackSampleRate": "50",
    "SQSFailureFeedbackRoleArn": "",
}.items():
    attempt(topics.set_topic_attributes, TopicArn=orders, AttributeName=name, AttributeValue=value)
attempt(topics.put_data_protection_policy, ResourceArn=orders, DataProtectionPolicy="")
attempt(topics.untag_resource, ResourceArn=orders, TagKeys=["team", "empty"])
attempt(topics.tag_resource, ResourceArn=orders, Tags=[{"Key": "new", "Value": "n"}, {"Key": "\u00fcn\u00ef", "Value": "2"}])
for name, value in {
    "DisplayName": "named",
    "Policy": document("own", "sns:Publish"),
    "KmsMasterKeyId": "alias/k",
    "TracingConfig": "Active",
}.items():
    attempt(topics.set_topic_attributes, TopicArn=bare, AttributeName=name, AttributeValue=value)
for name, value in {"ContentBasedDeduplication": "false", "FifoThroughputScope": "Topic", "ArchivePolicy": "{}"}.items():
    attempt(topics.set_topic_attributes, TopicArn=fifo, AttributeName=name, AttributeValue=value)

by_endpoint = {
    subscription["Endpoint"]: subscription["SubscriptionArn"]
    for subscription in topics.list_subscriptions_by_topic(TopicArn=orders)["Subscriptions"]
}


def change(endpoint, **attributes):
    for name, value in attributes.items():
        attempt(
            topics.set_subscription_attributes,
            SubscriptionArn=by_endpoint[endpoint],
            AttributeName=name,
            AttributeValue=value,
        )


change(
    arn("sqs", "mail"),
    RawMessageDelivery="true",
    FilterPolicyScope="MessageBody",
    FilterPolicy=json.dumps({"a": {"b": ["c"]}}),
    RedrivePolicy=json.dumps({"deadLetterTargetArn": arn("sqs", "lost-mail")}),
)
change(
    arn("sqs", "mail-raw"),
    RawMessageDelivery="false",
    FilterPolicy="{}",
    FilterPolicyScope="MessageAttributes",
    RedrivePolicy="{}",
)
change(arn("lambda", "function:log-reader"), FilterPolicy=json.dumps({"kind": ["z"]}))
attempt(topics.unsubscribe, SubscriptionArn=by_endpoint["+15550100"])
attempt(topics.subscribe, TopicArn=bare, Protocol="sqs", Endpoint=arn("sqs", "mail"))
made = topics.create_topic(Name="new")["TopicArn"]
attempt(topics.subscribe, TopicArn=made, Protocol="sqs", Endpoint=arn("sqs", "mail"))
attempt(boto3.client("sns", "eu-west-1", config=CONFIG).delete_topic, TopicArn=bare.replace("us-east-1", "eu-west-1"))

groups = boto3.client("logs", config=CONFIG)
worker = "/aws/lambda/worker"
attempt(groups.delete_retention_policy, logGroupName=worker)
attempt(groups.put_retention_policy, logGroupName="bare", retentionInDays=7)
attempt(groups.untag_resource, resourceArn=arn("logs", f"log-group:{worker}"), tagKeys=["team"])
attempt(groups.tag_resource, resourceArn=arn("logs", f"log-group:{worker}"), tags={"new": "n", "empty": "full"})
attempt(groups.tag_resource, resourceArn=arn("logs", "log-group:bare"), tags={"new": "n"})
attempt(groups.disassociate_kms_key, logGroupName="odd/.-_#Name")
attempt(groups.associate_kms_key, logGroupName="rare", kmsKeyId=arn("kms", "key/other"))
attempt(groups.delete_data_protection_policy, logGroupIdentifier="bare")
now = int(time.time() * 1000)


def put(stream, *events):
    events = [{"timestamp": at, "message": message} for at, message in events]
    attempt(groups.put_log_events, logGroupName="bare", logStreamName=stream, logEvents=events)


# More, and other, events; the stream as it was needs some taken out.
put("s", (now - 48 * 3600_000, "before"), (now, "after"))
attempt(groups.delete_log_stream, logGroupName="bare", logStreamName="big")
attempt(groups.create_log_stream, logGroupName="bare", logStreamName="big")
put("big", (now, "other"))
attempt(groups.delete_log_stream, logGroupName=worker, logStreamName="empty")
attempt(groups.create_log_stream, logGroupName=worker, logStreamName="new")
attempt(groups.delete_log_group, logGroupName="odd/.-_#Name")
attempt(groups.create_log_group, logGroupName="new")
metric = {"metricName": "other", "metricNamespace": "App", "metricValue": "2"}
# Put again at once: some makes then have two side by side.
for group, name in ((worker, "errors"), (worker, "errors"), ("bare", "new")):
    attempt(
        groups.put_metric_filter,
        logGroupName=group,
        filterName=name,
        filterPattern="other",
        metricTransformations=[metric],
    )
attempt(groups.delete_metric_filter, logGroupName=worker, filterName="by-kind")
attempt(
    groups.put_subscription_filter,
    logGroupName=worker,
    filterName="to-worker",
    filterPattern="OTHER",
    destinationArn=arn("lambda", "function:log-reader"),
)
attempt(groups.delete_subscription_filter, logGroupName="bare", filterName="to-stream")
attempt(
    groups.put_subscription_filter,
    logGroupName="new",
    filterName="new",
    filterPattern="",
    destinationArn=arn("lambda", "function:log-reader"),
)
attempt(groups.put_resource_policy, policyName="own", policyDocument=document("other", "logs:*"))
attempt(groups.put_resource_policy, policyName="new", policyDocument=document("new", "logs:*"))
attempt(groups.put_destination_policy, destinationName="far", accessPolicy=document("far", "logs:*"))
attempt(
    groups.put_destination,
    destinationName="new",
    targetArn=arn("kinesis", "stream/log-lines"),
    roleArn=f"arn:aws:iam::{ACCOUNT}:role/feedback",
)
