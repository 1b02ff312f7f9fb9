"""The mistakes that servers of this kind make, one test each, over every face it concerns.

Numbers and names are those of the list of compatibility traps that this API was specified with;
the docstring says what would have to break for the test to fail.
"""

import contextlib
import json
import threading

import anthropic
import grpc
import httpx
import openai
import pytest
from faces import (CHAT, CHATS, COMPLETE, COMPLETIONS, FACES, GRPC, MESSAGES, RESPONSES, SAMPLE,
                   REST, Client)
from google.protobuf import json_format
from wire import HTTP1, HTTP2
from xai_sdk.proto import chat_pb2

REST_FACES = [face for face in FACES if isinstance(face, REST)]
# Faces that say how many tokens it took; Anthropic's older one does not.
COUNTING = [face for face in FACES if face is not COMPLETE]
CHOOSING = [face for face in FACES if face.has_choices]

WEATHER = {
    "name": "get_weather", "description": "The weather in a city.",
    "parameters": {
        "type": "object", "additionalProperties": False, "required": ["city", "unit"],
        "properties": {"city": {"type": "string", "minLength": 1, "maxLength": 12},
                       "unit": {"enum": ["celsius", "fahrenheit"]}}}}
QUESTION = "What is the weather in Paris? Call the function."

PATHS = {"grpc": "/xai_api.Chat/GetCompletion", "sample": "/xai_api.Sample/SampleText"}
STREAM_PATHS = {"grpc": "/xai_api.Chat/GetCompletionChunk",
                "sample": "/xai_api.Sample/SampleTextStreaming"}


def each(faces):
    return pytest.mark.parametrize("face", faces, ids=lambda face: face.name)


@pytest.fixture(scope="module")
def real(server):
    client = Client(server)
    yield client
    client.close()


@each(COUNTING)
def test_trap_01_usage_missing_from_streams(scripted, face):
    """Fails if a stream tells no usage, or another one than the whole answer."""
    scripted.play("usage", ["One", " two", " three"], cached=8)
    whole = face.ask(scripted.client, "script=usage;")
    streamed = face.ask(scripted.client, "script=usage;", stream=True)
    assert whole.usage["completion"] == 3 and whole.usage["prompt"] > 3
    assert whole.usage["cached"] == 8
    assert whole.usage["total"] == whole.usage["prompt"] + 3
    assert streamed.usage == whole.usage


@each([CHAT, COMPLETIONS])
@pytest.mark.parametrize("options", [..., None, {}, {"include_usage": False}], ids=str)
def test_trap_02_usage_sent_when_not_asked(scripted, face, options):
    """Fails if anything but `include_usage: true` brings usage."""
    fields = {} if options is ... else {"stream_options": options}
    answer = face.ask(scripted.client, "Hello", stream=True, usage=False, **fields)
    assert answer.text == "Yes."
    assert all(event["choices"] and not event.get("usage") for event in answer.events)


@each([CHAT, COMPLETIONS])
def test_trap_03_usage_chunk_shape(scripted, face):
    """Fails if usage is not one event of its own, last, with an empty list of choices."""
    events = face.ask(scripted.client, "Hello", stream=True).events
    assert events[-1]["choices"] == [] and events[-1]["usage"]["completion_tokens"] > 0
    assert all(event["choices"] and event.get("usage") is None for event in events[:-1])


@each(FACES)
def test_trap_04_split_code_points_and_invalid_bytes(scripted, face):
    """Fails if a delta has part of a code point, or if bytes that are none are dropped."""
    pieces = scripted.vocabulary.bytes("é日👍🏽".encode())
    broken = scripted.vocabulary.bytes(b"\xf0\x9f")
    for name, ids, text in (("whole", pieces, "é日👍🏽"),
                            ("invalid", pieces[:2] + broken + pieces[2:], "é\ufffd日👍🏽"),
                            ("ended", pieces + broken, "é日👍🏽\ufffd"),
                            ("only", broken, "\ufffd")):
        scripted.play(f"utf8-{name}", [[number] for number in ids])
        streamed = face.ask(scripted.client, f"script=utf8-{name};", stream=True)
        assert streamed.text == text and streamed.deltas == list(text)
        assert face.ask(scripted.client, f"script=utf8-{name};").text == text


@each(FACES)
def test_trap_05_partial_stop_strings_leak(scripted, face):
    """Fails if a delta goes out that a later token turns into part of a stop string."""
    scripted.play("leak", ["so ", "<", "|", "e", "nd", "|", "> more"])
    for stream in (True, False):
        answer = face.ask(scripted.client, "script=leak;", stream=stream, stop=["<|end|>"])
        assert (answer.text, answer.finish) == ("so ", "stop")
        assert all("<" not in delta for delta in answer.deltas)


