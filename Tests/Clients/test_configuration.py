"""Flags, environment and the file, on the real binary."""

import os
import re
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import httpx
import pytest
from conftest import BINARY, MODEL, body

CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("SWITCHYARD_")}
OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"

FLEET = f"""\
port: 0
admin-port: 0
data-dir: state
models:
  - name: one
    aliases: [uno]
    path: {MODEL}
  - name: two
    path: {MODEL}
splits:
  both: {{one: 1, two: 1}}
pools:
  - name: first
    model: one
    supervised:
      workers: 1
      engine: simulated
      slots: 3
      step-time: at-will
  - name: second
    model: two
    supervised: {{workers: 2, engine: simulated, step-time: at-will}}
"""


def run(*arguments, **environment):
    """Status, standard output and standard error of a command that ends by itself."""
    done = subprocess.run([BINARY, *arguments], env={**CLEAN, **environment}, text=True,
                          capture_output=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


class FileServer:
    """`serve --config`, with what it wrote."""

    def __init__(self, folder, *arguments, **environment):
        self.log_path = folder / "log"
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [BINARY, "serve", "--config", str(folder / "switchyard.yaml"), *arguments],
                env={**CLEAN, **environment}, stdout=log, stderr=log)
        text = self.wait_for_log(r"admin_port=")
        self.port = int(re.search(r"[ ,]port=\"?(\d+)", text).group(1))
        self.admin_port = int(re.search(r"admin_port=\"?(\d+)", text).group(1))

    def wait_for_log(self, pattern, limit=60):
        end = time.monotonic() + limit
        while not re.search(pattern, text := self.log_path.read_text()):
            assert self.process.poll() is None and time.monotonic() < end, text
            time.sleep(0.02)
        return text

    def health(self):
        return httpx.get(f"http://127.0.0.1:{self.admin_port}/healthz", timeout=10).json()

    def wait_for(self, condition, limit=60):
        end = time.monotonic() + limit
        while not condition():
            assert time.monotonic() < end, self.log_path.read_text()
            time.sleep(0.02)


@pytest.fixture
def folder():
    """Short enough for unix sockets, which pytest's own is not."""
    with tempfile.TemporaryDirectory(prefix="sy-") as path:
        yield Path(path)


@pytest.fixture
def serve(folder):
    servers = []

    def start(text, *arguments, **environment):
        (folder / "switchyard.yaml").write_text(text)
        servers.append(FileServer(folder, *arguments, **environment))
        return servers[-1]

    yield start
    for server in servers:
        server.process.terminate()
        assert server.process.wait(timeout=60) == 0, server.log_path.read_text()


def test_a_file_describes_models_and_pools(serve, folder):
    server = serve(FLEET)
    server.wait_for(lambda: server.health()["workers"]["ready"] == 3)
    url = f"http://127.0.0.1:{server.port}/v1"
    names = {model["id"] for model in httpx.get(f"{url}/models").json()["data"]}
    assert {"one", "two"} <= names
    for name in ("one", "uno", "two", "both"):
        answer = httpx.post(f"{url}/chat/completions", timeout=60,
                            json=body("Hi", model=name, max_tokens=3))
        assert answer.status_code == 200, answer.text
        assert answer.json()["usage"]["completion_tokens"] == 3
    # The path in the file begins at its folder.
    assert (folder / "state").is_dir()


def test_a_reload_reads_the_file_again(serve, folder):
    server = serve(FLEET)
    server.wait_for(lambda: server.health()["workers"]["ready"] == 3)
    path = folder / "switchyard.yaml"
    url = f"http://127.0.0.1:{server.port}/v1/chat/completions"
    path.write_text(FLEET.replace("slots: 3", "slot: 3"))
    server.process.send_signal(signal.SIGHUP)
    server.wait_for_log(r"unknown key")
    path.write_text(FLEET.replace("aliases: [uno]", "aliases: [ein]"))
    server.process.send_signal(signal.SIGHUP)

    def status(name):
        return httpx.post(url, timeout=60,
                          json=body("Hi", model=name, max_tokens=1)).status_code

    server.wait_for(lambda: status("ein") == 200)
    assert status("uno") == 404


