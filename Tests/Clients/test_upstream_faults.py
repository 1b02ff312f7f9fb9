"""What our gateway makes of what OpenAI-compatible servers do wrong."""

import json

import httpx
import pytest
from conftest import body, events as read_events
from scripted_server import DONE, GOOD, ROLE, ScriptedServer, answer, chunk, events
from test_upstream import front

ERROR = json.dumps({"error": {"message": "No.", "type": "t", "param": "top_k", "code": 400}})


@pytest.fixture(scope="module")
def pair(launch_module):
    """A scripted server and the gateway before it."""
    upstream = ScriptedServer([])
    # Nothing here is to be kept from the one upstream because of what it did before.
    patient = ("--breaker-failures", "1024", "--retry-budget-percent", "1000")
    yield upstream, front(launch_module, f"http://127.0.0.1:{upstream.port}",
                          options=patient).wait_ready()
    upstream.close()


def ask(pair, script, **fields):
    """The gateway's answer, and how many requests the upstream had."""
    upstream, gateway = pair
    upstream.script, upstream.requests = list(script), []
    reply = httpx.post(f"{gateway.url}/v1/chat/completions", timeout=60,
                       json=body("Hi.", **{"model": "front", "stream": True, **fields}))
    gateway.wait_idle()
    return reply, len(upstream.requests)


def lines(reply):
    return [line for line in reply.text.split("\n") if line]


def is_whole(reply):
    text = "".join(event["choices"][0]["delta"].get("content") or ""
                   for event in read_events(lines(reply)))
    assert reply.text.count('"role"') == 1
    return reply.status_code == 200 and text == "Hi"


# Small bodies are read on the event loop, others on a thread.
@pytest.mark.parametrize("padding", [0, 8192])
def test_the_request_is_the_clients(pair, padding):
    reply, _ = ask(pair, [], x_new={"a": [1.0, None]}, stream_options={"other": 1},
                   x_padding="x" * padding)
    assert is_whole(reply)
    sent, = pair[0].requests
    assert sent["x_padding"] == "x" * padding
    assert sent["model"] == "theirs" and sent["x_new"] == {"a": [1.0, None]}
    assert sent["stream_options"] == {"include_usage": True, "other": 1}
    assert sent["messages"] == [{"role": "user", "content": "Hi."}]


@pytest.mark.parametrize("first", [
    events(ROLE, end=False), events(ROLE), events(), events(ROLE, b"data: no JSON\n\n"),
    events(ROLE, b'data: {"error":{"message":"out of memory","code":500}}\n\n'),
    events(ROLE, b'error: {"code":500,"message":"no"}\n\n'),
    answer(500), answer(502, b"<html>", b"text/html"), answer(404), answer(401),
    answer(429), answer(503, fields=b"retry-after: 1\r\n"),
    answer(200, b"no JSON"), answer(200, b'{"choices":[]}'), b"HTTP/1.1 200 OK\r\n", b"garbage\r\n",
    answer(200, b"x", fields=b"content-encoding: gzip\r\n"), None,
], ids=[str(number) for number in range(18)])
def test_what_fails_before_the_first_token_is_tried_again(pair, first):
    reply, requests = ask(pair, [first])
    assert is_whole(reply), reply.text
    assert requests == 2


@pytest.mark.parametrize("rest", [
    events(ROLE, chunk("Hi"), end=False), events(ROLE, chunk("Hi")),
    events(ROLE, chunk("Hi"), chunk(finish="stop"), end=False),
    events(ROLE, chunk("Hi"), b'error: {"code":500}\n\n'),
    events(ROLE, chunk("Hi"), b'data: {"error":{"message":"out of memory"}}\n\n'),
    events(ROLE, chunk("Hi"), b"data: [DONE]\n", end=False),
], ids=[str(number) for number in range(6)])
def test_what_fails_after_the_first_token_is_an_error_event(pair, rest):
    reply, requests = ask(pair, [rest])
    assert reply.status_code == 200 and requests == 1
    assert "data: [DONE]" not in reply.text
    assert json.loads(lines(reply)[-1][6:])["error"]["code"] == "worker_lost"


