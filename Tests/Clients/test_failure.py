"""Workers that are killed, gateways that are told to stop."""

import json
import os
import signal
import threading
import time

import httpx
from conftest import body


class Reader(threading.Thread):
    """Streams one request over HTTP/1.1 and keeps what came."""

    def __init__(self, server, **fields):
        super().__init__()
        self.request = body("Tell a long story.", stream=True, ignore_eos=True, **fields)
        self.url = f"{server.url}/v1/chat/completions"
        self.lines = []
        self.status = None
        self.started = threading.Event()

    def run(self):
        try:
            with httpx.Client(timeout=120) as client:
                with client.stream("POST", self.url, json=self.request) as answer:
                    self.status = answer.status_code
                    for line in answer.iter_lines():
                        if line:
                            self.lines.append(line)
                            self.started.set()
        except httpx.TransportError:
            # The server went away: what came so far is what the test looks at.
            pass
        finally:
            self.started.set()

    @property
    def is_whole(self):
        return bool(self.lines) and self.lines[-1] == "data: [DONE]"

    @property
    def error(self):
        for line in self.lines:
            if line.startswith("data: {\"error\""):
                return json.loads(line[6:])["error"]
        return None


def read_all(server, count, **fields):
    readers = [Reader(server, **fields) for _ in range(count)]
    for reader in readers:
        reader.start()
    for reader in readers:
        assert reader.started.wait(60)
    return readers


def test_a_killed_worker_is_an_error_event_and_comes_back(launch):
    server = launch("--slots", "4", "--model-name", "smollm2", "--resume-limit",
                    "0").wait_ready()
    readers = read_all(server, 4, max_tokens=2000)
    victim = server.worker_pids()[-1]
    os.kill(victim, signal.SIGKILL)
    for reader in readers:
        reader.join(30)
        assert not reader.is_alive()
        assert reader.status == 200 and not reader.is_whole
        assert reader.error["code"] == "worker_lost"
    # Not ready for a moment, then ready again, with another process.
    server.wait_admin("/readyz", 200)
    end = time.monotonic() + 30
    while not server.worker_pids() or server.worker_pids()[-1] == victim:
        assert time.monotonic() < end
    answer = httpx.post(f"{server.url}/v1/chat/completions",
                        json=body("Hello again.", max_tokens=4), timeout=60)
    assert answer.status_code == 200
    server.wait_idle()


def test_a_request_that_waits_through_a_restart_is_served(launch):
    server = launch("--slots", "1", "--model-name", "smollm2").wait_ready()
    os.kill(server.worker_pids()[-1], signal.SIGKILL)
    answer = httpx.post(f"{server.url}/v1/chat/completions",
                        json=body("Hello.", max_tokens=4), timeout=60)
    assert answer.status_code == 200


def test_sigterm_loses_no_stream_that_ends_in_time(launch):
    server = launch("--slots", "8", "--model-name", "smollm2", "--drain-seconds",
                    "60").wait_ready()
    readers = read_all(server, 8, max_tokens=64)
    server.process.send_signal(signal.SIGTERM)
    server.wait_admin("/readyz", 503)
    for reader in readers:
        reader.join(60)
        assert reader.is_whole, reader.lines[-2:]
    assert server.process.wait(timeout=60) == 0


def test_sigterm_ends_the_rest_with_an_error_event(launch):
    server = launch("--slots", "2", "--model-name", "smollm2", "--drain-seconds",
                    "2").wait_ready()
    readers = read_all(server, 2, max_tokens=8000)
    server.process.send_signal(signal.SIGTERM)
    for reader in readers:
        reader.join(30)
        assert not reader.is_whole
        assert reader.error["code"] == "draining"
    assert server.process.wait(timeout=30) == 0


def test_sigterm_leaves_nothing_behind(launch, monkeypatch):
    # NIO ends the process when something uses an event loop that has shut down; without this it
    # prints an error and goes on.
    monkeypatch.setenv("SWIFTNIO_STRICT", "1")
    server = launch("--slots", "2", "--workers", "2", "--engine", "simulated",
                    "--model-name", "smollm2").wait_ready()
    workers = server.worker_pids()
    assert len(workers) == 2
    assert server.terminate() == 0, server.log_text()
    assert not [pid for pid in workers if os.path.exists(f"/proc/{pid}")]
    assert "ERROR:" not in server.log_text()


def test_workers_die_with_their_gateway(launch):
    server = launch("--slots", "1", "--model-name", "smollm2").wait_ready()
    worker = server.worker_pids()[-1]
    server.process.kill()
    server.process.wait()
    end = time.monotonic() + 10
    while os.path.exists(f"/proc/{worker}"):
        with open(f"/proc/{worker}/stat") as stat:
            if stat.read().rsplit(")", 1)[1].split()[0] == "Z":
                break
        assert time.monotonic() < end, "the worker outlived its gateway"


def test_a_model_that_is_missing_is_said_at_once(launch, tmp_path):
    try:
        launch("--slots", "1", model=str(tmp_path / "none.gguf"))
    except AssertionError as error:
        assert "none.gguf" in str(error)
    else:
        raise AssertionError("started without a model")


def test_an_address_others_can_reach_needs_keys(launch):
    try:
        launch("--host", "0.0.0.0")
    except AssertionError as error:
        assert "api-key-file" in str(error)
    else:
        raise AssertionError("listens everywhere without keys")


def test_a_full_queue_is_503_with_retry_after(launch):
    server = launch("--slots", "1", "--model-name", "smollm2", "--queue-limit", "2",
                    "--engine", "simulated", "--worker-argument=--step-time",
                    "--worker-argument=20000").wait_ready()
    readers = read_all(server, 1, max_tokens=2000)
    waiting = [Reader(server, max_tokens=1) for _ in range(4)]
    for reader in waiting:
        reader.start()
    end = time.monotonic() + 20
    while server.health()["requests"]["waiting"] < 2:
        assert time.monotonic() < end, server.health()
    answer = httpx.post(f"{server.url}/v1/chat/completions", json=body("x"), timeout=30)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.json()["error"]["code"] == "queue_full"
    server.process.kill()
    server.process.wait()
    for reader in readers + waiting:
        reader.join(10)
