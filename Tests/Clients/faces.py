"""Every face that generates text, driven in the same way: what is asked for in one vocabulary, what
came back in one form. Each answer's wire form is checked against its face's rules as it is read.
"""

import json
from dataclasses import dataclass, field

import grpc
import httpx
from xai_sdk.proto import chat_pb2, sample_pb2

LIMIT = 60


@dataclass
class Answer:
    """What a client saw. `finish`: stop, length or tool_calls; None without a good end."""
    text: str = ""
    reasoning: str = ""
    # (id, name, arguments)
    calls: list = field(default_factory=list)
    finish: str | None = None
    stop_string: str | None = None
    # prompt, completion (visible), reasoning, cached; None where none was told
    usage: dict | None = None
    # (bytes, logprob)
    tokens: list = field(default_factory=list)
    # HTTP status or gRPC code's name, and the error's code, parameter, message
    status: object = None
    error: dict | None = None
    # The JSON of each event, or the messages; texts of each visible delta
    events: list = field(default_factory=list)
    deltas: list = field(default_factory=list)
    fields: dict = field(default_factory=dict)

    def said(self):
        """What two answers to the same request have in common, streamed or not."""
        return self.text, self.reasoning, [call[1:] for call in self.calls], self.finish


def server_sent_events(data):
    """(event name, data) of each event: LF only, a blank line after each, whole UTF-8."""
    assert b"\r" not in data
    assert data.endswith(b"\n\n") or not data, data[-80:]
    for block in data.decode("utf-8", errors="strict").split("\n\n")[:-1]:
        name, payload = None, None
        for line in block.split("\n"):
            if line.startswith(":"):
                continue
            key, _, value = line.partition(": ")
            if key == "event":
                assert name is None
                name = value
            elif key == "data":
                assert payload is None, "two data lines"
                payload = value
            else:
                assert key == "id", line
        if payload is not None:
            yield name, payload


class REST:
    """A face over HTTP. `ask` is one request on the client's connection."""
    path = None
    #: the parameter that holds the conversation
    prompt_parameter = "messages"
    has_tools = False
    has_logprobs = False
    has_choices = False

    def body(self, prompt, *, stream=False, max_tokens=200, stop=None, **fields):
        raise NotImplementedError

    def ask(self, client, prompt, *, headers=None, **fields):
        return self.send(client, self.body(prompt, **fields), headers=headers)

    def send(self, client, body, headers=None):
        answer = client.post(self.path, json=body, headers=headers)
        return self.read(answer, body)

    def read(self, response, body):
        answer = Answer(status=response.status_code, fields=dict(response.headers))
        if response.status_code != 200:
            answer.error = self.error(response.json())
            return answer
        if body.get("stream"):
            assert response.headers["content-type"].startswith("text/event-stream")
            assert response.headers["cache-control"] == "no-cache"
            self.read_stream(list(server_sent_events(response.content)), answer)
        else:
            assert response.headers["content-type"].startswith("application/json")
            assert "�" not in json.dumps(response.json(), ensure_ascii=False) \
                or "�" in response.text
            self.read_whole(response.json(), answer)
        return answer

    @staticmethod
    def error(body):
        assert set(body) == {"error"}, body
        assert set(body["error"]) == {"message", "type", "param", "code"}, body
        return body["error"]


