"""Makes HTTP and WebSocket APIs and all that belongs to them. Endpoint, keys and region come by environment.

What an emulator refuses is printed, `refused CALL: REASON`; the rest of the state is made.
"""

import boto3
from botocore.config import Config

CONFIG = Config(retries={"max_attempts": 1}, read_timeout=60)
REGION = "us-east-1"
gateway = boto3.client("apigatewayv2", region_name=REGION, config=CONFIG)
HERE = boto3.client("sts", region_name=REGION).get_caller_identity()["Account"]
FUNCTION = f"arn:aws:lambda:{REGION}:{HERE}:function:hello"
INVOKED = f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{FUNCTION}/invocations"
ROLE = f"arn:aws:iam::{HERE}:role/worker"


def attempt(call, **arguments):
    try:
        return call(**arguments)
    except Exception as error:  # Any refusal is the emulator's; the state is what it takes.
        print(f"refused {call.__name__}: {str(error)[:200]}")
        return {}


def web():
    api = attempt(
        gateway.create_api,
        Name="web",
        ProtocolType="HTTP",
        Description="what is söld",
        Version="2",
        CorsConfiguration={
            "AllowOrigins": ["https://a.example.com", "https://b.example.com"],
            "AllowMethods": ["GET", "POST"],
            "AllowHeaders": ["x-odd"],
            "ExposeHeaders": ["y"],
            "MaxAge": 60,
            "AllowCredentials": True,
        },
        DisableExecuteApiEndpoint=True,
        Tags={"team": "web", "odd key": "a/b=ü"},
    ).get("ApiId")
    proxy = attempt(
        gateway.create_integration,
        ApiId=api,
        IntegrationType="AWS_PROXY",
        IntegrationUri=FUNCTION,
        IntegrationMethod="POST",
        PayloadFormatVersion="2.0",
        TimeoutInMillis=12000,
        Description="to the function",
        CredentialsArn=ROLE,
        RequestParameters={"append:header.x": "$request.path"},
        ResponseParameters={"200": {"overwrite:header.y": "1"}},
    ).get("IntegrationId")
    other = attempt(
        gateway.create_integration,
        ApiId=api,
        IntegrationType="HTTP_PROXY",
        IntegrationUri="https://example.com/{proxy}",
        IntegrationMethod="ANY",
        PayloadFormatVersion="1.0",
        TlsConfig={"ServerNameToVerify": "example.com"},
    ).get("IntegrationId")
    # One that no route leads to.
    attempt(
        gateway.create_integration,
        ApiId=api,
        IntegrationType="HTTP_PROXY",
        IntegrationUri="https://lonely.example.com",
        IntegrationMethod="GET",
        PayloadFormatVersion="1.0",
    )
    token = attempt(
        gateway.create_authorizer,
        ApiId=api,
        Name="by token",
        AuthorizerType="JWT",
        IdentitySource=["$request.header.Authorization"],
        JwtConfiguration={"Audience": ["me", "you"], "Issuer": "https://issuer.example.com"},
    ).get("AuthorizerId")
    asked = attempt(
        gateway.create_authorizer,
        ApiId=api,
        Name="by request",
        AuthorizerType="REQUEST",
        AuthorizerUri=INVOKED,
        AuthorizerCredentialsArn=ROLE,
        IdentitySource=["$request.header.A", "$request.querystring.b"],
        AuthorizerPayloadFormatVersion="2.0",
        EnableSimpleResponses=True,
        AuthorizerResultTtlInSeconds=10,
    ).get("AuthorizerId")
    routes = [
        dict(RouteKey="GET /orders/{id}", AuthorizationType="JWT", AuthorizerId=token, AuthorizationScopes=["s", "a"]),
        dict(RouteKey="POST /orders", AuthorizationType="CUSTOM", AuthorizerId=asked, OperationName="order"),
    ]
    for route in routes:
        attempt(gateway.create_route, ApiId=api, Target=f"integrations/{proxy}", **route)
    attempt(gateway.create_route, ApiId=api, RouteKey="$default", Target=f"integrations/{other}")
    attempt(gateway.create_route, ApiId=api, RouteKey="ANY /nowhere")
    attempt(
        gateway.create_stage,
        ApiId=api,
        StageName="$default",
        AutoDeploy=True,
        Description="what people see",
        StageVariables={"function": "hello"},
        DefaultRouteSettings={
            "DetailedMetricsEnabled": True,
            "ThrottlingBurstLimit": 5,
            "ThrottlingRateLimit": 2.5,
        },
        RouteSettings={"GET /orders/{id}": {"ThrottlingBurstLimit": 3, "ThrottlingRateLimit": 1.0}},
        AccessLogSettings={
            "DestinationArn": f"arn:aws:logs:{REGION}:{HERE}:log-group:access",
            "Format": "$context.requestId",
        },
        Tags={"stage": "default"},
    )
    deployment = attempt(gateway.create_deployment, ApiId=api, Description="the first").get("DeploymentId")
    if deployment:
        attempt(gateway.create_stage, ApiId=api, StageName="prod", DeploymentId=deployment)
    return api


