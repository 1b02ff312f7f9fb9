"""Engines end to end: the same GGUF, threads and slots for each."""

from . import install, load
from .processes import Failed, Process, fetch, free_port, post

MODEL = "bench"
SLOTS = 32
# Enough for the long prompt and its template.
CONTEXT_PER_SLOT = 2560
THREADS = 2
PROMPT, ANSWER, PROBE, PROBES = 100, 128, 2000, 2


def ready(process, port):
    process.url = f"http://127.0.0.1:{port}"
    process.await_true(lambda: fetch(f"{process.url}/v1/models") is not None)
    body = {"model": MODEL, "max_tokens": 8, "messages": [{"role": "user", "content": "Hi."}]}
    process.await_true(lambda: _answers(f"{process.url}/v1/chat/completions", body))
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


def each(context, experiment, number, slots, body, names=tuple(ALL)):
    """`body(server, name)` for every peer of `names`."""

    def run(name, directory):
        server = ALL[name](context, directory, slots)
        # What learns how long steps take has some to learn from.
        _chats(context, server, 998, "--concurrency", 4, "--requests", 8, "--max-tokens", 32)
        return body(server, name), [server]

    context.each(experiment, number, [name for name in names if name in context.peers], run)


def _chats(context, server, number, *options):
    return load.chats(
        context.programs, server, [server], "--model", MODEL, "--protocol", "h1",
        "--prompt-tokens", PROMPT, "--seed", number + 1, *options)


def throughput(context, number, streams):
    """Output tokens per second with so many clients that ask one after the other.

    llama-cpp-python answers one at a time; the others wait. It does not know `ignore_eos`, but
    biases.
    """
    def run(server, name):
        options = (("--member", '"logit_bias":{"0":-100,"2":-100}')
                   if name == "llama-cpp-python" else ("--ignore-eos",))
        return _chats(
            context, server, number, "--concurrency", streams, "--requests",
            streams * (1 if context.quick else 2), "--max-tokens", ANSWER, *options)

    each(context, f"throughput-{streams}", number, streams, run)


def knee(context, number):
    """llama-server's capacity for this mix: requests per second of a closed loop of 16."""
    if number == 0:
        each(context, "knee", number, 16,
             lambda server, name: _chats(
                 context, server, number, "--concurrency", 16, "--requests", 48,
                 "--max-tokens", 64, "--ignore-eos"), names=["llama-server"])


def first_token(context, number):
    """TTFT at 70 % of llama-server's knee, Poisson arrivals."""
    if context.rate is None:
        if not (known := context.values("knee", "llama-server", "requestsPerSecond")):
            knee(context, 0)
            known = context.values("knee", "llama-server", "requestsPerSecond")
        if not known:
            raise Failed("no knee of llama-server is known; --rate gives one")
        context.rate = 0.7 * known[-1]
    each(context, "first-token", number, 16,
         lambda server, name: _chats(
             context, server, number, "--rate", f"{context.rate:.3f}", "--duration",
             15 if context.quick else 40, "--max-tokens", 64, "--ignore-eos"),
         names=["switchyard", "llama-server"])


def long_prompts(context, number):
    """ITL of running streams while prompts of 2,000 tokens arrive, and how long these wait. The
    run's time is enough for both; what gets no token in it is told as such."""
    def run(server, name):
        result = _chats(
            context, server, number, "--concurrency", 15, "--duration",
            40 if context.quick else 80, "--max-tokens", 1024, "--ignore-eos",
            "--probe-prompt-tokens", PROBE, "--probe-at-seconds", 4, "--probe-count", PROBES)
        result["probe"]["sent"] = PROBES
        return result

    each(context, "long-prompts", number, 16, run, names=["switchyard", "llama-server"])


EXPERIMENTS = {
    "throughput-16": lambda context, number: throughput(context, number, 16),
    "throughput-32": lambda context, number: throughput(context, number, 32),
    "knee": knee, "first-token": first_token, "long-prompts": long_prompts,
}
