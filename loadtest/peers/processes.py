"""Processes that a comparison starts: their ports, logs, CPU seconds and memory (proc(5)).

Each is a session of its own, so that all that belongs to it can be found and ended: by `stop`, by
`stop_all`, and at the exit of this program, which SIGTERM and SIGHUP bring about as Ctrl-C does.
"""

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
CORES = len(os.sched_getaffinity(0))


class Failed(Exception):
    """Something that a comparison needs did not come up; the text says what and why."""


def free_port():
    """Of loopback; most peers cannot be told to let the system choose."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def fetch(url, seconds=2):
    """The answer's body; None unless it is 200."""
    try:
        with urllib.request.urlopen(url, timeout=seconds) as answer:
            return answer.read()
    except (urllib.error.URLError, OSError, ValueError):
        return None


def post(url, body, seconds=60):
    """A JSON answer. Raises what urllib does."""
    request = urllib.request.Request(
        url, json.dumps(body).encode(),
        {"content-type": "application/json", "authorization": "Bearer none"})
    with urllib.request.urlopen(request, timeout=seconds) as answer:
        return json.load(answer)


class Process:
    """One program and what it starts itself. Its output goes to `log`."""

    def __init__(self, name, command, directory, environment=None, first_line=False):
        self.name = name
        self.command = [str(part) for part in command]
        self.log = Path(directory) / f"{name}.log"
        with open(self.log, "ab") as log:
            self.child = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stderr=log, cwd=directory,
                stdout=subprocess.PIPE if first_line else log,
                env={**os.environ, **(environment or {})}, start_new_session=True)
        self.first_line = None
        _running.append(self)
        if first_line:
            self.first_line = self.child.stdout.readline().decode()
            if not self.first_line:
                self.stop()
                raise Failed(self.describe("ended"))

    def describe(self, what):
        text = self.log.read_text(errors="replace")
        return f"{self.name} {what}; its log ends with:\n{text[-3000:]}"

    def await_true(self, condition, seconds=180):
        """Raises `Failed`, and stops it, when it ends before or takes longer."""
        end = time.monotonic() + seconds
        while not condition():
            if self.child.poll() is not None:
                self.stop()
                raise Failed(self.describe(f"ended with {self.child.returncode}"))
            if time.monotonic() > end:
                self.stop()
                raise Failed(self.describe(f"was not ready after {seconds} s"))
            time.sleep(0.1)

    def pids(self):
        """Its own and its descendants'."""
        children = {}
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                fields = stat(int(entry))
                if fields:
                    children.setdefault(int(fields[1]), []).append(int(entry))
        found, queue = [], [self.child.pid]
        while queue:
            pid = queue.pop()
            found.append(pid)
            queue.extend(children.get(pid, []))
        return found

    def cpu_seconds(self):
        """Of all its processes so far, those that ended included."""
        total = 0
        for pid in self.pids():
            fields = stat(pid)
            if fields:
                total += sum(map(int, fields[11:15]))
        return total / TICKS

    def resident_bytes(self):
        """Of all its processes; what they share counts for each."""
        total = 0
        for pid in self.pids():
            try:
                total += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
            except (OSError, IndexError):
                pass
        return total

    def threads(self):
        """How many threads all its processes have."""
        return sum(int(fields[17]) for fields in map(stat, self.pids()) if fields)

    def stop(self, seconds=10):
        """SIGTERM to its group, then SIGKILL to whatever of its session is left."""
        if self in _running:
            _running.remove(self)
        _signal(os.killpg, self.child.pid, signal.SIGTERM)
        try:
            self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            pass
        finally:
            for pid in self._session():
                _signal(os.kill, pid, signal.SIGKILL)
            self.child.wait()
            if self.child.stdout:
                self.child.stdout.close()

    def _session(self):
        """Processes of its session, orphans and those of other groups included."""
        found = []
        for entry in os.listdir("/proc"):
            fields = stat(entry) if entry.isdigit() else None
            if fields and fields[0] != "Z" and int(fields[3]) == self.child.pid:
                found.append(int(entry))
        return found


_running = []


class One:
    """One process of those that a program started, without its children."""

    def __init__(self, name, pid):
        self.name, self.pid = name, pid

    def pids(self):
        return [self.pid]


def _signal(send, target, number):
    try:
        send(target, number)
    except ProcessLookupError:
        pass


@atexit.register
def stop_all():
    while _running:
        _running[-1].stop()


def exit_on_signals():
    """What ends this program ends what it started."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, frame: sys.exit(128 + number))


def stat(pid):
    """Fields of /proc/PID/stat from the third on: state, parent, …; None when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