class Chat(REST):
    name = "chat"
    path = "/v1/chat/completions"
    has_tools = has_logprobs = has_choices = True

    def body(self, prompt, *, stream=False, max_tokens=200, stop=None, usage=True, tools=None,
             **fields):
        body = {"model": "smollm2", "messages": [{"role": "user", "content": prompt}],
                "temperature": 0, **fields}
        if max_tokens is not None:
            body["max_tokens"] = max_tokens
        if stop is not None:
            body["stop"] = stop
        if tools:
            body["tools"] = [{"type": "function", "function": tool} for tool in tools]
        if stream:
            body["stream"] = True
            if usage:
                body["stream_options"] = {"include_usage": True}
        return body

    def choose(self, choice, alone=False):
        """A `tool_choice`: a mode or a function's name; `alone`: no more than one call."""
        named = {"type": "function", "function": {"name": choice}}
        return {"tool_choice": choice if choice in ("auto", "none", "required") else named,
                **({"parallel_tool_calls": False} if alone else {})}

    @staticmethod
    def usage(usage):
        details = usage["completion_tokens_details"]
        return {"prompt": usage["prompt_tokens"], "completion": usage["completion_tokens"],
                "reasoning": details["reasoning_tokens"], "total": usage["total_tokens"],
                "cached": usage["prompt_tokens_details"]["cached_tokens"]}

    @staticmethod
    def tokens(logprobs):
        return [(bytes(entry["bytes"]), entry["logprob"]) for entry in logprobs["content"]]

    def read_whole(self, body, answer):
        answer.events = [body]
        assert body["object"] == "chat.completion"
        choice = body["choices"][0]
        message = choice["message"]
        assert message["role"] == "assistant"
        answer.text = message["content"] or ""
        answer.reasoning = message.get("reasoning_content") or ""
        for call in message.get("tool_calls") or ():
            assert call["type"] == "function" and "index" not in call
            answer.calls.append(
                (call["id"], call["function"]["name"], call["function"]["arguments"]))
        answer.finish = choice["finish_reason"]
        answer.usage = self.usage(body["usage"])
        if choice.get("logprobs"):
            answer.tokens = self.tokens(choice["logprobs"])

    def read_stream(self, events, answer):
        done = False
        for name, payload in events:
            assert name is None
            assert not done, "an event after [DONE]"
            if payload == "[DONE]":
                done = True
                continue
            event = json.loads(payload)
            answer.events.append(event)
            if "error" in event:
                answer.error = self.error(event)
                continue
            assert answer.error is None, "an event after the error"
            assert event["object"] == "chat.completion.chunk"
            if event.get("usage"):
                assert event["choices"] == []
                answer.usage = self.usage(event["usage"])
            for choice in event["choices"]:
                if choice["index"]:
                    continue
                delta = choice["delta"]
                if delta.get("content"):
                    answer.deltas.append(delta["content"])
                answer.reasoning += delta.get("reasoning_content") or ""
                for call in delta.get("tool_calls") or ():
                    assert call["index"] == len(answer.calls)
                    answer.calls.append(
                        (call["id"], call["function"]["name"], call["function"]["arguments"]))
                if choice.get("logprobs"):
                    answer.tokens += self.tokens(choice["logprobs"])
                if choice.get("finish_reason"):
                    assert answer.finish is None
                    answer.finish = choice["finish_reason"]
        answer.text = "".join(answer.deltas)
        assert done == (answer.error is None)


class Responses(REST):
    name = "responses"
    path = "/v1/responses"
    prompt_parameter = "input"
    has_tools = True

    def body(self, prompt, *, stream=False, max_tokens=200, stop=None, tools=None,
             response_format=None, **fields):
        body = {"model": "smollm2", "input": prompt, "temperature": 0, "store": False, **fields}
        if max_tokens is not None:
            body["max_output_tokens"] = max_tokens
        if stop is not None:
            # No field of OpenAI's; ours, as for every extension.
            body["stop"] = stop
        if tools:
            body["tools"] = [{"type": "function", **tool} for tool in tools]
        if stream:
            body["stream"] = True
        return body

    def choose(self, choice, alone=False):
        named = {"type": "function", "name": choice}
        return {"tool_choice": choice if choice in ("auto", "none", "required") else named,
                **({"parallel_tool_calls": False} if alone else {})}

    def read_whole(self, body, answer):
        answer.events = answer.events or [body]
        assert body["object"] == "response"
        for item in body["output"]:
            if item["type"] == "message":
                assert item["role"] == "assistant" and item["id"]
                answer.text += "".join(part["text"] for part in item["content"])
            elif item["type"] == "reasoning":
                answer.reasoning += "".join(part["text"] for part in item["summary"])
            else:
                assert item["type"] == "function_call"
                answer.calls.append((item["call_id"], item["name"], item["arguments"]))
        if body["status"] == "failed":
            answer.error = body["error"]
            return
        if body["status"] == "incomplete":
            assert body["incomplete_details"]["reason"] == "max_output_tokens"
            answer.finish = "length"
        else:
            assert body["status"] == "completed" and body["incomplete_details"] is None
            answer.finish = "tool_calls" if answer.calls else "stop"
        usage = body["usage"]
        reasoning = usage["output_tokens_details"]["reasoning_tokens"]
        answer.usage = {
            "prompt": usage["input_tokens"], "completion": usage["output_tokens"] - reasoning,
            "reasoning": reasoning, "total": usage["total_tokens"],
            "cached": usage["input_tokens_details"]["cached_tokens"]}

    def read_stream(self, events, answer):
        items, texts, arguments = {}, {}, {}
        last = None
        for number, (name, payload) in enumerate(
                (name, payload) for name, payload in events if payload != "[DONE]"):
            event = json.loads(payload)
            answer.events.append(event)
            kind = event["type"]
            assert name == kind
            assert event["sequence_number"] == number
            # Some readers look for the one, others for the other.
            assert last is None or (last["type"], kind) == ("response.failed", "error")
            if number == 0:
                assert kind == "response.created" or kind == "error"
            if kind == "response.output_item.added":
                assert event["output_index"] == len(items)
                items[event["output_index"]] = event["item"]["id"]
            elif kind.endswith(".delta"):
                index = event["output_index"]
                assert event["item_id"] == items[index]
                if kind == "response.output_text.delta":
                    answer.deltas.append(event["delta"])
                    texts[index] = texts.get(index, "") + event["delta"]
                elif kind == "response.function_call_arguments.delta":
                    arguments[index] = arguments.get(index, "") + event["delta"]
            elif kind == "response.output_text.done":
                assert event["text"] == texts.get(event["output_index"], "")
            elif kind == "response.function_call_arguments.done":
                assert event["arguments"] == arguments.get(event["output_index"], "")
            elif kind in ("response.completed", "response.incomplete", "response.failed"):
                last = event
            elif kind == "error":
                answer.error = event
        if last is not None:
            self.read_whole(last["response"], answer)
        if answer.error is None:
            assert last is not None and answer.text == "".join(answer.deltas)
        else:
            answer.text = "".join(answer.deltas)