def test_precedence_in_a_running_server(serve):
    # Both other ports would be refused: only the flag's is free to choose.
    server = serve(FLEET.replace("port: 0\nadmin", "port: 1\nadmin"), "--port", "0",
                   SWITCHYARD_PORT="2", SWITCHYARD_DRAIN_SECONDS="1")
    assert server.port > 2
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(timeout=60) == 0
    assert "seconds=1" in server.log_path.read_text().replace('"', "")


def test_a_supervised_worker_does_not_see_the_gateways_variables(serve):
    # These would stop a worker: a file that is not there, an unknown engine.
    server = serve(FLEET, SWITCHYARD_METRICS_LISTEN="nowhere", SWITCHYARD_STEP_TIME="never")
    server.wait_for(lambda: server.health()["workers"]["ready"] == 3)
    assert "SWITCHYARD_STEP_TIME is a setting of `switchyard worker`" in (
        server.log_path.read_text())


def test_all_problems_are_told_with_their_places(folder):
    path = folder / "switchyard.yaml"
    path.write_text(FLEET.replace("slots: 3", "slot: 3").replace("port: 0\nadmin", "prot: 0\nadmin")
                    .replace("model: two", "model: tow"))
    for arguments in (["serve", "--check-config", "--config", path], ["check-config", path],
                      ["serve", "--config", path]):
        status, output, errors = run(*map(str, arguments))
        assert (status, output) == (78, "")
        assert errors.splitlines() == [
            f'{path}:1:1: unknown key "prot"; did you mean "port"?',
            f'{path}:8:5: model "two" has no pool',
            f'{path}:18:7: unknown key "slot"; did you mean "slots"?',
            f'{path}:21:12: there is no model "tow"; did you mean "two"?',
        ]


def test_values_in_force(folder):
    path = folder / "switchyard.yaml"
    path.write_text(FLEET)
    status, output, errors = run("serve", "--config", str(path), "--check-config", "--port", "9",
                                 SWITCHYARD_QUEUE_LIMIT="7", SWITCHYARD_SLOT="1")
    assert status == 0, errors
    lines = output.splitlines()
    assert "port: 9  # flag" in lines
    assert "queue-limit: 7  # SWITCHYARD_QUEUE_LIMIT" in lines
    assert f"admin-port: 0  # {path}:2" in lines
    assert "drain-seconds: 30  # default" in lines
    assert f"      slots: 3  # {path}:18" in lines
    assert errors == ('switchyard: warning: SWITCHYARD_SLOT is no setting; '
                      'did you mean "SWITCHYARD_SLOTS"?\n')
    # It is a file of the same meaning, and nothing was made.
    (folder / "again.yaml").write_text(output)
    again = run("check-config", str(folder / "again.yaml"))
    assert again[0] == 0, again[2]

    def strip(text):
        return [line.split("  # ")[0] for line in text.splitlines()]

    assert strip(again[1]) == strip(output)
    assert not (folder / "state").exists()


def test_a_model_flag_excludes_models_of_a_file(folder):
    path = folder / "switchyard.yaml"
    path.write_text(FLEET)
    for arguments, environment, name in (
            (["--model", MODEL], {}, "--model"), ([], {"SWITCHYARD_MODEL": MODEL}, "SWITCHYARD_MODEL")):
        status, _, errors = run("serve", "--config", str(path), "--check-config", *arguments,
                                **environment)
        assert status == 78
        assert errors == (f"{name}: model is for one model and pool; {path}:4 describes models "
                          "and pools already\n")


def test_a_worker_takes_variables():
    status, _, errors = run("worker", "--engine", "simulated", SWITCHYARD_SLOTS="none")
    assert (status, errors) == (
        78, 'SWITCHYARD_SLOTS: expected an integer from 1 to 65536, not "none"\n')
    status, _, errors = run("worker", "--slots", "none", SWITCHYARD_SLOTS="3")
    assert status == 64 and "--slots: expected an integer" in errors


def test_documented_flags_are_the_programs():
    rows = re.findall(r"^\| `([a-z-]+)` \| ([a-z, ]+) \|", OPERATIONS.read_text(), re.M)
    assert len(rows) > 50
    for program in ("serve", "gateway", "worker"):
        status, output, _ = run(program, "--help")
        assert status == 0
        flags = set(re.findall(r"^  --([a-z-]+)", output, re.M)) - {"version", "help"}
        listed = {name for name, programs in rows if program in programs.split(", ")}
        # No setting: they start nothing.
        assert flags - {"check-config", "list-devices", "json"} == listed, program
