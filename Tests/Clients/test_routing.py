"""Requests go where their prefixes are, wait at the gateway, and `switchyard why` says why."""

import json
import re
import subprocess
import threading
import time

import httpx
import pytest
from conftest import BINARY, body
from test_failover import SIMULATED, Link, Worker
from test_workers import listed, workers

SYSTEM = "You know every harbour of the world and name one in each answer. " * 20


@pytest.fixture(scope="module")
def pool(launch_module):
    server = launch_module(*SIMULATED, "--workers", "4", "--slots", "4").wait_ready()
    server.wait_for_workers(4)
    return server


def ask(server, text, request_id, headers=None, **fields):
    request = body(text, max_tokens=8, ignore_eos=True)
    request["messages"].insert(0, {"role": "system", "content": SYSTEM})
    request.update(fields)
    answer = httpx.post(
        f"{server.url}/v1/chat/completions", json=request, timeout=60,
        headers={"x-request-id": request_id, **(headers or {})})
    assert answer.status_code == 200, answer.text
    return answer.json()


def decisions(server, request_id):
    status, text = server.admin(f"/admin/v1/decisions/{request_id}")
    assert status == 200, text
    return json.loads(text)["decisions"]


def why(server, *arguments):
    return subprocess.run(
        [BINARY, "why", *arguments, "--admin", f"127.0.0.1:{server.admin_port}"],
        capture_output=True, text=True, timeout=60)


def test_a_prompt_goes_where_its_beginning_is(pool):
    first = ask(pool, "Begin.", "prefix-0")
    assert first["usage"]["prompt_tokens"] > 200
    chosen = decisions(pool, "prefix-0")[0]["record"]["worker"]
    for number in range(1, 5):
        usage = ask(pool, f"Go on, part {number}.", f"prefix-{number}")["usage"]
        assert usage["prompt_tokens_details"]["cached_tokens"] > 200
        record = decisions(pool, f"prefix-{number}")[0]["record"]
        candidate = next(one for one in record["candidates"] if one["worker"] == chosen)
        assert record["worker"] == chosen and candidate["origin"] == "holder"
        assert candidate["cached_tokens"] >= 192
        assert candidate["cost_seconds"] == min(
            one["cost_seconds"] for one in record["candidates"])


@pytest.mark.parametrize("headers, fields", [
    ({"x-grok-conv-id": "conversation-7"}, {}), ({"x-session-id": "conversation-7"}, {}),
    ({}, {"prompt_cache_key": "conversation-7"})])
def test_a_conversation_is_known_by_its_key(pool, headers, fields):
    # Nothing else is shared: another first message, and shorter than a block.
    kind = "-".join([*headers, *fields])
    short = [{"role": "system", "content": kind}, {"role": "user", "content": "Hello."}]
    ask(pool, "", f"{kind}-0", headers, messages=short, **fields)
    ask(pool, "", f"{kind}-1", headers, messages=short, **fields)
    first, second = (decisions(pool, f"{kind}-{number}")[0]["record"] for number in range(2))
    assert next(one["origin"] for one in second["candidates"]
                if one["worker"] == first["worker"]) == "session"


def test_why_shows_the_choice_and_replays_it(pool):
    ask(pool, "Why?", "why-1", n=2)
    found = decisions(pool, "why-1")
    assert [(one["choice"], one["attempt"], one["cause"]) for one in found] == [
        (0, 0, "new"), (1, 0, "new")]
    assert all(one["replay"] == {"worker": one["record"]["worker"], "same_choice": True}
               for one in found)
    assert {one["record"]["policy"] for one in found} == {"cost"}
    shown = why(pool, "why-1")
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.count("replay: same choice") == 2
    assert re.search(r"(?m)^>  \d+ ", shown.stdout)
    again = json.loads(why(pool, "why-1", "--json").stdout)["decisions"]
    assert [one["record"] for one in again] == [one["record"] for one in found]
    # Ids may have what must be escaped in a path.
    ask(pool, "Why?", "a/b+c=1")
    assert "replay: same choice" in why(pool, "a/b+c=1").stdout
    unknown = why(pool, "nothing-of-that-id")
    assert unknown.returncode == 1 and "No decision" in unknown.stderr


def test_a_worker_of_more_weight_gets_more(launch):
    server = launch(*SIMULATED, "--workers", "2", "--slots", "32").wait_ready()
    server.wait_for_workers(2)
    ids = [one["id"] for one in listed(server)]
    workers(server, "weight", str(ids[1]), "4")
    assert [one["weight"] for one in listed(server)] == [1, 4]
    ask(server, "All of these at once.", "weight", n=30, max_tokens=200)
    counts = {one: 0 for one in ids}
    for one in decisions(server, "weight"):
        counts[one["record"]["worker"]] += 1
    assert sum(counts.values()) == 30 and counts[ids[1]] > 2 * counts[ids[0]]
    answer = workers(server, "weight", str(ids[0]), "0", check=False)
    assert answer.returncode == 1 and "weight" in answer.stderr
    assert workers(server, "weight", "99", "2", check=False).returncode == 1