class Messages(REST):
    name = "messages"
    path = "/v1/messages"
    has_tools = True

    def body(self, prompt, *, stream=False, max_tokens=200, stop=None, tools=None, **fields):
        body = {"model": "smollm2", "messages": [{"role": "user", "content": prompt}],
                "temperature": 0, "max_tokens": max_tokens, **fields}
        if stop is not None:
            body["stop_sequences"] = [stop] if isinstance(stop, str) else stop
        if tools:
            body["tools"] = [
                {"name": tool["name"], "description": tool.get("description", ""),
                 "input_schema": tool["parameters"]} for tool in tools]
        if stream:
            body["stream"] = True
        return body

    def choose(self, choice, alone=False):
        kinds = {"required": "any", "auto": "auto", "none": "none"}
        chosen = {"type": kinds[choice]} if choice in kinds else {"type": "tool", "name": choice}
        return {"tool_choice": {**chosen, "disable_parallel_tool_use": True} if alone else chosen}

    @staticmethod
    def error(body):
        assert set(body) == {"type", "error", "request_id"} and body["type"] == "error", body
        assert {"type", "message"} <= set(body["error"]), body
        return {"code": body["error"]["type"], "param": None, **body["error"]}

    FINISH = {"end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length",
              "tool_use": "tool_calls", "model_context_window_exceeded": "length"}

    def finish(self, reason, stop_sequence, answer):
        answer.finish = self.FINISH[reason]
        answer.stop_string = stop_sequence
        assert (reason == "stop_sequence") == (stop_sequence is not None)

    @staticmethod
    def usage(usage, output):
        cached = usage.get("cache_read_input_tokens") or 0
        prompt = usage["input_tokens"] + cached
        return {"prompt": prompt, "completion": output, "reasoning": None,
                "total": prompt + output, "cached": cached}

    def read_whole(self, body, answer):
        answer.events = [body]
        assert (body["type"], body["role"]) == ("message", "assistant")
        for block in body["content"]:
            if block["type"] == "text":
                answer.text += block["text"]
            elif block["type"] == "thinking":
                answer.reasoning += block["thinking"]
            else:
                assert block["type"] == "tool_use"
                answer.calls.append((block["id"], block["name"], json.dumps(block["input"])))
        self.finish(body["stop_reason"], body["stop_sequence"], answer)
        answer.usage = self.usage(body["usage"], body["usage"]["output_tokens"])

    def read_stream(self, events, answer):
        order, start, open_block, calls = [], None, None, {}
        for name, payload in events:
            event = json.loads(payload)
            answer.events.append(event)
            kind = event["type"]
            assert name == kind
            if kind == "ping":
                continue
            order.append(kind)
            if kind == "message_start":
                start = event["message"]
                assert start["content"] == [] and start["stop_reason"] is None
            elif kind == "content_block_start":
                assert open_block is None
                open_block = event["index"]
                block = event["content_block"]
                if block["type"] == "tool_use":
                    assert block["input"] == {}
                    calls[open_block] = [block["id"], block["name"], ""]
            elif kind == "content_block_delta":
                assert event["index"] == open_block
                delta = event["delta"]
                if delta["type"] == "text_delta":
                    answer.deltas.append(delta["text"])
                elif delta["type"] == "thinking_delta":
                    answer.reasoning += delta["thinking"]
                elif delta["type"] == "input_json_delta":
                    calls[open_block][2] += delta["partial_json"]
                else:
                    assert delta["type"] == "signature_delta"
            elif kind == "content_block_stop":
                assert event["index"] == open_block
                open_block = None
            elif kind == "message_delta":
                self.finish(event["delta"]["stop_reason"], event["delta"]["stop_sequence"], answer)
                # As the vendor's SDK: what comes last is what holds.
                answer.usage = self.usage({**start["usage"], **event["usage"]},
                                          event["usage"]["output_tokens"])
            elif kind == "error":
                assert set(event["error"]) >= {"type", "message"}
                answer.error = event["error"]
            else:
                assert kind == "message_stop"
        answer.text = "".join(answer.deltas)
        answer.calls = [tuple(call) for call in calls.values()]
        if answer.error is None:
            assert order[0] == "message_start" and order[-2:] == ["message_delta", "message_stop"]
        else:
            assert order[-1] == "error"

    def send(self, client, body, headers=None):
        answer = super().send(client, body, headers)
        # As JSON text in one spelling, so that streamed and whole compare.
        answer.calls = [(number, name, json.dumps(json.loads(arguments or "{}"), sort_keys=True))
                        if answer.finish == "tool_calls" else (number, name, arguments)
                        for number, name, arguments in answer.calls]
        return answer


