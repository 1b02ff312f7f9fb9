"""Real clients against the real binary and the real model.

Settings come from the environment that deploy/bootstrap.sh writes: SWITCHYARD_BINARY,
SWITCHYARD_TEST_MODEL.
"""

import json
import os
import re
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

import pytest

BINARY = os.environ.get("SWITCHYARD_BINARY", ".build/release/switchyard")
MODEL = os.environ["SWITCHYARD_TEST_MODEL"]
START_LIMIT_SECONDS = 120

# Servers are told by flags alone: variables of whoever runs the tests are settings too.
for name in ("MODEL", "PORT", "ADMIN_PORT", "HOST", "CONFIG"):
    os.environ.pop(f"SWITCHYARD_{name}", None)


class Server:
    """A `switchyard serve` (or `gateway`) process on ports of the system's choice.

    `data_directory`: where its state outlives it.
    """

    def __init__(self, *arguments, command="serve", model=MODEL, binary=BINARY,
                 data_directory=None):
        self.directory = tempfile.TemporaryDirectory(prefix="sy-")
        self.log_path = os.path.join(self.directory.name, "log")
        self.log = open(self.log_path, "wb")
        if command == "serve" and not {"--context", "--engine"} & set(arguments):
            # Less than the default, which takes seconds to allocate, and no more for each slot
            # than the model was trained with.
            slots = arguments[arguments.index("--slots") + 1] if "--slots" in arguments else 16
            arguments = ("--context", str(min(32_768, 8_192 * int(slots))), *arguments)
        self.process = subprocess.Popen(
            [binary, command, "--port", "0", "--admin-port", "0",
             *(["--model", model] if model else []),
             "--data-dir", str(data_directory or self.directory.name), *arguments],
            stdout=self.log, stderr=self.log)
        text = self.wait_for_log(r"listening")
        self.port = int(re.search(r"[ ,]port=\"?(\d+)", text).group(1))
        self.admin_port = int(re.search(r"admin_port=\"?(\d+)", text).group(1))
        tls = re.search(r"tls_port=\"?(\d+)", text)
        self.tls_port = int(tls.group(1)) if tls else None
        self.url = f"http://127.0.0.1:{self.port}"

    def wait_for_log(self, pattern, limit=START_LIMIT_SECONDS):
        end = time.monotonic() + limit
        while time.monotonic() < end:
            with open(self.log_path, errors="replace") as file:
                text = file.read()
            if re.search(pattern, text):
                return text
            if self.process.poll() is not None:
                raise AssertionError(f"exited with {self.process.returncode}:\n{text}")
            time.sleep(0.02)
        raise AssertionError(f"no {pattern!r} within {limit} s:\n{text}")

    def wait_ready(self):
        self.wait_for_log(r"(?m)^ready: ")
        return self

    def admin(self, path):
        """Status and text of the admin port's answer."""
        try:
            with urllib.request.urlopen(
                    f"http://127.0.0.1:{self.admin_port}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def wait_admin(self, path, status, limit=30):
        end = time.monotonic() + limit
        while self.admin(path)[0] != status:
            assert time.monotonic() < end, f"{path} never was {status}"
            time.sleep(0.02)

    def health(self):
        return json.loads(self.admin("/healthz")[1])

    def wait_idle(self, limit=30):
        """Nothing waits and nothing runs."""
        end = time.monotonic() + limit
        while True:
            requests = self.health()["requests"]
            if requests["waiting"] == 0 and requests["in_flight"] == 0:
                return
            assert time.monotonic() < end, f"never idle: {requests}"
            time.sleep(0.02)

    def wait_for(self, condition, otherwise, limit=30):
        end = time.monotonic() + limit
        while not condition():
            assert time.monotonic() < end, otherwise
            time.sleep(0.02)

    def wait_for_workers(self, count, limit=60):
        end = time.monotonic() + limit
        while self.health()["workers"]["ready"] != count:
            assert time.monotonic() < end, self.health()
            time.sleep(0.02)

    def worker_pids(self):
        with open(self.log_path, errors="replace") as file:
            text = file.read()
        started = [int(pid) for pid in re.findall(r"pid=(\d+).* worker started", text)]
        return [pid for pid in started if os.path.exists(f"/proc/{pid}")]

    def terminate(self, limit=60):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=limit)

    def log_text(self):
        with open(self.log_path, errors="replace") as file:
            return file.read()

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()
        self.directory.cleanup()


@pytest.fixture(scope="session")
def server():
    """The default model, 16 slots; shared by tests that leave it as it was."""
    instance = Server("--slots", "16", "--model-name", "smollm2", "--drain-seconds", "5")
    try:
        yield instance.wait_ready()
    finally:
        instance.close()


@pytest.fixture
def launch():
    """Starts servers of a test's own; ends them afterwards."""
    instances = []

    def start(*arguments, **keywords):
        instance = Server(*arguments, **keywords)
        instances.append(instance)
        return instance

    yield start
    for instance in instances:
        instance.close()


def body(text, **fields):
    """A chat request for one user message, greedy unless `fields` say otherwise."""
    request = {"model": "smollm2", "messages": [{"role": "user", "content": text}],
               "temperature": 0, "max_tokens": 32}
    request.update(fields)
    return request


def events(lines):
    """The JSON of each SSE data line; stops at `[DONE]`, which must come."""
    done = False
    for line in lines:
        if not line.startswith("data: "):
            assert line == "" or line.startswith((":", "id: ")), line
            continue
        assert not done, "an event after [DONE]"
        if line == "data: [DONE]":
            done = True
            continue
        yield json.loads(line[6:])
    assert done, "no [DONE]"


@pytest.fixture(scope="module")
def launch_module():
    """As `launch`, for fixtures that live as long as their module."""
    instances = []

    def start(*arguments, **keywords):
        instance = Server(*arguments, **keywords)
        instances.append(instance)
        return instance

    yield start
    for instance in instances:
        instance.close()


class Scripted:
    """A gateway whose only worker says what tests wrote (scripted.py)."""

    def __init__(self, *arguments, slots=64, model=MODEL):
        from faces import Client
        from scripted import ScriptedEngine, Vocabulary

        self.vocabulary = Vocabulary(model)
        self.engine = ScriptedEngine(self.vocabulary, slots)
        self.play = self.engine.play
        self.server = Server("--worker", self.engine.address, "--model-name", "smollm2",
                             "--worker-check-seconds", "0.1", "--no-worker-wait", "1",
                             # Scripts that fail fail for good, and only themselves.
                             "--resume-limit", "0", "--breaker-failures", "1024", *arguments,
                             command="gateway", model=model).wait_ready()
        self.server.wait_for_workers(1)
        self.client = Client(self.server)

    def close(self):
        self.client.close()
        self.server.close()
        self.engine.close()


@pytest.fixture(scope="session")
def scripted():
    instance = Scripted()
    try:
        yield instance
    finally:
        instance.close()


@pytest.fixture(scope="session")
def thinker(tmp_path_factory):
    """The same, of a model that thinks between two tokens of its own before it answers."""
    from scripted import write_thinker

    path = tmp_path_factory.mktemp("thinker") / "thinker.gguf"
    instance = Scripted(model=write_thinker(str(path)))
    try:
        yield instance
    finally:
        instance.close()


@pytest.fixture(scope="module")
def launch_scripted():
    """Scripted gateways of a module's own."""
    instances = []

    def start(*arguments, **keywords):
        instances.append(Scripted(*arguments, **keywords))
        return instances[-1]

    yield start
    for instance in instances:
        instance.close()
