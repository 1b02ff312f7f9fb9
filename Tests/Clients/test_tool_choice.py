"""A call that was asked for is made, with arguments that its schema allows, on every face."""

import itertools
import json
import re
from concurrent.futures import ThreadPoolExecutor

import jsonschema
import pytest
from faces import CHATS, RESPONSES, Client

TOOLS = [
    {"name": "get_weather", "description": "The weather in a city.", "parameters": {
        "type": "object", "additionalProperties": False, "required": ["city", "unit"],
        "properties": {"city": {"type": "string", "minLength": 1, "maxLength": 16},
                       "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]}}}},
    {"name": "book-table", "description": "Books a table.", "parameters": {
        "type": "object", "additionalProperties": False, "required": ["guests", "when"],
        "properties": {
            "guests": {"type": "integer", "minimum": 1, "maximum": 12},
            "when": {"type": "object", "additionalProperties": False, "required": ["day"],
                     "properties": {"day": {"enum": ["mon", "tue", "wed"]},
                                    "late": {"type": "boolean"}}},
            "names": {"type": "array", "maxItems": 2,
                      "items": {"type": "string", "maxLength": 8}}}}},
    {"name": "now", "description": "The time.", "parameters": {
        "type": "object", "additionalProperties": False, "properties": {}}},
]
SCHEMAS = {tool["name"]: tool["parameters"] for tool in TOOLS}
QUESTIONS = ["What is the weather in Oslo?", "Tell me a joke.", "Book a table, then say bye."]
CHOICES = ["required", *SCHEMAS]


def check_calls(answer, choice, face):
    assert answer.error is None, answer.error
    assert answer.finish == "tool_calls", answer
    assert answer.calls
    numbers = [number for number, _, _ in answer.calls]
    assert len(set(numbers)) == len(numbers) and all(numbers)
    for _, name, arguments in answer.calls:
        assert choice in ("required", name)
        jsonschema.validate(json.loads(arguments), SCHEMAS[name])


@pytest.mark.parametrize("face", CHATS, ids=lambda face: face.name)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_an_asked_for_call_is_made_and_validates(server, face, stream):
    """Every choice, hot: what the model would rather say does not matter."""
    jobs = list(zip(CHOICES, itertools.cycle(QUESTIONS)))

    def ask(job):
        choice, question = job
        client = Client(server)
        try:
            return face.ask(client, question, stream=stream, tools=TOOLS, max_tokens=400,
                            temperature=1, **face.choose(choice, alone=True))
        finally:
            client.close()

    # All at once: they share the engine's steps.
    with ThreadPoolExecutor(len(jobs)) as pool:
        for (choice, _), answer in zip(jobs, pool.map(ask, jobs)):
            check_calls(answer, choice, face)
            assert len(answer.calls) == 1
    server.wait_idle()


@pytest.mark.parametrize("face", CHATS, ids=lambda face: face.name)
def test_none_makes_no_call(server, face):
    client = Client(server)
    for stream in (False, True):
        answer = face.ask(client, "What is the weather in Oslo?", stream=stream, tools=TOOLS,
                          max_tokens=24, **face.choose("none"))
        assert answer.error is None and not answer.calls
        assert answer.finish in ("stop", "length") and answer.text
    client.close()


@pytest.mark.parametrize("face", CHATS, ids=lambda face: face.name)
def test_the_choice_reaches_the_worker_as_a_grammar(scripted, face):
    """A worker without a grammar for it could say anything: never an empty one."""
    for choice, is_enforced in (("required", True), ("now", True), ("none", False)):
        script = scripted.play(f"grammar-{face.name}-{choice}", ["Sure."])
        face.ask(scripted.client, f"script=grammar-{face.name}-{choice};", tools=TOOLS,
                 **face.choose(choice))
        grammar = script.requests[-1].sampling_params.grammar
        assert bool(re.search(r"(?m)^root +::=", grammar)) == is_enforced, choice


@pytest.mark.parametrize("face", CHATS, ids=lambda face: face.name)
def test_a_call_and_its_result_can_be_sent_back(server, face):
    """The turn after a call: its id, name and arguments come back, and the answer is text."""
    from xai_sdk.proto import chat_pb2

    client = Client(server)
    first = face.ask(client, QUESTIONS[0], tools=TOOLS, **face.choose("get_weather", alone=True))
    [(number, name, arguments)] = first.calls
    body = face.body(QUESTIONS[0], tools=TOOLS, max_tokens=8)
    if isinstance(body, tuple):
        request = body[0]
        request.messages.append(chat_pb2.Message(
            role=chat_pb2.ROLE_ASSISTANT, tool_calls=[chat_pb2.ToolCall(
                id=number, type=chat_pb2.TOOL_CALL_TYPE_CLIENT_SIDE_TOOL,
                function={"name": name, "arguments": arguments})]))
        request.messages.append(chat_pb2.Message(
            role=chat_pb2.ROLE_TOOL, tool_call_id=number,
            content=[chat_pb2.Content(text="12 degrees, rain")]))
    elif face is RESPONSES:
        body["input"] = [
            {"role": "user", "content": QUESTIONS[0]},
            {"type": "function_call", "call_id": number, "name": name, "arguments": arguments},
            {"type": "function_call_output", "call_id": number, "output": "12 degrees, rain"}]
    elif face.name == "messages":
        body["messages"] += [
            {"role": "assistant", "content": [
                {"type": "tool_use", "id": number, "name": name, "input": json.loads(arguments)}]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": number, "content": "12 degrees, rain"}]}]
    else:
        body["messages"] += [
            {"role": "assistant", "content": None, "tool_calls": [
                {"id": number, "type": "function",
                 "function": {"name": name, "arguments": arguments}}]},
            {"role": "tool", "tool_call_id": number, "content": "12 degrees, rain"}]
    second = face.send(client, body)
    assert second.error is None, second.error
    # What was said is in the prompt.
    assert second.usage["prompt"] > first.usage["prompt"]
    client.close()
