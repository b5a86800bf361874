"""Prints what there is of Kinesis as boto3 sees it, a line for each thing, without dates and generated ids."""

import json

import boto3

VOLATILE = {
    "ResponseMetadata",
    "StreamCreationTimestamp",
    "ConsumerCreationTimestamp",
    "ConsumerARN",
    "NextToken",
}


def said(what, call, **arguments):
    try:
        answer = call(**arguments)
    except Exception as error:  # Not offered by this emulator, which is the same each time.
        print(what, type(error).__name__)
        return {}
    show(what, answer)
    return answer


def show(what, answer):
    def plain(thing):
        if isinstance(thing, dict):
            return {key: plain(value) for key, value in thing.items() if key not in VOLATILE}
        if isinstance(thing, str) and thing.startswith("{"):
            return json.loads(thing)
        if isinstance(thing, list):
            return sorted(map(plain, thing), key=lambda one: json.dumps(one, sort_keys=True, default=str))
        return thing

    print(what, json.dumps(plain(answer), sort_keys=True, default=str))


def kinesis(region):
    streams = boto3.client("kinesis", region_name=region)
    names = []
    while not names or more:
        after = {"ExclusiveStartStreamName": names[-1]} if names else {}
        page = streams.list_streams(**after)
        more = page["HasMoreStreams"] and page["StreamNames"]
        names += page["StreamNames"]
        if not names:
            return
    for name in sorted(names):
        described = said("stream", streams.describe_stream_summary, StreamName=name)["StreamDescriptionSummary"]
        arn = described["StreamARN"]
        said(f"stream tags {name}", streams.list_tags_for_stream, StreamName=name)
        said(f"stream policy {name}", streams.get_resource_policy, ResourceARN=arn)
        for consumer in said("consumers", streams.list_stream_consumers, StreamARN=arn).get("Consumers", []):
            word = f"consumer {name} {consumer['ConsumerName']}"
            policy = streams.get_resource_policy
            try:
                text = policy(ResourceARN=consumer["ConsumerARN"])["Policy"]
                show(word, text.replace(consumer["ConsumerARN"], "ITSELF"))
            except Exception as error:
                print(word, type(error).__name__)
            said(word, streams.list_tags_for_resource, ResourceARN=consumer["ConsumerARN"])
        if name == "split":
            continue
        shards = streams.list_shards(StreamName=name)["Shards"]
        shards = [shard for shard in shards if "EndingSequenceNumber" not in shard["SequenceNumberRange"]]
        for shard in sorted(shards, key=lambda shard: int(shard["HashKeyRange"]["StartingHashKey"])):
            where = {"StreamName": name, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
            iterator = streams.get_shard_iterator(**where)["ShardIterator"]
            records = []
            while True:
                page = streams.get_records(ShardIterator=iterator)
                records += [[record["PartitionKey"], record["Data"].hex()] for record in page["Records"]]
                iterator = page["NextShardIterator"]
                if not page["Records"]:
                    break
            print("records", name, shard["HashKeyRange"], json.dumps(records)[:2000], len(records))


for region in ("us-east-1", "eu-west-1"):
    kinesis(region)
