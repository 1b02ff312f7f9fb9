"""The stock openai client on /v1/responses."""

import json
import os
import signal

import httpx
import openai
import pytest
from conftest import body


def request(text, **fields):
    return {"model": "smollm2", "input": text, "temperature": 0, "max_output_tokens": 24} | fields


@pytest.fixture(scope="module")
def client(server):
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key="unused", max_retries=0)


def strictly(kind, value):
    """Of the type that the client's own models declare, with nothing missing."""
    return kind.model_validate(value.model_dump(exclude_unset=True), strict=True)


def test_create(client):
    answer = client.responses.create(**request("Say hello."))
    strictly(openai.types.responses.Response, answer)
    assert answer.id.startswith("resp_") and answer.object == "response"
    assert answer.status in ("completed", "incomplete")
    assert answer.output_text
    assert answer.output[-1].type == "message" and answer.output[-1].role == "assistant"
    usage = answer.usage
    assert usage.input_tokens > 0 and usage.output_tokens > 0
    assert usage.total_tokens == usage.input_tokens + usage.output_tokens
    assert answer.store is True and answer.error is None
    assert answer.max_output_tokens == 24 and answer.temperature == 0


def test_a_cut_answer_is_incomplete(client):
    answer = client.responses.create(
        **request("Count from one to a hundred.", max_output_tokens=3))
    assert answer.status == "incomplete"
    assert answer.incomplete_details.reason == "max_output_tokens"
    assert answer.output[-1].status == "incomplete"
    assert answer.usage.output_tokens == 3


def test_instructions_and_items_make_the_prompt_of_a_chat(client):
    """The same turns have as many tokens, whichever face they come through."""
    chat = client.chat.completions.create(**body("x", messages=[
        {"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi."},
        {"role": "assistant", "content": "Hello!"}, {"role": "user", "content": "Bye."}]))
    answer = client.responses.create(**request([
        {"role": "user", "content": "Hi."},
        {"type": "message", "role": "assistant",
         "content": [{"type": "output_text", "text": "Hello!"}]},
        {"role": "user", "content": [{"type": "input_text", "text": "Bye."}]},
    ], instructions="Be brief."))
    assert answer.usage.input_tokens == chat.usage.prompt_tokens
    assert answer.instructions == "Be brief."


def test_stream_has_a_whole_life(client):
    events = list(client.responses.create(stream=True, **request("Count to five.")))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    types = [event.type for event in events]
    assert types[:4] == ["response.created", "response.in_progress",
                         "response.output_item.added", "response.content_part.added"]
    assert types[-4:-1] == ["response.output_text.done", "response.content_part.done",
                            "response.output_item.done"]
    assert types[-1] in ("response.completed", "response.incomplete")
    for event in events:
        strictly(type(event), event)
    deltas = [event for event in events if event.type == "response.output_text.delta"]
    item = events[2].item
    assert all(event.item_id == item.id and event.output_index == event.content_index == 0
               for event in deltas)
    text = "".join(event.delta for event in deltas)
    last = events[-1].response
    assert text == last.output_text == events[-4].text
    assert last.id == events[0].response.id
    assert last.usage.output_tokens > 0


def test_stream_helper(client):
    # What the model's end would be: the helper wants completed responses.
    with client.responses.stream(
            extra_body={"stop": ["a", "e", "."]}, **request("Say hello.")) as stream:
        text = "".join(event.delta for event in stream
                       if event.type == "response.output_text.delta")
        final = stream.get_final_response()
    assert final.output_text == text != ""


def test_logprobs(client):
    answer = client.responses.create(
        include=["message.output_text.logprobs"], top_logprobs=2,
        **request("Say hello.", max_output_tokens=4))
    logprobs = answer.output[0].content[0].logprobs
    assert 1 <= len(logprobs) <= 4
    assert all(len(entry.top_logprobs) == 2 and entry.logprob <= 0 for entry in logprobs)
    assert "".join(entry.token for entry in logprobs) == answer.output_text


