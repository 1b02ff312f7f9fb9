"""The long proofs of failover, of minutes each: `make prove-failover`. Not part of `make test`.

64 streams on four simulated workers, one killed every second for a minute; the same with a worker
stopped for 10 seconds, drained, or cut off; 8 streams on two workers of the real model, one killed
every 15 seconds for three minutes. Each stream that ends is followed by another one, so that the
load is constant. Every transcript is compared with the undisturbed run of the same seed. At the end
a pool is scaled and restarted under load, and gaps between tokens are reported.
"""

import json
import os
import signal
import subprocess
import threading
import time

import pytest
from conftest import BINARY, body
from test_failover import (SIMULATED, Link, Worker, read,
                           test_a_death_at_every_token_under_a_grammar as die_under_a_grammar)
from test_workers import listed, wait_listed, workers

LOAD = os.path.join(os.path.dirname(BINARY), "switchyard-load")


def requests(count, tokens, **fields):
    return [body(f"Tell the story of number {number}.", max_tokens=tokens, seed=number,
                 temperature=1, logprobs=True, ignore_eos=True, **fields)
            for number in range(count)]


class Load:
    """Clients that read one request after the other until told to stop."""

    def __init__(self, url, each, clients):
        self.url, self.each = url, each
        self.lock, self.next, self.isOver = threading.Lock(), 0, False
        self.found = []
        self.threads = [threading.Thread(target=self.run) for _ in range(clients)]
        for thread in self.threads:
            thread.start()

    def run(self):
        while not self.isOver:
            with self.lock:
                number = self.next % len(self.each)
                self.next += 1
            transcript = read(self.url, self.each[number])
            with self.lock:
                self.found.append((number, transcript))

    def stop(self):
        self.isOver = True
        for thread in self.threads:
            thread.join(300)
            assert not thread.is_alive()
        return self.found


def prove(server, each, clients, seconds, interval, disturb):
    """Failed, unequal and all transcripts, and how often `disturb` was called."""
    # Undisturbed first, by as many clients: what batches there are is part of the comparison.
    load = Load(server.url, each, clients)
    while load.next < len(each) + clients:
        time.sleep(0.2)
    calm = dict(load.stop())
    assert all(transcript.error is None for transcript in calm.values())
    load = Load(server.url, each, clients)
    end, times = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        disturb(times)
        times += 1
        time.sleep(interval)
    found = load.stop()
    failed = [transcript.error for _, transcript in found if transcript.error is not None]
    # Log probabilities leave control tokens out, of which a simulated answer may have some.
    short = [transcript.usage for number, transcript in found
             if transcript.usage["completion_tokens"] != each[number]["max_tokens"]
             or len(transcript.tokens[0]) != len(calm[number].tokens[0])]
    unequal = sum(calm[number].text != transcript.text for number, transcript in found)
    server.wait_idle()
    return failed, short, unequal, len(found), times


def kill(server):
    def one(times):
        pids = server.worker_pids()
        if pids:
            os.kill(pids[times % len(pids)], signal.SIGKILL)
    return one


def stop(server):
    """A worker hangs for 10 s: twice as long as the limit."""
    def one(times):
        pid = server.worker_pids()[times % 4]
        os.kill(pid, signal.SIGSTOP)
        try:
            time.sleep(10)
        finally:
            os.kill(pid, signal.SIGCONT)
        server.wait_for_workers(4)
    return one


def drain(server):
    def one(times):
        worker = listed(server)[times % 4]["id"]
        workers(server, "drain", str(worker), "--seconds", "1")
        wait_listed(server, lambda found: any(
            each["id"] == worker and each["state"] == "drained" for each in found))
        workers(server, "undrain", str(worker))
    return one


def report(capsys, title, failed, short, unequal, count, times):
    with capsys.disabled():
        print(f"\n{title}: {times} times, {count} streams, {len(failed)} failed, "
              f"{len(short)} of a wrong length, {count - unequal} equal to the undisturbed run")


