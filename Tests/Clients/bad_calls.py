"""Calls over gRPC that nobody should make, and their statuses. Rows are data; test_bad_input.py
sends them.

A call: name, method, message, code, and a word of the message (the field at fault). Options: fields
besides the usual ones, the five bytes before the message, the HTTP method.
"""

import struct
from collections import namedtuple

from xai_sdk.proto import (batch_pb2, chat_pb2, deferred_pb2, models_pb2, sample_pb2,
                           tokenize_pb2)

CHAT, STREAM = "/xai_api.Chat/GetCompletion", "/xai_api.Chat/GetCompletionChunk"
SAMPLE = "/xai_api.Sample/SampleText"
INVALID, DEADLINE, NOT_FOUND, EXHAUSTED, UNIMPLEMENTED, INTERNAL = 3, 4, 5, 8, 12, 13

Call = namedtuple("Call", "name path message code word options", defaults=({},))


def user(text="Hi"):
    return chat_pb2.Message(role=chat_pb2.ROLE_USER, content=[chat_pb2.Content(text=text)])


def chat(change=None, **fields):
    """A request like a good one, but for the fields given and what `change` does."""
    request = chat_pb2.GetCompletionsRequest(
        **{"model": "smollm2", "max_tokens": 2, "messages": [user()], **fields})
    if change:
        change(request)
    return request.SerializeToString()


def tool(**fields):
    return chat_pb2.Tool(function=chat_pb2.Function(**{
        "name": "f", "parameters": '{"type":"object","properties":{}}', **fields}))


def message(*contents, **fields):
    return {"messages": [user(), chat_pb2.Message(
        **{"role": chat_pb2.ROLE_USER, "content": contents, **fields})]}


NAN = float("nan")
FORMAT, MODE = chat_pb2.ResponseFormat, chat_pb2.ToolChoice

# What is wrong, the fields, the status, the field's name in the message.
FIELDS = [
    ("no model", {"model": ""}, INVALID, "model"),
    ("unknown model", {"model": "gpt-9"}, NOT_FOUND, "gpt-9"),
    ("long model", {"model": "m" * 600}, INVALID, "model"),
    ("no messages", {"messages": []}, INVALID, "messages"),
    ("message without a role", message(chat_pb2.Content(text="x"), role=0), INVALID, "role"),
    ("message of an unknown role", message(chat_pb2.Content(text="x"), role=77), INVALID, "role"),
    ("message without content", message(), INVALID, "content"),
    ("empty content", message(chat_pb2.Content()), INVALID, "content"),
    ("image", message(chat_pb2.Content(image_url={"image_url": "http://x/y.png"})), INVALID,
     "content"),
    ("file", message(chat_pb2.Content(file={"file_id": "f"})), INVALID, "content"),
    ("calls by the user", message(chat_pb2.Content(text="x"), tool_calls=[chat_pb2.ToolCall(
        id="c", function={"name": "f", "arguments": "{}"})]), INVALID, "tool_calls"),
    ("temperature of 3", {"temperature": 3}, INVALID, "temperature"),
    ("temperature below 0", {"temperature": -1}, INVALID, "temperature"),
    ("temperature that is no number", {"temperature": NAN}, INVALID, "temperature"),
    ("endless temperature", {"temperature": float("inf")}, INVALID, "temperature"),
    ("top_p of 2", {"top_p": 2}, INVALID, "top_p"),
    ("top_p that is no number", {"top_p": NAN}, INVALID, "top_p"),
    ("frequency_penalty", {"frequency_penalty": 3}, INVALID, "frequency_penalty"),
    ("presence_penalty", {"presence_penalty": -3}, INVALID, "presence_penalty"),
    ("n of 0", {"n": 0}, INVALID, "n"),
    ("n below 0", {"n": -5}, INVALID, "n"),
    ("n of 129", {"n": 129}, INVALID, "n"),
    ("max_tokens of 0", {"max_tokens": 0}, INVALID, "max_tokens"),
    ("max_tokens below 0", {"max_tokens": -1}, INVALID, "max_tokens"),
    ("empty stop", {"stop": [""]}, INVALID, "stop"),
    ("17 stops", {"stop": ["x"] * 17}, INVALID, "stop"),
    ("long stop", {"stop": ["x" * 257]}, INVALID, "stop"),
    ("top_logprobs alone", {"top_logprobs": 2}, INVALID, "top_logprobs"),
    ("top_logprobs of 9", {"logprobs": True, "top_logprobs": 9}, INVALID, "top_logprobs"),
    ("top_logprobs below 0", {"logprobs": True, "top_logprobs": -1}, INVALID, "top_logprobs"),
    ("search", {"search_parameters": {"mode": chat_pb2.ON_SEARCH_MODE}}, INVALID,
     "search_parameters"),
    ("guidelines", {"guidelines": [chat_pb2.Guideline()]}, INVALID, "guidelines"),
    ("long user", {"user": "u" * 600}, INVALID, "user"),
    ("web search", {"tools": [chat_pb2.Tool(web_search={})]}, INVALID, "tools"),
    ("code execution", {"tools": [chat_pb2.Tool(code_execution={})]}, INVALID, "tools"),
    ("tool of nothing", {"tools": [chat_pb2.Tool()]}, INVALID, "tools"),
    ("tool without a name", {"tools": [tool(name="")]}, INVALID, "tools[0]"),
    ("tool of a bad name", {"tools": [tool(name="a b")]}, INVALID, "tools[0]"),
    ("two tools of one name", {"tools": [tool(), tool()]}, INVALID, "tools[1]"),
    ("tool whose parameters are no JSON", {"tools": [tool(parameters="{")]}, INVALID,
     "tools[0]"),
    ("tool whose parameters are no object", {"tools": [tool(parameters="5")]}, INVALID,
     "tools[0]"),
    ("129 tools", {"tools": [tool(name=f"f{number}") for number in range(129)]}, INVALID,
     "tools"),
    ("required without tools", {"tool_choice": MODE(mode=chat_pb2.TOOL_MODE_REQUIRED)}, INVALID,
     "tool_choice"),
    ("choice of an unknown tool", {"tools": [tool()], "tool_choice": MODE(function_name="g")},
     INVALID, "tool_choice"),
    ("schema without a schema", {"response_format": FORMAT(
        format_type=chat_pb2.FORMAT_TYPE_JSON_SCHEMA)}, INVALID, "response_format"),
    ("schema that is no JSON", {"response_format": FORMAT(
        format_type=chat_pb2.FORMAT_TYPE_JSON_SCHEMA, schema="{")}, INVALID, "response_format"),
    ("schema that is no object", {"response_format": FORMAT(
        format_type=chat_pb2.FORMAT_TYPE_JSON_SCHEMA, schema="[1]")}, INVALID, "response_format"),
    ("unknown format", {"response_format": FORMAT(format_type=9)}, INVALID, "response_format"),
    ("long prompt", {"messages": [user("word " * 9_000)]}, INVALID, "context length"),
    ("unknown earlier answer", {"previous_response_id": "none"}, NOT_FOUND, ""),
]


