"""Engines end to end: the same GGUF, threads and slots for each."""

from . import install, load
from .processes import Failed, Process, fetch, free_port, post

MODEL = "bench"
SLOTS = 32
# Enough for the long prompt and its template.
CONTEXT_PER_SLOT = 2560
THREADS = 2
PROMPT, ANSWER, PROBE = 100, 128, 2000


def ready(process, port):
    process.url = f"http://127.0.0.1:{port}"
    try:
        process.await_true(lambda: fetch(f"{process.url}/v1/models") is not None)
        body = {"model": MODEL, "max_tokens": 8, "messages": [{"role": "user", "content": "Hi."}]}
        process.await_true(lambda: _answers(f"{process.url}/v1/chat/completions", body))
    except Failed:
        process.stop()
        raise
    return process


def _answers(url, body):
    try:
        return bool(post(url, body)["choices"])
    except OSError:
        return False


def switchyard(context, directory, slots):
    port, admin = free_port(), free_port()
    process = Process(
        "switchyard",
        [context.programs / "switchyard", "serve", "--port", port, "--admin-port", admin,
         "--model", context.model, "--model-name", MODEL, "--threads", THREADS, "--slots", slots,
         "--context", slots * CONTEXT_PER_SLOT, "--log-level", "warning",
         "--data-dir", f"{directory}/data"], directory)
    process.await_true(lambda: fetch(f"http://127.0.0.1:{admin}/readyz") is not None)
    return ready(process, port)


def llama_server(context, directory, slots):
    port = free_port()
    return ready(Process(
        "llama-server",
        [context.llama / "bin/llama-server", "--model", context.model, "--alias", MODEL,
         "--host", "127.0.0.1", "--port", port, "--parallel", slots,
         "--ctx-size", slots * CONTEXT_PER_SLOT, "--threads", THREADS, "--threads-batch", THREADS,
         "--no-webui"], directory), port)


def llama_cpp_python(context, directory, slots):
    """It has one sequence at a time, whatever it is asked: `slots` is not for it."""
    port = free_port()
    return ready(Process(
        "llama-cpp-python",
        [install.environment("llama-cpp-python") / "bin/python", "-m", "llama_cpp.server",
         "--model", context.model, "--model_alias", MODEL, "--host", "127.0.0.1",
         "--port", port, "--n_ctx", CONTEXT_PER_SLOT, "--n_threads", THREADS,
         "--n_threads_batch", THREADS, "--verbose", "False",
         "--interrupt_requests", "False"], directory), port)


ALL = {"switchyard": switchyard, "llama-server": llama_server,
       "llama-cpp-python": llama_cpp_python}


def each(context, experiment, slots, body, names=None, rounds=None):
    names = [name for name in names or ALL if name in context.peers]
    for number in range(rounds or context.rounds):
        shift = number % len(names)
        for name in names[shift:] + names[:shift]:
            with context.directory(f"{experiment}-{number}-{name}") as directory:
                server = None
                try:
                    server = ALL[name](context, directory, slots)
                    # What learns how long steps take has some to learn from.
                    _chats(context, server, 998, "--concurrency", 4, "--requests", 8,
                           "--max-tokens", 32)
                    result = body(server, number, name)
                    context.record(experiment, name, number, result, [server])
                except Exception as error:
                    context.failed(experiment, name, number, error)
                finally:
                    if server:
                        server.stop()


def _chats(context, server, number, *options):
    return load.chats(
        context.programs, server, [server], "--model", MODEL, "--protocol", "h1",
        "--prompt-tokens", PROMPT, "--seed", number + 1, *options)


def throughput(context, streams):
    """Output tokens per second with so many clients that ask one after the other.

    llama-cpp-python answers one at a time: few requests are enough to know its rate. It does not
    know `ignore_eos`, but biases.
    """
    def run(server, number, name):
        if name == "llama-cpp-python":
            requests, options = 4, ("--member", '"logit_bias":{"0":-100,"2":-100}')
        else:
            requests, options = streams * (1 if context.quick else 2), ("--ignore-eos",)
        return _chats(
            context, server, number, "--concurrency", min(streams, requests), "--requests",
            requests, "--max-tokens", ANSWER, *options)

    each(context, f"throughput-{streams}", streams, run)


def knee(context):
    """llama-server's capacity for this mix: requests per second of a closed loop of 16."""
    each(context, "knee", 16,
         lambda server, number, name: _chats(
             context, server, number, "--concurrency", 16, "--requests", 48, "--max-tokens", 64,
             "--ignore-eos"), names=["llama-server"], rounds=1)


def first_token(context):
    """TTFT at 70 % of llama-server's knee, Poisson arrivals."""
    rate = context.rate
    if rate is None:
        known = context.values("knee", "llama-server", "requestsPerSecond")
        if not known:
            knee(context)
            known = context.values("knee", "llama-server", "requestsPerSecond")
        if not known:
            raise Failed("no knee of llama-server is known")
        rate = 0.7 * known[-1]
    each(context, "first-token", 16,
         lambda server, number, name: _chats(
             context, server, number, "--rate", f"{rate:.3f}", "--duration",
             15 if context.quick else 40, "--max-tokens", 64, "--ignore-eos"),
         names=["switchyard", "llama-server"])


def long_prompts(context):
    """ITL of running streams while prompts of 2,000 tokens arrive."""
    each(context, "long-prompts", 16,
         lambda server, number, name: _chats(
             context, server, number, "--concurrency", 15, "--duration",
             12 if context.quick else 20, "--max-tokens", 1024, "--ignore-eos",
             "--probe-prompt-tokens", PROBE, "--probe-at-seconds", 4, "--probe-count", 2),
         names=["switchyard", "llama-server"])


EXPERIMENTS = {
    "throughput-16": lambda context: throughput(context, 16),
    "throughput-32": lambda context: throughput(context, 32),
    "knee": knee, "first-token": first_token, "long-prompts": long_prompts,
}
