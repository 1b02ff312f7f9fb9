"""What goes over the wire, byte for byte, for each face: golden/*.txt.

A worker that says what is written here makes every answer the same but for ids and times, which
are put out. After a change that is meant to be seen, write the files anew and read the difference:

    UPDATE_GOLDEN=1 … -m pytest Tests/Clients/test_golden.py
"""

import difflib
import json
import os
import pathlib
import re
import textwrap

import grpc
import pytest
from faces import CHAT, COMPLETIONS, FACES, REST
from google.protobuf import text_format
from wire import HTTP2
from xai_sdk.proto import chat_pb2, sample_pb2

FOLDER = pathlib.Path(__file__).parent / "golden"
UPDATES = os.environ.get("UPDATE_GOLDEN") == "1"

# The fields of a head that mean something to a client.
FIELDS = ["content-type", "cache-control", "x-accel-buffering", "content-length", "x-request-id",
          "request-id", "retry-after", "retry-after-ms", "x-should-retry", "allow",
          "grpc-status", "grpc-message", "grpc-accept-encoding"]

WORDS = ["Gr", "üße", " aus", " 日本", " 👍🏽"]


@pytest.fixture(scope="module")
def stage(scripted, thinker):
    vocabulary = scripted.vocabulary
    scripted.play("text", WORDS[:-1] + [
        vocabulary.bytes(WORDS[-1].encode())[:6], vocabulary.bytes(WORDS[-1].encode())[6:]],
        cached=16)
    scripted.play("ends", ["One", " two", " EN", "D of", " it"])
    scripted.play("broken", ["One", " two"], failure=grpc.StatusCode.INTERNAL)
    scripted.play("nothing", [])
    scripted.play("call", [
        "I ask. ", '<tool_call>{"name": "get_weather", "arguments"', ': {"city": "Köln"}}',
        "</tool_call>"])
    thinker.play("thinks", thinker.vocabulary.marked(
        "<think>", "Let me", " see", "</think>", "It", " is so."))
    return {False: scripted, True: thinker}


WEATHER = {"name": "get_weather", "description": "The weather.", "parameters": {
    "type": "object", "required": ["city"], "properties": {"city": {"type": "string"}}}}


def cases(face):
    """Name, the request's fields, whether it is also streamed (or only)."""
    yield "text", {"prompt": "script=text;"}, (False, True)
    yield "stop string", {"prompt": "script=ends;", "stop": ["END"]}, (False, True)
    yield "token limit", {"prompt": "script=ends;", "max_tokens": 2}, (False, True)
    yield "no text", {"prompt": "script=nothing;"}, (False, True)
    if face.has_choices:
        # Streamed, the order of two choices is nobody's promise.
        yield "two choices", {"prompt": "script=text;", "n": 2}, (False,)
    if face.has_logprobs:
        yield "log probabilities", {
            "prompt": "script=ends;", "max_tokens": 2, "logprobs": True, "top_logprobs": 2}, (
                False, True)
    if face in (CHAT, COMPLETIONS):
        yield "without usage", {"prompt": "script=ends;", "usage": False}, (True,)
    if face.has_tools:
        yield "call", {"prompt": "script=call;", "tools": [WEATHER]}, (False, True)
        yield "thought", {"prompt": "script=thinks;"}, (False, True)
    yield "failure under way", {"prompt": "script=broken;"}, (False, True)
    yield "bad value", {"prompt": "x", "temperature": 9}, (False, True)


def normal(data):
    """Without what differs each time, at the same length."""
    data = re.sub(rb"[0-9a-f]{32}", b"0" * 32, data)
    data = re.sub(rb"(?m)^id: [0-9a-f]{1,16}", b"id: " + b"0" * 16, data)
    data = re.sub(rb"fp_[0-9a-f]{10}", b"fp_0000000000", data)
    return re.sub(rb'("created(?:_at)?":)\d{10}', rb"\g<1>1700000000", data)


def head(fields):
    lines = [f":status: {fields[':status']}"] if ":status" in fields else []
    return lines + [f"{name}: {normal(fields[name].encode()).decode()}" for name in FIELDS
                    if name in fields]


def rest(connection, face, fields, stream):
    prompt = fields.pop("prompt")
    body = face.body(prompt, stream=stream, **fields)
    answer = connection.request(face.path, json.dumps(body).encode(), fields=[
        ("content-type", "application/json")])
    assert len(answer.heads) == 1 or answer.heads[1:] == [({}, True)]
    return [*head(answer.fields), "", normal(answer.data).decode()]


def varint(number):
    data = b""
    while number > 0x7f:
        data, number = data + bytes([number & 0x7f | 0x80]), number >> 7
    return data + bytes([number])


def rpc(connection, face, fields, stream):
    prompt = fields.pop("prompt")
    request, _ = face.body(prompt, **fields)
    path, kind = {
        ("grpc", False): ("Chat/GetCompletion", chat_pb2.GetChatCompletionResponse),
        ("grpc", True): ("Chat/GetCompletionChunk", chat_pb2.GetChatCompletionChunk),
        ("sample", False): ("Sample/SampleText", sample_pb2.SampleTextResponse),
        ("sample", True): ("Sample/SampleTextStreaming", sample_pb2.SampleTextResponse),
    }[face.name, stream]
    answer = connection.grpc(f"/xai_api.{path}", request.SerializeToString())
    lines = head(answer.fields)
    for data in answer.messages():
        time = kind.FromString(data).created.seconds
        data = normal(data.replace(varint(time), varint(1_700_000_000)))
        lines += ["", *textwrap.wrap(data.hex(" ", 4), 96)]
        lines += ["# " + line for line in text_format.MessageToString(
            kind.FromString(data), as_utf8=True).splitlines()]
    if len(answer.heads) > 1:
        lines += ["", "trailers", *head(answer.trailers)]
    return lines


@pytest.mark.parametrize("face", FACES, ids=lambda face: face.name)
def test_the_wire_is_as_recorded(stage, face):
    """Fails if a byte of an answer, or a field of its head, changes unmeant."""
    lines = []
    with HTTP2(stage[False].server) as plain, HTTP2(stage[True].server) as thinking:
        for name, fields, streams in cases(face):
            connection = thinking if name == "thought" else plain
            for stream in streams:
                lines += [f"==== {name}{', streamed' if stream else ''}", ""]
                ask = rest if isinstance(face, REST) else rpc
                lines += ask(connection, face, dict(fields), stream)
                lines += ["", ""]
    found = "\n".join(lines).rstrip("\n") + "\n"
    path = FOLDER / f"{face.name}.txt"
    if UPDATES:
        FOLDER.mkdir(exist_ok=True)
        path.write_text(found)
    recorded = path.read_text()
    assert found == recorded, "\n" + "\n".join(difflib.unified_diff(
        recorded.splitlines(), found.splitlines(), str(path), "now", lineterm="", n=2))