def test_simulated(launch, capsys):
    server = launch(*SIMULATED, "--workers", "4", "--slots", "32", "--worker-argument=--step-time",
                    "--worker-argument=20000").wait_ready()
    server.wait_for_workers(4)
    result = prove(server, requests(64, 400), 64, 60, 1, kill(server))
    report(capsys, "simulated, 4 workers, 64 clients", *result)
    failed, short, unequal, count, times = result
    assert (failed, short, unequal) == ([], [], 0) and times >= 50


@pytest.mark.parametrize("disturb, interval, least", [(stop, 1, 4), (drain, 0.5, 15)])
def test_simulated_otherwise(launch, capsys, disturb, interval, least):
    server = launch(*SIMULATED, "--workers", "4", "--slots", "32", "--worker-argument=--step-time",
                    "--worker-argument=20000").wait_ready()
    server.wait_for_workers(4)
    result = prove(server, requests(64, 400), 64, 60, interval, disturb(server))
    report(capsys, f"simulated, 4 workers, 64 clients, {disturb.__name__}", *result)
    failed, short, unequal, count, times = result
    assert (failed, short, unequal) == ([], [], 0) and times >= least


def test_simulated_cut_off(launch, capsys):
    started = [Worker("--slots", "32", "--step-time", "20000") for _ in range(4)]
    links = [Link(worker.address) for worker in started]
    try:
        addresses = [part for link in links for part in ("--worker", link.address)]
        gateway = launch(*addresses, "--model-name", "smollm2", command="gateway").wait_ready()
        gateway.wait_for_workers(4)
        cuts = []
        result = prove(gateway, requests(64, 400), 64, 60, 1,
                       lambda times: cuts.append(links[times % 4].cut()))
        report(capsys, "simulated, 4 workers, 64 clients, connection cut", *result)
        failed, short, unequal, count, times = result
        assert (failed, short, unequal) == ([], [], 0) and sum(cuts) >= 50
    finally:
        for each in links + started:
            each.close()


def test_scaling_and_a_rolling_restart_under_load(launch, capsys):
    """1 → 6 → 2 workers, then each restarted: no failure, and what streams see of it."""
    server = launch(*SIMULATED, "--workers", "1", "--slots", "32", "--worker-argument=--step-time",
                    "--worker-argument=20000").wait_ready()

    def measure(seconds):
        return subprocess.Popen(
            [LOAD, "--url", server.url, "--model", "smollm2", "--concurrency", "24",
             "--max-tokens", "150", "--ignore-eos", "--duration", str(seconds), "--json"],
            stdout=subprocess.PIPE, text=True)

    def scale():
        workers(server, "scale", "6")
        wait_listed(server, lambda found: [one["state"] for one in found] == ["ready"] * 6)
        time.sleep(5)
        workers(server, "scale", "2", "--seconds", "2")
        wait_listed(server, lambda found: len(found) == 2)

    def restart():
        for worker in listed(server):
            workers(server, "restart", str(worker["id"]), "--seconds", "2")
            wait_listed(server, lambda found: len(found) == 2 and all(
                one["state"] == "ready" and one["id"] != worker["id"] for one in found))

    for title, change in (("calm", lambda: None), ("scale 1 to 6 to 2", scale),
                          ("rolling restart of 2", restart)):
        running = measure(20)
        time.sleep(3)
        change()
        assert running.poll() is None, "the load ended before the change did"
        seen = json.loads(running.communicate(timeout=120)[0])
        gaps = seen["interTokenLatency"]
        with capsys.disabled():
            print(f"\n{title}: {seen['succeeded']} streams, {seen['failed']} failed, gaps between "
                  f"tokens p50 {gaps['p50']:.1f}, p99 {gaps['p99']:.1f}, max {gaps['max']:.0f} ms")
        assert seen["failed"] == 0 and seen["succeeded"] > 100


def test_every_token_under_a_grammar(launch):
    die_under_a_grammar(launch, first=0, step=1)


def test_real(launch, capsys):
    server = launch("--workers", "2", "--threads", "1", "--slots", "8", "--model-name",
                    "smollm2", "--context", "16384").wait_ready()
    server.wait_for_workers(2)
    result = prove(server, requests(16, 200), 8, 180, 15, kill(server))
    report(capsys, "llama.cpp, 2 workers of one thread, 8 clients", *result)
    failed, short, _, count, times = result
    assert (failed, short) == ([], []) and times >= 10
