"""Changes the state of data.py in every way that putting it back must undo. What is missing is passed over."""

import json

import boto3
from botocore.config import Config

CONFIG = Config(retries={"max_attempts": 1}, read_timeout=60)
queues, tables = boto3.client("sqs", config=CONFIG), boto3.client("dynamodb", config=CONFIG)
parameters, secrets = boto3.client("ssm", config=CONFIG), boto3.client("secretsmanager", config=CONFIG)


def attempt(call, **arguments):
    try:
        return call(**arguments)
    except Exception as error:
        print(f"refused {call.__name__}: {str(error)[:200]}")
        return {}


def url(name):
    return queues.get_queue_url(QueueName=name)["QueueUrl"]


def sqs():
    orders, here = url("orders"), boto3.client("sts").get_caller_identity()["Account"]
    attempt(queues.set_queue_attributes, QueueUrl=orders, Attributes={"VisibilityTimeout": "50", "Policy": ""})
    attempt(queues.set_queue_attributes, QueueUrl=orders, Attributes={"RedrivePolicy": ""})
    attempt(queues.untag_queue, QueueUrl=orders, TagKeys=["team"])
    attempt(queues.tag_queue, QueueUrl=orders, Tags={"new": "tag", "empty": "no more"})
    dead = f"arn:aws:sqs:us-east-1:{here}:zz-dead"
    redrive = json.dumps({"deadLetterTargetArn": dead, "maxReceiveCount": 1})
    attempt(queues.set_queue_attributes, QueueUrl=url("busy"), Attributes={"RedrivePolicy": redrive})
    attempt(queues.set_queue_attributes, QueueUrl=url("sealed"), Attributes={"KmsMasterKeyId": ""})
    attempt(queues.set_queue_attributes, QueueUrl=url("delayed"), Attributes={"DelaySeconds": "0"})
    attempt(queues.delete_queue, QueueUrl=url("big"))
    attempt(queues.create_queue, QueueName="newcomer")
    attempt(queues.send_message, QueueUrl=url("newcomer"), MessageBody="hello")
    for body in ["plain", "more", "more"]:
        attempt(queues.send_message, QueueUrl=orders, MessageBody=body)
    attempt(queues.send_message, QueueUrl=url("busy"), MessageBody="beside the one in flight")
    attempt(queues.send_message, QueueUrl=url("zz-dead"), MessageBody="much later", DelaySeconds=600)
    steps = url("steps.fifo")
    attempt(queues.send_message, QueueUrl=steps, MessageBody="4", MessageGroupId="a", MessageDeduplicationId="x1")
    attempt(queues.send_message, QueueUrl=steps, MessageBody="1", MessageGroupId="c", MessageDeduplicationId="x2")
    # The first of group b/x goes, so that its group can't be mended at its end alone.
    gone = False
    for _ in range(10):
        received = queues.receive_message(
            QueueUrl=steps, AttributeNames=["All"], VisibilityTimeout=20, MaxNumberOfMessages=10
        )
        for message in received.get("Messages", []):
            handle = {"QueueUrl": steps, "ReceiptHandle": message["ReceiptHandle"]}
            if message["Attributes"]["MessageGroupId"] == "b/x" and not gone:
                queues.delete_message(**handle)
                gone = True
            else:
                queues.change_message_visibility(VisibilityTimeout=0, **handle)
        if gone:
            return


def dynamodb():
    if not attempt(tables.list_tables):
        return

    def update(**changes):
        attempt(tables.update_table, TableName="everything", **changes)

    update(GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "by-g1"}}])
    types = {"pk": "S", "sk": "N", "g2": "N", "g3": "S", "l1": "B"}
    index = {
        "IndexName": "by-g3",
        "KeySchema": [{"AttributeName": "g3", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
        "ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1},
    }
    update(
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": kind} for name, kind in types.items()],
        GlobalSecondaryIndexUpdates=[{"Create": index}],
    )
    update(BillingMode="PAY_PER_REQUEST")
    update(StreamSpecification={"StreamEnabled": False})
    update(StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"})
    update(SSESpecification={"Enabled": False})
    update(TableClass="STANDARD")
    for on, name in [(False, "expires"), (True, "other")]:
        expiry = {"Enabled": on, "AttributeName": name}
        attempt(tables.update_time_to_live, TableName="everything", TimeToLiveSpecification=expiry)
    arn = tables.describe_table(TableName="everything")["Table"]["TableArn"]
    attempt(tables.untag_resource, ResourceArn=arn, TagKeys=["team"])
    attempt(tables.tag_resource, ResourceArn=arn, Tags=[{"Key": "e", "Value": "x"}, {"Key": "n", "Value": ""}])
    attempt(tables.update_table, TableName="guarded", DeletionProtectionEnabled=False)
    attempt(tables.delete_table, TableName="guarded")
    attempt(tables.delete_table, TableName="bytes")
    # The same name with other keys, and with another local index.
    attempt(tables.delete_table, TableName="numbers")
    attempt(
        tables.create_table,
        TableName="numbers",
        KeySchema=[{"AttributeName": "n", "KeyType": "HASH"}, {"AttributeName": "s", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": "n", "AttributeType": "S"}, {"AttributeName": "s", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    attempt(tables.put_item, TableName="numbers", Item={"n": {"S": "1"}, "s": {"S": "2"}})
    for row in range(0, 100):
        attempt(tables.delete_item, TableName="plain", Key={"id": {"S": f"row-{row:04}"}})
    for row in range(300, 340):
        attempt(tables.put_item, TableName="plain", Item={"id": {"S": f"row-{row:04}"}})
    attempt(tables.put_item, TableName="plain", Item={"id": {"S": "row-0200"}, "i": {"S": "200"}})


def ssm():
    attempt(parameters.put_parameter, Name="plain", Value="vother", Type="String", Overwrite=True, Description="else")
    attempt(parameters.delete_parameter, Name="/app/db/hosts")
    attempt(parameters.put_parameter, Name="/app/db/hosts", Value="plain", Type="String")
    attempt(parameters.put_parameter, Name="/app/db/host", Value="localhost", Type="String", Overwrite=True, Description="d")
    attempt(parameters.delete_parameter, Name="/app/db/password")
    attempt(parameters.put_parameter, Name="/app/new", Value="new", Type="String")
    kind = {"ResourceType": "Parameter", "ResourceId": "plain"}
    attempt(parameters.remove_tags_from_resource, TagKeys=["team"], **kind)
    attempt(parameters.add_tags_to_resource, Tags=[{"Key": "n", "Value": "x"}], **kind)


def secretsmanager():
    attempt(secrets.update_secret, SecretId="plain", Description="described")
    attempt(secrets.put_secret_value, SecretId="plain", SecretString="newer", ClientRequestToken="3" * 32)
    attempt(secrets.put_secret_value, SecretId="app/details", SecretString="four", ClientRequestToken="4" * 32)
    attempt(secrets.untag_resource, SecretId="app/details", TagKeys=["team"])
    attempt(secrets.delete_resource_policy, SecretId="guarded")
    attempt(secrets.delete_secret, SecretId="binary", ForceDeleteWithoutRecovery=True)
    attempt(secrets.delete_secret, SecretId="large", RecoveryWindowInDays=7)
    attempt(secrets.create_secret, Name="newcomer", SecretString="n")


for change in [sqs, dynamodb, ssm, secretsmanager]:
    attempt(change)
