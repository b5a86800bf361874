"""Prints what there is of functions' versions and aliases as boto3 sees it, a line for each thing, without dates and
generated ids."""

import json

import boto3

functions = boto3.client("lambda")
VOLATILE = {
    "AllocatedProvisionedConcurrentExecutions",
    "AvailableProvisionedConcurrentExecutions",
    "ConfigSha256",
    "CreationTime",
    "FunctionUrl",
    "LastModified",
    "LastModifiedTime",
    "LastUpdateStatus",
    "LastUpdateStatusReason",
    "LastUpdateStatusReasonCode",
    "ResponseMetadata",
    "RevisionId",
    "RuntimeVersionConfig",
    "State",
    "StateReason",
    "StateReasonCode",
}


def said(what, call, **arguments):
    try:
        answer = call(**arguments)
    except Exception as error:  # There is none, or this emulator does not offer it, which is the same each time.
        if what != "policy":
            print(what, arguments, type(error).__name__)
        return
    if what == "policy":
        # moto shows all of a function's, fakecloud copies the function's to a version and draws an alias's by lot.
        of = ":".join(["", *arguments.values()])
        own = [one for one in json.loads(answer["Policy"])["Statement"] if one["Resource"].endswith(f":function{of}")]
        answer = {"Policy": sorted(own, key=lambda one: one["Sid"])}
        if not own or arguments.get("Qualifier") == "live":
            return
    for statement in answer.get("Policy", []):
        # Two ways to write an account.
        principal = statement["Principal"]
        who = principal.get("AWS", "") if isinstance(principal, dict) else principal
        if who.isdigit():
            statement["Principal"] = {"AWS": f"arn:aws:iam::{who}:root"}
    answer = answer.get("Configuration", answer)
    print(what, arguments, json.dumps({k: v for k, v in answer.items() if k not in VOLATILE}, sort_keys=True, default=str))


for function in functions.list_functions()["Functions"]:
    name = function["FunctionName"]
    versions = [one["Version"] for one in functions.list_versions_by_function(FunctionName=name)["Versions"]]
    aliases = sorted(one["Name"] for one in functions.list_aliases(FunctionName=name)["Aliases"])
    print("versions", name, versions)
    for alias in aliases:
        said("alias", functions.get_alias, FunctionName=name, Name=alias)
    for qualifier in [None, *versions[1:], *aliases]:
        which = {"FunctionName": name, **({"Qualifier": qualifier} if qualifier else {})}
        # Which of two versions an alias leads to is drawn by lot.
        if qualifier not in aliases:
            said("function", functions.get_function, **which)
        said("policy", functions.get_policy, **which)
        said("url", functions.get_function_url_config, **which)
        said("invoke", functions.get_function_event_invoke_config, **which)
        if qualifier:
            said("provisioned", functions.get_provisioned_concurrency_config, **which)
    said("recursion", functions.get_function_recursion_config, FunctionName=name)
