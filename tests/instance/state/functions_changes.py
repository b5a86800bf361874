"""Changes what `functions.py` made: other values, values taken away, things deleted and things added."""

import io
import time
import zipfile

import boto3
from botocore.config import Config

functions = boto3.client("lambda", config=Config(retries={"max_attempts": 1}, read_timeout=60))
HERE = boto3.client("sts").get_caller_identity()["Account"]


def attempt(call, **arguments):
    try:
        call(**arguments)
    except Exception as error:  # Any refusal is the emulator's.
        print(f"refused {call.__name__}: {str(error)[:200]}")
    for _ in range(200):
        config = functions.get_function(FunctionName="shop")["Configuration"]
        busy = config.get("LastUpdateStatus") == "InProgress" and config.get("State") != "Failed"
        if config.get("State") != "Pending" and not busy:
            return
        time.sleep(0.1)


buffer = io.BytesIO()
with zipfile.ZipFile(buffer, "w") as archive:
    archive.writestr(zipfile.ZipInfo("index.py", (2026, 1, 1, 0, 0, 0)), "def handler(event, context): return 5")

attempt(functions.update_function_code, FunctionName="shop", ZipFile=buffer.getvalue())
attempt(functions.update_function_configuration, FunctionName="shop", Description="the fifth", Timeout=20)
# moto would give number 4 twice.
newest = "5" if HERE != "123456789012" else "4"
if newest == "5":
    attempt(functions.publish_version, FunctionName="shop")
attempt(functions.update_alias, FunctionName="shop", Name="live", FunctionVersion=newest, Description="", RoutingConfig={"AdditionalVersionWeights": {}})
attempt(functions.update_alias, FunctionName="bare_1-x", Name="live", FunctionVersion="$LATEST", Description="new")
attempt(functions.delete_alias, FunctionName="shop", Name="dev-1_x")
attempt(functions.create_alias, FunctionName="shop", Name="more", FunctionVersion="3")

attempt(functions.update_function_url_config, FunctionName="shop", AuthType="AWS_IAM", Cors={}, InvokeMode="BUFFERED")
if HERE != "123456789012":
    attempt(functions.delete_function_url_config, FunctionName="shop", Qualifier="live")
attempt(functions.create_function_url_config, FunctionName="bare_1-x", AuthType="NONE")
attempt(functions.remove_permission, FunctionName="shop", StatementId="bucket")
attempt(functions.remove_permission, FunctionName="shop", StatementId="rule-of-alias", Qualifier="live")
attempt(functions.add_permission, FunctionName="shop", StatementId="more", Action="lambda:InvokeFunction", Principal="sns.amazonaws.com")
attempt(functions.add_permission, FunctionName="bare_1-x", StatementId="bucket", Action="lambda:InvokeFunction", Principal="s3.amazonaws.com")
attempt(functions.delete_function_event_invoke_config, FunctionName="shop")
if HERE != "123456789012":
    attempt(functions.put_function_event_invoke_config, FunctionName="shop", Qualifier="live", MaximumRetryAttempts=1)
attempt(functions.put_function_event_invoke_config, FunctionName="bare_1-x", MaximumRetryAttempts=1)
attempt(functions.put_provisioned_concurrency_config, FunctionName="shop", Qualifier="live", ProvisionedConcurrentExecutions=5)
attempt(functions.delete_provisioned_concurrency_config, FunctionName="shop", Qualifier="1")
attempt(functions.put_function_recursion_config, FunctionName="shop", RecursiveLoop="Terminate")