def chat():
    api = attempt(
        gateway.create_api,
        Name="chat {odd}/%",
        ProtocolType="WEBSOCKET",
        RouteSelectionExpression="$request.body.action",
        ApiKeySelectionExpression="$context.authorizer.usageIdentifierKey",
    ).get("ApiId")
    attempt(
        gateway.create_model,
        ApiId=api,
        Name="Message",
        ContentType="application/json",
        Description="what is said",
        Schema='{"type": "object"}',
    )
    mock = attempt(
        gateway.create_integration,
        ApiId=api,
        IntegrationType="MOCK",
        TemplateSelectionExpression="200",
        RequestTemplates={"200": '{"statusCode": 200}'},
        PassthroughBehavior="NEVER",
        ContentHandlingStrategy="CONVERT_TO_TEXT",
    ).get("IntegrationId")
    attempt(
        gateway.create_integration_response,
        ApiId=api,
        IntegrationId=mock,
        IntegrationResponseKey="/200/",
        ResponseTemplates={"200": "{}"},
        TemplateSelectionExpression="x",
    )
    route = attempt(
        gateway.create_route,
        ApiId=api,
        RouteKey="$connect",
        Target=f"integrations/{mock}",
        ApiKeyRequired=True,
        RouteResponseSelectionExpression="$default",
        RequestParameters={"route.request.header.x": {"Required": True}},
        ModelSelectionExpression="$request.body.model",
        RequestModels={"message": "Message"},
    ).get("RouteId")
    attempt(
        gateway.create_route_response,
        ApiId=api,
        RouteId=route,
        RouteResponseKey="$default",
        ModelSelectionExpression="x",
        ResponseModels={"message": "Message"},
    )
    attempt(gateway.create_stage, ApiId=api, StageName="live")


def main():
    api = web()
    chat()
    far = boto3.client("apigatewayv2", region_name="eu-west-1", config=CONFIG)
    attempt(far.create_api, Name="far", ProtocolType="HTTP")
    attempt(
        gateway.create_vpc_link,
        Name="to the inside",
        SubnetIds=["subnet-0a1b2c3d"],
        SecurityGroupIds=["sg-0a1b2c3d"],
        Tags={"link": "own"},
    )
    attempt(
        gateway.create_domain_name,
        DomainName="web.example.com",
        DomainNameConfigurations=[
            {
                "CertificateArn": f"arn:aws:acm:{REGION}:{HERE}:certificate/11111111-2222-3333-4444-555555555555",
                "EndpointType": "REGIONAL",
                "SecurityPolicy": "TLS_1_2",
            }
        ],
        Tags={"domain": "own"},
    )
    attempt(gateway.create_api_mapping, ApiId=api, DomainName="web.example.com", Stage="$default")
    attempt(
        gateway.create_api_mapping,
        ApiId=api,
        DomainName="web.example.com",
        Stage="$default",
        ApiMappingKey="v1",
    )


main()
