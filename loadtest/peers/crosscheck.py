#!/usr/bin/env python3
"""Whether switchyard-load sees what independent tools see on the same server.

    loadtest/peers/crosscheck.py [--programs DIR] [--rounds N] [--quick]

h2load: requests/s of GET /v1/models of a simulated `switchyard serve`, over HTTP/1.1 and HTTP/2.
The server has one core to itself and the tools another: on shared cores the cheaper tool leaves
the server more time, and so it would report more. What a request costs the server is told too, since
it depends on how many a tool sends at once.
aiperf: TTFT and TPOT of a simulated upstream with a known pace, with a tokenizer made here, of one
stream at once and of 16: what the tool itself adds grows with the work that it has.
Prints a table with differences in per cent.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "loadtest"))

from peers import install, load, native, processes, upstream  # noqa: E402

# Bytes as tokens: aiperf needs some tokenizer to make prompts up; what it counts is the server's.
TOKENIZER = """
import sys
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast
alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
tokenizer = Tokenizer(models.BPE(
    vocab={text: index for index, text in enumerate([*alphabet, "<end>"])}, merges=[]))
tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
tokenizer.decoder = decoders.ByteLevel()
PreTrainedTokenizerFast(
    tokenizer_object=tokenizer, eos_token="<end>", bos_token="<end>").save_pretrained(sys.argv[1])
"""
TTFT_MS, STEP_MS, TOKENS = 50, 20, 64
STREAMS = (1, 16)


def pin(pids, core):
    """Every thread that they have, and what these start later."""
    for pid in pids:
        for thread in os.listdir(f"/proc/{pid}/task"):
            os.sched_setaffinity(int(thread), {core})


def requests_per_second(context, directory):
    """{(figure, tool): requests/s, or microseconds of the server's for one}"""
    server = native.start(context, directory, "--loops", 1)
    found = {}

    def note(protocol, tool, rate, seconds, count):
        found[f"{protocol}, requests/s", tool] = rate
        found[f"{protocol}, us of the server", tool] = 1e6 * seconds / count

    cores = os.sched_getaffinity(0)
    try:
        pin(server.pids(), min(cores))
        # Of this process, so of those that it starts.
        os.sched_setaffinity(0, {max(cores)})
        for protocol, flags, count in (("h1", ["--h1", "-c", "32"], 100_000),
                                       ("h2", ["-c", "4", "-m", "32"], 500_000)):
            count //= 5 if context.quick else 1
            before = server.cpu_seconds()
            text = subprocess.run(
                ["h2load", "-t", "1", *flags, "-n", str(count), f"{server.url}/v1/models"],
                capture_output=True, text=True, timeout=load.LIMIT).stdout
            rate = float(re.search(r"finished in .*?, ([\d.]+) req/s", text)[1])
            note(protocol, "h2load", rate, server.cpu_seconds() - before, count)
            report = load.chats(
                context.programs, server, [server], "--mode", "small", "--protocol", protocol,
                *(("--connections", 4) if protocol == "h2" else ()),
                "--concurrency", 32 if protocol == "h1" else 128,
                "--warmup", 1000, "--requests", count)
            note(protocol, "ours", report["requestsPerSecond"],
                 report["cpuSeconds"][server.name], count)
    finally:
        os.sched_setaffinity(0, cores)
        server.stop()
    return found


def latencies(context, directory):
    """{(figure, tool): ms}"""
    back = upstream.start(
        context.programs, directory, "--ttft-ms", TTFT_MS, "--step-ms", STEP_MS, "--phases", 20)
    found = {}
    try:
        for streams in STREAMS:
            requests = max(20, streams * (4 if context.quick else 10))
            ours = load.chats(
                context.programs, back, [], "--model", upstream.MODEL, "--protocol", "h1",
                "--concurrency", streams, "--warmup", streams, "--requests", requests,
                "--max-tokens", TOKENS)
            theirs = aiperf(back, os.path.join(directory, str(streams)), streams, requests)
            for name, key, other in (("TTFT", "timeToFirstToken", "time_to_first_token"),
                                     ("TPOT", "timePerOutputToken", "inter_token_latency")):
                for share in ("p50", "p99"):
                    figure = f"{name} {share}, {streams} at once"
                    found[figure, "ours"] = ours[key][share]
                    found[figure, "aiperf"] = theirs[other][share]
    finally:
        back.stop()
    return found


def aiperf(server, directory, streams, requests):
    binaries = install.environment("aiperf") / "bin"
    # Offline, it looks for a tokenizer where downloads of the hub would lie.
    home, revision = Path(directory, "hub-home"), "0" * 40
    stored = home / "hub/models--local--bytes"
    tokenizer = stored / "snapshots" / revision
    (stored / "refs").mkdir(parents=True)
    (stored / "refs/main").write_text(revision)
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1",
                   "HOME": directory, "HF_HOME": str(home)}
    subprocess.run([binaries / "python", "-c", TOKENIZER, tokenizer], check=True,
                   capture_output=True, env=environment)
    command = [
        binaries / "aiperf", "profile", "--model", upstream.MODEL, "--url", server.url,
        "--endpoint-type", "chat", "--streaming", "--tokenizer", "local/bytes",
        "--concurrency", streams, "--request-count", requests,
        "--warmup-request-count", streams, "--synthetic-input-tokens-mean", 200,
        "--synthetic-input-tokens-stddev", 0, "--output-tokens-mean", TOKENS,
        "--output-tokens-stddev", 0, "--use-server-token-count", "--ui", "none",
        "--artifact-dir", os.path.join(directory, "aiperf")]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True,
                          env=environment, timeout=load.LIMIT, cwd=directory)
    for path in Path(directory, "aiperf").rglob("*.json"):
        document = json.loads(path.read_text())
        if isinstance(document, dict) and "time_to_first_token" in document:
            return document
    raise SystemExit(f"aiperf gave no report: {(done.stdout + done.stderr)[-3000:]}")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=Path, default=ROOT / ".build/release")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    processes.exit_on_signals()
    context = SimpleNamespace(
        programs=arguments.programs.resolve(), quick=arguments.quick,
        model=os.environ["SWITCHYARD_DEFAULT_MODEL"])
    measured = {}
    for part in (requests_per_second, latencies):
        for _ in range(arguments.rounds):
            with tempfile.TemporaryDirectory(prefix="crosscheck-") as directory:
                for key, value in part(context, directory).items():
                    measured.setdefault(key, []).append(value)
    print("| figure | tool | theirs | ours | difference |\n|---|---|--:|--:|--:|")
    for (figure, tool), values in measured.items():
        if tool != "ours":
            theirs = statistics.median(values)
            ours = statistics.median(measured[figure, "ours"])
            print(f"| {figure} | {tool} | {theirs:.2f} | {ours:.2f} "
                  f"| {100 * (ours / theirs - 1):+.1f} % |")


if __name__ == "__main__":
    main()
