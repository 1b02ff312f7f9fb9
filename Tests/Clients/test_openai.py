"""The stock openai client, streaming and not, and everything that chat completions take."""

import json
import math

import httpx
import openai
import pytest
from conftest import body

PROMPTS = [
    "Say hello.", "Count from one to five.", "日本の首都はどこですか？", "Write a haiku about rain.",
    "What does this do? `for (int i = 0; i < n; i++) s += a[i];`", "Emoji only: 👩‍👩‍👧‍👦 🏳️‍🌈 please",
    "Combine: e\u0301 a\u0308 o\u0302\u0323",
]


@pytest.fixture(scope="module")
def client(server):
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key="unused", max_retries=0)


@pytest.fixture(scope="module")
def repeating_client(launch_module):
    """Of a server that computes the same prompt in the same way each time.

    With a part of it from the cache fewer tokens are computed at once, by other kernels, which
    round differently; where two tokens are equally good that changes the answer.
    """
    server = launch_module(
        "--model-name", "smollm2", "--slots", "4", "--worker-argument=--no-prefix-reuse",
        "--worker-argument=--prefill-chunk", "--worker-argument=64").wait_ready()
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key="unused", max_retries=0)


def stream_text(client, **request):
    text, finish = "", None
    for chunk in client.chat.completions.create(stream=True, **request):
        choice = chunk.choices[0]
        text += choice.delta.content or ""
        finish = choice.finish_reason or finish
    return text, finish


@pytest.mark.parametrize("prompt", PROMPTS)
def test_streamed_text_equals_unstreamed_text(repeating_client, prompt):
    request = body(prompt, max_tokens=48)
    whole = repeating_client.chat.completions.create(**request)
    assert whole.object == "chat.completion"
    assert whole.choices[0].message.role == "assistant"
    assert whole.choices[0].finish_reason in ("stop", "length")
    assert whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens
    text, finish = stream_text(repeating_client, **request)
    assert text == whole.choices[0].message.content
    assert finish == whole.choices[0].finish_reason


def test_usage_comes_only_when_asked_for_and_last(client):
    chunks = list(client.chat.completions.create(
        stream=True, stream_options={"include_usage": True}, **body("Hi")))
    assert chunks[-1].choices == [] and chunks[-1].usage.completion_tokens > 0
    assert all(chunk.usage is None for chunk in chunks[:-1])
    assert len({chunk.id for chunk in chunks}) == 1
    for options in ({}, {"include_usage": False}, None):
        chunks = list(client.chat.completions.create(
            stream=True, stream_options=options, **body("Hi")))
        assert all(chunk.choices and chunk.usage is None for chunk in chunks)


def test_first_delta_has_the_role_and_the_last_a_reason(client):
    chunks = list(client.chat.completions.create(stream=True, **body("Hi", max_tokens=5)))
    assert chunks[0].choices[0].delta.role == "assistant"
    assert all(c.choices[0].delta.role is None for c in chunks[1:])
    assert chunks[-1].choices[0].finish_reason == "length"
    assert all(c.choices[0].finish_reason is None for c in chunks[:-1])


def test_stop_strings_are_trimmed_and_never_leak(client):
    request = body("Count from one to twenty, in words.", max_tokens=64)
    text = client.chat.completions.create(**request).choices[0].message.content
    assert len(text) > 12
    # Cut in the middle of words, so that the stop spans tokens.
    for start in (3, 7, 11):
        stop = text[start:start + 6]
        expected = text[:text.index(stop)]
        whole = client.chat.completions.create(stop=[stop, "never in it"], **request)
        assert whole.choices[0].message.content == expected
        assert whole.choices[0].finish_reason == "stop"
        streamed, finish = stream_text(client, stop=stop, **request)
        assert (streamed, finish) == (expected, "stop")


def test_several_choices_differ_and_are_complete(client):
    request = body("Tell me a story.", n=3, temperature=1, seed=7, max_tokens=24)
    whole = client.chat.completions.create(**request)
    texts = [choice.message.content for choice in whole.choices]
    assert [choice.index for choice in whole.choices] == [0, 1, 2]
    assert len(set(texts)) == 3
    parts = ["", "", ""]
    for chunk in client.chat.completions.create(stream=True, **request):
        for choice in chunk.choices:
            parts[choice.index] += choice.delta.content or ""
    assert all(parts)


def test_a_seed_repeats_itself(repeating_client):
    request = body("Invent a name.", temperature=1, seed=1234, max_tokens=24)
    first = repeating_client.chat.completions.create(**request).choices[0].message.content
    again = repeating_client.chat.completions.create(**request).choices[0].message.content
    other = repeating_client.chat.completions.create(
        **{**request, "seed": 99}).choices[0].message.content
    assert first == again
    assert first != other


