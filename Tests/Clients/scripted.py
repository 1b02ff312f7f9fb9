"""A worker that says exactly what a test wrote: any token ids of the real vocabulary, cut into any
messages. What it is asked for decides by a mark in the prompt, so that many scripts run at once.

It speaks the public VllmEngine protocol and runs in the test's own process.
"""

import os
import re
import sys
import threading
from concurrent import futures

sys.path.insert(0, os.path.join(
    os.path.dirname(os.path.abspath(__file__)), "..", "EngineProtocolTests", "Python"))

import stubs  # noqa: E402,F401  (puts the generated modules on the path)
import grpc  # noqa: E402
import health_pb2  # noqa: E402
import health_pb2_grpc  # noqa: E402
import vllm_engine_pb2 as pb  # noqa: E402
import vllm_engine_pb2_grpc  # noqa: E402
from conftest import MODEL  # noqa: E402
from gguf_file import GGUF  # noqa: E402

LIMIT = 60
MARK = re.compile(rb"script=([\w.-]+);")
LOGPROB = -0.25


def byte_letters():
    """The letters that byte-level BPE vocabularies (GPT-2's) write bytes with."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = {chr(byte): byte for byte in plain}
    for number, byte in enumerate(byte for byte in range(256) if byte not in plain):
        letters[chr(256 + number)] = byte
    return letters


class Vocabulary:
    """Text to token ids and back, by hand."""

    def __init__(self, path=MODEL):
        letters = byte_letters()
        self.names = GGUF(path).strings("tokenizer.ggml.tokens")
        self.control = {name: number for number, name in enumerate(self.names)
                        if name.startswith("<") and name.endswith(">") and len(name) > 3}
        # Control tokens' names are letters too, but no bytes of text.
        self.pieces = [
            b"" if name in self.control
            else bytes(letters[letter] for letter in name) for name in self.names]
        self.ids = {}
        for number, piece in enumerate(self.pieces):
            if piece:
                self.ids.setdefault(piece, number)

    def bytes(self, data):
        """A token for each byte: every boundary there is."""
        return [self.ids[bytes([byte])] for byte in data]

    def words(self, text):
        """The longest token first: few tokens, though not the tokenizer's own."""
        data, found = text.encode(), []
        while data:
            size = next(size for size in range(min(len(data), 24), 0, -1)
                        if data[:size] in self.ids)
            found.append(self.ids[data[:size]])
            data = data[size:]
        return found

    def text(self, ids):
        return b"".join(self.pieces[number] for number in ids)

    def marked(self, *parts):
        """A message for each part: the token of that name, or the letters' tokens."""
        return [[self.control[part]] if part in self.control else self.words(part)
                for part in parts]


# As Qwen3's: what was thought stands between two tokens before the answer.
THINKING_TEMPLATE = """\
{%- for message in messages %}
    {{- '<|im_start|>' + message.role + '\\n' }}
    {%- if message.role == 'assistant' and message.reasoning_content %}
        {{- '<think>\\n' + message.reasoning_content + '\\n</think>\\n\\n' }}
    {%- endif %}
    {{- message.content + '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}
"""
USER_DEFINED_TOKEN = 4


def write_thinker(path):
    """A model that thinks: the vocabulary with two more names, and a template that uses them."""
    model = GGUF(MODEL)
    names = model.strings("tokenizer.ggml.tokens")
    types = model.integers("tokenizer.ggml.token_type")
    for old, new in (("<repo_name>", "<think>"), ("<reponame>", "</think>")):
        types[names.index(old)] = USER_DEFINED_TOKEN
        names[names.index(old)] = new
    model.set_strings("tokenizer.ggml.tokens", names)
    model.set_integers("tokenizer.ggml.token_type", types)
    model.set_string("tokenizer.chat_template", THINKING_TEMPLATE)
    return model.write(path, tensors=False)


class Script:
    """`messages`: token ids of each message to the gateway; `turns`: of each request in turn.
    `gate`, where there is one, is waited for before message number `gate_at`."""

    def __init__(self, messages, turns=None, reason="stop", cached=0, gate=None, gate_at=0,
                 failure=None):
        self.turns, self.reason, self.cached = turns or [messages], reason, cached
        self.gate, self.gate_at, self.failure = gate, gate_at, failure
        # What the gateway asked for, and whether it went away before the end.
        self.requests = []
        self.cancelled = threading.Event()
        self.started = threading.Event()


