"""The stock anthropic client on /v1/messages."""

import json
import os
import signal

import anthropic
import httpx
import pytest
from conftest import body


def request(text, **fields):
    # The client no longer has sampling parameters of its own, for newer models of its vendor.
    extra = {"temperature": 0} | fields.pop("extra_body", {})
    return {"model": "smollm2", "max_tokens": 24, "extra_body": extra,
            "messages": [{"role": "user", "content": text}]} | fields


def client_of(server, **fields):
    return anthropic.Anthropic(base_url=server.url, **({"api_key": "unused", "max_retries": 0}
                                                       | fields))


@pytest.fixture(scope="module")
def client(server):
    return client_of(server)


@pytest.fixture
def keyed(launch, tmp_path):
    keys = tmp_path / "keys"
    keys.write_text("correct-horse-battery alice\n")
    return launch("--model-name", "smollm2", "--engine", "simulated", "--api-key-file",
                  str(keys)).wait_ready()


def prompt_tokens(usage):
    return usage.input_tokens + usage.cache_read_input_tokens + usage.cache_creation_input_tokens


def test_create(client):
    answer = client.messages.create(**request("Say hello."))
    anthropic.types.Message.model_validate(answer.model_dump(exclude_unset=True), strict=True)
    assert answer.id.startswith("msg_") and answer.type == "message"
    assert answer.role == "assistant" and answer.model == "smollm2"
    assert answer.content[0].type == "text" and answer.content[0].text
    assert answer.stop_reason in ("end_turn", "max_tokens")
    assert answer.stop_sequence is None
    assert answer.usage.output_tokens > 0 and prompt_tokens(answer.usage) > 0
    assert answer._request_id


def test_stop_sequences_are_named(client):
    answer = client.messages.create(
        **request("Count: one, two, three.", max_tokens=100, stop_sequences=["zzz", "e", "a"]))
    assert answer.stop_reason == "stop_sequence"
    assert answer.stop_sequence in ("e", "a")
    text = "".join(block.text for block in answer.content)
    assert "e" not in text and "a" not in text


def test_a_cut_answer_says_so(client):
    answer = client.messages.create(**request("Count to a hundred.", max_tokens=3))
    assert answer.stop_reason == "max_tokens"
    assert answer.usage.output_tokens == 3


def test_stream_starts_with_the_real_prompt(client):
    """Trap 23: tokens of the prompt are in message_start already."""
    count = client.messages.count_tokens(
        model="smollm2", messages=request("Count to five.")["messages"])
    events = list(client.messages.create(stream=True, **request("Count to five.")))
    assert events[0].type == "message_start"
    assert prompt_tokens(events[0].message.usage) == count.input_tokens > 0
    assert events[0].message.content == []
    assert events[1].type == "content_block_start" and events[1].index == 0
    assert [event.type for event in events[-3:]] == [
        "content_block_stop", "message_delta", "message_stop"]
    deltas = events[2:-3]
    assert all(event.type == "content_block_delta" and event.delta.type == "text_delta"
               for event in deltas)
    assert events[-2].usage.output_tokens > 0
    assert events[-2].delta.stop_reason in ("end_turn", "max_tokens")
    for event in events:
        type(event).model_validate(event.model_dump(exclude_unset=True), strict=True)


def test_stream_helper(client):
    with client.messages.stream(**request("Say hello.")) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert "".join(block.text for block in final.content) == text != ""
    assert final.usage.output_tokens > 0


def test_system_and_turns_make_the_prompt_of_a_chat(client, server):
    """The same turns have as many tokens, whichever face they come through."""
    chat = httpx.post(f"{server.url}/v1/chat/completions", timeout=60, json=body("x", messages=[
        {"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi there."},
        {"role": "assistant", "content": "Hello!"}, {"role": "user", "content": "Bye."}])).json()
    messages = [
        {"role": "user", "content": [
            {"type": "text", "text": "Hi ", "cache_control": {"type": "ephemeral"}},
            {"type": "text", "text": "there."}]},
        {"role": "assistant", "content": "Hello!"}, {"role": "user", "content": "Bye."}]
    answer = client.messages.create(**request(
        "x", messages=messages, system=[{"type": "text", "text": "Be brief."}]))
    assert prompt_tokens(answer.usage) == chat["usage"]["prompt_tokens"]
    count = client.messages.count_tokens(model="smollm2", messages=messages, system="Be brief.")
    assert count.input_tokens == chat["usage"]["prompt_tokens"]


def test_what_the_cache_had_is_told_apart(client):
    long = "Consider these words carefully. " * 40
    first = client.messages.create(**request(long))
    second = client.messages.create(**request(long))
    assert prompt_tokens(first.usage) == prompt_tokens(second.usage)
    assert second.usage.cache_read_input_tokens > 0
    assert second.usage.input_tokens > 0


