#!/usr/bin/env python3
"""Hours of mixed load while workers are killed and restarted: nothing is lost, nothing grows.

    loadtest/soak.py [--minutes 60] [--every 20] [--rate 12] [--programs DIR] [--output DIR]

One `switchyard serve` with four simulated workers and three tenants. `scenarios/soak.yaml` over
HTTP/2, HTTP/1.1 and gRPC at once: streams, conversations, clients that give up, read slowly or
stop reading. One worker after the other is killed with -9 or drained and started anew, but the
first, whose memory is watched over the whole run. Every 10 s memory, descriptors, threads and
requests are looked at; at the end what must be free again, whether the ledger is whole, and how
fast memory grew. Bounds and reasons are in `soaking/bounds.py`. Prints a table, writes soak.json
(every sample, every load report) and exits with 1 when a bound is crossed.
"""

import argparse
import contextlib
import datetime
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "loadtest"))

from peers.processes import Failed, exit_on_signals  # noqa: E402
from peers.tables import number, table  # noqa: E402
from soaking import bounds, samples  # noqa: E402
from soaking.server import Disturbance, Server  # noqa: E402

# From ROOT: reports tell their command.
SCENARIO = "loadtest/scenarios/soak.yaml"
# Of the arrivals; HTTP/2 is what most clients are told to use.
SHARES = {"h2": 0.5, "h1": 0.25, "grpc": 0.25}
SAMPLE_SECONDS = 10
# Long enough for each path to have been used once, before descriptors are counted at first.
FIRST_SECONDS = 15
# Clients that went are noticed at once; connections they left are closed by then.
SETTLE_SECONDS = 20


def generators(arguments, server, environment, directory, seconds, seed):
    """One load generator for each protocol, writing its report into `directory`."""
    running = {}
    for index, (protocol, share) in enumerate(SHARES.items()):
        command = [arguments.programs.resolve() / "switchyard-load", "run",
                   "--scenario", SCENARIO, "--url", server.url, "--protocol", protocol,
                   "--rate", arguments.rate * share, "--duration", seconds,
                   "--seed", seed + index, "--json", "--no-progress"]
        with open(Path(directory, f"{protocol}.json"), "wb") as output, \
                open(Path(directory, f"{protocol}.log"), "ab") as log:
            running[protocol] = subprocess.Popen(
                [str(part) for part in command], stdout=output, stderr=log,
                cwd=ROOT, env={**os.environ, **environment})
    return running


def reports(running, directory):
    found = {}
    for protocol, process in running.items():
        process.wait(120)
        text = Path(directory, f"{protocol}.json").read_text()
        if not text.startswith("{"):
            raise Failed(f"no report over {protocol}: "
                         + Path(directory, f"{protocol}.log").read_text()[-800:])
        found[protocol] = json.loads(text)
        # Hours of seconds; the samples say what happened when.
        for part in ("timeline", "blocks", "cdfs"):
            found[protocol].pop(part, None)
    return found


def settle(server):
    """Until nothing runs, and a little longer; True if that came."""
    end = time.monotonic() + 60
    while not server.is_idle() and time.monotonic() < end:
        time.sleep(0.5)
    idle = server.is_idle()
    time.sleep(SETTLE_SECONDS)
    return idle


