"""Makes groups, instance profiles and identity providers of IAM. Endpoint, keys and region come by environment.

What an emulator refuses is printed, `refused CALL: REASON`; the rest of the state is made.
"""

import json

import boto3
from botocore.config import Config

iam = boto3.client("iam", config=Config(retries={"max_attempts": 1}, read_timeout=60))
HERE = boto3.client("sts").get_caller_identity()["Account"]


def attempt(call, **arguments):
    try:
        return call(**arguments)
    except Exception as error:  # Any refusal is the emulator's; the state is what it takes.
        print(f"refused {call.__name__}: {str(error)[:200]}")
        return None


def tags(**pairs):
    return [{"Key": key, "Value": value} for key, value in pairs.items()]


def policy(action):
    resource = f"arn:aws:sqs:us-east-1:{HERE}:*"
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": resource}]})


def trust(principal, action="sts:AssumeRole"):
    statement = {"Effect": "Allow", "Principal": principal, "Action": action}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


attempt(iam.create_policy, PolicyName="of-groups", PolicyDocument=policy("sqs:*"))
for name, path in (("carol", "/"), ("dave.d+e=f,@x_-", "/crew/"), ("erin", "/")):
    attempt(iam.create_user, UserName=name, Path=path)
attempt(iam.create_group, GroupName="crew.1+=,@_-", Path="/team/a/")
for user in ("carol", "dave.d+e=f,@x_-"):
    attempt(iam.add_user_to_group, GroupName="crew.1+=,@_-", UserName=user)
attempt(iam.put_group_policy, GroupName="crew.1+=,@_-", PolicyName="inline.1", PolicyDocument=policy("sqs:SendMessage"))
attempt(iam.put_group_policy, GroupName="crew.1+=,@_-", PolicyName="more", PolicyDocument=policy("sqs:PurgeQueue"))
attempt(iam.attach_group_policy, GroupName="crew.1+=,@_-", PolicyArn=f"arn:aws:iam::{HERE}:policy/of-groups")
attempt(iam.create_group, GroupName="empty")
attempt(iam.create_group, GroupName="other")
attempt(iam.add_user_to_group, GroupName="other", UserName="carol")

attempt(iam.create_role, RoleName="machine", AssumeRolePolicyDocument=trust({"Service": "ec2.amazonaws.com"}))
attempt(iam.create_instance_profile, InstanceProfileName="machine.1+=,@_-", Path="/fleet/", Tags=tags(team="a", empty=""))
attempt(iam.add_role_to_instance_profile, InstanceProfileName="machine.1+=,@_-", RoleName="machine")
attempt(iam.create_instance_profile, InstanceProfileName="bare")

attempt(
    iam.create_open_id_connect_provider,
    Url="https://token.example.com/a/b",
    ClientIDList=["sts.amazonaws.com", "another"],
    ThumbprintList=["a" * 40, "b" * 40],
    Tags=tags(team="a", empty=""),
)
attempt(iam.create_open_id_connect_provider, Url="https://plain.example.com", ThumbprintList=["c" * 40])
oidc = f"arn:aws:iam::{HERE}:oidc-provider/token.example.com/a/b"
attempt(
    iam.create_role,
    RoleName="workflow",
    AssumeRolePolicyDocument=trust({"Federated": oidc}, "sts:AssumeRoleWithWebIdentity"),
)
metadata = '<?xml version="1.0"?>\n<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="urn:é&amp;x">'
metadata += "\n  " * 400 + "<IDPSSODescriptor/>\n</EntityDescriptor>"
attempt(iam.create_saml_provider, Name="office.1_-", SAMLMetadataDocument=metadata, Tags=tags(team="a", empty=""))
