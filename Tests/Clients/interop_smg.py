"""smg (https://pypi.org/project/smg) as the gateway in front of two of our workers, which run the
real model."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

import httpx
import pytest
from conftest import BINARY, MODEL, events

sys.path.insert(0, os.path.join(
    os.path.dirname(os.path.abspath(__file__)), "..", "EngineProtocolTests", "Python"))

import stubs  # noqa: E402,F401
import grpc  # noqa: E402
import vllm_engine_pb2 as pb  # noqa: E402
import vllm_engine_pb2_grpc  # noqa: E402

NAME = "smollm2"
LIMIT = 300


class Worker:
    def __init__(self):
        self.process = subprocess.Popen(
            [BINARY, "worker", "--model", MODEL, "--model-name", NAME, "--listen", "127.0.0.1:0",
             "--metrics-listen", "127.0.0.1:0", "--slots", "4", "--context", "16384",
             "--drain-seconds", "600"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        ready = json.loads(self.process.stdout.readline())
        self.address, self.metrics_address = ready["listen"], ready["metrics"]
        self.channel = grpc.insecure_channel(self.address)
        self.stub = vllm_engine_pb2_grpc.VllmEngineStub(self.channel)

    def load(self):
        return self.stub.GetLoads(pb.GetLoadsRequest()).loads[0]

    def wait_running(self, count, limit=LIMIT):
        end = time.monotonic() + limit
        while self.load().num_running_reqs != count:
            assert time.monotonic() < end, self.load()
            time.sleep(0.02)

    def metric(self, name, labels=r"(?:{[^}]*})?"):
        """The sum over all labels."""
        text = httpx.get(f"http://{self.metrics_address}/metrics").text
        values = re.findall(rf"(?m)^{re.escape(name)}{labels} ([0-9.e+]+)$", text)
        assert values, f"no {name} in {text}"
        return sum(map(float, values))

    def finished(self):
        """Answers that came to an end of their own."""
        return self.metric("vllm:request_success_total", r'{finished_reason="(?:stop|length)"}')

    def close(self):
        self.channel.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def free_ports(count):
    """smg cannot be told to let the system choose."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


class Smg:
    def __init__(self, *workers):
        self.directory = tempfile.TemporaryDirectory(prefix="sy-smg-")
        port, metrics = free_ports(2)
        self.url = f"http://127.0.0.1:{port}"
        self.log_path = os.path.join(self.directory.name, "log")
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "smg.cli", "launch", "--host", "127.0.0.1",
                 "--port", str(port), "--prometheus-port", str(metrics),
                 "--prometheus-host", "127.0.0.1", "--policy", "round_robin",
                 "--health-check-interval-secs", "1", "--health-failure-threshold", "1",
                 "--health-success-threshold", "1", "--worker-urls",
                 *(f"grpc://{worker.address}" for worker in workers)],
                stdout=log, stderr=log, env={**os.environ, "HOME": self.directory.name})
        self.wait_for(lambda: self.ready() == len(workers))

    def log(self):
        with open(self.log_path, errors="replace") as file:
            return file.read()

    def ready(self):
        """How many workers smg holds healthy; 0 until it can answer chats."""
        try:
            listed = httpx.get(f"{self.url}/workers", timeout=5).json()["workers"]
        except (httpx.HTTPError, ValueError, KeyError):
            return 0
        healthy = sum(bool(worker.get("is_healthy", worker.get("status") == "ready"))
                      for worker in listed)
        if healthy and "Successfully loaded tokenizer" not in self.log():
            return 0
        return healthy

    def wait_for(self, condition, limit=LIMIT):
        end = time.monotonic() + limit
        while not condition():
            assert self.process.poll() is None and time.monotonic() < end, self.log()[-5000:]
            time.sleep(0.05)

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.directory.cleanup()


@pytest.fixture(scope="module")
def shared():
    """For tests that leave it as it was."""
    yield from make_pair()


@pytest.fixture
def pair():
    yield from make_pair()


def make_pair():
    """Two workers and smg in front of them."""
    workers = [Worker(), Worker()]
    smg = None
    try:
        smg = Smg(*workers)
        yield smg, workers
    finally:
        if smg is not None:
            smg.close()
        for worker in workers:
            worker.close()


def request(text, **fields):
    return {"model": NAME, "messages": [{"role": "user", "content": text}], "temperature": 0,
            "max_tokens": 24, **fields}


def chat(url, body):
    answer = httpx.post(f"{url}/v1/chat/completions", json=body, timeout=LIMIT)
    assert answer.status_code == 200, answer.text
    return answer.json()


def stream(url, body):
    body = {**body, "stream": True, "stream_options": {"include_usage": True}}
    with httpx.Client(timeout=LIMIT) as client:
        with client.stream("POST", f"{url}/v1/chat/completions", json=body) as answer:
            assert answer.status_code == 200, answer.read()
            yield from events(answer.iter_lines())


