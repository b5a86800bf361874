"""Makes IAM and Lambda state. Endpoint, keys and region come by environment.

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
REGION = "us-east-1"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
ECHO = """
import json, os
import botocore.session
import lib

def handler(event, context):
    session = botocore.session.get_session()
    results = session.create_client("sqs", region_name=os.environ["AWS_REGION"])
    url = results.get_queue_url(QueueName=os.environ["RESULTS"])["QueueUrl"]
    for record in event["Records"]:
        answer = {"said": record["body"], "lib": lib.VERSION, "mode": os.environ["MODE"]}
        results.send_message(QueueUrl=url, MessageBody=json.dumps(answer))
    return len(event["Records"])
"""


def client(service, region=REGION):
    return boto3.client(service, region_name=region, config=CONFIG)


def attempt(call, **arguments):
    try:
        return call(**arguments)
    except Exception as error:  # Any refusal is the emulator's; the state is what it takes.
        print(f"refused {call.__self__.meta.service_model.service_name} {call.__name__}: {str(error)[:200]}")
        return None


def zip_of(**files):
    """A zip with a fixed date, so that it is the same bytes each time."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            path = name.replace("__", "/") + ".py"
            archive.writestr(zipfile.ZipInfo(path, (2026, 1, 1, 0, 0, 0)), text)
    return buffer.getvalue()


def tags(**pairs):
    return [{"Key": key, "Value": value} for key, value in pairs.items()]


