"""Changes what streams.py has made."""

import time

import boto3
from botocore.config import Config

CONFIG = Config(retries={"max_attempts": 1}, read_timeout=60)
streams = boto3.client("kinesis", config=CONFIG)
ACCOUNT = boto3.client("sts").get_caller_identity()["Account"]


def attempt(call, **arguments):
    try:
        return call(**arguments)
    except Exception as error:  # Not offered by this emulator: nothing is changed then.
        print(f"refused {call.__name__}: {str(error)[:200]}")
        return None


def kinesis():
    def change(call, name, **arguments):
        attempt(call, **arguments, **({} if "StreamARN" in arguments else {"StreamName": name}))
        for _ in range(200):
            described = streams.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
            if described["StreamStatus"] == "ACTIVE":
                return
            time.sleep(0.1)

    orders = "orders_All.1"
    arn = f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/{orders}"
    change(streams.decrease_stream_retention_period, orders, RetentionPeriodHours=30)
    change(streams.stop_stream_encryption, orders, EncryptionType="KMS", KeyId="alias/aws/kinesis")
    change(streams.disable_enhanced_monitoring, orders, ShardLevelMetrics=["IncomingBytes"])
    change(streams.enable_enhanced_monitoring, orders, ShardLevelMetrics=["OutgoingBytes"])
    change(streams.disable_enhanced_monitoring, "empty", ShardLevelMetrics=["ALL"])
    wide = arn.replace(orders, "wide")
    change(streams.update_max_record_size, "wide", StreamARN=wide, MaxRecordSizeInKiB=1024)
    attempt(streams.remove_tags_from_stream, StreamName=orders, TagKeys=["team"])
    attempt(streams.add_tags_to_stream, StreamName=orders, Tags={"empty": "full", "new": "tag"})
    attempt(streams.delete_resource_policy, ResourceARN=arn)
    for consumer in streams.list_stream_consumers(StreamARN=arn)["Consumers"]:
        if consumer["ConsumerName"] == "reader-1":
            attempt(streams.deregister_stream_consumer, ConsumerARN=consumer["ConsumerARN"])
    attempt(streams.register_stream_consumer, StreamARN=arn, ConsumerName="added")
    # Only records added: the others of their stream are in front of these in what is put back, so it is made anew.
    attempt(streams.put_record, StreamName="many-03", Data=b"added", PartitionKey="0")
    attempt(streams.put_record, StreamName="many-04", Data=b"added", PartitionKey="0")
    change(streams.update_shard_count, "empty", TargetShardCount=4, ScalingType="UNIFORM_SCALING")
    attempt(streams.delete_stream, StreamName="many-05")
    attempt(streams.create_stream, StreamName="added", ShardCount=1)


kinesis()
