"""Tables of a comparison's raw results, in Markdown."""

import statistics


def median(values):
    values = [value for value in values if value is not None]
    return statistics.median(values) if values else None


def number(value, digits=1):
    if value is None:
        return "-"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.{digits}f}"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |",
             "|" + "|".join("---" if not index else "--:" for index in range(len(head))) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


class Results:
    def __init__(self, raw):
        self.raw = raw

    def rounds(self, experiment, peer):
        return [entry["result"] for entry in self.raw
                if entry["experiment"] == experiment and entry["peer"] == peer
                and "result" in entry]

    def peers(self, experiment):
        found = []
        for entry in self.raw:
            if entry["experiment"] == experiment and entry["peer"] not in found:
                found.append(entry["peer"])
        return found

    def value(self, experiment, peer, read):
        values = []
        for result in self.rounds(experiment, peer):
            try:
                values.append(read(result))
            except (KeyError, TypeError, ZeroDivisionError):
                pass
        return median(values)

    def failure(self, experiment, peer):
        return next((entry["error"] for entry in self.raw
                     if entry["experiment"] == experiment and entry["peer"] == peer
                     and "error" in entry), None)


def cpu(result, peer):
    """Of the gateway; of the upstream where there is none."""
    return result["cpuSeconds"]["upstream" if peer == "direct" else peer]


def delays(results, experiment):
    rows, direct = [], {}
    for share in ("p50", "p99"):
        direct[share] = results.value(
            experiment, "direct", lambda result: result["delay"][share]) or 0
    for peer in results.peers(experiment):
        def value(read):
            return results.value(experiment, peer, read)

        def added(share):
            through = value(lambda result: result["delay"][share])
            return None if through is None or peer == "direct" else through - direct[share]

        events = value(lambda r: r["eventsPerSecond"] * r["seconds"])
        rows.append([
            peer,
            number(value(lambda r: r["eventsPerSecond"])),
            number(value(lambda r: 1e6 * cpu(r, peer) / (r["eventsPerSecond"] * r["seconds"]))),
            number(value(lambda r: r["delay"]["p50"])), number(value(lambda r: r["delay"]["p99"])),
            number(added("p50")), number(added("p99")),
            number(value(lambda r: r["openBytes"][peer] / 1e6)),
            number(value(lambda r: (r["openBytes"][peer] - r["idleBytes"][peer])
                         / r["streams"] / 1024)),
            number(value(lambda r: r["failed"]), 0) if events else "failed",
        ])
    return table(["", "events/s", "CPU us/event", "delay p50 us", "p99 us", "added p50 us",
                  "added p99 us", "RSS MB", "KiB/stream", "failed streams"], rows)


def fast(results, experiment):
    rows = []
    for peer in results.peers(experiment):
        def value(read):
            return results.value(experiment, peer, read)

        rows.append([
            peer, number(value(lambda r: r["outputDeltas"] / r["seconds"])),
            number(value(lambda r: 1e6 * cpu(r, peer) / r["outputDeltas"]), 2),
            number(value(lambda r: 1e6 * r["cpuSeconds"]["upstream"] / r["outputDeltas"]), 2),
            number(value(lambda r: 1e6 * r["generatorCPUSeconds"] / r["outputDeltas"]), 2),
            number(value(lambda r: r["failed"]), 0)])
    return table(["", "events/s", "CPU us/event", "upstream's us/event",
                  "generator's us/event", "failed"], rows)


def small(results, experiment):
    rows = []
    for peer in results.peers(experiment):
        def value(read):
            return results.value(experiment, peer, read)

        rows.append([
            peer, number(value(lambda r: r["requestsPerSecond"])),
            number(value(lambda r: 1e6 * cpu(r, peer) / r["succeeded"])),
            number(value(lambda r: r["requests"] - r["succeeded"]), 0)])
    return table(["", "requests/s", "CPU us/request", "failed"], rows)


def native(results, experiment):
    rows = []
    for process in ("switchyard", "worker"):
        rows.append([process, *(number(results.value(
            experiment, "switchyard", read), 2) for read in (
                lambda r: 1e6 * r["cpuSeconds"][process] / r["outputTokens"],
                lambda r: r["outputTokensPerSecond"]))])
    return table(["process", "CPU us/token", "tokens/s"], rows)


def engine(results, experiment):
    rows = []
    reads = [
        ("tokens/s", lambda r: r["outputTokensPerSecond"]),
        ("requests/s", lambda r: r["requestsPerSecond"]),
        ("TTFT p50 ms", lambda r: r["timeToFirstToken"]["p50"]),
        ("TTFT p99 ms", lambda r: r["timeToFirstToken"]["p99"]),
        ("ITL p50 ms", lambda r: r["interTokenLatency"]["p50"]),
        ("ITL p99 ms", lambda r: r["interTokenLatency"]["p99"]),
        ("ITL p99 with long prompts ms",
         lambda r: r["probe"]["interTokenLatencyDuring"]["p99"]),
    ]
    if experiment == "turns":
        reads = [("TTFT p50 ms", lambda r: r["p50"]), ("TTFT p99 ms", lambda r: r["p99"])]
    reads = [(name, read) for name, read in reads
             if any(results.value(experiment, peer, read) is not None
                    for peer in results.peers(experiment))]
    for peer in results.peers(experiment):
        rows.append([peer, *(number(results.value(experiment, peer, read))
                             for _, read in reads)])
    return table(["", *(name for name, _ in reads)], rows)


TITLES = {
    "paced": ("1,000 streams, a token each 100 ms, evenly spread", delays),
    "burst": ("1,000 streams, a token each 100 ms, all at once", delays),
    "fast-64": ("64 streams as fast as can be", fast),
    "fast-256": ("256 streams as fast as can be", fast),
    "small-chat": ("Whole answers of one token", small),
    "small-models": ("GET /v1/models", small),
    "native-h2": ("Native workers, 256 streams at will, HTTP/2 clients", native),
    "native-h1": ("Native workers, 256 streams at will, HTTP/1.1 clients", native),
    "throughput-16": ("Real model, 16 streams", engine),
    "throughput-32": ("Real model, 32 streams", engine),
    "knee": ("Real model, llama-server's capacity", engine),
    "first-token": ("Real model, 70 % of llama-server's knee", engine),
    "long-prompts": ("Real model, 15 streams while prompts of 2,000 tokens arrive", engine),
    "turns": ("Real model, 8 conversations of 4 turns with one system prompt", engine),
}


def render(raw, facts):
    results = Results(raw)
    parts = ["# Comparison", "", *(f"- {name}: {value}" for name, value in facts.items()), ""]
    for experiment, (title, write) in TITLES.items():
        if not results.peers(experiment):
            continue
        rounds = max(len(results.rounds(experiment, peer)) for peer in results.peers(experiment))
        parts += [f"## {title}", "", f"`{experiment}`, medians of {rounds} rounds", "",
                  write(results, experiment), ""]
        for peer in results.peers(experiment):
            if failure := results.failure(experiment, peer):
                parts += [f"{peer} failed: {failure.splitlines()[0][:200]}", ""]
    return "\n".join(parts)