def field(number, kind, data):
    """One field on the wire; a length before data of kind 2."""
    tag = bytes([number << 3 | kind]) if number < 16 else bytes(
        [(number << 3 | kind) & 0x7f | 0x80, number >> 4])
    return tag + (bytes([len(data)]) if kind == 2 else b"") + data


# Bytes that are no GetCompletionsRequest.
BYTES = {
    "cut in a field": chat()[:-1],
    "a length beyond the end": b"\x12\x7fsmollm2",
    "a varint without an end": b"\x40" + b"\xff" * 11,
    "field number 0": b"\x00\x01",
    "wire type 6": b"\x16\x00",
    "wire type 7": b"\x17\x00",
    "a group that is not closed": b"\x1b\x00",
    "a group closed that was not open": b"\x1c",
    "a model that is no UTF-8": field(2, 2, b"\xff\xfe") + field(1, 2, b""),
    "text that is no UTF-8": field(2, 2, b"smollm2") + field(
        1, 2, field(1, 2, field(1, 2, b"\xc0\xaf")) + field(2, 0, b"\x01")),
    "messages nested cut": field(1, 2, b"\x0a\x05\x0a"),
    "noise": bytes(range(1, 200)),
}

FRAMES = [
    Call("no message at all", CHAT, b"", UNIMPLEMENTED, "", {"prefix": b""}),
    Call("half a prefix", CHAT, b"", INTERNAL, "", {"prefix": b"\0\0\0"}),
    Call("a length beyond the end", CHAT, chat(), INTERNAL, "", {
        "prefix": struct.pack(">BI", 0, 10_000)}),
    Call("a message beyond the limit", CHAT, b"", EXHAUSTED, "", {
        "prefix": struct.pack(">BI", 0, 0x7fff_ffff)}),
    Call("compressed without a word", CHAT, chat(), INTERNAL, "", {
        "prefix": struct.pack(">BI", 1, len(chat()))}),
    Call("compressed in an unknown way", CHAT, chat(), UNIMPLEMENTED, "", {
        "prefix": struct.pack(">BI", 1, len(chat())), "fields": [("grpc-encoding", "zstd")]}),
    Call("gzip that is none", CHAT, chat(), INTERNAL, "", {
        "prefix": struct.pack(">BI", 1, len(chat())), "fields": [("grpc-encoding", "gzip")]}),
    Call("a flag of 7", CHAT, chat(), INTERNAL, "", {
        "prefix": struct.pack(">BI", 7, len(chat()))}),
    Call("two messages", CHAT, chat() + struct.pack(">BI", 0, len(chat())) + chat(), None, "", {
        "prefix": struct.pack(">BI", 0, len(chat()))}),
    Call("a deadline of words", CHAT, chat(), None, "", {"fields": [("grpc-timeout", "soon")]}),
    Call("a deadline without a unit", CHAT, chat(), None, "", {"fields": [("grpc-timeout", "5")]}),
    Call("a deadline of nine digits", CHAT, chat(), None, "", {
        "fields": [("grpc-timeout", "123456789S")]}),
    Call("a deadline that has passed", CHAT, chat(), DEADLINE, "", {"fields": [("grpc-timeout", "0n")]}),
]

