"""Experiments on gateways alone, all before the same simulated upstream. Each is one round."""

import json
import os

from . import gateways, load, upstream
from .processes import fetch

STREAMS = 1000
STEP_MS = 100


def each(context, experiment, number, start_options, body, direct=False):
    """Runs `body(server, watched, directory)` for every peer. `direct`: in any case also without a
    gateway, because the table tells what gateways add."""
    names = [name for name in gateways.ALL
             if name in context.peers or (direct and name == "direct")]
    if names == ["direct"] and "direct" not in context.peers:
        names = []

    def run(name, directory):
        back = upstream.start(context.programs, directory, *start_options)
        server = gateways.ALL[name](context.programs, directory, back)
        watched = [back] if name == "direct" else [server, back]
        result = body(server, watched, directory)
        result["stats"] = json.loads(fetch(f"{back.url}/stats") or b"{}")
        return result, watched

    context.each(experiment, number, names, run)


def paced(context, number):
    """Streams with a token each STEP_MS, spread evenly: delay of events, CPU, memory."""
    _delays(context, "paced", number, "--phases", STEP_MS)


def burst(context, number):
    """The same, all tokens of a step at once, as one engine's: the batch's end is what counts."""
    _delays(context, "burst", number)


def _delays(context, experiment, number, *options):
    each(context, experiment, number, ("--step-ms", STEP_MS, "--stamps", *options),
         lambda server, watched, directory: load.delays(
             context.programs, server, watched, STREAMS, 4, context.seconds(8)), direct=True)


def fast(context, number, streams):
    """Streams as fast as they are read: CPU per event at the gateway's capacity."""
    each(context, f"fast-{streams}", number, (),
         lambda server, watched, directory: load.chats(
             context.programs, server, watched, "--model", upstream.MODEL, "--protocol", "h1",
             "--concurrency", streams, "--warmup", streams // 2, "--duration", context.seconds(6),
             "--max-tokens", 256, "--prompt-tokens", 20, "--seed", number + 1))


def bursty_arrivals(context, number):
    """Chats that arrive in bursts (gaps with three times the deviation of Poisson's): TTFT, ITL."""
    each(context, "bursty-arrivals", number,
         ("--ttft-ms", 50, "--step-ms", 20, "--phases", 20),
         lambda server, watched, directory: load.chats(
             context.programs, server, watched, "--model", upstream.MODEL, "--protocol", "h1",
             "--rate", 100, "--arrivals", "bursty", "--cv", 3, "--warmup", 64,
             "--duration", context.seconds(20), "--max-tokens", 32, "--prompt-tokens", 100,
             "--seed", number + 1))


def small_chats(context, number):
    """Whole answers of one token."""
    body = {"model": upstream.MODEL, "max_tokens": 1,
            "messages": [{"role": "user", "content": "Name one colour, in one word."}]}

    def run(server, watched, directory):
        path = os.path.join(directory, "body.json")
        with open(path, "w") as file:
            json.dump(body, file)
        return load.small(server, watched, "/v1/chat/completions", path, context.seconds(4))

    each(context, "small-chat", number, (), run)


def small_pages(context, number):
    """GET /v1/models, which LLM gateways answer themselves or forward."""
    each(context, "small-models", number, (),
         lambda server, watched, directory: load.small(
             server, watched, "/v1/models", None, context.seconds(4)))


EXPERIMENTS = {
    "paced": paced, "burst": burst,
    "fast-64": lambda context, number: fast(context, number, 64),
    "fast-256": lambda context, number: fast(context, number, 256),
    "bursty-arrivals": bursty_arrivals, "small-chat": small_chats, "small-models": small_pages,
}