class Completions(REST):
    """OpenAI's older face: a prompt, no turns."""
    name = "completions"
    path = "/v1/completions"
    prompt_parameter = "prompt"
    has_choices = True

    def body(self, prompt, *, stream=False, max_tokens=200, stop=None, usage=True, **fields):
        body = {"model": "smollm2", "prompt": prompt, "temperature": 0, **fields}
        if max_tokens is not None:
            body["max_tokens"] = max_tokens
        if stop is not None:
            body["stop"] = stop
        if stream:
            body["stream"] = True
            if usage:
                body["stream_options"] = {"include_usage": True}
        return body

    def read_whole(self, body, answer):
        answer.events = [body]
        assert body["object"] == "text_completion"
        answer.text = body["choices"][0]["text"]
        answer.finish = body["choices"][0]["finish_reason"]
        answer.usage = self.usage(body["usage"])

    @staticmethod
    def usage(usage):
        return {"prompt": usage["prompt_tokens"], "completion": usage["completion_tokens"],
                "reasoning": 0, "total": usage["total_tokens"],
                "cached": (usage.get("prompt_tokens_details") or {}).get("cached_tokens", 0)}

    def read_stream(self, events, answer):
        done = False
        for name, payload in events:
            assert name is None and not done
            if payload == "[DONE]":
                done = True
                continue
            event = json.loads(payload)
            answer.events.append(event)
            if "error" in event:
                answer.error = self.error(event)
                continue
            assert event["object"] == "text_completion"
            if event.get("usage"):
                assert event["choices"] == []
                answer.usage = self.usage(event["usage"])
            for choice in event["choices"]:
                if choice["index"]:
                    continue
                if choice["text"]:
                    answer.deltas.append(choice["text"])
                if choice.get("finish_reason"):
                    assert answer.finish is None
                    answer.finish = choice["finish_reason"]
        answer.text = "".join(answer.deltas)
        assert done == (answer.error is None)


