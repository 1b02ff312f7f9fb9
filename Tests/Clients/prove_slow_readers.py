"""Many clients that do not read beside a few that do: `make prove-slow-readers`. Not part of
`make test`.

A thousand streams on ten connections (simulated engine), or 64 on ten (llama.cpp), whose clients
open no window. Memory of gateway and workers while they wait, the time between tokens of others
with and without them, and every token when they read again.
"""

import time

import pytest

import stalled
import wire
from conftest import Server

ENGINES = {
    "simulated": dict(
        flags=("--engine", "simulated", "--workers", "5", "--slots", "256", "--context", "800000",
               "--queue-limit", "4096", "--worker-argument=--step-time",
               "--worker-argument=20000"),
        streams=1_000, tokens=2_000, readers=8, seconds=15),
    "llama.cpp": dict(
        flags=("--slots", "72", "--context", "147456"),
        streams=64, tokens=1_000, readers=1, seconds=15),
}
CONNECTIONS = 10
# What 64 streams have left takes minutes of a small machine.
wire.LIMIT = 600


def wait_still(server, limit=400):
    """Until nothing is generated any more."""
    end, before = time.monotonic() + limit, None
    while True:
        now = generated(server)
        if now == before:
            return
        assert time.monotonic() < end, "tokens are still generated for nobody"
        before = now
        time.sleep(3)


def generated(server):
    """CPU time of the workers in ticks, in steps that a worker at rest does not take."""
    total = 0
    for pid in server.worker_pids():
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total // 20


@pytest.mark.parametrize("engine", ENGINES)
def test_stalled_readers_cost_others_nothing(engine):
    shape = ENGINES[engine]
    server = Server(*shape["flags"], "--model-name", "smollm2", "--drain-seconds", "1",
                    "--stalled-reader-seconds", "3600")
    connections = []
    try:
        server.wait_ready()
        calm = stalled.Readers(server, shape["readers"], 100, shape["seconds"])
        each = [shape["streams"] // CONNECTIONS + (number < shape["streams"] % CONNECTIONS)
                for number in range(CONNECTIONS)]
        request = stalled.body(shape["tokens"])
        connections = [stalled.Stalled(server, [request] * count) for count in each]
        for connection in connections:
            connection.wait_full()
        wait_still(server)
        before = stalled.resident_kilobytes(stalled.processes(server))
        beside = stalled.Readers(server, shape["readers"], 100, shape["seconds"])
        after = stalled.resident_kilobytes(stalled.processes(server))
        in_flight = server.health()["requests"]["in_flight"]
        for connection in connections:
            connection.read_all()
        texts = [one for connection in connections for one in connection.texts()]
    finally:
        for connection in connections:
            connection.close()
        server.close()
    ratio = beside.milliseconds(0.99) / calm.milliseconds(0.99)
    print(f"\n{engine}: {len(texts)} stalled,",
          f"memory {before / 1024:.0f} to {after / 1024:.0f} MiB,",
          f"ITL of others p99 {calm.milliseconds(0.99):.1f} ms without and",
          f"{beside.milliseconds(0.99):.1f} ms with them ({ratio:.2f} times)")
    assert in_flight == shape["streams"], "they still wait"
    assert abs(after - before) <= 16 * 1024
    assert ratio <= 1.2
    assert all(tokens == shape["tokens"] for _, tokens in texts), "each token came"
    if engine == "simulated":
        assert len(set(texts)) == 1
