"""What is billed is what workers generated: 2,000 streams under random budgets, cancelled at random,
while workers and the gateway are killed with `kill -9` and started again on the same data directory.

Afterwards the ledger must equal the distinct (request, choice, position) in the workers' journals, each
request must be settled exactly once, no key may have used one token more than its budget, and
`switchyard usage verify` must prove the ledger. Journals and ledger are read here, not by the gateway.
"""

import json
import os
import random
import signal
import subprocess
import tempfile
import threading
import time

import httpx

from conftest import BINARY, Server, body
from journals import difference, journaled, ledger

STREAMS = int(os.environ.get("STREAMS", "2000"))
KEYS = int(os.environ.get("KEYS", "100"))
WORKER_KILLS = int(os.environ.get("WORKER_KILLS", "20"))
GATEWAY_KILLS = int(os.environ.get("GATEWAY_KILLS", "5"))
SEED = int(os.environ.get("SEED", str(random.randrange(1 << 32))))
CLIENTS = 48
# A token of prompt costs 2 ticks, one of completion 5.
PRICE = (2, 1, 5)
MODEL_NAME = "metered"
SERVER = ("--engine", "simulated", "--slots", "16", "--workers", "3", "--model-name", MODEL_NAME,
          "--worker-argument=--step-time=2000", "--budget-lease-tokens", "16",
          "--worker-argument=--journal-mib=1", "--worker-argument=--journal-files=1000",
          "--retry-limit", "20", "--price", f"{MODEL_NAME}=" + "/".join(map(str, PRICE)))


class Proof:
    def __init__(self, directory, streams, keys, seed):
        self.directory, self.streams = directory, streams
        self.random = random.Random(seed)
        self.lock = threading.Lock()
        self.left = streams
        self.stops = False
        self.counts = {}
        self.budgets = {}
        path = os.path.join(directory, "keys")
        with open(path, "w") as file:
            for index in range(keys):
                file.write(f"secret-key-{index:04} k{index}\n")
        arguments = ["--api-key-file", path]
        for index in range(keys):
            share = streams // keys + 1
            if index % 3 == 0:
                budget = self.random.randrange(0, share * 200)
                self.budgets[f"k{index}"] = ("tokens", budget)
                arguments += ["--budget", f"k{index}={budget}"]
            elif index % 3 == 1:
                budget = self.random.randrange(0, share * 800)
                self.budgets[f"k{index}"] = ("ticks", budget)
                arguments += ["--budget", f"k{index}={budget}ticks"]
        self.arguments = (*SERVER, *arguments)
        self.keys = keys
        self.server = None

    def start(self):
        server = Server(*self.arguments, data_directory=self.directory)
        with self.lock:
            self.server = server

    def note(self, what):
        with self.lock:
            self.counts[what] = self.counts.get(what, 0) + 1

    # Clients.

    def client(self, seed):
        choose = random.Random(seed)
        while True:
            with self.lock:
                if self.left == 0:
                    return
                self.left -= 1
            self.note(self.stream(choose))

    def stream(self, choose):
        """One stream; what became of it."""
        key = choose.randrange(self.keys)
        stop_after = choose.randrange(1, 60) if choose.random() < 0.3 else None
        request = body(
            f"Tell me {choose.random()}.", stream=True, model=MODEL_NAME,
            max_tokens=choose.randrange(1, 120), temperature=1, n=choose.choice((1, 1, 1, 2)))
        headers = {"authorization": f"Bearer secret-key-{key:04}"}
        for _ in range(200):
            with self.lock:
                url = self.server.url
            try:
                with httpx.stream("POST", url + "/v1/chat/completions", json=request,
                                  headers=headers, timeout=60) as answer:
                    if answer.status_code == 429:
                        answer.read()
                        assert answer.json()["error"]["code"] == "insufficient_quota", answer.text
                        return "no quota"
                    if answer.status_code != 200:
                        time.sleep(0.05)
                        continue
                    return self.read(answer, stop_after)
            except httpx.TransportError:
                # The gateway was killed: what it had begun is billed, and asked for anew.
                self.note("cut off")
                time.sleep(0.05)
        return "gave up"

    def read(self, answer, stop_after):
        events = 0
        detail = None
        for line in answer.iter_lines():
            if not line.startswith("data: "):
                continue
            if line == "data: [DONE]":
                return "ended by its budget" if detail else "complete"
            event = json.loads(line[6:])
            if "error" in event:
                return "failed"
            for choice in event["choices"]:
                if choice.get("finish_reason") == "length":
                    detail = detail or event.get("switchyard", {}).get("finish_detail")
            events += 1
            if stop_after and events >= stop_after:
                return "cancelled"
        return "failed"

    # Whoever kills.

    def kill_worker(self):
        pids = self.server.worker_pids()
        if not pids:
            return
        try:
            os.kill(self.random.choice(pids), signal.SIGKILL)
            self.note("worker killed")
        except ProcessLookupError:
            pass

    def kill_gateway(self):
        self.server.process.send_signal(signal.SIGKILL)
        self.server.process.wait()
        self.server.close()
        self.note("gateway killed")
        self.start()

    def run(self, worker_kills, gateway_kills):
        self.start()
        self.server.wait_ready()
        clients = [threading.Thread(target=self.client, args=(self.random.random(),))
                   for _ in range(CLIENTS)]
        for client in clients:
            client.start()
        kills = [self.kill_worker] * worker_kills + [self.kill_gateway] * gateway_kills
        self.random.shuffle(kills)
        for index, kill in enumerate(kills):
            # At even shares of the work.
            share = self.streams * (index + 1) // (len(kills) + 1)
            while self.streams - self.left < share:
                time.sleep(0.01)
            time.sleep(self.random.random() * 0.2)
            kill()
        for client in clients:
            client.join()
        assert self.server.terminate() == 0

    def check(self):
        found = difference(self.directory)
        assert not found, f"{len(found)} requests differ: {found[:5]}"
        billed = ledger(self.directory)
        used = {}
        for row in billed.values():
            sums = used.setdefault(row["key_id"], {"tokens": 0, "ticks": 0})
            sums["tokens"] += row["prompt"] + row["generated"]
            sums["ticks"] += row["ticks"]
        for key, (unit, budget) in self.budgets.items():
            spent = used.get(key, {}).get(unit, 0)
            assert spent <= budget, f"{key} used {spent} of {budget} {unit}"
        verified = subprocess.run(
            [BINARY, "usage", "verify", "--data-dir", self.directory], capture_output=True,
            text=True)
        assert verified.returncode == 0, verified
        made = journaled(self.directory)
        return {
            "requests": len(billed),
            "rows": sum(row["rows"] for row in billed.values()),
            "interrupted": sum("interrupted" in row["reasons"] for row in billed.values()),
            "positions in journals": sum(
                len(positions) for request in made.values()
                for positions in request["positions"].values()),
            "tokens in the ledger": sum(row["generated"] for row in billed.values()),
            "difference": 0,
        }


def test_the_ledger_is_what_workers_generated(capsys):
    with capsys.disabled():
        print(f"\nseed {SEED}", flush=True)
    with tempfile.TemporaryDirectory(prefix="sy-") as directory:
        proof = Proof(directory, STREAMS, KEYS, SEED)
        began = time.monotonic()
        proof.run(WORKER_KILLS, GATEWAY_KILLS)
        seconds = time.monotonic() - began
        result = proof.check()
    with capsys.disabled():
        print(", ".join(f"{count} {what}" for what, count in sorted(proof.counts.items())))
        print(", ".join(f"{what} {count}" for what, count in result.items()),
              f"after {seconds:.0f} s")
