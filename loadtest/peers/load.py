"""Drives a server and returns what was seen, with the CPU time of watched processes."""

import json
import os
import re
import subprocess
import threading

from .processes import Failed
from .upstream import MODEL

LIMIT = 420


def watched_cpu(watched):
    return {process.name: process.cpu_seconds() for process in watched}


def spent(before, after):
    return {name: after[name] - before[name] for name in after}


def delays(programs, server, watched, streams, warm_up, seconds):
    """Paced stamped streams: how long events take, CPU seconds and memory while all are open."""
    idle = {process.name: process.resident_bytes() for process in watched}
    command = [str(part) for part in (
        programs / "simulated-upstream", "delays", "--url", server.url, "--model", MODEL,
        "--streams", streams, "--warm-up-seconds", warm_up, "--seconds", seconds)]
    near_end = threading.Event()
    open_bytes = {}

    def sample():
        if not near_end.wait(seconds * 0.8):
            open_bytes.update({process.name: process.resident_bytes() for process in watched})

    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as reader:
        killer = threading.Timer(warm_up + seconds + 60, reader.kill)
        killer.start()
        try:
            if "measuring" not in reader.stdout.readline():
                raise Failed(f"no measurement: {command}")
            before = watched_cpu(watched)
            sampler = threading.Thread(target=sample)
            sampler.start()
            line = reader.stdout.readline()
            after = watched_cpu(watched)
            near_end.set()
            sampler.join()
        finally:
            near_end.set()
            killer.cancel()
            reader.kill()
    if not line:
        raise Failed(f"no report: {command}")
    report = json.loads(line)
    report["command"] = command
    report["cpuSeconds"] = spent(before, after)
    report["idleBytes"], report["openBytes"] = idle, open_bytes
    return report


def chats(programs, server, watched, *options, limit=LIMIT, environment=None):
    """switchyard-load; processes' CPU seconds are those of the measured time alone."""
    pids = [(process.name, pid) for process in watched for pid in process.pids()]
    command = [str(part) for part in (
        programs / "switchyard-load", "--url", server.url, "--json", "--timeout-seconds", "300",
        *options, *(word for name, pid in pids for word in ("--pid", f"{name}={pid}")))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=limit,
                          env={**os.environ, **(environment or {})})
    if not done.stdout.startswith("{"):
        raise Failed(f"{command}: {done.stderr[-500:]}")
    report = json.loads(done.stdout)
    cpu, resident = {}, {}
    for entry in report["processes"]:
        cpu[entry["name"]] = cpu.get(entry["name"], 0) + (entry.get("cpuSeconds") or 0)
        resident[entry["name"]] = (
            resident.get(entry["name"], 0) + (entry.get("residentBytes") or 0))
    report["cpuSeconds"], report["residentBytes"] = cpu, resident
    # Whole distributions of each second are for `switchyard-load compare`, and large.
    report.pop("blocks", None)
    report["command"] = command
    return report


def small(server, watched, path, body=None, seconds=4, connections=32):
    """h2load over HTTP/1.1: so many requests that they take about `seconds`."""

    def run(count):
        command = ["h2load", "--h1", "-t", "1", "-c", str(min(connections, count)),
                   "-n", str(count), f"{server.url}{path}"]
        if body:
            command[1:1] = ["-d", body, "-H", "content-type: application/json",
                            "-H", "authorization: Bearer none"]
        before = watched_cpu(watched)
        text = subprocess.run(
            command, capture_output=True, text=True, timeout=LIMIT).stdout
        after = watched_cpu(watched)
        rate = re.search(r"finished in .*?, ([\d.]+) req/s", text)
        succeeded = re.search(r"(\d+) 2xx", text)
        if not rate or not succeeded:
            raise Failed(f"{command}: {text[-500:]}")
        return {"requests": count, "succeeded": int(succeeded[1]),
                "requestsPerSecond": float(rate[1]), "cpuSeconds": spent(before, after),
                "command": command}

    # The first ones warm up, the next tell how many are needed.
    run(64)
    rate = run(256)["requestsPerSecond"]
    return run(max(256, min(100_000, int(rate * seconds))))
