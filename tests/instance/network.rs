//! EC2: captured, put into an empty instance, captured again.

use std::collections::BTreeSet;

use peapod::core::select::{Selection, Selector};
use peapod::instance::Instance as _;

use crate::common::captured::{Captured, connect};
use crate::common::emulators::{Emulator, Make, has_boto3};
use crate::orchestration::{bring, differences, holds, lines};

const STATE: &str = include_str!("state/network.py");
const SEEN: &str = include_str!("state/network_seen.py");
const CHANGES: &str = include_str!("state/network_changes.py");

async fn captured(emulator: &Emulator) -> Captured {
    // One region: an emulator takes a while to make all others anew.
    let (services, regions) = (vec!["ec2".to_owned()], vec!["us-east-1".to_owned()]);
    let selection = Selection { services, regions, ..Default::default() };
    let captured = Captured::default();
    connect(&emulator.url).await.capture(&Selector::new(selection).unwrap(), &captured).await.unwrap();
    assert_eq!(captured.skipped("ec2"), Vec::<String>::new(), "{}", emulator.make.name());
    captured
}

/// What a make does not keep of [`STATE`], wherever it comes from. `kept.md` says the same.
pub(crate) fn not_kept(make: Make) -> BTreeSet<String> {
    lines(match make {
        Make::Ministack => &[
            "self/us-east-1/ec2/instance/box DisableApiTermination",
            "self/us-east-1/ec2/instance/box EbsOptimized",
            "self/us-east-1/ec2/instance/box InstanceInitiatedShutdownBehavior",
            "self/us-east-1/ec2/instance/box MetadataOptions",
            "self/us-east-1/ec2/instance/box Monitoring",
            "self/us-east-1/ec2/instance/box UserData",
            "self/us-east-1/ec2/key-pair/my key PublicKeyMaterial",
            "self/us-east-1/ec2/key-pair/my key Tags",
            "self/us-east-1/ec2/nat-gateway/nat AllocationId",
            "self/us-east-1/ec2/network-acl/main%2Ftight Entries",
            "self/us-east-1/ec2/network-acl/main%2Ftight SubnetIds",
            "self/us-east-1/ec2/network-acl/twin%2Fdefault Entries",
            "self/us-east-1/ec2/route-table/main%2Ftable Routes",
            "self/us-east-1/ec2/subnet/main%2Ffront AssignIpv6AddressOnCreation",
            "self/us-east-1/ec2/subnet/main%2Ffront EnableDns64",
            "self/us-east-1/ec2/volume/data Throughput",
            "self/us-east-1/ec2/vpc/10.30.0.0%2F16 EnableNetworkAddressUsageMetrics",
            "self/us-east-1/ec2/vpc/main MoreCidrBlocks",
            "self/us-east-1/ec2/vpc/six AmazonProvidedIpv6CidrBlock",
        ],
        Make::Moto => &[
            "self/us-east-1/ec2/instance/box DisableApiTermination",
            "self/us-east-1/ec2/network-acl/twin%2Fdefault Entries",
            "self/us-east-1/ec2/subnet/main%2Ffront EnableDns64",
            "self/us-east-1/ec2/subnet/main%2Ffront PrivateDnsHostnameTypeOnLaunch",
        ],
        Make::LocalStack => &[
            "self/us-east-1/ec2/instance/box DisableApiTermination",
            "self/us-east-1/ec2/network-acl/twin%2Fdefault Entries",
            "self/us-east-1/ec2/subnet/main%2Ffront EnableDns64",
            "self/us-east-1/ec2/subnet/main%2Ffront EnableResourceNameDnsARecordOnLaunch",
            "self/us-east-1/ec2/subnet/main%2Ffront PrivateDnsHostnameTypeOnLaunch",
        ],
        Make::Fakecloud => &[
            "self/us-east-1/ec2/key-pair/my key PublicKeyMaterial",
            "self/us-east-1/ec2/key-pair/my key Tags",
            "self/us-east-1/ec2/launch-template/tmpl Versions",
        ],
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn networks_made_by_boto3_go_from_every_make_into_every_make() {
    if !has_boto3() {
        return;
    }
    let mut wrong = Vec::new();
    for source in Make::ALL {
        let Some(from) = Emulator::start(source) else { continue };
        assert_eq!(differences(&Captured::default(), &captured(&from).await), lines(&[]), "{} is empty", source.name());
        println!("{}: {}", source.name(), from.boto3(STATE));
        let first = captured(&from).await;
        let again = captured(&from).await;
        assert_eq!(differences(&first, &again), lines(&[]), "{} looked at twice", source.name());
        assert_eq!(*first.marks.lock().unwrap(), *again.marks.lock().unwrap());
        let seen = from.boto3(SEEN);
        drop(from);
        for target in Make::ALL {
            let Some(into) = Emulator::start(target) else { continue };
            bring(&captured(&into).await, &first, &into).await;
            let second = captured(&into).await;
            let there = into.boto3(SEEN);
            if source == target && seen != there {
                let (here, there): (BTreeSet<_>, BTreeSet<_>) = (seen.lines().collect(), there.lines().collect());
                wrong
                    .extend(here.difference(&there).map(|line| format!("{}, for boto3 without {line}", source.name())));
                wrong.extend(there.difference(&here).map(|line| format!("{}, for boto3 with {line}", source.name())));
            }
            let mut expected = not_kept(target);
            // What the source does not keep either is not there to be lost.
            expected.retain(|line| !not_kept(source).contains(line) && holds(&first, line));
            let mut lost = differences(&first, &second);
            // A pair whose public key the source does not show comes back with another one.
            lost.retain(|line| !line.ends_with(" PublicKeyMaterial") || holds(&first, line));
            if lost != expected {
                wrong.push(format!("{} into {}: {lost:#?}, not {expected:#?}", source.name(), target.name()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_networks_are_undone_and_deletes_leave_nothing() {
    if !has_boto3() {
        return;
    }
    let mut wrong = Vec::new();
    for make in Make::ALL {
        let Some(emulator) = Emulator::start(make) else { continue };
        let empty = captured(&emulator).await;
        emulator.boto3(STATE);
        let then = captured(&emulator).await;
        emulator.boto3(CHANGES);
        let now = captured(&emulator).await;
        assert_ne!(differences(&then, &now), lines(&[]));
        bring(&now, &then, &emulator).await;
        let undone = captured(&emulator).await;
        let left = differences(&then, &undone);
        if !left.is_empty() {
            wrong.push(format!("{} is not as it was: {left:#?}", make.name()));
        }
        // Nothing was made anew: every id is what it was.
        assert_eq!(*then.marks.lock().unwrap(), *undone.marks.lock().unwrap(), "{}", make.name());
        // A step carried out again changes nothing. Another client, as after a crash: nothing is remembered.
        undone.restore(&connect(&emulator.url).await).await;
        let again = captured(&emulator).await;
        let left = differences(&undone, &again);
        if !left.is_empty() {
            wrong.push(format!("{} differs after doing it again: {left:#?}", make.name()));
        }
        assert_eq!(*undone.marks.lock().unwrap(), *again.marks.lock().unwrap(), "{}", make.name());
        bring(&again, &empty, &emulator).await;
        let left = differences(&empty, &captured(&emulator).await);
        if !left.is_empty() {
            wrong.push(format!("{} is not empty: {left:#?}", make.name()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What an instance makes by itself: changed, it is recorded, and goes into every make.
#[tokio::test(flavor = "multi_thread")]
async fn what_an_instance_makes_by_itself_is_recorded_when_it_was_changed() {
    const CHANGE: &str = r#"
import boto3
ec2 = boto3.client("ec2")
vpc = ec2.describe_vpcs(Filters=[{"Name": "isDefault", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
ec2.create_tags(Resources=[vpc], Tags=[{"Key": "Name", "Value": "not its name here"}])
inside = [{"Name": "vpc-id", "Values": [vpc]}]
group = next(g for g in ec2.describe_security_groups(Filters=inside)["SecurityGroups"] if g["GroupName"] == "default")
ssh = [{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}]
ec2.authorize_security_group_ingress(GroupId=group["GroupId"], IpPermissions=ssh)
zones = ec2.describe_subnets(Filters=inside)["Subnets"]
subnet = next(one["SubnetId"] for one in zones if one["AvailabilityZone"] == "us-east-1b")
ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": False})
gateway = ec2.create_internet_gateway(
    TagSpecifications=[{"ResourceType": "internet-gateway", "Tags": [{"Key": "Name", "Value": "other"}]}])
table = ec2.describe_route_tables(Filters=inside)["RouteTables"][0]["RouteTableId"]
ec2.create_route(
    RouteTableId=table, DestinationCidrBlock="192.0.2.0/24", GatewayId=gateway["InternetGateway"]["InternetGatewayId"])
"#;
    if !has_boto3() {
        return;
    }
    let expected = [
        "+self/us-east-1/ec2/internet-gateway/other",
        "+self/us-east-1/ec2/route-table/default%2Fmain",
        "+self/us-east-1/ec2/security-group-rules/default%2Fdefault",
        "+self/us-east-1/ec2/subnet/default%2Fus-east-1b",
        "+self/us-east-1/ec2/vpc/default",
    ];
    for make in Make::ALL {
        let Some(emulator) = Emulator::start(make) else { continue };
        let empty = captured(&emulator).await;
        emulator.boto3(CHANGE);
        let changed = captured(&emulator).await;
        assert_eq!(differences(&empty, &changed), lines(&expected), "{}", make.name());
        bring(&changed, &empty, &emulator).await;
        assert_eq!(differences(&empty, &captured(&emulator).await), lines(&[]), "{}", make.name());
        bring(&empty, &changed, &emulator).await;
        assert_eq!(differences(&changed, &captured(&emulator).await), lines(&[]), "{}", make.name());
    }
}
