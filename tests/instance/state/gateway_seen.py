"""Prints what there is of API Gateway as boto3 sees it, a line for each thing, without dates and generated ids."""

import json

import boto3

# What says the same as nothing.
UNSAID = (None, False, "", 5000, 10000, 2000, 1000, "TLS_1_2", [], {})
VOLATILE = {
    "apiSummary",
    "ResponseMetadata",
    "cacheNamespace",
    "createdDate",
    "lastUpdatedDate",
    "certificateUploadDate",
    "distributionDomainName",
    "regionalDomainName",
    "position",
}
gateway = boto3.client("apigateway", region_name="us-east-1")
NAMES = {}


def plain(value):
    if isinstance(value, dict):
        # What a canary serves can't be told, and is the API then.
        value = {key: one for key, one in value.items() if not ("percentTraffic" in value and key == "deploymentId")}
        items = sorted(value.items())
        return {plain(key): plain(one) for key, one in items if key not in VOLATILE and one not in UNSAID}
    if isinstance(value, list):
        return sorted((plain(one) for one in value), key=lambda one: json.dumps(one, sort_keys=True))
    if isinstance(value, str):
        if value.startswith("{") and "Statement" in value:
            value = json.dumps(json.loads(value.replace("\\", "")), sort_keys=True)
        for id, name in NAMES.items():
            value = value.replace(id, name)
    return value


def said(what, call, **arguments):
    try:
        answer = call(**arguments)
    except Exception as error:  # Not offered by this emulator, which is the same each time.
        print(what, type(error).__name__)
        return {}
    # An id has a name as soon as the thing is seen, in the order of what people wrote.
    for one in answer.get("items", answer.get("item", [answer])):
        text = json.dumps([one.get(part) for part in ("name", "path", "description", "value", "status")])
        for field in ("id", "rootResourceId", "deploymentId"):
            if field in one:
                NAMES.setdefault(one[field], f"<{field} of {text}>")
    print(what, json.dumps(plain(answer), sort_keys=True, default=str))
    return answer


apis = gateway.get_rest_apis()["items"]
said("keys", gateway.get_api_keys, includeValues=True)
said("links", gateway.get_vpc_links)
for api in sorted(apis, key=lambda one: one.get("description", "")):
    where = {"restApiId": api["id"]}
    said("api", gateway.get_rest_api, **where)
    deployments = gateway.get_deployments(**where)["items"]
    NAMES.update({one["id"]: f"<{one.get('description')}>" for one in deployments})
    for kind in ("request_validators", "authorizers", "models", "gateway_responses", "stages"):
        said(kind, getattr(gateway, f"get_{kind}"), **where)
    resources = gateway.get_resources(**where, embed=["methods"])["items"]
    for resource in sorted(resources, key=lambda one: one["path"]):
        NAMES[resource["id"]] = resource["path"]
        for verb in sorted(resource.get("resourceMethods", {})):
            method = {**where, "resourceId": resource["id"], "httpMethod": verb}
            said("method", gateway.get_method, **method)
            said("integration", gateway.get_integration, **method)
            for status in ("200", "201", "400"):
                said("response", gateway.get_method_response, **method, statusCode=status)
                said("integration response", gateway.get_integration_response, **method, statusCode=status)
plans = gateway.get_usage_plans()["items"]
for plan in sorted(plans, key=lambda one: one["name"]):
    said("plan", gateway.get_usage_plan, usagePlanId=plan["id"])
    said("plan keys", gateway.get_usage_plan_keys, usagePlanId=plan["id"])
said("domains", gateway.get_domain_names)
for domain in ("api.example.com", "edge.example.com"):
    said("mappings", gateway.get_base_path_mappings, domainName=domain)
said("account", gateway.get_account)
