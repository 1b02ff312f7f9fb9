"""What a soak must not show. Each check is (what, value, bound, whether it holds)."""

from . import server as servers
from .trends import least_squares, theil_sen

# The first third fills what is meant to be filled: tables, caches, the allocator's pools.
SKIPPED_SHARE = 1 / 3
# That takes some ten thousand requests: memory of shorter runs is told, not judged. (At 30
# requests/s it grew by 2,208 KiB in the second minute, and by 304 in the fourth.)
JUDGED_MINUTES = 45
# A kibibyte lost with each request would be 720 KiB a minute at 12 requests/s, 48 bytes 34. A page
# cache of SQLite or an arena in pieces moves by as much in minutes, not in an hour. The lower end
# of the slope's 95 % interval is held against it: a short run fails by what is certain only.
GATEWAY_KIB_PER_MINUTE = 32
# A worker keeps less, but its table of prefixes fills slowly.
WORKER_KIB_PER_MINUTE = 32
# Files that are opened when they are first needed: the ledger's, /proc's while it is read.
DESCRIPTORS_MORE = 3
# Pools of threads grow to their size when they are first used.
THREADS_MORE = 2
# A record is 2 to 4 bytes for each token of a step, a step's frame has a head of 8, and a request's
# beginning takes some 200: with few sequences at a time the heads are most of it.
JOURNAL_BYTES_PER_TOKEN = 32
# A row with its hash and its share of indices; the write-ahead log besides, whose size is bounded.
LEDGER_BYTES_PER_REQUEST = 2_048
LEDGER_FIXED_BYTES = 16 << 20
# Every kill loses what ran there, which must go on elsewhere: no kind of error is explained by one.
EXPLAINED_ERRORS = ()
# How requests may end in the gateway's own account: clients that give up close their streams.
GOOD_OUTCOMES = ("finished", "client_closed")


def growth(samples, read):
    """Of what `read` finds in samples, in its unit per minute: least squares, and Theil-Sen."""
    begin = samples[-1]["seconds"] * SKIPPED_SHARE
    points = [(sample["seconds"] / 60, value) for sample in samples
              if sample["seconds"] >= begin and (value := read(sample)) is not None]
    median, low, high = theil_sen(points)
    return {"least squares": least_squares(points), "theil-sen": median, "from": low, "to": high}


def gateway_memory(sample):
    return sample["gateway"] and sample["gateway"]["resident KiB"]


def worker_memory(sample):
    """Of the worker that is left alone."""
    return sample["workers"].get(0, {}).get("resident KiB")


def checks(seen):
    """`seen`: what soak.py writes."""
    begin, end, samples = seen["begin"], seen["end"], seen["samples"]
    found = []

    def holds(what, value, bound, is_good):
        found.append({"what": what, "value": value, "bound": bound, "holds": bool(is_good)})

    def at_most(what, value, bound):
        holds(what, round(value, 1), f"<= {bound:,}", value <= bound)

    def equal(what, value, bound):
        holds(what, value, f"{bound}", value == bound)

    for name, report in seen["reports"].items():
        errors = {kind: count for kind, count in report["errors"].items()
                  if kind not in EXPLAINED_ERRORS}
        equal(f"errors over {name}", errors, {})
        holds(f"answers over {name}", report["succeeded"], "> 0", report["succeeded"] > 0)
    equal("other ends of requests, by the gateway", {
        kind: count for kind, count in seen["outcomes"].items() if kind not in GOOD_OUTCOMES}, {})
    for name in ("open", "in flight", "queued"):
        equal(f"requests {name} at the end", end[name], 0)
    equal("workers ready at the end", len(seen["workers"]), servers.WORKERS)
    for name in ("in_flight", "other_in_flight"):
        # What a worker has that its gateway does not know of would be a slot that is lost.
        equal(f"slots taken at the end ({name})", sum(each[name] for each in seen["workers"]), 0)
    equal("breakers", sorted({each["breaker"] for each in seen["workers"]}), ["closed"])
    first = {sample["workers"].get(0, {}).get("pid") for sample in samples} - {None}
    equal("lives of the worker left alone", len(first), 1)
    for name, bound in (("gateway", GATEWAY_KIB_PER_MINUTE), ("worker", WORKER_KIB_PER_MINUTE)):
        slope, what = seen["growth"][name]["from"], f"{name}'s memory, KiB/minute (lower end)"
        if seen["settings"]["minutes"] >= JUDGED_MINUTES:
            at_most(what, slope, bound)
        else:
            holds(what, round(slope, 1), f"not judged under {JUDGED_MINUTES} minutes", True)
    at_most("gateway's descriptors more than at first",
            end["gateway"]["descriptors"] - begin["gateway"]["descriptors"], DESCRIPTORS_MORE)
    at_most("gateway's threads more than at first",
            end["gateway"]["threads"] - begin["gateway"]["threads"], THREADS_MORE)
    alone = {name: end["workers"][0][name] - begin["workers"][0][name]
             for name in ("descriptors", "threads")} if 0 in end["workers"] else {}
    at_most("worker's descriptors more than at first", alone.get("descriptors", 999),
            DESCRIPTORS_MORE)
    at_most("worker's threads more than at first", alone.get("threads", 999), THREADS_MORE)
    equal("child processes, zombies too", len(seen["children"]), servers.WORKERS)
    equal("sockets of workers", len(seen["sockets"]), servers.WORKERS)
    tokens = max(1, end["tokens"] - begin["tokens"])
    at_most("bytes of journals per token",
            (end["disk"]["journals"] - begin["disk"]["journals"]) / tokens,
            JOURNAL_BYTES_PER_TOKEN)
    requests = max(1, sum(seen["outcomes"].values()))
    at_most("bytes of ledger per request", max(
        0, end["disk"]["ledger"] - begin["disk"]["ledger"] - LEDGER_FIXED_BYTES) / requests,
        LEDGER_BYTES_PER_REQUEST)
    holds("workers disturbed", sum(seen["disturbed"].values()),
          f">= {seen['disturbances']}", sum(seen["disturbed"].values()) >= seen["disturbances"])
    equal("exit status after SIGTERM", seen["exit status"], 0)
    equal("ledger verified", seen["ledger verified"], True)
    return found
