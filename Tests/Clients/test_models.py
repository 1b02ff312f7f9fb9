"""Several models behind one gateway, and changes of them under traffic."""

import json
import os
import signal
import subprocess
import threading
import time

import httpx
import pytest
from conftest import BINARY, MODEL, body
from gguf_file import GGUF
from test_failover import SIMULATED, many, read

FAST = (*SIMULATED, "--worker-argument=--step-time", "--worker-argument=2000")


def operate(server, *arguments, check=True):
    """Runs `switchyard …` for operators."""
    done = subprocess.run(
        [BINARY, *arguments, "--admin", f"127.0.0.1:{server.admin_port}"],
        capture_output=True, text=True, timeout=60)
    if check:
        assert done.returncode == 0, done.stderr
    return done


def pools(server):
    return json.loads(operate(server, "pools", "--json").stdout)["pools"]


def wait_pools(server, condition, limit=60):
    end = time.monotonic() + limit
    while not condition(found := pools(server)):
        assert time.monotonic() < end, found
        time.sleep(0.05)
    return found


def ask(server, model, text="Hello.", **fields):
    request = {**body(text, max_tokens=4, **fields), "model": model}
    headers = request.pop("headers", None)
    answer = httpx.post(f"{server.url}/v1/chat/completions", json=request, timeout=60,
                        headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture
def copy(tmp_path):
    """The same model under another path."""
    path = tmp_path / "copy.gguf"
    os.symlink(MODEL, path)
    return str(path)


class Load:
    """Short requests without a pause, from several threads."""

    def __init__(self, server, threads=8, model="smollm2"):
        self.models, self.failures, self.isOver = [], [], False
        self.threads = [threading.Thread(target=self.run, args=(server.url, model))
                        for _ in range(threads)]
        for thread in self.threads:
            thread.start()

    def run(self, url, model):
        with httpx.Client(timeout=60) as client:
            while not self.isOver:
                request = {**body("Count.", max_tokens=20), "model": model}
                answer = client.post(f"{url}/v1/chat/completions", json=request)
                if answer.status_code == 200:
                    self.models.append(answer.json()["model"])
                else:
                    self.failures.append(answer.text)

    def wait_for(self, condition, limit=60):
        end = time.monotonic() + limit
        while not condition():
            assert time.monotonic() < end
            time.sleep(0.02)

    def end(self):
        self.isOver = True
        for thread in self.threads:
            thread.join()


def test_a_model_is_swapped_under_load_without_a_failure(launch, copy):
    server = launch(*FAST, "--workers", "2", "--slots", "8").wait_ready()
    server.wait_for_workers(2)
    before = set(server.worker_pids())
    load = Load(server)
    streams = [threading.Thread(target=lambda each=each: streamed.append(read(server.url, each)))
               for each in many(4, 1_000)]
    streamed = []
    try:
        load.wait_for(lambda: len(load.models) > 50)
        for each in streams:
            each.start()
        operate(server, "models", "swap", "default", copy, "--name", "next")
        # Both names are never there at once: requests for the old one are answered until then.
        load.wait_for(lambda: load.failures)
        swapped = len(load.models)
    finally:
        load.end()
    assert swapped > 50 and set(load.models) == {"smollm2"}
    assert all("model_not_found" in each for each in load.failures), load.failures[:3]
    for each in streams:
        each.join()
    # What ran on the old workers ended there.
    assert [each.error for each in streamed] == [None] * 4
    assert [each.usage["completion_tokens"] for each in streamed] == [1_000] * 4
    found = wait_pools(server, lambda found: len(found) == 1)
    assert (found[0]["model"], found[0]["path"], found[0]["state"]) == ("next", copy, "ready")
    assert ask(server, "next")["model"] == "next"
    assert not before & set(server.worker_pids())


def test_a_swap_under_the_same_name_is_not_seen(launch, copy):
    server = launch(*FAST, "--slots", "8").wait_ready()
    load = Load(server)
    try:
        for path in (copy, MODEL, copy):
            load.wait_for(lambda count=len(load.models): len(load.models) > count + 50)
            operate(server, "models", "swap", "default", path)
            wait_pools(server, lambda found: [(one["path"], one["state"]) for one in found]
                       == [(path, "ready")])
    finally:
        load.end()
    assert load.failures == []


def test_a_swap_that_cannot_start_changes_nothing(launch, tmp_path):
    server = launch("--slots", "2", "--threads", "1", "--model-name", "smollm2").wait_ready()
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF nonsense")
    done = operate(server, "models", "swap", "default", str(broken), check=False)
    assert done.returncode == 1 and "broken.gguf" in done.stderr
    # The gateway can read this one, a worker cannot: it has a vocabulary and no tensors.
    hollow = GGUF(MODEL).write(str(tmp_path / "hollow.gguf"), tensors=False)
    operate(server, "models", "split", "either", "smollm2:1")
    operate(server, "models", "swap", "default", hollow, "--name", "next")
    server.wait_for_log("pool cannot start")
    found = wait_pools(server, lambda found: len(found) == 1)
    assert (found[0]["path"], found[0]["model"], found[0]["state"]) == (MODEL, "smollm2", "ready")
    assert ask(server, "either")["model"] == "smollm2"
    # The configuration is usable again: another change goes through.
    operate(server, "models", "split", "either", "smollm2:2")
    assert ask(server, "smollm2")["choices"][0]["message"]["content"]


def test_a_model_that_cannot_start_is_withdrawn(launch, copy):
    server = launch(*FAST).wait_ready()
    operate(server, "models", "load", "bad", copy, "--worker-argument=--nonsense")
    server.wait_for_log("pool cannot start")
    wait_pools(server, lambda found: [one["name"] for one in found] == ["default"])
    assert [one["id"] for one in httpx.get(f"{server.url}/v1/models").json()["data"]] == ["smollm2"]
    assert ask(server, "smollm2")["model"] == "smollm2"
    operate(server, "models", "load", "good", copy)
    wait_pools(server, lambda found: [one["state"] for one in found] == ["ready"] * 2)


def test_models_are_loaded_split_and_unloaded(launch, copy):
    server = launch(*FAST, "--slots", "8", "--model-alias", "grok-mini").wait_ready()
    operate(server, "models", "load", "org/v2", copy, "--alias", "second")
    wait_pools(server, lambda found: [one["state"] for one in found] == ["ready"] * 2)
    assert [ask(server, name)["model"] for name in ("grok-mini", "second")] == [
        "smollm2", "org/v2"]
    listed = httpx.get(f"{server.url}/v1/models").json()["data"]
    assert [each["id"] for each in listed] == ["smollm2", "org/v2"]

    operate(server, "models", "split", "grok-local", "smollm2:50", "org/v2:50")
    by_conversation = [
        {ask(server, "grok-local", headers={"x-grok-conv-id": f"c-{number}"})["model"]
         for _ in range(3)} for number in range(20)]
    assert all(len(each) == 1 for each in by_conversation), "a conversation stays"
    assert set().union(*by_conversation) == {"smollm2", "org/v2"}
    table = operate(server, "models").stdout.splitlines()
    assert table[0].split() == ["MODEL", "ALIASES", "POOL", "SERVES"]
    assert table[3].split() == ["grok-local", "-", "-", "org/v2:50", "smollm2:50"]

    done = operate(server, "models", "unload", "org/v2", check=False)
    assert done.returncode == 1 and "grok-local" in done.stderr
    operate(server, "models", "split", "grok-local", "smollm2:1")
    operate(server, "models", "unload", "org/v2")
    answer = httpx.post(f"{server.url}/v1/chat/completions",
                        json={**body("Hi."), "model": "second"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")
    wait_pools(server, lambda found: len(found) == 1)
    assert ask(server, "grok-local")["model"] == "smollm2"
    done = operate(server, "models", "unload", "smollm2", check=False)
    assert done.returncode == 1 and "only model" in done.stderr


def test_each_model_has_its_own_workers_and_queue(launch, copy):
    """One model without workers keeps nobody else waiting."""
    server = launch(*FAST, "--slots", "2", "--no-worker-wait", "2").wait_ready()
    operate(server, "models", "load", "idle", copy, "--workers", "0")
    waiting = threading.Thread(target=lambda: refused.append(httpx.post(
        f"{server.url}/v1/chat/completions", json={**body("Hi."), "model": "idle"}, timeout=60)))
    refused = []
    waiting.start()
    wait_pools(server, lambda found: found[1]["waiting"] == 1)
    assert ask(server, "smollm2")["model"] == "smollm2"
    waiting.join()
    assert (refused[0].status_code, refused[0].json()["error"]["code"]) == (503, "no_worker")
    operate(server, "workers", "scale", "1", "--pool", "idle")
    wait_pools(server, lambda found: found[1]["state"] == "ready")
    assert ask(server, "idle")["model"] == "idle"


@pytest.mark.parametrize("how", ["signal", "command"])
def test_a_reload_swaps_keys_and_refuses_what_is_unusable(launch, tmp_path, how):
    keys = tmp_path / "keys"
    keys.write_text("first-key-1\n")
    server = launch(*SIMULATED, "--api-key-file", str(keys)).wait_ready()

    def status(key):
        return httpx.get(f"{server.url}/v1/models",
                         headers={"authorization": f"Bearer {key}"}).status_code

    def reload(outcome):
        count = server.log_text().count(outcome)
        if how == "signal":
            server.process.send_signal(signal.SIGHUP)
            end = time.monotonic() + 30
            while server.log_text().count(outcome) == count:
                assert time.monotonic() < end
                time.sleep(0.02)
        else:
            done = operate(server, "reload", check=False)
            assert (done.returncode == 0) == (outcome == "configuration reloaded"), done.stderr

    def succeeded():
        return "switchyard_config_last_reload_successful 1" in server.admin("/metrics")[1]

    assert (status("first-key-1"), status("second-key-2"), succeeded()) == (200, 401, True)
    keys.write_text("short\n")
    reload("configuration not reloaded")
    assert (status("first-key-1"), succeeded()) == (200, False)
    keys.write_text("second-key-2\n")
    reload("configuration reloaded")
    assert (status("first-key-1"), status("second-key-2"), succeeded()) == (401, 200, True)
