#!/usr/bin/env python3
"""What a prompt's size costs: prompts of 200 B to 1 MB, on an engine that takes no time.

    loadtest/prompt_sizes.py [--rounds 15] [--seconds 20] [--programs DIR] [--output DIR]

Time to the first token by size, through one `switchyard serve` with a simulated engine at will and
a context of a million tokens, so that all of it is the gateway's and the worker's link. What
template and tokenization take is the server's own figure (`server-timing: prepare`). Then 64 streams
with a token each 20 ms while prompts of 1 MB arrive one after the other: the gaps between tokens
meanwhile and otherwise. Writes prompt-sizes.json and table.md.
"""

import argparse
import http.client
import json
import os
import random
import re
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "loadtest"))

from peers.processes import (  # noqa: E402
    CORES, Failed, Process, exit_on_signals, fetch, free_port)
from peers.tables import median, number, table  # noqa: E402

MODEL = "sizes"
SIZES = (200, 2_000, 20_000, 200_000, 1_000_000)
# Each prompt is new, so that none is found computed already.
WORDS = ("the harbour lights went out and then seven ships came in with copper tea glass wool "
         "silver lamps maps rope tar salt oranges").split()
SLOTS, CONTEXT, SEQUENCE = 72, 4_000_000, 1_048_576
STREAMS, STEP_MS = 64, 20
# About a token each, and almost six bytes with the space: somewhat more than 1 MB.
LONG_WORDS, PROBES = 200_000, 5
RATIO_MAX = 1.2


def with_long_context(model, directory):
    """A copy of a GGUF file that says that its context has SEQUENCE tokens: the gateway refuses
    longer prompts than it says."""
    content = bytearray(Path(model).read_bytes())
    key = b"llama.context_length"
    # Behind a key: the type of its value, 4 for 32 bits unsigned, and the value.
    place = content.index(key) + len(key)
    if content[place:place + 4] != struct.pack("<I", 4):
        raise Failed(f"{model}: {key.decode()} is no 32-bit number")
    content[place + 4:place + 8] = struct.pack("<I", SEQUENCE)
    copy = Path(directory, "model.gguf")
    copy.write_bytes(content)
    return copy


def serve(programs, model, directory, step):
    model = with_long_context(model, directory)
    port, admin = free_port(), free_port()
    process = Process(
        "switchyard",
        [programs / "switchyard", "serve", "--port", port, "--admin-port", admin, "--model", model,
         "--model-name", MODEL, "--engine", "simulated", "--slots", SLOTS, "--context", CONTEXT,
         "--loops", CORES, "--log-level", "warning", "--data-dir", f"{directory}/data",
         f"--worker-argument=--sequence-tokens={SEQUENCE}", f"--worker-argument=--step-time={step}"],
        directory)
    process.url, process.port = f"http://127.0.0.1:{port}", port
    process.await_true(lambda: fetch(f"http://127.0.0.1:{admin}/readyz") is not None)
    return process


def prompt(size, generator):
    """So many bytes; the last word may be cut."""
    words, length = [], 0
    while length < size:
        words.append(generator.choice(WORDS))
        length += len(words[-1]) + 1
    return " ".join(words)[:size]


def first_token(server, size, generator):
    """Milliseconds to the first token, of those in preparation and queue, and prompt tokens."""
    body = json.dumps({
        "model": MODEL, "max_tokens": 2, "stream": True, "ignore_eos": True,
        "stream_options": {"include_usage": True},
        "messages": [{"role": "user", "content": prompt(size, generator)}]}).encode()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    connection.connect()
    began = time.perf_counter()
    connection.request("POST", "/v1/chat/completions", body,
                       {"content-type": "application/json"})
    answer = connection.getresponse()
    if answer.status != 200:
        raise Failed(f"{size} bytes: {answer.status} {answer.read()[:300]}")
    while b'"content":"' not in (line := answer.readline()):
        if not line or b'"error"' in line:
            raise Failed(f"{size} bytes: no token, {line[:300]}")
    taken = 1_000 * (time.perf_counter() - began)
    rest = answer.read().decode()
    connection.close()
    timing = dict(re.findall(r"(\w+);dur=([0-9.]+)", answer.headers["server-timing"]))
    return {"ttft": taken, "prepare": float(timing["prepare"]), "queue": float(timing["queue"]),
            "tokens": int(re.search(r'"prompt_tokens":(\d+)', rest)[1])}


