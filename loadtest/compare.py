#!/usr/bin/env python3
"""Compares gateways and engines with ours: interleaved rounds, medians, CPU seconds by process.

    loadtest/compare.py [--only EXPERIMENT,...] [--peers NAME,...] [--rounds N] [--quick]
                        [--programs DIR] [--commit TEXT] [--output DIR] [--pages-only]

Writes into loadtest/results/DATE-compare: raw.json (every run with its commands; PROGRAMS, TMP and
~ stand for folders), table.md, compare.html (medians and ranges) and runs-EXPERIMENT.html
(distributions). What the folder has of earlier calls stays until all rounds of the same experiment
and peer have succeeded anew, so that parts can be run one after the other.
"""

import argparse
import datetime
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

from peers import (  # noqa: E402
    alone, engines, gateways, install, native, plots, processes, results, tables, turns)

EXPERIMENTS = {**alone.EXPERIMENTS, **native.EXPERIMENTS, **engines.EXPERIMENTS,
               **turns.EXPERIMENTS}
PEERS = list(dict.fromkeys([*gateways.ALL, *engines.ALL]))


class Context:
    """What experiments are told, and where their results go."""

    def __init__(self, arguments):
        self.programs = arguments.programs.resolve()
        self.quick, self.rate, self.rounds = arguments.quick, arguments.rate, arguments.rounds
        self.peers = arguments.peers
        self.model = os.environ.get("SWITCHYARD_DEFAULT_MODEL")
        self.llama = Path(os.environ.get("SWITCHYARD_LLAMA_PREFIX", "/nowhere"))
        self.output = arguments.output
        self.results = results.Results.read(self.output / "raw.json")
        self.run = {"began": now(), "commit": arguments.commit, "quick": self.quick,
                    "rounds": self.rounds, "load average": Path("/proc/loadavg").read_text()[:4]}

    def seconds(self, usual):
        return usual / 2 if self.quick else usual

    def values(self, experiment, peer, key):
        return [result[key] for result in self.results.rounds(experiment, peer)]

    def each(self, experiment, number, names, run):
        """One round: `run(name, directory)` for each of `names`, in an order that rotates between
        rounds. It returns what it measured, and the servers that ran."""
        shift = number % len(names) if names else 0
        for name in names[shift:] + names[:shift]:
            print(f"compare: {experiment}, round {number + 1}, {name}", file=sys.stderr)
            # Kept, with its logs, when the run failed.
            directory = tempfile.mkdtemp(prefix=f"compare-{experiment}-{number}-{name}-")
            try:
                result, servers = run(name, directory)
                self.add(experiment, name, number, result=result, servers={
                    each.name: {"command": each.command, "threads": each.threads()}
                    for each in servers})
            except Exception as error:  # one peer's failure is a result, not the end
                self.failed(experiment, name, number, error)
                directory = None
            finally:
                processes.stop_all()
            if directory:
                shutil.rmtree(directory, ignore_errors=True)

    def failed(self, experiment, peer, number, error):
        print(f"compare: {experiment}, round {number + 1}, {peer} FAILED: {error}",
              file=sys.stderr)
        if not isinstance(error, (OSError, processes.Failed, subprocess.SubprocessError)):
            traceback.print_exception(error, limit=-2)
        self.add(experiment, peer, number, error=str(error) or type(error).__name__)

    def add(self, experiment, peer, number, **what):
        rounds = 1 if experiment == "knee" else self.rounds
        self.results.add(self.run, {
            "experiment": experiment, "peer": peer, "round": number, "of": rounds, "at": now(),
            **what})
        self.save()

    def save(self):
        self.output.mkdir(parents=True, exist_ok=True)
        text = self.results.text()
        for path, name in ((self.programs, "PROGRAMS"), (tempfile.gettempdir(), "TMP"),
                           (ROOT, "."), (Path.home(), "~")):
            text = text.replace(str(path), name)
        (self.output / "raw.json").write_text(text)
        (self.output / "table.md").write_text(tables.render(self.results))


def now():
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def first_line(command):
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    lines = (done.stdout + done.stderr).strip().splitlines()
    return lines[0] if lines else "unknown"


def facts():
    """Machine and versions, for whoever reads the results."""
    model = next((line.split(":")[1].strip() for line in Path("/proc/cpuinfo").open()
                  if line.startswith("model name")), "unknown")
    memory = int(Path("/proc/meminfo").read_text().split()[1]) / 1e6
    found = {"machine": f"{model}, {processes.CORES} cores, {memory:.0f} GB, Linux "
                        f"{platform.release()}"}
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
    parser.add_argument("--quick", action="store_true",
                        help="half the time for each run: to see that everything works")
    parser.add_argument("--pages-only", action="store_true",
                        help="measure nothing; write tables and pages anew from raw.json")
    parser.add_argument("--rate", type=float, help="requests/s of first-token")
    parser.add_argument("--programs", type=Path, default=ROOT / ".build/release")
    parser.add_argument("--commit", help="what --programs were built from (default: HEAD)",
                        default=first_line(["git", "describe", "--always", "--dirty",
                                            "--exclude", "*"]))
    parser.add_argument("--output", type=Path, default=ROOT / "loadtest/results" / (
        datetime.date.today().isoformat() + "-compare"))
    arguments = parser.parse_args()
    processes.exit_on_signals()
    context = Context(arguments)
    try:
        if not arguments.pages_only:
            context.results.facts.update(facts())
            measure(context, arguments.only)
    finally:
        if context.results.entries:
            context.save()
            plots.write(context.results, context.output, context.programs)
    print(context.output / "table.md", context.output / "compare.html", sep="\n")


def measure(context, experiments):
    """Rounds are the outer loop: what drifts on the machine reaches all experiments alike."""
    for number in range(context.rounds):
        for name in experiments:
            try:
                EXPERIMENTS[name](context, number)
            except processes.Failed as error:  # of what an experiment needs beforehand
                print(f"compare: {name}, round {number + 1}: {error}", file=sys.stderr)


if __name__ == "__main__":
    main()
