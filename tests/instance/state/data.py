"""Makes SQS, DynamoDB, SSM and Secrets Manager state. Endpoint, keys and region come by environment.

What an emulator refuses is printed, `refused CALL: REASON`; the rest of the state is made.
"""

import json

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


def account():
    return client("sts").get_caller_identity()["Account"]


def sqs():
    queues, here = client("sqs"), account()
    arn = f"arn:aws:sqs:us-east-1:{here}:"

    def queue(name, attributes=None, tags=None):
        made = attempt(queues.create_queue, QueueName=name, Attributes=attributes or {}, tags=tags or {})
        return made and made["QueueUrl"]

    def send(url, **message):
        return attempt(queues.send_message, QueueUrl=url, **message)

    # The dead-letter queue sorts behind the queue that refers to it.
    dead = queue("zz-dead")
    orders = queue(
        "orders",
        {
            "VisibilityTimeout": "45",
            "MessageRetentionPeriod": "3600",
            "DelaySeconds": "0",
            "ReceiveMessageWaitTimeSeconds": "5",
            "MaximumMessageSize": "65536",
        },
        {"team": "blue", "empty": "", "ünï": "cödé"},
    )
    statement = {
        "Sid": "s",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{here}:root"},
        "Action": "sqs:SendMessage",
        "Resource": arn + "orders",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    redrive = json.dumps({"deadLetterTargetArn": arn + "zz-dead", "maxReceiveCount": 3})
    attempt(queues.set_queue_attributes, QueueUrl=orders, Attributes={"RedrivePolicy": redrive, "Policy": policy})
    allow = json.dumps({"redrivePermission": "byQueue", "sourceQueueArns": [arn + "orders"]})
    attempt(queues.set_queue_attributes, QueueUrl=dead, Attributes={"RedriveAllowPolicy": allow})
    for body in ["plain", "plain", "ünïcödé \U0001f980 \u2028 \t\n end", '{"json": [1, 2.50, null]}', " spaces ", "<&>\"'"]:
        send(orders, MessageBody=body)
    send(
        orders,
        MessageBody="typed",
        MessageAttributes={
            "text": {"DataType": "String", "StringValue": "värde"},
            "count": {"DataType": "Number", "StringValue": "1.50"},
            "raw": {"DataType": "Binary", "BinaryValue": bytes(range(256))},
            "custom": {"DataType": "String.json", "StringValue": "{}"},
        },
    )
    send(
        orders,
        MessageBody="traced",
        MessageSystemAttributes={
            "AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-5759e988-bd862e3fe1be46a994272793"}
        },
    )
    send(orders, MessageBody="later", DelaySeconds=600)
    send(dead, MessageBody="dead letter")
    big = queue("big", {"MaximumMessageSize": "1048576"})
    send(big, MessageBody="x" * 1048576)
    queue("delayed", {"DelaySeconds": "7", "SqsManagedSseEnabled": "false"})
    queue("sealed", {"KmsMasterKeyId": "alias/aws/sqs", "KmsDataKeyReusePeriodSeconds": "600"})
    busy = queue("busy")
    send(busy, MessageBody="in flight")
    attempt(queues.receive_message, QueueUrl=busy, VisibilityTimeout=3600)

    fifo = queue(
        "steps.fifo",
        {
            "FifoQueue": "true",
            "ContentBasedDeduplication": "true",
            "DeduplicationScope": "messageGroup",
            "FifoThroughputLimit": "perMessageGroupId",
        },
        {"kind": "fifo"},
    )
    for group in ["a", "b/x"]:
        for number, step in enumerate(["1", "2", "2", "3"]):
            send(fifo, MessageBody=step, MessageGroupId=group, MessageDeduplicationId=f"{group.encode().hex()}-{number}")
    typed = {"n": {"DataType": "Number", "StringValue": "2"}}
    send(fifo, MessageBody="1", MessageGroupId="a", MessageDeduplicationId="again", MessageAttributes=typed)
    dead_fifo = queue("dead.fifo", {"FifoQueue": "true"})
    send(dead_fifo, MessageBody="alone", MessageGroupId="g", MessageDeduplicationId="d")

    other = client("sqs", "eu-west-1")
    made = attempt(other.create_queue, QueueName="orders", Attributes={}, tags={"region": "other"})
    if made:
        attempt(other.send_message, QueueUrl=made["QueueUrl"], MessageBody="elsewhere")


