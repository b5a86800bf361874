# Changes EC2 as it was made by network.py: each of these can be undone by an update.
import boto3

ec2 = boto3.client("ec2")


def by_name(call, field, name):
    return call(Filters=[{"Name": "tag:Name", "Values": [name]}])[field][0]


main = by_name(ec2.describe_vpcs, "Vpcs", "main")["VpcId"]
ec2.modify_vpc_attribute(VpcId=main, EnableDnsHostnames={"Value": False})
ec2.create_tags(Resources=[main], Tags=[{"Key": "owner", "Value": "you"}, {"Key": "new", "Value": "x"}])
front = by_name(ec2.describe_subnets, "Subnets", "front")["SubnetId"]
ec2.modify_subnet_attribute(SubnetId=front, MapPublicIpOnLaunch={"Value": False})
gateway = by_name(ec2.describe_internet_gateways, "InternetGateways", "way out")["InternetGatewayId"]
inner = by_name(ec2.describe_route_tables, "RouteTables", "inner")
ec2.replace_route(RouteTableId=inner["RouteTableId"], DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
ec2.create_route(RouteTableId=inner["RouteTableId"], DestinationCidrBlock="192.0.2.0/24", GatewayId=gateway)
groups = ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [main]}])["SecurityGroups"]
web = next(group["GroupId"] for group in groups if group["GroupName"] == "web")
default = next(group["GroupId"] for group in groups if group["GroupName"] == "default")
ssh = [{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}]
ec2.authorize_security_group_ingress(GroupId=web, IpPermissions=ssh)
ec2.revoke_security_group_ingress(GroupId=default, IpPermissions=ssh)
tight = by_name(ec2.describe_network_acls, "NetworkAcls", "tight")["NetworkAclId"]
ec2.delete_network_acl_entry(NetworkAclId=tight, RuleNumber=110, Egress=True)
box = by_name(ec2.describe_instances, "Reservations", "box")["Instances"][0]["InstanceId"]
ec2.stop_instances(InstanceIds=[box])
ec2.create_tags(Resources=[box], Tags=[{"Key": "role", "Value": "other"}])
ec2.create_security_group(GroupName="late", Description="made later", VpcId=main)
ec2.create_subnet(VpcId=main, CidrBlock="10.20.9.0/24", AvailabilityZone="us-east-1a")