def test_requests_wait_at_the_gateway_and_not_in_a_worker(launch):
    """All want the worker that has their prefix; none may have more than two beyond its slots."""
    server = launch(*SIMULATED, "--workers", "2", "--slots", "2",
                    "--worker-argument=--step-time", "--worker-argument=5000").wait_ready()
    server.wait_for_workers(2)
    threads = [threading.Thread(target=ask, args=(server, f"Number {number}.", f"wait-{number}"),
                                kwargs={"max_tokens": 60}) for number in range(20)]
    for thread in threads:
        thread.start()
    waited, queued = 0, 0.0
    while any(thread.is_alive() for thread in threads):
        assert all(one["in_flight"] <= 2 + 2 for one in listed(server))
        waited = max(waited, server.health()["requests"]["waiting"])
        text = server.admin("/metrics")[1]
        queued = max(queued, float(re.search(
            r"(?m)^switchyard_queued_seconds_per_slot (\S+)", text)[1]))
    assert waited > 0 and queued > 0, "nothing waited: the test shows nothing"
    server.wait_idle()
    assert "switchyard_queued_seconds_per_slot 0\n" in server.admin("/metrics")[1]
    history = [decisions(server, f"wait-{number}")[0] for number in range(20)]
    assert max(one["waited_ms"] for one in history) > 0
    assert max(one["waiting"] for one in history) > 0


def test_a_moved_choice_has_its_history(launch):
    """Its worker dies: `why` shows both placements, the second with the blocks of the first."""
    first, second = Worker("--die-at-token", "20"), Worker()
    try:
        server = launch("--worker", first.address, "--model-name", "smollm2",
                        command="gateway").wait_ready()
        workers(server, "add", second.address)
        server.wait_for_workers(2)
        workers(server, "drain", "1")
        thread = threading.Thread(target=ask, args=(server, "Move.", "moved"),
                                  kwargs={"max_tokens": 60})
        thread.start()
        end = time.monotonic() + 60
        while server.admin("/admin/v1/decisions/moved")[0] != 200:
            assert time.monotonic() < end
        workers(server, "undrain", "1")
        thread.join(60)
        found = decisions(server, "moved")
        assert [(one["cause"], one["attempt"], one["record"]["worker"]) for one in found] == [
            ("new", 0, 0), ("resume", 1, 1)]
        assert found[0]["record"]["prompt_tokens"] == found[1]["record"]["prompt_tokens"]
        assert all(one["replay"]["same_choice"] for one in found)
    finally:
        first.close()
        second.close()


def test_decisions_are_bounded(launch):
    server = launch(*SIMULATED, "--decision-limit", "3").wait_ready()
    for number in range(5):
        ask(server, "Hello.", f"bound-{number}")
    status = [server.admin(f"/admin/v1/decisions/bound-{number}")[0] for number in range(5)]
    assert status == [404, 404, 200, 200, 200]


@pytest.mark.parametrize("policy", [
    "round-robin", "least-load", "power-of-two", "prefix-affinity"])
def test_every_policy_serves(launch, policy):
    server = launch(*SIMULATED, "--workers", "2", "--policy", policy).wait_ready()
    server.wait_for_workers(2)
    for number in range(4):
        ask(server, "Hello.", f"p-{number}")
    found = [decisions(server, f"p-{number}")[0] for number in range(4)]
    assert {one["record"]["policy"] for one in found} == {policy}
    assert all(one["replay"]["same_choice"] for one in found)
    chosen = {one["record"]["worker"] for one in found}
    assert len(chosen) == (1 if policy == "prefix-affinity" else 2) or policy == "power-of-two"


def test_a_worker_started_anew_is_known_for_nothing(launch, tmp_path):
    def known():
        nonlocal number
        number += 1
        ask(server, "Again.", f"known-{number}")
        candidate, = decisions(server, f"known-{number}")[0]["record"]["candidates"]
        return candidate["cached_tokens"] > 0

    path, number = f"unix:{tmp_path}/worker", 0
    first, second = Worker(address=path), None
    try:
        server = launch("--worker", path, "--model-name", "smollm2",
                        command="gateway").wait_ready()
        assert [known(), known()] == [False, True]
        first.close()
        server.wait_for_workers(0)
        second = Worker(address=path)
        server.wait_for_workers(1)
        assert [known(), known()] == [False, True]
    finally:
        first.close()
        if second is not None:
            second.close()


def test_a_cut_link_leaves_a_worker_its_cache(launch):
    worker = Worker()
    link = Link(worker.address)
    try:
        server = launch("--worker", link.address, "--model-name", "smollm2",
                        command="gateway").wait_ready()
        ask(server, "Again.", "cut-0")
        link.cut()
        server.wait_for_log(r"worker lost[^$]*worker ready")
        usage = ask(server, "Again.", "cut-1")["usage"]
        # What the router knows may be on its way: the worker reports its blocks anew.
        assert usage["prompt_tokens_details"]["cached_tokens"] > 0
    finally:
        worker.close()
