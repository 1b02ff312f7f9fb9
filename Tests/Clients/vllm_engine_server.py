"""A VllmEngine server on the public stubs, as another product's worker.

It speaks as vLLM's own servicer does: a chunk with each step's new tokens, a Complete that repeats
the last step's, counts per message, logprobs per token, no server type and, unless told, no number
of slots. Its model is a function, so that every answer can be foretold: the next token follows from
all tokens before it, and with a temperature also from the seed and from how many tokens this
request has made, as a generator seeded per request does.

    vllm_engine_server.py [--token-seconds S] [--slots N] [--vocabulary N] [--model NAME]

Writes a line of JSON for what happens: {"port": …}, {"started": id, …}, {"cancelled": id, …},
{"finished": id, …}. Reads commands, one a line: `health yes`, `health no`.
"""

import argparse
import asyncio
import json
import os
import sys
import zlib

sys.path.insert(0, os.path.join(
    os.path.dirname(os.path.abspath(__file__)), "..", "EngineProtocolTests", "Python"))

import stubs  # noqa: E402,F401  (puts the generated modules on the path)
import grpc  # noqa: E402
import health_pb2  # noqa: E402
import health_pb2_grpc  # noqa: E402
import vllm_engine_pb2 as pb  # noqa: E402
import vllm_engine_pb2_grpc  # noqa: E402

EOS = 2
# Ordinary tokens of SmolLM2's vocabulary are above its special ones.
FIRST_TOKEN, TOKENS = 300, 20_000


def next_token(context, made, params):
    """The model. One answer in about 200 tokens ends by itself."""
    state = zlib.crc32(b"".join(token.to_bytes(4, "little") for token in context[-64:]))
    if params.temperature > 0:
        state = zlib.crc32(f"{state}/{params.seed}/{made}".encode())
    may_end = not params.ignore_eos and made >= params.min_tokens
    if may_end and state % 199 == 0:
        return EOS
    return FIRST_TOKEN + state % TOKENS


def say(**facts):
    print(json.dumps(facts), flush=True)


class Engine(vllm_engine_pb2_grpc.VllmEngineServicer):
    def __init__(self, settings):
        self.settings = settings
        self.healthy = True
        self.running = {}

    async def Generate(self, request, context):
        params = request.sampling_params
        prompt = list(request.tokenized.input_ids)
        if not prompt or request.WhichOneof("input") != "tokenized":
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "prompt_token_ids is empty")
        if request.request_id in self.running:
            await context.abort(grpc.StatusCode.INTERNAL, f"{request.request_id} is running")
        say(trace={key: value for key, value in context.invocation_metadata()
                   if key in ("traceparent", "tracestate")},
            started=request.request_id, prompt=len(prompt), seed=params.seed,
            max_tokens=params.max_tokens, temperature=params.temperature, n=params.n,
            stop=list(params.stop), grammar=params.grammar,
            metadata=sorted(key for key, _ in context.invocation_metadata()
                            if key.startswith("switchyard-")))
        self.running[request.request_id] = 0
        made = []
        try:
            while True:
                await asyncio.sleep(self.settings.token_seconds)
                token = next_token(prompt + made, len(made), params)
                made.append(token)
                self.running[request.request_id] = len(made)
                reason, matched = self.end(made, token, params)
                if request.stream:
                    yield pb.GenerateResponse(chunk=pb.GenerateStreamChunk(
                        token_ids=[token], prompt_tokens=len(prompt), completion_tokens=1,
                        output_logprobs=self.logprobs([token], params)))
                if reason:
                    break
            last = [token] if request.stream else made
            complete = pb.GenerateComplete(
                output_ids=last, finish_reason=reason, prompt_tokens=len(prompt),
                completion_tokens=len(last), output_logprobs=self.logprobs(last, params))
            if matched is not None:
                complete.matched_token_id = matched
            say(finished=request.request_id, tokens=len(made))
            yield pb.GenerateResponse(complete=complete)
        except asyncio.CancelledError:
            say(cancelled=request.request_id, tokens=len(made))
            raise
        finally:
            self.running.pop(request.request_id, None)

    @staticmethod
    def end(made, token, params):
        if len(made) > params.min_tokens:
            if token == EOS and not params.ignore_eos:
                return "stop", None
            if token in params.stop_token_ids:
                return "stop", token
        if params.HasField("max_tokens") and len(made) >= params.max_tokens:
            return "length", None
        return None, None

    @staticmethod
    def logprobs(tokens, params):
        if not params.HasField("logprobs"):
            return None
        answer = pb.OutputLogProbs(token_ids=tokens, token_logprobs=[-0.25] * len(tokens))
        if params.logprobs:
            for token in tokens:
                answer.top_logprobs.append(pb.TopLogProbs(
                    token_ids=[token, token + 1][:params.logprobs],
                    values=[-0.25, -2.0][:params.logprobs]))
        return answer

    async def Abort(self, request, context):
        say(aborted=list(request.request_ids))
        return pb.AbortResponse()

    async def HealthCheck(self, request, context):
        return pb.HealthCheckResponse(
            healthy=self.healthy, message="Health" if self.healthy else "Engine is not alive")

    async def GetModelInfo(self, request, context):
        return pb.GetModelInfoResponse(
            model_path=self.settings.model, served_model_name=self.settings.model,
            tokenizer_path=self.settings.model, is_generation=True, max_context_length=8192,
            vocab_size=self.settings.vocabulary, model_type="llama",
            architectures=["LlamaForCausalLM"], eos_token_ids=[EOS], bos_token_id=1,
            max_req_input_len=8192)

    async def GetServerInfo(self, request, context):
        return pb.GetServerInfoResponse(
            data_parallel_size=1, max_num_seqs=self.settings.slots)

    async def GetLoads(self, request, context):
        return pb.GetLoadsResponse(version="0", dp_rank_count=1, loads=[
            pb.SchedulerLoad(num_running_reqs=len(self.running),
                             num_total_reqs=len(self.running))])


class Health(health_pb2_grpc.HealthServicer):
    def __init__(self, engine):
        self.engine = engine

    async def Check(self, request, context):
        serving = health_pb2.HealthCheckResponse.SERVING
        stopped = health_pb2.HealthCheckResponse.NOT_SERVING
        return health_pb2.HealthCheckResponse(status=serving if self.engine.healthy else stopped)


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--token-seconds", type=float, default=0.0)
    parser.add_argument("--slots", type=int, default=0)
    parser.add_argument("--vocabulary", type=int, default=49152)
    parser.add_argument("--model", default="HuggingFaceTB/SmolLM2-135M-Instruct")
    parser.add_argument("--port", type=int, default=0)
    settings = parser.parse_args()
    server = grpc.aio.server()
    engine = Engine(settings)
    vllm_engine_pb2_grpc.add_VllmEngineServicer_to_server(engine, server)
    health_pb2_grpc.add_HealthServicer_to_server(Health(engine), server)
    port = server.add_insecure_port(f"127.0.0.1:{settings.port}")
    await server.start()
    say(port=port)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        if line.startswith("health "):
            engine.healthy = line.strip() == "health yes"
            say(healthy=engine.healthy)
    await server.stop(0)


if __name__ == "__main__":
    asyncio.run(main())
