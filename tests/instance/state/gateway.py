"""Makes API Gateway state: REST APIs and all that belongs to them. Endpoint, keys and region come by environment.

What an emulator refuses is printed, `refused CALL: REASON`; the rest of the state is made.
"""

import json

import boto3
from botocore.config import Config

CONFIG = Config(retries={"max_attempts": 1}, read_timeout=60)
REGION = "us-east-1"


def client(service, region=REGION):
    return boto3.client(service, region_name=region, config=CONFIG)


def attempt(call, **arguments):
    try:
        return call(**arguments)
    except Exception as error:  # Any refusal is the emulator's; the state is what it takes.
        print(f"refused {call.__self__.meta.service_model.service_name} {call.__name__}: {str(error)[:200]}")
        return {}


def patch(op="replace", **paths):
    """`patch(a__b="c")` replaces `/a/b` by `c`."""
    return [{"op": op, "path": "/" + path.replace("__", "/"), "value": value} for path, value in paths.items()]


HERE = client("sts").get_caller_identity()["Account"]
POOL = f"arn:aws:cognito-idp:{REGION}:{HERE}:userpool/{REGION}_abcDEF123"
FUNCTION = f"arn:aws:lambda:{REGION}:{HERE}:function:hello"
INVOKED = f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{FUNCTION}/invocations"
CERTIFICATE = f"arn:aws:acm:{REGION}:{HERE}:certificate/11111111-2222-3333-4444-555555555555"
ROLE = f"arn:aws:iam::{HERE}:role/worker"


def paths(api, *wanted):
    """Makes resources and gives all ids by path."""
    gateway = client("apigateway")
    ids = {one["path"]: one["id"] for one in gateway.get_resources(restApiId=api)["items"]}
    for path in wanted:
        parent, _, part = path.rpartition("/")
        made = attempt(gateway.create_resource, restApiId=api, parentId=ids[parent or "/"], pathPart=part)
        ids[path] = made.get("id")
    return ids


def mock(api, resource, method="GET", body='{"from": "mock"}', status="200"):
    gateway = client("apigateway")
    where = {"restApiId": api, "resourceId": resource, "httpMethod": method}
    attempt(gateway.put_method, **where, authorizationType="NONE")
    attempt(gateway.put_method_response, **where, statusCode=status)
    template = json.dumps({"statusCode": int(status)})
    attempt(gateway.put_integration, **where, type="MOCK", requestTemplates={"application/json": template})
    attempt(
        gateway.put_integration_response, **where, statusCode=status, responseTemplates={"application/json": body}
    )


