#!/usr/bin/env python3
"""Plays a recorded hour of conversations against `switchyard serve` and llama-server.

    loadtest/replay.py --trace AzureLLMInferenceTrace_conv.csv [--minutes 10] [--share 0.8]
                       [--peers llama-server,switchyard] [--programs DIR] [--output DIR]

Arrivals and lengths are the trace's (any that `switchyard-load import` reads; Azure's of 2023 is
at github.com/Azure/AzurePublicDataset, CC-BY-4.0). Lengths are a fifth of what was recorded, as a
small model on a CPU stands for a large one on a GPU, and time is stretched so that the load is
`--share` of what llama-server can do with these lengths, which a closed loop measures first. Both
servers have the same GGUF, threads and slots, and get the same requests at the same times. Four
tenants share them, one of which sends half.

Writes NAME.json of each server, replay.html with both, table.md and replay.json (what was played).
"""

import argparse
import datetime
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "loadtest"))

from peers import engines, load  # noqa: E402
from peers.processes import Failed, One, exit_on_signals  # noqa: E402
from peers.tables import number, table  # noqa: E402

SLOTS = 16
# Of the recorded lengths of prompts and answers alike, so that their ratio stays.
LENGTHS = 0.2
# Good answers. A reader waits two seconds for the first word of a chat without looking elsewhere,
# and reads some five words a second: the pace of the whole answer (TPOT) matters, not each gap.
SLO = {"ttft_ms": 2_000, "tpot_ms": 200}
# Tenants and their shares of the requests, by turns of chance.
TENANTS = {"bulk": 3, "anna": 1, "bert": 1, "cleo": 1}
CAPACITY_SECONDS = 40
NAMES = ("llama-server", "switchyard")


class Context:
    """What `peers/engines.py` wants to know."""

    def __init__(self, arguments):
        self.programs = arguments.programs
        self.model = os.environ["SWITCHYARD_DEFAULT_MODEL"]
        self.llama = Path(os.environ.get("SWITCHYARD_LLAMA_PREFIX", "/nowhere"))


def imported(arguments, directory):
    """(path, [records]) of the trace in the generator's own format."""
    path = Path(directory, "trace.jsonl")
    subprocess.run([arguments.programs / "switchyard-load", "import", arguments.trace, "-o", path],
                   check=True, stdout=subprocess.DEVNULL)
    return path, [json.loads(line) for line in path.read_text().splitlines()[1:]]


def start(name, context, directory):
    """A server, what of it is watched, and the variables with its tenants' keys."""
    server = engines.ALL[name](context, directory, SLOTS)
    keys = {variable(tenant): "none" for tenant in TENANTS}
    if name != "switchyard":
        return server, [server], keys
    admin = server.command[server.command.index("--admin-port") + 1]

    def ask(*words):
        return subprocess.run(
            [context.programs / "switchyard", *words, "--admin", f"127.0.0.1:{admin}", "--json"],
            check=True, capture_output=True, text=True).stdout

    for tenant in TENANTS:
        ask("tenants", "create", tenant)
        keys[variable(tenant)] = json.loads(ask("keys", "create", tenant))["key"]
    gateway, *workers = server.pids()
    return server, [One("gateway", gateway), *(One("worker", pid) for pid in workers)], keys


def variable(tenant):
    return f"{tenant.upper()}_KEY"


def scenario(directory, name, how, members=None):
    """Writes a scenario (JSON is YAML) and returns its path."""
    mix = [{"name": tenant, "tenant": tenant, "weight": weight, "key_env": variable(tenant),
            "model": engines.MODEL, "ignore_eos": True, **(members or {})}
           for tenant, weight in TENANTS.items()]
    path = Path(directory, f"{name}.yaml")
    path.write_text(json.dumps({
        "target": "http://127.0.0.1:1", "protocol": "h1", "slo": SLO, "mix": mix, **how}))
    return path


def capacity(context, records, directory):
    """Requests per second of llama-server with these lengths when it always has enough to do."""
    rows = [(max(1, round(record["in"] * LENGTHS)), max(1, round(record["out"] * LENGTHS)))
            for record in records]
    lengths = Path(directory, "lengths.csv")
    lengths.write_text("\n".join(["in,out", *(f"{a},{b}" for a, b in rows)]) + "\n")
    column = {name: {"empirical": {"file": str(lengths), "column": name}}
              for name in ("in", "out")}
    path = scenario(
        directory, "capacity",
        {"load": {"concurrency": SLOTS}, "warm_up": {"requests": SLOTS, "seconds": 5},
         "duration_seconds": CAPACITY_SECONDS},
        {"prompt_tokens": column["in"], "output_tokens": column["out"]})
    server, watched, keys = start("llama-server", context, directory)
    try:
        report = load.chats(context.programs, server, watched, "--scenario", path,
                            environment=keys)
    finally:
        server.stop()
    if not report["outputDeltas"] or report["failed"]:
        raise Failed(f"no capacity of llama-server is known: {report['errors']}")
    # By tokens, so that answers count which the end of the measurement cut off.
    mean = sum(output for _, output in rows) / len(rows)
    return report["outputDeltas"] / report["seconds"] / mean


