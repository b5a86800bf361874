# EC2 with every attribute that can be put back, and odd names. What an emulator does not offer is passed over.
import boto3
from botocore.config import Config

ec2 = boto3.client("ec2", config=Config(retries={"max_attempts": 0}))


def attempt(call, **parameters):
    try:
        return call(**parameters)
    except Exception as error:  # Not offered here: `not_kept` says so.
        print("not offered:", str(error).splitlines()[0][:120])


def tagged(kind, name, **more):
    tags = [{"Key": "Name", "Value": name}] + [{"Key": key, "Value": value} for key, value in more.items()]
    return [{"ResourceType": kind, "Tags": tags}]


def vpc(name, block, **more):
    return ec2.create_vpc(CidrBlock=block, TagSpecifications=tagged("vpc", name, **more))["Vpc"]["VpcId"]


main = vpc("main", "10.20.0.0/16", **{"odd é/=+": "", "owner": "me"})
ec2.modify_vpc_attribute(VpcId=main, EnableDnsHostnames={"Value": True})
attempt(ec2.associate_vpc_cidr_block, VpcId=main, CidrBlock="10.21.0.0/16")
quiet = ec2.create_vpc(CidrBlock="10.30.0.0/16", InstanceTenancy="dedicated")["Vpc"]["VpcId"]
ec2.modify_vpc_attribute(VpcId=quiet, EnableDnsSupport={"Value": False})
ec2.modify_vpc_attribute(VpcId=quiet, EnableNetworkAddressUsageMetrics={"Value": True})
# Two of one name.
twin = vpc("twin", "10.40.0.0/16")
vpc("twin", "10.41.0.0/16")
attempt(ec2.create_vpc, CidrBlock="10.50.0.0/16", AmazonProvidedIpv6CidrBlock=True, TagSpecifications=tagged("vpc", "six"))


def subnet(vpc, block, zone, name=None):
    tags = {"TagSpecifications": tagged("subnet", name)} if name else {}
    return ec2.create_subnet(VpcId=vpc, CidrBlock=block, AvailabilityZone="us-east-1" + zone, **tags)["Subnet"]["SubnetId"]


front = subnet(main, "10.20.1.0/24", "a", "front")
back = subnet(main, "10.20.2.0/24", "b", "back {é}/#")
plain = subnet(main, "10.20.3.0/24", "b")
for attributes in [
    {"MapPublicIpOnLaunch": {"Value": True}},
    {"AssignIpv6AddressOnCreation": {"Value": True}},
    {"EnableDns64": {"Value": True}},
    {"PrivateDnsHostnameTypeOnLaunch": "resource-name"},
    {"EnableResourceNameDnsARecordOnLaunch": {"Value": True}},
]:
    attempt(ec2.modify_subnet_attribute, SubnetId=front, **attributes)

gateway = ec2.create_internet_gateway(TagSpecifications=tagged("internet-gateway", "way out"))
gateway = gateway["InternetGateway"]["InternetGatewayId"]
ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=main)
ec2.create_internet_gateway()
address = ec2.allocate_address(Domain="vpc", TagSpecifications=tagged("elastic-ip", "nat address"))["AllocationId"]
ec2.allocate_address(Domain="vpc")
nat = ec2.create_nat_gateway(SubnetId=front, AllocationId=address, TagSpecifications=tagged("natgateway", "nat"))
nat = nat["NatGateway"]["NatGatewayId"]