def test_what_never_works_fails_with_its_own_status(pair):
    reply, requests = ask(pair, [answer(500)] * 9)
    assert (reply.status_code, requests) == (500, 4)
    assert reply.json()["error"]["code"] == "worker_failed"
    reply, requests = ask(pair, [answer(429, fields=b"retry-after: 7\r\n")] * 9)
    assert (reply.status_code, requests) == (503, 4)
    assert reply.headers["retry-after"] == "7"
    reply, requests = ask(pair, [answer(500)] * 9, stream=False)
    assert (reply.status_code, requests) == (500, 4)


@pytest.mark.parametrize("stream", [True, False])
def test_a_refusal_is_the_clients_and_final(pair, stream):
    for first in (answer(400, ERROR.encode()), answer(422, ERROR.encode())):
        reply, requests = ask(pair, [first], stream=stream)
        assert (reply.status_code, requests) == (400, 1)
        assert reply.json()["error"]["message"] == "No."
        assert reply.json()["error"]["param"] == "top_k"
    reply, requests = ask(pair, [answer(413)], stream=stream)
    assert (reply.status_code, requests) == (413, 1)


def test_a_stream_that_says_its_end_in_other_words_is_whole(pair):
    reply, _ = ask(pair, [events(ROLE, chunk("Hi"), chunk(finish="stop"))])
    assert is_whole(reply)
    reply, _ = ask(pair, [events(b"".join([ROLE, chunk("Hi"), DONE]).replace(b"\n", b"\r\n"))])
    assert is_whole(reply)


def test_an_event_of_several_lines_becomes_one(pair):
    lines_of_chunk = chunk("Hi").replace(b", ", b",\ndata: ")
    reply, _ = ask(pair, [events(ROLE, lines_of_chunk, chunk(finish="stop"), DONE)])
    assert is_whole(reply)


def test_tool_calls_and_reasoning_pass(pair):
    delta = {"tool_calls": [{"index": 0, "id": "c", "type": "function",
                             "function": {"name": "f", "arguments": "{\"a\":1}"}}],
             "reasoning_content": "hm"}
    call = b"data: " + json.dumps({"choices": [{
        "index": 0, "delta": delta, "finish_reason": "tool_calls"}]}).encode() + b"\n\n"
    reply, _ = ask(pair, [events(call, DONE)], tools=[{"type": "function", "function": {
        "name": "f", "parameters": {}}}], tool_choice="required")
    first = next(read_events(lines(reply)))
    assert first["choices"][0]["delta"] == delta


def test_a_kept_connection_that_was_closed_costs_no_retry(pair, tmp_path):
    upstream, gateway = pair
    assert is_whole(ask(pair, [GOOD])[0])
    before = gateway.admin("/metrics")[1]
    # The server closes the connection that served before, as the request arrives.
    reply, requests = ask(pair, [None])
    assert is_whole(reply) and requests == 2

    def retries(text):
        return [line for line in text.splitlines() if line.startswith("switchyard_") and
                "retri" in line]

    assert retries(gateway.admin("/metrics")[1]) == retries(before) != []


def test_an_upstream_that_only_fails_is_left_alone(launch):
    bad = ScriptedServer([answer(500)] * 100)
    good = ScriptedServer([])
    gateway = front(launch, *(f"http://127.0.0.1:{one.port}" for one in (bad, good)),
                    options=("--breaker-failures", "2", "--breaker-open-seconds", "600",
                             "--retry-budget-percent", "1000", "--policy", "round-robin"))
    gateway.wait_ready()
    gateway.wait_for_workers(2)
    for _ in range(20):
        assert is_whole(ask((good, gateway), [])[0])
    assert len(bad.requests) == 2
    bad.close()
    good.close()
