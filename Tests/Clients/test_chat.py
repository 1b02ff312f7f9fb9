"""`switchyard chat`: at a terminal, and with a script, against the real binary."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import time

import pytest
from conftest import BINARY
from scripted_server import DONE, ScriptedServer, chunk
from scripted_server import events as scripted
from test_failover import SIMULATED

LIMIT = 60


@pytest.fixture(scope="module")
def served(launch_module, tmp_path_factory):
    keys = tmp_path_factory.mktemp("keys") / "keys"
    keys.write_text("a-key-of-somebody alice\n")
    return launch_module(
        *SIMULATED, "--model-alias", "other", "--api-key-file", str(keys), "--slots", "2",
        "--worker-argument=--step-time", "--worker-argument=5000", "--worker-argument",
        "--output-tokens=20", "--tls-port", "0", "--tls-self-signed").wait_ready()


def run(*arguments, text="", key="a-key-of-somebody"):
    environment = {**os.environ, "SWITCHYARD_API_KEY": key or ""}
    if key is None:
        environment.pop("SWITCHYARD_API_KEY")
    return subprocess.run([BINARY, "chat", *arguments], input=text, capture_output=True,
                          text=True, timeout=LIMIT, env=environment)


class Terminal:
    """The program with a terminal around it."""

    def __init__(self, *arguments):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ["SWITCHYARD_API_KEY"] = "a-key-of-somebody"
            os.execv(BINARY, [BINARY, "chat", *arguments])
        self.seen, self.status = "", None

    def expect(self, pattern):
        """Reads until the pattern is there; returns the text up to its end."""
        end = time.monotonic() + LIMIT
        while not (found := re.search(pattern, self.seen, re.DOTALL)):
            left = end - time.monotonic()
            assert left > 0 and select.select([self.fd], [], [], left)[0], (pattern, self.seen)
            try:
                data = os.read(self.fd, 65_536)
            except OSError:
                data = b""  # the other end has closed
            assert data, (pattern, self.seen)
            self.seen += data.decode()
        text, self.seen = self.seen[:found.end()], self.seen[found.end():]
        return text

    def type(self, text):
        os.write(self.fd, text.encode())

    def wait(self):
        if self.status is None:
            self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.status

    def close(self):
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            self.wait()
        os.close(self.fd)


@pytest.fixture
def terminal(served):
    opened = []

    def start(*arguments):
        opened.append(Terminal("--url", served.url, *arguments))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


PROMPT = r">\x1b\[0m "


def test_a_script(served):
    done = run("--url", served.url, "--temperature", "0", text="Hi\n\nHow are you?\n")
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.rstrip("\n").split("\n") if done.stdout.count("\n") == 2 else (
        done.stdout, done.stdout)
    assert first.strip() and second.strip() and done.stderr == ""
    assert "\x1b" not in done.stdout


def test_a_url_with_v1_and_a_model_by_name(served):
    done = run("--url", served.url + "/v1", "--model", "other", "--max-tokens", "3", text="Hi\n")
    assert done.returncode == 0 and done.stdout.strip()
    assert "cut off" in done.stderr


def test_history_and_system_go_along():
    server = ScriptedServer([
        scripted(chunk(text, role="assistant"), chunk(finish="stop"), DONE)
        for text in ("one", "two")])
    try:
        done = run("--url", f"http://127.0.0.1:{server.port}", "--model", "m", "--system", "Be.",
                   text="a\nb\n")
    finally:
        server.close()
    assert (done.returncode, done.stdout) == (0, "one\ntwo\n")
    bodies = server.requests
    assert bodies[0]["messages"] == [{"role": "system", "content": "Be."},
                                     {"role": "user", "content": "a"}]
    assert bodies[1]["messages"][2:] == [{"role": "assistant", "content": "one"},
                                         {"role": "user", "content": "b"}]
    assert bodies[0]["stream"] is True and "temperature" not in bodies[0]


@pytest.mark.parametrize("arguments, key, code, message", [
    (("--model", "gpt"), "a-key-of-somebody", 1, "does not exist"),
    ((), None, 1, "No API key"),
    ((), "wrong", 1, "not known"),
    (("--temperature", "3"), "a-key-of-somebody", 64, "--temperature"),
])
def test_failures_end_a_script(served, arguments, key, code, message):
    done = run("--url", served.url, *arguments, text="Hi\nThere\n", key=key)
    assert done.returncode == code and message in done.stderr and done.stdout == ""


def test_no_server():
    done = run("--url", "http://127.0.0.1:1", text="Hi\n")
    assert done.returncode == 69 and "cannot reach http://127.0.0.1:1" in done.stderr
    assert run("--url", "ftp://somewhere", text="").returncode == 64


def test_an_answer_that_breaks_off(served):
    server = ScriptedServer([scripted(chunk("half", role="assistant"))])
    try:
        done = run("--url", f"http://127.0.0.1:{server.port}", "--model", "m", text="a\n")
    finally:
        server.close()
    assert done.returncode == 1 and done.stdout == "half\n" and "broke off" in done.stderr


def test_tls(served):
    certificate = os.path.join(served.directory.name, "tls", "certificate.pem")
    if not os.path.exists(certificate):
        certificate = next(os.path.join(folder, name)
                           for folder, _, names in os.walk(served.directory.name)
                           for name in names if name.endswith(".pem") and "key" not in name)
    url = f"https://localhost:{served.tls_port}"
    done = run("--url", url, "--authority", certificate, text="Hi\n")
    assert done.returncode == 0, done.stderr
    refused = run("--url", url, text="Hi\n")
    assert refused.returncode == 69 and refused.stdout == ""


def test_a_terminal(terminal):
    one = terminal()
    one.expect("smollm2 at http.*" + PROMPT)
    one.type("Hi\n")
    one.expect("Hi\r\n.+\r\n.*" + PROMPT)
    one.type("/history\n")
    assert "assistant: " in one.expect(r"user: Hi.*" + PROMPT)
    one.type("/model other\n")
    one.expect("The model is other.*" + PROMPT)
    one.type("two \\\n")
    one.expect("…")
    one.type("lines\n")
    one.expect("lines\r\n.+\r\n.*" + PROMPT)
    one.type("/history\n")
    one.expect("user: two \r\nlines.*" + PROMPT)
    one.type("/reset\n")
    one.expect("anew.*" + PROMPT)
    one.type("/history\n")
    one.expect("Nothing was said.*" + PROMPT)
    one.type("/model gpt\n")
    one.expect("The model is gpt.*" + PROMPT)
    one.type("Hi\n")
    one.expect("does not exist.*" + PROMPT)
    one.type("/nonsense\n")
    one.expect("no command /nonsense.*" + PROMPT)
    one.type("/quit\n")
    assert one.wait() == 0


def test_control_d_ends(terminal):
    one = terminal()
    one.expect(PROMPT)
    one.type("\x04")
    assert one.wait() == 0


def test_control_c_stops_the_answer_and_not_the_program(launch):
    """The server's worker is freed too."""
    server = launch(*SIMULATED, "--slots", "1", "--worker-argument=--step-time",
                    "--worker-argument=20000").wait_ready()
    one = Terminal("--url", server.url)
    try:
        one.expect(PROMPT)
        one.type("Hi\n")
        while server.health()["requests"]["in_flight"] == 0:
            pass
        one.type("\x03")
        one.expect(r"\(stopped\).*" + PROMPT)
        server.wait_idle()
        # At the prompt it forgets the line, and goes on.
        one.type("half a li\x03")
        one.expect(PROMPT)
        one.type("/quit\n")
        assert one.wait() == 0
    finally:
        one.close()