def replay(name, context, path, minutes, directory):
    server, watched, keys = start(name, context, directory)
    try:
        report = load.chats(context.programs, server, watched, "--scenario", path,
                            environment=keys, limit=minutes * 60 + 900)
    finally:
        server.stop()
    return report


def jain(values):
    squares = sum(value * value for value in values)
    return sum(values) ** 2 / (len(values) * squares) if squares else 1.0


def row(name, report):
    seconds, tokens = report["seconds"], max(1, report["outputTokens"])
    good = [tenant["goodFraction"] or 0 for tenant in report["tenants"]]
    cpu = ", ".join(f"{process} {spent:.0f}" for process, spent in report["cpuSeconds"].items())
    total = sum(report["cpuSeconds"].values())

    def share(latency, key):
        return number((report[latency] or {}).get(key))

    return [name, str(report["succeeded"]), str(report["shed"]["requests"]),
            str(report["failed"] - report["shed"]["requests"]),
            number(100 * report["goodput"]["fraction"]),
            number(report["goodput"]["requestsPerSecond"], 2), number(tokens / seconds),
            share("timeToFirstToken", "p50"), share("timeToFirstToken", "p99"),
            share("timePerOutputToken", "p50"), share("timePerOutputToken", "p99"),
            share("interTokenLatency", "p99"),
            f"{jain(good):.3f}", f"{min(good, default=0) * 100:.1f}", cpu,
            number(1e3 * total / tokens, 2)]


HEAD = ["", "ok", "shed", "errors", "good %", "good/s", "tokens/s", "TTFT p50 ms", "p99",
        "TPOT p50 ms", "p99", "ITL p99 ms", "Jain of good", "worst tenant good %", "CPU s",
        "CPU ms/token"]


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trace", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--share", type=float, default=0.8, help="of llama-server's capacity")
    parser.add_argument("--rate", type=float, help="requests/s, in place of measuring")
    parser.add_argument("--threads", type=int, default=engines.THREADS, help="of each engine")
    parser.add_argument("--peers", type=lambda text: text.split(","), default=list(NAMES))
    parser.add_argument("--programs", type=Path, default=ROOT / ".build/release")
    parser.add_argument("--output", type=Path, default=ROOT / "loadtest/results" / (
        datetime.date.today().isoformat() + "-replay"))
    arguments = parser.parse_args()
    exit_on_signals()
    if unknown := set(arguments.peers) - set(NAMES):
        parser.error(f"--peers: {', '.join(unknown)} is none of {', '.join(NAMES)}")
    engines.THREADS = arguments.threads
    arguments.programs = arguments.programs.resolve()
    arguments.output.mkdir(parents=True, exist_ok=True)
    context = Context(arguments)
    with tempfile.TemporaryDirectory(prefix="replay-") as directory:
        trace, records = imported(arguments, directory)
        known = capacity(context, records, directory) if arguments.rate is None else None
        rate = arguments.rate or arguments.share * known
        count = max(2, min(len(records), round(rate * arguments.minutes * 60)))
        # The first `count` requests, at the pace that makes them last so long.
        time_scale = count / rate / (records[count - 1]["ms"] / 1_000)
        facts = {"llama-server's capacity, requests/s": known, "offered, requests/s": rate,
                 "requests": count, "time scale": time_scale, "length scale": LENGTHS,
                 "slots": SLOTS, "threads": engines.THREADS, "objective": SLO, "tenants": TENANTS}
        print(f"replay: {facts}", file=sys.stderr)
        path = scenario(directory, "replay", {
            "warm_up": {"requests": 8},
            "load": {"trace": {"file": str(trace), "time_scale": time_scale, "first": count,
                               "prompt_scale": LENGTHS, "output_scale": LENGTHS}}})
        rows, files = [], []
        for name in arguments.peers:
            report = replay(name, context, path, arguments.minutes, directory)
            rows.append(row(name, report))
            facts[f"warnings of {name}"] = report["warnings"]
            files.append(arguments.output / f"{name}.json")
            files[-1].write_text(json.dumps(report, sort_keys=True).replace(directory, "TMP"))
            print(f"replay: {name} is done", file=sys.stderr)
    subprocess.run([arguments.programs / "switchyard-load", "report", *files, "-o",
                    arguments.output / "replay.html", "--title",
                    f"{count} requests of {arguments.trace.name} at {rate:.2f}/s"], check=True)
    (arguments.output / "replay.json").write_text(json.dumps(facts, indent=1) + "\n")
    text = "\n".join([*(f"- {name}: {value}" for name, value in facts.items()), "",
                      table(HEAD, rows)])
    (arguments.output / "table.md").write_text(text + "\n")
    print(text)
    if len(files) == 2:
        subprocess.run([arguments.programs / "switchyard-load", "compare", *files], check=False)


if __name__ == "__main__":
    main()
