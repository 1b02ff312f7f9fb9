"""Conversations of several turns with a shared system prompt: TTFT of each turn."""

import http.client
import json
import math
import statistics
import threading
import time
from urllib.parse import urlsplit

from . import engines
from .processes import Failed

CONVERSATIONS, TURNS, ANSWER = 8, 4, 48
SUBJECTS = ["rivers", "bread", "stars", "trains", "bees"]
SYSTEM = "You are the assistant of a public library. " + " ".join(
    f"Rule {number}: be kind, be brief, and name the shelf {number * 7 % 97} when it is asked for."
    for number in range(1, 25))


def turn(address, messages):
    """(seconds to the first content, answer)."""
    body = json.dumps({"model": engines.MODEL, "messages": messages, "stream": True,
                       "temperature": 0, "max_tokens": ANSWER, "ignore_eos": True}).encode()
    connection = http.client.HTTPConnection(address, timeout=300)
    begin = time.monotonic()
    connection.request("POST", "/v1/chat/completions", body,
                       {"content-type": "application/json"})
    answer = connection.getresponse()
    if answer.status != 200:
        raise Failed(f"a turn got {answer.status}: {answer.read()[:300]}")
    first, text = None, ""
    for line in answer:
        if not line.startswith(b"data: {"):
            continue
        for choice in json.loads(line[6:])["choices"]:
            piece = choice["delta"].get("content") or ""
            if piece and first is None:
                first = time.monotonic() - begin
            text += piece
    connection.close()
    if first is None:
        raise Failed("a turn got no text")
    return first, text


def converse(address, number, seed, times):
    messages = [{"role": "system", "content": SYSTEM}]
    for index in range(TURNS):
        subject = SUBJECTS[(number + index) % len(SUBJECTS)]
        messages.append({"role": "user", "content": f"Visitor {seed}-{number}, question {index}: "
                         f"what should I read about {subject}?"})
        first, text = turn(address, messages)
        times.append((index, first))
        messages.append({"role": "assistant", "content": text})


def together(work, gap_seconds):
    """Runs `work(index)` for each conversation on a thread of its own, begun one by one."""
    threads = [threading.Thread(target=work, args=(index,), daemon=True)
               for index in range(CONVERSATIONS)]
    for thread in threads:
        thread.start()
        time.sleep(gap_seconds)
    for thread in threads:
        thread.join()


def run(server, number, name):
    address = urlsplit(server.url).netloc
    # From then on every slot knows the system prompt, as in a server that runs.
    together(lambda index: turn(address, [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": f"Hello from {index}."}]), 0)
    times = []
    before = server.cpu_seconds()
    # Arrivals, not a race: conversations begin one after the other.
    together(lambda index: converse(address, index, number, times), 0.25)
    after = server.cpu_seconds()
    if len(times) != CONVERSATIONS * TURNS:
        raise Failed(f"{len(times)} of {CONVERSATIONS * TURNS} turns were answered")
    return {
        "turns": len(times), "cpuSeconds": {name: after - before},
        "firstTurn": summary(first for index, first in times if index == 0),
        "laterTurns": summary(first for index, first in times if index > 0),
        "byTurn": [statistics.median(1e3 * first for turn, first in times if turn == index)
                   for index in range(TURNS)],
    }


def summary(seconds):
    """In milliseconds. Of fewer than a hundred p99 is the longest."""
    ordered = sorted(1e3 * each for each in seconds)
    return {"p50": statistics.median(ordered),
            "p99": ordered[math.ceil(0.99 * len(ordered)) - 1]}


def turns(context, number):
    engines.each(context, "turns", number, CONVERSATIONS,
                 lambda server, name: run(server, number, name),
                 names=["switchyard", "llama-server"])


EXPERIMENTS = {"turns": turns}
