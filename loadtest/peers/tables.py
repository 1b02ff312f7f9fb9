"""The figures of a comparison, one table for each experiment, and their Markdown."""

import dataclasses
import math
import statistics
from collections.abc import Callable

MISSING = (KeyError, TypeError, ZeroDivisionError)


def median(values):
    return statistics.median(values) if values else None


def number(value, digits=1):
    if value is None:
        return "-"
    if math.isinf(value):
        return "none in time"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.{digits}f}"


@dataclasses.dataclass(frozen=True)
class Column:
    """`read(result, peer)` is a round's figure; what it has not is left out. `added`: less the
    median of that without a gateway. `plotted`: also a part of the page's picture."""

    title: str
    read: Callable
    digits: int = 1
    plotted: bool = False
    added: bool = False

    def values(self, results, experiment, peer):
        """Of each round that counts."""
        found = []
        for result in results.rounds(experiment, peer):
            try:
                found.append(self.read(result, peer))
            except MISSING:
                pass
        if not self.added:
            return found
        base = None if peer == "direct" else median(
            dataclasses.replace(self, added=False).values(results, experiment, "direct"))
        return [] if base is None else [value - base for value in found]

    def cell(self, results, experiment, peer):
        values = self.values(results, experiment, peer)
        return number(median(values), self.digits)


@dataclasses.dataclass(frozen=True)
class Count(Column):
    """So many of so many: `read` gives both, and all rounds are summed up."""

    def cell(self, results, experiment, peer):
        pairs = self.values(results, experiment, peer)
        return f"{sum(a for a, _ in pairs)} of {sum(b for _, b in pairs)}" if pairs else "-"


def own_cpu(result, peer):
    """Microseconds of the gateway; of the upstream where there is none."""
    return 1e6 * result["cpuSeconds"]["upstream" if peer == "direct" else peer]


def probe_wait(result, peer):
    """Infinite where no long prompt got its first token while it was measured."""
    first = result["probe"].get("timeToFirstToken")
    return first["p50"] if first else math.inf


def probes(result, peer):
    first = result["probe"].get("timeToFirstToken")
    sent = result["probe"].get("sent")
    if sent is None:
        sent = int(result["command"][result["command"].index("--probe-count") + 1])
    return (first["count"] if first else 0), sent


def at(*path, scale=1):
    """Reads what lies at such a path."""
    def read(result, peer):
        for name in path:
            result = result[name]
        return result * scale
    return read


DELAYS = [
    Column("events/s", at("eventsPerSecond")),
    Column("CPU us/event", lambda r, p: own_cpu(r, p) / (r["eventsPerSecond"] * r["seconds"]),
           plotted=True),
    Column("delay p50 us", at("delay", "p50")), Column("p99 us", at("delay", "p99")),
    Column("added p50 us", at("delay", "p50"), added=True, plotted=True),
    Column("added p99 us", at("delay", "p99"), added=True, plotted=True),
    Column("RSS MB", lambda r, p: r["openBytes"][p] / 1e6),
    Column("KiB/stream", lambda r, p: (r["openBytes"][p] - r["idleBytes"][p]) / r["streams"] / 1024,
           plotted=True),
    Column("failed streams", lambda r, p: r["streams"] - r["delivering"], 0),
]
FAST = [
    Column("events/s", lambda r, p: r["outputDeltas"] / r["seconds"], plotted=True),
    Column("CPU us/event", lambda r, p: own_cpu(r, p) / r["outputDeltas"], 2, plotted=True),
    Column("upstream's us/event",
           lambda r, p: 1e6 * r["cpuSeconds"]["upstream"] / r["outputDeltas"], 2),
    Column("generator's us/event",
           lambda r, p: 1e6 * r["generatorCPUSeconds"] / r["outputDeltas"], 2),
    Column("failed", at("failed"), 0),
]
BURSTY = [
    Column("requests/s", at("requestsPerSecond")),
    Column("TTFT p50 ms", at("timeToFirstToken", "p50"), plotted=True),
    Column("TTFT p99 ms", at("timeToFirstToken", "p99"), plotted=True),
    Column("ITL p50 ms", at("interTokenLatency", "p50")),
    Column("ITL p99 ms", at("interTokenLatency", "p99"), plotted=True),
    Column("CPU us/event", lambda r, p: own_cpu(r, p) / r["outputDeltas"], plotted=True),
    Column("failed", at("failed"), 0), Column("cut off at the end", at("cutOff"), 0),
]
SMALL = [
    Column("requests/s", at("requestsPerSecond"), plotted=True),
    Column("CPU us/request", lambda r, p: own_cpu(r, p) / r["succeeded"], plotted=True),
    Column("failed", lambda r, p: r["requests"] - r["succeeded"], 0),
]
NATIVE = [
    Column("tokens/s", at("outputTokensPerSecond"), plotted=True),
    Column("gateway's CPU us/token", lambda r, p: own_cpu(r, p) / r["outputTokens"], 2,
           plotted=True),
    Column("worker's CPU us/token",
           lambda r, p: 1e6 * r["cpuSeconds"]["worker"] / r["outputTokens"], 2, plotted=True),
    Column("failed", at("failed"), 0),
]
ENGINE = [
    Column("tokens/s", at("outputTokensPerSecond"), plotted=True),
    Column("requests/s", at("requestsPerSecond")),
    Column("TTFT p50 ms", at("timeToFirstToken", "p50"), plotted=True),
    Column("TTFT p99 ms", at("timeToFirstToken", "p99"), plotted=True),
    Column("ITL p50 ms", at("interTokenLatency", "p50")),
    Column("ITL p99 ms", at("interTokenLatency", "p99"), plotted=True),
    Column("failed", at("failed"), 0),
]
# Clients' own answers are longer than the run: no requests/s.
LONG_PROMPTS = [
    ENGINE[0],
    Column("ITL p50 ms", at("interTokenLatency", "p50")),
    Column("ITL p99 while long prompts wait ms", at("probe", "interTokenLatencyDuring", "p99"),
           plotted=True),
    Column("long prompts' TTFT p50 ms", probe_wait, plotted=True),
    Count("long prompts begun in time", probes),
    Column("failed", at("failed"), 0),
]
TURNS = [
    Column("first turn TTFT p50 ms", at("firstTurn", "p50"), plotted=True),
    Column("p99 ms", at("firstTurn", "p99")),
    Column("later turns TTFT p50 ms", at("laterTurns", "p50"), plotted=True),
    Column("p99 ms", at("laterTurns", "p99")),
    # Of results from before turns were told apart.
    Column("all turns TTFT p50 ms", at("p50"), plotted=True), Column("p99 ms", at("p99")),
]

