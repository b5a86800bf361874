"""The story that bootstrap/demo plays: a fault travels to a teammate, and the fix travels back.

Two developers, each with an emulator and a peapod node of their own. Everything is checked with boto3, on the emulators,
not by asking peapod.
"""

import io
import json
import os
import pathlib
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import zipfile

import boto3

ROOT = pathlib.Path(__file__).resolve().parent.parent
TOOLS = pathlib.Path(os.environ["PEAPOD_TOOLS"])
PEAPOD = os.environ["PEAPOD"]
KEEP = "--keep" in sys.argv[1:]
REGION = "us-east-1"

FUNCTION = """\
import json, os
import botocore.session

def client(service, region):
    return botocore.session.get_session().create_client(service, region_name=region)

def handler(event, context):
    sqs = client("sqs", os.environ["AWS_REGION"])
    answers = sqs.get_queue_url(QueueName="answers")["QueueUrl"]
    for record in event["Records"]:
        try:
            secret = client("secretsmanager", "SECRET_REGION").get_secret_value(SecretId="payment-provider")
            answer = {"statusCode": 200, "order": record["body"], "provider": json.loads(secret["SecretString"])}
        except Exception as error:
            answer = {"statusCode": 500, "order": record["body"], "error": str(error)}
        sqs.send_message(QueueUrl=answers, MessageBody=json.dumps(answer))
"""


class Failed(Exception):
    """A check that did not hold."""


def say(text):
    print(f"\n\033[1m{text}\033[0m", flush=True)


def check(holds, what):
    if not holds:
        raise Failed(what)
    print(f"  \033[32mok\033[0m  {what}", flush=True)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Emulator:
    """A running emulator of one developer's own."""

    def __init__(self, make, logs):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        if make == "ministack":
            command = [TOOLS / "ministack/bin/ministack"]
            environment |= {"BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(self.port)}
        else:
            agent = ROOT / "bootstrap/agents/moto_agent.py"
            command = [TOOLS / "moto/bin/python", agent, "-H", "127.0.0.1", "-p", str(self.port)]
        self.log = open(logs / f"{make}-{self.port}.log", "w")
        self.process = subprocess.Popen(
            command, env=environment, stdout=self.log, stderr=self.log, start_new_session=True
        )
        self.wait()

    def wait(self):
        for _ in range(300):
            if self.process.poll() is not None:
                raise Failed(f"an emulator ended at once; see {self.log.name}")
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                    return
            except OSError:
                time.sleep(0.1)
        raise Failed(f"an emulator did not start; see {self.log.name}")

    def client(self, service, region=REGION):
        return boto3.client(
            service, region_name=region, endpoint_url=self.url, aws_access_key_id="test", aws_secret_access_key="test"
        )

    def stop(self):
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)


class Developer:
    """Somebody with a home of their own and an emulator."""

    def __init__(self, name, emulator, home):
        self.name, self.emulator, self.home = name, emulator, home

    def peapod(self, *words, instance=None, show=True):
        """Runs peapod as this developer, shows what it prints, and returns that."""
        url = (instance or self.emulator).url
        environment = os.environ | {
            "PEAPOD_HOME": str(self.home),
            "PEAPOD_INSTANCE": url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION,
        }
        if show:
            shown = " ".join(word if len(word) < 60 else word[:40] + ".." for word in map(shlex.quote, words))
            print(f"\n\033[36m{self.name}$\033[0m peapod {shown}", flush=True)
        ran = subprocess.run([PEAPOD, *words], env=environment, capture_output=True, text=True, timeout=300)
        if show:
            print("\n".join("  " + line for line in (ran.stdout + ran.stderr).rstrip().splitlines()), flush=True)
        if ran.returncode != 0:
            raise Failed(f"{self.name}: peapod {words[0]} ended with {ran.returncode}: {ran.stderr.strip()}")
        return ran.stdout

    def json(self, *words):
        return json.loads(self.peapod(*words, "--json", show=False))


def function_zip(region):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr(zipfile.ZipInfo("index.py", (2026, 1, 1, 0, 0, 0)), FUNCTION.replace("SECRET_REGION", region))
    return data.getvalue()


