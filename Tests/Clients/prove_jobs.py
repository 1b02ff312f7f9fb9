"""Accepted work survives `kill -9`: 200 requests whose answers are fetched later, accepted while the
gateway is killed at random moments ten times and started again on the same data directory. Each gets
exactly one result, which every later reading repeats; none is lost.

A request counts as accepted when its id arrived. One that was cut off is sent again: the gateway may
have accepted it twice, and then it has two ids.
"""

import os
import random
import signal
import tempfile
import threading
import time

import httpx

from conftest import Server, body

JOBS = int(os.environ.get("JOBS", "200"))
KILLS = int(os.environ.get("KILLS", "10"))
SEED = int(os.environ.get("SEED", str(random.randrange(1 << 32))))
# 40 tokens of 20 ms: a job takes 0.8 s, and 8 slots have work for a while at each kill.
SERVER = ("--engine", "simulated", "--slots", "8", "--model-name", "smollm2",
          "--worker-argument=--step-time=20000", "--job-concurrency", "16",
          "--batch-concurrency", "16")


class Gateway:
    """One data directory, and whichever process serves it at the moment."""

    def __init__(self, directory):
        self.directory = directory
        self.server = None
        self.lock = threading.Lock()

    def start(self):
        server = Server(*SERVER, data_directory=self.directory)
        with self.lock:
            self.server = server

    def kill(self):
        self.server.process.send_signal(signal.SIGKILL)
        self.server.process.wait()
        self.server.close()

    def ask(self, method, path, **keywords):
        """The answer, from whichever process gives one; asks again until one does."""
        while True:
            with self.lock:
                url = self.server.url
            try:
                answer = httpx.request(method, url + path, timeout=10, **keywords)
            except httpx.TransportError:
                time.sleep(0.05)
                continue
            if answer.status_code != 503:
                return answer
            time.sleep(0.05)


class Results:
    """The first result of each job; every other must be the same."""

    def __init__(self):
        self.first = {}
        self.readings = 0

    def note(self, job, result):
        self.readings += 1
        assert self.first.setdefault(job, result) == result, f"{job} has two results"


def accept_deferred(gateway, permits, count, accepted):
    for index in range(count):
        permits.acquire()
        answer = gateway.ask(
            "POST", "/v1/chat/completions",
            json=body(f"Job {index}.", deferred=True, max_tokens=40, temperature=1))
        assert answer.status_code == 200, answer.text
        accepted.append(answer.json()["request_id"])


def read_deferred(gateway, accepted, results):
    """Reads each once; how many are still open."""
    pending = 0
    for job in accepted:
        answer = gateway.ask("GET", f"/v1/chat/deferred-completion/{job}")
        if answer.status_code == 202:
            assert job not in results.first, f"{job} had a result and lost it"
            pending += 1
            continue
        assert answer.status_code == 200, answer.text
        results.note(job, answer.content)
    return pending


def test_nothing_is_lost_and_nothing_is_done_twice(capsys):
    chance = random.Random(SEED)
    with tempfile.TemporaryDirectory(prefix="sy-") as directory:
        gateway = Gateway(directory)
        gateway.start()
        accepted, results = [], Results()
        permits = threading.Semaphore(0)
        writer = threading.Thread(
            target=accept_deferred, args=(gateway, permits, JOBS, accepted))
        began = time.monotonic()
        writer.start()
        done_at_kill = []
        try:
            for _ in range(KILLS):
                # So that there is work to be accepted and work to be done at each kill.
                permits.release(JOBS // KILLS)
                gateway.server.wait_ready()
                time.sleep(chance.uniform(0, 2))
                read_deferred(gateway, list(accepted), results)
                done_at_kill.append(len(results.first))
                gateway.kill()
                gateway.start()
            permits.release(JOBS)
            writer.join()
            end = time.monotonic() + 300
            while read_deferred(gateway, accepted, results) > 0:
                assert time.monotonic() < end, "not all jobs end"
                time.sleep(0.2)
            seconds = time.monotonic() - began
            for _ in range(3):
                assert read_deferred(gateway, accepted, results) == 0
        finally:
            permits.release(JOBS)
            writer.join()
            gateway.server.close()
    assert len(accepted) == len(set(accepted)) == JOBS
    assert len(results.first) == JOBS
    # Answers of different runs differ: two jobs never share one.
    assert len(set(results.first.values())) == JOBS
    with capsys.disabled():
        print(f"\n{JOBS} jobs, {KILLS} kills (SEED={SEED}), done at each kill: {done_at_kill}; "
              f"all done after {seconds:.1f} s, {results.readings} readings")
