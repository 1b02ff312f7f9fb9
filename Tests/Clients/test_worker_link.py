"""Workers on TCP: TLS, certificates, tokens, who may register, and names with several addresses."""

import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest
from conftest import BINARY, MODEL, body
from test_failover import read
from test_workers import listed, wait_listed, workers

TOKEN = "first-token-0123456789"


class Authority:
    """Gives out certificates, by the openssl command."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        self.certificate = str(folder / "ca.pem")
        self.openssl("req", "-x509", *self.new_key("ca"), "-days", "2", "-subj", "/CN=authority",
                     "-addext", "basicConstraints=critical,CA:TRUE", "-out", "ca.pem")

    @staticmethod
    def new_key(name):
        return ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-sha256",
                "-keyout", f"{name}.key")

    def openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True)

    def issue(self, name, names="IP:127.0.0.1"):
        """Paths of a certificate and its key."""
        self.openssl("req", "-new", *self.new_key(name), "-subj", f"/CN={name}", "-addext",
                     f"subjectAltName={names}", "-out", f"{name}.csr")
        self.openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                     "-CAcreateserial", "-days", "2", "-copy_extensions", "copy", "-out",
                     f"{name}.pem")
        return str(self.folder / f"{name}.pem"), str(self.folder / f"{name}.key")


class SecureWorker:
    """A simulated worker process; `address` is where it listens."""

    def __init__(self, *arguments, listen="127.0.0.1:0", step_time="2000"):
        self.process = subprocess.Popen(
            [BINARY, "worker", "--engine", "simulated", "--slots", "4", "--step-time", step_time,
             "--listen", listen, *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        self.log = []
        self.reader = threading.Thread(target=self.read_log)
        self.reader.start()
        found = re.search(r'"listen":"([^"]+)"', line)
        if not found:
            self.process.wait(timeout=60)
            self.reader.join()
        assert found, "".join(self.log)
        self.address = found.group(1)

    def read_log(self):
        for line in self.process.stderr:
            self.log.append(line)

    def wait_for_log(self, pattern, limit=60):
        end = time.monotonic() + limit
        while not any(re.search(pattern, line) for line in self.log):
            assert time.monotonic() < end, "".join(self.log)
            time.sleep(0.02)

    def reload(self):
        count = sum("read again" in line for line in self.log)
        self.process.send_signal(signal.SIGHUP)
        end = time.monotonic() + 60
        while sum("read again" in line for line in self.log) == count:
            assert time.monotonic() < end, "".join(self.log)
            time.sleep(0.02)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.reader.join()


@pytest.fixture
def start_worker():
    started = []

    def start(*arguments, **keywords):
        started.append(SecureWorker(*arguments, **keywords))
        return started[-1]

    yield start
    for worker in started:
        worker.close()


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path / "authority")


def gateway_flags(authority, tmp_path, name="gateway", token=TOKEN):
    certificate, key = authority.issue(name)
    (tmp_path / f"{name}.token").write_text(token + "\n")
    return ("--worker-authority", authority.certificate, "--worker-certificate", certificate,
            "--worker-key", key, "--worker-token-file", str(tmp_path / f"{name}.token"))


def worker_flags(authority, tmp_path):
    certificate, key = authority.issue("worker")
    (tmp_path / "tokens").write_text(TOKEN + "\n")
    return ("--tls-certificate", certificate, "--tls-key", key, "--tls-client-authority",
            authority.certificate, "--token-file", str(tmp_path / "tokens"))


def refused(command, *arguments):
    """The exit status and words of a process that does not start."""
    done = subprocess.run([BINARY, command, *arguments], capture_output=True, text=True,
                          timeout=60)
    return done.returncode, done.stderr


def test_certificates_and_tokens_are_exchanged_while_a_stream_runs(
        launch, start_worker, authority, tmp_path):
    worker = start_worker(*worker_flags(authority, tmp_path))
    gateway = launch("--worker", worker.address, "--model-name", "smollm2",
                     *gateway_flags(authority, tmp_path), command="gateway").wait_ready()
    counts, found = [], []
    request = body("Say much.", max_tokens=2_000, logprobs=True)
    stream = threading.Thread(
        target=lambda: found.append(read(gateway.url, request, counts.append)))
    stream.start()
    while not counts:
        time.sleep(0.01)

    # Another authority and another token, on both sides.
    other = Authority(tmp_path / "other")
    fresh = other.issue("fresh")
    shown = other.issue("shown")
    second = "second-token-0123456789"
    (tmp_path / "tokens").write_text(f"{TOKEN}\n{second}\n")
    shutil.copy(fresh[0], authority.folder / "worker.pem")
    shutil.copy(fresh[1], authority.folder / "worker.key")
    shutil.copy(shown[0], authority.folder / "gateway.pem")
    shutil.copy(shown[1], authority.folder / "gateway.key")
    shutil.copy(other.certificate, authority.certificate)
    worker.reload()
    # The gateway still trusts the old authority only.
    workers(gateway, "add", worker.address)
    gateway.wait_for_log("worker link failed.*CERTIFICATE_VERIFY_FAILED"
                         "|CERTIFICATE_VERIFY_FAILED.*worker link failed")
    (tmp_path / "gateway.token").write_text(second + "\n")
    gateway.process.send_signal(signal.SIGHUP)
    gateway.wait_for_log("configuration reloaded")
    wait_listed(gateway, lambda all: [one["state"] for one in all] == ["ready", "ready"])
    assert not found, "the stream ended too early: the test shows nothing"
    stream.join()
    transcript = found[0]
    assert transcript.error is None and transcript.usage["completion_tokens"] == 2_000
    assert counts[-1] == 2_000
    # The old token does no more.
    (tmp_path / "tokens").write_text(second + "\n")
    worker.reload()
    assert read(gateway.url, body("Hello", max_tokens=4)).error is None


@pytest.mark.parametrize("how, words", [
    ("authority", "CERTIFICATE_VERIFY_FAILED"), ("no certificate", "TLS"),
    ("token", "unauthenticated|Bearer"), ("plaintext", "worker link failed"),
])
def test_a_gateway_that_is_not_trusted_says_why(
        launch, start_worker, authority, tmp_path, how, words):
    worker = start_worker(*worker_flags(authority, tmp_path))
    flags = gateway_flags(authority, tmp_path)
    if how == "authority":
        flags = ("--worker-authority", Authority(tmp_path / "other").certificate)
    elif how == "no certificate":
        flags = ("--worker-authority", authority.certificate)
    elif how == "token":
        flags = gateway_flags(authority, tmp_path, "wrong", "another-token-0123456")
    elif how == "plaintext":
        flags = ()
    gateway = launch("--worker", worker.address, "--model-name", "smollm2", *flags,
                     command="gateway")
    text = gateway.wait_for_log(r"worker link failed")
    line = next(line for line in text.splitlines() if "worker link failed" in line)
    assert re.search(words, line, re.IGNORECASE), line
    assert gateway.admin("/readyz")[0] == 503
    assert [one["state"] for one in listed(gateway)] == ["connecting"]


def test_only_allowed_addresses_register(launch, start_worker, authority):
    worker = start_worker()
    plain = launch("--worker", worker.address, "--model-name", "smollm2", command="gateway",
                   ).wait_ready()
    done = workers(plain, "add", "10.255.0.1:9000", check=False)
    assert done.returncode == 1 and "--worker-allow" in done.stderr, done.stderr
    allowing = launch("--worker", worker.address, "--model-name", "smollm2", "--worker-allow",
                      "10.255.0.0/16", command="gateway").wait_ready()
    done = workers(allowing, "add", "10.255.0.1:9000", check=False)
    assert done.returncode == 1 and "plaintext" in done.stderr, done.stderr
    done = workers(allowing, "add", worker.address, check=False)
    assert done.returncode == 1 and "--worker-allow" in done.stderr, done.stderr
    secure = launch("--worker", worker.address, "--model-name", "smollm2", "--worker-authority",
                    authority.certificate, "--worker-allow", "10.255.0.0/16", command="gateway")
    assert workers(secure, "add", "10.255.0.1:9000").stdout == "worker 1\n"


def test_what_would_be_plaintext_or_contradictory_is_refused_at_the_start(authority, tmp_path):
    for arguments, words in [
            (("--worker", "10.255.0.1:9000"), "plaintext"),
            (("--worker", "127.evil.test:9000"), "plaintext"),
            (("--worker", "127.0.0.1:9", "--worker-certificate", "/c"), "go together"),
            (("--worker", "127.0.0.1:9", "--worker-server-name", "x"), "authority"),
            (("--worker", "127.0.0.1:9", "--worker-allow", "10.0.0.0/33"), "worker-allow"),
            ((), "--worker")]:
        status, said = refused("gateway", "--model", MODEL, *arguments)
        assert status == 64 and words in said, said
    status, said = refused("worker", "--engine", "simulated", "--listen", "0.0.0.0:0")
    assert status == 78 and "--tls-certificate" in said, said
    status, said = refused("worker", "--engine", "simulated", "--tls-certificate", "/none.pem",
                           "--tls-key", "/none.key")
    assert status == 78 and "/none.pem" in said, said
    (tmp_path / "tokens").write_text("short\n")
    status, said = refused("worker", "--engine", "simulated", "--token-file",
                           str(tmp_path / "tokens"))
    assert status == 78 and "tokens:1" in said and "short" not in said, said


# A mount namespace of its own gives the gateway a hosts file that changes.
NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount"]


def has_namespaces():
    try:
        return subprocess.run([*NAMESPACE, "true"], capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not has_namespaces(), reason="no unprivileged mount namespaces here")
def test_workers_of_a_name_come_and_go_with_its_addresses(launch, start_worker, tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.2", 0))
        port = probe.getsockname()[1]
    for host in ("127.0.0.2", "127.0.0.3", "127.0.0.4"):
        start_worker(listen=f"{host}:{port}")
    hosts = tmp_path / "hosts"

    def answer(*addresses):
        # In place: a mount stays with its file.
        hosts.write_text("127.0.0.1 localhost\n"
                         + "".join(f"{one} workers.test\n" for one in addresses))

    def states(server):
        return {one["endpoint"].split(":")[0]: one["state"] for one in listed(server)}

    answer("127.0.0.2", "127.0.0.3")
    (tmp_path / "host.conf").write_text("multi on\n")
    wrapper = tmp_path / "switchyard"
    wrapper.write_text(f"""#!/bin/sh
