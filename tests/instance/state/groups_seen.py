"""Prints what there is of groups, instance profiles and identity providers as boto3 sees it, a line for each thing,
without dates and generated ids."""

import json

import boto3

iam = boto3.client("iam")


def clean(value):
    if isinstance(value, dict):
        volatile = ("Id", "Date", "ResponseMetadata", "UUID", "ValidUntil", "IsTruncated")
        return {name: clean(part) for name, part in value.items() if not name.endswith(volatile)}
    if isinstance(value, list):
        return sorted((clean(part) for part in value), key=lambda part: json.dumps(part, sort_keys=True, default=str))
    return value


def said(what, call, **arguments):
    try:
        answer = call(**arguments)
    except Exception as error:  # Not offered by this emulator, which is the same each time.
        print(what, arguments, type(error).__name__)
        return
    print(what, arguments, json.dumps(clean(answer), sort_keys=True, default=str))


for group in iam.list_groups()["Groups"]:
    name = {"GroupName": group["GroupName"]}
    said("group", iam.get_group, **name)
    said("attached", iam.list_attached_group_policies, **name)
    for policy in iam.list_group_policies(**name)["PolicyNames"]:
        said("policy", iam.get_group_policy, **name, PolicyName=policy)
for profile in iam.list_instance_profiles()["InstanceProfiles"]:
    said("profile", iam.get_instance_profile, InstanceProfileName=profile["InstanceProfileName"])
for provider in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]:
    said("oidc", iam.get_open_id_connect_provider, OpenIDConnectProviderArn=provider["Arn"])
for provider in iam.list_saml_providers()["SAMLProviderList"]:
    said("saml", iam.get_saml_provider, SAMLProviderArn=provider["Arn"])
    said("saml tags", iam.list_saml_provider_tags, SAMLProviderArn=provider["Arn"])
