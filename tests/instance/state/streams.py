"""Makes Kinesis state. Endpoint, keys and region come by environment.

What an emulator refuses is printed, `refused CALL: REASON`; the rest of the state is made.
"""

import json
import time

import boto3
from botocore.config import Config

CONFIG = Config(retries={"max_attempts": 1}, read_timeout=60)


def client(service, region="us-east-1"):
    return boto3.client(service, region_name=region, config=CONFIG)


def attempt(call, **arguments):
    try:
        return call(**arguments)
    except Exception as error:  # Any refusal is the emulator's; the state is what it takes.
        print(f"refused {call.__self__.meta.service_model.service_name} {call.__name__}: {str(error)[:200]}")
        return None


ACCOUNT = client("sts").get_caller_identity()["Account"]


def arn(service, resource, region="us-east-1"):
    return f"arn:aws:{service}:{region}:{ACCOUNT}:{resource}"


def settled(look):
    for _ in range(200):
        if look() == "ACTIVE":
            return
        time.sleep(0.1)


def allow(action, resource):
    principal = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    statement = {"Sid": "s", "Effect": "Allow", "Principal": principal, "Action": action, "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def kinesis():
    streams = client("kinesis")

    def status(name):
        return streams.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]["StreamStatus"]

    def change(call, name, **arguments):
        attempt(call, **arguments, **({} if "StreamARN" in arguments else {"StreamName": name}))
        settled(lambda: status(name))

    many = [f"many-{number:02}" for number in range(3, 6)]
    for name, shards in (("orders_All.1", 3), ("wide", 1), ("split", 2), ("empty", 2), *((name, 1) for name in many)):
        attempt(streams.create_stream, StreamName=name, ShardCount=shards)
        settled(lambda: status(name))
    attempt(streams.create_stream, StreamName="on-demand", StreamModeDetails={"StreamMode": "ON_DEMAND"})
    settled(lambda: status("on-demand"))

    orders, orders_arn = "orders_All.1", arn("kinesis", "stream/orders_All.1")
    change(streams.increase_stream_retention_period, orders, RetentionPeriodHours=50)
    change(streams.start_stream_encryption, orders, EncryptionType="KMS", KeyId="alias/aws/kinesis")
    metrics = ["IncomingBytes", "IteratorAgeMilliseconds", "WriteProvisionedThroughputExceeded"]
    change(streams.enable_enhanced_monitoring, orders, ShardLevelMetrics=metrics)
    change(streams.enable_enhanced_monitoring, "empty", ShardLevelMetrics=["ALL"])
    change(streams.update_max_record_size, "wide", StreamARN=arn("kinesis", "stream/wide"), MaxRecordSizeInKiB=2048)
    on_demand = arn("kinesis", "stream/on-demand")
    change(streams.update_stream_warm_throughput, "on-demand", StreamARN=on_demand, WarmThroughputMiBps=10)
    tags = {"team": "blue", "empty": "", "ünï/1": "cödé +-=._:/@"}
    attempt(streams.add_tags_to_stream, StreamName=orders, Tags=tags)
    numbered = [f"{number:02}" for number in range(14)]
    for some in (numbered[:8], numbered[8:]):
        attempt(streams.add_tags_to_stream, StreamName="wide", Tags={number: "x" * 200 for number in some})
    attempt(streams.put_resource_policy, ResourceARN=orders_arn, Policy=allow("kinesis:GetRecords", orders_arn))
    for consumer in ("reader-1", "reader_2.x"):
        made = attempt(
            streams.register_stream_consumer,
            StreamARN=orders_arn,
            ConsumerName=consumer,
            Tags={"k": "v"} if consumer == "reader-1" else {},
        )
        described = {"StreamARN": orders_arn, "ConsumerName": consumer}
        settled(lambda: streams.describe_stream_consumer(**described)["ConsumerDescription"]["ConsumerStatus"])
        made = made["Consumer"]["ConsumerARN"]
        if consumer == "reader-1":
            attempt(streams.put_resource_policy, ResourceARN=made, Policy=allow("kinesis:SubscribeToShard", made))

    for number in range(30):
        attempt(streams.put_record, StreamName=orders, Data=b"d%d\xff\x00" % number, PartitionKey=f"kéy {number % 7}/\n")
    # A hash key that its partition key would not have: each shard gets one.
    for shard in streams.list_shards(StreamName=orders)["Shards"]:
        chosen = {"PartitionKey": "chosen", "ExplicitHashKey": str(int(shard["HashKeyRange"]["EndingHashKey"]) - 1)}
        attempt(streams.put_records, StreamName=orders, Records=[{"Data": b"", **chosen}, {"Data": b"same", **chosen}])
    # More than is asked for, and put, at one time.
    for batch in range(3):
        records = [{"Data": b"%d" % (batch * 400 + n), "PartitionKey": "p"} for n in range(400)]
        attempt(streams.put_records, StreamName="wide", Records=records)
    attempt(streams.put_record, StreamName="wide", Data=b"x" * 900_000, PartitionKey="large")
    attempt(streams.put_record, StreamName="on-demand", Data=b"one", PartitionKey="a", ExplicitHashKey="0")
    for name in ("split", "many-03"):
        for number in range(6):
            attempt(streams.put_record, StreamName=name, Data=b"before %d" % number, PartitionKey=str(number))
    change(streams.update_shard_count, "split", TargetShardCount=3, ScalingType="UNIFORM_SCALING")
    for number in range(6):
        attempt(streams.put_record, StreamName="split", Data=b"after %d" % number, PartitionKey=str(number))

    west = client("kinesis", "eu-west-1")
    attempt(west.create_stream, StreamName="orders_All.1", ShardCount=1)


kinesis()
