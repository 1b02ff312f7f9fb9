"""llama-server (deploy/bootstrap.sh --with-peers builds it) as the upstream of our gateway."""

import json
import os
import re
import signal
import subprocess

import httpx
import pytest
from conftest import MODEL, body, events
from test_upstream import ask, free_port, front, stream, text_of, wait

LLAMA_SERVER = os.path.join(os.environ["SWITCHYARD_LLAMA_PREFIX"], "bin", "llama-server")


class LlamaServer:
    def __init__(self, port=None, slots=4, arguments=()):
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = subprocess.Popen(
            [LLAMA_SERVER, "--model", MODEL, "--alias", "llama", "--host", "127.0.0.1",
             "--port", str(self.port), "--parallel", str(slots), "--ctx-size", "8192",
             "--threads", "2", "--metrics", "--no-webui", *arguments],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def wait_ready(self):
        def is_ready():
            assert self.process.poll() is None, "llama-server ended"
            try:
                return httpx.get(f"{self.url}/health", timeout=5).status_code == 200
            except httpx.TransportError:
                return False

        wait(is_ready, 120)
        return self

    def running(self):
        text = httpx.get(f"{self.url}/metrics", timeout=30).text
        return int(float(re.search(r"(?m)^llamacpp:requests_processing (\S+)", text).group(1)))

    def kill(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture
def llama_servers():
    running = []

    def start(*arguments, **keywords):
        running.append(LlamaServer(*arguments, **keywords))
        return running[-1]

    yield start
    for one in running:
        one.kill()


def test_chats_stream_and_the_slots_are_its_own(launch, llama_servers):
    llama = llama_servers(slots=3).wait_ready()
    server = front(launch, f"{llama.url}/v1").wait_ready()
    assert server.health()["workers"]["slots"] == 3
    chunks = stream(server, "front", "Name three colours.", stream_options={"include_usage": True},
                    logprobs=True, top_logprobs=1)
    assert text_of(chunks)
    assert {chunk["model"] for chunk in chunks} == {"front"}
    assert len({chunk["id"] for chunk in chunks}) == 1
    assert all(chunk["system_fingerprint"].startswith("fp_") for chunk in chunks)
    usage = chunks[-1]["usage"]
    assert usage["prompt_tokens"] > 0 and 0 < usage["completion_tokens"] <= 32
    assert [chunk for chunk in chunks if chunk["choices"] and chunk["choices"][0].get("logprobs")]
    whole = ask(server, "front").json()
    assert whole["choices"][0]["message"]["content"] and whole["model"] == "front"
    assert not any("usage" in chunk for chunk in stream(server, "front"))


def test_what_our_engine_does_not_serve_its_does(launch, llama_servers):
    llama = llama_servers(arguments=("--jinja",)).wait_ready()
    server = front(launch, llama.url).wait_ready()
    schema = {"type": "object", "properties": {"colour": {"enum": ["red", "blue"]}},
              "required": ["colour"]}
    answer = ask(server, "front", response_format={
        "type": "json_schema", "json_schema": {"name": "x", "schema": schema}})
    assert answer.status_code == 200, answer.text
    content = json.loads(answer.json()["choices"][0]["message"]["content"])
    assert content["colour"] in ("red", "blue")


def test_refusals_are_its_own(launch, llama_servers):
    llama = llama_servers().wait_ready()
    server = front(launch, llama.url).wait_ready()
    for fields in ({}, {"stream": True}):
        answer = ask(server, "front", "word " * 9_000, **fields)
        assert answer.status_code == 400, answer.text
        assert answer.json()["error"]["code"] == "context_length_exceeded"
    server.wait_idle()


def test_a_client_that_leaves_stops_it(launch, llama_servers):
    llama = llama_servers().wait_ready()
    server = front(launch, llama.url).wait_ready()
    with httpx.stream("POST", f"{server.url}/v1/chat/completions", timeout=60,
                      json=body("Tell a long story.", model="front", stream=True,
                                max_tokens=1_900, ignore_eos=True)) as answer:
        lines = answer.iter_lines()
        next(line for line in lines if "content" in line)
        assert llama.running() == 1
    wait(lambda: llama.running() == 0)
    server.wait_idle()


def test_its_health_is_followed(launch, llama_servers):
    port = free_port()
    server = front(launch, f"http://127.0.0.1:{port}",
                   options=("--worker-hang-seconds", "1", "--worker-check-seconds", "0.2"))
    first = llama_servers(port).wait_ready()
    server.wait_ready()
    os.kill(first.process.pid, signal.SIGSTOP)
    server.wait_admin("/readyz", 503)
    os.kill(first.process.pid, signal.SIGCONT)
    server.wait_admin("/readyz", 200)
    first.kill()
    server.wait_admin("/readyz", 503)
    llama_servers(port).wait_ready()
    server.wait_admin("/readyz", 200)
    assert ask(server, "front").status_code == 200


def test_one_that_dies_is_replaced_by_ours(launch, llama_servers):
    """llama-server and our own gateway serve one model; the former dies under load."""
    llama = llama_servers().wait_ready()
    ours = launch("--slots", "4", "--model-name", "smollm2").wait_ready()
    server = front(launch, llama.url, f"h2c://127.0.0.1:{ours.port}").wait_ready()
    server.wait_for_workers(2)
    for count in range(12):
        if count == 6:
            llama.kill()
        assert text_of(stream(server, "front", f"Count to {count}.", max_tokens=4))
    server.wait_for_workers(1)
