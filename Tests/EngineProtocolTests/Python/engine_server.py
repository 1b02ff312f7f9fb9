"""A grpcio server of vllm.grpc.engine.VllmEngine, to be driven by our client.

Messages are made as vLLM's public servicer makes them: a chunk per token and, at the end, a
Complete that repeats the last chunk. What happens depends on the request id. Prints one JSON
object per line: first {"port": N}, then what it observes. Ends when its standard input does.
"""

import json
import sys
import threading
import time
from concurrent import futures

import stubs  # noqa: F401
import grpc
import health_pb2
import health_pb2_grpc
import vllm_engine_pb2 as pb
import vllm_engine_pb2_grpc

LOCK = threading.Lock()


def say(**facts):
    with LOCK:
        print(json.dumps(facts), flush=True)


def chunk(tokens, prompt=0, index=0):
    return pb.GenerateResponse(
        chunk=pb.GenerateStreamChunk(
            token_ids=tokens,
            prompt_tokens=prompt,
            completion_tokens=len(tokens),
            cached_tokens=1,
            index=index,
        )
    )


def complete(tokens, prompt=0, reason="stop", **more):
    return pb.GenerateResponse(
        complete=pb.GenerateComplete(
            output_ids=tokens,
            finish_reason=reason,
            prompt_tokens=prompt,
            completion_tokens=len(tokens),
            cached_tokens=1,
            **more,
        )
    )


class Engine(vllm_engine_pb2_grpc.VllmEngineServicer):
    def Generate(self, request, context):
        name = request.request_id
        tokens = list(request.tokenized.input_ids)
        if name.startswith("echo"):
            for token in tokens:
                yield chunk([token], len(tokens))
            yield complete(tokens[-1:], len(tokens))
        elif name == "whole":
            yield complete(tokens, len(tokens), reason="length")
        elif name == "stop-token":
            yield chunk(tokens, len(tokens))
            yield complete(tokens, len(tokens), matched_token_id=tokens[-1])
        elif name == "abort":
            yield complete([], len(tokens), reason="abort")
        elif name.startswith("hang"):
            gone = threading.Event()

            def ended():
                say(cancelled=name)
                gone.set()

            # Not after the yield: grpcio does not resume the generator of a cancelled call.
            context.add_callback(ended)
            say(started=name, remaining=context.time_remaining())
            yield chunk([1], 1)
            gone.wait(20)
        elif name == "fail":
            context.set_trailing_metadata(
                [("grpc-status-details-bin", b"\x08\x08\x00\xff"), ("retry-after", "3")]
            )
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "queue is full: 100 %\nGrüße")
        elif name == "fail-late":
            yield chunk([4], 1)
            context.abort(grpc.StatusCode.UNAVAILABLE, "the engine stopped")
        elif name == "fail-word":
            yield complete([], 1, reason="error")
        elif name == "no-complete":
            yield chunk([4], 1)
        elif name == "large":
            yield complete([100000] * 500000, 1)
        elif name == "gzip":
            context.set_compression(grpc.Compression.Gzip)
            yield chunk([123456] * 20000, len(tokens))
            yield complete([123456] * 20000, len(tokens))
        elif name == "deflate":
            context.set_compression(grpc.Compression.Deflate)
            yield chunk([123456] * 20000, len(tokens))
            yield complete([123456] * 20000, len(tokens))
        elif name == "logprobs":
            # vLLM puts the sampled token first, whatever its rank.
            yield pb.GenerateResponse(
                chunk=pb.GenerateStreamChunk(
                    token_ids=[7],
                    prompt_tokens=1,
                    completion_tokens=1,
                    output_logprobs=pb.OutputLogProbs(
                        token_logprobs=[-1.5],
                        token_ids=[7],
                        top_logprobs=[pb.TopLogProbs(values=[-1.5, -0.25], token_ids=[7, 9])],
                    ),
                )
            )
            yield complete([7], 1)
        elif name == "metadata":
            wanted = "switchyard-"
            items = {k: v for k, v in context.invocation_metadata() if k.startswith(wanted)}
            params = request.sampling_params
            say(
                metadata=items,
                seed=params.seed,
                temperature=round(params.temperature, 3),
                max_tokens=params.max_tokens,
                logit_bias={str(k): v for k, v in params.logit_bias.items()},
                stream=request.stream,
            )
            yield complete([], len(tokens), reason="length")
        elif name == "flood":
            for number in range(20000):
                yield chunk([number & 0xFFFF], 1)
            say(flooded=True)
            yield complete([1], 1)
        elif name == "die":
            yield chunk([1], 1)
            import os

            os._exit(9)
        else:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"request_id: {name}")

    def Abort(self, request, context):
        say(aborted=list(request.request_ids))
        return pb.AbortResponse()

    def HealthCheck(self, request, context):
        return pb.HealthCheckResponse(healthy=True, message="Health")

    def GetModelInfo(self, request, context):
        return pb.GetModelInfoResponse(
            model_path="/models/x",
            is_generation=True,
            max_context_length=4096,
            vocab_size=32000,
            served_model_name="x",
            eos_token_ids=[2, 3],
            bos_token_id=1,
            architectures=["LlamaForCausalLM"],
        )

    def GetServerInfo(self, request, context):
        time.sleep(0.05)
        return pb.GetServerInfoResponse(max_num_seqs=256, server_type="vllm", data_parallel_size=1)

    def GetLoads(self, request, context):
        return pb.GetLoadsResponse(
            version="1.0",
            dp_rank_count=1,
            loads=[pb.SchedulerLoad(num_running_reqs=3, num_waiting_reqs=4, token_usage=0.5)],
        )


server = grpc.server(
    futures.ThreadPoolExecutor(max_workers=64),
    options=[("grpc.max_receive_message_length", 4 << 20), ("grpc.max_send_message_length", -1)],
)
vllm_engine_pb2_grpc.add_VllmEngineServicer_to_server(Engine(), server)
port = server.add_insecure_port("127.0.0.1:0")
server.start()
say(port=port)
sys.stdin.read()
server.stop(0)
