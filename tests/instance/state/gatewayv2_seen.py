"""Prints what there is of HTTP and WebSocket APIs as boto3 sees it, a line for each thing, without dates and ids."""

import json

import boto3

VOLATILE = {
    "ResponseMetadata",
    "ApiEndpoint",
    "ApiGatewayDomainName",
    "ApiId",
    "ApiMappingId",
    "AuthorizerId",
    "CreatedDate",
    "DeploymentId",
    "IntegrationId",
    "IntegrationResponseId",
    "LastUpdatedDate",
    "ModelId",
    "RouteId",
    "RouteResponseId",
    "VpcLinkId",
}
UNSAID = (None, False, "", [], {})
gateway = boto3.client("apigatewayv2", region_name="us-east-1")
NAMES = {}


def plain(value):
    if isinstance(value, dict):
        # An empty thing says as much as none.
        return {key: plain(one) for key, one in sorted(value.items()) if key not in VOLATILE and one not in UNSAID}
    if isinstance(value, list):
        return sorted((plain(one) for one in value), key=lambda one: json.dumps(one, sort_keys=True))
    if isinstance(value, str) and value.startswith("integrations/"):
        return NAMES.get(value, value)
    return value


def listed(what, call, **arguments):
    try:
        items = call(**arguments)["Items"]
    except Exception as error:  # Not offered by this emulator, which is the same each time.
        print(what, type(error).__name__)
        return []
    for line in sorted(json.dumps(plain(one), sort_keys=True, default=str) for one in items):
        print(what, line)
    return items


for api in sorted(listed("api", gateway.get_apis), key=lambda one: one["Name"]):
    where = {"ApiId": api["ApiId"]}
    for one in listed("integration", gateway.get_integrations, **where):
        name = " ".join(one.get(field, "") for field in ("IntegrationType", "IntegrationUri"))
        NAMES[f"integrations/{one['IntegrationId']}"] = name
        listed("answer", gateway.get_integration_responses, **where, IntegrationId=one["IntegrationId"])
    for route in listed("route", gateway.get_routes, **where):
        listed("answer of route", gateway.get_route_responses, **where, RouteId=route["RouteId"])
        if route.get("AuthorizerId"):
            authorizer = gateway.get_authorizer(**where, AuthorizerId=route["AuthorizerId"])
            print("for", route["RouteKey"], json.dumps(plain(authorizer), sort_keys=True))
    listed("authorizer", gateway.get_authorizers, **where)
    listed("model", gateway.get_models, **where)
    listed("stage", gateway.get_stages, **where)
listed("link", gateway.get_vpc_links)
listed("domain", gateway.get_domain_names)
listed("mapping", gateway.get_api_mappings, DomainName="web.example.com")