def iam(here):
    iam = client("iam")
    reader = f"arn:aws:iam::{here}:policy/team/reader"
    allow = {"Effect": "Allow", "Action": ["s3:GetObject", "sqs:*"], "Resource": f"arn:aws:sqs:{REGION}:{here}:*"}
    first = {"Version": "2012-10-17", "Statement": [allow]}
    second = {"Version": "2012-10-17", "Statement": {**allow, "Sid": "Second", "Action": "dynamodb:*"}}
    attempt(
        iam.create_policy,
        PolicyName="reader",
        Path="/team/",
        PolicyDocument=json.dumps(first),
        Description="reads things",
        Tags=tags(team="a", empty=""),
    )
    attempt(iam.create_policy_version, PolicyArn=reader, PolicyDocument=json.dumps(second, indent=2), SetAsDefault=True)
    attempt(iam.create_policy, PolicyName="plain", PolicyDocument=json.dumps(first))
    attempt(
        iam.create_role,
        RoleName="worker",
        Path="/app/",
        AssumeRolePolicyDocument=json.dumps(TRUST),
        Description="runs the functions",
        MaxSessionDuration=7200,
        PermissionsBoundary=reader,
        Tags=tags(k="v", empty=""),
    )
    attempt(iam.put_role_policy, RoleName="worker", PolicyName="inline", PolicyDocument=json.dumps(second))
    attempt(iam.attach_role_policy, RoleName="worker", PolicyArn=reader)
    attempt(iam.attach_role_policy, RoleName="worker", PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
    trust = json.loads(json.dumps(TRUST))
    trust["Statement"][0]["Principal"] = {"AWS": f"arn:aws:iam::{here}:root"}
    attempt(iam.create_role, RoleName="person", AssumeRolePolicyDocument=json.dumps(trust))
    attempt(iam.create_user, UserName="ann", Path="/people/", PermissionsBoundary=reader, Tags=tags(k="v"))
    attempt(iam.put_user_policy, UserName="ann", PolicyName="inline", PolicyDocument=json.dumps(first))
    attempt(iam.attach_user_policy, UserName="ann", PolicyArn=reader)
    attempt(iam.create_access_key, UserName="ann")
    attempt(iam.create_user, UserName="bob")


def layers(functions):
    for number in (1, 2, 3):
        attempt(
            functions.publish_layer_version,
            LayerName="lib",
            Content={"ZipFile": zip_of(python__lib=f"VERSION = {number}\n")},
            Description=f"number {number}",
            CompatibleRuntimes=["python3.12", "python3.11"],
            CompatibleArchitectures=["x86_64", "arm64"],
            LicenseInfo="MIT",
        )
    # A gap in the numbers.
    attempt(functions.delete_layer_version, LayerName="lib", VersionNumber=1)
    noise = "".join(chr(33 + (at * at + at // 7) % 90) for at in range(300_000))
    attempt(functions.publish_layer_version, LayerName="big", Content={"ZipFile": zip_of(python__noise=noise)})


def ready(functions, name):
    for _ in range(100):
        config = functions.get_function(FunctionName=name)["Configuration"]
        if config.get("State") != "Pending" and config.get("LastUpdateStatus") != "InProgress":
            return
        time.sleep(0.1)


def functions(here):
    functions, queues, tables = client("lambda"), client("sqs"), client("dynamodb")
    for queue in ("orders", "results", "dead"):
        attempt(queues.create_queue, QueueName=queue)
    arn = f"arn:aws:sqs:{REGION}:{here}:"
    role = f"arn:aws:iam::{here}:role/app/worker"
    layers(functions)
    attempt(
        functions.create_function,
        FunctionName="echo",
        Runtime="python3.12",
        Role=role,
        Handler="index.handler",
        Code={"ZipFile": zip_of(index=ECHO)},
        Description="says it again",
        Timeout=7,
        MemorySize=256,
        Environment={"Variables": {"RESULTS": "results", "MODE": "first", "EMPTY": "", "QUEUE": f"{arn}orders"}},
        Layers=[f"arn:aws:lambda:{REGION}:{here}:layer:lib:2"],
        TracingConfig={"Mode": "Active"},
        DeadLetterConfig={"TargetArn": f"{arn}dead"},
        EphemeralStorage={"Size": 1024},
        LoggingConfig={"LogFormat": "JSON", "LogGroup": "/my/group"},
        Tags={"k": "v", "empty": ""},
    )
    attempt(
        functions.create_function,
        FunctionName="plain",
        Runtime="nodejs20.x",
        Role=role,
        Handler="index.handler",
        Code={"ZipFile": zip_of(index="exports.handler = async () => 1")},
        Architectures=["arm64"],
    )
    attempt(
        functions.create_function,
        FunctionName="nobodys",
        Runtime="python3.11",
        Role=f"arn:aws:iam::{here}:role/never-made",
        Handler="index.handler",
        Code={"ZipFile": zip_of(index="def handler(event, context): return 2")},
    )
    attempt(
        functions.create_function,
        FunctionName="image",
        PackageType="Image",
        Role=role,
        Code={"ImageUri": f"{here}.dkr.ecr.{REGION}.amazonaws.com/repo:tag"},
        ImageConfig={"Command": ["app.handler"]},
    )
    for name in ("echo", "plain"):
        ready(functions, name)
    attempt(functions.put_function_concurrency, FunctionName="echo", ReservedConcurrentExecutions=5)
    attempt(
        functions.create_event_source_mapping,
        FunctionName="echo",
        EventSourceArn=f"{arn}orders",
        BatchSize=5,
        FunctionResponseTypes=["ReportBatchItemFailures"],
        Tags={"k": "v"},
    )
    attempt(
        functions.create_event_source_mapping,
        FunctionName="plain",
        EventSourceArn=f"{arn}results",
        MaximumBatchingWindowInSeconds=3,
        Enabled=False,
        FilterCriteria={"Filters": [{"Pattern": json.dumps({"body": {"a": [1]}})}]},
        ScalingConfig={"MaximumConcurrency": 5},
    )
    if "NO_TABLES" in os.environ:
        return
    table = attempt(
        tables.create_table,
        TableName="streamed",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )
    if table:
        attempt(
            functions.create_event_source_mapping,
            FunctionName="plain",
            EventSourceArn=table["TableDescription"]["LatestStreamArn"],
            StartingPosition="TRIM_HORIZON",
            Enabled=False,
        )


def elsewhere(here):
    attempt(
        client("lambda", "eu-west-1").create_function,
        FunctionName="echo",
        Runtime="python3.12",
        Role=f"arn:aws:iam::{here}:role/app/worker",
        Handler="index.handler",
        Code={"ZipFile": zip_of(index="def handler(event, context): return 3")},
    )


account = client("sts").get_caller_identity()["Account"]
iam(account)
functions(account)
elsewhere(account)