def test_json_object(client):
    answer = client.responses.create(
        text={"format": {"type": "json_object"}},
        **request("Describe a cat as JSON.", max_output_tokens=200))
    assert answer.text.format.type == "json_object"
    if answer.status == "completed":
        assert isinstance(json.loads(answer.output_text), dict)
    else:
        assert answer.output_text.startswith("{")


@pytest.mark.parametrize("fields, parameter", [
    ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
    ({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}]},
     "input[0].content[0].type"),
    ({"conversation": "conv_1"}, "conversation"),
])
def test_what_is_not_served_is_refused(client, fields, parameter):
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(**(request("x") | fields))
    assert caught.value.param == parameter
    assert caught.value.code == "unsupported_parameter"
    assert caught.value.request_id


def test_unknown_model(client):
    with pytest.raises(openai.NotFoundError) as caught:
        client.responses.create(**request("x", model="nobody"))
    assert caught.value.code == "model_not_found"


def test_too_long_a_prompt_is_no_empty_answer(client):
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(**request("long " * 20_000))
    assert caught.value.code == "context_length_exceeded"


def test_a_stream_that_ends_early_says_so(launch):
    """The only worker dies for good: the response fails, and the client's iterator raises."""
    server = launch("--model-name", "smollm2", "--slots", "2", "--workers", "1",
                    "--resume-limit", "0").wait_ready()
    client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="unused", max_retries=0)
    types = []
    with pytest.raises(openai.APIError) as caught:
        for event in client.responses.create(stream=True, **request(
                "Tell a long story.", max_output_tokens=4_000, extra_body={"ignore_eos": True})):
            types.append(event.type)
            if event.type.endswith("delta") and types.count(event.type) == 3:
                os.kill(server.worker_pids()[0], signal.SIGKILL)
    assert types[-1] == "response.failed"
    assert caught.value.code == "worker_lost"


def test_a_background_stream_can_be_come_back_to(client):
    """The client goes away in the middle; the rest comes to whoever asks for it by number."""
    stream = client.responses.create(
        stream=True, background=True, **request("Count from one to thirty.", max_output_tokens=60))
    first = []
    for event in stream:
        first.append(event)
        if len(first) == 8:
            break
    stream.close()
    assert first[0].response.background is True
    rest = list(client.responses.retrieve(
        first[0].response.id, stream=True, starting_after=first[-1].sequence_number))
    events = first + rest
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[-1].type in ("response.completed", "response.incomplete")
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert text == events[-1].response.output_text


def test_comments_between_events_do_not_confuse_the_client(launch):
    """The client takes an empty line behind an id for an event; comments must have none."""
    server = launch("--model-name", "smollm2", "--slots", "2", "--keepalive-interval",
                    "1").wait_ready()
    client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="unused", max_retries=0)
    tokens = {"extra_body": {"ignore_eos": True}}
    with httpx.stream("POST", f"{server.url}/v1/responses", timeout=120, json=request(
            "Tell a story.", stream=True, max_output_tokens=300, ignore_eos=True)) as answer:
        text = "".join(answer.iter_text())
    assert ": keepalive\nid: " in text
    events = list(client.responses.create(
        stream=True, **request("Tell a story.", max_output_tokens=300), **tokens))
    assert events[-1].type == "response.incomplete"
    chunks = list(client.chat.completions.create(
        stream=True, **body("Tell a story.", max_tokens=300), **tokens))
    assert chunks[-1].choices[0].finish_reason == "length"


def test_events_have_their_names(server):
    """Raw events: one JSON object a line, each with its event's name."""
    with httpx.stream("POST", f"{server.url}/v1/responses", timeout=60,
                      json=request("Say hello.", stream=True)) as answer:
        assert answer.headers["content-type"] == "text/event-stream"
        assert answer.headers["x-request-id"]
        name = None
        for line in answer.iter_lines():
            if line.startswith("event: "):
                name = line[7:]
            elif line.startswith("data: "):
                assert json.loads(line[6:])["type"] == name
            else:
                assert line == "" or line.startswith((":", "id: "))
    assert name in ("response.completed", "response.incomplete")
