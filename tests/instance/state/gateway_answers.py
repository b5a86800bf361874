"""Makes an API that answers by itself (`/mock`) and one path of it by a function (`/hello`)."""

import io
import json
import zipfile

import boto3

REGION = "us-east-1"
HERE = boto3.client("sts").get_caller_identity()["Account"]
CODE = """
import json
def handler(event, context):
    return {"statusCode": 201, "body": json.dumps({"asked": event["path"], "by": event["httpMethod"]})}
"""
archive = io.BytesIO()
with zipfile.ZipFile(archive, "w") as code:
    code.writestr("main.py", CODE)
function = boto3.client("lambda").create_function(
    FunctionName="hello",
    Runtime="python3.11",
    Handler="main.handler",
    Role=f"arn:aws:iam::{HERE}:role/worker",
    Code={"ZipFile": archive.getvalue()},
)["FunctionArn"]
gateway = boto3.client("apigateway")
api = gateway.create_rest_api(name="answers", endpointConfiguration={"types": ["REGIONAL"]})["id"]
root = gateway.get_resources(restApiId=api)["items"][0]["id"]


def method(path):
    resource = gateway.create_resource(restApiId=api, parentId=root, pathPart=path)["id"]
    where = {"restApiId": api, "resourceId": resource, "httpMethod": "GET"}
    gateway.put_method(**where, authorizationType="NONE")
    return where


mock = method("mock")
gateway.put_method_response(**mock, statusCode="200")
template = json.dumps({"statusCode": 200})
gateway.put_integration(**mock, type="MOCK", requestTemplates={"application/json": template})
body = {"application/json": json.dumps({"from": "mock"})}
gateway.put_integration_response(**mock, statusCode="200", responseTemplates=body)
uri = f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{function}/invocations"
gateway.put_integration(**method("hello"), type="AWS_PROXY", integrationHttpMethod="POST", uri=uri)
gateway.create_deployment(restApiId=api, stageName="live")
