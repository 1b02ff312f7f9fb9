"""Gateways before a native worker (token-level protocol) with a simulated engine."""

import json
import subprocess
from pathlib import Path

from . import gateways, install, load
from .processes import CORES, Process, fetch, free_port
from .upstream import MODEL

SLOTS = 256
CONTEXT = SLOTS * 1152
AT_WILL = ("--engine", "simulated", "--step-time", "at-will", "--slots", SLOTS,
           "--context", CONTEXT)


def start(context, directory, *options):
    """`switchyard serve` with a simulated engine at will; its worker is a process of its own."""
    port, admin = free_port(), free_port()
    process = Process(
        "switchyard",
        [context.programs / "switchyard", "serve", "--port", port, "--admin-port", admin,
         "--model", context.model, "--model-name", MODEL, "--engine", "simulated",
         "--slots", SLOTS, "--context", CONTEXT, "--log-level", "warning",
         "--data-dir", f"{directory}/data", "--worker-argument=--step-time",
         "--worker-argument=at-will", *options],
        directory)
    process.url = f"http://127.0.0.1:{port}"
    process.await_true(lambda: fetch(f"http://127.0.0.1:{admin}/readyz") is not None)
    return process


def worker(context, directory, name="worker", options=AT_WILL):
    """A worker on loopback; `url` is as smg wants it."""
    process = Process(
        name,
        [context.programs / "switchyard", "worker", "--model", context.model, "--model-name",
         MODEL, "--listen", "127.0.0.1:0", *options], directory, first_line=True)
    process.url = "grpc://" + json.loads(process.first_line)["listen"]
    return process


def switchyard(context, directory, back):
    port, admin = free_port(), free_port()
    process = Process(
        "switchyard",
        [context.programs / "switchyard", "gateway", "--worker", back.url.removeprefix("grpc://"),
         "--model", context.model, "--model-name", MODEL, "--loops", CORES, "--port", port,
         "--admin-port", admin, "--log-level", "warning", "--data-dir", f"{directory}/data"],
        directory)
    return gateways.ready(process, f"http://127.0.0.1:{port}")


# smg asks workers for the tokenizer, which a simulated engine has not; before that it looks for a
# folder of the model's name. A worker that runs the model gives it: messages whose field 1 is a
# piece of a zip file, read by hand.
TOKENIZER = """
import io, sys, zipfile, grpc

def piece(message):
    assert message[:1] == b"\\n"
    size, shift, at = 0, 0, 1
    while True:
        size |= (message[at] & 127) << shift
        shift, at = shift + 7, at + 1
        if message[at - 1] < 128:
            return message[at:at + size]

with grpc.insecure_channel(sys.argv[1]) as channel:
    call = channel.unary_stream("/vllm.grpc.engine.VllmEngine/GetTokenizer")
    data = b"".join(piece(each) for each in call(b"") if each[:1] == b"\\n")
zipfile.ZipFile(io.BytesIO(data)).extractall(sys.argv[2])
"""


def smg(context, directory, back):
    real = worker(context, directory, "tokenizer", ("--slots", 1, "--context", 512))
    folder = Path(directory, MODEL)
    subprocess.run(
        [install.environment("smg") / "bin/python", "-c", TOKENIZER,
         real.url.removeprefix("grpc://"), folder], check=True, capture_output=True, timeout=60)
    real.stop()
    return gateways.smg(context.programs, directory, back)


ALL = {"switchyard": switchyard, "smg": smg}


def streams(context, number, protocol):
    """CPU per streamed token of the gateway and of the worker, at 256 streams."""

    def run(name, directory):
        back = worker(context, directory)
        server = ALL[name](context, directory, back)
        result = load.chats(
            context.programs, server, [server, back], "--model", MODEL, "--protocol", protocol,
            *(("--connections", 4) if protocol == "h2" else ()), "--concurrency", SLOTS,
            "--warmup", 64, "--requests", 256 if context.quick else 512, "--max-tokens", 1024,
            "--ignore-eos", "--prompt-tokens", 20, "--seed", number + 1)
        return result, [server, back]

    context.each(f"native-{protocol}", number, [name for name in ALL if name in context.peers], run)


EXPERIMENTS = {
    "native-h2": lambda context, number: streams(context, number, "h2"),
    "native-h1": lambda context, number: streams(context, number, "h1"),
}
