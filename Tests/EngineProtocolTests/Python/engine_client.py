"""Drives a server of vllm.grpc.engine.VllmEngine with grpcio: one scenario after the other.

Usage: engine_client.py HOST:PORT-or-unix:PATH
Prints "ok NAME" or "FAILED NAME" with a traceback per scenario; the Swift side expects what
SwiftInteropService does for each request id.
"""

import hashlib
import sys
import threading
import time
import traceback

import stubs  # noqa: F401  (puts the generated modules on the path)
import grpc
import common_pb2
import health_pb2
import health_pb2_grpc
import vllm_engine_pb2 as pb
import vllm_engine_pb2_grpc

TARGET = sys.argv[1]
SCENARIOS = []


def scenario(function):
    SCENARIOS.append(function)
    return function


def engine(*options, compression=None):
    channel = grpc.insecure_channel(TARGET, options=list(options), compression=compression)
    return channel, vllm_engine_pb2_grpc.VllmEngineStub(channel)


def request(name, tokens=(1, 2, 3), stream=True, **params):
    return pb.GenerateRequest(
        request_id=name,
        tokenized=pb.TokenizedInput(original_text="ignored", input_ids=tokens),
        sampling_params=pb.SamplingParams(**params),
        stream=stream,
    )


def expect_error(code, function):
    try:
        function()
    except grpc.RpcError as error:
        assert error.code() == code, f"{error.code()} {error.details()}"
        return error
    raise AssertionError(f"no error, expected {code}")


@scenario
def streams_chunks_then_complete():
    _, stub = engine()
    responses = list(stub.Generate(request("echo", [5, 6, 70000], seed=1)))
    chunks = [r.chunk for r in responses[:-1]]
    complete = responses[-1].complete
    assert [list(c.token_ids) for c in chunks] == [[5], [6], [70000]]
    assert all(c.completion_tokens == 1 and c.prompt_tokens == 3 for c in chunks)
    assert complete.finish_reason == "stop"
    # As vLLM's servicer: the last chunk's tokens again.
    assert list(complete.output_ids) == [70000]
    assert complete.completion_tokens == 1 and complete.prompt_tokens == 3


@scenario
def sends_one_complete_when_not_streaming():
    _, stub = engine()
    responses = list(stub.Generate(request("echo", [5, 6, 7], stream=False, logprobs=1)))
    assert len(responses) == 1
    complete = responses[0].complete
    assert list(complete.output_ids) == [5, 6, 7]
    assert complete.completion_tokens == 3
    logprobs = complete.output_logprobs
    assert list(logprobs.token_ids) == [5, 6, 7]
    assert list(logprobs.token_logprobs) == [-0.5, -0.5, -0.5]
    assert [list(t.token_ids) for t in logprobs.top_logprobs] == [[5], [6], [7]]


@scenario
def generates_several_choices():
    _, stub = engine()
    responses = list(stub.Generate(request("echo", [8, 9], n=3)))
    tokens = {0: [], 1: [], 2: []}
    finished = set()
    for response in responses:
        if response.HasField("chunk"):
            assert response.chunk.index not in finished
            tokens[response.chunk.index] += response.chunk.token_ids
        else:
            finished.add(response.complete.index)
    assert tokens == {0: [8, 9], 1: [8, 9], 2: [8, 9]} and finished == {0, 1, 2}


@scenario
def reports_matched_stop_tokens():
    _, stub = engine()
    *_, last = stub.Generate(request("stop-token", [5, 6], stop_token_ids=[6]))
    assert last.complete.finish_reason == "stop"
    assert last.complete.matched_token_id == 6


@scenario
def answers_information():
    _, stub = engine()
    assert stub.HealthCheck(pb.HealthCheckRequest()).healthy
    model = stub.GetModelInfo(pb.GetModelInfoRequest())
    assert model.served_model_name == "interop" and model.vocab_size == 1000
    server = stub.GetServerInfo(pb.GetServerInfoRequest())
    assert server.max_num_seqs == 16 and server.server_type == "switchyard-worker"
    loads = stub.GetLoads(pb.GetLoadsRequest())
    assert loads.dp_rank_count == 1 and loads.loads[0].max_running_requests == 16
    assert not stub.GetLoads(pb.GetLoadsRequest(dp_rank=5)).loads


