"""`switchyard worker` says what devices there are, and refuses what they do not allow."""

import json
import struct
import subprocess

import pytest
from conftest import BINARY, MODEL


def worker(*arguments):
    return subprocess.run([BINARY, "worker", *arguments], capture_output=True, text=True,
                          timeout=120, stdin=subprocess.DEVNULL)


def text(value):
    return struct.pack("<Q", len(value)) + value.encode()


def embedding_model(path):
    """A GGUF file of keys alone."""
    keys = (text("general.architecture") + struct.pack("<I", 8) + text("bert")
            + text("bert.pooling_type") + struct.pack("<II", 4, 1))
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, 2) + keys)
    return str(path)


def test_devices_are_listed():
    table = worker("--list-devices").stdout.splitlines()
    assert table[0].split() == ["DEVICE", "TYPE", "FREE", "MIB", "TOTAL", "MIB", "DESCRIPTION"]
    devices = json.loads(worker("--list-devices", "--json").stdout)["devices"]
    assert len(devices) == len(table) - 1
    cpu = next(device for device in devices if device["name"] == "cpu")
    assert cpu["type"] == "cpu" and cpu["usable"] and cpu["description"]
    assert 0 < cpu["free_bytes"] <= cpu["total_bytes"]
    assert any(line.split()[:2] == ["cpu", "cpu"] for line in table)


@pytest.mark.parametrize("arguments, words", [
    (("--device", "cuda:77"), ["no device cuda:77", "there is: ", "cpu"]),
    (("--memory-margin", "100000000"), ["cpu has", "MiB free", "100000000 MiB", "KV cache"]),
    (("--slots", "256", "--kv-layout", "shared", "--context", "67108864"),
     ["67108864", "256 slots", "262144", "8192"]),
    (("--slots", "1", "--context", "8193"), ["8193", "8192", "trained"]),
    (("--slots", "257"), ["--slots is 257", "256", "LLAMA_MAX_SEQ"]),
    (("--slots", "256", "--kv-layout", "shared", "--context", "2097152",
      "--memory-margin", "1000000"), ["KV cache (46080 MiB)"]),
])
def test_what_is_not_allowed_is_refused_with_the_reason(arguments, words):
    done = worker("--model", MODEL, "--listen", "127.0.0.1:0", *arguments)
    assert done.returncode == 78, done.stderr
    for word in words:
        assert word in done.stderr, done.stderr
    assert done.stdout == ""


def test_an_embedding_model_is_refused(tmp_path):
    done = worker("--model", embedding_model(tmp_path / "bert.gguf"))
    assert done.returncode == 78 and "embedding model" in done.stderr, done.stderr


def test_a_file_that_is_no_model_is_another_matter(tmp_path):
    (tmp_path / "x.gguf").write_bytes(b"nothing")
    done = worker("--model", str(tmp_path / "x.gguf"))
    assert done.returncode == 66, done.stderr


def test_a_supervised_worker_that_is_refused_ends_the_server():
    done = subprocess.run(
        [BINARY, "serve", "--port", "0", "--admin-port", "0", "--model", MODEL, "--workers", "2",
         "--device", "cpu,cuda:77"], capture_output=True, text=True, timeout=120)
    assert done.returncode != 0
    # The first got the first device, the second the second.
    assert done.stderr.count("there is no device cuda:77") == 1, done.stderr


def test_a_worker_runs_on_the_device_that_was_named(launch):
    server = launch("--device", "cpu", "--slots", "4", "--model-name", "smollm2").wait_ready()
    assert "device=cpu" in server.log_text().replace('"', "")
