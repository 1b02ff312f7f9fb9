#!/usr/bin/env python3
"""How many streams, and how many events a second, one gateway carries.

    loadtest/capacity.py [--only NAME,...] [--seconds 30] [--programs DIR] [--output DIR]

One `switchyard serve` with simulated workers whose steps take a fixed time; gateway, workers and
generator share this machine. 10,000 streams with a step each 200 ms and 1,000 with one each 20 ms:
50,000 events/s both. Then 1,000 streams with ever shorter steps until events come late. Every
answer must be whole. A stall is what a gap between two tokens of a stream has beyond its step; a
thread that only sleeps shows, in the same run, for how long the machine itself let nobody run.
Writes capacity.json and table.md.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "loadtest"))

from peers.processes import (  # noqa: E402
    CORES, Failed, One, Process, exit_on_signals, fetch, free_port)
from peers.tables import number, table  # noqa: E402
from soaking import samples  # noqa: E402

MODEL = "capacity"
# Sequences that an engine has at most; a worker stands for one.
SLOTS = 250
# KV for all of a stream, or else streams near their ends are preempted and wait, which looks like a
# stall: of a prompt of 16 words with its template, and as many tokens as are asked for.
PROMPT_TOKENS_MAX = 256
# Streams on one connection: what servers should allow at least (RFC 9113, section 6.5.2).
STREAMS_PER_CONNECTION = 100
STEPS = {"10000 at 200 ms": (10_000, 200), "1000 at 20 ms": (1_000, 20)}
SHORTER = (16, 13, 10, 8, 6, 5, 4)
# Events are late when they come less often than this part of what is offered, or when the 99th
# percentile of gaps is longer than the step by half, or when one is a stall. A worker takes about a
# millisecond between two steps of 250 sequences, so that of steps of 10 ms no more than 91 % can
# come.
LEAST_RATE, LONGEST_GAP = 0.88, 1.5
# Tokens of the default model's vocabulary that are whole characters. Of all 49,152, 330 are not: a
# gateway holds them back until their character is whole, which looks like a stall of a step or two.
OUTPUT_IDS = "460-3350"
STALL_MS = 250
HEAD = ["streams, step", "whole", "events/s", "offered", "gateway cores", "workers", "generator",
        "us/event", "gateway MiB", "KiB/stream", "ITL p50 ms", "p99", "p99.9", "longest stall ms",
        "machine's", "TTFT p99 ms"]


class MachineStalls(threading.Thread):
    """Milliseconds by which a thread that sleeps for 2 ms each time woke too late, at most."""

    def __init__(self):
        super().__init__(daemon=True)
        self.longest, self.is_over = 0.0, False

    def run(self):
        while not self.is_over:
            before = time.monotonic()
            time.sleep(0.002)
            self.longest = max(self.longest, 1_000 * (time.monotonic() - before) - 2)


def serve(programs, model, directory, streams, step, tokens):
    port, admin = free_port(), free_port()
    workers = -(-streams // SLOTS)
    process = Process(
        "switchyard",
        [programs / "switchyard", "serve", "--port", port, "--admin-port", admin, "--model", model,
         "--model-name", MODEL, "--engine", "simulated", "--workers", workers, "--slots", SLOTS,
         "--context", SLOTS * (tokens + PROMPT_TOKENS_MAX), "--loops", CORES,
         "--queue-limit", streams, "--log-level", "warning", "--data-dir", f"{directory}/data",
         f"--worker-argument=--step-time={1_000 * step}",
         f"--worker-argument=--output-ids={OUTPUT_IDS}"], directory)
    process.url = f"http://127.0.0.1:{port}"
    process.await_true(lambda: _ready_workers(admin) == workers)
    return process


def _ready_workers(admin):
    answer = fetch(f"http://127.0.0.1:{admin}/healthz")
    return answer and json.loads(answer)["workers"]["ready"]


def measure(programs, model, streams, step, seconds):
    tokens = max(20, round(1_000 * seconds / step))
    with tempfile.TemporaryDirectory(prefix="capacity-") as directory:
        server = serve(programs, model, directory, streams, step, tokens)
        try:
            return load(programs, server, streams, step, tokens)
        finally:
            server.stop()


def load(programs, server, streams, step, tokens):
    gateway, *workers = server.pids()
    watched = [One("gateway", gateway), *(One(f"worker {pid}", pid) for pid in workers)]
    command = [
        str(part) for part in (
            programs / "switchyard-load", "run", "--url", server.url, "--model", MODEL, "--json",
            "--protocol", "h2", "--concurrency", streams, "--requests", streams, "--ignore-eos",
            "--connections", -(-streams // STREAMS_PER_CONNECTION), "--max-tokens", tokens,
            "--prompt-tokens", 16, "--no-progress",
            *(word for one in watched for word in ("--pid", f"{one.name}={one.pid}")))]
    stalls = MachineStalls()
    stalls.start()
    idle, is_over = samples.of_process(gateway)["resident KiB"], threading.Event()
    most = [idle]

    def watch():
        while not is_over.wait(1):
            if now := samples.of_process(gateway):
                most[0] = max(most[0], now["resident KiB"])

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    stalls.is_over = True
    is_over.set()
    if not done.stdout.startswith("{"):
        raise Failed(f"{command}: {done.stderr[-500:]}")
    report = json.loads(done.stdout)
    report.pop("blocks", None)
    return {"streams": streams, "step": step, "tokens": tokens, "report": report,
            "machine stall": stalls.longest, "resident KiB": most[0], "idle KiB": idle}


def rate(entry):
    """Events/s while all streams run."""
    return entry["streams"] * 1_000 / entry["report"]["interTokenLatency"]["mean"]


def row(entry):
    report, streams, step = entry["report"], entry["streams"], entry["step"]
    cpu = {each["name"]: each.get("cpuSeconds") or 0 for each in report["processes"]}
    gateway = cpu["gateway"]
    workers = sum(value for name, value in cpu.items() if name.startswith("worker"))
    gaps = report["interTokenLatency"]
    whole = report["succeeded"]
    return [
        f"{streams:,} at {step} ms", f"{whole:,}", number(rate(entry), 0),
        number(streams * 1_000 / step, 0), number(gateway / report["seconds"], 2),
        number(workers / report["seconds"], 2),
        number(report["generatorCPUSeconds"] / report["seconds"], 2),
        number(1e6 * gateway / report["outputDeltas"], 2), number(entry["resident KiB"] / 1_024, 0),
        number((entry["resident KiB"] - entry["idle KiB"]) / streams, 1), number(gaps["p50"]),
        number(gaps["p99"]), number(gaps["p999"]), number(gaps["max"] - step),
        number(entry["machine stall"]), number(report["timeToFirstToken"]["p99"], 0)]


def is_late(entry):
    offered = entry["streams"] * 1_000 / entry["step"]
    gaps = entry["report"]["interTokenLatency"]
    return (rate(entry) < LEAST_RATE * offered or gaps["p99"] > LONGEST_GAP * entry["step"]
            or stalls_of(entry))


def losses(entry):
    report, found = entry["report"], []
    if report["succeeded"] != entry["streams"] or report["failed"]:
        found.append(f"{report['succeeded']} of {entry['streams']} whole: {report['errors']}")
    if report["outputTokens"] != entry["streams"] * entry["tokens"]:
        found.append(f"{report['outputTokens']} tokens")
    return found


def stalls_of(entry):
    stall = entry["report"]["interTokenLatency"]["max"] - entry["step"]
    return [f"a stall of {stall:.0f} ms"] if stall > STALL_MS + entry["machine stall"] else []


def main():
    exit_on_signals()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help=", ".join([*STEPS, "highest"]))
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--programs", type=Path, default=ROOT / ".build/release")
    parser.add_argument("--output", type=Path, default=ROOT / "loadtest/results/capacity")
    arguments = parser.parse_args()
    names = arguments.only.split(",") if arguments.only else [*STEPS, "highest"]
    model = os.environ["SWITCHYARD_DEFAULT_MODEL"]

    def run(streams, step):
        print(f"capacity: {streams} streams, a step each {step} ms", file=sys.stderr)
        entry = measure(arguments.programs, model, streams, step, arguments.seconds)
        entries.append(entry)
        found.extend(f"{streams} at {step} ms: {each}" for each in losses(entry))
        return entry

    entries, found = [], []
    for name, shape in STEPS.items():
        if name in names:
            found += [f"{name}: {each}" for each in stalls_of(run(*shape))]
    if "highest" in names:
        for step in SHORTER:
            if is_late(run(1_000, step)):
                break
    text = table(HEAD, map(row, entries))
    arguments.output.mkdir(parents=True, exist_ok=True)
    (arguments.output / "capacity.json").write_text(json.dumps(entries, indent=1) + "\n")
    (arguments.output / "table.md").write_text(text + "\n")
    print(text)
    for each in found:
        print(each, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