exec {' '.join(NAMESPACE)} sh -c 'mount --bind {hosts} /etc/hosts &&
  {{ [ ! -e /etc/host.conf ] || mount --bind {tmp_path}/host.conf /etc/host.conf; }} &&
  exec {os.path.abspath(BINARY)} "$@"' sh "$@"
""")
    wrapper.chmod(0o755)
    server = launch("--worker-dns", f"workers.test:{port}", "--worker-dns-seconds", "1",
                    "--model-name", "smollm2", command="gateway", binary=str(wrapper)).wait_ready()
    wait_listed(server, lambda all: [one["state"] for one in all] == ["ready", "ready"])
    answer("127.0.0.3", "127.0.0.4")
    wait_listed(server, lambda all: states(server) == {
        "127.0.0.2": "drained", "127.0.0.3": "ready", "127.0.0.4": "ready"})
    # No answer at all changes nothing; an address that comes back is used again.
    answer()
    server.wait_for_log("workers are not looked up")
    assert states(server)["127.0.0.3"] == "ready"
    answer("127.0.0.2")
    wait_listed(server, lambda all: states(server) == {
        "127.0.0.2": "ready", "127.0.0.3": "drained", "127.0.0.4": "drained"})
    assert [one["id"] for one in listed(server)] == [0, 1, 2]
    assert read(server.url, body("Hello", max_tokens=4)).error is None
