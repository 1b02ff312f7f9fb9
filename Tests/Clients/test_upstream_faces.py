"""Faces of other words than an upstream's: its chat completions are translated.

The upstream is our own server, so that what it would have said to the same request is known.
"""

import time

import httpx
import pytest
from conftest import body
from faces import CHAT, CHATS, COMPLETE, COMPLETIONS, GRPC, MESSAGES, RESPONSES, SAMPLE, Client

OTHERS = [RESPONSES, MESSAGES, GRPC]
WEATHER = {"name": "get_weather", "description": "The weather in a city.", "parameters": {
    "type": "object", "additionalProperties": False, "required": ["city"],
    "properties": {"city": {"type": "string", "minLength": 1, "maxLength": 16}}}}


def each(faces):
    return pytest.mark.parametrize("face", faces, ids=lambda face: face.name)


streamed = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


@pytest.fixture(scope="module")
def back(launch_module):
    return launch_module("--slots", "4", "--context", "16384", "--model-name",
                         "back").wait_ready()


@pytest.fixture(scope="module")
def front(launch_module, back):
    return launch_module(
        "--upstream", f"http://127.0.0.1:{back.port}", "--model-name", "smollm2",
        "--drain-seconds", "2", command="gateway", model=None).wait_ready()


@pytest.fixture(scope="module")
def client(front):
    client = Client(front)
    yield client
    client.close()


@each(CHATS)
@streamed
def test_text_usage_and_end(client, face, stream):
    answer = face.ask(client, "What is the capital of France?", stream=stream, max_tokens=40)
    assert answer.error is None
    assert "Paris" in answer.text and answer.finish == "stop"
    assert answer.usage["prompt"] > 10 and 0 < answer.usage["completion"] <= 40
    cut = face.ask(client, "Count to a hundred.", stream=stream, max_tokens=3)
    assert cut.finish == "length" and cut.usage["completion"] == 3


@each(OTHERS)
@streamed
def test_a_required_call(client, face, stream):
    tools = {"tools": [WEATHER], "max_tokens": 300, "temperature": 0}
    answer = face.ask(client, "What is the weather in Oslo?", stream=stream, **tools,
                      **face.choose("get_weather", alone=True))
    assert answer.error is None and answer.finish == "tool_calls"
    [(number, name, arguments)] = answer.calls
    assert number and name == "get_weather" and '"city"' in arguments


@each([COMPLETIONS, COMPLETE, SAMPLE])
def test_prompts_without_turns_are_refused(client, face):
    answer = face.ask(client, "Once upon a time", max_tokens=4)
    assert "conversations only" in str(answer.error)


def test_what_the_upstream_refuses(client):
    for face in OTHERS:
        answer = face.ask(client, "word " * 20_000, max_tokens=4)
        assert answer.error is not None, face.name
        assert "context" in str(answer.error).lower(), answer.error


def test_a_deferred_request_and_a_stored_answer(front):
    accepted = httpx.post(f"{front.url}/v1/chat/completions", json=body(
        "What is the capital of France?", deferred=True, max_tokens=20), timeout=60)
    assert accepted.status_code == 200, accepted.text
    path = f"{front.url}/v1/chat/deferred-completion/{accepted.json()['request_id']}"
    end = time.monotonic() + 60
    while (answer := httpx.get(path)).status_code == 202:
        assert time.monotonic() < end
        time.sleep(0.05)
    assert "Paris" in answer.json()["choices"][0]["message"]["content"]

    def respond(text, **fields):
        answer = httpx.post(f"{front.url}/v1/responses", timeout=60, json={
            "model": "smollm2", "input": text, "max_output_tokens": 40, "temperature": 0,
            **fields})
        assert answer.status_code == 200, answer.text
        return answer.json()

    first = respond("My name is Ada. What is the capital of France?")
    again = respond("And what is my name?", previous_response_id=first["id"])
    assert again["usage"]["input_tokens"] > first["usage"]["input_tokens"] + 10
    stored = httpx.get(f"{front.url}/v1/responses/{again['id']}").json()
    assert stored["output"] == again["output"]


def test_chat_completions_stay_the_upstreams_own(client):
    """Fields that only the upstream knows get through."""
    whole = client.post("/v1/chat/completions", json=CHAT.body("Hi", max_tokens=2)).json()
    assert set(whole) >= {"id", "model", "choices", "usage"} and whole["model"] == "smollm2"
