"""Operators change the pool while traffic flows: `switchyard workers` and /admin/v1."""

import contextlib
import json
import os
import signal
import subprocess
import time

import httpx
import pytest
from conftest import BINARY
from test_failover import SIMULATED, Worker, disturb, many


def workers(server, *arguments, check=True):
    """Runs `switchyard workers`; its output."""
    done = subprocess.run(
        [BINARY, "workers", *arguments, "--admin", f"127.0.0.1:{server.admin_port}"],
        capture_output=True, text=True, timeout=60)
    if check:
        assert done.returncode == 0, done.stderr
    return done


def listed(server):
    return json.loads(workers(server, "list", "--json").stdout)["workers"]


def wait_listed(server, condition, limit=60):
    end = time.monotonic() + limit
    while not condition(found := listed(server)):
        assert time.monotonic() < end, found
        time.sleep(0.05)
    return found


def test_scaling_under_load_costs_no_stream_a_token(launch):
    def scale(server, is_running):
        workers(server, "scale", "6")
        wait_listed(server, lambda found: [one["state"] for one in found] == ["ready"] * 6)
        # Some of those that go have streams that take longer than this.
        workers(server, "scale", "2", "--seconds", "1")
        wait_listed(server, lambda found: len(found) == 2)
        assert is_running(), "nothing ran any more: the test shows nothing"

    server = disturb(launch, many(24, 400), scale, "--workers", "1", "--slots", "8")
    assert len(server.worker_pids()) == 2


def test_a_rolling_restart_costs_no_stream_a_token(launch):
    def restart(server, is_running):
        for worker in listed(server):
            workers(server, "restart", str(worker["id"]), "--seconds", "0")
            found = wait_listed(server, lambda found: len(found) == 3 and all(
                one["state"] == "ready" and one["id"] != worker["id"] for one in found))
        assert [one["process"]["restarts"] for one in found] == [1, 1, 1]
        assert is_running(), "nothing ran any more: the test shows nothing"

    disturb(launch, many(16, 600), restart, "--workers", "3", "--slots", "8")


def test_a_workers_life_leaves_nothing_open(launch):
    def pipes():
        folder = f"/proc/{server.process.pid}/fd"
        found = []
        for name in os.listdir(folder):
            with contextlib.suppress(FileNotFoundError):
                found.append(os.readlink(f"{folder}/{name}"))
        return sum(link.startswith("pipe:") for link in found)

    server = launch(*SIMULATED, "--workers", "1").wait_ready()
    server.wait_for_workers(1)
    before = pipes()
    for life in range(1, 4):
        os.kill(server.worker_pids()[0], signal.SIGKILL)
        found = wait_listed(server, lambda found: [
            one["process"]["restarts"] for one in found if one["state"] == "ready"] == [life])
    workers(server, "restart", str(found[0]["id"]), "--seconds", "0")
    wait_listed(server, lambda found: [
        one["process"]["restarts"] for one in found if one["state"] == "ready"] == [4])
    server.wait_for(lambda: pipes() == before, "pipes of workers that have ended stay open")
    assert server.process.poll() is None


def test_a_drained_worker_gets_nothing_until_it_is_undrained(launch):
    def drain(server, is_running):
        first = listed(server)[0]["id"]
        workers(server, "drain", str(first), "--seconds", "0")
        wait_listed(server, lambda found: found[0]["state"] == "drained")
        assert is_running()
        workers(server, "undrain", str(first))
        assert listed(server)[0]["state"] == "ready"

    disturb(launch, many(8, 400), drain, "--workers", "2", "--slots", "8")


def test_workers_come_and_go_at_run_time(launch):
    first, second = Worker(), Worker()
    try:
        gateway = launch("--worker", first.address, "--model-name", "smollm2",
                         command="gateway").wait_ready()
        assert workers(gateway, "add", second.address).stdout == "worker 1\n"
        gateway.wait_for_workers(2)
        table = workers(gateway, "list").stdout.splitlines()
        assert table[0].split() == ["ID", "POOL", "STATE", "BREAKER", "IN", "FLIGHT", "OTHERS",
                                    "SLOTS", "WEIGHT", "PROCESS", "PID", "RESTARTS", "ENDPOINT"]
        assert table[2].split() == ["1", "default", "ready", "closed", "0", "0", "4", "1", "-",
                                    "-", "-",
                                    second.address]
        workers(gateway, "remove", "0")
        assert [one["endpoint"] for one in listed(gateway)] == [second.address]
        done = workers(gateway, "scale", "3", check=False)
        assert done.returncode == 1 and "starts no workers" in done.stderr
    finally:
        first.close()
        second.close()


@pytest.fixture(scope="module")
def simulated(launch_module, tmp_path_factory):
    tokens = tmp_path_factory.mktemp("keys") / "tokens"
    tokens.write_text("operator-token-1\n")
    server = launch_module(*SIMULATED, "--admin-token-file", str(tokens)).wait_ready()
    server.token_file = str(tokens)
    return server


def test_a_token_is_needed_where_there_is_one(simulated):
    url = f"http://127.0.0.1:{simulated.admin_port}/admin/v1/workers"
    assert httpx.get(url).status_code == 401
    wrong = httpx.get(url, headers={"authorization": "Bearer another-token"})
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (401, "invalid_api_key")
    right = httpx.get(url, headers={"authorization": "Bearer operator-token-1"})
    assert right.status_code == 200
    assert workers(simulated, "list", check=False).returncode == 1
    workers(simulated, "list", "--token-file", simulated.token_file)
    # Probes need none.
    assert simulated.admin("/readyz")[0] == 200


@pytest.mark.parametrize("method, path, body, status", [
    ("GET", "/admin/v1/nothing", None, 404),
    ("PUT", "/admin/v1/workers", None, 405),
    ("POST", "/admin/v1/workers", b"{", 400),
    ("POST", "/admin/v1/workers", b"{}", 400),
    ("POST", "/admin/v1/workers", b'{"endpoint":"nowhere"}', 400),
    ("DELETE", "/admin/v1/workers/99", None, 404),
    ("DELETE", "/admin/v1/workers/0", None, 400),
    ("POST", "/admin/v1/workers/x/drain", None, 400),
    ("POST", "/admin/v1/workers/99/drain", None, 404),
    ("POST", "/admin/v1/workers/0/weight", b'{"weight":0}', 400),
    ("POST", "/admin/v1/workers/99/weight", b'{"weight":2}', 404),
    ("GET", "/admin/v1/decisions/none", None, 404),
    ("POST", "/admin/v1/workers/0/drain", b'{"seconds":-1}', 400),
    ("POST", "/admin/v1/pools/other/scale", b'{"workers":1}', 404),
    ("POST", "/admin/v1/pools/default/scale", b'{"workers":-1}', 400),
    ("POST", "/admin/v1/pools/default/scale", b'{"workers":100000}', 400),
    ("POST", "/admin/v1/workers", b" " * 100_000, 413),
])
def test_what_is_refused_is_a_clear_error(simulated, method, path, body, status):
    answer = httpx.request(
        method, f"http://127.0.0.1:{simulated.admin_port}{path}", content=body,
        headers={"authorization": "Bearer operator-token-1"})
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["message"]
    assert len(simulated.worker_pids()) == 1


def test_the_public_port_has_no_admin(simulated):
    answer = httpx.get(f"{simulated.url}/admin/v1/workers",
                       headers={"authorization": "Bearer operator-token-1"})
    assert answer.status_code == 404