def shop():
    gateway = client("apigateway")
    api = attempt(
        gateway.create_rest_api,
        name="shop",
        description="what is söld",
        version="v2",
        binaryMediaTypes=["image/png", "application/x~odd"],
        minimumCompressionSize=1024,
        apiKeySource="AUTHORIZER",
        endpointConfiguration={"types": ["REGIONAL"]},
        disableExecuteApiEndpoint=True,
        tags={"team": "shop", "odd key": "a/b=ü"},
    )["id"]
    statement = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "execute-api:Invoke",
        "Resource": f"arn:aws:execute-api:{REGION}:{HERE}:{api}/*",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    attempt(gateway.update_rest_api, restApiId=api, patchOperations=patch(policy=policy))

    schema = {"$schema": "http://json-schema.org/draft-04/schema#", "type": "object", "required": ["id"]}
    attempt(
        gateway.create_model,
        restApiId=api,
        name="Order",
        description="an order",
        contentType="application/json",
        schema=json.dumps(schema, indent=1),
    )
    attempt(gateway.create_model, restApiId=api, name="Text", contentType="text/plain", schema="{}")
    validator = attempt(
        gateway.create_request_validator,
        restApiId=api,
        name="all of it",
        validateRequestBody=True,
        validateRequestParameters=True,
    ).get("id")
    attempt(gateway.create_request_validator, restApiId=api, name="none", validateRequestBody=False)
    token = attempt(
        gateway.create_authorizer,
        restApiId=api,
        name="by token",
        type="TOKEN",
        authType="custom",
        authorizerUri=INVOKED,
        authorizerCredentials=ROLE,
        identitySource="method.request.header.Authorization",
        identityValidationExpression="^Bearer .*$",
        authorizerResultTtlInSeconds=0,
    ).get("id")
    attempt(
        gateway.create_authorizer,
        restApiId=api,
        name="by request",
        type="REQUEST",
        authorizerUri=INVOKED,
        identitySource="method.request.header.X,method.request.querystring.y",
        authorizerResultTtlInSeconds=60,
    )
    attempt(
        gateway.create_authorizer,
        restApiId=api,
        name="pool",
        type="COGNITO_USER_POOLS",
        providerARNs=[POOL],
        identitySource="method.request.header.Authorization",
    )
    attempt(
        gateway.put_gateway_response,
        restApiId=api,
        responseType="DEFAULT_4XX",
        statusCode="418",
        responseParameters={"gatewayresponse.header.Access-Control-Allow-Origin": "'*'"},
        responseTemplates={"application/json": '{"message": $context.error.messageString}'},
    )
    attempt(gateway.put_gateway_response, restApiId=api, responseType="UNAUTHORIZED", statusCode="401")

    ids = paths(api, "/orders", "/orders/{id}", "/files", "/files/{proxy+}")
    mock(api, ids["/"])
    where = {"restApiId": api, "resourceId": ids["/orders"], "httpMethod": "POST"}
    attempt(
        gateway.put_method,
        **where,
        authorizationType="CUSTOM",
        authorizerId=token,
        apiKeyRequired=True,
        operationName="order",
        requestValidatorId=validator,
        requestModels={"application/json": "Order"},
        requestParameters={"method.request.header.X": True, "method.request.querystring.y": False},
    )
    attempt(
        gateway.put_method_response,
        **where,
        statusCode="201",
        responseModels={"application/json": "Order"},
        responseParameters={"method.response.header.Location": True},
    )
    attempt(gateway.put_method_response, **where, statusCode="400")
    attempt(
        gateway.put_integration,
        **where,
        type="AWS",
        integrationHttpMethod="POST",
        uri=INVOKED,
        credentials=ROLE,
        requestParameters={"integration.request.header.X": "method.request.header.X"},
        requestTemplates={"application/json": "$input.json('$')", "text/plain": "ü"},
        passthroughBehavior="WHEN_NO_TEMPLATES",
        contentHandling="CONVERT_TO_TEXT",
        timeoutInMillis=12000,
        cacheKeyParameters=["method.request.querystring.y"],
    )
    attempt(
        gateway.put_integration_response,
        **where,
        statusCode="201",
        responseParameters={"method.response.header.Location": "integration.response.header.Location"},
        responseTemplates={"application/json": "$input.body"},
        contentHandling="CONVERT_TO_TEXT",
    )
    attempt(gateway.put_integration_response, **where, statusCode="400", selectionPattern=".*bad.*")

    where = {"restApiId": api, "resourceId": ids["/orders/{id}"], "httpMethod": "GET"}
    attempt(gateway.put_method, **where, authorizationType="AWS_IAM", requestParameters={"method.request.path.id": True})
    attempt(
        gateway.put_integration,
        **where,
        type="AWS_PROXY",
        integrationHttpMethod="POST",
        uri=INVOKED,
        cacheNamespace="orders",
    )
    where = {"restApiId": api, "resourceId": ids["/files/{proxy+}"], "httpMethod": "ANY"}
    attempt(gateway.put_method, **where, authorizationType="NONE", requestParameters={"method.request.path.proxy": True})
    attempt(
        gateway.put_integration,
        **where,
        type="HTTP_PROXY",
        integrationHttpMethod="ANY",
        uri="https://example.com/{proxy}",
        requestParameters={"integration.request.path.proxy": "method.request.path.proxy"},
        tlsConfig={"insecureSkipVerification": True},
    )
    # A method that nobody has given an integration.
    attempt(
        gateway.put_method,
        restApiId=api,
        resourceId=ids["/files"],
        httpMethod="HEAD",
        authorizationType="NONE",
    )
    return api