def by_size(programs, model, rounds):
    generator = random.Random(1)
    with tempfile.TemporaryDirectory(prefix="sizes-") as directory:
        server = serve(programs, model, directory, "at-will")
        try:
            found = {size: [] for size in SIZES}
            for size in SIZES:
                first_token(server, size, generator)
            for _ in range(rounds):
                for size in SIZES:
                    found[size].append(first_token(server, size, generator))
            return found
        finally:
            server.stop()


def beside_streams(programs, model, seconds):
    """A load report whose probes are prompts of 1 MB."""
    with tempfile.TemporaryDirectory(prefix="sizes-") as directory:
        server = serve(programs, model, directory, 1_000 * STEP_MS)
        try:
            command = [str(part) for part in (
                programs / "switchyard-load", "run", "--url", server.url, "--model", MODEL,
                "--json", "--no-progress", "--ignore-eos", "--concurrency", STREAMS,
                "--max-tokens", round(1_000 * seconds / STEP_MS), "--warmup-seconds", 2,
                "--duration", seconds, "--probe-prompt-tokens", LONG_WORDS,
                "--probe-at-seconds", 2, "--probe-count", PROBES)]
            done = subprocess.run(command, capture_output=True, text=True, timeout=300)
            if not done.stdout.startswith("{"):
                raise Failed(f"{command}: {done.stderr[-500:]}")
            report = json.loads(done.stdout)
            report.pop("blocks", None)
            return report
        finally:
            server.stop()


def main():
    exit_on_signals()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--programs", type=Path, default=ROOT / ".build/release")
    parser.add_argument("--output", type=Path, default=ROOT / "loadtest/results/prompt-sizes")
    arguments = parser.parse_args()
    model = os.environ["SWITCHYARD_DEFAULT_MODEL"]
    sizes = by_size(arguments.programs, model, arguments.rounds)
    report = beside_streams(arguments.programs, model, arguments.seconds)

    def middle(entries, value):
        return median([value(entry) for entry in entries])

    rows = [[f"{size:,} B", number(middle(entries, lambda e: e["tokens"]), 0),
             number(middle(entries, lambda e: e["ttft"]), 2),
             number(middle(entries, lambda e: e["prepare"]), 2),
             number(middle(entries, lambda e: e["queue"]), 2),
             number(middle(entries, lambda e: e["ttft"] - e["prepare"] - e["queue"]), 2),
             number(max(entry["ttft"] for entry in entries), 1)]
            for size, entries in sizes.items()]
    during, otherwise = (report["probe"][name] for name in (
        "interTokenLatencyDuring", "interTokenLatencyOtherwise"))
    ratio = during["p99"] / otherwise["p99"]
    text = "\n\n".join([
        table(["prompt", "tokens", "TTFT ms, median", "template and tokens", "queue", "rest",
               "TTFT, longest"], rows),
        table([f"{STREAMS} streams at {STEP_MS} ms", "gaps", "ITL p50 ms", "p99", "longest"],
              [[name, f"{gaps['count']:,}", number(gaps["p50"]), number(gaps["p99"]),
                number(gaps["max"])]
               for name, gaps in (("while 1 MB prompts come", during), ("otherwise", otherwise))]),
        f"ITL p99 {number(ratio, 2)} times; a 1 MB prompt's first token, median "
        f"{number(report['probe']['timeToFirstToken']['p50'], 0)} ms"])
    arguments.output.mkdir(parents=True, exist_ok=True)
    (arguments.output / "prompt-sizes.json").write_text(
        json.dumps({"sizes": sizes, "beside streams": report}, indent=1) + "\n")
    (arguments.output / "table.md").write_text(text + "\n")
    print(text)
    return 1 if ratio > RATIO_MAX or report["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