def soak(arguments, directory):
    model = os.environ["SWITCHYARD_DEFAULT_MODEL"]
    server = Server(arguments.programs, model, directory)
    gateway, running = server.process.child.pid, {}
    try:
        keys = server.keys()
        running = generators(arguments, server, keys, directory, FIRST_SECONDS, 1_000)
        reports(running, directory)
        settle(server)
        start = time.monotonic()
        seen = {"begin": samples.take(server, start), "samples": [], "settings": {
            "minutes": arguments.minutes, "rate": arguments.rate, "every": arguments.every},
            "descriptors": {"begin": samples.descriptors(gateway)}}
        cpu = server.process.cpu_seconds()
        running = generators(arguments, server, keys, directory, arguments.minutes * 60, 1)
        disturbance, ended = Disturbance(server), threading.Event()
        disturber = threading.Thread(target=disturbance.run, args=(arguments.every, ended))
        disturber.start()
        try:
            while any(process.poll() is None for process in running.values()):
                time.sleep(SAMPLE_SECONDS)
                seen["samples"].append(samples.take(server, start))
                show(seen["samples"][-1])
        finally:
            ended.set()
            disturber.join()
        seconds = time.monotonic() - start
        seen["cores"] = (server.process.cpu_seconds() - cpu) / seconds
        seen["reports"] = reports(running, directory)
        disturbance.await_whole()
        seen["settled"] = settle(server)
        seen["end"] = samples.take(server, start)
        seen["descriptors"]["end"] = samples.descriptors(gateway)
        seen["workers"], seen["children"] = server.listed(), samples.children(gateway)
        seen["sockets"], seen["outcomes"] = samples.sockets(server.data), samples.outcomes(server)
        seen["disturbed"], seen["skipped"] = disturbance.counts, disturbance.skipped
        seen["disturbances"] = int(seconds / arguments.every / 2)
        seen["growth"] = {"gateway": bounds.growth(seen["samples"], bounds.gateway_memory),
                          "worker": bounds.growth(seen["samples"], bounds.worker_memory)}
        server.process.child.send_signal(signal.SIGTERM)
        seen["exit status"] = server.process.child.wait(60)
        seen["ledger verified"] = subprocess.run(
            [server.binary, "usage", "verify", "--data-dir", server.data],
            capture_output=True).returncode == 0
        seen["complaints"] = server.complaints()
        return seen
    finally:
        for process in running.values():
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        if server.process.child.poll() is None:
            server.process.stop()


def show(sample):
    gateway = sample["gateway"] or {}
    print(f"soak: {sample['seconds']:6.0f} s, gateway {gateway.get('resident KiB')} KiB,"
          f" {gateway.get('descriptors')} descriptors, {gateway.get('threads')} threads,"
          f" {sample['open']} open, {sample['in flight']} in flight, {sample['queued']} queued,"
          f" {sample['slots ready']} slots, {sample['resumes']} resumes", file=sys.stderr)


def tables(seen):
    rows = [[each["what"], str(each["value"]), each["bound"], "yes" if each["holds"] else "**NO**"]
            for each in seen["checks"]]
    grown = [[name, *(number(figures[key]) for key in (
        "least squares", "theil-sen", "from", "to"))] for name, figures in seen["growth"].items()]
    loads = [[name, *(f"{report[key]:,}" for key in (
        "sent", "succeeded", "cancelled", "cutOff", "failed", "outputTokens")),
        number((report["timeToFirstToken"] or {}).get("p99")),
        number((report["interTokenLatency"] or {}).get("p99"))]
        for name, report in seen["reports"].items()]
    disturbed = ", ".join(f"{count} × {what}" for what, count in seen["disturbed"].items())
    return "\n".join([
        table(["check", "value", "bound", "holds"], rows), "",
        table(["memory, KiB/minute", "least squares", "Theil-Sen", "95 % from", "to"], grown), "",
        table(["load", "sent", "ok", "cancelled", "cut off", "failed", "tokens", "TTFT p99 ms",
               "ITL p99 ms"], loads), "",
        f"{disturbed}, {seen['skipped']} skipped; {seen['end']['resumes']:.0f} resumes, "
        f"{seen['end']['retries']:.0f} retries; gateway and workers {seen['cores']:.2f} cores",
        f"log: {seen['complaints'] or 'no complaints'}"])


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--every", type=float, default=20, help="seconds between disturbances")
    parser.add_argument("--rate", type=float, default=12, help="arrivals/s of all protocols")
    parser.add_argument("--programs", type=Path, default=ROOT / ".build/release")
    parser.add_argument("--output", type=Path, default=ROOT / "loadtest/results" / (
        datetime.date.today().isoformat() + "-soak"))
    arguments = parser.parse_args()
    exit_on_signals()
    arguments.programs = arguments.programs.resolve()
    arguments.output.mkdir(parents=True, exist_ok=True)
    directory = tempfile.mkdtemp(prefix="soak-")
    print(f"soak: logs are in {directory}", file=sys.stderr)
    seen = soak(arguments, directory)
    seen["checks"] = bounds.checks(seen)
    text = json.dumps(seen, indent=1, sort_keys=True)
    for key, value in ((directory, "TMP"), (str(Path.home()), "~")):
        text = text.replace(key, value)
    (arguments.output / "soak.json").write_text(text + "\n")
    (arguments.output / "table.md").write_text(tables(seen) + "\n")
    print(tables(seen))
    return 0 if all(each["holds"] for each in seen["checks"]) else 1


if __name__ == "__main__":
    sys.exit(main())
