"""The gateway before native workers (token-level protocol) with a simulated engine."""

from . import load
from .processes import Process, fetch, free_port

SLOTS = 256
CONTEXT = SLOTS * 1152


def start(context, directory, *options):
    """`switchyard serve` with a simulated engine at will; its worker is a process of its own."""
    port, admin = free_port(), free_port()
    process = Process(
        "switchyard",
        [context.programs / "switchyard", "serve", "--port", port, "--admin-port", admin,
         "--model", context.model, "--model-name", "simulated", "--engine", "simulated",
         "--slots", SLOTS, "--context", CONTEXT, "--log-level", "warning",
         "--data-dir", f"{directory}/data", "--worker-argument=--step-time",
         "--worker-argument=at-will", *options],
        directory)
    process.url = f"http://127.0.0.1:{port}"
    process.await_true(lambda: fetch(f"http://127.0.0.1:{admin}/readyz") is not None)
    return process


class One:
    """One process of a supervised pair, without its children."""

    def __init__(self, name, pid):
        self.name, self.pid = name, pid

    def pids(self):
        return [self.pid]


def streams(context):
    """CPU per streamed token of the gateway's process and of the worker's, at 256 streams."""
    requests = 256 if context.quick else 512
    for number in range(context.rounds):
        for protocol in ("h2", "h1") if number % 2 == 0 else ("h1", "h2"):
            with context.directory(f"native-{protocol}-{number}") as directory:
                server = None
                try:
                    server = start(context, directory)
                    gateway, *workers = server.pids()
                    watched = [One("switchyard", gateway), *(One("worker", w) for w in workers)]
                    result = load.chats(
                        context.programs, server, watched, "--model", "simulated",
                        "--protocol", protocol, *(("--connections", 4) if protocol == "h2" else ()),
                        "--concurrency", SLOTS,
                        "--warmup", 64, "--requests", requests, "--max-tokens", 1024,
                        "--ignore-eos", "--prompt-tokens", 20, "--seed", number + 1)
                    context.record(f"native-{protocol}", "switchyard", number, result, [server])
                except Exception as error:
                    context.failed(f"native-{protocol}", "switchyard", number, error)
                finally:
                    if server:
                        server.stop()


EXPERIMENTS = {"native": streams}