METHODS = [
    Call("unknown service", "/xai_api.Nothing/GetCompletion", chat(), UNIMPLEMENTED, ""),
    Call("unknown method", "/xai_api.Chat/GetNothing", chat(), UNIMPLEMENTED, ""),
    Call("method in capitals", "/xai_api.Chat/getCompletion", chat(), UNIMPLEMENTED, ""),
    Call("no method", "/xai_api.Chat/", chat(), UNIMPLEMENTED, ""),
    Call("no service", "/GetCompletion", chat(), UNIMPLEMENTED, ""),
    Call("image generation", "/xai_api.Image/GenerateImage", b"", UNIMPLEMENTED, ""),
    Call("embeddings", "/xai_api.Embedder/Embed", b"", None, ""),
    Call("document search", "/xai_api.Documents/Search", b"", UNIMPLEMENTED, ""),
    Call("video", "/xai_api.Video/GenerateVideo", b"", UNIMPLEMENTED, ""),
    Call("compaction", "/xai_api.Chat/CompactContext", b"", UNIMPLEMENTED, ""),
    Call("unknown language model", "/xai_api.Models/GetLanguageModel",
         models_pb2.GetModelRequest(name="gpt-9").SerializeToString(), NOT_FOUND, "gpt-9"),
    Call("language model without a name", "/xai_api.Models/GetLanguageModel", b"", None, ""),
    Call("unknown embedding model", "/xai_api.Models/GetEmbeddingModel",
         models_pb2.GetModelRequest(name="x").SerializeToString(), NOT_FOUND, ""),
    Call("unknown image model", "/xai_api.Models/GetImageGenerationModel",
         models_pb2.GetModelRequest(name="x").SerializeToString(), NOT_FOUND, ""),
    Call("tokens of an unknown model", "/xai_api.Tokenize/TokenizeText",
         tokenize_pb2.TokenizeTextRequest(text="x", model="gpt-9").SerializeToString(), NOT_FOUND,
         "gpt-9"),
    Call("tokens of no model", "/xai_api.Tokenize/TokenizeText",
         tokenize_pb2.TokenizeTextRequest(text="x").SerializeToString(), INVALID, "model"),
    Call("sample of no model", SAMPLE,
         sample_pb2.SampleTextRequest(prompt=["x"]).SerializeToString(), INVALID, "model"),
    Call("sample of no prompt", SAMPLE,
         sample_pb2.SampleTextRequest(model="smollm2").SerializeToString(), INVALID, "prompt"),
    Call("sample at a temperature of 9", SAMPLE, sample_pb2.SampleTextRequest(
        model="smollm2", prompt=["x"], temperature=9).SerializeToString(), INVALID, "temperature"),
    Call("unknown deferred completion", "/xai_api.Chat/GetDeferredCompletion",
         deferred_pb2.GetDeferredRequest(request_id="none").SerializeToString(), NOT_FOUND, ""),
    Call("unknown stored completion", "/xai_api.Chat/GetStoredCompletion",
         chat_pb2.GetStoredCompletionRequest(response_id="none").SerializeToString(), NOT_FOUND,
         ""),
    Call("delete an unknown stored completion", "/xai_api.Chat/DeleteStoredCompletion",
         chat_pb2.DeleteStoredCompletionRequest(response_id="none").SerializeToString(), NOT_FOUND,
         ""),
    Call("defer nothing", "/xai_api.Chat/StartDeferredCompletion", b"", INVALID, "model"),
    Call("unknown batch", "/xai_api.BatchMgmt/GetBatch",
         batch_pb2.GetBatchRequest(batch_id="none").SerializeToString(), NOT_FOUND, ""),
    Call("cancel an unknown batch", "/xai_api.BatchMgmt/CancelBatch",
         batch_pb2.CancelBatchRequest(batch_id="none").SerializeToString(), NOT_FOUND, ""),
    Call("results of an unknown batch", "/xai_api.BatchMgmt/ListBatchResults",
         batch_pb2.ListBatchResultsRequest(batch_id="none").SerializeToString(), NOT_FOUND, ""),
]

CALLS = [
    *(Call(f"{name} ({path.rsplit('/')[-1]})", path, chat(**fields), code, word)
      for path in (CHAT, STREAM) for name, fields, code, word in FIELDS),
    *(Call(f"{name}, bytes", CHAT, data, INVALID, "") for name, data in BYTES.items()),
    *FRAMES, *METHODS]
