"""Requests that nobody should send, and what each is told. Rows are data; test_bad_input.py sends
them.

A row: name, method, path, body, status, code, parameter. A body of a mapping or list is sent as
JSON; bytes go as they are. The parameter is None where none is at fault; `ANY` where it is not
looked at.
"""

from collections import namedtuple

Row = namedtuple("Row", "name method path body status code param fields",
                 defaults=({"content-type": "application/json"},))
ANY = object()

TYPE, VALUE, MISSING = "invalid_type", "invalid_value", "missing_required_parameter"
UNSUPPORTED, JSON = "unsupported_parameter", "invalid_json"

# Malformed JSON, the same on every path that takes it.
NOT_JSON = {
    "nothing": b"",
    "blank": b" \n\t ",
    "half an object": b"{",
    "unended string": b'{"model":"smollm2',
    "single quotes": b"{'model':'smollm2'}",
    "comment": b'{/* a */"model":"smollm2"}',
    "comma at the end": b'{"model":"smollm2",}',
    "two values": b'{"model":"smollm2"}{}',
    "byte order mark": b'\xef\xbb\xbf{"model":"smollm2"}',
    "not UTF-8": b'{"model":"\xff\xfe"}',
    "overlong UTF-8": b'{"model":"\xc0\xaf"}',
    "lone surrogate": b'{"model":"\\ud800"}',
    "control byte in a string": b'{"model":"a\x01b"}',
    "leading zero": b'{"model":"smollm2","seed":01}',
    "NaN": b'{"model":"smollm2","temperature":NaN}',
    "unquoted key": b'{model:"smollm2"}',
    "deep nesting": b'{"x":' + b"[" * 5_000 + b"]" * 5_000 + b"}",
    "UTF-16": '{"model":"smollm2"}'.encode("utf-16"),
    "a number with a thousand digits": b'{"x":' + b"1" * 1_000 + b"}",
}


def json_rows(path):
    return [Row(f"{path} {name}", "POST", path, body, 400, JSON, None)
            for name, body in NOT_JSON.items()]


def bodies(path, base, changes):
    """(changed fields, code, parameter) each; a field of `...` is left out."""
    rows = []
    for fields, code, param in changes:
        body = {key: value for key, value in {**base, **fields}.items() if value is not ...}
        status = 404 if code == "model_not_found" else 400
        name = ", ".join(f"{key}={value!r:.60}" for key, value in fields.items())
        rows.append(Row(f"{path} {len(rows)}: {name}", "POST", path, body, status, code, param))
    return rows


USER = {"role": "user", "content": "Hi"}
FUNCTION = {"name": "f", "parameters": {"type": "object", "properties": {}}}


def said(*messages):
    return {"messages": [USER, *messages]}