@scenario
def aborts_by_id():
    _, stub = engine()
    call = stub.Generate(request("hang-abort", [1]))
    next(call)
    stub.Abort(pb.AbortRequest(request_ids=["hang-abort", "unknown"]))
    *_, last = call
    assert last.complete.finish_reason == "abort"


@scenario
def cancels():
    _, stub = engine()
    call = stub.Generate(request("hang-cancel", [1]))
    next(call)
    call.cancel()
    expect_error(grpc.StatusCode.CANCELLED, lambda: list(call))
    wait_until_idle(stub)


def wait_until_idle(stub):
    """The server has dropped everything that was cancelled."""
    limit = time.monotonic() + 10
    while stub.GetServerInfo(pb.GetServerInfoRequest()).active_requests:
        assert time.monotonic() < limit, "the server still works on a cancelled request"
        time.sleep(0.01)


@scenario
def exceeds_a_deadline():
    _, stub = engine()
    call = stub.Generate(request("hang-deadline", [1]), timeout=0.2)
    expect_error(grpc.StatusCode.DEADLINE_EXCEEDED, lambda: list(call))
    wait_until_idle(stub)


@scenario
def fails_with_details():
    _, stub = engine()
    error = expect_error(
        grpc.StatusCode.RESOURCE_EXHAUSTED, lambda: list(stub.Generate(request("fail")))
    )
    assert error.details() == "queue is full: 100 %\nGrüße", error.details()
    assert dict(error.trailing_metadata())["grpc-status-details-bin"] == b"\x08\x08\x00\xff"


@scenario
def fails_after_tokens():
    _, stub = engine()
    call = stub.Generate(request("fail-late", [4]))
    assert list(next(call).chunk.token_ids) == [4]
    error = expect_error(grpc.StatusCode.UNAVAILABLE, lambda: list(call))
    assert error.details() == "the engine stopped"


@scenario
def names_invalid_fields():
    _, stub = engine()
    error = expect_error(
        grpc.StatusCode.INVALID_ARGUMENT, lambda: list(stub.Generate(request("echo", top_p=2)))
    )
    assert error.details().startswith("sampling_params.top_p: "), error.details()


@scenario
def does_not_know_the_other_methods():
    _, stub = engine()
    for call in [
        lambda: stub.Embed(
            pb.EmbedRequest(request_id="embed", tokenized=pb.TokenizedInput(input_ids=[1]))),
        lambda: stub.FlushCache(common_pb2.FlushCacheRequest()),
        lambda: stub.StartProfile(common_pb2.StartProfileRequest()),
        lambda: stub.StopProfile(common_pb2.StopProfileRequest()),
        lambda: list(stub.SubscribeKvEvents(common_pb2.SubscribeKvEventsRequest())),
    ]:
        expect_error(grpc.StatusCode.UNIMPLEMENTED, call)


@scenario
def streams_a_tokenizer():
    _, stub = engine()
    for _ in range(2):
        chunks = list(stub.GetTokenizer(common_pb2.GetTokenizerRequest()))
        data = b"".join(chunk.data for chunk in chunks)
        assert data == bytes(index % 251 for index in range(300_001))
        assert all(chunk.data and not chunk.sha256 for chunk in chunks[:-1])
        assert chunks[-1].data and chunks[-1].sha256 == hashlib.sha256(data).hexdigest()


@scenario
def cancels_a_tokenizer():
    channel, stub = engine()
    call = stub.GetTokenizer(common_pb2.GetTokenizerRequest())
    next(call)
    call.cancel()
    expect_error(grpc.StatusCode.CANCELLED, lambda: list(call))
    # The connection still serves.
    assert stub.HealthCheck(pb.HealthCheckRequest()).healthy


