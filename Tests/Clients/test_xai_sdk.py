"""The stock xai-sdk, its synchronous and its asyncio client, against the real binary."""

import asyncio
import inspect
import json
import threading
import time

import grpc
import httpx
import pydantic
import pytest
import xai_sdk
from conftest import body
from test_failover import SIMULATED, Worker
from xai_sdk.chat import assistant, system, user
from xai_sdk.proto import chat_pb2, sample_pb2, usage_pb2

KEY = "xai-0123456789abcdef0123456789abcdef"
# Milliseconds each, so that what ends early is seen to.
SLOW = "--worker-argument=--step-time=20000"


async def value(result):
    return await result if inspect.isawaitable(result) else result


async def items(stream):
    if hasattr(stream, "__aiter__"):
        async for item in stream:
            yield item
    else:
        for item in stream:
            yield item


@pytest.fixture(params=["sync", "asyncio"])
def run(request):
    """Runs a script with a client of either kind."""
    make = xai_sdk.Client if request.param == "sync" else xai_sdk.AsyncClient

    def run(server, script, api_key=KEY, **options):
        async def main():
            client = make(api_key=api_key, api_host=f"127.0.0.1:{server.port}",
                          use_insecure_channel=True, **options)
            try:
                return await script(client)
            finally:
                await value(client.close())

        return asyncio.run(main())

    return run


@pytest.fixture(scope="module")
def simulated(launch_module):
    return launch_module(*SIMULATED, "--model-alias", "small", "--slots", "16",
                         "--worker-argument=--step-time=at-will").wait_ready()


def chat(client, text="Tell a story.", **fields):
    fields = {"model": "smollm2", "max_tokens": 24, "seed": 7, **fields}
    return client.chat.create(messages=[system("Be brief."), user(text)], **fields)


def code(error):
    return error.value.code()


def test_sample(simulated, run):
    async def script(client):
        return await value(chat(client, service_tier="priority", user="u").sample())

    response = run(simulated, script)
    assert response.content and response.role == "ROLE_ASSISTANT"
    assert response.finish_reason == "REASON_MAX_LEN"
    assert response.id and response.system_fingerprint.startswith("fp_")
    assert response.proto.model == "smollm2"
    assert abs(response.created.timestamp() - time.time()) < 60
    assert response.usage.completion_tokens == 24 and response.usage.reasoning_tokens == 0
    assert response.usage.total_tokens == response.usage.prompt_tokens + 24
    assert response.usage.prompt_text_tokens == response.usage.prompt_tokens
    assert response.cost_usd is None
    assert response.proto.service_tier == usage_pb2.SERVICE_TIER_PRIORITY
    settings = response.request_settings
    assert settings.max_tokens == 24 and settings.user == "u"
    assert settings.temperature == 1 and settings.top_p == 1


def test_a_stream_says_what_a_whole_answer_says(simulated, run):
    async def script(client):
        whole = await value(chat(client).sample())
        chunks = []
        async for response, chunk in items(chat(client).stream()):
            chunks.append(chunk.proto)
        return whole, response, chunks

    whole, response, chunks = run(simulated, script)
    assert response.content == whole.content
    assert response.finish_reason == whole.finish_reason == "REASON_MAX_LEN"
    assert response.usage.completion_tokens == whole.usage.completion_tokens == 24
    assert len(chunks) > 3
    for chunk in chunks:
        assert chunk.id == response.id and chunk.model == "smollm2"
        assert chunk.created == chunks[0].created and chunk.system_fingerprint
        assert chunk.usage.prompt_tokens == whole.usage.prompt_tokens
        assert all(output.delta.role == chat_pb2.ROLE_ASSISTANT for output in chunk.outputs)
    counts = [chunk.usage.completion_tokens for chunk in chunks]
    assert counts == sorted(counts) and counts[-1] == 24
    reasons = [output.finish_reason for chunk in chunks for output in chunk.outputs]
    assert set(reasons[:-1]) == {0} and reasons[-1] == sample_pb2.REASON_MAX_LEN


def test_many_choices(simulated, run):
    async def script(client):
        whole = await value(chat(client).sample_batch(3))
        indices = []
        async for responses, chunks in items(chat(client).stream_batch(3)):
            indices += [output.index for output in chunks[0].proto.outputs]
        return whole, responses, indices

    whole, responses, indices = run(simulated, script)
    assert [each.content for each in responses] == [each.content for each in whole]
    assert len({each.content for each in whole}) == 3
    assert {each.finish_reason for each in responses} == {"REASON_MAX_LEN"}
    assert set(indices) == {0, 1, 2}
    # Usage is that of all choices together.
    assert responses[0].usage.completion_tokens == whole[0].usage.completion_tokens == 72


