"""Changes what `gateway.py` made: every attribute that a call changes, things taken away and things added."""

import json

import boto3
from botocore.config import Config

CONFIG = Config(retries={"max_attempts": 1}, read_timeout=60)
gateway = boto3.client("apigateway", region_name="us-east-1", config=CONFIG)
HERE = boto3.client("sts").get_caller_identity()["Account"]


def attempt(call, **arguments):
    try:
        return call(**arguments)
    except Exception as error:  # Any refusal is the emulator's; the change is what it takes.
        print(f"refused {call.__name__}: {str(error)[:200]}")
        return {}


def replace(call, where, **values):
    operations = [{"op": "replace", "path": f"/{path}", "value": value} for path, value in values.items()]
    attempt(call, **where, patchOperations=operations)


apis = gateway.get_rest_apis()["items"]
api = next(one["id"] for one in apis if one.get("description"))
where = {"restApiId": api}
replace(gateway.update_rest_api, where, description="other", apiKeySource="HEADER")
arn = f"arn:aws:apigateway:us-east-1::/restapis/{api}"
attempt(gateway.tag_resource, resourceArn=arn, tags={"team": "other", "new": "tag"})
attempt(gateway.untag_resource, resourceArn=arn, tagKeys=["odd key"])

replace(gateway.update_model, {**where, "modelName": "Order"}, description="else", schema="{}")
attempt(gateway.delete_model, **where, modelName="Text")
validators = {one["name"]: one["id"] for one in gateway.get_request_validators(**where)["items"]}
replace(
    gateway.update_request_validator,
    {**where, "requestValidatorId": validators["none"]},
    validateRequestParameters="true",
)
authorizers = {one["name"]: one["id"] for one in gateway.get_authorizers(**where)["items"]}
replace(
    gateway.update_authorizer,
    {**where, "authorizerId": authorizers["by request"]},
    identitySource="method.request.header.Z",
    authorizerResultTtlInSeconds="90",
)
attempt(gateway.delete_gateway_response, **where, responseType="UNAUTHORIZED")
attempt(gateway.put_gateway_response, **where, responseType="DEFAULT_5XX", statusCode="500")
attempt(gateway.put_gateway_response, **where, responseType="DEFAULT_4XX", statusCode="499")

ids = {one["path"]: one["id"] for one in gateway.get_resources(**where)["items"]}
method = {**where, "resourceId": ids["/orders"], "httpMethod": "POST"}
attempt(gateway.delete_integration_response, **method, statusCode="400")
attempt(gateway.delete_method_response, **method, statusCode="400")
method = {**where, "resourceId": ids["/orders/{id}"], "httpMethod": "GET"}
attempt(gateway.delete_method, **method)
attempt(gateway.put_method, **method, authorizationType="NONE")
attempt(gateway.delete_resource, **where, resourceId=ids["/files/{proxy+}"])
attempt(gateway.delete_resource, **where, resourceId=ids["/files"])
attempt(gateway.create_resource, **where, parentId=ids["/"], pathPart="added")

stage = {**where, "stageName": "prod"}
replace(
    gateway.update_stage,
    stage,
    description="else",
    tracingEnabled="false",
    **{"variables/function": "changed", "variables/more": "1", "*/*/throttling/rateLimit": "99.5"},
)
attempt(
    gateway.update_stage, **stage, patchOperations=[{"op": "remove", "path": "/variables/odd"}]
)
attempt(gateway.delete_stage, **where, stageName="dev")

keys = {one["value"]: one["id"] for one in gateway.get_api_keys(includeValues=True)["items"]}
replace(
    gateway.update_api_key,
    {"apiKey": keys["00123456789abcdefghijklmnop"]},
    description="else",
    enabled="false",
)
plans = {one["name"]: one["id"] for one in gateway.get_usage_plans()["items"]}
attempt(
    gateway.delete_usage_plan_key, usagePlanId=plans["gold"], keyId=keys["10123456789abcdefghijklmnop"]
)
replace(
    gateway.update_usage_plan,
    {"usagePlanId": plans["gold"]},
    description="else",
    **{"throttle/rateLimit": "7", "quota/limit": "5"},
)
attempt(
    gateway.update_usage_plan,
    usagePlanId=plans["bare"],
    patchOperations=[{"op": "add", "path": "/apiStages", "value": f"{api}:prod"}],
)
attempt(gateway.delete_base_path_mapping, domainName="api.example.com", basePath="v1")
attempt(gateway.create_base_path_mapping, domainName="api.example.com", basePath="v2", restApiId=api)
replace(gateway.update_account, {}, cloudwatchRoleArn=f"arn:aws:iam::{HERE}:role/other")
