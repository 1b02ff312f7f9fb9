"""Prints the tables of scripts/bench.sh from its directory of raw results.

Values are medians over the rounds; where a run failed, a dash stands.
"""

import glob
import json
import os
import re
import statistics
import sys

work = sys.argv[1]


def runs(pattern):
    """The reports of all rounds of a run; failed ones are left out."""
    reports = []
    for path in sorted(glob.glob(os.path.join(work, pattern))):
        with open(path) as file:
            text = file.read()
        if text.strip():
            reports.append(json.loads(text))
    return reports


def median(values):
    values = [value for value in values if value is not None]
    return statistics.median(values) if values else None


def of(reports, *keys):
    """The median of a member of the reports, given by its path."""

    def member(report):
        for key in keys:
            report = (report or {}).get(key)
        return report

    return median([member(report) for report in reports])


def ratio(left, right):
    return left / right if left is not None and right else None


def number(value, digits=1, width=10):
    return ("-" if value is None else f"{value:.{digits}f}").rjust(width)


def heading(title, columns, width=10):
    print(f"\n{title.ljust(34)}" + "".join(column.rjust(width) for column in columns))


def row(title, values, digits=1, note=""):
    print(title.ljust(34) + "".join(number(value, digits) for value in values) + note)


def failures(reports):
    count = sum(report["failed"] for report in reports)
    return f"   {count} FAILED" if count else ""


def prometheus(path):
    values = {}
    if os.path.exists(path):
        with open(path) as file:
            for line in file:
                match = re.match(r"([a-z_:]+) ([0-9.e+]+)$", line.strip())
                if match:
                    values[match[1]] = float(match[2])
    return values


def decode_share():
    """Time inside llama_decode over the wall time of the busy engine, at 16 clients."""
    shares = []
    for after_path in glob.glob(os.path.join(work, "worker-after-*.prom")):
        after = prometheus(after_path)
        before = prometheus(after_path.replace("after", "before"))

        def spent(name):
            key = f"switchyard_worker_{name}_nanoseconds_total"
            return after.get(key, 0) - before.get(key, 0)

        if spent("busy") > 0:
            shares.append(spent("decode") / spent("busy"))
    return median(shares)


def engine():
    clients = (1, 4, 16)
    ours = {n: runs(f"chat-switchyard-{n}-*.json") for n in clients}
    theirs = {n: runs(f"chat-llama-server-{n}-*.json") for n in clients}
    batched = {}
    for path in sorted(glob.glob(os.path.join(work, "batched-bench-*.jsonl"))):
        with open(path) as file:
            for line in file:
                result = json.loads(line)
                batched.setdefault(result["pl"], []).append(result)
    if not any(ours.values()) and not any(theirs.values()):
        return

    heading("Output tokens/s, by clients", [str(n) for n in clients])
    speed = {
        name: [of(reports[n], "outputTokensPerSecond") for n in clients]
        for name, reports in (("switchyard", ours), ("llama-server", theirs))
    }
    for name, reports in (("switchyard", ours), ("llama-server", theirs)):
        row(name, speed[name], note=failures(sum(reports.values(), [])))
    # The same mix: prompts and answers of the same length, prefill's time included.
    mix = [
        median([r["pl"] * r["tg"] / r["t"] for r in batched.get(n, [])]) for n in clients
    ]
    decode = [median([r["speed_tg"] for r in batched.get(n, [])]) for n in clients]
    row("batched-bench, prefill included", mix)
    row("batched-bench, decode alone", decode)
    row(
        "switchyard / llama-server",
        [ratio(a, b) for a, b in zip(speed["switchyard"], speed["llama-server"])], 3)
    row(
        "switchyard / batched-bench mix",
        [ratio(a, b) for a, b in zip(speed["switchyard"], mix)], 3)
    row(
        "llama-server / batched-bench mix",
        [ratio(a, b) for a, b in zip(speed["llama-server"], mix)], 3)

    heading("Latency, ms", ["TTFT p50", "TTFT p99", "ITL p50", "ITL p99"])
    for name, reports in (("switchyard", ours), ("llama-server", theirs)):
        for n in clients:
            row(
                f"{name}, {n} clients",
                [
                    of(reports[n], measure, percentile)
                    for measure in ("timeToFirstToken", "interTokenLatency")
                    for percentile in ("p50", "p99")
                ])

    heading(
        "While a long prompt arrives, ms", ["ITL p50", "ITL p99", "max", "calm p50", "p99/calm"]
        + ["TTFT"])
    for name in ("switchyard", "llama-server"):
        probes = runs(f"probe-{name}-*.json")
        during, calm = ("probe", "interTokenLatencyDuring"), ("probe", "interTokenLatencyOtherwise")
        p99, calm_p50 = of(probes, *during, "p99"), of(probes, *calm, "p50")
        row(
            name,
            [
                of(probes, *during, "p50"), p99, of(probes, *during, "max"), calm_p50,
                ratio(p99, calm_p50), of(probes, "probe", "timeToFirstToken", "p50"),
            ], note=failures(probes))
    heading("Worker, at 16 clients", ["share"])
    row("llama_decode / busy engine", [decode_share()], 3)


def per_cpu_second(name):
    """Requests per CPU second of the server, and per wall second."""
    rates = []
    for path in glob.glob(os.path.join(work, f"small-{name}-*.txt")):
        with open(path) as file:
            requests, before, after = (float(word) for word in file.read().split())
        if after > before:
            rates.append(requests / (after - before))
    return median(rates)


def process(reports, name, units):
    """Microseconds of a process's CPU time for each unit."""
    return median(
        [
            entry["cpuSeconds"] * 1e6 / report[units]
            for report in reports
            for entry in report["processes"]
            if entry["name"] == name and entry["cpuSeconds"] is not None and report[units]
        ])


def gateway():
    streams, one = runs("streams-*.json"), runs("one-token-*.json")
    ours, nghttpd = per_cpu_second("switchyard"), per_cpu_second("nghttpd")
    if ours is None and not streams:
        return
    heading("Gateway alone (simulated engine)", ["switchyard", "nghttpd", "ratio"])
    row("GET /v1/models per CPU second", [ours, nghttpd, ratio(ours, nghttpd)], 2)
    cost = process(one, "gateway", "succeeded")
    row(
        "chats of 1 token per CPU second", [1e6 / cost if cost else None], 1, note=failures(one))
    heading(
        "256 streams, CPU us per token",
        ["gateway", "alone", "worker", "generator", "tokens/s"])
    total, each = process(streams, "gateway", "outputTokens"), of(streams, "outputTokens")
    requests = of(streams, "succeeded")
    # Without template, tokenizing and admission, which a request of one token has as well.
    alone = total - cost * requests / each if total and cost else None
    row(
        "switchyard",
        [
            total, alone, process(streams, "worker", "outputTokens"),
            median([r["generatorCPUSeconds"] * 1e6 / r["outputTokens"] for r in streams]),
            of(streams, "outputTokensPerSecond"),
        ], 2, note=failures(streams))
    print("  alone: less what as many requests of one token cost")
    for report in streams:
        for warning in report["warnings"]:
            print(f"  note: {warning}")


engine()
gateway()