def test_a_conversation_goes_on(simulated, run):
    async def script(client):
        conversation = chat(client)
        first = await value(conversation.sample())
        conversation.append(first)
        conversation.append(user("Go on."))
        second = await value(conversation.sample())
        same = client.chat.create(
            model="smollm2", max_tokens=24, seed=7,
            messages=[system("Be brief."), user("Tell a story."), assistant(first.content),
                      user("Go on.")])
        return first, second, await value(same.sample())

    first, second, same = run(simulated, script)
    assert second.usage.prompt_tokens > first.usage.prompt_tokens + 24
    assert second.content == same.content


def test_log_probabilities(simulated, run):
    async def script(client):
        return await value(chat(client, logprobs=True, top_logprobs=3).sample())

    response = run(simulated, script)
    entries = response.logprobs.content
    assert b"".join(entry.bytes for entry in entries).decode(errors="replace") == response.content
    assert all(len(entry.top_logprobs) == 3 for entry in entries)


def test_stop_strings_are_not_part_of_the_text(simulated, run):
    async def script(client):
        whole = await value(chat(client).sample())
        stop = whole.content[len(whole.content) // 2:][:4]
        stopped = await value(chat(client, stop=[stop]).sample())
        text = ""
        async for response, chunk in items(chat(client, stop=[stop]).stream()):
            text += chunk.content
        return whole, stop, stopped, text

    whole, stop, stopped, text = run(simulated, script)
    assert stopped.content == text == whole.content.split(stop)[0]
    assert stopped.finish_reason == "REASON_STOP"


def test_models(simulated, run):
    async def script(client):
        models = client.models
        for absent in (models.get_language_model, models.get_embedding_model,
                       models.get_image_generation_model):
            with pytest.raises(grpc.RpcError) as error:
                await value(absent("nobody"))
            assert code(error) == grpc.StatusCode.NOT_FOUND
        return (await value(models.list_language_models()),
                await value(models.get_language_model("smollm2")),
                await value(models.get_language_model("small")),
                await value(models.list_embedding_models()),
                await value(models.list_image_generation_models()),
                await value(chat(client, model="small").sample()))

    listed, named, aliased, embedding, image, answer = run(simulated, script)
    assert list(listed) == [named] and named == aliased
    assert named.name == "smollm2" and list(named.aliases) == ["small"]
    assert named.max_prompt_length == 8192 and named.created.seconds > 0
    assert named.system_fingerprint == answer.system_fingerprint
    assert list(embedding) == list(image) == []
    # Answers carry the model's name, whatever it was asked for by.
    assert answer.proto.model == "smollm2"


@pytest.mark.parametrize("text", [
    "", "Hello, world!", "Grüße, 漢字, 👩‍👩‍👧‍👦 e\u0301", "<|im_start|>user\n<|im_end|>", " \n\t x"])
def test_tokens_join_to_the_text(simulated, run, text):
    async def script(client):
        return await value(client.tokenize.tokenize_text(text, "small"))

    tokens = run(simulated, script)
    assert b"".join(bytes(token.token_bytes) for token in tokens) == text.encode()
    for token in tokens:
        assert token.string_token == bytes(token.token_bytes).decode(errors="replace")


def test_keys(launch, run, tmp_path):
    keys = tmp_path / "keys"
    keys.write_text(f"{KEY} ann\n")
    server = launch(*SIMULATED, "--api-key-file", str(keys),
                    "--worker-argument=--step-time=at-will").wait_ready()

    async def right(client):
        assert (await value(chat(client).sample())).content
        return await value(client.auth.get_api_key_info())

    async def wrong(client):
        for ask in (chat(client).sample, client.models.list_language_models,
                    client.auth.get_api_key_info):
            with pytest.raises(grpc.RpcError) as error:
                await value(ask())
            assert code(error) == grpc.StatusCode.UNAUTHENTICATED

    info = run(server, right)
    assert info.name == "ann" and KEY not in info.redacted_api_key
    assert info.acls == ["api-key:model:*", "api-key:endpoint:*"]
    assert not (info.api_key_blocked or info.team_blocked or info.disabled)
    run(server, wrong, api_key="xai-wrong-wrong")


def test_what_is_refused_says_why(simulated, run):
    async def script(client):
        refusals = {
            "model": (chat(client, model="nobody"), grpc.StatusCode.NOT_FOUND),
            "stop": (chat(client, stop=["x"] * 17), grpc.StatusCode.INVALID_ARGUMENT),
            "temperature": (chat(client, temperature=3.0), grpc.StatusCode.INVALID_ARGUMENT),
            "maximum context length": (
                chat(client, "word " * 9000), grpc.StatusCode.INVALID_ARGUMENT)}
        for word, (refused, expected) in refusals.items():
            with pytest.raises(grpc.RpcError) as error:
                await value(refused.sample())
            assert code(error) == expected and word in error.value.details()
            with pytest.raises(grpc.RpcError) as error:
                async for _ in items(refused.stream()):
                    pass
            assert code(error) == expected
        with pytest.raises(grpc.RpcError) as error:
            await value(client.image.sample("A cat", model="smollm2"))
        assert code(error) == grpc.StatusCode.UNIMPLEMENTED
        # The connection lives on.
        assert (await value(chat(client).sample())).content

    run(simulated, script)


def test_leaving_a_stream_frees_its_slot(launch, run):
    server = launch(*SIMULATED, "--slots", "2", SLOW).wait_ready()

    async def script(client):
        # 4,000 tokens would take 80 seconds.
        def stream():
            return chat(client, max_tokens=4000).stream()

        def read_some():
            for _, chunk in stream():
                if chunk.content:
                    break

        async def read_all(started):
            async for _, chunk in stream():
                if chunk.content:
                    started.set()

        if isinstance(client, xai_sdk.Client):
            read_some()
        else:
            # Here grpcio does not see that a loop is left, only that its task is.
            started = asyncio.Event()
            task = asyncio.create_task(read_all(started))
            await started.wait()
            task.cancel()
            await asyncio.wait([task])
        await asyncio.to_thread(server.wait_idle, limit=20)

    run(server, script)
    assert 'outcome="client_closed"} 1' in server.admin("/metrics")[1]


def test_closing_a_client_frees_what_it_has(launch, run):
    server = launch(*SIMULATED, "--slots", "2", SLOW).wait_ready()
    streams = []

    async def script(client):
        streams.append(chat(client, max_tokens=4000).stream())
        async for _, chunk in items(streams[0]):
            if chunk.content:
                break
        assert server.health()["requests"]["in_flight"] == 1

    run(server, script)
    server.wait_idle(limit=20)


def test_an_unavailable_gateway_is_asked_again(launch, run):
    """There is no worker at first: the SDK is told so, and when to come back; nobody notices."""
    probe = Worker()
    address = probe.address
    probe.close()
    server = launch("--worker", address, "--model-name", "smollm2", "--no-worker-wait", "1",
                    "--worker-check-seconds", "0.1", command="gateway")
    server.wait_for_log("listening")
    workers = []

    def start_later():
        end = time.monotonic() + 60
        while 'outcome="no_worker"} 0' in server.admin("/metrics")[1]:
            assert time.monotonic() < end
            time.sleep(0.02)
        workers.append(Worker(address=address))

    thread = threading.Thread(target=start_later)
    thread.start()

    async def script(client):
        return await value(chat(client).sample())

    try:
        assert run(server, script).finish_reason == "REASON_MAX_LEN"
    finally:
        thread.join()
        for worker in workers:
            worker.close()


@pytest.mark.parametrize("is_queued", [False, True])
def test_a_deadline_ends_what_waits_and_what_runs(launch, run, is_queued):
    server = launch(*SIMULATED, "--slots", "1", SLOW).wait_ready()

    async def script(client):
        with pytest.raises(grpc.RpcError) as error:
            async for _ in items(chat(client, max_tokens=4000).stream()):
                pass
        assert code(error) == grpc.StatusCode.DEADLINE_EXCEEDED

    if is_queued:
        with httpx.Client(timeout=60) as other:
            request = body("Long.", stream=True, max_tokens=4000)
            with other.stream("POST", f"{server.url}/v1/chat/completions", json=request) as answer:
                # Kept, as httpx ends the stream with its iterator.
                lines = answer.iter_lines()
                next(lines)
                run(server, script, timeout=1)
                end = time.monotonic() + 20
                while server.health()["requests"] != {"waiting": 0, "in_flight": 1}:
                    assert time.monotonic() < end, server.health()["requests"]
                    time.sleep(0.02)
    else:
        run(server, script, timeout=1)
    server.wait_idle(limit=20)


def test_a_lost_worker_ends_the_stream_with_a_status(launch, run):
    server = launch(*SIMULATED, "--slots", "2", "--resume-limit", "0",
                    "--worker-argument=--step-time=at-will",
                    "--worker-argument=--die-at-token=9").wait_ready()

    async def script(client):
        seen = None
        with pytest.raises(grpc.RpcError) as error:
            async for response, _ in items(chat(client).stream()):
                seen = response
        assert code(error) == grpc.StatusCode.UNAVAILABLE
        # What came stands, and looks like no good end.
        assert seen.content and seen.finish_reason == "REASON_INVALID"

    run(server, script)


def test_a_conversation_keeps_its_worker(launch, run):
    server = launch(*SIMULATED, "--workers", "4", "--slots", "2",
                    "--worker-argument=--step-time=at-will")
    server.wait_for_workers(4)

    async def script(client):
        await value(chat(client, "Hello.").sample())

    records = []
    for number in range(2):
        name = f"talk-{number}"
        run(server, script, metadata=(("x-grok-conv-id", "talk"), ("x-request-id", name)))
        status, text = server.admin(f"/admin/v1/decisions/{name}")
        assert status == 200, text
        records.append(json.loads(text)["decisions"][0]["record"])
    origins = {one["worker"]: one["origin"] for one in records[1]["candidates"]}
    assert origins[records[0]["worker"]] == "session"


def test_real_model(server, run):
    async def script(client):
        question = chat(client, "What is the capital of France?", temperature=0, max_tokens=40)
        whole = await value(question.sample())
        async for response, _ in items(question.stream()):
            pass
        return whole, response

    whole, response = run(server, script)
    for each in (whole, response):
        assert "Paris" in each.content
        assert each.finish_reason in ("REASON_STOP", "REASON_MAX_LEN")
        assert 0 < each.usage.completion_tokens <= 40


class Place(pydantic.BaseModel):
    country: str = pydantic.Field(pattern="^[A-Z][a-z]{1,20}$")
    letters: int = pydantic.Field(ge=1, le=40)


def test_parse(server, run):
    async def script(client):
        question = chat(client, "Where is Paris?", max_tokens=60)
        return await value(question.parse(Place))

    response, place = run(server, script)
    assert isinstance(place, Place) and response.finish_reason == "REASON_STOP"
    assert Place.model_validate_json(response.content) == place


def test_stored(simulated, run):
    async def script(client):
        first = chat(client, "One.", store_messages=True, max_tokens=8)
        answer = await value(first.sample())
        [stored] = await value(client.chat.get_stored_completion(answer.id))
        assert stored.content == answer.content and stored.usage.prompt_tokens > 0
        again = chat(client, "Two.", previous_response_id=answer.id, max_tokens=8)
        assert (await value(again.sample())).usage.prompt_tokens > answer.usage.prompt_tokens + 5
        assert await value(client.chat.delete_stored_completion(answer.id)) == answer.id
        for gone in (lambda: client.chat.get_stored_completion(answer.id), again.sample):
            with pytest.raises(grpc.RpcError) as error:
                await value(gone())
            assert error.value.code() == grpc.StatusCode.NOT_FOUND

    run(simulated, script)


def test_deferred(simulated, run):
    async def script(client):
        return await value(chat(client, "Hello.", max_tokens=8).defer())

    answer = run(simulated, script)
    assert answer.content and answer.usage.completion_tokens == 8


def test_batches(simulated, run):
    async def script(client):
        batches = client.batch
        batch = await value(batches.create(batch_name="by the sdk"))
        chats = [chat(client, f"Request {index}.", max_tokens=6, batch_request_id=f"sdk-{index}")
                 for index in range(4)]
        await value(batches.add(batch_id=batch.batch_id, batch_requests=chats))
        end = time.monotonic() + 60
        while (state := (await value(batches.get(batch_id=batch.batch_id))).state).num_pending:
            assert time.monotonic() < end, state
            await asyncio.sleep(0.05)
        assert state.num_success == 4
        page = await value(batches.list_batch_results(batch_id=batch.batch_id, limit=3))
        assert [one.batch_request_id for one in page.results] == ["sdk-0", "sdk-1", "sdk-2"]
        rest = await value(batches.list_batch_results(
            batch_id=batch.batch_id, limit=3, pagination_token=page.pagination_token))
        assert len(rest.results) == 1 and rest.pagination_token is None
        results = [*page.results, *rest.results]
        assert all(one.is_success and one.response.content for one in results)
        # One storage, two faces.
        over_rest = httpx.get(f"{simulated.url}/v1/batches/{batch.batch_id}/results").json()
        assert [one["batch_result"]["response"]["chat_get_completion"]["choices"][0]["message"]
                ["content"] for one in over_rest["results"]] == [
                    one.response.content for one in results]
        listed = await value(batches.list_batch_requests(batch_id=batch.batch_id))
        assert len(listed.batch_request_metadata) == 4
        everything = (await value(batches.list(limit=100))).batches
        assert batch.batch_id in [one.batch_id for one in everything]
        assert (await value(batches.cancel(batch_id=batch.batch_id))).state.num_success == 4

    run(simulated, script)