def deploy(emulator):
    """The author's stack: a queue triggers a function that reads a secret; a bucket and a table beside it."""
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    role = emulator.client("iam").create_role(RoleName="checkout", AssumeRolePolicyDocument=json.dumps(trust))
    emulator.client("secretsmanager").create_secret(
        Name="payment-provider", SecretString=json.dumps({"user": "shop", "endpoint": "https://pay.example"})
    )
    sqs = emulator.client("sqs")
    orders = sqs.create_queue(QueueName="orders", Attributes={"VisibilityTimeout": "60"})["QueueUrl"]
    sqs.create_queue(QueueName="answers")
    arn = sqs.get_queue_attributes(QueueUrl=orders, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    functions = emulator.client("lambda")
    functions.create_function(
        FunctionName="charge",
        Runtime="python3.12",
        Handler="index.handler",
        Role=role["Role"]["Arn"],
        Timeout=20,
        # The fault: the secret is in us-east-1.
        Code={"ZipFile": function_zip("eu-west-1")},
    )
    functions.get_waiter("function_active_v2").wait(FunctionName="charge")
    functions.create_event_source_mapping(FunctionName="charge", EventSourceArn=arn, BatchSize=1)

    s3 = emulator.client("s3")
    s3.create_bucket(Bucket="sources")
    for file in source_files():
        s3.put_object(Bucket="sources", Key=str(file.relative_to(ROOT)), Body=file.read_bytes(), Metadata={"from": "demo"})
    emulator.client("dynamodb").create_table(
        TableName="crates",
        KeySchema=[{"AttributeName": "name", "KeyType": "HASH"}, {"AttributeName": "version", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": "name", "AttributeType": "S"},
            {"AttributeName": "version", "AttributeType": "S"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    table = boto3.resource(
        "dynamodb", region_name=REGION, endpoint_url=emulator.url, aws_access_key_id="test", aws_secret_access_key="test"
    ).Table("crates")
    with table.batch_writer() as batch:
        for crate in crates():
            batch.put_item(Item=crate)


def source_files():
    """Real files: this repository's own sources."""
    return sorted([ROOT / "README.md", ROOT / "LICENSE", ROOT / "Cargo.lock", *ROOT.glob("src/**/*.rs")])


def crates():
    """Real rows: the packages that Cargo.lock pins."""
    for block in (ROOT / "Cargo.lock").read_text().split("[[package]]")[1:]:
        fields = dict(line.split(" = ", 1) for line in block.strip().splitlines() if " = " in line)
        yield {name: fields[name].strip('"') for name in ("name", "version", "checksum") if name in fields}


def order(emulator, body):
    """Sends an order to the queue and waits for the function's answer."""
    sqs = emulator.client("sqs")
    sqs.send_message(QueueUrl=sqs.get_queue_url(QueueName="orders")["QueueUrl"], MessageBody=body)
    answers = sqs.get_queue_url(QueueName="answers")["QueueUrl"]
    until = time.monotonic() + 60
    while time.monotonic() < until:
        for message in sqs.receive_message(QueueUrl=answers, WaitTimeSeconds=1).get("Messages", []):
            sqs.delete_message(QueueUrl=answers, ReceiptHandle=message["ReceiptHandle"])
            answer = json.loads(message["Body"])
            if answer["order"] == body:
                print(f"  the function answers {json.dumps(answer)}", flush=True)
                return answer
    raise Failed(f"no answer to {body}")


def objects(emulator):
    pages = emulator.client("s3").get_paginator("list_objects_v2").paginate(Bucket="sources")
    return {item["Key"] for page in pages for item in page.get("Contents", [])}


def items(emulator):
    pages = emulator.client("dynamodb").get_paginator("scan").paginate(TableName="crates")
    return {(item["name"]["S"], item["version"]["S"]) for page in pages for item in page["Items"]}


def same_data(emulator, what):
    for file in source_files():
        key = str(file.relative_to(ROOT))
        body = emulator.client("s3").get_object(Bucket="sources", Key=key)["Body"].read()
        if body != file.read_bytes():
            raise Failed(f"{what}: {key} differs")
    check(True, f"{what}: all {len(source_files())} objects have their bytes")
    rows = {(crate["name"], crate["version"]) for crate in crates()}
    check(rows <= items(emulator), f"{what}: all {len(rows)} items are in the table")


def play(anna, ben, moto):
    say("1. Anna's stack: a queue, a function, a secret, a bucket and a table. Orders fail.")
    deploy(anna.emulator)
    check(order(anna.emulator, "order 1")["statusCode"] == 500, "the function really fails with 500")

    say("2. They make a team: one invite, no server, no account.")
    anna.peapod("team", "create", "shop", "--as", "anna")
    anna.peapod("up", "--detach", "--listen", "127.0.0.1:0", "--no-mdns")
    ben.peapod("up", "--detach", "--listen", "127.0.0.1:0", "--no-mdns")
    print("\n\033[36manna$\033[0m peapod team invite", flush=True)
    ticket = anna.json("team", "invite")["ticket"]
    print(f"  {ticket[:40]}..", flush=True)
    ben.peapod("team", "join", ticket, "--as", "ben")

    say("3. Anna pushes what she sees; Ben pulls it into his own emulator.")
    anna.peapod("push", "checkout", "-m", "orders fail with 500")
    ben.peapod("pull", "checkout")
    same_data(ben.emulator, "in Ben's emulator")
    check(order(ben.emulator, "order 2")["statusCode"] == 500, "Ben sees the same fault, in his own emulator")

    say("4. Ben finds it: the function looks for the secret in the wrong region. He fixes it and pushes.")
    functions = ben.emulator.client("lambda")
    functions.update_function_code(FunctionName="charge", ZipFile=function_zip(REGION))
    functions.get_waiter("function_updated_v2").wait(FunctionName="charge")
    check(order(ben.emulator, "order 3")["statusCode"] == 200, "fixed in Ben's emulator")
    ben.peapod("diff", "checkout", "--instance")
    ben.peapod("push", "checkout", "-m", "read the secret where it is")

    say("5. Meanwhile Anna has added something. She pulls, and has both.")
    anna.emulator.client("s3").put_object(Bucket="sources", Key="notes/meanwhile.txt", Body=b"added by anna")
    anna.emulator.client("dynamodb").put_item(
        TableName="crates", Item={"name": {"S": "peapod-next"}, "version": {"S": "0.2.0"}}
    )
    anna.peapod("pull", "checkout")
    answer = order(anna.emulator, "order 4")
    check(answer["statusCode"] == 200 and answer["provider"]["user"] == "shop", "an order now yields the secret's details")
    check("notes/meanwhile.txt" in objects(anna.emulator), "Anna's new object is still there")
    check(("peapod-next", "0.2.0") in items(anna.emulator), "Anna's new item is still there")
    anna.peapod("push", "checkout", "-m", "notes")
    anna.peapod("log", "checkout")

    say("6. The same pod goes into an emulator of another make: moto.")
    anna.peapod("inject", "checkout", "-y", instance=moto)
    same_data(moto, "in moto")
    secret = moto.client("secretsmanager").get_secret_value(SecretId="payment-provider")["SecretString"]
    check(json.loads(secret)["user"] == "shop", "in moto: the secret")
    configuration = moto.client("lambda").get_function_configuration(FunctionName="charge")
    check(configuration["Handler"] == "index.handler", "in moto: the function")
    mappings = moto.client("lambda").list_event_source_mappings(FunctionName="charge")["EventSourceMappings"]
    check(len(mappings) == 1 and mappings[0]["EventSourceArn"].endswith(":orders"), "in moto: the queue triggers it")
    check("notes/meanwhile.txt" in objects(moto), "in moto: Anna's new object")


def main():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="peapod-demo-"))
    emulators, developers = [], []
    began = time.monotonic()
    held = False
    try:
        say("Starting two ministacks, one for each developer, and a moto")
        for make in ("ministack", "ministack", "moto"):
            emulators.append(Emulator(make, folder))
        developers = [Developer("anna", emulators[0], folder / "anna"), Developer("ben", emulators[1], folder / "ben")]
        play(*developers, emulators[2])
        held = True
        say(f"Every check holds. It took {time.monotonic() - began:.0f} seconds.")
        return 0
    except Failed as failure:
        print(f"\n\033[31mfailed:\033[0m {failure}\n(logs: {folder})", file=sys.stderr)
        return 1
    finally:
        if KEEP and developers:
            say("Left running (--keep):")
            for developer in developers:
                print(f"  export PEAPOD_HOME={developer.home} PEAPOD_INSTANCE={developer.emulator.url}   # {developer.name}")
            print("  moto: " + emulators[2].url)
            print(f"  the program: {PEAPOD}")
            pids = " ".join(str(emulator.process.pid) for emulator in emulators)
            print(f"  to end it: peapod down (with each home), kill {pids}, rm -r {folder}")
        else:
            for developer in developers:
                try:
                    developer.peapod("down", show=False)
                except Failed:
                    pass
            for emulator in emulators:
                emulator.stop()
            if held:
                shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
