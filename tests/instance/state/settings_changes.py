"""Changes what settings.py has made."""

import json

import boto3
from botocore.config import Config

CONFIG = Config(retries={"max_attempts": 1}, read_timeout=60)
ACCOUNT = boto3.client("sts").get_caller_identity()["Account"]


def attempt(call, **arguments):
    try:
        return call(**arguments)
    except Exception as error:  # Not offered by this emulator: nothing is changed then.
        print(f"refused {call.__name__}: {str(error)[:200]}")
        return None


def cloudwatch():
    watch = boto3.client("cloudwatch", config=CONFIG)
    attempt(
        watch.put_metric_alarm,
        AlarmName="cpu high/ü <1>",
        Namespace="AWS/EC2",
        MetricName="CPUUtilization",
        Statistic="Sum",
        Period=120,
        EvaluationPeriods=1,
        Threshold=1.0,
        ComparisonOperator="LessThanThreshold",
    )
    attempt(watch.enable_alarm_actions, AlarmNames=["percentile"])
    attempt(watch.put_composite_alarm, AlarmName="all of it", AlarmRule="ALARM(percentile)")
    attempt(watch.delete_alarms, AlarmNames=["math"])
    arn = f"arn:aws:cloudwatch:us-east-1:{ACCOUNT}:alarm:cpu high/ü <1>"
    attempt(watch.untag_resource, ResourceARN=arn, TagKeys=["team"])
    attempt(watch.tag_resource, ResourceARN=arn, Tags=[{"Key": "new", "Value": "1"}])
    attempt(watch.put_dashboard, DashboardName="second", DashboardBody='{"widgets":[]}')
    attempt(watch.put_dashboard, DashboardName="added", DashboardBody='{"widgets":[]}')
    attempt(watch.delete_dashboards, DashboardNames=["main_1-x"])


def kms():
    keys = boto3.client("kms", config=CONFIG)
    main = keys.describe_key(KeyId="alias/shop/main_1-x")["KeyMetadata"]["KeyId"]
    multi = keys.describe_key(KeyId="alias/multi")["KeyMetadata"]["KeyId"]
    attempt(keys.update_key_description, KeyId=main, Description="")
    attempt(keys.disable_key_rotation, KeyId=main)
    attempt(keys.disable_key, KeyId=main)
    attempt(keys.untag_resource, KeyId=main, TagKeys=["team"])
    attempt(keys.tag_resource, KeyId=main, Tags=[{"TagKey": "empty", "TagValue": "full"}])
    statement = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}}
    policy = {"Version": "2012-10-17", "Statement": [{**statement, "Action": "kms:*", "Resource": "*"}]}
    attempt(keys.put_key_policy, KeyId=main, PolicyName="default", Policy=json.dumps(policy))
    for grant in keys.list_grants(KeyId=main)["Grants"]:
        if grant.get("Name") == "reading":
            attempt(keys.revoke_grant, KeyId=main, GrantId=grant["GrantId"])
    attempt(keys.update_alias, AliasName="alias/shop/second", TargetKeyId=multi)
    attempt(keys.create_alias, AliasName="alias/zz-added", TargetKeyId=multi)
    off = next(key for key in described(keys) if key["Description"] == "switched off")
    attempt(keys.enable_key, KeyId=off["KeyId"])
    attempt(keys.create_key, Description="added")


def described(keys):
    for key in keys.list_keys()["Keys"]:
        yield keys.describe_key(KeyId=key["KeyId"])["KeyMetadata"]


cloudwatch()
kms()
