"""Tools on the real model, whose template knows none: the generic form."""

import json

import httpx
import jsonschema
import openai
import pytest
from conftest import body

WEATHER = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "minLength": 1, "maxLength": 30},
        "unit": {"enum": ["celsius", "fahrenheit"]},
        "days": {"type": "integer", "minimum": 1, "maximum": 14},
    },
    "required": ["city", "unit"], "additionalProperties": False,
}
# Nothing bounds the text but the gateway.
FREE = {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}


def function(name, parameters=None, **fields):
    tool = {"name": name, "description": f"Does {name}.", **fields}
    if parameters is not None:
        tool["parameters"] = parameters
    return {"type": "function", "function": tool}


TOOLS = [function("get_weather", WEATHER), function("search", FREE), function("ping")]
SCHEMAS = {"get_weather": WEATHER, "search": FREE, "ping": {"type": "object", "maxProperties": 0}}


def request(choice="auto", tools=TOOLS, **fields):
    return body("What is the weather in Paris?",
                **{"temperature": 1, "max_tokens": 7000, "tools": tools, "tool_choice": choice,
                   **fields})


def named(name):
    return {"type": "function", "function": {"name": name}}


@pytest.fixture(scope="module")
def roomy(launch_module):
    """Each slot has room for four calls, however long the gateway lets texts become."""
    return launch_module("--slots", "4", "--context", "32768", "--model-name",
                         "smollm2").wait_ready()


@pytest.fixture(scope="module")
def client(roomy):
    return openai.OpenAI(base_url=f"{roomy.url}/v1", api_key="unused", max_retries=0,
                         timeout=900)


def check(call):
    assert call.id.startswith("call_")
    assert call.type == "function"
    jsonschema.validate(json.loads(call.function.arguments), SCHEMAS[call.function.name])


@pytest.mark.parametrize("choice", ["required", *map(named, SCHEMAS)], ids=str)
def test_a_required_call_is_made_and_validates(client, choice):
    answer = client.chat.completions.create(**request(choice, n=2, seed=1))
    ids = set()
    for one in answer.choices:
        assert one.finish_reason == "tool_calls"
        assert one.message.content is None
        calls = one.message.tool_calls
        assert calls
        for call in calls:
            check(call)
            ids.add(call.id)
        if isinstance(choice, dict):
            assert [call.function.name for call in calls] == [choice["function"]["name"]]
    assert len(ids) == sum(len(one.message.tool_calls) for one in answer.choices)


@pytest.mark.parametrize("choice", ["required", named("get_weather")], ids=str)
def test_a_required_call_is_streamed_whole(client, choice):
    chunks = list(client.chat.completions.create(stream=True, **request(choice, seed=2)))
    calls = [call for chunk in chunks for call in chunk.choices[0].delta.tool_calls or []]
    assert [call.index for call in calls] == list(range(len(calls)))
    for call in calls:
        check(call)
    assert calls
    assert chunks[-1].choices[0].finish_reason == "tool_calls"
    assert not any(chunk.choices[0].delta.content for chunk in chunks)


def test_the_stream_helper_collects_calls(client):
    with client.chat.completions.stream(
            **request("required", seed=3, parallel_tool_calls=False)) as stream:
        seen = [event.type for event in stream]
        completion = stream.get_final_completion()
    assert "tool_calls.function.arguments.done" in seen
    assert completion.choices[0].finish_reason == "tool_calls"
    for call in completion.choices[0].message.tool_calls:
        check(call)


def test_one_call_where_several_are_forbidden(client):
    answer = client.chat.completions.create(
        **request("required", parallel_tool_calls=False, n=2, seed=4))
    assert [len(one.message.tool_calls) for one in answer.choices] == [1] * 2


def test_a_call_cut_by_the_limit_is_none(client):
    """Trap: `tool_calls` for a truncated call."""
    answer = client.chat.completions.create(**request("required", max_tokens=12))
    assert answer.choices[0].finish_reason == "length"
    assert not answer.choices[0].message.tool_calls
    assert not answer.choices[0].message.content


