"""gRPC on the clients' port below any SDK: frames, trailers, reflection, health, and its company."""

import asyncio
import gzip
import signal
import struct
import subprocess

import grpc
import httpx
import pytest
from conftest import body
from google.protobuf import descriptor_pb2, descriptor_pool, empty_pb2
from test_failover import SIMULATED
from test_xai_sdk import SLOW
from xai_sdk.proto import (auth_pb2, batch_pb2, chat_pb2, chat_pb2_grpc, models_pb2, models_pb2_grpc,
                           sample_pb2, sample_pb2_grpc, tokenize_pb2, tokenize_pb2_grpc)

COMPLETION = "/xai_api.Chat/GetCompletion"
CHUNKS = "/xai_api.Chat/GetCompletionChunk"
MESSAGE_LIMIT = 20 << 20


@pytest.fixture(scope="module")
def simulated(launch_module):
    return launch_module(*SIMULATED, "--slots", "8", "--tls-port", "0", "--tls-self-signed",
                         "--worker-argument=--step-time=at-will").wait_ready()


@pytest.fixture(scope="module")
def slow(launch_module):
    return launch_module(*SIMULATED, "--slots", "1", SLOW).wait_ready()


@pytest.fixture
def channel(simulated):
    # A client that sends more than it may.
    options = [("grpc.max_send_message_length", 64 << 20)]
    with grpc.insecure_channel(f"127.0.0.1:{simulated.port}", options=options) as channel:
        yield channel


def request(text="Hello.", **fields):
    return chat_pb2.GetCompletionsRequest(
        model="smollm2", max_tokens=fields.pop("max_tokens", 8), seed=1,
        messages=[chat_pb2.Message(role=chat_pb2.ROLE_USER, content=[chat_pb2.Content(text=text)])],
        **fields)


def framed(message, flag=0):
    payload = message if isinstance(message, bytes) else message.SerializeToString()
    return struct.pack(">BI", flag, len(payload)) + payload


def messages(data, kind):
    """All whole messages of a body."""
    found = []
    while data:
        flag, length = struct.unpack(">BI", data[:5])
        assert flag == 0 and len(data) >= 5 + length
        found.append(kind.FromString(data[5:5 + length]))
        data = data[5 + length:]
    return found


def curl(server, path, data, *arguments):
    """Header blocks of the answer, its trailers among them, and its body."""
    done = subprocess.run(
        ["curl", "-sS", "--http2-prior-knowledge", "-D", "/dev/stderr", "--max-time", "60",
         "-H", "content-type: application/grpc", "-H", "te: trailers", "--data-binary", "@-",
         *arguments, f"{server.url}{path}"], input=data, capture_output=True, timeout=90)
    assert done.returncode == 0, done.stderr
    blocks = [block for block in done.stderr.decode().split("\r\n\r\n") if block.strip()]
    fields = [dict(line.split(": ", 1) for line in block.split("\r\n") if ": " in line)
              for block in blocks]
    return fields, done.stdout


def test_an_answer_has_headers_and_trailers(simulated):
    blocks, data = curl(simulated, COMPLETION, framed(request()), "-H", "x-request-id: mine")
    assert blocks[0]["content-type"] == "application/grpc"
    assert blocks[0]["x-request-id"] == "mine" and "grpc-status" not in blocks[0]
    assert blocks[1]["grpc-status"] == "0"
    assert len(messages(data, chat_pb2.GetChatCompletionResponse)) == 1


@pytest.mark.parametrize("path, data, fields, status", [
    ("/xai_api.Chat/Nothing", b"", {}, 12),
    ("/xai_api.Image/GenerateImage", b"", {}, 12),
    ("/nothing", b"", {}, 12),
    (COMPLETION, framed(chat_pb2.GetCompletionsRequest(model="nobody")), {}, 3),
    (CHUNKS, framed(request(n=0)), {}, 3),
    (CHUNKS, framed(b"\xff"), {}, 3),
    # No message, a second one, half of one, a flag that is not defined.
    (COMPLETION, b"", {}, 12),
    (COMPLETION, framed(request()) * 2, {}, 12),
    (COMPLETION, framed(request())[:-1], {}, 13),
    (COMPLETION, framed(request(), flag=2), {}, 13),
    # Compressed: in no coding, in an unknown one, not really.
    (COMPLETION, framed(request(), flag=1), {}, 13),
    (COMPLETION, framed(request(), flag=1), {"grpc-encoding": "br"}, 12),
    (COMPLETION, framed(request(), flag=1), {"grpc-encoding": "gzip"}, 13),
    (COMPLETION, framed(request()), {"grpc-timeout": "soon"}, 3),
    (COMPLETION, framed(request()), {"x-slo-ttft-ms": "soon"}, 3),
])
def test_what_fails_early_is_trailers_only(simulated, path, data, fields, status):
    # httpx sees no trailers: a status among the headers is all there is.
    with httpx.Client(http1=False, http2=True, timeout=60) as client:
        answer = client.post(f"{simulated.url}{path}", content=data, headers={
            "content-type": "application/grpc", "te": "trailers", **fields})
    assert answer.status_code == 200 and answer.content == b""
    assert answer.headers["content-type"] == "application/grpc"
    assert answer.headers["grpc-status"] == str(status), answer.headers