@scenario
def refuses_large_requests():
    _, stub = engine()
    # The server takes 1 MiB.
    error = expect_error(
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        lambda: list(stub.Generate(request("echo", [100000] * 400000))),
    )
    assert "larger than the limit" in error.details(), error.details()
    assert list(stub.Generate(request("echo", [1])))


@scenario
def limits_large_answers_at_the_client():
    _, stub = engine(("grpc.max_receive_message_length", 1000))
    expect_error(
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        lambda: list(stub.Generate(request("echo", [100000] * 5000, stream=False))),
    )
    wait_until_idle(stub)


@scenario
def compresses_both_ways():
    for compression in (grpc.Compression.Gzip, grpc.Compression.Deflate):
        _, stub = engine(compression=compression)
        tokens = [123456] * 20000
        (response,) = stub.Generate(request("echo-compressed", tokens, stream=False))
        assert list(response.complete.output_ids) == tokens


@scenario
def carries_metadata():
    _, stub = engine()
    call = stub.Generate(
        request("metadata", [1, 2, 3], seed=9),
        metadata=[
            ("switchyard-tier", "priority"),
            ("switchyard-tenant", "M%C3%BCller"),
            ("switchyard-deadline", "1500"),
            ("switchyard-position", "2"),
            ("switchyard-seed", "18446744073709551615"),
            ("switchyard-attempt", "3"),
        ],
    )
    # The service answers OK only when it has read all of them.
    *_, last = call
    assert last.complete.finish_reason == "length"
    assert dict(call.trailing_metadata())["switchyard-finish"] == "context-full"
    error = expect_error(
        grpc.StatusCode.INVALID_ARGUMENT,
        lambda: list(
            stub.Generate(request("metadata"), metadata=[("switchyard-position", "x")])
        ),
    )
    assert error.details().startswith("switchyard-position: ")


@scenario
def checks_health():
    channel, stub = engine()
    health = health_pb2_grpc.HealthStub(channel)
    serving = health_pb2.HealthCheckResponse.SERVING
    name = "vllm.grpc.engine.VllmEngine"
    assert health.Check(health_pb2.HealthCheckRequest()).status == serving
    assert health.Check(health_pb2.HealthCheckRequest(service=name)).status == serving
    expect_error(
        grpc.StatusCode.NOT_FOUND,
        lambda: health.Check(health_pb2.HealthCheckRequest(service="other")),
    )
    statuses = health.List(health_pb2.HealthListRequest()).statuses
    assert {k: v.status for k, v in statuses.items()} == {"": serving, name: serving}


@scenario
def watches_health():
    channel, stub = engine()
    health = health_pb2_grpc.HealthStub(channel)
    name = "vllm.grpc.engine.VllmEngine"
    watch = health.Watch(health_pb2.HealthCheckRequest(service=name), timeout=20)
    unknown = health.Watch(health_pb2.HealthCheckRequest(service="other"), timeout=20)
    assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
    assert next(unknown).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
    list(stub.Generate(request("health-down")))
    assert next(watch).status == health_pb2.HealthCheckResponse.NOT_SERVING
    list(stub.Generate(request("health-up")))
    assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
    watch.cancel()
    unknown.cancel()


@scenario
def runs_many_streams_on_one_channel():
    _, stub = engine()
    failures = []

    def run(number):
        tokens = [number * 10 + i for i in range(1, 9)]
        got = []
        for response in stub.Generate(request(f"echo-{number}", tokens)):
            got += response.chunk.token_ids
        if got != tokens:
            failures.append((number, got))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures


@scenario
def a_slow_reader_gets_everything():
    _, stub = engine()
    count = 0
    for response in stub.Generate(request("flood", [1])):
        if count == 0:
            time.sleep(0.3)
        count += len(response.chunk.token_ids)
    assert count == 200000, count


failed = False
for function in SCENARIOS:
    try:
        function()
        print("ok", function.__name__, flush=True)
    except BaseException:
        failed = True
        print("FAILED", function.__name__, flush=True)
        traceback.print_exc(file=sys.stdout)
print("done", flush=True)
sys.exit(failed)
