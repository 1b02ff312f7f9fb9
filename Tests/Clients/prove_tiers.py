"""A flood of batch requests beside a priority client: `make prove-tiers`. Not part of `make test`.

For each engine three runs on a fresh server: the priority client alone, beside the flood, and
beside the flood with tiers switched off. One table of the priority client's time to first token and time
between tokens. The simulated engine takes the time of Llama 70B on two H100s; the real one is
llama.cpp with the test model.
"""

import json
import os
import random
import threading
import time

import httpx
import pytest

from conftest import Server

SECONDS = float(os.environ.get("SWITCHYARD_TIERS_SECONDS", "60"))
ITL_TARGET_MILLISECONDS = 150
WORDS = ("harbour signal gravel lantern copper winter ladder mirror engine valley paper thunder "
         "garden river castle needle orange window silver basket").split()
ENGINES = {
    "simulated": dict(
        flags=("--engine", "simulated", "--slots", "48", "--context", "300000",
               "--worker-argument=--step-time", "--worker-argument=h100-70b"),
        flood=40, flood_words=2_200, flood_tokens=200, words=300, tokens=60, streams=4),
    "llama.cpp": dict(
        flags=("--slots", "8", "--itl-target-ms", str(ITL_TARGET_MILLISECONDS)),
        flood=12, flood_words=500, flood_tokens=120, words=15, tokens=60, streams=1),
}


def words(generator, count):
    return " ".join(generator.choice(WORDS) for _ in range(count))


class Run:
    def __init__(self, server, shape):
        self.server, self.shape = server, shape
        self.first, self.gaps, self.batch_tokens = [], [], 0
        self.is_over, self.lock, self.failures = False, threading.Lock(), []

    def request(self, client, generator, tier, count, tokens):
        """Times of its tokens, by one event each."""
        start, times = time.monotonic(), []
        request = {
            "model": "smollm2", "stream": True, "service_tier": tier, "max_tokens": tokens,
            "messages": [{"role": "user", "content": words(generator, count)}],
            "ignore_eos": True, "temperature": 0}
        with client.stream("POST", f"{self.server.url}/v1/chat/completions", json=request) as got:
            if got.status_code != 200:
                assert tier == "batch" and got.status_code in (429, 503), got.read()
                time.sleep(0.2)
                return start, []
            for line in got.iter_lines():
                if line.startswith("data: {"):
                    event = json.loads(line[6:])
                    assert "error" not in event, event
                    if any(one["delta"].get("content") for one in event.get("choices", [])):
                        times.append(time.monotonic())
                if self.is_over and tier == "batch":
                    break
        return start, times

    def flood(self, number):
        generator = random.Random(1_000 + number)
        try:
            with httpx.Client(timeout=300) as client:
                while not self.is_over:
                    _, times = self.request(
                        client, generator, "batch", self.shape["flood_words"],
                        self.shape["flood_tokens"])
                    with self.lock:
                        self.batch_tokens += len(times)
        except BaseException as error:  # reported by the main thread
            self.failures.append(error)

    def ask(self, number, end):
        generator = random.Random(number)
        time.sleep(0.07 * number)  # not all in the same step, which would be the 99th percentile
        try:
            with httpx.Client(timeout=300) as client:
                while time.monotonic() < end:
                    start, times = self.request(
                        client, generator, "priority", self.shape["words"],
                        self.shape["tokens"])
                    with self.lock:
                        self.first.append(times[0] - start)
                        self.gaps += [b - a for a, b in zip(times, times[1:])]
                    time.sleep(generator.uniform(0.05, 0.3))
        except BaseException as error:
            self.failures.append(error)

    def go(self, is_flooded):
        flood = [threading.Thread(target=self.flood, args=(number,))
                 for number in range(self.shape["flood"] if is_flooded else 0)]
        for thread in flood:
            thread.start()
        if flood:
            time.sleep(5)
        end = time.monotonic() + SECONDS
        clients = [threading.Thread(target=self.ask, args=(number, end))
                   for number in range(self.shape["streams"])]
        for thread in clients:
            thread.start()
        for thread in clients:
            thread.join()
        self.is_over = True
        for thread in flood:
            thread.join()
        if self.failures:
            raise self.failures[0]

    def quantile(self, values, part):
        values = sorted(values)
        return 1_000 * values[min(len(values) - 1, int(part * len(values)))]

    def row(self):
        return [self.quantile(values, part)
                for values in (self.first, self.gaps) for part in (0.5, 0.99)]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_batch_flood_hardly_slows_a_priority_client(engine):
    shape = ENGINES[engine]
    runs = {}
    for name, is_flooded, flags in (
            ("alone", False, ()), ("flood", True, ()), ("flood, no tiers", True, ("--no-tiers",))):
        server = Server(*shape["flags"], *(f"--worker-argument={flag}" for flag in flags),
                        "--model-name", "smollm2", "--drain-seconds", "1")
        try:
            runs[name] = Run(server.wait_ready(), shape)
            runs[name].go(is_flooded)
        finally:
            server.close()
    print(f"\n{engine}: milliseconds")
    print(f"{'':18}{'TTFT p50':>10}{'p99':>10}{'ITL p50':>10}{'p99':>10}{'tokens':>9}{'batch':>9}")
    for name, run in runs.items():
        print(f"{name:18}" + "".join(f"{value:10.1f}" for value in run.row())
              + f"{len(run.gaps) + len(run.first):9}{run.batch_tokens:9}")
    alone, flood, damage = (runs[name].row() for name in runs)
    assert runs["flood"].batch_tokens > 0
    if engine == "simulated":
        assert flood[1] <= 1.3 * alone[1] and flood[3] <= 1.3 * alone[3]
    else:
        assert flood[3] <= ITL_TARGET_MILLISECONDS
    assert damage[1] > 1.5 * flood[1] or damage[3] > 1.5 * flood[3]