def stages(api):
    gateway = client("apigateway")
    first = attempt(gateway.create_deployment, restApiId=api, description="the first").get("id")
    attempt(gateway.create_stage, restApiId=api, stageName="dev", deploymentId=first)
    second = attempt(gateway.create_deployment, restApiId=api, description="the second").get("id")
    attempt(
        gateway.create_stage,
        restApiId=api,
        stageName="prod",
        deploymentId=second,
        description="what people see",
        variables={"function": "hello", "odd": "a/b-c_d"},
        cacheClusterEnabled=True,
        cacheClusterSize="0.5",
        tracingEnabled=True,
        tags={"stage": "prod"},
    )
    settings = {
        "/*/*/throttling/rateLimit": "12.5",
        "/*/*/throttling/burstLimit": "5",
        "/*/*/metrics/enabled": "true",
        "/~1orders/POST/logging/loglevel": "INFO",
        "/~1orders/POST/logging/dataTrace": "true",
        "/~1orders/POST/caching/enabled": "true",
        "/~1orders/POST/caching/ttlInSeconds": "60",
    }
    for path, value in settings.items():
        operation = {"op": "replace", "path": path, "value": value}
        attempt(gateway.update_stage, restApiId=api, stageName="prod", patchOperations=[operation])
    log = f"arn:aws:logs:{REGION}:{HERE}:log-group:access"
    logged = {"/accessLogSettings/destinationArn": log, "/accessLogSettings/format": "$context.requestId"}
    operations = [{"op": "replace", "path": path, "value": value} for path, value in logged.items()]
    attempt(gateway.update_stage, restApiId=api, stageName="prod", patchOperations=operations)
    attempt(
        gateway.create_stage,
        restApiId=api,
        stageName="canary",
        deploymentId=first,
        canarySettings={
            "percentTraffic": 12.5,
            "deploymentId": second,
            "stageVariableOverrides": {"function": "other"},
            "useStageCache": True,
        },
    )


def plans(api, other):
    gateway = client("apigateway")
    keys = [
        attempt(
            gateway.create_api_key,
            name=name,
            description="for a partner",
            enabled=enabled,
            value=f"{index}0123456789abcdefghijklmnop",
            customerId=f"customer {index}",
            tags={"partner": name},
        ).get("id")
        for index, (name, enabled) in enumerate([("partner", True), ("partner", False), ("öther", True)])
    ]
    plan = attempt(
        gateway.create_usage_plan,
        name="gold",
        description="much",
        throttle={"burstLimit": 20, "rateLimit": 10.5},
        quota={"limit": 1000, "offset": 2, "period": "WEEK"},
        apiStages=[
            {"apiId": api, "stage": "prod", "throttle": {"/orders/POST": {"burstLimit": 2, "rateLimit": 3}}},
            {"apiId": other, "stage": "live"},
        ],
        tags={"plan": "gold"},
    ).get("id")
    attempt(gateway.create_usage_plan, name="bare")
    for key in keys[:2]:
        attempt(gateway.create_usage_plan_key, usagePlanId=plan, keyId=key, keyType="API_KEY")


def domains(api):
    gateway = client("apigateway")
    attempt(
        gateway.create_domain_name,
        domainName="api.example.com",
        regionalCertificateArn=CERTIFICATE,
        endpointConfiguration={"types": ["REGIONAL"]},
        securityPolicy="TLS_1_2",
        tags={"domain": "own"},
    )
    attempt(
        gateway.create_domain_name,
        domainName="edge.example.com",
        certificateArn=CERTIFICATE,
        endpointConfiguration={"types": ["EDGE"]},
    )
    attempt(gateway.create_base_path_mapping, domainName="api.example.com", restApiId=api, stage="prod")
    attempt(
        gateway.create_base_path_mapping, domainName="api.example.com", basePath="v1", restApiId=api, stage="dev"
    )
    attempt(gateway.create_base_path_mapping, domainName="edge.example.com", basePath="all", restApiId=api)


def main():
    gateway = client("apigateway")
    api = shop()
    stages(api)
    # One of the same name, and one elsewhere.
    other = attempt(gateway.create_rest_api, name="shop").get("id")
    mock(other, paths(other)["/"])
    attempt(gateway.create_deployment, restApiId=other, stageName="live")
    far = client("apigateway", "eu-west-1")
    attempt(far.create_rest_api, name="far {away}/%")
    link = attempt(
        gateway.create_vpc_link,
        name="to the inside",
        description="a link",
        targetArns=[f"arn:aws:elasticloadbalancing:{REGION}:{HERE}:loadbalancer/net/inside/50dc6c495c0c9188"],
        tags={"link": "own"},
    ).get("id")
    inside = paths(other, "/inside")["/inside"]
    where = {"restApiId": other, "resourceId": inside, "httpMethod": "GET"}
    attempt(gateway.put_method, **where, authorizationType="NONE")
    attempt(
        gateway.put_integration,
        **where,
        type="HTTP",
        integrationHttpMethod="GET",
        uri="http://inside.example.com",
        connectionType="VPC_LINK",
        connectionId=link or "${stageVariables.link}",
    )
    plans(api, other)
    domains(api)
    attempt(gateway.update_account, patchOperations=patch(cloudwatchRoleArn=ROLE))


main()
