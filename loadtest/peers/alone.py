"""Experiments on gateways alone, all before the same simulated upstream."""

import json
import os

from . import gateways, load, upstream
from .processes import fetch

STREAMS = 1000
STEP_MS = 100


def each(context, experiment, start_options, body):
    """Runs `body(server, watched, upstream)` for every peer in every round; the order rotates."""
    names = [name for name in context.peers if name in gateways.ALL]
    for number in range(context.rounds):
        shift = number % len(names)
        for name in names[shift:] + names[:shift]:
            with context.directory(f"{experiment}-{number}-{name}") as directory:
                back = upstream.start(context.programs, directory, *start_options)
                server = None
                try:
                    server = gateways.ALL[name](context.programs, directory, back)
                    watched = [back] if name == "direct" else [server, back]
                    result = body(server, watched, directory)
                    result["stats"] = json.loads(fetch(f"{back.url}/stats") or b"{}")
                    context.record(experiment, name, number, result, [*watched])
                except Exception as error:  # one peer's failure is a result, not the end
                    context.failed(experiment, name, number, error)
                finally:
                    if server:
                        server.stop()
                    back.stop()


def paced(context):
    """Streams with a token each STEP_MS, spread evenly: delay of events, CPU, memory."""
    seconds = 4 if context.quick else 8
    each(context, "paced",
         ("--step-ms", STEP_MS, "--phases", STEP_MS, "--stamps"),
         lambda server, watched, directory: load.delays(
             context.programs, server, watched, STREAMS, 4, seconds))


def burst(context):
    """The same, all tokens of a step at once, as one engine's: the batch's end is what counts."""
    seconds = 4 if context.quick else 8
    each(context, "burst", ("--step-ms", STEP_MS, "--stamps"),
         lambda server, watched, directory: load.delays(
             context.programs, server, watched, STREAMS, 4, seconds))


def fast(context, streams):
    """Streams as fast as they are read: CPU per event at the gateway's capacity."""
    seconds = 3 if context.quick else 6
    each(context, f"fast-{streams}", (),
         lambda server, watched, directory: load.chats(
             context.programs, server, watched, "--model", upstream.MODEL, "--protocol", "h1",
             "--concurrency", streams, "--warmup", streams // 2, "--duration", seconds,
             "--max-tokens", 256, "--prompt-tokens", 20))


def small_chats(context):
    """Whole answers of one token."""
    body = {"model": upstream.MODEL, "max_tokens": 1,
            "messages": [{"role": "user", "content": "Name one colour, in one word."}]}

    def run(server, watched, directory):
        path = os.path.join(directory, "body.json")
        with open(path, "w") as file:
            json.dump(body, file)
        return load.small(server, watched, "/v1/chat/completions", path,
                          2 if context.quick else 4)

    each(context, "small-chat", (), run)


def small_pages(context):
    """GET /v1/models, which LLM gateways answer themselves or forward."""
    each(context, "small-models", (),
         lambda server, watched, directory: load.small(
             server, watched, "/v1/models", None, 2 if context.quick else 4))


EXPERIMENTS = {
    "paced": paced, "burst": burst, "fast-64": lambda context: fast(context, 64),
    "fast-256": lambda context: fast(context, 256), "small-chat": small_chats,
    "small-models": small_pages,
}
