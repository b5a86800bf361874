"""Makes published versions and aliases of Lambda functions and what hangs on them. Endpoint, keys and region come by
environment.

What an emulator refuses is printed, `refused CALL: REASON`; the rest of the state is made.
"""

import io
import json
import time
import zipfile

import boto3
from botocore.config import Config

CONFIG = Config(retries={"max_attempts": 1}, read_timeout=60)
REGION = "us-east-1"


def client(service):
    return boto3.client(service, region_name=REGION, config=CONFIG)


def attempt(call, **arguments):
    try:
        return call(**arguments)
    except Exception as error:  # Any refusal is the emulator's; the state is what it takes.
        print(f"refused {call.__self__.meta.service_model.service_name} {call.__name__}: {str(error)[:200]}")
        return None


def zip_of(text):
    """A zip with a fixed date, so that it is the same bytes each time."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo("index.py", (2026, 1, 1, 0, 0, 0)), text)
    return buffer.getvalue()


FIRST = zip_of("def handler(event, context): return 1")
functions = client("lambda")
here = client("sts").get_caller_identity()["Account"]


def ready(name):
    for _ in range(200):
        config = functions.get_function(FunctionName=name)["Configuration"]
        busy = config.get("LastUpdateStatus") == "InProgress" and config.get("State") != "Failed"
        if config.get("State") != "Pending" and not busy:
            return
        time.sleep(0.1)


def configure(name, **settings):
    attempt(functions.update_function_configuration, FunctionName=name, **settings)
    ready(name)


def publish(name, **more):
    answer = attempt(functions.publish_version, FunctionName=name, **more)
    ready(name)
    return answer


trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
attempt(
    client("iam").create_role,
    RoleName="publisher",
    AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
)
for name in ("shop", "bare_1-x"):
    attempt(
        functions.create_function,
        FunctionName=name,
        Runtime="python3.12",
        Role=f"arn:aws:iam::{here}:role/publisher",
        Handler="index.handler",
        Code={"ZipFile": FIRST},
        Description="the first",
        Environment={"Variables": {"STAGE": "one"}},
    )
    ready(name)
publish("shop")
configure("shop", Description="the second")
publish("shop")
configure("shop", Description="", Timeout=9, MemorySize=256, Environment={"Variables": {"STAGE": "three", "EMPTY": ""}})
publish("shop", Description="thé third")
# Code that only a version has.
attempt(functions.update_function_code, FunctionName="shop", ZipFile=zip_of("def handler(event, context): return 4"))
ready("shop")
publish("shop")
# A number that nobody has any more.
attempt(functions.delete_function, FunctionName="shop", Qualifier="2")
attempt(functions.update_function_code, FunctionName="shop", ZipFile=FIRST)
ready("shop")
configure("shop", Environment={"Variables": {"STAGE": "now"}}, Timeout=10)
publish("bare_1-x")

attempt(
    functions.create_alias,
    FunctionName="shop",
    Name="live",
    FunctionVersion="3",
    Description="what is söld",
    RoutingConfig={"AdditionalVersionWeights": {"1": 0.25}},
)
attempt(functions.create_alias, FunctionName="shop", Name="dev-1_x", FunctionVersion="$LATEST")
attempt(functions.create_alias, FunctionName="bare_1-x", Name="live", FunctionVersion="1")

cors = {
    "AllowCredentials": True,
    "AllowHeaders": ["x-first", "x-second"],
    "AllowMethods": ["GET", "POST"],
    "AllowOrigins": ["https://shop.example", "http://localhost:3000"],
    "ExposeHeaders": ["x-third"],
    "MaxAge": 300,
}
attempt(
    functions.create_function_url_config,
    FunctionName="shop",
    AuthType="NONE",
    Cors=cors,
    InvokeMode="RESPONSE_STREAM",
)
# moto takes what is asked for an alias or a version for the function's.
whole_only = here == "123456789012"
if not whole_only:
    attempt(functions.create_function_url_config, FunctionName="shop", Qualifier="live", AuthType="AWS_IAM")


def permit(sid, action="lambda:InvokeFunction", function="shop", **more):
    attempt(functions.add_permission, FunctionName=function, StatementId=sid, Action=action, **more)


permit("bucket", Principal="s3.amazonaws.com", SourceArn="arn:aws:s3:::uploads", SourceAccount=here)
permit("account", action="lambda:GetFunction", Principal=here)
permit("partner", action="lambda:*", Principal="arn:aws:iam::111122223333:root")
permit("org", Principal="*", PrincipalOrgID="o-abcdef1234")
permit("url", action="lambda:InvokeFunctionUrl", Principal="*", FunctionUrlAuthType="NONE")
permit("skill", function="bare_1-x", Principal="alexa-appkit.amazon.com", EventSourceToken="amzn1.ask.skill.1")
rule = f"arn:aws:events:{REGION}:{here}:rule/nightly"
permit("rule-of-alias", Principal="events.amazonaws.com", SourceArn=rule, Qualifier="live")
permit("rule-of-version", Principal="events.amazonaws.com", SourceArn=rule, Qualifier="1")

attempt(
    functions.put_function_event_invoke_config,
    FunctionName="shop",
    MaximumRetryAttempts=1,
    MaximumEventAgeInSeconds=120,
    DestinationConfig={
        "OnSuccess": {"Destination": f"arn:aws:sqs:{REGION}:{here}:done"},
        "OnFailure": {"Destination": f"arn:aws:sns:{REGION}:{here}:failed"},
    },
)
if not whole_only:
    attempt(
        functions.put_function_event_invoke_config, FunctionName="shop", Qualifier="live", MaximumRetryAttempts=0
    )
    attempt(
        functions.put_function_event_invoke_config, FunctionName="shop", Qualifier="1", MaximumEventAgeInSeconds=60
    )
for qualifier, count in (("live", 2), ("1", 3)):
    attempt(
        functions.put_provisioned_concurrency_config,
        FunctionName="shop",
        Qualifier=qualifier,
        ProvisionedConcurrentExecutions=count,
    )
attempt(functions.put_function_recursion_config, FunctionName="shop", RecursiveLoop="Allow")