def both(workers, smg, count=4):
    """Chats; how many each worker has answered."""
    before = [worker.finished() for worker in workers]
    for number in range(count):
        chat(smg.url, request(f"Say {number}.", max_tokens=2))
    return [worker.finished() - old for worker, old in zip(workers, before)]


def test_chats_are_answered_by_both_workers(shared):
    smg, workers = shared
    assert [model["id"] for model in httpx.get(f"{smg.url}/v1/models").json()["data"]] == [NAME]
    answer = chat(smg.url, request("What is the capital of France?", max_tokens=40))
    choice = answer["choices"][0]
    assert "Paris" in choice["message"]["content"]
    assert choice["finish_reason"] in ("stop", "length")
    assert 0 < answer["usage"]["completion_tokens"] <= 40

    pieces = list(stream(smg.url, request("What is the capital of France?", max_tokens=40)))
    text = "".join(piece["choices"][0]["delta"].get("content") or ""
                   for piece in pieces if piece["choices"])
    assert "Paris" in text and len(pieces) > 5
    usage = [piece["usage"] for piece in pieces if piece.get("usage")][-1]
    assert usage["prompt_tokens"] == answer["usage"]["prompt_tokens"]
    assert all(count > 0 for count in both(workers, smg))


def test_prompts_have_the_tokens_that_our_gateway_makes(shared, launch):
    smg, workers = shared
    ours = launch(*(part for worker in workers for part in ("--worker", worker.address)),
                  "--model-name", NAME, command="gateway").wait_ready()
    ours.wait_for_workers(2)
    for text in ["Say hello.", "日本の首都はどこですか？ 👩‍👩‍👧‍👦", "def f(x):\n\treturn  x ** 2\n\n\n", "a" * 500,
                 "1234567890 don't «é» e\u0301"]:
        for messages in ([{"role": "user", "content": text}],
                         [{"role": "system", "content": "Be brief."},
                          {"role": "user", "content": text},
                          {"role": "assistant", "content": "Yes."},
                          {"role": "user", "content": "Why?"}]):
            body = request(text, messages=messages, max_tokens=1)
            theirs = chat(smg.url, body)["usage"]["prompt_tokens"]
            assert theirs == chat(ours.url, body)["usage"]["prompt_tokens"], text


def test_a_stop_string_ends_the_workers_work(shared):
    smg, workers = shared
    body = request("Count from one to thirty in words, with commas.", max_tokens=400)
    text = chat(smg.url, {**body, "max_tokens": 24})["choices"][0]["message"]["content"]
    stop = text[len(text) // 2:][:5]
    for worker in workers:
        worker.wait_running(0)
    answer = chat(smg.url, {**body, "stop": [stop]})
    choice = answer["choices"][0]
    assert choice["finish_reason"] == "stop"
    assert stop not in choice["message"]["content"]
    # The worker's own count: smg bills what the engine made.
    assert answer["usage"]["completion_tokens"] < 100


def test_a_client_that_goes_away_cancels_the_workers_request(shared):
    smg, workers = shared
    answer = stream(smg.url, request("Tell me a long story.", max_tokens=3500, ignore_eos=True))
    for _ in range(5):
        next(answer)
    running = [worker for worker in workers if worker.load().num_running_reqs]
    assert len(running) == 1
    before = running[0].finished()
    answer.close()
    running[0].wait_running(0)
    assert running[0].finished() == before


def test_a_draining_worker_gets_nothing_and_finishes(pair):
    smg, workers = pair
    assert all(count > 0 for count in both(workers, smg))
    texts = []
    thread = threading.Thread(target=lambda: texts.append(list(stream(
        smg.url, request("Tell me a story.", max_tokens=150, ignore_eos=True)))))
    thread.start()
    end = time.monotonic() + LIMIT
    while not (busy := [worker for worker in workers if worker.load().num_running_reqs]):
        assert time.monotonic() < end
    busy[0].process.send_signal(signal.SIGTERM)
    other = workers[1 - workers.index(busy[0])]
    before = other.finished()
    for number in range(4):
        chat(smg.url, request(f"Say {number}.", max_tokens=2))
    assert other.finished() - before == 4
    thread.join()
    # The stream that ran there came to its own end.
    assert not [piece for piece in texts[0] if "error" in piece]
    finishes = [piece["choices"][0]["finish_reason"] for piece in texts[0] if piece["choices"]]
    assert finishes[-1] == "length"
    assert busy[0].process.wait(timeout=LIMIT) == 0
    smg.wait_for(lambda: smg.ready() == 1)
    chat(smg.url, request("Say hello.", max_tokens=4))


def test_a_killed_worker_is_left_out(pair):
    smg, workers = pair
    assert all(count > 0 for count in both(workers, smg))
    workers[0].process.kill()
    workers[0].process.wait()
    smg.wait_for(lambda: smg.ready() == 1)
    before = workers[1].finished()
    for number in range(4):
        chat(smg.url, request(f"Say {number}.", max_tokens=2))
    assert workers[1].finished() - before == 4