class Complete(REST):
    """Anthropic's older face: a prompt, no turns."""
    name = "complete"
    path = "/v1/complete"
    prompt_parameter = "prompt"
    FINISH = {"stop_sequence": "stop", "max_tokens": "length"}
    error = staticmethod(Messages.error)

    def body(self, prompt, *, stream=False, max_tokens=200, stop=None, **fields):
        body = {"model": "smollm2", "prompt": prompt, "temperature": 0,
                "max_tokens_to_sample": max_tokens, **fields}
        if stop is not None:
            body["stop_sequences"] = [stop] if isinstance(stop, str) else stop
        if stream:
            body["stream"] = True
        return body

    def read_whole(self, body, answer):
        answer.events = [body]
        assert body["type"] == "completion"
        answer.text = body["completion"]
        answer.finish = self.FINISH[body["stop_reason"]]

    def read_stream(self, events, answer):
        for name, payload in events:
            event = json.loads(payload)
            answer.events.append(event)
            assert name == event["type"]
            if name == "error":
                answer.error = event["error"]
            elif name == "completion":
                assert answer.finish is None
                if event["completion"]:
                    answer.deltas.append(event["completion"])
                if event["stop_reason"]:
                    answer.finish = self.FINISH[event["stop_reason"]]
            else:
                assert name == "ping"
        answer.text = "".join(answer.deltas)
        assert (answer.finish is None) == (answer.error is not None)


def rpc_error(answer, error):
    answer.status = error.code().name
    answer.error = {"message": error.details(), "code": error.code().name, "param": None}
    answer.fields = {key: value for key, value in error.trailing_metadata() or ()}


class XAIChat:
    """xai_api.Chat over gRPC."""
    name = "grpc"
    prompt_parameter = "messages"
    has_tools = has_logprobs = has_choices = True
    FINISH = {"REASON_STOP": "stop", "REASON_MAX_LEN": "length", "REASON_MAX_CONTEXT": "length",
              "REASON_TIME_LIMIT": "length", "REASON_TOOL_CALLS": "tool_calls"}

    def body(self, prompt, *, stream=False, max_tokens=200, stop=None, tools=None, usage=True,
             tool_choice=None, **fields):
        request = chat_pb2.GetCompletionsRequest(model="smollm2", temperature=0, **{
            key: value for key, value in fields.items() if key != "temperature"})
        if "temperature" in fields:
            request.temperature = fields["temperature"]
        request.messages.append(chat_pb2.Message(
            role=chat_pb2.ROLE_USER, content=[chat_pb2.Content(text=prompt)]))
        if max_tokens is not None:
            request.max_tokens = max_tokens
        request.stop.extend([stop] if isinstance(stop, str) else stop or ())
        for tool in tools or ():
            request.tools.append(chat_pb2.Tool(function=chat_pb2.Function(
                name=tool["name"], description=tool.get("description", ""),
                parameters=json.dumps(tool["parameters"]))))
        if tool_choice is not None:
            request.tool_choice.CopyFrom(tool_choice)
        return request, stream

    def choose(self, choice, alone=False):
        modes = {"required": chat_pb2.TOOL_MODE_REQUIRED, "auto": chat_pb2.TOOL_MODE_AUTO,
                 "none": chat_pb2.TOOL_MODE_NONE}
        return {"tool_choice": chat_pb2.ToolChoice(mode=modes[choice]) if choice in modes
                else chat_pb2.ToolChoice(function_name=choice),
                **({"parallel_tool_calls": False} if alone else {})}

    def ask(self, client, prompt, *, headers=None, **fields):
        return self.send(client, self.body(prompt, **fields), headers=headers)

    def send(self, client, body, headers=None):
        request, stream = body
        answer = Answer(status="OK")
        metadata = list((headers or {}).items())
        try:
            if stream:
                self.read_stream(client.rpc.unary_stream(
                    "/xai_api.Chat/GetCompletionChunk",
                    chat_pb2.GetCompletionsRequest.SerializeToString,
                    chat_pb2.GetChatCompletionChunk.FromString,
                )(request, metadata=metadata, timeout=LIMIT), answer)
            else:
                self.read_whole(client.rpc.unary_unary(
                    "/xai_api.Chat/GetCompletion",
                    chat_pb2.GetCompletionsRequest.SerializeToString,
                    chat_pb2.GetChatCompletionResponse.FromString,
                )(request, metadata=metadata, timeout=LIMIT), answer)
        except grpc.RpcError as error:
            rpc_error(answer, error)
            answer.text = "".join(answer.deltas) or answer.text
        return answer

    @staticmethod
    def usage(usage):
        return {"prompt": usage.prompt_tokens, "completion": usage.completion_tokens,
                "reasoning": usage.reasoning_tokens, "total": usage.total_tokens,
                "cached": usage.cached_prompt_text_tokens}

    def take(self, output, message, answer):
        assert message.role == chat_pb2.ROLE_ASSISTANT
        for call in message.tool_calls:
            assert call.type == chat_pb2.TOOL_CALL_TYPE_CLIENT_SIDE_TOOL
            answer.calls.append((call.id, call.function.name, call.function.arguments))
        answer.reasoning += message.reasoning_content
        answer.tokens += [(bytes(entry.bytes), entry.logprob) for entry in output.logprobs.content]
        if output.finish_reason:
            assert answer.finish is None
            answer.finish = self.FINISH[sample_pb2.FinishReason.Name(output.finish_reason)]

    def read_whole(self, response, answer):
        answer.events = [response]
        output = response.outputs[0]
        answer.text = output.message.content
        self.take(output, output.message, answer)
        answer.usage = self.usage(response.usage)

    def read_stream(self, chunks, answer):
        for chunk in chunks:
            answer.events.append(chunk)
            assert chunk.id and chunk.model and chunk.HasField("created")
            if chunk.HasField("usage"):
                answer.usage = self.usage(chunk.usage)
            for output in chunk.outputs:
                if output.index:
                    continue
                assert answer.finish is None, "an output after its end"
                if output.delta.content:
                    answer.deltas.append(output.delta.content)
                self.take(output, output.delta, answer)
        answer.text = "".join(answer.deltas)