def dynamodb():
    tables = client("dynamodb")
    if attempt(tables.list_tables) is None:
        return

    def table(name, keys, more=(), **options):
        attributes = {name: kind for name, kind in [*keys, *more]}
        attempt(
            tables.create_table,
            TableName=name,
            KeySchema=[{"AttributeName": key[0], "KeyType": role} for key, role in zip(keys, ["HASH", "RANGE"])],
            AttributeDefinitions=[{"AttributeName": n, "AttributeType": t} for n, t in attributes.items()],
            **({"BillingMode": "PAY_PER_REQUEST"} | options),
        )

    def put(name, item):
        attempt(tables.put_item, TableName=name, Item=item)

    table("plain", [("id", "S")])
    table(
        "everything",
        [("pk", "S"), ("sk", "N")],
        [("g1", "S"), ("g2", "N"), ("l1", "B")],
        BillingMode="PROVISIONED",
        ProvisionedThroughput={"ReadCapacityUnits": 7, "WriteCapacityUnits": 3},
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-g1",
                "KeySchema": [{"AttributeName": "g1", "KeyType": "HASH"}, {"AttributeName": "g2", "KeyType": "RANGE"}],
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["x", "a"]},
                "ProvisionedThroughput": {"ReadCapacityUnits": 2, "WriteCapacityUnits": 1},
            },
            {
                "IndexName": "by-g2",
                "KeySchema": [{"AttributeName": "g2", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
                "ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1},
            },
        ],
        LocalSecondaryIndexes=[
            {
                "IndexName": "by-l1",
                "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "l1", "KeyType": "RANGE"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        SSESpecification={"Enabled": True, "SSEType": "KMS"},
        TableClass="STANDARD_INFREQUENT_ACCESS",
        Tags=[{"Key": "team", "Value": "blue"}, {"Key": "e", "Value": ""}],
    )
    attempt(
        tables.update_time_to_live,
        TableName="everything",
        TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"},
    )
    attempt(
        tables.update_continuous_backups,
        TableName="everything",
        PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
    )
    table("guarded", [("id", "S")], DeletionProtectionEnabled=True)
    table("numbers", [("n", "N")])
    table("bytes", [("b", "B")])
    table("empty-table", [("id", "S")])

    put("plain", {"id": {"S": "../odd /\x01 ünï\U0001f980%2F"}, "v": {"S": ""}})
    put("plain", {"id": {"S": "k" * 2048}, "v": {"S": "long key"}})
    put("plain", {"id": {"S": "400 KB"}, "v": {"S": "x" * (400_000)}})
    put(
        "everything",
        {
            "pk": {"S": "a"},
            "sk": {"N": "1.50"},
            "g1": {"S": "g"},
            "g2": {"N": "-3E-5"},
            "l1": {"B": b"\x00\xff"},
            "true": {"BOOL": True},
            "null": {"NULL": True},
            "bytes": {"B": bytes(range(256))},
            "no bytes": {"B": b""},
            "number": {"N": "12345678901234567890123456789012345678"},
            "tiny": {"N": "1E-130"},
            "huge": {"N": "9.9E+125"},
            "texts": {"SS": ["b", "a", ""]},
            "numbers": {"NS": ["1", "2.0", "-3"]},
            "blobs": {"BS": [b"\x01", b"\xff"]},
            "list": {"L": [{"S": "1"}, {"N": "1"}, {"B": b"1"}, {"NULL": True}, {"L": []}, {"M": {}}]},
            "map": {"M": {"deep": {"M": {"er": {"L": [{"SS": ["x"]}, {"BOOL": False}]}}}, "S": {"S": "S"}}},
            "no list": {"L": []},
            "no map": {"M": {}},
        },
    )
    put("everything", {"pk": {"S": "a"}, "sk": {"N": "-2"}, "expires": {"N": "4102444800"}})
    put("everything", {"pk": {"S": "b"}, "sk": {"N": "100"}})
    for number in ["0", "-1", "1.5", "1e20", "99999999999999999999999999999999999999"]:
        put("numbers", {"n": {"N": number}, "as": {"S": number}})
    for blob in [b"\x00", b"\xff\xfe", b"text"]:
        put("bytes", {"b": {"B": blob}})
    for start in range(0, 300, 25):
        rows = [{"PutRequest": {"Item": {"id": {"S": f"row-{i:04}"}, "i": {"N": str(i)}, "pad": {"S": "p" * 500}}}} for i in range(start, start + 25)]
        attempt(tables.batch_write_item, RequestItems={"plain": rows})


def ssm():
    parameters = client("ssm")

    def put(name, value, kind="String", **more):
        attempt(parameters.put_parameter, Name=name, Value=value, Type=kind, **more)

    put("plain", "value", Description="what it is", AllowedPattern="^v.*$", Tags=[{"Key": "team", "Value": "blue"}])
    put("/app/db/host", "localhost")
    put("/app/db/hosts", "a,b,c", "StringList")
    put("/app/db/password", "s3cr3t ü", "SecureString", Description="hush")
    put("/app/big", "x" * 6000, Tier="Advanced")
    put("/app/image", "text", DataType="text")
    put("/app/changed", "one")
    put("/app/changed", "two", Overwrite=True)
    put("/app/spaces", "  kept as is \n", Tags=[{"Key": "k", "Value": ""}])


def secretsmanager():
    secrets, here = client("secretsmanager"), account()

    def create(name, **more):
        return attempt(secrets.create_secret, Name=name, **more)

    create("plain", SecretString="one")
    create(
        "app/details",
        SecretString='{"user": "a", "pass": "ü"}',
        Description="for the app",
        Tags=[{"Key": "team", "Value": "blue"}, {"Key": "e", "Value": ""}],
    )
    attempt(secrets.put_secret_value, SecretId="app/details", SecretString="two", ClientRequestToken="1" * 32)
    attempt(
        secrets.put_secret_value,
        SecretId="app/details",
        SecretString="three",
        ClientRequestToken="2" * 32,
        VersionStages=["AWSPENDING", "mine"],
    )
    create("binary", SecretBinary=bytes(range(256)), KmsKeyId="alias/aws/secretsmanager")
    create("without-a-value", Description="no version yet")
    create("guarded", SecretString="x")
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{here}:root"},
                "Action": "secretsmanager:GetSecretValue",
                "Resource": "*",
            }
        ],
    }
    attempt(secrets.put_resource_policy, SecretId="guarded", ResourcePolicy=json.dumps(policy))
    create("going", SecretString="x")
    attempt(secrets.delete_secret, SecretId="going", RecoveryWindowInDays=7)
    create("large", SecretString="x" * 65536)


sqs()
dynamodb()
ssm()
secretsmanager()
