"""Conversations of several turns with a shared system prompt: TTFT of each turn."""

import http.client
import json
import statistics
import threading
import time
from urllib.parse import urlsplit

from . import engines

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
    assert answer.status == 200, answer.read()
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


def run(server, number, name):
    address = urlsplit(server.url).netloc
    # The system prompt is known from then on, as in a server that runs.
    turn(address, [{"role": "system", "content": SYSTEM}, {"role": "user", "content": "Hello."}])
    times = []
    threads = [threading.Thread(target=converse, args=(address, index, number, times))
               for index in range(CONVERSATIONS)]
    before = server.cpu_seconds()
    for index, thread in enumerate(threads):
        thread.start()
        time.sleep(0.25)  # arrivals, not a race: conversations begin one after the other
    for thread in threads:
        thread.join()
    milliseconds = sorted(first * 1e3 for _, first in times)
    assert len(times) == CONVERSATIONS * TURNS
    return {
        "turns": len(times), "p50": statistics.median(milliseconds),
        "p99": milliseconds[int(len(milliseconds) * 0.99)],
        "byTurn": [statistics.median(first * 1e3 for turn, first in times if turn == index)
                   for index in range(TURNS)],
        "cpuSeconds": {name: server.cpu_seconds() - before},
    }


EXPERIMENTS = {
    "turns": lambda context: engines.each(
        context, "turns", CONVERSATIONS, run, names=["switchyard", "llama-server"]),
}