@each(FACES)
def test_trap_06_held_back_text_is_lost(scripted, face):
    """Fails if what might have become a stop string is dropped when the answer ends."""
    for reason in ("stop", "length"):
        scripted.play(f"flush-{reason}", ["so ", "<", "|", "e"], reason=reason)
        for stream in (True, False):
            answer = face.ask(
                scripted.client, f"script=flush-{reason};", stream=stream, stop=["<|end|>"])
            assert (answer.text, answer.finish) == ("so <|e", reason)


@each([face for face in FACES if face.has_tools])
def test_trap_08_tool_call_delta_without_index(real, face):
    """Fails if a streamed call comes without its index (asserted where each face's stream is read)
    or other than the whole answer's."""
    asked = {"tools": [WEATHER], "max_tokens": 200, **face.choose("required", alone=True)}
    streamed = face.ask(real, QUESTION, stream=True, **asked)
    whole = face.ask(real, QUESTION, **asked)
    for answer in (streamed, whole):
        [(number, name, arguments)] = answer.calls
        assert number and name == "get_weather"
        assert set(json.loads(arguments)) == {"city", "unit"}
    if face is CHAT:
        deltas = [choice["delta"]["tool_calls"] for event in streamed.events
                  for choice in event["choices"] if choice["delta"].get("tool_calls")]
        assert [call["index"] for delta in deltas for call in delta] == [0]


@each([face for face in FACES if face.has_tools])
def test_trap_09_finish_stop_on_a_tool_call(real, face):
    """Fails if an answer that is a call ends with the reason of one that is text."""
    for choice in ("required", "get_weather"):
        for stream in (True, False):
            answer = face.ask(real, QUESTION, stream=stream, tools=[WEATHER],
                              **face.choose(choice, alone=True))
            assert answer.finish == "tool_calls" and answer.calls


@each([face for face in FACES if face.has_tools])
def test_trap_10_finish_tool_calls_on_a_truncated_call(real, face):
    """Fails if a call that the token limit cut is reported as one that can be made."""
    for stream in (True, False):
        answer = face.ask(real, QUESTION, stream=stream, tools=[WEATHER], max_tokens=6,
                          **face.choose("required", alone=True))
        assert answer.finish == "length"
        assert not answer.calls


@each(FACES)
def test_trap_11_finish_reason_never_set(scripted, face):
    """Fails if an answer ends without its reason: by itself, by a stop string or by a limit."""
    scripted.play("ends", ["One", " two", " three", " four"])
    for fields, finish in (({}, "stop"), ({"stop": [" three"]}, "stop"),
                           ({"max_tokens": 2}, "length"), ({"max_tokens": 1}, "length")):
        for stream in (True, False):
            answer = face.ask(scripted.client, "script=ends;", stream=stream, **fields)
            assert answer.finish == finish, (fields, stream)
    scripted.play("empty", [])
    for stream in (True, False):
        answer = face.ask(scripted.client, "script=empty;", stream=stream)
        assert (answer.text, answer.finish) == ("", "stop")


@each([face for face in FACES if face.has_choices])
def test_trap_11_every_choice_has_its_finish_reason(scripted, face):
    """Fails if one of several choices ends without its reason, or with two."""
    scripted.play("choices", [], turns=[["One"], ["Two", " three"], [" four"]])
    for stream in (True, False):
        answer = face.ask(scripted.client, "script=choices;", stream=stream, n=3)
        found = [index for event in plain(answer.events) for index, reason in reasons(event)
                 if reason]
        assert sorted(found) == [0, 1, 2]


def plain(events):
    """As JSON, whatever they are."""
    return [event if isinstance(event, dict) else json_format.MessageToDict(
        event, preserving_proto_field_name=True) for event in events]


def choices_of(event):
    return event.get("choices") or event.get("outputs") or ()


def reasons(event):
    return [(choice.get("index", 0), choice.get("finish_reason")) for choice in choices_of(event)]


