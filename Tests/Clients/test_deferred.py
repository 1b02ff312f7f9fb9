"""Deferred completions: accepted at once, fetched later, run once whatever happens to the gateway."""

import tempfile
import time

import httpx
import pytest

from conftest import Server, body

SIMULATED = ("--engine", "simulated", "--model-name", "smollm2", "--drain-seconds", "2")


def post(server, **fields):
    return httpx.post(f"{server.url}/v1/chat/completions", json=body("Say something.", **fields),
                      timeout=60)


def defer(server, **fields):
    answer = post(server, deferred=True, **fields)
    assert answer.status_code == 200, answer.text
    assert set(answer.json()) == {"request_id"}
    return answer.json()["request_id"]


def poll(server, request_id, **keywords):
    return httpx.get(f"{server.url}/v1/chat/deferred-completion/{request_id}", timeout=60,
                     **keywords)


def fetch(server, request_id, limit=60):
    end = time.monotonic() + limit
    while True:
        answer = poll(server, request_id)
        if answer.status_code != 202:
            return answer
        assert answer.content == b""
        assert time.monotonic() < end, "never done"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def simulated(launch_module):
    return launch_module(*SIMULATED).wait_ready()


def test_the_result_is_the_answer_that_the_request_would_have_had(simulated):
    fields = {"seed": 7, "max_tokens": 12, "logprobs": True, "top_logprobs": 2}
    at_once = post(simulated, **fields).json()
    answer = fetch(simulated, defer(simulated, **fields))
    assert answer.status_code == 200
    later = answer.json()
    assert later["object"] == "chat.completion"
    for key in ("choices", "model"):
        assert later[key] == at_once[key]
    assert later["usage"]["completion_tokens"] == at_once["usage"]["completion_tokens"]


def test_it_can_be_read_again_and_stays_the_same(simulated):
    request_id = defer(simulated, temperature=1)
    first = fetch(simulated, request_id).json()
    for _ in range(3):
        assert poll(simulated, request_id).json() == first


def test_an_unknown_one_is_404(simulated):
    answer = poll(simulated, "00000000000000000000000000000000")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"


def test_what_cannot_be_served_is_refused_at_once(simulated):
    for fields, status, code in [
            ({"stream": True}, 400, "invalid_value"), ({"n": 2}, 400, "invalid_value"),
            ({"model": "nobody"}, 404, "model_not_found")]:
        answer = post(simulated, deferred=True, **fields)
        assert answer.status_code == status, answer.text
        assert answer.json()["error"]["code"] == code
    long = post(simulated, deferred=True, messages=[{"role": "user", "content": "word " * 90_000}])
    assert long.status_code == 400
    assert long.json()["error"]["code"] == "context_length_exceeded"


def test_belongs_to_its_key(launch, tmp_path):
    keys = tmp_path / "keys"
    keys.write_text("key-of-alice alice\nkey-of-bob bob\n")
    server = launch(*SIMULATED, "--api-key-file", str(keys)).wait_ready()

    def headers(name):
        return {"authorization": f"Bearer key-of-{name}"}

    answer = httpx.post(f"{server.url}/v1/chat/completions", json=body("Hi.", deferred=True),
                        headers=headers("alice"))
    assert answer.status_code == 200, answer.text
    request_id = answer.json()["request_id"]
    assert poll(server, request_id, headers=headers("bob")).status_code == 404
    assert poll(server, request_id).status_code == 401
    assert poll(server, request_id, headers=headers("alice")).status_code in (200, 202)


def test_beyond_the_limit_is_429(launch):
    server = launch(*SIMULATED, "--job-limit", "2").wait_ready()
    for _ in range(2):
        defer(server)
    answer = post(server, deferred=True)
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1


def test_waits_while_there_is_no_worker(launch):
    server = launch("--model-name", "smollm2", "--worker", "127.0.0.1:1", command="gateway")
    request_id = defer(server)
    for _ in range(3):
        assert poll(server, request_id).status_code == 202


def test_a_graceful_end_leaves_work_for_the_next_process(directory):
    """SIGTERM while a long answer is generated: the next process generates it anew."""
    first = start(directory)
    request_id = defer(first, max_tokens=400, seed=1)
    wait_for_in_flight(first)
    assert first.terminate() == 0
    second = start(directory)
    try:
        answer = fetch(second, request_id)
        assert answer.status_code == 200
        assert answer.json()["usage"]["completion_tokens"] > 0
    finally:
        second.close()
        first.close()


def test_two_gateways_on_one_directory_run_each_job_once(directory):
    """The second accepts and answers; it runs jobs only when the first has gone."""
    first = start(directory)
    second = start(directory)
    try:
        ids = [defer(server) for server in (first, second) for _ in range(5)]
        results = [fetch(second, request_id).json()["id"] for request_id in ids]
        assert results == [fetch(first, request_id).json()["id"] for request_id in ids]
        assert metric(second, "succeeded") == 0
        assert metric(first, "succeeded") == 10
        first.terminate()
        assert fetch(second, defer(second)).status_code == 200
    finally:
        first.close()
        second.close()


@pytest.fixture
def directory():
    """Short enough for the workers' sockets."""
    with tempfile.TemporaryDirectory(prefix="sy-") as path:
        yield path


def start(directory):
    """A server whose data directory outlives it."""
    return Server(*SIMULATED, data_directory=directory).wait_ready()


def metric(server, outcome):
    for line in server.admin("/metrics")[1].splitlines():
        if line.startswith(f'switchyard_jobs_total{{outcome="{outcome}"}}'):
            return float(line.split()[1])
    raise AssertionError("no such metric")


def wait_for_in_flight(server, limit=30):
    end = time.monotonic() + limit
    while server.health()["requests"]["in_flight"] == 0:
        assert time.monotonic() < end
        time.sleep(0.01)
