"""`switchyard serve` with several simulated workers, and what an operator does to it."""

import json
import os
import re
import signal
import subprocess
import time

from peers.processes import Failed, Process, fetch, free_port

MODEL = "soak"
WORKERS = 4
# 12 ms and 0.2 ms for each running sequence: a GPU's pace, at no cost of CPU time.
STEP = "12000,200,20,0,0"
# Who asks, and the best tier each is granted.
TENANTS = {"acme": "priority", "free": "default", "night": "batch"}


class Server:
    def __init__(self, programs, model, directory):
        self.binary, self.admin = programs / "switchyard", free_port()
        self.data = os.path.join(directory, "data")
        port = free_port()
        self.process = Process(
            "switchyard",
            [self.binary, "serve", "--port", port, "--admin-port", self.admin, "--model", model,
             "--model-name", MODEL, "--model-alias", "default", "--engine", "simulated",
             "--workers", WORKERS, "--slots", 32, "--data-dir", self.data,
             "--drain-seconds", 10, "--require-key",
             # What is kept on purpose shall be full before the part that is measured.
             "--decision-limit", 512, f"--worker-argument=--step-time={STEP}",
             "--access-log", os.path.join(directory, "access.log")], directory)
        self.url = f"http://127.0.0.1:{port}"
        self.process.await_true(
            lambda: fetch(self.admin_url("/readyz")) is not None
            and len(self.ready_workers()) == WORKERS)

    def admin_url(self, path):
        return f"http://127.0.0.1:{self.admin}{path}"

    def run(self, *words):
        done = subprocess.run(
            [self.binary, *map(str, words), "--admin", f"127.0.0.1:{self.admin}"],
            capture_output=True, text=True, timeout=60)
        if done.returncode:
            raise Failed(f"{words}: {done.stderr[-500:]}")
        return done.stdout

    def keys(self):
        """Variables of the scenario with a key of each tenant."""
        found = {}
        for tenant, tier in TENANTS.items():
            self.run("tenants", "create", tenant, "--tier", tier)
            found[f"{tenant.upper()}_KEY"] = json.loads(
                self.run("keys", "create", tenant, "--json"))["key"]
        return found

    def listed(self):
        """None where the admin port does not answer in time."""
        answer = fetch(self.admin_url("/admin/v1/workers"), 10)
        return answer and json.loads(answer)["workers"]

    def ready_workers(self):
        return [each for each in self.listed() or [] if each["state"] == "ready"]

    def metrics(self):
        """{name with labels: value}, without buckets of histograms; None without an answer."""
        answer = fetch(self.admin_url("/metrics"), 10)
        if answer is None:
            return None
        found = {}
        for line in answer.decode().splitlines():
            name, _, value = line.rpartition(" ")
            if not line.startswith("#") and "_bucket{" not in line:
                found[name] = float(value)
        return found

    def is_idle(self):
        metrics = self.metrics()
        return metrics is not None and all(
            metrics[name] == 0 for name in (
                "switchyard_requests_open", "switchyard_in_flight", "switchyard_queue_depth"))

    def complaints(self):
        """Messages of the log above `notice`, with how often each came."""
        found = {}
        for line in self.process.log.read_text(errors="replace").splitlines():
            severe = re.search(r" (warning|error|critical) [\w.]+: (?:.*\[\w+\] )?(.*)", line)
            if severe or "Fatal error" in line:
                text = f"{severe[1]}: {severe[2]}" if severe else line[:200]
                found[text] = found.get(text, 0) + 1
        return found


class Disturbance:
    """One worker after the other is killed, or drained and started anew, in turn.

    The first one is left alone, so that growth of a worker can be seen over the whole run.
    """

    def __init__(self, server):
        self.server, self.number, self.skipped = server, 0, 0
        self.counts = {"kill -9": 0, "drain and restart": 0}

    def once(self):
        index = 1 + self.number % (WORKERS - 1)
        worker = next((each for each in self.server.ready_workers()
                       if each["process"]["index"] == index), None)
        if worker is None or len(self.server.ready_workers()) < WORKERS:
            # The one before is not back yet.
            self.skipped += 1
            return
        # Every worker gets both, as the number of those that change is odd.
        if self.number % 2 == 0:
            os.kill(worker["process"]["pid"], signal.SIGKILL)
            self.counts["kill -9"] += 1
        else:
            self.server.run("workers", "restart", worker["id"], "--seconds", 3)
            self.counts["drain and restart"] += 1
        self.number += 1

    def run(self, every, ended):
        """Until `ended`, an Event."""
        while not ended.wait(every):
            self.once()

    def await_whole(self, seconds=60):
        end = time.monotonic() + seconds
        while len(self.server.ready_workers()) < WORKERS:
            if time.monotonic() > end:
                raise Failed(f"workers did not come back: {self.server.listed()}")
            time.sleep(0.2)
