"""The stock langchain-xai client."""

import re

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langchain_xai import ChatXAI


@pytest.fixture(scope="module")
def model(server):
    return ChatXAI(model="smollm2", xai_api_base=f"{server.url}/v1", xai_api_key="unused",
                   temperature=0, max_tokens=16, max_retries=0)


@tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"Rain in {city}."


def counters(server):
    """Prompt and generated tokens of all requests that have ended, as the server counts them."""
    server.wait_idle()
    text = server.admin("/metrics")[1]
    return [sum(float(value) for value in re.findall(
        rf"(?m)^{name}(?:{{[^}}]*}})? ([0-9.e+]+)$", text))
        for name in ("switchyard_prompt_tokens_total", "switchyard_generation_tokens_total")]


def spent(server, before):
    return [now - then for now, then in zip(counters(server), before)]


def test_invoke(server, model):
    before = counters(server)
    answer = model.invoke([SystemMessage("Be brief."), HumanMessage("Say hello.")])
    assert isinstance(answer, AIMessage) and answer.content
    assert answer.response_metadata["finish_reason"] in ("stop", "length")
    usage = answer.usage_metadata
    assert [usage["input_tokens"], usage["output_tokens"]] == spent(server, before)
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]


def test_stream(server, model):
    before = counters(server)
    chunks = list(model.stream("Count from one to ten.", stream_usage=True))
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    assert whole.content and sum(bool(chunk.content) for chunk in chunks) > 1
    usage = whole.usage_metadata
    assert [usage["input_tokens"], usage["output_tokens"]] == spent(server, before)


def test_batch(server, model):
    before = counters(server)
    answers = model.batch([f"Say the number {number}." for number in range(4)])
    used = [answer.usage_metadata for answer in answers]
    assert [sum(each["input_tokens"] for each in used),
            sum(each["output_tokens"] for each in used)] == spent(server, before)


@pytest.mark.parametrize("choice", ["get_weather", "any"])
def test_bound_tools_are_called_and_answered(server, model, choice):
    caller = model.bind_tools([get_weather], tool_choice=choice,
                              parallel_tool_calls=False).bind(max_tokens=200)
    question = HumanMessage("What is the weather in Rome?")
    answer = caller.invoke([question])
    [call] = answer.tool_calls
    assert call["name"] == "get_weather" and isinstance(call["args"]["city"], str)
    assert not answer.invalid_tool_calls
    assert answer.response_metadata["finish_reason"] == "tool_calls"
    result = get_weather.invoke(call)
    assert isinstance(result, ToolMessage)
    # The answer to the call's result is text, by the model without the tools' force.
    last = model.invoke([question, answer, result])
    assert last.content is not None


def test_bound_tools_are_called_in_a_stream(server, model):
    caller = model.bind_tools([get_weather], tool_choice="get_weather",
                              parallel_tool_calls=False).bind(max_tokens=200)
    whole = None
    for chunk in caller.stream("What is the weather in Rome?"):
        whole = chunk if whole is None else whole + chunk
    [call] = whole.tool_calls
    assert call["name"] == "get_weather" and isinstance(call["args"]["city"], str)


def test_structured_output(server):
    schema = {"title": "Mood", "type": "object", "additionalProperties": False,
              "required": ["mood"], "properties": {"mood": {"enum": ["good", "bad"]}}}
    structured = ChatXAI(
        model="smollm2", xai_api_base=f"{server.url}/v1", xai_api_key="unused", temperature=0,
        max_tokens=60, max_retries=0).with_structured_output(schema, method="json_schema")
    assert structured.invoke("How are you?")["mood"] in ("good", "bad")


def test_usage_counts_reasoning_once(server, model):
    """The client adds `reasoning_tokens` to the output: were they in `completion_tokens` too, they
    would count twice."""
    usage = model.invoke("Hi").usage_metadata
    assert usage["output_token_details"].get("reasoning", 0) == 0
