"""The long proofs of failover, of minutes each: `make prove-failover`. Not part of `make test`.

64 streams on four simulated workers, one killed every second for a minute; 8 streams on two workers
of the real model, one killed every 15 seconds for three minutes. Each stream that ends is followed
by another one, so that the load is constant. Every transcript is compared with the undisturbed run
of the same seed.
"""

import os
import signal
import threading
import time

from conftest import body
from test_failover import SIMULATED, read


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


def report(capsys, title, failed, short, unequal, count, times):
    with capsys.disabled():
        print(f"\n{title}: {times} kills, {count} streams, {len(failed)} failed, "
              f"{len(short)} of a wrong length, {count - unequal} equal to the undisturbed run")


def test_simulated(launch, capsys):
    server = launch(*SIMULATED, "--workers", "4", "--slots", "32", "--worker-argument=--step-time",
                    "--worker-argument=20000").wait_ready()
    server.wait_for_workers(4)
    result = prove(server, requests(64, 400), 64, 60, 1, kill(server))
    report(capsys, "simulated, 4 workers, 64 clients", *result)
    failed, short, unequal, count, times = result
    assert (failed, short, unequal) == ([], [], 0) and times >= 50


def test_real(launch, capsys):
    server = launch("--workers", "2", "--threads", "1", "--slots", "8", "--model-name",
                    "smollm2", "--context", "16384").wait_ready()
    server.wait_for_workers(2)
    result = prove(server, requests(16, 200), 8, 180, 15, kill(server))
    report(capsys, "llama.cpp, 2 workers of one thread, 8 clients", *result)
    failed, short, _, count, times = result
    assert (failed, short) == ([], []) and times >= 10