PANELS = {
    "paced": ("1,000 streams, a token each 100 ms, evenly spread", DELAYS),
    "burst": ("1,000 streams, a token each 100 ms, all at once", DELAYS),
    "fast-64": ("64 streams as fast as can be", FAST),
    "fast-256": ("256 streams as fast as can be", FAST),
    "bursty-arrivals": ("100 chats/s of 32 tokens, arriving in bursts (CV 3)", BURSTY),
    "small-chat": ("Whole answers of one token", SMALL),
    "small-models": ("GET /v1/models", SMALL),
    "native-h2": ("Native worker, 256 streams at will, HTTP/2 clients", NATIVE),
    "native-h1": ("Native worker, 256 streams at will, HTTP/1.1 clients", NATIVE),
    "throughput-16": ("Real model, 16 streams", ENGINE),
    "throughput-32": ("Real model, 32 streams", ENGINE),
    "knee": ("Real model, llama-server's capacity", ENGINE),
    "first-token": ("Real model, 70 % of llama-server's knee", ENGINE),
    "long-prompts": ("Real model, 15 streams while prompts of 2,000 tokens arrive", LONG_PROMPTS),
    "turns": ("Real model, 8 conversations of 4 turns with one system prompt", TURNS),
}


def label(results, experiment, peer):
    """The peer's name; with its number of clients where that is not the others'."""
    def clients(name):
        found = {result["command"][index + 1] for result in results.rounds(experiment, name)
                 for index, word in enumerate(result.get("command", []))
                 if word == "--concurrency"}
        return found.pop() if len(found) == 1 else None

    counts = [clients(name) for name in results.peers(experiment)]
    mine = clients(peer)
    usual = max(counts, key=counts.count)
    return peer if mine is None or mine == usual else f"{peer} ({mine} clients)"


def shown(results, experiment):
    """Columns of which any peer has a figure."""
    return [column for column in PANELS[experiment][1]
            if any(column.values(results, experiment, peer)
                   for peer in results.peers(experiment))]


def markdown(results, experiment):
    columns = shown(results, experiment)
    return table(
        ["", *(column.title for column in columns)],
        [[label(results, experiment, peer),
          *(column.cell(results, experiment, peer) for column in columns)]
         for peer in results.peers(experiment)])


def table(head, rows):
    """Of texts; all but the first column are numbers."""
    lines = [f"| {' | '.join(cells)} |" for cells in (head, *rows)]
    return "\n".join([lines[0], "|---|" + "--:|" * (len(head) - 1), *lines[1:]])


def notes(results, experiment):
    """What a reader of the table has to know beside it."""
    found = []
    if any(column.added for column in PANELS[experiment][1]) and not results.rounds(
            experiment, "direct"):
        found.append("What gateways add is not known: no run without one succeeded.")
    for peer in results.peers(experiment):
        if failures := results.failures(experiment, peer):
            found.append(f"{peer} failed {len(failures)} times, last: "
                         f"{failures[-1].splitlines()[0][:200]}")
    return found


def render(results):
    parts = ["# Comparison", "",
             *(f"- {name}: {value}" for name, value in sorted(results.facts.items())), ""]
    for experiment, (title, _) in PANELS.items():
        if results.peers(experiment):
            parts += [f"## {title}", "", f"`{experiment}`, medians; "
                      f"{results.circumstances(experiment)}", "",
                      markdown(results, experiment), ""]
            for note in notes(results, experiment):
                parts += [note, ""]
    return "\n".join(parts)