def test_other_content_types_are_not_grpc(simulated):
    with httpx.Client(http1=False, http2=True) as client:
        for kind in ("application/grpc-web", "application/grpc+json"):
            answer = client.post(f"{simulated.url}{COMPLETION}", content=b"",
                                 headers={"content-type": kind, "te": "trailers"})
            assert answer.status_code == 415
        assert client.post(f"{simulated.url}{COMPLETION}", json={}).status_code == 404


def test_the_fleet_s_state_says_when_to_come_back(launch):
    server = launch("--worker", "127.0.0.1:9", "--model-name", "smollm2", "--no-worker-wait", "1",
                    command="gateway")
    blocks, answer = curl(server, CHUNKS, framed(request()))
    assert len(blocks) == 1 and answer == b""
    assert blocks[0]["grpc-status"] == "14"
    # gRFC A6, and as over HTTP.
    assert int(blocks[0]["grpc-retry-pushback-ms"]) > 0
    assert int(blocks[0]["retry-after"]) >= 1


@pytest.mark.parametrize("coding, compress", [
    ("gzip", gzip.compress), ("deflate", __import__("zlib").compress)])
def test_compressed_requests_are_read(simulated, coding, compress):
    data = framed(compress(request().SerializeToString()), flag=1)
    blocks, answer = curl(simulated, COMPLETION, data, "-H", f"grpc-encoding: {coding}")
    assert blocks[-1]["grpc-status"] == "0"
    assert messages(answer, chat_pb2.GetChatCompletionResponse)[0].outputs


def test_a_message_has_a_limit(simulated, channel):
    stub = chat_pb2_grpc.ChatStub(channel)
    with pytest.raises(grpc.RpcError) as error:
        stub.GetCompletion(request("x" * MESSAGE_LIMIT))
    assert error.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    # A little less is read, and is too long for the model only.
    with pytest.raises(grpc.RpcError) as error:
        stub.GetCompletion(request("x" * (MESSAGE_LIMIT - 1000)))
    assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    # One that grows too large only when it is unpacked.
    with pytest.raises(grpc.RpcError) as error:
        stub.GetCompletion(request("x" * (MESSAGE_LIMIT + 1)), compression=grpc.Compression.Gzip)
    assert error.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert stub.GetCompletion(request()).outputs
    # Names and the like are read where connections are served: less is enough for them.
    with pytest.raises(grpc.RpcError) as error:
        models_pb2_grpc.ModelsStub(channel).GetLanguageModel(
            models_pb2.GetModelRequest(name="x" * (1 << 20)))
    assert error.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    simulated.wait_idle()


def test_the_server_keeps_the_deadline_too(slow):
    """A client that only says how long it waits: the slot is freed for it."""
    blocks, data = curl(slow, CHUNKS, framed(request(max_tokens=4000)),
                        "-H", "grpc-timeout: 1500m")
    assert blocks[-1]["grpc-status"] == "4" and len(blocks) == 2
    chunks = messages(data, chat_pb2.GetChatCompletionChunk)
    assert chunks and not any(output.finish_reason for each in chunks for output in each.outputs)
    slow.wait_idle(limit=20)
    # Unary: nothing was sent when it passed.
    blocks, data = curl(slow, COMPLETION, framed(request(max_tokens=4000)),
                        "-H", "grpc-timeout: 500000u")
    assert blocks[0]["grpc-status"] == "4" and len(blocks) == 1
    slow.wait_idle(limit=20)
    assert 'outcome="deadline_exceeded"} 2' in slow.admin("/metrics")[1]