CHAT = bodies("/v1/chat/completions", {"model": "smollm2", "messages": [USER], "max_tokens": 4}, [
    ({"model": ...}, MISSING, "model"),
    ({"model": None}, MISSING, "model"),
    ({"model": ""}, VALUE, "model"),
    ({"model": 7}, TYPE, "model"),
    ({"model": ["smollm2"]}, TYPE, "model"),
    ({"model": "gpt-9"}, "model_not_found", "model"),
    ({"model": "x" * 600}, VALUE, "model"),
    ({"messages": ...}, MISSING, "messages"),
    ({"messages": None}, MISSING, "messages"),
    ({"messages": []}, VALUE, "messages"),
    ({"messages": "Hi"}, TYPE, "messages"),
    ({"messages": USER}, TYPE, "messages"),
    ({"messages": ["Hi"]}, TYPE, "messages[0]"),
    ({"messages": [{"content": "Hi"}]}, MISSING, "messages[0].role"),
    (said({"role": "wizard", "content": "Hi"}), VALUE, "messages[1].role"),
    (said({"role": 1, "content": "Hi"}), TYPE, "messages[1].role"),
    (said({"role": "user"}), MISSING, "messages[1].content"),
    (said({"role": "user", "content": None}), MISSING, "messages[1].content"),
    (said({"role": "user", "content": 5}), TYPE, "messages[1].content"),
    (said({"role": "user", "content": {"text": "Hi"}}), TYPE, "messages[1].content"),
    (said({"role": "user", "content": []}), VALUE, "messages[1].content"),
    (said({"role": "user", "content": ["Hi"]}), TYPE, "messages[1].content[0]"),
    (said({"role": "user", "content": [{"text": "Hi"}]}), MISSING, "messages[1].content[0].type"),
    (said({"role": "user", "content": [{"type": "text"}]}), MISSING,
     "messages[1].content[0].text"),
    (said({"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}),
     UNSUPPORTED, "messages[1].content[0].type"),
    (said({"role": "user", "content": [{"type": "hologram"}]}), VALUE,
     "messages[1].content[0].type"),
    (said({"role": "assistant"}), MISSING, "messages[1].content"),
    (said({"role": "tool", "content": "4"}), MISSING, "messages[1].tool_call_id"),
    (said({"role": "user", "content": "x", "tool_calls": [
        {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}), VALUE,
     "messages[1].tool_calls"),
    (said({"role": "assistant", "content": None, "tool_calls": {}}), TYPE,
     "messages[1].tool_calls"),
    (said({"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}), MISSING,
     "messages[1].tool_calls[0].function"),
    (said({"role": "assistant", "content": None, "tool_calls": [
        {"id": "1", "type": "retrieval", "function": {"name": "f", "arguments": "{}"}}]}), VALUE,
     "messages[1].tool_calls[0].type"),
    (said({"role": "assistant", "content": None, "tool_calls": [
        {"id": "1", "type": "function", "function": {"name": "f", "arguments": {}}}]}), TYPE,
     "messages[1].tool_calls[0].function.arguments"),
    ({"temperature": 2.1}, VALUE, "temperature"),
    ({"temperature": -0.1}, VALUE, "temperature"),
    ({"temperature": "hot"}, TYPE, "temperature"),
    ({"temperature": True}, TYPE, "temperature"),
    ({"top_p": 1.5}, VALUE, "top_p"),
    ({"top_p": [0.5]}, TYPE, "top_p"),
    ({"top_k": 1.5}, TYPE, "top_k"),
    ({"min_p": 2}, VALUE, "min_p"),
    ({"frequency_penalty": 2.5}, VALUE, "frequency_penalty"),
    ({"presence_penalty": -3}, VALUE, "presence_penalty"),
    ({"repetition_penalty": 0}, VALUE, "repetition_penalty"),
    ({"n": 0}, VALUE, "n"),
    ({"n": 129}, VALUE, "n"),
    ({"n": 1.5}, TYPE, "n"),
    ({"n": "2"}, TYPE, "n"),
    ({"max_tokens": 0}, VALUE, "max_tokens"),
    ({"max_tokens": -1}, VALUE, "max_tokens"),
    ({"max_tokens": 2**40}, VALUE, "max_tokens"),
    ({"max_tokens": "4"}, TYPE, "max_tokens"),
    ({"max_completion_tokens": 0}, VALUE, "max_completion_tokens"),
    ({"min_tokens": 8}, VALUE, "min_tokens"),
    ({"seed": "7"}, TYPE, "seed"),
    ({"seed": 1.25}, TYPE, "seed"),
    ({"stop": ""}, VALUE, "stop"),
    ({"stop": [""]}, VALUE, "stop[0]"),
    ({"stop": ["x"] * 17}, VALUE, "stop"),
    ({"stop": "x" * 257}, VALUE, "stop"),
    ({"stop": [1]}, TYPE, "stop[0]"),
    ({"stop": {"text": "x"}}, TYPE, "stop"),
    ({"stream": "yes"}, TYPE, "stream"),
    ({"stream": True, "stream_options": []}, TYPE, "stream_options"),
    ({"stream": True, "stream_options": {"include_usage": 1}}, TYPE,
     "stream_options.include_usage"),
    ({"logprobs": 5}, TYPE, "logprobs"),
    ({"top_logprobs": 2}, VALUE, "top_logprobs"),
    ({"logprobs": True, "top_logprobs": 21}, VALUE, "top_logprobs"),
    ({"logprobs": True, "top_logprobs": -1}, VALUE, "top_logprobs"),
    ({"logit_bias": [1]}, TYPE, "logit_bias"),
    ({"logit_bias": {"dog": 1}}, VALUE, ANY),
    ({"logit_bias": {"5": 101}}, VALUE, ANY),
    ({"logit_bias": {"-5": 1}}, VALUE, ANY),
    ({"logit_bias": {"99999999": 1}}, VALUE, "logit_bias"),
    ({"user": 5}, TYPE, "user"),
    ({"service_tier": "gold"}, VALUE, "service_tier"),
    ({"reasoning_effort": "extreme"}, VALUE, "reasoning_effort"),
    ({"response_format": "json"}, TYPE, "response_format"),
    ({"response_format": {}}, MISSING, "response_format.type"),
    ({"response_format": {"type": "xml"}}, VALUE, "response_format.type"),
    ({"response_format": {"type": "grammar"}}, MISSING, "response_format.grammar"),
    ({"search_parameters": {"mode": "on"}}, UNSUPPORTED, "search_parameters.mode"),
    ({"search_parameters": {"mode": "maybe"}}, VALUE, "search_parameters.mode"),
    ({"web_search_options": {}}, UNSUPPORTED, "web_search_options"),
    ({"deferred": True, "stream": True}, ANY, "deferred"),
    ({"deferred": "yes"}, TYPE, "deferred"),
    ({"messages": [{"role": "user", "content": "word " * 9_000}]}, "context_length_exceeded",
     "messages"),
    ({"tools": {}}, TYPE, "tools"),
    ({"tools": [{"type": "web_search"}]}, UNSUPPORTED, "tools[0].type"),
    ({"tools": [{"type": "function"}]}, MISSING, "tools[0].function"),
    ({"tools": [{"type": "function", "function": {}}]}, MISSING, "tools[0].function.name"),
    ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, VALUE,
     "tools[0].function.name"),
    ({"tools": [{"type": "function", "function": FUNCTION}] * 2}, VALUE,
     "tools[1].function.name"),
    ({"tools": [{"type": "function", "function": {**FUNCTION, "parameters": []}}]}, TYPE,
     "tools[0].function.parameters"),
    ({"tool_choice": "sometimes"}, VALUE, "tool_choice"),
    ({"tool_choice": "required"}, VALUE, "tool_choice"),
    ({"tool_choice": {"type": "function", "function": {"name": "g"}}}, VALUE, "tool_choice"),
    ({"tool_choice": 1}, TYPE, "tool_choice"),
    ({"parallel_tool_calls": "no"}, TYPE, "parallel_tool_calls"),
    ({"response_format": {"type": "json_schema"}}, MISSING, "response_format.json_schema"),
    ({"response_format": {"type": "json_schema", "json_schema": {"name": "n"}}}, MISSING,
     "response_format.json_schema.schema"),
])

SHARED = [
    ({"model": ...}, MISSING, "model"),
    ({"model": 7}, TYPE, "model"),
    ({"model": ""}, VALUE, "model"),
    ({"model": "gpt-9"}, "model_not_found", "model"),
    ({"temperature": -1}, VALUE, "temperature"),
    ({"temperature": "hot"}, TYPE, "temperature"),
    ({"top_p": 7}, VALUE, "top_p"),
    ({"stream": "yes"}, TYPE, "stream"),
]

FUNCTION_CALL = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
RESPONSES = bodies("/v1/responses", {"model": "smollm2", "input": "Hi", "max_output_tokens": 4}, [
    *SHARED,
    ({"input": ...}, MISSING, "input"),
    ({"input": None}, MISSING, "input"),
    ({"input": 5}, TYPE, "input"),
    ({"input": []}, VALUE, "input"),
    ({"input": ["Hi"]}, TYPE, "input[0]"),
    ({"input": [{"role": "wizard", "content": "Hi"}]}, VALUE, "input[0].role"),
    ({"input": [{"role": "user"}]}, MISSING, "input[0].content"),
    ({"input": [{"role": "user", "content": 5}]}, TYPE, "input[0].content"),
    ({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}]},
     UNSUPPORTED, "input[0].content[0].type"),
    ({"input": [{"role": "user", "content": [{"type": "input_text"}]}]}, MISSING,
     "input[0].content[0].text"),
    ({"input": [{"type": "hologram"}]}, ANY, "input[0].type"),
    ({"input": [USER, {"type": "function_call_output", "call_id": "c"}]}, MISSING,
     "input[1].output"),
    ({"input": [USER, {"type": "function_call_output", "output": "4"}]}, MISSING,
     "input[1].call_id"),
    ({"input": [USER, {"type": "function_call", "call_id": "c", "arguments": "{}"}]}, MISSING,
     "input[1].name"),
    ({"max_output_tokens": 0}, VALUE, "max_output_tokens"),
    ({"max_output_tokens": "4"}, TYPE, "max_output_tokens"),
    ({"instructions": 5}, TYPE, "instructions"),
    ({"store": "yes"}, TYPE, "store"),
    ({"previous_response_id": 5}, TYPE, "previous_response_id"),
    ({"conversation": "conv_1"}, UNSUPPORTED, "conversation"),
    ({"prompt": {"id": "pmpt_1"}}, UNSUPPORTED, "prompt"),
    ({"reasoning": {"effort": "extreme"}}, VALUE, "reasoning.effort"),
    ({"reasoning": "high"}, TYPE, "reasoning"),
    ({"metadata": "x"}, TYPE, "metadata"),
    ({"top_logprobs": 21}, VALUE, "top_logprobs"),
    ({"text": "json"}, TYPE, "text"),
    ({"text": {"format": {"type": "xml"}}}, VALUE, "text.format.type"),
    ({"text": {"format": {"type": "json_schema", "name": "x"}}}, MISSING, "text.format.schema"),
    ({"tools": "all"}, TYPE, "tools"),
    ({"tools": [{"type": "web_search"}]}, UNSUPPORTED, "tools[0].type"),
    ({"tools": [{"type": "function"}]}, MISSING, "tools[0].name"),
    ({"tools": [{"type": "function", "name": "f", "parameters": "x"}]}, TYPE,
     "tools[0].parameters"),
    ({"tool_choice": "sometimes"}, VALUE, "tool_choice"),
    ({"tool_choice": {"type": "function", "name": "g"}}, VALUE, ANY),
    ({"input": "word " * 9_000}, "context_length_exceeded", "input"),
])

MESSAGES = bodies("/v1/messages", {"model": "smollm2", "max_tokens": 4, "messages": [USER]}, [
    *SHARED,
    ({"max_tokens": ...}, MISSING, "max_tokens"),
    ({"max_tokens": 0}, VALUE, "max_tokens"),
    ({"max_tokens": "4"}, TYPE, "max_tokens"),
    ({"messages": ...}, MISSING, "messages"),
    ({"messages": []}, VALUE, "messages"),
    ({"messages": "Hi"}, TYPE, "messages"),
    ({"messages": [{"role": "wizard", "content": "Hi"}]}, VALUE, "messages[0].role"),
    ({"messages": [{"role": "user", "content": 5}]}, TYPE, "messages[0].content"),
    ({"messages": [{"role": "user"}]}, MISSING, "messages[0].content"),
    ({"messages": [{"role": "user", "content": [{"type": "image", "source": {}}]}]}, UNSUPPORTED,
     "messages[0].content[0].type"),
    ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, MISSING,
     "messages[0].content[0].text"),
    ({"messages": [{"role": "user", "content": [{"type": "tool_result", "content": "4"}]}]},
     MISSING, "messages[0].content[0].tool_use_id"),
    ({"messages": [USER, {"role": "assistant", "content": [
        {"type": "tool_use", "id": "t", "name": "f", "input": "x"}]}]}, TYPE,
     "messages[1].content[0].input"),
    ({"system": 5}, TYPE, "system"),
    ({"stop_sequences": "x"}, TYPE, "stop_sequences"),
    ({"stop_sequences": [""]}, VALUE, "stop_sequences[0]"),
    ({"stop_sequences": ["x"] * 17}, VALUE, "stop_sequences"),
    ({"service_tier": "gold"}, VALUE, "service_tier"),
    ({"metadata": {"user_id": 5}}, TYPE, "metadata.user_id"),
    ({"thinking": {"type": "deeply"}}, VALUE, "thinking.type"),
    ({"tools": [{"name": "f"}]}, MISSING, "tools[0].input_schema"),
    ({"tools": [{"input_schema": {}}]}, MISSING, "tools[0].name"),
    ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, UNSUPPORTED,
     "tools[0].type"),
    ({"tool_choice": "auto"}, TYPE, "tool_choice"),
    ({"tool_choice": {"type": "always"}}, VALUE, "tool_choice.type"),
    ({"messages": [{"role": "user", "content": "word " * 9_000}]}, "context_length_exceeded",
     "messages"),
])

COUNT = bodies("/v1/messages/count_tokens", {"model": "smollm2", "messages": [USER]}, [
    ({"model": ...}, MISSING, "model"),
    ({"model": "gpt-9"}, "model_not_found", "model"),
    ({"messages": ...}, MISSING, "messages"),
    ({"messages": [{"role": "user", "content": 5}]}, TYPE, "messages[0].content"),
])

COMPLETIONS = bodies("/v1/completions", {"model": "smollm2", "prompt": "Hi", "max_tokens": 4}, [
    *SHARED,
    ({"prompt": 5}, TYPE, "prompt"),
    ({"prompt": {}}, TYPE, "prompt"),
    ({"prompt": []}, VALUE, "prompt"),
    ({"prompt": ["a", 5]}, TYPE, "prompt[1]"),
    ({"prompt": [1, "a"]}, TYPE, "prompt[1]"),
    ({"prompt": [99_999_999]}, VALUE, ANY),
    ({"prompt": [-1]}, VALUE, ANY),
    ({"max_tokens": -1}, VALUE, "max_tokens"),
    ({"logprobs": 99}, VALUE, "logprobs"),
    ({"logprobs": "all"}, TYPE, "logprobs"),
    ({"n": 0}, VALUE, "n"),
    ({"suffix": "end"}, UNSUPPORTED, "suffix"),
    ({"stop": ["x"] * 17}, VALUE, "stop"),
    ({"prompt": "word " * 9_000}, "context_length_exceeded", "prompt"),
])

COMPLETE = bodies("/v1/complete", {
    "model": "smollm2", "prompt": "Hi", "max_tokens_to_sample": 4}, [
    *SHARED,
    ({"prompt": ...}, MISSING, "prompt"),
    ({"prompt": ["Hi"]}, TYPE, "prompt"),
    ({"max_tokens_to_sample": ...}, MISSING, "max_tokens_to_sample"),
    ({"max_tokens_to_sample": 0}, VALUE, "max_tokens_to_sample"),
    ({"stop_sequences": "x"}, TYPE, "stop_sequences"),
    ({"prompt": "word " * 9_000}, "context_length_exceeded", ANY),
])

TOKENIZE = bodies("/v1/tokenize-text", {"model": "smollm2", "text": "Hi"}, [
    ({"model": ...}, MISSING, "model"),
    ({"model": "gpt-9"}, "model_not_found", "model"),
    ({"text": ...}, MISSING, "text"),
    ({"text": 5}, TYPE, "text"),
])

WRONG_BODY_KINDS = [
    Row(f"a chat that is {name}", "POST", "/v1/chat/completions", body, 400, TYPE, ANY)
    for name, body in {"an array": b"[]", "a string": b'"hello"', "null": b"null",
                       "a number": b"5", "a boolean": b"true"}.items()
]

HTTP = [
    Row("unknown path", "POST", "/v1/chat/completion", {}, 404, "unknown_url", None),
    Row("unknown path, get", "GET", "/nothing", None, 404, "unknown_url", None),
    Row("root", "GET", "/", None, 404, "unknown_url", None),
    Row("path up", "GET", "/v1/../etc/passwd", None, 404, "unknown_url", None),
    Row("double slash", "POST", "//v1/chat/completions", {}, 404, "unknown_url", None),
    Row("metrics are elsewhere", "GET", "/metrics", None, 404, "unknown_url", None),
    Row("admin is elsewhere", "GET", "/admin/v1/workers", None, 404, "unknown_url", None),
    Row("unknown language model", "GET", "/v1/language-models/none", None, 404,
        "model_not_found", "model"),
    Row("unknown response", "GET", "/v1/responses/resp_none", None, 404, "not_found", ANY),
    Row("delete an unknown response", "DELETE", "/v1/responses/resp_none", None, 404,
        "not_found", ANY),
    Row("items of an unknown response", "GET", "/v1/responses/resp_none/input_items", None, 404,
        "not_found", ANY),
    Row("unknown deferred completion", "GET", "/v1/chat/deferred-completion/none", None, 404,
        "not_found", ANY),
    Row("unknown file", "GET", "/v1/files/file_none", None, 404, "not_found", ANY),
    Row("delete an unknown file", "DELETE", "/v1/files/file_none", None, 404, "not_found", ANY),
    Row("content of an unknown file", "GET", "/v1/files/file_none/content", None, 404,
        "not_found", ANY),
    Row("file that is no form", "POST", "/v1/files", {"purpose": "batch"}, 415,
        "unsupported_media_type", ANY),
    Row("form without a boundary", "POST", "/v1/files", b"x", 415, "unsupported_media_type", ANY,
        {"content-type": "multipart/form-data"}),
    Row("form cut short", "POST", "/v1/files",
        b'--x\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\nabc', 400, ANY,
        ANY, {"content-type": "multipart/form-data; boundary=x"}),
    Row("form without a file", "POST", "/v1/files",
        b'--x\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nbatch\r\n--x--\r\n', 400,
        ANY, ANY, {"content-type": "multipart/form-data; boundary=x"}),
    Row("unknown batch", "GET", "/v1/batches/none", None, 404, "not_found", ANY),
    Row("cancel an unknown batch", "POST", "/v1/batches/none:cancel", {}, 404, "not_found", ANY),
    Row("requests of an unknown batch", "GET", "/v1/batches/none/requests", None, 404,
        "not_found", ANY),
    Row("results of an unknown batch", "GET", "/v1/batches/none/results", None, 404,
        "not_found", ANY),
    Row("batch of a number", "POST", "/v1/batches", {"name": 5}, 400, TYPE, "name"),
    Row("batch of an unknown file", "POST", "/v1/batches", {
        "name": "b", "input_file_id": "file_none"}, 404, "not_found", ANY),
    Row("batches, limit of 0", "GET", "/v1/batches?limit=0", None, 400, VALUE, "limit"),
    Row("batches, limit of words", "GET", "/v1/batches?limit=many", None, 400, ANY, "limit"),
    Row("batches, bad token", "GET", "/v1/batches?pagination_token=%00", None, 400, VALUE,
        "pagination_token"),
    Row("files, limit below 0", "GET", "/v1/files?limit=-1", None, 400, ANY, "limit"),
    Row("get a response's list", "GET", "/v1/responses", None, 405, "method_not_allowed", None),
    Row("get messages", "GET", "/v1/messages", None, 405, "method_not_allowed", None),
    Row("messages as text", "POST", "/v1/messages", b"hello", 415, "unsupported_media_type", None,
        {"content-type": "text/plain"}),
    Row("put a file", "PUT", "/v1/files/x", None, 405, "method_not_allowed", None),
    Row("get a chat", "GET", "/v1/chat/completions", None, 405, "method_not_allowed", None),
    Row("put a chat", "PUT", "/v1/chat/completions", {}, 405, "method_not_allowed", None),
    Row("delete the models", "DELETE", "/v1/models", None, 405, "method_not_allowed", None),
    Row("lower-case method", "post", "/v1/models", {}, 405, "method_not_allowed", None),
    Row("unknown model", "GET", "/v1/models/none", None, 404, "model_not_found", "model"),
    Row("text", "POST", "/v1/chat/completions", b"hello", 415, "unsupported_media_type", None,
        {"content-type": "text/plain"}),
    Row("form", "POST", "/v1/chat/completions", b"a=b", 415, "unsupported_media_type", None,
        {"content-type": "application/x-www-form-urlencoded"}),
    Row("empty content type", "POST", "/v1/chat/completions", b"{}", 415,
        "unsupported_media_type", None, {"content-type": ""}),
    Row("unknown content coding", "POST", "/v1/chat/completions", b"{}", 415,
        "unsupported_media_type", ANY,
        {"content-type": "application/json", "content-encoding": "zstd"}),
    Row("gzip that is none", "POST", "/v1/chat/completions", b"{}", 400, ANY, ANY,
        {"content-type": "application/json", "content-encoding": "gzip"}),
    Row("bad time to first token", "POST", "/v1/chat/completions",
        {"model": "smollm2", "messages": [USER]}, 400, "invalid_header", "x-slo-ttft-ms",
        {"content-type": "application/json", "x-slo-ttft-ms": "soon"}),
]

ROWS = [
    *json_rows("/v1/chat/completions"), *CHAT, *WRONG_BODY_KINDS, *HTTP, *RESPONSES, *MESSAGES,
    *COUNT, *COMPLETIONS, *COMPLETE, *TOKENIZE,
    *(row for path in ("/v1/responses", "/v1/messages", "/v1/completions", "/v1/complete")
      for row in json_rows(path)[2::4])]
