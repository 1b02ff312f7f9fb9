"""A thousand streams, a thousand idle connections, ten thousand cancelled streams: nothing is left.

On the simulated engine, so that the gateway, the protocol and the scheduler are what is tested.
"""

import asyncio
import json
import os
import socket
import time

import h2.config
import h2.connection
import h2.events
import h2.settings
import httpx
import pytest
from conftest import body

CONNECTIONS = 10
STREAMS = 1000
CANCELS = 10_000
IDLE = 1000
IDLE_LIMIT_BYTES = 40 << 10


@pytest.fixture(scope="module")
def simulated(launch_module):
    return launch_module(
        "--slots", "128", "--model-name", "smollm2", "--engine", "simulated", "--queue-limit",
        "20000", "--worker-argument=--step-time", "--worker-argument=2000").wait_ready()


def rss_bytes(pid):
    with open(f"/proc/{pid}/status") as status:
        for line in status:
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) << 10
    raise AssertionError("no VmRSS")


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


class Connection:
    """One HTTP/2 connection by hand: many streams, cancelled at will."""

    def __init__(self, port, window=1 << 24):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.h2.initiate_connection()
        # Whole answers fit the windows, so nothing has to be given back.
        self.h2.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: window})
        self.h2.increment_flow_control_window(1 << 30)
        self.socket.sendall(self.h2.data_to_send())
        self.done = set()
        self.texts = {}

    def open(self, request):
        data = json.dumps(request).encode()
        stream = self.h2.get_next_available_stream_id()
        self.h2.send_headers(stream, [
            (":method", "POST"), (":scheme", "http"), (":authority", "localhost"),
            (":path", "/v1/chat/completions"), ("content-type", "application/json"),
            ("content-length", str(len(data)))])
        self.h2.send_data(stream, data, end_stream=True)
        return stream

    def reset(self, stream):
        self.h2.reset_stream(stream, error_code=8)

    def flush(self):
        data = self.h2.data_to_send()
        if data:
            self.socket.sendall(data)

    def pump(self):
        data = self.socket.recv(1 << 18)
        assert data, "the server closed the connection"
        for event in self.h2.receive_data(data):
            if isinstance(event, h2.events.DataReceived):
                self.texts.setdefault(event.stream_id, bytearray()).extend(event.data)
            elif isinstance(event, h2.events.StreamEnded):
                self.done.add(event.stream_id)
            elif isinstance(event, h2.events.ConnectionTerminated):
                raise AssertionError(f"GOAWAY {event.error_code}")
        self.flush()


def test_a_thousand_streams_on_ten_connections_complete(simulated):
    request = body("Go.", stream=True, max_tokens=16, ignore_eos=True)

    async def one(connection):
        streams = [connection.open(request) for _ in range(STREAMS // CONNECTIONS)]
        connection.flush()
        while not connection.done.issuperset(streams):
            await asyncio.to_thread(connection.pump)
        return [connection.texts[stream] for stream in streams]

    async def main():
        connections = [Connection(simulated.port) for _ in range(CONNECTIONS)]
        return await asyncio.gather(*(one(connection) for connection in connections))

    texts = [text for texts in asyncio.run(main()) for text in texts]
    assert len(texts) == STREAMS
    for text in texts:
        assert text.endswith(b"data: [DONE]\n\n")
        assert text.count(b"\"finish_reason\":\"length\"") == 1
    simulated.wait_idle()


def test_idle_connections_are_cheap(simulated):
    pid = simulated.process.pid
    warm = [Connection(simulated.port) for _ in range(50)]
    httpx.get(f"{simulated.url}/v1/models")
    before = rss_bytes(pid)
    idle = [Connection(simulated.port) for _ in range(IDLE)]
    # A round trip on the last one: by then all have been accepted and greeted.
    httpx.get(f"{simulated.url}/v1/models")
    for connection in idle[-3:]:
        connection.pump()
    cost = (rss_bytes(pid) - before) / IDLE
    print(f"idle connection: {cost / 1024:.1f} KiB")
    assert cost < IDLE_LIMIT_BYTES
    for connection in warm + idle:
        connection.socket.close()


def test_ten_thousand_cancelled_streams_leave_nothing(simulated):
    pid = simulated.process.pid
    worker = simulated.worker_pids()[-1]
    request = body("Go.", stream=True, max_tokens=1000, ignore_eos=True)

    def cancel(count):
        connection = Connection(simulated.port)
        for round in range(count // 100):
            streams = [connection.open(request) for _ in range(100)]
            connection.flush()
            # Some are cancelled while they wait or prefill, some while they stream.
            if round % 2:
                while len(connection.texts) < 20:
                    connection.pump()
            for stream in streams:
                if stream not in connection.done:
                    connection.reset(stream)
            connection.flush()
            if round % 3 == 2:
                # The flood limit is per time and connection: a new client each time.
                connection.socket.close()
                connection = Connection(simulated.port)
        connection.socket.close()

    cancel(1000)
    simulated.wait_idle()
    before = [(rss_bytes(p), descriptors(p)) for p in (pid, worker)]
    cancel(CANCELS)
    simulated.wait_idle()
    end = time.monotonic() + 20
    while any(descriptors(p) > count for (_, count), p in zip(before, (pid, worker))):
        assert time.monotonic() < end, "descriptors leaked"
    for (rss, _), p in zip(before, (pid, worker)):
        growth = rss_bytes(p) - rss
        print(f"growth: {growth >> 10} KiB")
        assert growth < 8 << 20
    answer = httpx.post(f"{simulated.url}/v1/chat/completions",
                        json=body("Still there?", max_tokens=2), timeout=30)
    assert answer.status_code == 200


def test_a_stalled_reader_parks_alone_and_loses_nothing(simulated):
    tokens = 4000
    stalled = Connection(simulated.port, window=1 << 12)
    stream = stalled.open(body("Go.", stream=True, max_tokens=tokens, ignore_eos=True))
    stalled.flush()
    while len(stalled.texts.get(stream, b"")) < 1 << 12:
        stalled.pump()
    # Its window is full now. Others are served as if it were not there, and it stays parked.
    other = Connection(simulated.port)
    streams = [other.open(body("Go.", stream=True, max_tokens=200, ignore_eos=True))
               for _ in range(20)]
    other.flush()
    while not other.done.issuperset(streams):
        other.pump()
    assert stream not in stalled.done
    assert simulated.health()["requests"]["in_flight"] >= 1
    # It reads again: everything is there, once, in order.
    stalled.h2.increment_flow_control_window(1 << 24, stream)
    stalled.flush()
    while stream not in stalled.done:
        stalled.pump()
    text = bytes(stalled.texts[stream])
    assert text.endswith(b"data: [DONE]\n\n")
    reference = Connection(simulated.port)
    again = reference.open(body("Go.", stream=True, max_tokens=tokens, ignore_eos=True))
    reference.flush()
    while again not in reference.done:
        reference.pump()
    assert contents(text) == contents(bytes(reference.texts[again]))
    simulated.wait_idle()


def contents(text):
    return "".join(
        json.loads(line[6:])["choices"][0]["delta"].get("content", "")
        for line in text.decode().split("\n")
        if line.startswith("data: {"))
