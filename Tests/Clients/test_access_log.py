"""One line of JSON for each request that ended."""

import json
import os
import re
import signal
import time

import httpx
import pytest
from conftest import body
from test_failover import SIMULATED, Worker, read


@pytest.fixture(scope="module")
def served(launch_module, tmp_path_factory):
    folder = tmp_path_factory.mktemp("log")
    (folder / "keys").write_text("a-key-of-somebody alice\n")
    server = launch_module(
        *SIMULATED, "--access-log", str(folder / "access"), "--api-key-file",
        str(folder / "keys"), "--slots", "1", "--worker-argument=--step-time",
        "--worker-argument=5000").wait_ready()
    server.access_log = folder / "access"
    return server


def line(server, request_id, limit=10):
    """The line of one request, once it is there."""
    end = time.monotonic() + limit
    while True:
        for text in server.access_log.read_text().splitlines():
            record = json.loads(text)
            if record["request_id"] == request_id:
                return record
        assert time.monotonic() < end, f"no line for {request_id}"
        time.sleep(0.02)


def post(server, request, **fields):
    headers = {"authorization": "Bearer a-key-of-somebody", **fields}
    return httpx.post(f"{server.url}/v1/chat/completions", json=request, headers=headers,
                      timeout=60)


def timing(answer):
    """Milliseconds of preparation and in the queue."""
    found = re.fullmatch(r"prepare;dur=(\d+\.\d{3}), queue;dur=(\d+\.\d{3})",
                         answer.headers["server-timing"])
    return float(found[1]), float(found[2])


def test_a_finished_request(served):
    trace = "0af7651916cd43dd8448eb211c80319c"
    answer = post(served, body("Hi", max_tokens=5, n=2), **{
        "x-request-id": "finished-1", "traceparent": f"00-{trace}-b7ad6b7169203331-01"})
    usage = answer.json()["usage"]
    record = line(served, "finished-1")
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d\d\dZ", record["time"])
    assert record["trace_id"] == trace
    assert (record["key"], record["tier"], record["model"]) == ("alice", "default", "smollm2")
    assert (record["tenant"], record["key_prefix"], record["tier_asked"]) == (
        "default", None, None)
    assert (record["stream"], record["n"], record["status"], record["error"]) == (
        False, 2, 200, None)
    assert record["tokens_in"] == usage["prompt_tokens"]
    assert record["tokens_out"] == usage["completion_tokens"] == 10
    assert record["finish"] == ["length", "length"]
    assert record["workers"] == [0, 0]
    assert 0 <= record["queue_ms"] < record["ttft_ms"] < record["e2e_ms"]
    assert record["tpot_ms"] > 0
    prepared, queued = timing(answer)
    assert queued == pytest.approx(record["queue_ms"], abs=0.002)
    assert 0 < prepared < record["ttft_ms"]
    assert (record["retries"], record["resumed"]) == (0, 0)
    assert "Hi" not in json.dumps(record) and "a-key-of" not in json.dumps(record)


def test_a_streams_head_says_how_long_it_waited(served):
    with httpx.stream("POST", f"{served.url}/v1/chat/completions", timeout=60,
                      json=body("Hi", max_tokens=5, stream=True),
                      headers={"authorization": "Bearer a-key-of-somebody",
                               "x-request-id": "waited-1"}) as answer:
        _, queued = timing(answer)
        answer.read()
    assert queued == pytest.approx(line(served, "waited-1")["queue_ms"], abs=0.002)


def test_a_refused_request(served):
    answer = post(served, body("Hi", temperature=9), **{"x-request-id": "refused-1"})
    assert "server-timing" not in answer.headers
    record = line(served, "refused-1")
    assert (record["status"], record["error"]) == (400, "invalid_value")
    assert (record["model"], record["ttft_ms"], record["workers"]) == (None, None, [])


def test_a_client_that_left(served):
    request = body("Hi", max_tokens=5000, stream=True)
    with httpx.stream("POST", f"{served.url}/v1/chat/completions", json=request, headers={
            "authorization": "Bearer a-key-of-somebody", "x-request-id": "left-1"}) as answer:
        next(answer.iter_lines())
    record = line(served, "left-1")
    assert (record["status"], record["error"], record["stream"]) == (499, "client_closed", True)
    assert record["finish"] == [] and record["tokens_out"] >= 0


def test_a_resumed_request(launch, tmp_path):
    dying, healthy = Worker("--die-at-token", "5"), Worker()
    try:
        gateway = launch("--worker", dying.address, "--worker", healthy.address, "--model-name",
                         "smollm2", "--access-log", str(tmp_path / "access"),
                         command="gateway").wait_ready()
        gateway.wait_for_workers(2)
        gateway.access_log = tmp_path / "access"
        assert read(gateway.url, body("Hi", max_tokens=20)).error is None
        assert dying.process.wait(timeout=10) == -signal.SIGKILL
        end = time.monotonic() + 10
        while not gateway.access_log.read_text():
            assert time.monotonic() < end
        record = json.loads(gateway.access_log.read_text())
        assert record["workers"] == [0, 1]
        # Whether the first worker's tokens were under way when it died is chance.
        assert record["retries"] + record["resumed"] == 1
        assert record["tokens_out"] == 20 and record["finish"] == ["length"]
    finally:
        dying.close()
        healthy.close()


def test_what_waits_is_written_at_the_end(launch, tmp_path):
    server = launch(*SIMULATED, "--access-log", str(tmp_path / "access")).wait_ready()
    read(server.url, body("Hi", max_tokens=2))
    assert server.terminate() == 0
    assert json.loads((tmp_path / "access").read_text())["tokens_out"] == 2
    assert os.stat(tmp_path / "access").st_mode & 0o777 == 0o640


def test_a_file_that_cannot_be_opened_is_said_at_once(launch):
    with pytest.raises(AssertionError, match="--access-log"):
        launch(*SIMULATED, "--access-log", "/nowhere/access")
