"""Changes what `gatewayv2.py` made: attributes that calls change, things taken away and things added."""

import boto3
from botocore.config import Config

CONFIG = Config(retries={"max_attempts": 1}, read_timeout=60)
gateway = boto3.client("apigatewayv2", region_name="us-east-1", config=CONFIG)


def attempt(call, **arguments):
    try:
        return call(**arguments)
    except Exception as error:  # Any refusal is the emulator's; the change is what it takes.
        print(f"refused {call.__name__}: {str(error)[:200]}")
        return {}


apis = {one["Name"]: one["ApiId"] for one in gateway.get_apis()["Items"]}
where = {"ApiId": apis["web"]}
attempt(gateway.update_api, **where, Description="else", CorsConfiguration={"AllowOrigins": ["*"]})
arn = f"arn:aws:apigateway:us-east-1::/apis/{apis['web']}"
attempt(gateway.tag_resource, ResourceArn=arn, Tags={"team": "other", "new": "tag"})
attempt(gateway.untag_resource, ResourceArn=arn, TagKeys=["odd key"])
for integration in gateway.get_integrations(**where)["Items"]:
    if integration["IntegrationType"] == "AWS_PROXY":
        attempt(
            gateway.update_integration,
            **where,
            IntegrationId=integration["IntegrationId"],
            TimeoutInMillis=5000,
            PayloadFormatVersion="1.0",
        )
    if "lonely" in integration["IntegrationUri"]:
        attempt(gateway.delete_integration, **where, IntegrationId=integration["IntegrationId"])
routes = {one["RouteKey"]: one for one in gateway.get_routes(**where)["Items"]}
attempt(
    gateway.update_route,
    **where,
    RouteId=routes["GET /orders/{id}"]["RouteId"],
    AuthorizationScopes=["other"],
    Target=routes["$default"]["Target"],
)
attempt(gateway.delete_route, **where, RouteId=routes["POST /orders"]["RouteId"])
attempt(gateway.create_route, **where, RouteKey="GET /added")
attempt(
    gateway.update_authorizer,
    **where,
    AuthorizerId=routes["GET /orders/{id}"]["AuthorizerId"],
    IdentitySource=["$request.header.Other"],
)
attempt(
    gateway.update_stage,
    **where,
    StageName="$default",
    Description="else",
    StageVariables={"function": "other", "more": "1"},
)
attempt(gateway.delete_stage, ApiId=apis["chat {odd}/%"], StageName="live")
for mapping in gateway.get_api_mappings(DomainName="web.example.com")["Items"]:
    if mapping.get("ApiMappingKey") == "v1":
        attempt(
            gateway.delete_api_mapping, DomainName="web.example.com", ApiMappingId=mapping["ApiMappingId"]
        )