def test_count_tokens_of_what_does_not_fit(client):
    """A count is what tells a client that its prompt is too long."""
    count = client.messages.count_tokens(
        model="smollm2", messages=[{"role": "user", "content": "long " * 20_000}])
    assert count.input_tokens > 8_192
    with pytest.raises(anthropic.BadRequestError):
        client.messages.create(**request("long " * 20_000))


@pytest.mark.parametrize("fields", [
    {"messages": [{"role": "user", "content": [
        {"type": "image", "source": {"type": "url", "url": "x"}}]}]},
    {"tools": [{"type": "bash_20250124", "name": "bash"}]},
    {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]},
])
def test_what_is_not_served_is_refused(client, fields):
    with pytest.raises(anthropic.BadRequestError) as caught:
        client.messages.create(**(request("x") | fields))
    error = caught.value.body
    assert error["type"] == "error" and error["error"]["type"] == "invalid_request_error"
    assert error["request_id"] == caught.value.request_id


def test_unknown_models_have_their_own_error(client):
    for call in (lambda: client.messages.create(**request("x", model="nobody")),
                 lambda: client.messages.count_tokens(
                     model="nobody", messages=request("x")["messages"])):
        with pytest.raises(anthropic.NotFoundError) as caught:
            call()
        assert caught.value.body["error"]["type"] == "not_found_error"


def test_keys_in_both_fields(keyed):
    request_ = request("x")
    for fields in ({"api_key": "correct-horse-battery"},
                   {"api_key": None, "auth_token": "correct-horse-battery"}):
        assert client_of(keyed, **fields).messages.create(**request_).role == "assistant"
    with pytest.raises(anthropic.AuthenticationError) as caught:
        client_of(keyed, api_key="wrong").messages.create(**request_)
    assert caught.value.body["error"]["type"] == "authentication_error"
    assert caught.value.request_id == caught.value.body["request_id"]
    with pytest.raises(anthropic.AuthenticationError):
        client_of(keyed, api_key="wrong").messages.count_tokens(
            model="smollm2", messages=request_["messages"])


def test_refusals_before_the_request_have_the_shape_too(keyed):
    """A body that the transport refuses by itself, a method and a path that nothing has."""
    url, headers = keyed.url, {"x-api-key": "correct-horse-battery"}
    answers = [
        httpx.post(f"{url}/v1/messages", headers=headers | {"content-encoding": "zstd"},
                   content=b"{}"),
        httpx.get(f"{url}/v1/messages", headers=headers),
        httpx.post(f"{url}/v1/messages/batches", headers=headers, content=b"{}"),
        httpx.post(f"{url}/v1/messages", headers=headers | {"content-type": "text/plain"},
                   content=b"{}"),
    ]
    assert [answer.status_code for answer in answers] == [415, 405, 404, 415]
    for answer in answers:
        error = answer.json()
        assert error["type"] == "error" and error["error"]["message"]
    # Elsewhere it is OpenAI's.
    other = httpx.post(f"{url}/v1/chat/completions", headers=headers | {"content-encoding": "zstd"},
                       content=b"{}")
    assert "param" in other.json()["error"]


def test_overload_has_its_own_status(launch):
    """529, where others get 503: with no worker left there is nobody to wait for."""
    server = launch("--model-name", "smollm2", "--worker", "127.0.0.1:1", command="gateway")
    with pytest.raises(anthropic.InternalServerError) as caught:
        client_of(server).messages.create(**request("x"))
    assert caught.value.status_code == 529
    assert caught.value.body["error"]["type"] == "overloaded_error"
    assert int(caught.value.response.headers["retry-after"]) >= 1


def test_a_stream_that_ends_early_raises(launch):
    server = launch("--model-name", "smollm2", "--slots", "2", "--workers", "1",
                    "--resume-limit", "0").wait_ready()
    text = ""
    with pytest.raises(anthropic.APIStatusError) as caught:
        with client_of(server).messages.stream(**request(
                "Tell a long story.", max_tokens=4_000, extra_body={"ignore_eos": True})) as stream:
            for piece in stream.text_stream:
                if not text:
                    os.kill(server.worker_pids()[0], signal.SIGKILL)
                text += piece
    assert text
    assert caught.value.body["error"]["type"] == "overloaded_error"


def test_events_have_their_names(server):
    """Raw events: without an `event:` line the client would drop them; no [DONE]."""
    with httpx.stream("POST", f"{server.url}/v1/messages", timeout=60,
                      json=request("Say hello.", stream=True)) as answer:
        assert answer.headers["content-type"] == "text/event-stream"
        assert answer.headers["request-id"] == answer.headers["x-request-id"]
        name = None
        for line in answer.iter_lines():
            if line.startswith("event: "):
                name = line[7:]
            elif line.startswith("data: "):
                assert json.loads(line[6:])["type"] == name
            else:
                assert line == "" or line.startswith((":", "id: "))
    assert name == "message_stop"
