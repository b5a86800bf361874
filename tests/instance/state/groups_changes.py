"""Changes what `groups.py` made: other values, values taken away, things deleted and things added."""

import boto3
from botocore.config import Config

iam = boto3.client("iam", config=Config(retries={"max_attempts": 1}, read_timeout=60))
HERE = boto3.client("sts").get_caller_identity()["Account"]
TRUST = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}'


def attempt(call, **arguments):
    try:
        call(**arguments)
    except Exception as error:  # Any refusal is the emulator's.
        print(f"refused {call.__name__}: {str(error)[:200]}")


crew, profile = "crew.1+=,@_-", "machine.1+=,@_-"
attempt(iam.add_user_to_group, GroupName=crew, UserName="erin")
attempt(iam.remove_user_from_group, GroupName=crew, UserName="carol")
attempt(iam.delete_group_policy, GroupName=crew, PolicyName="more")
attempt(iam.detach_group_policy, GroupName=crew, PolicyArn=f"arn:aws:iam::{HERE}:policy/of-groups")
attempt(iam.delete_group, GroupName="empty")
attempt(iam.create_group, GroupName="added")
attempt(iam.add_user_to_group, GroupName="added", UserName="erin")
attempt(iam.create_role, RoleName="other", AssumeRolePolicyDocument=TRUST)
attempt(iam.remove_role_from_instance_profile, InstanceProfileName=profile, RoleName="machine")
attempt(iam.add_role_to_instance_profile, InstanceProfileName=profile, RoleName="other")
attempt(iam.tag_instance_profile, InstanceProfileName=profile, Tags=[{"Key": "new", "Value": "1"}])
attempt(iam.untag_instance_profile, InstanceProfileName=profile, TagKeys=["team"])
attempt(iam.delete_instance_profile, InstanceProfileName="bare")
oidc = {"OpenIDConnectProviderArn": f"arn:aws:iam::{HERE}:oidc-provider/token.example.com/a/b"}
attempt(iam.add_client_id_to_open_id_connect_provider, **oidc, ClientID="third")
attempt(iam.remove_client_id_from_open_id_connect_provider, **oidc, ClientID="another")
attempt(iam.update_open_id_connect_provider_thumbprint, **oidc, ThumbprintList=["d" * 40])
attempt(iam.tag_open_id_connect_provider, **oidc, Tags=[{"Key": "new", "Value": "1"}])
attempt(iam.untag_open_id_connect_provider, **oidc, TagKeys=["team"])
saml = {"SAMLProviderArn": f"arn:aws:iam::{HERE}:saml-provider/office.1_-"}
attempt(iam.update_saml_provider, **saml, SAMLMetadataDocument="<EntityDescriptor>" + " " * 1000 + "</EntityDescriptor>")
attempt(iam.tag_saml_provider, **saml, Tags=[{"Key": "new", "Value": "1"}])
attempt(iam.untag_saml_provider, **saml, TagKeys=["team"])