inner = ec2.create_route_table(VpcId=main, TagSpecifications=tagged("route-table", "inner"))["RouteTable"]["RouteTableId"]
ec2.create_route(RouteTableId=inner, DestinationCidrBlock="0.0.0.0/0", NatGatewayId=nat)
ec2.associate_route_table(RouteTableId=inner, SubnetId=back)
outer = ec2.create_route_table(VpcId=main)["RouteTable"]["RouteTableId"]
ec2.create_route(RouteTableId=outer, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
ec2.create_route(RouteTableId=outer, DestinationCidrBlock="192.168.0.0/16", GatewayId=gateway)
attempt(ec2.create_route, RouteTableId=outer, DestinationIpv6CidrBlock="::/0", GatewayId=gateway)
ec2.associate_route_table(RouteTableId=outer, SubnetId=front)


def of(vpc, call, field):
    return [one for one in call(Filters=[{"Name": "vpc-id", "Values": [vpc]}])[field]]


# The VPC's own table, group and ACL.
own = of(main, ec2.describe_route_tables, "RouteTables")
own = next(one["RouteTableId"] for one in own if any(a.get("Main") for a in one["Associations"]))
ec2.create_route(RouteTableId=own, DestinationCidrBlock="172.20.0.0/16", GatewayId=gateway)
default = next(g["GroupId"] for g in of(main, ec2.describe_security_groups, "SecurityGroups") if g["GroupName"] == "default")
ec2.authorize_security_group_ingress(
    GroupId=default, IpPermissions=[{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}]
)
acl = next(one["NetworkAclId"] for one in of(twin, ec2.describe_network_acls, "NetworkAcls") if one["IsDefault"])
ec2.create_network_acl_entry(
    NetworkAclId=acl, RuleNumber=90, Protocol="1", RuleAction="deny", Egress=False, CidrBlock="198.51.100.0/24",
    IcmpTypeCode={"Type": 8, "Code": -1},
)

web = ec2.create_security_group(
    GroupName="web", Description="the web", VpcId=main, TagSpecifications=tagged("security-group", "web group")
)["GroupId"]
store = ec2.create_security_group(GroupName="store of data", Description="behind it", VpcId=main)["GroupId"]
ec2.create_security_group(GroupName="web", Description="of the same name", VpcId=quiet)
ec2.authorize_security_group_ingress(
    GroupId=web,
    IpPermissions=[
        {
            "IpProtocol": "tcp",
            "FromPort": 80,
            "ToPort": 81,
            "IpRanges": [{"CidrIp": "0.0.0.0/0", "Description": "any one"}, {"CidrIp": "10.0.0.0/8"}],
            "Ipv6Ranges": [{"CidrIpv6": "::/0", "Description": "six"}],
            "UserIdGroupPairs": [{"GroupId": store, "Description": "from the store"}],
        },
        {"IpProtocol": "icmp", "FromPort": -1, "ToPort": -1, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]},
        {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": web}]},
    ],
)
ec2.authorize_security_group_ingress(
    GroupId=store,
    IpPermissions=[{"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "UserIdGroupPairs": [{"GroupId": web}]}],
)
ec2.revoke_security_group_egress(
    GroupId=web, IpPermissions=[{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
)
ec2.authorize_security_group_egress(
    GroupId=web,
    IpPermissions=[
        {"IpProtocol": "udp", "FromPort": 53, "ToPort": 53, "IpRanges": [{"CidrIp": "10.0.0.2/32", "Description": "dns"}]}
    ],
)

tight = ec2.create_network_acl(VpcId=main, TagSpecifications=tagged("network-acl", "tight"))["NetworkAcl"]["NetworkAclId"]
ec2.create_network_acl_entry(
    NetworkAclId=tight, RuleNumber=100, Protocol="6", RuleAction="allow", Egress=False, CidrBlock="0.0.0.0/0",
    PortRange={"From": 443, "To": 444},
)
ec2.create_network_acl_entry(
    NetworkAclId=tight, RuleNumber=110, Protocol="-1", RuleAction="deny", Egress=True, CidrBlock="10.9.0.0/16"
)
for one in of(main, ec2.describe_network_acls, "NetworkAcls"):
    for association in one["Associations"]:
        if association["SubnetId"] == back:
            ec2.replace_network_acl_association(AssociationId=association["NetworkAclAssociationId"], NetworkAclId=tight)

KEY = (
    "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQDf2R5bKlfnVJ1v1dGZyTYtnaWqVOPwSjYZBuNnHFUb5f1l1gQ1vJ8n4MnPmT5L2r0Zk2RA8m3r5eOl"
    "6nN1qVJm3tLrvr1PxXvXw1rjZ1hDgh2TqhyM1bcHUtdrk7zGV3pBMmZk1R0T0z0N1l1s4a8B0QIKcXqvJ2kq0qQYbqlP9w== me@x"
)
ec2.import_key_pair(KeyName="my key", PublicKeyMaterial=KEY.encode(), TagSpecifications=tagged("key-pair", "mine"))

ec2.create_launch_template(
    LaunchTemplateName="tmpl",
    VersionDescription="first",
    LaunchTemplateData={
        "ImageId": "ami-12345678",
        "InstanceType": "t3.micro",
        "KeyName": "my key",
        "UserData": "aGVsbG8=",
        "SecurityGroupIds": [web],
        "BlockDeviceMappings": [{"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 20, "VolumeType": "gp3"}}],
        "TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "a", "Value": "b"}]}],
    },
    TagSpecifications=tagged("launch-template", "LT"),
)
template = ec2.create_launch_template_version(
    LaunchTemplateName="tmpl", VersionDescription="second", LaunchTemplateData={"InstanceType": "t3.large"}
)["LaunchTemplateVersion"]["LaunchTemplateId"]
attempt(ec2.modify_launch_template, LaunchTemplateId=template, DefaultVersion="2")

box = ec2.run_instances(
    ImageId="ami-0aaaaaaaaaaaaaaaa",
    InstanceType="t3.micro",
    MinCount=1,
    MaxCount=1,
    KeyName="my key",
    SubnetId=front,
    SecurityGroupIds=[web],
    UserData="#!/bin/sh\necho é",
    EbsOptimized=True,
    DisableApiTermination=True,
    InstanceInitiatedShutdownBehavior="terminate",
    Monitoring={"Enabled": True},
    MetadataOptions={"HttpTokens": "required"},
    TagSpecifications=tagged("instance", "box", role="server"),
)["Instances"][0]["InstanceId"]
idle = ec2.run_instances(ImageId="ami-0aaaaaaaaaaaaaaaa", InstanceType="t2.nano", MinCount=1, MaxCount=1, SubnetId=plain)
ec2.stop_instances(InstanceIds=[idle["Instances"][0]["InstanceId"]])
data = ec2.create_volume(
    AvailabilityZone="us-east-1a", Size=9, VolumeType="gp3", Iops=3100, Throughput=130, Encrypted=True,
    TagSpecifications=tagged("volume", "data"),
)["VolumeId"]
ec2.attach_volume(InstanceId=box, VolumeId=data, Device="/dev/sdf")
ec2.create_volume(AvailabilityZone="us-east-1a", Size=2, VolumeType="gp2")
