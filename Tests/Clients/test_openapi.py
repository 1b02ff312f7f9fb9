"""schemathesis against `/openapi.json` and the simulated engine: bounded, and the same each time."""

import json
import os
import socket
import subprocess
import sys

import httpx
import pytest
from test_failover import SIMULATED

SCHEMATHESIS = os.path.join(os.path.dirname(sys.executable), "schemathesis")
CHECKS = ("not_a_server_error,status_code_conformance,content_type_conformance,"
          "response_schema_conformance,negative_data_rejection")
# 413 is a refusal too: arrays of more elements than are allowed may be larger than any body.
SETTINGS = """
[checks.negative_data_rejection]
expected-statuses = ["400", "401", "403", "404", "405", "406", "409", "413", "415", "422", "428",
                     "429", "5xx"]
"""
EXAMPLES = 15
LIMIT = 540


@pytest.fixture(scope="module")
def served(launch_module):
    return launch_module(*SIMULATED, "--embeddings", "--slots", "16", "--worker-argument",
                         "--output-tokens=4").wait_ready()


@pytest.fixture(scope="module")
def document(served):
    answer = httpx.get(f"{served.url}/openapi.json", timeout=30)
    assert answer.headers["content-type"] == "application/json"
    return answer.json()


def narrowed(document):
    """The model that is served. And no header fields: where one is described, schemathesis takes
    another one for a fault."""
    text = json.dumps(document)
    document = json.loads(text)
    for schema in document["components"]["schemas"].values():
        if "model" in schema.get("required", ()) and schema["properties"]["model"].get("maxLength"):
            schema["properties"]["model"] = {"enum": ["smollm2"]}
    for item in document["paths"].values():
        for operation in item.values():
            operation["parameters"] = [parameter for parameter in operation.get("parameters", ())
                                       if parameter["in"] != "header"]
    return document


# In groups, so that a failure is found soon and each stays within its time.
@pytest.mark.parametrize("group", ["Generating", "Stored answers", "Files and batches",
                                   "What is served"])
def test_schemathesis_finds_nothing(served, document, group, tmp_path):
    (tmp_path / "openapi.json").write_text(json.dumps(narrowed(document)))
    (tmp_path / "schemathesis.toml").write_text(SETTINGS)
    done = subprocess.run(
        [SCHEMATHESIS, "run", "openapi.json", "--url", served.url, "--checks", CHECKS,
         "--include-tag", group, "--phases", "coverage,fuzzing", "--max-examples", str(EXAMPLES),
         "--generation-deterministic", "--seed", "1", "--no-shrink", "--continue-on-failure",
         "--suppress-health-check", "all", "--request-timeout", "60", "--warnings", "off",
         "--no-color"],
        cwd=tmp_path, capture_output=True, text=True, timeout=LIMIT)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr
    served.wait_idle()
    assert served.process.poll() is None


def test_it_describes_what_there_is(served, document):
    """Each path and method is known to the server: none answers that it is not."""
    assert document["openapi"] == "3.1.0" and len(document["paths"]) >= 25
    for path, item in document["paths"].items():
        for method in item:
            answer = httpx.request(method, served.url + path.replace("{id}", "x"), timeout=30)
            assert answer.status_code != 405, (method, path)
            if answer.status_code == 404:
                assert "nothing at this URL" not in answer.text or path.endswith("/compact"), (
                    method, path)


@pytest.mark.parametrize("path, name", [("/v1/messages", "type"), ("/v1/chat/completions", "error")])
def test_a_length_beyond_the_limit_is_refused_in_the_apis_own_shape(served, path, name):
    """Found by schemathesis: the transport refused it before it knew whose request it was."""
    with socket.create_connection(("127.0.0.1", served.port), timeout=30) as connection:
        connection.sendall(f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
                           f"content-length: {1 << 40}\r\n\r\n".encode())
        with connection.makefile("rb") as file:
            head, body = file.read().split(b"\r\n\r\n", 1)
    assert head.startswith(b"HTTP/1.1 413") and next(iter(json.loads(body))) == name