def test_text_is_sampled(simulated, channel):
    stub = sample_pb2_grpc.SampleStub(channel)
    asked = sample_pb2.SampleTextRequest(
        model="smollm2", prompt=["Once", "Twice"], n=2, max_tokens=6, seed=3)
    whole = stub.SampleText(asked)
    assert [choice.index for choice in whole.choices] == [0, 1, 2, 3]
    assert {choice.finish_reason for choice in whole.choices} == {sample_pb2.REASON_MAX_LEN}
    assert whole.usage.completion_tokens == 24 and whole.model == "smollm2"
    texts = [""] * 4
    for part in stub.SampleTextStreaming(asked):
        assert part.id and part.created.seconds
        for choice in part.choices:
            texts[choice.index] += choice.text
    assert texts == [choice.text for choice in whole.choices]


def test_tokens_are_the_same_over_rest(simulated, channel):
    text = "Grüße, 漢字 👩‍👩‍👧"
    tokens = tokenize_pb2_grpc.TokenizeStub(channel).TokenizeText(
        tokenize_pb2.TokenizeTextRequest(text=text, model="smollm2"))
    assert tokens.model == "smollm2"
    answer = httpx.post(f"{simulated.url}/v1/tokenize-text",
                        json={"text": text, "model": "smollm2"}).json()
    assert answer == {"token_ids": [
        {"token_id": each.token_id, "string_token": each.string_token,
         "token_bytes": list(each.token_bytes)} for each in tokens.tokens]}
    assert httpx.post(f"{simulated.url}/v1/tokenize-text",
                      json={"text": text, "model": "nobody"}).status_code == 404


def test_tls(simulated):
    certificate = next((path for path in __import__("pathlib").Path(
        simulated.directory.name).rglob("*.pem") if b"CERTIFICATE" in path.read_bytes()))
    credentials = grpc.ssl_channel_credentials(certificate.read_bytes())
    with grpc.secure_channel(f"localhost:{simulated.tls_port}", credentials) as channel:
        stub = chat_pb2_grpc.ChatStub(channel)
        assert stub.GetCompletion(request()).outputs
        assert len(list(stub.GetCompletionChunk(request()))) > 1


def test_rest_and_grpc_share_a_connection(simulated):
    grpc_fields = {"content-type": "application/grpc", "te": "trailers"}

    async def main():
        limits = httpx.Limits(max_connections=1, max_keepalive_connections=1)
        async with httpx.AsyncClient(http1=False, http2=True, timeout=60, limits=limits) as client:
            await client.get(f"{simulated.url}/v1/models")

            async def rest(number):
                answer = await client.post(f"{simulated.url}/v1/chat/completions",
                                           json=body("Hello.", seed=1, max_tokens=8))
                return answer.json()["choices"][0]["message"]["content"]

            async def unary(number):
                answer = await client.post(f"{simulated.url}{COMPLETION}", headers=grpc_fields,
                                           content=framed(request(temperature=0)))
                found, = messages(answer.content, chat_pb2.GetChatCompletionResponse)
                return found.outputs[0].message.content

            async def stream(number):
                answer = await client.post(f"{simulated.url}{CHUNKS}", headers=grpc_fields,
                                           content=framed(request(temperature=0)))
                return "".join(
                    output.delta.content
                    for chunk in messages(answer.content, chat_pb2.GetChatCompletionChunk)
                    for output in chunk.outputs)

            return await asyncio.gather(*(
                kind(number) for number in range(8) for kind in (rest, unary, stream)))

    assert len(set(asyncio.run(main()))) == 1
    simulated.wait_idle()


