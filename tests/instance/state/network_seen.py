# What boto3 sees of network.py's EC2, with names in the place of ids.
import json

import boto3

ec2 = boto3.client("ec2")
vpcs = ec2.describe_vpcs()["Vpcs"]
subnets = ec2.describe_subnets()["Subnets"]
groups = ec2.describe_security_groups()["SecurityGroups"]
tables = ec2.describe_route_tables()["RouteTables"]
acls = ec2.describe_network_acls()["NetworkAcls"]
gateways = ec2.describe_internet_gateways()["InternetGateways"]
nats = ec2.describe_nat_gateways()["NatGateways"]
machines = [one for many in ec2.describe_instances()["Reservations"] for one in many["Instances"]]
machines = [one for one in machines if one["State"]["Name"] not in ("terminated", "shutting-down")]
names = {}


def tags(one):
    return {tag["Key"]: tag["Value"] for tag in one.get("Tags") or []}


for vpc in vpcs:
    names[vpc["VpcId"]] = "default" if vpc["IsDefault"] else vpc["CidrBlock"]
for subnet in subnets:
    names[subnet["SubnetId"]] = names[subnet["VpcId"]] + " " + subnet["CidrBlock"]
for group in groups:
    names[group["GroupId"]] = names[group["VpcId"]] + " " + group["GroupName"]
for kind, key in [(gateways, "InternetGatewayId"), (nats, "NatGatewayId"), (machines, "InstanceId")]:
    for one in kind:
        names[one[key]] = tags(one).get("Name", "unnamed")


def show(kind, *what):
    print(kind, json.dumps(what, sort_keys=True, ensure_ascii=False))


for vpc in vpcs:
    dns = [
        ec2.describe_vpc_attribute(VpcId=vpc["VpcId"], Attribute=name)[name[0].upper() + name[1:]]["Value"]
        for name in ("enableDnsHostnames", "enableDnsSupport")
    ]
    blocks = sorted(one["CidrBlock"] for one in vpc["CidrBlockAssociationSet"])
    show("vpc", names[vpc["VpcId"]], vpc["InstanceTenancy"], blocks, dns, tags(vpc))
for one in subnets:
    show("subnet", names[one["SubnetId"]], one["AvailabilityZone"], one["MapPublicIpOnLaunch"], tags(one))
for one in gateways:
    show("gateway", tags(one), [names[attachment["VpcId"]] for attachment in one["Attachments"]])
for one in nats:
    if one["State"] == "available":
        show("nat", names[one["SubnetId"]], tags(one))
for group in groups:
    for way in ("IpPermissions", "IpPermissionsEgress"):
        for rule in group[way]:
            ports = [rule["IpProtocol"], rule.get("FromPort"), rule.get("ToPort")]
            for peer in rule.get("IpRanges", []) + rule.get("Ipv6Ranges", []):
                show("rule", names[group["GroupId"]], way, ports, peer)
            for peer in rule.get("UserIdGroupPairs", []):
                show("rule", names[group["GroupId"]], way, ports, names[peer["GroupId"]], peer.get("Description"))
    show("group", names[group["GroupId"]], group["Description"], tags(group))
for one in tables:
    # A custom table of fakecloud's says any block for its VPC's own.
    routes = [route for route in one["Routes"] if route.get("GatewayId") != "local"]
    for route in routes:
        if route.get("DestinationCidrBlock") == "":
            continue  # ministack keeps no IPv6 destination: `not_kept` says so.
        route["to"] = names[route.get("GatewayId") or route["NatGatewayId"]]
        show("route", names[one["VpcId"]], tags(one), route.get("DestinationCidrBlock"), route["to"])
    for association in one["Associations"]:
        show("table of", names[one["VpcId"]], tags(one), names.get(association.get("SubnetId")), association["Main"])
for one in acls:
    show("acl", names[one["VpcId"]], tags(one), sorted(names[at["SubnetId"]] for at in one["Associations"]))
    for entry in one["Entries"]:
        show("entry", names[one["VpcId"]], tags(one), entry)
for key in ec2.describe_key_pairs()["KeyPairs"]:
    show("key", key["KeyName"], tags(key))
for template in ec2.describe_launch_templates()["LaunchTemplates"]:
    show("template", template["LaunchTemplateName"], template["DefaultVersionNumber"], tags(template))
    for version in ec2.describe_launch_template_versions(LaunchTemplateId=template["LaunchTemplateId"])["LaunchTemplateVersions"]:
        data = version["LaunchTemplateData"]
        data["SecurityGroupIds"] = [names[group] for group in data.get("SecurityGroupIds") or []]
        show("version", version["VersionNumber"], version.get("VersionDescription"), data)
for one in machines:
    data = ec2.describe_instance_attribute(InstanceId=one["InstanceId"], Attribute="userData").get("UserData")
    told = [one["ImageId"], one["InstanceType"], one.get("KeyName"), names[one["SubnetId"]], one["State"]["Name"], data]
    show("instance", told, tags(one))
for one in ec2.describe_volumes()["Volumes"]:
    attached = [(names.get(at["InstanceId"]), at["Device"]) for at in one["Attachments"] if at["InstanceId"] in names]
    show("volume", one["Size"], one["VolumeType"], one["Encrypted"], attached, tags(one))