class ScriptedEngine(vllm_engine_pb2_grpc.VllmEngineServicer, health_pb2_grpc.HealthServicer):
    def __init__(self, vocabulary, slots=64):
        self.vocabulary, self.slots = vocabulary, slots
        self.scripts = {}
        self.default = Script([vocabulary.words("Yes.")])
        self.server = grpc.server(futures.ThreadPoolExecutor(slots + 16))
        vllm_engine_pb2_grpc.add_VllmEngineServicer_to_server(self, self.server)
        health_pb2_grpc.add_HealthServicer_to_server(self, self.server)
        self.address = f"127.0.0.1:{self.server.add_insecure_port('127.0.0.1:0')}"
        self.server.start()

    def close(self):
        self.server.stop(0).wait()

    def play(self, name, messages, turns=None, **settings):
        """Answers prompts that have `script=NAME;` last; texts become the longest tokens."""
        messages = [self.vocabulary.words(message) if isinstance(message, str) else message
                    for message in messages]
        if turns:
            settings["turns"] = [list(map(self.vocabulary.words, turn)) for turn in turns]
        self.scripts[name] = Script(messages, **settings)
        return self.scripts[name]

    def script(self, prompt):
        marks = MARK.findall(self.vocabulary.text(prompt))
        return self.scripts[marks[-1].decode()] if marks else self.default

    def Generate(self, request, context):
        prompt = list(request.tokenized.input_ids)
        script, params = self.script(prompt), request.sampling_params
        script.requests.append(request)
        context.add_callback(script.cancelled.set)
        made = []
        limit = params.max_tokens if params.HasField("max_tokens") else None
        reason = script.reason
        script.started.set()
        turn = script.turns[(len(script.requests) - 1) % len(script.turns)]
        for number, tokens in enumerate(turn):
            if script.gate is not None and number == script.gate_at:
                while not script.gate.wait(0.02):
                    if not context.is_active():
                        return
            if limit is not None and len(made) + len(tokens) >= limit:
                tokens = tokens[:limit - len(made)]
                reason = "length"
            made += tokens
            yield pb.GenerateResponse(chunk=pb.GenerateStreamChunk(
                token_ids=tokens, prompt_tokens=len(prompt), completion_tokens=len(tokens),
                cached_tokens=script.cached, output_logprobs=self.logprobs(tokens, params)))
            if reason == "length" and limit is not None and len(made) >= limit:
                break
        if script.failure is not None:
            context.abort(script.failure, "the script says so")
        yield pb.GenerateResponse(complete=pb.GenerateComplete(
            finish_reason=reason, prompt_tokens=len(prompt), cached_tokens=script.cached))

    @staticmethod
    def logprobs(tokens, params):
        if not params.HasField("logprobs"):
            return None
        answer = pb.OutputLogProbs(token_ids=tokens, token_logprobs=[LOGPROB] * len(tokens))
        for token in tokens if params.logprobs else ():
            answer.top_logprobs.append(pb.TopLogProbs(
                token_ids=[token, token + 1][:params.logprobs],
                values=[LOGPROB, -2.0][:params.logprobs]))
        return answer

    def Abort(self, request, context):
        return pb.AbortResponse()

    def HealthCheck(self, request, context):
        return pb.HealthCheckResponse(healthy=True)

    def GetModelInfo(self, request, context):
        return pb.GetModelInfoResponse(
            model_path=MODEL, served_model_name=MODEL, tokenizer_path=MODEL, is_generation=True,
            max_context_length=8192, vocab_size=len(self.vocabulary.names), model_type="llama",
            architectures=["LlamaForCausalLM"], eos_token_ids=[2], bos_token_id=1,
            max_req_input_len=8192)

    def GetServerInfo(self, request, context):
        return pb.GetServerInfoResponse(data_parallel_size=1, max_num_seqs=self.slots)

    def GetLoads(self, request, context):
        return pb.GetLoadsResponse(version="0", dp_rank_count=1)

    def SubscribeKvEvents(self, request, context):
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "no events here")

    def Check(self, request, context):
        return health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVING)