def test_a_client_that_does_not_read_holds_up_only_itself(launch):
    server = launch(*SIMULATED, "--slots", "2", "--context", "65536",
                    "--worker-argument=--step-time=at-will").wait_ready()
    # A window of 64 KiB, which 8,000 tokens' chunks are far beyond.
    options = [("grpc.http2.lookahead_bytes", 65_536), ("grpc.http2.bdp_probe", 0)]
    with grpc.insecure_channel(f"127.0.0.1:{server.port}", options=options) as channel:
        stub = chat_pb2_grpc.ChatStub(channel)
        stream = stub.GetCompletionChunk(request(max_tokens=8000))
        first = next(stream)
        assert stub.GetCompletion(request()).outputs
        rest = list(stream)
        assert rest[-1].usage.completion_tokens == 8000 and first.id == rest[-1].id
    server.wait_idle()


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
def test_reflection_shows_what_is_served(simulated, channel, version):
    ask = channel.stream_stream(f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo")

    def question(field, text):
        return bytes([field << 3 | 2, len(text)]) + text.encode()

    def parts(data):
        """(field, payload) of a message of length-delimited fields and small numbers."""
        while data:
            tag, data = data[0], data[1:]
            length, shift = 0, 0
            while True:
                byte, data = data[0], data[1:]
                length |= (byte & 0x7F) << shift
                shift += 7
                if byte < 0x80:
                    break
            if tag & 7 == 0:
                yield tag >> 3, length
                continue
            yield tag >> 3, data[:length]
            data = data[length:]

    answers = [dict(parts(answer)) for answer in ask(iter([
        question(7, ""), question(4, "xai_api.Chat"), question(3, "xai/api/v1/batch.proto"),
        question(4, "xai_api.Nothing")]))]
    services = {dict(parts(entry))[1].decode() for _, entry in parts(answers[0][6])}
    assert {"xai_api.Chat", "xai_api.Models", "xai_api.Auth", "xai_api.Tokenize", "xai_api.Sample",
            "grpc.health.v1.Health", f"grpc.reflection.{version}.ServerReflection"} <= services
    assert dict(parts(answers[3][7]))[1] == 5
    # The definitions are those of the SDK.
    pool = descriptor_pool.DescriptorPool()
    files = {}
    for answer in answers[1:3]:
        for _, data in parts(answer[4]):
            file = descriptor_pb2.FileDescriptorProto.FromString(data)
            files[file.name] = file

    def add(name):
        if name in files:
            file = files.pop(name)
            for dependency in file.dependency:
                add(dependency)
            pool.Add(file)

    for name in list(files):
        add(name)
    theirs = {method.name for method in pool.FindServiceByName("xai_api.Chat").methods}
    assert theirs == {method.name for method in
                      chat_pb2.DESCRIPTOR.services_by_name["Chat"].methods}
    for module in (chat_pb2, batch_pb2, sample_pb2):
        for name, message in module.DESCRIPTOR.message_types_by_name.items():
            ours = pool.FindMessageTypeByName(message.full_name)
            assert {(field.number, field.name, field.type) for field in ours.fields} == {
                (field.number, field.name, field.type) for field in message.fields}, name


def test_health_is_the_gateway_s_readiness(launch):
    server = launch(*SIMULATED, "--worker-argument=--step-time=at-will").wait_ready()
    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        check = channel.unary_unary("/grpc.health.v1.Health/Check")
        watch = channel.unary_stream("/grpc.health.v1.Health/Watch")(b"")
        assert next(watch) in (b"\x08\x01", b"\x08\x02")
        for name in (b"", b"\x0a\x0cxai_api.Chat"):
            while check(name) != b"\x08\x01":
                pass
        with pytest.raises(grpc.RpcError) as error:
            check(b"\x0a\x04none")
        assert error.value.code() == grpc.StatusCode.NOT_FOUND
        server.process.send_signal(signal.SIGTERM)
        last = None
        with pytest.raises(grpc.RpcError) as error:
            for last in watch:
                pass
        assert last == b"\x08\x02" and error.value.code() == grpc.StatusCode.UNAVAILABLE
    assert server.process.wait(timeout=60) == 0


def test_keys_are_asked_for_by_everything_but_probes(launch, tmp_path):
    keys = tmp_path / "keys"
    keys.write_text("a-key-of-ann ann\n")
    server = launch(*SIMULATED, "--api-key-file", str(keys)).wait_ready()
    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        calls = [
            (chat_pb2_grpc.ChatStub(channel).GetCompletion, request()),
            (models_pb2_grpc.ModelsStub(channel).ListLanguageModels, empty_pb2.Empty()),
            (models_pb2_grpc.ModelsStub(channel).GetLanguageModel,
             models_pb2.GetModelRequest(name="smollm2")),
            (tokenize_pb2_grpc.TokenizeStub(channel).TokenizeText,
             tokenize_pb2.TokenizeTextRequest(text="x", model="smollm2"))]
        for call, message in calls:
            for metadata in ((), (("authorization", "Bearer wrong-wrong"),),
                             (("authorization", "Basic eHg6eXk="),)):
                with pytest.raises(grpc.RpcError) as error:
                    call(message, metadata=metadata)
                assert error.value.code() == grpc.StatusCode.UNAUTHENTICATED
            assert call(message, metadata=(("authorization", "Bearer a-key-of-ann"),))
        info = channel.unary_unary("/xai_api.Auth/get_api_key_info")(
            b"", metadata=(("authorization", "Bearer a-key-of-ann"),))
        assert auth_pb2.ApiKey.FromString(info).name == "ann"
        channel.unary_unary("/grpc.health.v1.Health/Check")(b"")
