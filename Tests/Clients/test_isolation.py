"""What one tenant has, does or says is nothing that another one, or a log, can see.

The claims of docs/threat-model.md name these tests.
"""

import json
import time

import grpc
import httpx
import pytest
from conftest import body
from tenancy import SIMULATED, Caller, cli, new_key, new_tenant
from xai_sdk.proto import (batch_pb2, batch_pb2_grpc, chat_pb2, chat_pb2_grpc, deferred_pb2,
                           files_pb2, files_pb2_grpc)

SECRET = "The password of the vault is xyzzy-4711, tell nobody at all about it, please. "


@pytest.fixture(scope="module")
def served(launch_module, tmp_path_factory):
    log = tmp_path_factory.mktemp("log") / "access"
    server = launch_module(*SIMULATED, "--require-key", "--access-log", str(log),
                           "--slots", "8").wait_ready()
    server.access_log = log
    return server


@pytest.fixture(scope="module")
def ours(served):
    return Caller(served, new_tenant(served, "ours"))


@pytest.fixture(scope="module")
def theirs(served):
    return Caller(served, new_tenant(served, "theirs"))


@pytest.fixture(scope="module")
def others(served, ours, theirs):
    """Another tenant, and another application of the same one."""
    key, _ = new_key(served, "ours", "--application", "another")
    return [theirs, Caller(served, key)]


def rpc(caller, stub, method, message):
    """The status of a call."""
    with grpc.insecure_channel(f"127.0.0.1:{caller.server.port}") as channel:
        try:
            answer = getattr(stub(channel), method)(
                message, metadata=[("authorization", f"Bearer {caller.key}")])
            if hasattr(answer, "code"):
                list(answer)
            return grpc.StatusCode.OK
        except grpc.RpcError as error:
            return error.code()


def test_stored_responses(ours, others):
    made = ours.post("/v1/responses", {"model": "smollm2", "input": SECRET, "store": True,
                                       "max_output_tokens": 4}).json()["id"]
    path = f"/v1/responses/{made}"
    stored = chat_pb2.GetStoredCompletionRequest(response_id=made)
    for other in others:
        assert other.get(path).status_code == other.delete(path).status_code == 404
        assert other.get(path + "/input_items").status_code == 404
        assert other.post(path + "/cancel", {}).status_code == 404
        assert other.post("/v1/responses", {
            "model": "smollm2", "input": "Go on", "previous_response_id": made}).status_code == 404
        assert rpc(other, chat_pb2_grpc.ChatStub, "GetStoredCompletion",
                   stored) == grpc.StatusCode.NOT_FOUND
    assert ours.get(path).status_code == 200


def test_deferred_results(ours, others, served):
    made = ours.chat(SECRET, deferred=True).json()["request_id"]
    path = f"/v1/chat/deferred-completion/{made}"
    served.wait_for(lambda: ours.get(path).status_code == 200, "never done")
    for other in others:
        assert other.get(path).status_code == 404
        assert rpc(other, chat_pb2_grpc.ChatStub, "GetDeferredCompletion",
                   deferred_pb2.GetDeferredRequest(request_id=made)) == grpc.StatusCode.NOT_FOUND


def test_background_responses(ours, others):
    made = ours.post("/v1/responses", {"model": "smollm2", "input": SECRET, "background": True,
                                       "max_output_tokens": 4}).json()["id"]
    for other in others:
        assert other.get(f"/v1/responses/{made}").status_code == 404
        assert other.post(f"/v1/responses/{made}/cancel", {}).status_code == 404


def test_files_and_batches(ours, others):
    line = {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions",
            "body": body(SECRET, max_tokens=2)}
    file = ours.client.post(
        "/v1/files", data={"purpose": "batch"},
        files={"file": ("secret.jsonl", json.dumps(line).encode())}).json()["id"]
    batch = ours.post("/v1/batches", {"name": "secret", "input_file_id": file}).json()["batch_id"]
    for other in others:
        assert other.get(f"/v1/files/{file}").status_code == 404
        assert other.get(f"/v1/files/{file}/content").status_code == 404
        assert other.delete(f"/v1/files/{file}").status_code == 404
        assert file not in other.get("/v1/files").text
        assert other.get(f"/v1/batches/{batch}").status_code == 404
        assert other.get(f"/v1/batches/{batch}/requests").status_code == 404
        assert other.get(f"/v1/batches/{batch}/results").status_code == 404
        assert other.post(f"/v1/batches/{batch}:cancel", {}).status_code == 404
        assert other.post(f"/v1/batches/{batch}/requests", {"batch_requests": [
            {"batch_request_id": "b", "batch_request": {"chat_get_completion": body("x")}}]
        }).status_code in (400, 404)
        assert other.post("/v1/batches", {"name": "b", "input_file_id": file}).status_code == 404
        assert batch not in other.get("/v1/batches").text
        assert rpc(other, files_pb2_grpc.FilesStub, "RetrieveFile",
                   files_pb2.RetrieveFileRequest(file_id=file)) == grpc.StatusCode.NOT_FOUND
        assert rpc(other, batch_pb2_grpc.BatchMgmtStub, "GetBatch",
                   batch_pb2.GetBatchRequest(batch_id=batch)) == grpc.StatusCode.NOT_FOUND
    assert ours.get(f"/v1/batches/{batch}").status_code == 200


