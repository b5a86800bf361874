"""moto_server with read-only routes for the state that its public API cannot give.

Run it with the Python that moto is installed in, in place of `moto_server` and with the same arguments:

    python moto_agent.py -H 127.0.0.1 -p 5000

Everything moto does is unchanged. Added are, each only to read, and answering plain JSON or plain bytes:

    GET /_peapod/agent
        {"agent": "moto", "version": 1, "emulator": "5.2.5"}

    GET /_peapod/sqs/messages?account=A&region=R&queue=NAME[&after=MESSAGE_ID]
        {"messages": [..], "more": true}
        Every message in the order in which it was sent, whether visible, delayed or in flight, untouched: no receive
        count changes. A message has MessageId, Body, Attributes and MessageAttributes as ReceiveMessage gives them
        (BinaryValue in base64), and State. While "more" is true, ask again with `after` set to the last MessageId.

    GET /_peapod/lambda/code?account=A&region=R&function=NAME[&version=N]
    GET /_peapod/lambda/layer?account=A&region=R&layer=NAME&version=N
        The zip, byte for byte as it was uploaded.

What is not there is answered with 404 and {"message": ".."}. Looking never makes moto create an account or a region.
Written against moto 5.2.5, whose internals it reads.
"""

import base64
import json
from urllib.parse import parse_qs

import moto
import moto.server
from moto.awslambda.models import lambda_backends
from moto.awslambda_simple.models import lambda_simple_backends
from moto.sqs.models import sqs_backends

PREFIX = "/_peapod/"
VERSION = 1
# An answer ends after the message that takes it over this many bytes, so that no reader needs a queue in memory.
PAGE = 4 * 1024 * 1024


class NotThere(Exception):
    """What was asked for does not exist."""


def backend_of(backends, query):
    """The backend of the asked account and region. `dict.get`, since indexing would create it."""
    account = backends.get(query["account"])
    backend = account.get(query["region"]) if account is not None else None
    if backend is None:
        raise NotThere("nothing is in this account and region")
    return backend


def agent(query):
    return {"agent": "moto", "version": VERSION, "emulator": moto.__version__}


def messages(query):
    queue = backend_of(sqs_backends, query).queues.get(query["queue"])
    if queue is None:
        raise NotThere("no such queue")
    waiting = list(queue._messages)
    after = query.get("after")
    if after is not None:
        at = next((at for at, message in enumerate(waiting) if message.id == after), None)
        if at is None:
            raise NotThere("the message to go on after has left the queue")
        waiting = waiting[at + 1 :]
    page, size = [], 0
    for message in waiting:
        page.append(message_as_json(message))
        size += 256 + len(message.body)
        if size > PAGE:
            break
    return {"messages": page, "more": len(page) < len(waiting)}


def message_as_json(message):
    system = {
        "SenderId": message.sender_id,
        "SentTimestamp": message.sent_timestamp,
        "ApproximateReceiveCount": message.approximate_receive_count,
        "ApproximateFirstReceiveTimestamp": message.approximate_first_receive_timestamp,
        "MessageGroupId": message.group_id,
        "MessageDeduplicationId": message.deduplication_id,
        "SequenceNumber": message.sequence_number,
        "AWSTraceHeader": (message.system_attributes.get("AWSTraceHeader") or {}).get("StringValue"),
    }
    return {
        "MessageId": message.id,
        "Body": message.body,
        "Attributes": {name: str(value) for name, value in system.items() if value is not None},
        "MessageAttributes": {
            name: {part: text(value) for part, value in attribute.items() if value is not None}
            for name, attribute in message.message_attributes.items()
            if isinstance(attribute, dict)
        },
        "State": "delayed" if message.delayed else "visible" if message.visible else "in-flight",
    }


def text(value):
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def lambda_backend(query):
    # moto keeps its functions in the second one when it is configured not to run them in Docker.
    try:
        return backend_of(lambda_backends, query)
    except NotThere:
        return backend_of(lambda_simple_backends, query)


def code(query):
    functions = lambda_backend(query)._lambdas._functions
    function = functions.get(query["function"], {})
    if "version" in query:
        versions = function.get("versions", [])
        function = next((one for one in versions if str(one.version) == query["version"]), None)
    else:
        function = function.get("latest")
    if function is None:
        raise NotThere("no such function")
    return zip_of(function)


def layer(query):
    layers = lambda_backend(query)._layers._layers
    versions = layers[query["layer"]].layer_versions if query["layer"] in layers else {}
    if query["version"] not in versions:
        raise NotThere("no such layer version")
    return zip_of(versions[query["version"]])


def zip_of(holder):
    content = getattr(holder, "code_bytes", None)
    if not content:
        raise NotThere("it has no code here: an image, or an S3 object that was not there")
    return content


ROUTES = {
    "agent": (agent, ()),
    "sqs/messages": (messages, ("account", "region", "queue")),
    "lambda/code": (code, ("account", "region", "function")),
    "lambda/layer": (layer, ("account", "region", "layer", "version")),
}


def answer(method, path, query_string):
    """The status line, the content type and the body for one request under PREFIX."""
    if method not in ("GET", "HEAD"):
        return "405 Method Not Allowed", "application/json", as_json({"message": "these routes only read"})
    route, wanted = ROUTES.get(path[len(PREFIX) :], (None, ()))
    if route is None:
        return "404 Not Found", "application/json", as_json({"message": "no such route"})
    query = {name: values[-1] for name, values in parse_qs(query_string).items()}
    missing = [name for name in wanted if name not in query]
    if missing:
        return "400 Bad Request", "application/json", as_json({"message": f"missing: {', '.join(missing)}"})
    try:
        content = route(query)
    except NotThere as error:
        return "404 Not Found", "application/json", as_json({"message": str(error)})
    if isinstance(content, bytes):
        return "200 OK", "application/zip", content
    return "200 OK", "application/json", as_json(content)


def as_json(content):
    return json.dumps(content).encode()


class Application(moto.server.DomainDispatcherApplication):
    """moto's own application with the routes above in front."""

    def __call__(self, environ, start_response):
        path = environ.get("PATH_INFO", "")
        # No S3 bucket may begin with an underscore, so the prefix hides nothing of moto's.
        if not path.startswith(PREFIX):
            return super().__call__(environ, start_response)
        method = environ["REQUEST_METHOD"]
        status, kind, content = answer(method, path, environ.get("QUERY_STRING", ""))
        start_response(status, [("Content-Type", kind), ("Content-Length", str(len(content)))])
        return [] if method == "HEAD" else [content]


if __name__ == "__main__":
    moto.server.DomainDispatcherApplication = Application
    moto.server.main()
