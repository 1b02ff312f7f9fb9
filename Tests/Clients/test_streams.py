"""Many streams at once through one HTTP/2 connection, and clients that go away."""

import asyncio
import json
import re
import subprocess
import time

import httpx
import pytest
from conftest import BINARY, body
from test_failover import SIMULATED

QUESTIONS = [f"Write a long story about the number {n}." for n in range(16)]


class Stream:
    """One streamed answer: its text and when each piece of it came."""

    def __init__(self):
        self.text = ""
        self.times = []
        self.finish = None

    async def run(self, client, url, request):
        async with client.stream("POST", f"{url}/v1/chat/completions", json=request) as answer:
            assert answer.status_code == 200, await answer.aread()
            assert answer.http_version == "HTTP/2"
            done = False
            async for line in answer.aiter_lines():
                if line == "data: [DONE]":
                    done = True
                elif line.startswith("data: "):
                    choice = json.loads(line[6:])["choices"][0]
                    if choice["delta"].get("content"):
                        self.text += choice["delta"]["content"]
                        self.times.append(time.monotonic())
                    self.finish = choice["finish_reason"] or self.finish
            assert done
        return self


def h2_client():
    # Prior knowledge, one connection: whatever runs at once is multiplexed.
    return httpx.AsyncClient(
        http1=False, http2=True, timeout=120,
        limits=httpx.Limits(max_connections=1, max_keepalive_connections=1))


def test_sixteen_streams_progress_together(server):
    request = {"max_tokens": 48, "stream": True, "ignore_eos": True}

    async def main():
        async with h2_client() as client:
            # Opens the one connection first, so that all streams share it.
            await client.get(f"{server.url}/v1/models")
            return await asyncio.gather(
                *(Stream().run(client, server.url, body(q, **request)) for q in QUESTIONS))

    streams = asyncio.run(main())
    assert all(stream.finish == "length" for stream in streams)
    # Interleaved: everybody has begun before anybody has ended.
    last_start = max(stream.times[0] for stream in streams)
    first_end = min(stream.times[-1] for stream in streams)
    assert last_start < first_end
    # Each correct: no stream has another's words; text is never mixed between streams.
    assert len({stream.text for stream in streams}) == len(streams)
    server.wait_idle()


def test_a_late_request_overtakes_nobody_and_waits_for_nobody(server):
    async def main():
        async with h2_client() as client:
            await client.get(f"{server.url}/v1/models")
            running = [
                asyncio.create_task(Stream().run(client, server.url, body(
                    q, max_tokens=96, stream=True, ignore_eos=True)))
                for q in QUESTIONS[:8]]
            while server.health()["requests"]["in_flight"] < 8:
                await asyncio.sleep(0)
            late = await Stream().run(client, server.url, body(
                "And now something else.", max_tokens=8, stream=True, ignore_eos=True))
            return late, await asyncio.gather(*running)

    late, running = asyncio.run(main())
    assert late.times[0] < min(stream.times[-1] for stream in running)
    assert late.times[-1] < max(stream.times[-1] for stream in running)


def test_a_client_that_leaves_frees_its_slot(server):
    async def main():
        async with h2_client() as client:
            async with client.stream("POST", f"{server.url}/v1/chat/completions", json=body(
                    "Go on for ever.", max_tokens=4000, stream=True, ignore_eos=True)) as answer:
                async for line in answer.aiter_lines():
                    if line.startswith("data: "):
                        break
            # Leaving the block resets the stream; the connection lives on.
            return (await client.get(f"{server.url}/v1/models")).status_code

    assert asyncio.run(main()) == 200
    server.wait_idle(limit=10)


def test_a_closed_http1_connection_frees_its_slot(server):
    with httpx.Client(timeout=60) as client:
        with client.stream("POST", f"{server.url}/v1/chat/completions", json=body(
                "Go on for ever.", max_tokens=4000, stream=True, ignore_eos=True)) as answer:
            for line in answer.iter_lines():
                if line.startswith("data: "):
                    break
    server.wait_idle(limit=10)


def test_comments_tell_how_far_the_prompt_is(launch):
    server = launch("--model-name", "smollm2", "--keepalive-interval", "1",
                    "--slots", "1").wait_ready()
    request = body("Once upon a time. " * 300, max_tokens=4, stream=True,
                   stream_options={"include_usage": True})
    with httpx.stream("POST", f"{server.url}/v1/chat/completions", json=request,
                      timeout=120) as answer:
        text = "".join(answer.iter_text())
    before = text.partition("data: ")[0]
    told = [tuple(map(int, pair))
            for pair in re.findall(r"^: prefill (\d+)/(\d+)$", before, re.M)]
    assert '"prompt_tokens"' in text, text[:2000]
    [total] = set(re.findall(r'"prompt_tokens":(\d+)', text))
    assert len(told) > 1 and told == sorted(told)
    assert all(0 < computed < of == int(total) for computed, of in told)


def test_comments_tell_the_place_in_the_queue(launch):
    server = launch("--engine", "simulated", "--model-name", "smollm2", "--slots", "1",
                    "--keepalive-interval", "1",
                    "--worker-argument=--step-time=20000").wait_ready()
    request = body("Hello.", max_tokens=60, stream=True)

    async def ask(client):
        async with client.stream("POST", "/v1/chat/completions", json=request) as answer:
            return "".join([text async for text in answer.aiter_text()])

    async def main(count):
        async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
            return await asyncio.gather(*[ask(client) for _ in range(count)])

    waited = []
    for text in asyncio.run(main(6)):
        before = text.partition("data: ")[0]
        places = [int(place) for place in re.findall(r"^: queued pos=(\d+)", before, re.M)]
        assert places == sorted(places, reverse=True), places
        assert text.endswith("data: [DONE]\n\n")
        if places:
            waited.append(places)
    # One runs and two wait at the worker itself; the others stand in line, 1.2 s apart.
    assert sorted(places[0] for places in waited) == [1, 2, 3]
    # Estimates rest on what was measured.
    told = re.findall(r"^: queued pos=\d+ eta_ms=(\d+)$", "".join(asyncio.run(main(16))), re.M)
    assert told and all(0 < int(eta) < 60_000 for eta in told), told


def test_simulated_answers_can_have_text_with_each_token(launch):
    """Without `--output-ids` about one in 150 tokens is part of a character, and waits for it."""
    server = launch(*SIMULATED, "--workers", "1", "--worker-argument=--step-time=at-will",
                    "--worker-argument=--output-ids=460-3350").wait_ready()
    for question in QUESTIONS:
        request = body(question, max_tokens=200, ignore_eos=True, logprobs=True)
        answer = httpx.post(f"{server.url}/v1/chat/completions", json=request, timeout=60)
        tokens = answer.json()["choices"][0]["logprobs"]["content"]
        assert len(tokens) == 200
        # What cannot be decoded by itself has U+FFFD.
        assert all(each["token"] and "\ufffd" not in each["token"] for each in tokens)


@pytest.mark.parametrize("ids, words", [
    ("5", "--output-ids 5: expected FIRST-LAST"),
    ("9-5", "--output-ids 9-5: expected FIRST-LAST"),
    ("5-49151", "--output-ids is 49151; allowed: 0 to 49150"),
])
def test_ids_that_no_answer_can_have_are_refused(ids, words):
    done = subprocess.run(
        [BINARY, "worker", "--engine", "simulated", "--listen", "127.0.0.1:0", "--output-ids", ids],
        capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    assert done.returncode != 0 and words in done.stderr, done.stderr
