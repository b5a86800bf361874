import boto3, json
from botocore.config import Config
from functools import cache

@cache
def aws(name):
    return boto3.client(name, config=Config(retries={"max_attempts": 2}, s3={"addressing_style": "path"}))

def raw(v):
    return v if isinstance(v, bytes) else v.encode()

def bucket(b, **objects):
    aws("s3").create_bucket(Bucket=b)
    for k, v in objects.items():
        put(b, k, v)

def put(b, k, v):
    aws("s3").put_object(Bucket=b, Key=k, Body=raw(v))

def drop(b, k):
    aws("s3").delete_object(Bucket=b, Key=k)

def objects(b):
    pages = aws("s3").get_paginator("list_objects_v2").paginate(Bucket=b)
    keys = [o["Key"] for p in pages for o in p.get("Contents", [])]
    return {k: aws("s3").get_object(Bucket=b, Key=k)["Body"].read().decode("latin-1") for k in keys}

def buckets():
    return sorted(b["Name"] for b in aws("s3").list_buckets()["Buckets"])

def table(t, **items):
    aws("dynamodb").create_table(
        TableName=t, BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}])
    for k, v in items.items():
        item(t, k, v)

def item(t, k, v):
    aws("dynamodb").put_item(TableName=t, Item={"id": {"S": k}, "v": {"S": v}})

def items(t):
    found = aws("dynamodb").scan(TableName=t)["Items"]
    return {i["id"]["S"]: i["v"]["S"] for i in found}

def tables():
    return sorted(aws("dynamodb").list_tables()["TableNames"])

def param(n, v):
    aws("ssm").put_parameter(Name=n, Value=v, Type="String", Overwrite=True)

def params():
    names = [p["Name"] for page in aws("ssm").get_paginator("describe_parameters").paginate() for p in page["Parameters"]]
    return {n: aws("ssm").get_parameter(Name=n)["Parameter"]["Value"] for n in names}

def queue(q, **attributes):
    return aws("sqs").create_queue(QueueName=q, Attributes=attributes)["QueueUrl"]

def queues():
    return sorted(u.split("/")[-1] for u in aws("sqs").list_queues().get("QueueUrls", []))

def state():
    return {
        "s3": {b: objects(b) for b in buckets()},
        "dynamodb": {t: items(t) for t in tables()},
        "ssm": params(),
        "sqs": queues(),
    }