def test_streams_that_go_on_without_their_client(ours, others):
    request = body(SECRET, max_tokens=20, stream=True)
    with ours.client.stream("POST", "/v1/chat/completions", json=request,
                            headers={"x-switchyard-background": "true"}) as answer:
        event = next(line for line in answer.iter_lines() if line.startswith("id: "))
        last = event.removeprefix("id: ").strip()
    for other in others:
        refused = other.client.post("/v1/chat/completions", json=request,
                                    headers={"last-event-id": last})
        assert refused.status_code == 404
    resumed = ours.client.post("/v1/chat/completions", json=request,
                               headers={"last-event-id": last})
    assert resumed.status_code == 200 and resumed.text.rstrip().endswith("data: [DONE]")


def cached(answer):
    return answer.json()["usage"]["prompt_tokens_details"]["cached_tokens"]


def check_prefixes(ours, theirs, text):
    """Nobody learns from cached tokens, and so from the time, what others have asked."""
    assert cached(ours.chat(text)) == 0
    assert cached(theirs.chat(text)) == 0
    assert cached(ours.chat(text)) > 50 and cached(theirs.chat(text)) > 50


def test_cached_prefixes(served):
    check_prefixes(*(Caller(served, new_tenant(served, f"prefix-{name}")) for name in "ab"),
                   SECRET * 8)


def test_cached_prefixes_of_the_real_engine(launch):
    server = launch("--slots", "4", "--require-key", "--model-name", "smollm2").wait_ready()
    check_prefixes(Caller(server, new_tenant(server, "ours")),
                   Caller(server, new_tenant(server, "theirs")), SECRET * 8)


def test_two_at_once_share_no_prefill(launch):
    """The second of two equal prompts waits for the first's prefill only within a tenant."""
    server = launch(*SIMULATED, "--require-key", "--slots", "4").wait_ready()
    callers = [Caller(server, new_tenant(server, name)) for name in ("a", "b")]
    text = SECRET * 20
    streams = [caller.client.stream("POST", "/v1/chat/completions", json=body(
        text, max_tokens=3, stream=True, stream_options={"include_usage": True}))
        for caller in callers]
    opened = [stream.__enter__() for stream in streams]
    for answer, stream in zip(opened, streams):
        usage = [json.loads(line.removeprefix("data: "))["usage"] for line in answer.iter_lines()
                 if '"usage":{' in line][-1]
        assert usage["prompt_tokens_details"]["cached_tokens"] == 0
        stream.__exit__(None, None, None)


def test_operators_things_are_not_on_the_clients_port(served, ours):
    for path in ("/metrics", "/admin/v1/tenants", "/admin/v1/keys", "/admin/v1/slo", "/healthz",
                 "/livez"):
        assert ours.get(path).status_code == 404


def test_keys_and_texts_are_in_no_log_and_no_metric(served, ours, theirs):
    """All of them: what clients sent and got, over REST and gRPC, refused and not."""
    answers = [ours.chat(SECRET).json()["choices"][0]["message"]["content"]]
    ours.chat(SECRET, temperature=99)
    ours.chat(SECRET, model="nothing")
    wrong = theirs.key[:-1] + ("0" if theirs.key[-1] != "0" else "1")
    Caller(served, wrong).chat(SECRET)
    cli(served, "keys", "block", theirs.key[:22])
    theirs.chat(SECRET)
    cli(served, "keys", "unblock", theirs.key[:22])
    rotated = cli(served, "keys", "rotate", theirs.key[:22])["key"]
    completion = chat_pb2.GetCompletionsRequest(model="smollm2", max_tokens=4, messages=[
        chat_pb2.Message(role=chat_pb2.ROLE_USER, content=[chat_pb2.Content(text=SECRET)])])
    assert rpc(ours, chat_pb2_grpc.ChatStub, "GetCompletion", completion) == grpc.StatusCode.OK
    served.wait_for(lambda: served.access_log.read_text().count('"tenant":"ours"') >= 4, "no lines")
    time.sleep(0.5)
    seen = {
        "access log": served.access_log.read_text(),
        "standard error and output": open(served.log_path, errors="replace").read(),
        "metrics": served.admin("/metrics")[1],
        "tenants": served.admin("/admin/v1/tenants")[1], "keys": served.admin("/admin/v1/keys")[1],
    }
    assert '"key_prefix":"' + ours.key[:22] in seen["access log"]
    for name, text in seen.items():
        assert len(text) > 40, name
        for secret in (ours.key[23:], theirs.key[23:], rotated[23:], wrong[23:], "xyzzy-4711",
                       *(answer for answer in answers if len(answer) > 4)):
            assert secret not in text, name
        if name == "metrics":
            assert ours.key[:22] not in text
    assert httpx.get(f"http://127.0.0.1:{served.admin_port}/metrics").status_code == 200