def test_trap_12_logprobs_shape(scripted):
    """Fails if chat's log probabilities have the older shape, miss `top_logprobs` or get lost in
    streams."""
    scripted.play("logprobs", ["One", " two", " three"])
    for stream in (True, False):
        for asked in (0, 2):
            answer = CHAT.ask(scripted.client, "script=logprobs;", stream=stream, logprobs=True,
                              top_logprobs=asked)
            assert [data for data, _ in answer.tokens] == [b"One", b" two", b" three"]
            found = [choice["logprobs"] for event in answer.events
                     for choice in event["choices"] if choice.get("logprobs")]
            for logprobs in found:
                assert set(logprobs) == {"content", "refusal"} and logprobs["refusal"] is None
                for entry in logprobs["content"]:
                    assert set(entry) == {"token", "logprob", "bytes", "top_logprobs"}
                    assert entry["logprob"] == -0.25 and len(entry["top_logprobs"]) == asked
                    assert all(set(top) == {"token", "logprob", "bytes"}
                               for top in entry["top_logprobs"])
            grpc_answer = GRPC.ask(scripted.client, "script=logprobs;", stream=stream,
                                   logprobs=True, top_logprobs=asked)
            assert grpc_answer.tokens == answer.tokens
    # Completions keep the older shape: four lists.
    whole = COMPLETIONS.ask(scripted.client, "script=logprobs;", logprobs=2).events[0]
    logprobs = whole["choices"][0]["logprobs"]
    assert logprobs["tokens"] == ["One", " two", " three"]
    assert logprobs["token_logprobs"] == [-0.25] * 3
    assert [len(each) for each in logprobs["top_logprobs"]] == [2, 2, 2]
    assert logprobs["text_offset"][1] - logprobs["text_offset"][0] == 3


def abandon(server, face, prompt, stream, started):
    """Sends a request, waits until `started`, and goes away."""
    if isinstance(face, REST):
        connection = HTTP1(server, face.path, json.dumps(face.body(prompt, stream=stream)).encode())
        started()
        return connection.close()
    channel = grpc.insecure_channel(
        f"127.0.0.1:{server.port}", options=[("grpc.use_local_subchannel_pool", 1)])
    request, _ = face.body(prompt)
    if stream:
        call = channel.unary_stream(STREAM_PATHS[face.name])(request.SerializeToString())
    else:
        call = channel.unary_unary(PATHS[face.name]).future(request.SerializeToString())
    started()
    call.cancel()
    channel.close()


# RoutingConfiguration.aheadLimitTickets: what a worker gets besides what its slots hold.
AHEAD = 2


@pytest.fixture(scope="module")
def narrow(launch_scripted):
    """One slot, and one place to wait for it."""
    return launch_scripted("--queue-limit", "1", slots=1)


@contextlib.contextmanager
def occupied(narrow, count):
    """So many requests are with the worker, or waiting for it where it has all it takes."""
    gate = threading.Event()
    script = narrow.play("occupies", ["One"], gate=gate)
    clients = [Client(narrow.server) for _ in range(count)]
    threads = [threading.Thread(target=CHAT.ask, args=(client, "script=occupies;"))
               for client in clients]
    for number, thread in enumerate(threads):
        thread.start()
        inside = min(number + 1, 1 + AHEAD)
        narrow.server.wait_for(lambda: len(script.requests) == inside
                               and counted(narrow) == (number + 1 - inside, inside),
                               "never occupied")
    try:
        yield
    finally:
        gate.set()
        for thread, client in zip(threads, clients):
            thread.join()
            client.close()
        narrow.server.wait_idle()


def counted(narrow):
    """How many wait, and how many are with the worker."""
    requests = narrow.server.health()["requests"]
    return requests["waiting"], requests["in_flight"]


@each(FACES)
@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_trap_13_disconnect_does_not_stop_generation(narrow, face, stream):
    """Fails if the worker goes on for a client that left, running or waiting."""
    running = f"left-{face.name}-{stream}"
    script = narrow.play(running, ["One", " two"], gate=threading.Event(), gate_at=1)

    def second_one_waits_and_leaves():
        assert script.started.wait(30)
        abandon(narrow.server, face, f"script={running};", stream, lambda: narrow.server.wait_for(
            lambda: counted(narrow)[0] == 1, "never waited"))
        narrow.server.wait_for(lambda: counted(narrow)[0] == 0, "still waits")
        assert not script.cancelled.is_set()

    with occupied(narrow, AHEAD):
        abandon(narrow.server, face, f"script={running};", stream, second_one_waits_and_leaves)
        assert script.cancelled.wait(30)
    assert len(script.requests) == 1


@pytest.fixture(scope="module")
def impatient(launch_scripted):
    return launch_scripted("--keepalive-interval", "50")