def test_none_means_text(client):
    answer = client.chat.completions.create(**request("none", max_tokens=16, n=2))
    for one in answer.choices:
        assert not one.message.tool_calls
        assert one.message.content


def test_the_model_may_call_or_talk(client):
    """The prompt of a call that the model is made to continue: whatever comes is a call that
    validates as JSON, or text."""
    answer = client.chat.completions.create(**request("auto", max_tokens=60, n=4, seed=5))
    for one in answer.choices:
        for call in one.message.tool_calls or []:
            assert call.function.name in SCHEMAS
            assert isinstance(json.loads(call.function.arguments), dict)
        assert one.message.tool_calls or one.message.content
        if one.finish_reason == "tool_calls":
            assert one.message.tool_calls


def test_stop_strings_are_not_looked_for_in_calls(client):
    answer = client.chat.completions.create(
        **request(named("get_weather"), stop=["city", "{", "<tool"], seed=6))
    assert answer.choices[0].finish_reason == "tool_calls"
    check(answer.choices[0].message.tool_calls[0])


def test_a_conversation_goes_on_after_a_call(client):
    tool_request = request("required", parallel_tool_calls=False, seed=7)
    first = client.chat.completions.create(**tool_request).choices[0].message
    messages = tool_request["messages"] + [
        first.model_dump(exclude_none=True),
        {"role": "tool", "tool_call_id": first.tool_calls[0].id, "content": "18 degrees, rain"}]
    answer = client.chat.completions.create(
        model="smollm2", messages=messages, tools=TOOLS, tool_choice="none", max_tokens=24,
        temperature=0)
    assert answer.choices[0].message.content
    assert answer.usage.prompt_tokens > 40


def test_tools_and_a_format(client):
    """Calls or the format: nothing else can come out."""
    schema = {"type": "object", "properties": {"answer": {"type": "string", "maxLength": 20}},
              "required": ["answer"], "additionalProperties": False}
    answer = client.chat.completions.create(**request(
        "auto", n=2, seed=8, response_format={
            "type": "json_schema", "json_schema": {"name": "a", "schema": schema}}))
    for one in answer.choices:
        if one.message.tool_calls:
            assert one.finish_reason == "tool_calls"
        else:
            assert one.finish_reason == "stop"
            jsonschema.validate(json.loads(one.message.content), schema)


def test_the_older_names(client):
    answer = client.chat.completions.create(**body(
        "Ping.", functions=[{"name": "ping"}], function_call={"name": "ping"}))
    assert answer.choices[0].message.tool_calls[0].function.arguments == "{}"


BAD = {"type": "object", "properties": {"x": {"type": "number", "multipleOf": 3}}}
REFUSED = [
    (request("required", tools=[]), "tool_choice"),
    (request(named("nobody")), "tool_choice"),
    (request("required", tools=[function("f", BAD)]),
     "tools[0].function.parameters.properties.x.multipleOf"),
    (request(named("g"), tools=[function("f", BAD), function("g", {"type": "string"})]),
     "tools[1].function.parameters"),
    (request("auto", tools=[function("f", BAD, strict=True)]),
     "tools[0].function.parameters.properties.x.multipleOf"),
    (request("auto", tools=[{"type": "web_search"}]), "tools[0].type"),
    (request("auto", tools=[function("f"), function("f")]), "tools[1].function.name"),
    (request("auto", response_format={"type": "grammar", "grammar": 'root ::= "a"'}),
     "response_format"),
]


@pytest.mark.parametrize("refused,parameter", REFUSED, ids=[name for _, name in REFUSED])
def test_what_cannot_be_promised_is_refused(server, refused, parameter):
    answer = httpx.post(f"{server.url}/v1/chat/completions", json=refused, timeout=60)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["param"] == parameter


def test_a_schema_that_is_not_enforced_need_not_be_enforceable(client):
    answer = client.chat.completions.create(
        **request("auto", tools=[function("f", BAD)], max_tokens=8))
    assert answer.choices[0].finish_reason in ("length", "stop", "tool_calls")
