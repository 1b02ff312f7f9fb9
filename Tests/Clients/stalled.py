"""Clients that ask for streams and do not read them, and one that does."""

import json
import re
import threading
import time

import httpx

import wire

WINDOW = 2_048


class Stalled(wire.HTTP2):
    """A connection whose streams get a window of `WINDOW` bytes, and no more until `read_all`."""

    def __init__(self, server, bodies):
        super().__init__(server)
        self.state.update_settings({0x4: WINDOW})
        # Only the streams' own windows shall stop them.
        self.state.increment_flow_control_window(1 << 26)
        self.flush()
        self.reads = False
        self.streams = [self.send("/v1/chat/completions", json.dumps(one).encode(), fields=[
            ("content-type", "application/json")]) for one in bodies]

    def receive(self):
        data = self.socket.recv(1 << 18)
        assert data, "the connection was closed"
        for event in self.state.receive_data(data):
            exchange = self.exchanges.get(getattr(event, "stream_id", None))
            name = type(event).__name__
            if name == "DataReceived":
                exchange.data += event.data
                if self.reads:
                    self.state.acknowledge_received_data(
                        event.flow_controlled_length, event.stream_id)
            elif name == "ResponseReceived":
                exchange.heads.append((dict(event.headers), event.stream_ended is not None))
            elif name == "StreamEnded":
                exchange.ended = True
            elif name == "StreamReset":
                exchange.reset = event.error_code
        self.flush()

    def wait_full(self):
        """Until each stream has got all that its window allows."""
        self.read(lambda: all(len(self.exchanges[one].data) >= WINDOW for one in self.streams))

    def read_all(self):
        self.reads = True
        for stream in self.streams:
            self.state.increment_flow_control_window(1 << 24, stream)
        self.flush()
        self.read(lambda: all(self.exchanges[one].is_over for one in self.streams))

    def texts(self):
        return [text(self.exchanges[one].data) for one in self.streams]


def text(data):
    """A whole stream's text; fails when an event is missing."""
    result, numbers, usage, done = [], [], None, False
    for line in data.decode().split("\n"):
        if line.startswith("id: "):
            numbers.append(int(line.rsplit(".", 1)[1]))
        elif line == "data: [DONE]":
            done = True
        elif line.startswith("data: "):
            event = json.loads(line[6:])
            assert "error" not in event, event
            usage = event.get("usage") or usage
            result += [one["delta"].get("content") or "" for one in event.get("choices", [])]
    assert done and numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    return "".join(result), usage["completion_tokens"]


def body(tokens, prompt="The harbour lights went out, and then"):
    return {"model": "smollm2", "stream": True, "stream_options": {"include_usage": True},
            "messages": [{"role": "user", "content": prompt}], "max_tokens": tokens,
            "temperature": 0, "ignore_eos": True}


def resident_kilobytes(pids):
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/status") as file:
            total += int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1))
    return total


def processes(server):
    return [server.process.pid, *server.worker_pids()]


class Readers:
    """Clients that read as they get, for so many seconds; the gaps between their tokens."""

    def __init__(self, server, count, tokens, seconds):
        self.server, self.tokens, self.gaps, self.failures = server, tokens, [], []
        self.end = time.monotonic() + seconds
        threads = [threading.Thread(target=self.read, args=(number,)) for number in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self.failures:
            raise self.failures[0]
        self.gaps.sort()

    def read(self, number):
        try:
            with httpx.Client(timeout=120) as client:
                while time.monotonic() < self.end:
                    times = []
                    with client.stream(
                            "POST", f"{self.server.url}/v1/chat/completions",
                            json=body(self.tokens, f"Reader {number} asks for a story.")) as answer:
                        assert answer.status_code == 200, answer.read()
                        for line in answer.iter_lines():
                            if line.startswith("data: {") and '"content":' in line:
                                times.append(time.monotonic())
                    self.gaps += [b - a for a, b in zip(times, times[1:])]
        except BaseException as error:  # reported by the main thread
            self.failures.append(error)

    def milliseconds(self, part):
        return 1_000 * self.gaps[min(len(self.gaps) - 1, int(part * len(self.gaps)))]