@each(REST_FACES)
def test_trap_14_no_bytes_during_a_long_prefill(impatient, face):
    """Fails if nothing goes out while a stream waits for its first token, or if what goes out is
    more than a comment."""
    gate = threading.Event()
    impatient.play(f"slow-{face.name}", ["One", " two"], gate=gate)
    request = face.body(f"script=slow-{face.name};", stream=True)
    connection = HTTP1(impatient.server, face.path, json.dumps(request).encode())
    early = connection.read_until(b": keepalive\n")
    assert early.startswith(b"HTTP/1.1 200")
    assert b"One" not in early
    gate.set()
    assert b" two" in connection.read_until(b" two")
    connection.close()
    answer = face.ask(impatient.client, f"script=slow-{face.name};", stream=True)
    assert answer.said() == ("One two", "", [], "stop")


def test_trap_14_silence_between_events(impatient):
    """Fails if a comment between two events is an event to a stock client: with ids in the stream,
    a blank line after it would be."""
    def stream(name, read):
        gate = threading.Event()
        impatient.play(name, ["One", " two", " three"], gate=gate, gate_at=1)
        # Another stream of the same script shows that comments are due by now.
        witness = HTTP1(impatient.server, CHAT.path, json.dumps(
            CHAT.body(f"script={name};", stream=True)).encode())
        text = ""
        for piece in read(f"script={name};"):
            text += piece or ""
            if not gate.is_set():
                witness.read_until(b": keepalive", 3)
                gate.set()
        witness.close()
        assert text == "One two three"

    url, model = impatient.server.url, "smollm2"
    with openai.OpenAI(base_url=f"{url}/v1", api_key="unused", max_retries=0) as client:
        stream("silent-chat", lambda prompt: (
            chunk.choices[0].delta.content for chunk in client.chat.completions.create(
                model=model, messages=[{"role": "user", "content": prompt}], stream=True)))
        stream("silent-responses", lambda prompt: (
            event.delta for event in client.responses.create(
                model=model, input=prompt, stream=True, store=False)
            if event.type == "response.output_text.delta"))
        stream("silent-completions", lambda prompt: (
            chunk.choices[0].text for chunk in client.completions.create(
                model=model, prompt=prompt, stream=True)))
    with anthropic.Anthropic(base_url=url, api_key="unused", max_retries=0) as client:
        stream("silent-messages", lambda prompt: (
            event.delta.text for event in client.messages.create(
                model=model, max_tokens=50, messages=[{"role": "user", "content": prompt}],
                stream=True) if event.type == "content_block_delta"))


@each([GRPC, SAMPLE])
def test_trap_14_grpc_heads_wait_for_the_first_token(impatient, face):
    """Fails if the head of a call goes out before its first token: clients repeat a refused call
    on their own only without it."""
    gate = threading.Event()
    script = impatient.play(f"head-{face.name}", ["One"], gate=gate)
    request, _ = face.body(f"script=head-{face.name};")
    path = STREAM_PATHS[face.name]
    with HTTP2(impatient.server) as connection:
        message = request.SerializeToString()
        stream = connection.send(path, b"\0" + len(message).to_bytes(4, "big") + message, fields=[
            ("content-type", "application/grpc"), ("te", "trailers")])
        exchange = connection.exchanges[stream]
        assert script.started.wait(30)
        # Three keep-alive intervals of another stream go by.
        other = HTTP1(impatient.server, CHAT.path, json.dumps(
            CHAT.body(f"script=head-{face.name};", stream=True)).encode())
        other.read_until(b": keepalive", 3)
        connection.ping(1)
        connection.read(lambda: connection.pongs == 1)
        assert exchange.heads == []
        gate.set()
        connection.read(lambda: exchange.is_over)
        assert exchange.trailers["grpc-status"] == "0"
        other.close()


@each(FACES)
def test_trap_15_errors_inside_a_200_stream(scripted, face):
    """Fails if an early failure comes under a 200, or a late one looks like a good end."""
    scripted.play("fails-first", [], failure=grpc.StatusCode.INTERNAL)
    scripted.play("fails-later", ["One", " two"], failure=grpc.StatusCode.INTERNAL)
    for stream in (True, False):
        early = face.ask(scripted.client, "script=fails-first;", stream=stream)
        assert early.status == (500 if isinstance(face, REST) else "INTERNAL")
        assert early.error["message"] and early.text == ""
    late = face.ask(scripted.client, "script=fails-later;", stream=True)
    assert late.error["message"] and late.finish is None
    assert late.text == "One two"
    assert late.status == (200 if isinstance(face, REST) else "INTERNAL")
    whole = face.ask(scripted.client, "script=fails-later;")
    assert whole.status == (500 if isinstance(face, REST) else "INTERNAL")