class XAISample:
    """xai_api.Sample over gRPC: a prompt, no turns."""
    name = "sample"
    prompt_parameter = "prompt"
    has_tools = has_logprobs = False
    has_choices = True
    FINISH = XAIChat.FINISH

    def body(self, prompt, *, stream=False, max_tokens=200, stop=None, usage=True, **fields):
        request = sample_pb2.SampleTextRequest(model="smollm2", prompt=[prompt], temperature=0)
        for key, value in fields.items():
            setattr(request, key, value)
        if max_tokens is not None:
            request.max_tokens = max_tokens
        request.stop.extend([stop] if isinstance(stop, str) else stop or ())
        return request, stream

    ask = XAIChat.ask
    usage = staticmethod(XAIChat.usage)

    def send(self, client, body, headers=None):
        request, stream = body
        answer = Answer(status="OK")
        metadata = list((headers or {}).items())
        kinds = (sample_pb2.SampleTextRequest.SerializeToString,
                 sample_pb2.SampleTextResponse.FromString)
        try:
            if stream:
                responses = client.rpc.unary_stream(
                    "/xai_api.Sample/SampleTextStreaming", *kinds)(
                    request, metadata=metadata, timeout=LIMIT)
            else:
                responses = [client.rpc.unary_unary("/xai_api.Sample/SampleText", *kinds)(
                    request, metadata=metadata, timeout=LIMIT)]
            for response in responses:
                answer.events.append(response)
                for choice in response.choices:
                    if choice.index:
                        continue
                    if choice.text:
                        answer.deltas.append(choice.text)
                    if choice.finish_reason:
                        assert answer.finish is None
                        answer.finish = self.FINISH[
                            sample_pb2.FinishReason.Name(choice.finish_reason)]
                if response.HasField("usage"):
                    answer.usage = self.usage(response.usage)
        except grpc.RpcError as error:
            rpc_error(answer, error)
        answer.text = "".join(answer.deltas)
        return answer


class Client:
    """One connection for each protocol."""

    def __init__(self, server, http2=True, timeout=LIMIT):
        self.http = httpx.Client(
            base_url=server.url, http1=not http2, http2=http2, timeout=timeout,
            limits=httpx.Limits(max_connections=1, max_keepalive_connections=1))
        self.rpc = grpc.insecure_channel(f"127.0.0.1:{server.port}", options=[
            ("grpc.enable_retries", 0), ("grpc.use_local_subchannel_pool", 1)])
        self.post = self.http.post
        self.get = self.http.get

    def close(self):
        self.http.close()
        self.rpc.close()


CHAT, RESPONSES, MESSAGES = Chat(), Responses(), Messages()
COMPLETIONS, COMPLETE = Completions(), Complete()
GRPC, SAMPLE = XAIChat(), XAISample()
FACES = [CHAT, RESPONSES, MESSAGES, COMPLETIONS, COMPLETE, GRPC, SAMPLE]
# Those that have turns, tools and reasoning.
CHATS = [CHAT, RESPONSES, MESSAGES, GRPC]
