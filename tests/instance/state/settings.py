"""Makes CloudWatch and KMS state. Endpoint, keys and region come by environment.

What an emulator refuses is printed, `refused CALL: REASON`; the rest of the state is made.
"""

import json

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
ROLE = f"arn:aws:iam::{ACCOUNT}:role/worker"


def arn(service, resource, region="us-east-1"):
    return f"arn:aws:{service}:{region}:{ACCOUNT}:{resource}"


def cloudwatch():
    watch = client("cloudwatch")
    topic = arn("sns", "alerts")
    once = {"Period": 60, "EvaluationPeriods": 1, "ComparisonOperator": "LessThanThreshold"}
    attempt(
        watch.put_metric_alarm,
        AlarmName="cpu high/ü <1>",
        AlarmDescription="Früh & \"laut\"",
        ActionsEnabled=True,
        OKActions=[topic],
        AlarmActions=[topic, arn("sns", "pager")],
        InsufficientDataActions=[topic],
        Namespace="AWS/EC2",
        MetricName="CPUUtilization",
        Statistic="Average",
        Dimensions=[{"Name": "InstanceId", "Value": "i-1"}, {"Name": "A", "Value": "é"}],
        Period=60,
        Unit="Percent",
        EvaluationPeriods=3,
        DatapointsToAlarm=2,
        Threshold=80.5,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="notBreaching",
        Tags=[{"Key": "team", "Value": "blue"}, {"Key": "empty", "Value": ""}],
    )
    attempt(
        watch.put_metric_alarm,
        AlarmName="percentile",
        Namespace="own",
        MetricName="latency",
        ExtendedStatistic="p99.9",
        EvaluateLowSampleCountPercentile="ignore",
        ActionsEnabled=False,
        AlarmActions=[topic],
        Threshold=1.0,
        **once,
    )
    stat = {"Metric": {"Namespace": "own", "MetricName": "calls"}, "Period": 60, "Stat": "Sum"}
    dimensioned = json.loads(json.dumps(stat))
    dimensioned["Metric"]["Dimensions"] = [{"Name": "a", "Value": "b"}]
    attempt(
        watch.put_metric_alarm,
        AlarmName="math",
        EvaluationPeriods=1,
        Threshold=0.0,
        ComparisonOperator="LessThanThreshold",
        Metrics=[
            {"Id": "e", "Expression": "m1 / m2", "Label": "rate", "ReturnData": True},
            {"Id": "m1", "MetricStat": {**dimensioned, "Unit": "Count"}, "ReturnData": False},
            {"Id": "m2", "MetricStat": stat, "ReturnData": False},
        ],
    )
    attempt(
        watch.put_metric_alarm,
        AlarmName="band",
        EvaluationPeriods=1,
        ThresholdMetricId="ad",
        ComparisonOperator="LessThanLowerOrGreaterThanUpperThreshold",
        Metrics=[
            {"Id": "ad", "Expression": "ANOMALY_DETECTION_BAND(m, 2)", "ReturnData": True},
            {"Id": "m", "MetricStat": stat, "ReturnData": True},
        ],
    )
    attempt(
        watch.put_composite_alarm,
        AlarmName="all of it",
        AlarmRule='ALARM("percentile") OR (ALARM(math) AND NOT OK("cpu high/ü <1>"))',
        AlarmDescription="d",
        ActionsEnabled=True,
        AlarmActions=[topic],
        OKActions=[topic],
        InsufficientDataActions=[topic],
        ActionsSuppressor="percentile",
        ActionsSuppressorWaitPeriod=10,
        ActionsSuppressorExtensionPeriod=20,
        Tags=[{"Key": "k", "Value": "v"}],
    )
    attempt(
        client("cloudwatch", "eu-west-1").put_metric_alarm,
        AlarmName="percentile",
        Namespace="own",
        MetricName="other",
        Statistic="Maximum",
        Threshold=3.0,
        **once,
    )
    widget = {
        "type": "metric",
        "x": 0,
        "y": 0,
        "width": 6,
        "height": 6,
        "properties": {"metrics": [["own", "calls"]], "region": "us-east-1", "title": "Ü", "annotations": {}},
    }
    alarms = {"type": "alarm", "properties": {"title": "t", "alarms": [arn("cloudwatch", "alarm:percentile")]}}
    for name in ("main_1-x", "second"):
        body = json.dumps({"widgets": [widget, alarms][: 1 if name == "second" else 2]})
        attempt(watch.put_dashboard, DashboardName=name, DashboardBody=body)


def kms():
    keys = client("kms")

    def key(**arguments):
        made = attempt(keys.create_key, **arguments)
        return made["KeyMetadata"]["KeyId"] if made else None

    def policy(*statements):
        own = {"Sid": "own", "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}}
        own = {**own, "Action": "kms:*", "Resource": "*"}
        return json.dumps({"Version": "2012-10-17", "Id": "p", "Statement": [own, *statements]})

    use = {"Sid": "use", "Effect": "Allow", "Principal": {"AWS": ROLE}, "Action": "kms:Decrypt", "Resource": "*"}
    tags = [{"TagKey": key, "TagValue": value} for key, value in (("team", "blue"), ("empty", ""), ("ünï", "cödé"))]
    main = key(Description="what is sécret", Policy=policy(use), Tags=tags)
    for alias in ("alias/shop/main_1-x", "alias/shop/second"):
        attempt(keys.create_alias, AliasName=alias, TargetKeyId=main)
    attempt(keys.enable_key_rotation, KeyId=main, RotationPeriodInDays=200)
    attempt(
        keys.create_grant,
        KeyId=main,
        Name="reading",
        GranteePrincipal=ROLE,
        RetiringPrincipal=f"arn:aws:iam::{ACCOUNT}:role/boss",
        Operations=["Encrypt", "Decrypt"],
        Constraints={"EncryptionContextSubset": {"a": "b"}},
    )
    attempt(keys.create_grant, KeyId=main, GranteePrincipal=ROLE, Operations=["DescribeKey"])
    off = key(Description="switched off")
    attempt(keys.enable_key_rotation, KeyId=off)
    attempt(keys.disable_key, KeyId=off)
    # Named by nothing, and several of one name.
    key()
    key(Tags=[{"TagKey": "which", "TagValue": "second"}])
    key(Description="same")
    key(Description="same", Tags=tags)
    for spec, usage in (
        ("RSA_2048", "SIGN_VERIFY"),
        ("ECC_NIST_P256", "SIGN_VERIFY"),
        ("RSA_2048", "ENCRYPT_DECRYPT"),
        ("HMAC_256", "GENERATE_VERIFY_MAC"),
    ):
        key(Description=f"{spec} {usage}", KeySpec=spec, KeyUsage=usage)
    multi = key(Description="in many regions", MultiRegion=True)
    attempt(keys.create_alias, AliasName="alias/multi", TargetKeyId=multi)
    key(Description="imported", Origin="EXTERNAL")
    gone = key(Description="gone soon")
    attempt(keys.schedule_key_deletion, KeyId=gone, PendingWindowInDays=7)
    west = client("kms", "eu-west-1")
    made = attempt(west.create_key, Description="what is sécret")
    attempt(west.create_alias, AliasName="alias/shop/main_1-x", TargetKeyId=made["KeyMetadata"]["KeyId"])
    # What refers to a key.
    attempt(client("ssm").put_parameter, Name="key", Value="x", Type="SecureString", KeyId=main)


cloudwatch()
kms()