def test_trap_16_first_delta(scripted):
    """Fails if the role is missing from the first delta or repeated, if a delta is null, or if ids
    change under way."""
    scripted.play("roles", [], turns=[["One", " two"], ["Three", " four"]])
    events = CHAT.ask(scripted.client, "script=roles;", stream=True, n=2).events
    assert len({event["id"] for event in events}) == 1
    assert len({event["created"] for event in events}) == 1
    deltas = {0: [], 1: []}
    for event in events[:-1]:
        for choice in event["choices"]:
            assert isinstance(choice["delta"], dict)
            deltas[choice["index"]].append(choice["delta"])
    for found in deltas.values():
        assert found[0]["role"] == "assistant"
        assert all("role" not in delta for delta in found[1:])
        assert found[-1] == {}


def test_trap_17_content_null_or_array(scripted):
    """Fails if the forms that clients send for the same words are refused, or read otherwise."""
    def prompt(face, *messages):
        body = face.body("")
        body["messages" if face is not RESPONSES else "input"] = list(messages)
        answer = face.send(scripted.client, body)
        assert answer.status == 200, answer.error
        return answer.usage["prompt"]

    def user(content):
        return {"role": "user", "content": content}

    plain = prompt(CHAT, user("Hello there"))
    parts = [{"type": "text", "text": "Hello"}, {"type": "text", "text": " there"}]
    assert prompt(CHAT, user(parts)) == plain
    assert prompt(MESSAGES, user("Hello there")) == prompt(MESSAGES, user(parts)) == plain
    inputs = [{"type": "input_text", "text": part["text"]} for part in parts]
    assert prompt(RESPONSES, user("Hello there")) == prompt(RESPONSES, user(inputs)) == plain
    request, _ = GRPC.body("Hello")
    request.messages[0].content.append(chat_pb2.Content(text=" there"))
    assert GRPC.send(scripted.client, (request, False)).usage["prompt"] == plain
    called = [{"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    result = {"role": "tool", "tool_call_id": "call_1", "content": "4"}
    with_null = prompt(CHAT, user("x"), {
        "role": "assistant", "content": None, "tool_calls": called}, result)
    without = prompt(CHAT, user("x"), {"role": "assistant", "tool_calls": called}, result)
    assert with_null == without > plain


@each(FACES)
def test_trap_18_token_limits(scripted, face):
    """Fails if there is a small default limit, or if the limit that was asked for is not used."""
    script = scripted.play("limits", ["One", " two"])
    if face not in (MESSAGES, COMPLETE):
        answer = face.ask(scripted.client, "script=limits;", max_tokens=None)
        # None, or all that the context has left.
        asked = script.requests[-1].sampling_params
        room = 8192 - len(script.requests[-1].tokenized.input_ids)
        assert not asked.HasField("max_tokens") or asked.max_tokens == room
        assert (answer.text, answer.finish) == ("One two", "stop")
    answer = face.ask(scripted.client, "script=limits;", max_tokens=1)
    assert (answer.text, answer.finish) == ("One", "length")
    assert script.requests[-1].sampling_params.max_tokens == 1


def test_trap_18_max_completion_tokens_goes_first(scripted):
    """Fails if `max_completion_tokens` is not looked at, or loses to `max_tokens`."""
    script = scripted.play("first", ["One", " two"])
    for fields in ({"max_completion_tokens": 1}, {"max_completion_tokens": 1, "max_tokens": 50}):
        answer = CHAT.ask(scripted.client, "script=first;", **{"max_tokens": None, **fields})
        assert answer.finish == "length"
        assert script.requests[-1].sampling_params.max_tokens == 1


SCHEMA = {"type": "object", "additionalProperties": False, "required": ["answer"],
          "properties": {"answer": {"enum": ["yes", "no"]}}}


def with_schema(face, schema):
    """The field that asks for JSON of a schema."""
    if face is CHAT:
        return {"response_format": {"type": "json_schema", "json_schema": {
            "name": "answer", "schema": schema, "strict": True}}}
    if face is RESPONSES:
        return {"text": {"format": {
            "type": "json_schema", "name": "answer", "schema": schema, "strict": True}}}
    return {"response_format": chat_pb2.ResponseFormat(
        format_type=chat_pb2.FORMAT_TYPE_JSON_SCHEMA, schema=json.dumps(schema))}


@each([CHAT, RESPONSES, GRPC])
def test_trap_19_json_schema_not_enforced(real, face):
    """Fails if a schema is dropped, or if one that cannot be enforced is taken."""
    for stream in (True, False):
        answer = face.ask(real, "Is the sky blue?", stream=stream, max_tokens=60,
                          **with_schema(face, SCHEMA))
        assert json.loads(answer.text)["answer"] in ("yes", "no")
        assert answer.finish == "stop"
    for keyword, value in (("uniqueItems", True), ("not", {"type": "null"})):
        schema = {"type": "object", "properties": {"a": {
            "type": "array", "items": {"type": "string"}, keyword: value}}}
        refused = face.ask(real, "Hi", **with_schema(face, schema))
        assert refused.status in (400, "INVALID_ARGUMENT"), keyword
        assert keyword in refused.error["message"]


def test_trap_19_a_bad_grammar_ends_one_request_only(real, server):
    """Fails if a grammar that does not parse is ignored, or takes the engine with it."""
    pids = server.worker_pids()
    for grammar in ("root ::= nothing", "root ::= (", "", "root ::= " + "(" * 2000):
        answer = CHAT.ask(real, "Hi", response_format={"type": "grammar", "grammar": grammar})
        assert answer.status == 400
    assert CHAT.ask(real, "Hi", max_tokens=2).status == 200
    assert server.worker_pids() == pids


@each(FACES)
def test_trap_20_over_long_prompts(scripted, face):
    """Fails if a prompt that does not fit is cut, or answered with nothing."""
    for stream in (True, False):
        answer = face.ask(scripted.client, "word " * 9_000, stream=stream)
        assert answer.status in (400, "INVALID_ARGUMENT")
        assert "maximum context length is 8192" in answer.error["message"]
        if face in (CHAT, RESPONSES, COMPLETIONS):
            assert answer.error["code"] == "context_length_exceeded"
            assert answer.error["param"] == face.prompt_parameter


@each(FACES)
def test_trap_21_unbounded_queue(narrow, face):
    """Fails if a request waits without end where the queue is full, or if the refusal does not say
    when to come back."""
    with occupied(narrow, 1 + AHEAD + 1):
        for stream in (True, False):
            answer = face.ask(narrow.client, "Hello", stream=stream)
            if isinstance(face, REST):
                assert answer.status == (529 if face in (MESSAGES, COMPLETE) else 503)
            else:
                assert answer.status == "UNAVAILABLE"
            assert int(answer.fields["retry-after"]) >= 1
        if not isinstance(face, REST):
            request, _ = face.body("Hello")
            with HTTP2(narrow.server) as connection:
                refused = connection.grpc(STREAM_PATHS[face.name], request.SerializeToString())
            # One block of fields that ends the stream: then clients repeat the call by themselves.
            assert refused.is_trailers_only and refused.fields["grpc-status"] == "14"


LIFE = ["response.created", "response.in_progress"]
TEXT_ITEM = ["response.output_item.added", "response.content_part.added",
             "response.output_text.delta", "response.output_text.done",
             "response.content_part.done", "response.output_item.done"]
CALL_ITEM = ["response.output_item.added", "response.function_call_arguments.delta",
             "response.function_call_arguments.done", "response.output_item.done"]


def folded(events):
    """The types, repeated ones once."""
    types = [event["type"] for event in events]
    return [kind for number, kind in enumerate(types) if number == 0 or types[number - 1] != kind]


def test_trap_22_responses_events(scripted):
    """Fails if an event of the order is missing or elsewhere, or lacks its number or its item's
    id (asserted where the stream is read)."""
    scripted.play("events", ["One", " two", " three"])
    answer = RESPONSES.ask(scripted.client, "script=events;", stream=True)
    assert folded(answer.events) == [*LIFE, *TEXT_ITEM, "response.completed"]
    answer = RESPONSES.ask(scripted.client, "script=events;", stream=True, max_tokens=2)
    assert folded(answer.events) == [*LIFE, *TEXT_ITEM, "response.incomplete"]
    scripted.play("broken", ["One"], failure=grpc.StatusCode.INTERNAL)
    answer = RESPONSES.ask(scripted.client, "script=broken;", stream=True)
    assert answer.events[-1]["type"] in ("response.failed", "error")


def test_trap_22_responses_call_events(real):
    """Fails if an event of a call is missing or elsewhere."""
    answer = RESPONSES.ask(real, QUESTION, stream=True, tools=[WEATHER],
                           **RESPONSES.choose("required", alone=True))
    assert folded(answer.events) == [*LIFE, *CALL_ITEM, "response.completed"]
    for event in answer.events:
        assert isinstance(event["sequence_number"], int)
        if event["type"].startswith("response.function_call"):
            assert event["item_id"] and event["output_index"] == 0


def test_trap_23_messages_start_and_count_tokens(scripted):
    """Fails if `message_start` has no input tokens, or if they cannot be counted beforehand."""
    scripted.play("start", ["One"])
    streamed = MESSAGES.ask(scripted.client, "script=start;", stream=True)
    told = streamed.events[0]["message"]["usage"]["input_tokens"]
    request = MESSAGES.body("script=start;", system="You count.", tools=[WEATHER])
    counted = scripted.client.post("/v1/messages/count_tokens", json={
        key: value for key, value in request.items() if key not in ("max_tokens", "temperature")})
    assert counted.status_code == 200, counted.text
    whole = MESSAGES.send(scripted.client, request)
    assert counted.json() == {"input_tokens": whole.usage["prompt"]}
    plain = {"model": "smollm2", "messages": [{"role": "user", "content": "script=start;"}]}
    counted = scripted.client.post("/v1/messages/count_tokens", json=plain).json()
    assert counted["input_tokens"] == told > 5


@each(CHOOSING)
def test_trap_25_choices_collapse_or_mix(scripted, face):
    """Fails if choices beyond the first are lost, or if one has another's words."""
    turns = [["A", "a", "a"], ["B", "b", "b", "b"], ["C"], ["D", "d"]]
    expected = {"Aaa", "Bbbb", "C", "Dd"}
    for stream in (True, False):
        # Each turn once: which choice begins first is nobody's promise.
        scripted.play("several", [], turns=turns)
        answer = face.ask(scripted.client, "script=several;", stream=stream, n=4)
        texts = {}
        for event in plain(answer.events):
            for choice in choices_of(event):
                index = choice.get("index", 0)
                text = choice.get("text") or (
                    choice.get("delta") or choice.get("message") or {}).get("content") or ""
                texts[index] = texts.get(index, "") + text
        assert sorted(texts) == [0, 1, 2, 3]
        assert set(texts.values()) == expected
        assert answer.usage["completion"] == 10


def test_trap_26_models_list(scripted):
    """Fails if `owned_by` is no string, or if one model cannot be asked for."""
    listed = scripted.client.get("/v1/models").json()
    assert listed["object"] == "list"
    [model] = listed["data"]
    assert isinstance(model["owned_by"], str) and isinstance(model["created"], int)
    assert scripted.client.get(f"/v1/models/{model['id']}").json() == model
    assert scripted.client.get("/v1/models/none").status_code == 404


def test_trap_27_too_many_pings(scripted):
    """Fails if PINGs, with and without a stream, bring a GOAWAY, or no answer."""
    gate = threading.Event()
    scripted.play("pinged", ["One", " two"], gate=gate, gate_at=1)
    request, _ = GRPC.body("script=pinged;")
    with HTTP2(scripted.server) as connection:
        for number in range(50):
            connection.ping(number)
            connection.read(lambda: connection.pongs == number + 1)
        message = request.SerializeToString()
        stream = connection.send(
            STREAM_PATHS["grpc"],
            b"\0" + len(message).to_bytes(4, "big") + message,
            fields=[("content-type", "application/grpc"), ("te", "trailers")])
        exchange = connection.exchanges[stream]
        connection.read(lambda: exchange.data)
        for number in range(50, 100):
            connection.ping(number)
            connection.read(lambda: connection.pongs == number + 1)
        gate.set()
        connection.read(lambda: exchange.is_over)
        assert exchange.trailers["grpc-status"] == "0"
        assert connection.goaway is None


def test_trap_28_xai_sdk_chunks(scripted):
    """Fails if a chunk lacks what the SDK overwrites with it, or if usage is not on the last."""
    scripted.play("chunks", ["One", " two", " three"])
    chunks = GRPC.ask(scripted.client, "script=chunks;", stream=True, n=1).events
    first = chunks[0]
    for chunk in chunks:
        for name in ("id", "model", "created", "system_fingerprint"):
            assert getattr(chunk, name) == getattr(first, name) and getattr(chunk, name)
        for output in chunk.outputs:
            assert output.delta.role == chat_pb2.ROLE_ASSISTANT and output.index == 0
            output.delta.content.encode()
    assert chunks[-1].usage.completion_tokens == 3 and chunks[-1].usage.prompt_tokens > 0
    assert [bool(output.finish_reason) for chunk in chunks for output in chunk.outputs][-1]


def test_trap_28_empty_tool_arguments(real):
    """Fails if a call without arguments has `""` for them: the SDK's reader raises on that."""
    nothing = {"name": "get_time", "description": "The time now.", "parameters": {
        "type": "object", "additionalProperties": False, "properties": {}}}
    for face in CHATS:
        for stream in (True, False):
            answer = face.ask(real, "What time is it? Call the function.", stream=stream,
                              tools=[nothing], **face.choose("get_time", alone=True))
            assert [json.loads(arguments) for _, _, arguments in answer.calls] == [{}]


def test_trap_28_uploads_without_a_key(launch, tmp_path):
    """Fails if an upload on a plain connection, which the SDK sends without a key, is taken where
    keys are asked for."""
    keys = tmp_path / "keys"
    keys.write_text("secret-key-1 first\n")
    server = launch("--slots", "1", "--api-key-file", str(keys), "--engine", "simulated",
                    "--model-name", "smollm2")
    with HTTP2(server) as connection:
        refused = connection.grpc("/xai_api.Files/UploadFile", b"")
        assert refused.is_trailers_only and refused.fields["grpc-status"] == "16"
    answer = httpx.post(f"{server.url}/v1/files", files={"file": b"x"}, data={"purpose": "batch"})
    assert answer.status_code == 401


def test_trap_28_deferred_failure_is_an_error_of_the_call(scripted):
    """Fails if a deferred completion that failed comes back as FAILED, which the SDK raises a
    ValueError on, or if an unknown one is anything but NOT_FOUND."""
    from xai_sdk.proto import deferred_pb2

    def call(name, request, kind):
        return scripted.client.rpc.unary_unary(
            f"/xai_api.Chat/{name}", type(request).SerializeToString, kind.FromString)(
            request, timeout=30)

    scripted.play("deferred-fails", ["One"], failure=grpc.StatusCode.INTERNAL)
    request, _ = GRPC.body("script=deferred-fails;")
    started = call("StartDeferredCompletion", request, deferred_pb2.StartDeferredResponse)
    asked = deferred_pb2.GetDeferredRequest(request_id=started.request_id)
    codes = []

    def ended():
        try:
            status = call("GetDeferredCompletion", asked, chat_pb2.GetDeferredCompletionResponse)
            assert status.status == deferred_pb2.PENDING
        except grpc.RpcError as error:
            codes.append(error.code())
        return codes

    scripted.server.wait_for(ended, "never ended")
    assert codes == [grpc.StatusCode.INTERNAL]
    with pytest.raises(grpc.RpcError) as unknown:
        call("GetDeferredCompletion", deferred_pb2.GetDeferredRequest(request_id="none"),
             chat_pb2.GetDeferredCompletionResponse)
    assert unknown.value.code() == grpc.StatusCode.NOT_FOUND


@each(CHATS)
def test_trap_07_stop_strings_in_reasoning(thinker, face):
    """Fails if a stop string ends an answer that only thought of it, or is not found after."""
    thinker.play("stops", thinker.vocabulary.marked(
        "<think>", "The END is near", "</think>", "So it is. END of it"))
    for stream in (True, False):
        answer = face.ask(thinker.client, "script=stops;", stream=stream, stop=["END"])
        assert answer.reasoning.strip() == "The END is near"
        assert (answer.text.strip(), answer.finish) == ("So it is.", "stop")


@each(CHATS)
def test_trap_24_think_as_text(thinker, face):
    """Fails if the letters of `<think>` begin or end reasoning, or if its token does not."""
    thinker.play("letters", thinker.vocabulary.marked(
        "<think>", "I say </", "think> first", "</think>", "Write <", "think> and </",
        "think>, then stop"))
    thinker.play("plain", thinker.vocabulary.marked("Write <", "think> there"))
    for stream in (True, False):
        answer = face.ask(thinker.client, "script=letters;", stream=stream)
        assert answer.reasoning.strip() == "I say </think> first"
        assert answer.text.strip() == "Write <think> and </think>, then stop"
        answer = face.ask(thinker.client, "script=plain;", stream=stream)
        assert (answer.reasoning, answer.text) == ("", "Write <think> there")


@each(CHATS)
def test_trap_24_reasoning_is_counted_apart(thinker, face):
    """Fails if what was thought counts as visible, or is lost from the total."""
    script = thinker.play("counts", thinker.vocabulary.marked("<think>", "Hm", "</think>", "Yes"))
    for stream in (True, False):
        usage = face.ask(thinker.client, "script=counts;", stream=stream).usage
        made = sum(map(len, script.turns[0]))
        if usage["reasoning"] is not None:
            assert usage["completion"] == 1 and usage["reasoning"] == made - 1
        assert usage["total"] == usage["prompt"] + made