def test_control_c_ends_a_script(launch):
    server = launch(*SIMULATED, "--worker-argument=--step-time",
                    "--worker-argument=20000").wait_ready()
    process = subprocess.Popen([BINARY, "chat", "--url", server.url], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE)
    process.stdin.write(b"Hi\n")
    process.stdin.flush()
    while server.health()["requests"]["in_flight"] == 0:
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=LIMIT) == 130
    process.stdin.close()
    process.stdout.close()
    server.wait_idle()


def test_reasoning_is_dim_and_control_characters_are_harmless():
    thought = json.dumps({"choices": [{"index": 0, "delta": {"reasoning_content": "hm"}}]})
    server = ScriptedServer([scripted(
        f"data: {thought}\n\n".encode(), chunk("a\x1b[31mb\x07"), chunk(finish="stop"), DONE)])
    one = Terminal("--url", f"http://127.0.0.1:{server.port}", "--model", "m")
    try:
        one.expect(PROMPT)
        one.type("Hi\n")
        text = one.expect("b\ufffd\r\n.*" + PROMPT)
        assert "\x1b[2mhm\x1b[0m" in text and "\x1b[31m" not in text and "\x07" not in text
        one.type("/quit\n")
        assert one.wait() == 0
    finally:
        one.close()
        server.close()
