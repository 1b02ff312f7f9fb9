#!/usr/bin/env python3
"""Compares gateways and engines with ours: interleaved rounds, medians, CPU seconds by process.

    loadtest/compare.py [--only EXPERIMENT,...] [--peers NAME,...] [--rounds N] [--quick]
                        [--programs DIR] [--output DIR]

Writes raw.json (every run with its command; PROGRAMS, TMP and ~ stand for folders) and table.md
into loadtest/results/DATE-compare. Runs that are already in the folder's raw.json stay, except those
of the experiments and peers that run again, so that parts can be run one after the other.
"""

import argparse
import contextlib
import datetime
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "loadtest"))

from peers import alone, engines, gateways, install, native, tables, turns  # noqa: E402

EXPERIMENTS = {**alone.EXPERIMENTS, **native.EXPERIMENTS, **engines.EXPERIMENTS,
               **turns.EXPERIMENTS}
PEERS = list(dict.fromkeys([*gateways.ALL, *engines.ALL]))


class Context:
    def __init__(self, arguments):
        self.programs = arguments.programs.resolve()
        self.rounds, self.quick, self.rate = arguments.rounds, arguments.quick, arguments.rate
        self.peers = arguments.peers
        self.model = os.environ.get("SWITCHYARD_DEFAULT_MODEL")
        self.llama = Path(os.environ.get("SWITCHYARD_LLAMA_PREFIX", "/nowhere"))
        self.output = arguments.output
        self.output.mkdir(parents=True, exist_ok=True)
        self.path = self.output / "raw.json"
        stored = json.loads(self.path.read_text()) if self.path.exists() else {}
        self.raw, self.facts = stored.get("runs", []), stored.get("facts", {})
        self.current = set()

    @contextlib.contextmanager
    def directory(self, name):
        """For one run's files; kept, with its logs, when it failed."""
        failures = sum("error" in entry for entry in self.raw)
        path = tempfile.mkdtemp(prefix=f"compare-{name}-")
        yield path
        if sum("error" in entry for entry in self.raw) == failures:
            shutil.rmtree(path, ignore_errors=True)

    def values(self, experiment, peer, key):
        return [entry["result"][key] for entry in self.raw
                if entry["experiment"] == experiment and entry["peer"] == peer
                and "result" in entry]

    def add(self, entry):
        key = (entry["experiment"], entry["peer"])
        if key not in self.current:
            self.current.add(key)
            self.raw = [old for old in self.raw if (old["experiment"], old["peer"]) != key]
        entry["at"] = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        self.raw.append(entry)
        self.save()

    def record(self, experiment, peer, number, result, processes):
        print(f"compare: {experiment}, round {number + 1}, {peer}", file=sys.stderr)
        self.add({"experiment": experiment, "peer": peer, "round": number, "result": result,
                  "servers": {each.name: each.command for each in processes}})

    def failed(self, experiment, peer, number, error):
        print(f"compare: {experiment}, round {number + 1}, {peer} FAILED: {error}",
              file=sys.stderr)
        if not isinstance(error, (OSError, RuntimeError, subprocess.SubprocessError)):
            traceback.print_exception(error, limit=-2)
        self.add({"experiment": experiment, "peer": peer, "round": number, "error": str(error)})

    def save(self):
        text = json.dumps({"facts": self.facts, "runs": self.raw}, indent=1, sort_keys=True)
        for path, name in ((self.programs, "PROGRAMS"), (tempfile.gettempdir(), "TMP"),
                           (ROOT, "."), (Path.home(), "~")):
            text = text.replace(str(path), name)
        self.path.write_text(text + "\n")
        (self.output / "table.md").write_text(tables.render(self.raw, self.facts))


def facts():
    """Machine, commit and versions, for whoever reads the results."""

    def first(command):
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
        lines = (done.stdout + done.stderr).strip().splitlines()
        return lines[0] if lines else "unknown"

    model = next((line.split(":")[1].strip() for line in Path("/proc/cpuinfo").open()
                  if line.startswith("model name")), "unknown")
    memory = int(Path("/proc/meminfo").read_text().split()[1]) / 1e6
    found = {
        "date": datetime.datetime.now(datetime.UTC).strftime("%F"),
        "machine": f"{model}, {os.cpu_count()} cores, {memory:.0f} GB, Linux "
                   f"{platform.release()}",
        "commit": first(["git", "rev-parse", "--short", "HEAD"]),
        "load average at the start": Path("/proc/loadavg").read_text().split()[0],
    }
    for name in [*install.DEBIAN, *install.PYTHON]:
        if install.is_installed(name):
            found[name] = install.version(name)
    return found


def names(known):
    def parse(text):
        chosen = text.split(",")
        for name in chosen:
            if name not in known:
                raise argparse.ArgumentTypeError(
                    f"{name} is none of {', '.join(known)}")
        return chosen
    return parse


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", type=names(EXPERIMENTS), default=list(EXPERIMENTS))
    parser.add_argument("--peers", type=names(PEERS), default=PEERS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="to see that everything works")
    parser.add_argument("--rate", type=float, help="requests/s of first-token")
    parser.add_argument("--programs", type=Path, default=ROOT / ".build/release")
    parser.add_argument("--output", type=Path, default=ROOT / "loadtest/results" / (
        datetime.date.today().isoformat() + "-compare"))
    arguments = parser.parse_args()
    context = Context(arguments)
    context.facts.update(facts())
    for name in arguments.only:
        EXPERIMENTS[name](context)
    print((context.output / "table.md").read_text())


if __name__ == "__main__":
    main()
