"""What a running server holds: memory, descriptors, threads, requests, files (proc(5))."""

import os
import re
import time
from pathlib import Path

from peers.processes import stat

METRICS = {"open": "switchyard_requests_open", "in flight": "switchyard_in_flight",
           "queued": "switchyard_queue_depth", "slots ready": "switchyard_slots_ready",
           "resumes": "switchyard_resumes_total", "retries": "switchyard_retries_total",
           "tokens": "switchyard_generation_tokens_total"}


def of_process(pid):
    """None when it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        resident = re.search(r"VmRSS:\s+(\d+)", status)
        return {"resident KiB": int(resident[1]), "threads": int(
            re.search(r"Threads:\s+(\d+)", status)[1]),
            "descriptors": len(os.listdir(f"/proc/{pid}/fd"))} if resident else None
    except OSError:
        return None


def descriptors(pid):
    """{what they are open on: how many}, without the numbers of sockets and pipes."""
    found = {}
    for number in os.listdir(f"/proc/{pid}/fd"):
        try:
            target = os.readlink(f"/proc/{pid}/fd/{number}")
        except OSError:
            continue
        kind = re.sub(r"^(socket|pipe):.*", r"\1", target)
        found[kind] = found.get(kind, 0) + 1
    return found


def children(pid):
    """{pid: state}, zombies too."""
    found = {}
    for entry in os.listdir("/proc"):
        fields = stat(int(entry)) if entry.isdigit() else None
        if fields and int(fields[1]) == pid:
            found[int(entry)] = fields[0]
    return found


def disk(data):
    """Bytes by kind, and how many files there are in all."""
    found = {"journals": 0, "ledger": 0, "other": 0, "files": 0}
    for folder, _, names in os.walk(data):
        for name in names:
            try:
                size = os.lstat(os.path.join(folder, name)).st_size
            except OSError:
                continue
            kind = ("journals" if "/journals" in folder else
                    "ledger" if name.startswith("switchyard.sqlite") else "other")
            found[kind] += size
            found["files"] += 1
    return found


def sockets(data):
    """Workers' sockets; each life has one of its own."""
    return sorted(path.name for path in Path(data).glob("run-*/*.sock"))


def take(server, begin):
    """One sample; workers by their index, with the life (pid) that they are in."""
    gateway = server.process.child.pid
    metrics, listed = server.metrics() or {}, server.listed() or []
    workers = {}
    for each in listed:
        seen = of_process(each["process"]["pid"])
        if seen:
            workers[each["process"]["index"]] = {
                **seen, "pid": each["process"]["pid"], "in flight": each["in_flight"]}
    return {
        "seconds": time.monotonic() - begin, "gateway": of_process(gateway), "workers": workers,
        "disk": disk(server.data), **{name: metrics.get(key) for name, key in METRICS.items()}}


def outcomes(server):
    """{outcome: requests} that are not 0."""
    found = {}
    for name, value in (server.metrics() or {}).items():
        match = re.fullmatch(r'switchyard_requests_total\{outcome="(\w+)"\}', name)
        if match and value:
            found[match[1]] = int(value)
    return found
