"""Asks the API that `gateway_answers.py` made, in the ways that emulators serve one, and prints what comes back."""

import os
import urllib.error
import urllib.request

import boto3

endpoint = os.environ["AWS_ENDPOINT_URL"]
gateway = boto3.client("apigateway")
api = next(one["id"] for one in gateway.get_rest_apis()["items"] if one["name"] == "answers")


def ask(url, host=None):
    request = urllib.request.Request(url, headers={"Host": host} if host else {})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return f"{answer.status} {answer.read().decode()}"
    except urllib.error.HTTPError as error:
        return f"{error.code}"


for path in ("mock", "hello"):
    by_path = ask(f"{endpoint}/restapis/{api}/live/_user_request_/{path}")
    by_host = ask(f"{endpoint}/live/{path}", f"{api}.execute-api.us-east-1.amazonaws.com")
    served = [answer for answer in (by_path, by_host) if answer.startswith("20")]
    print(path, served[0] if served else "not served")