def test_logprobs_have_the_shape_and_sum_of_probabilities(client):
    request = body("The sky is", logprobs=True, top_logprobs=5, max_tokens=8)
    choice = client.chat.completions.create(**request).choices[0]
    entries = choice.logprobs.content
    assert len(entries) == 8
    joined = b"".join(bytes(entry.bytes) for entry in entries)
    assert joined.decode() == choice.message.content
    for entry in entries:
        assert entry.logprob <= 0 and len(entry.top_logprobs) == 5
        ranked = [top.logprob for top in entry.top_logprobs]
        assert ranked == sorted(ranked, reverse=True)
        assert sum(math.exp(value) for value in ranked) <= 1.0001
        # Greedy: the sampled token is the most probable one.
        assert entry.token == entry.top_logprobs[0].token
    streamed = []
    for chunk in client.chat.completions.create(stream=True, **request):
        if chunk.choices[0].logprobs:
            streamed += chunk.choices[0].logprobs.content
    assert [e.token for e in streamed] == [e.token for e in entries]


def test_logit_bias_forbids_a_token(client):
    request = body("Say yes or no.", logprobs=True, top_logprobs=1, max_tokens=4)
    first = client.chat.completions.create(**request).choices[0].message.content
    # Ban every token by a huge bias on one that would never come: it comes now.
    biased = client.chat.completions.create(
        logit_bias={"1000": 100}, **request).choices[0].message.content
    assert biased != first


def test_ignore_eos_runs_to_the_limit(client):
    answer = client.chat.completions.create(
        extra_body={"ignore_eos": True}, **body("Say hi.", max_tokens=60))
    assert answer.usage.completion_tokens == 60
    assert answer.choices[0].finish_reason == "length"


def test_models(client):
    listed = client.models.list().data
    assert [model.id for model in listed] == ["smollm2"]
    assert isinstance(listed[0].owned_by, str)
    assert client.models.retrieve("smollm2").id == "smollm2"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("nothing")


@pytest.mark.parametrize("fields", [{"temperature": 1, "seed": 3}, {}])
def test_json_objects_are_enforced(client, fields):
    choice = client.chat.completions.create(**{**body(
        "Write a JSON object that describes a cat.", max_tokens=300,
        response_format={"type": "json_object"}), **fields}).choices[0]
    if choice.finish_reason == "stop":
        assert isinstance(json.loads(choice.message.content), dict)
    else:
        assert choice.message.content.startswith("{")


def test_a_grammar_is_enforced_or_refused(client):
    def ask(grammar):
        return client.chat.completions.create(**body(
            "Say something.", max_tokens=20,
            response_format={"type": "grammar", "grammar": grammar})).choices[0]

    choice = ask('root ::= ("red" | "green") "-"{3}')
    assert choice.message.content in ("red---", "green---") and choice.finish_reason == "stop"
    with pytest.raises(openai.BadRequestError) as error:
        ask("root ::= nothing")
    assert "nothing" in error.value.message


@pytest.mark.parametrize("fields, param", [
    ({"messages": []}, "messages"),
    ({"temperature": 3}, "temperature"),
    ({"top_p": 1.5}, "top_p"),
    ({"n": 0}, "n"),
    ({"stop": ["x"] * 17}, "stop"),
    ({"top_logprobs": 3}, "top_logprobs"),
    ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
    ({"response_format": {"type": "json_schema"}}, "response_format"),
    ({"messages": [{"role": "user", "content": [
        {"type": "image_url", "image_url": {"url": "x"}}]}]}, "messages[0].content[0].type"),
    ({"max_tokens": -1}, "max_tokens"),
    ({"logit_bias": {"99999999": 1}}, "logit_bias"),
])
def test_bad_requests_are_refused_with_the_parameter(client, fields, param):
    with pytest.raises(openai.BadRequestError) as error:
        client.chat.completions.create(**body("x", **fields))
    assert error.value.param is not None
    assert error.value.param.split("[")[0].split(".")[0] == param.split("[")[0].split(".")[0]
    assert error.value.type == "invalid_request_error"
    assert error.value.request_id


def test_unknown_model_is_404(client):
    with pytest.raises(openai.NotFoundError) as error:
        client.chat.completions.create(**body("x", model="gpt-9"))
    assert error.value.code == "model_not_found"


# More than the model's context, and more than the worker has for one request.
@pytest.mark.parametrize("words", [20_000, 2_500])
@pytest.mark.parametrize("stream", [False, True])
def test_a_prompt_that_is_too_long_is_400(client, words, stream):
    with pytest.raises(openai.BadRequestError) as error:
        client.chat.completions.create(**body("word " * words, stream=stream))
    assert error.value.code == "context_length_exceeded"
    assert error.value.param == "messages"


def test_nulls_are_absent_and_unknown_fields_ignored(server):
    request = body("Hi", max_tokens=4, stop=None, seed=None, tools=None, n=None, user=None,
                   some_future_field={"a": [1]})
    answer = httpx.post(f"{server.url}/v1/chat/completions", json=request, timeout=60)
    assert answer.status_code == 200
    assert answer.headers["x-request-id"]


def test_request_id_is_echoed(server):
    answer = httpx.get(f"{server.url}/v1/models", headers={"x-request-id": "abc-1"})
    assert answer.headers["x-request-id"] == "abc-1"
