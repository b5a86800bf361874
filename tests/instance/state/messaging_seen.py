"""Prints what boto3 sees of SNS and CloudWatch Logs: `ADDRESS ATTRIBUTE VALUE`, a line each, the account left out."""

import hashlib
import json

import boto3
from botocore.config import Config

CONFIG = Config(retries={"max_attempts": 1}, read_timeout=60)
ACCOUNT = boto3.client("sts", config=CONFIG).get_caller_identity()["Account"]
# What instances differ in showing where nobody set anything, and what is theirs.
NOTHING = {
    ("TracingConfig", "PassThrough"),
    ("SignatureVersion", "1"),
    ("FilterPolicyScope", "MessageAttributes"),
    ("RawMessageDelivery", "false"),
    ("logGroupClass", "STANDARD"),
    ("distribution", "ByLogStream"),
    ("applyOnTransformedLogs", False),
}
THEIRS = {
    "TopicArn",
    "Owner",
    "EffectiveDeliveryPolicy",
    "SubscriptionsConfirmed",
    "SubscriptionsPending",
    "SubscriptionsDeleted",
    "SubscriptionArn",
    "SubscriptionPrincipal",
    "ConfirmationWasAuthenticated",
    "PendingConfirmation",
    "Endpoint",
    "Protocol",
    "creationTime",
    "metricFilterCount",
    "arn",
    "logGroupArn",
    "storedBytes",
    "logGroupName",
    "filterName",
    "uploadSequenceToken",
}


def show(address, attributes):
    print(f"{address} is there")
    for name, value in attributes.items():
        if name in THEIRS or value in ("", "{}", None, [], {}) or "__default_policy_ID" in str(value):
            continue
        if not isinstance(value, (list, dict)) and (name, value) in NOTHING:
            continue
        if isinstance(value, str) and value.startswith("{"):
            try:
                value = json.loads(value)
            except ValueError:  # A pattern.
                pass
        print(f"{address} {name} {json.dumps(value, sort_keys=True)}".replace(ACCOUNT, "self"))


def tags(listed):
    return {tag["Key"]: tag["Value"] for tag in listed}


for region in ("us-east-1", "eu-west-1"):
    topics = boto3.client("sns", region, config=CONFIG)
    for page in topics.get_paginator("list_topics").paginate():
        for arn in (topic["TopicArn"] for topic in page["Topics"]):
            address = f"self/{region}/sns/topic/{arn.split(':')[-1]}"
            attributes = topics.get_topic_attributes(TopicArn=arn)["Attributes"]
            show(address, attributes | {"Tags": tags(topics.list_tags_for_resource(ResourceArn=arn)["Tags"])})
            for listed in topics.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"]:
                if not listed["SubscriptionArn"].startswith("arn:"):
                    continue
                attributes = topics.get_subscription_attributes(SubscriptionArn=listed["SubscriptionArn"])["Attributes"]
                if attributes["PendingConfirmation"] == "false":
                    endpoint = listed["Endpoint"].replace(ACCOUNT, "self").replace("/", "%2F")
                    show(f"{address}/subscription/{listed['Protocol']}:{endpoint}", attributes)
    groups = boto3.client("logs", region, config=CONFIG)
    for group in groups.describe_log_groups()["logGroups"]:
        name = group["logGroupName"]
        address = f"self/{region}/logs/log-group/{name.replace('/', '%2F')}"
        arn = group["arn"].removesuffix(":*")
        show(address, group | {"Tags": groups.list_tags_for_resource(resourceArn=arn)["tags"]})
        for stream in groups.describe_log_streams(logGroupName=name)["logStreams"]:
            token, events = None, []
            while True:
                more = {"nextToken": token} if token else {}
                page = groups.get_log_events(
                    logGroupName=name, logStreamName=stream["logStreamName"], startFromHead=True, **more
                )
                events += [(event["timestamp"], event["message"]) for event in page["events"]]
                if page["nextForwardToken"] == token:
                    break
                token = page["nextForwardToken"]
            seen = hashlib.sha256(json.dumps(events).encode()).hexdigest()
            show(f"{address}/log-stream/{stream['logStreamName']}", {"events": [len(events), seen]})
        for listed in groups.describe_metric_filters(logGroupName=name)["metricFilters"]:
            for metric in listed["metricTransformations"]:
                if metric.get("unit") == "None":
                    del metric["unit"]
                if "defaultValue" in metric:
                    metric["defaultValue"] = float(metric["defaultValue"])
            show(f"{address}/metric-filter/{listed['filterName']}", listed)
        for listed in groups.describe_subscription_filters(logGroupName=name)["subscriptionFilters"]:
            show(f"{address}/subscription-filter/{listed['filterName']}", listed)
    for policy in groups.describe_resource_policies()["resourcePolicies"]:
        show(f"self/{region}/logs/resource-policy/{policy['policyName']}", {"document": policy["policyDocument"]})
    for listed in groups.describe_destinations()["destinations"]:
        name = listed.pop("destinationName")
        show(f"self/{region}/logs/destination/{name}", listed)
