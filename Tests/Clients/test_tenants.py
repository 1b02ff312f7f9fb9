"""Tenants and their keys: made, limited, blocked, rotated and forgotten while the gateway runs."""

import re
import subprocess
import tempfile
import time

import grpc
import httpx
import openai
import pytest
from conftest import BINARY, MODEL, Server, body
from google.protobuf import empty_pb2
from tenancy import SIMULATED, Caller, cli, new_key, new_tenant
from xai_sdk.proto import (auth_pb2_grpc, chat_pb2, chat_pb2_grpc, models_pb2, models_pb2_grpc,
                           tokenize_pb2, tokenize_pb2_grpc)


@pytest.fixture(scope="module")
def served(launch_module):
    server = launch_module(*SIMULATED, "--require-key").wait_ready()
    return server


@pytest.fixture(scope="module")
def acme(served):
    """An unlimited key of a tenant."""
    return Caller(served, new_tenant(served, "acme", "--name", "Acme Ltd."))


def grpc_calls(server, key):
    """Status codes of one call of each kind."""
    channel = grpc.insecure_channel(f"127.0.0.1:{server.port}")
    metadata = [("authorization", f"Bearer {key}")]
    completion = chat_pb2.GetCompletionsRequest(
        model="smollm2", max_tokens=2, messages=[
            chat_pb2.Message(role=chat_pb2.ROLE_USER, content=[chat_pb2.Content(text="Hi")])])
    chat = chat_pb2_grpc.ChatStub(channel)
    calls = {
        "chat": lambda: chat.GetCompletion(completion, metadata=metadata),
        "stream": lambda: list(chat.GetCompletionChunk(completion, metadata=metadata)),
        "tokenize": lambda: tokenize_pb2_grpc.TokenizeStub(channel).TokenizeText(
            tokenize_pb2.TokenizeTextRequest(model="smollm2", text="a"), metadata=metadata),
        "models": lambda: models_pb2_grpc.ModelsStub(channel).ListLanguageModels(
            empty_pb2.Empty(), metadata=metadata),
        "key": lambda: auth_pb2_grpc.AuthStub(channel).get_api_key_info(
            empty_pb2.Empty(), metadata=metadata),
    }
    codes = {}
    for name, call in calls.items():
        try:
            call()
            codes[name] = grpc.StatusCode.OK
        except grpc.RpcError as error:
            codes[name] = error.code()
    channel.close()
    return codes


def test_a_key_is_shown_once_and_kept_as_a_hash(served, acme):
    assert re.fullmatch(r"sk-sy-[0-9a-f]{16}-[0-9a-f]{64}", acme.key)
    shown = str(cli(served, "keys", "list", "--tenant", "acme"))
    secret = acme.key.rsplit("-", 1)[1]
    assert secret not in shown and acme.key.rsplit("-", 1)[0] in shown
    files = subprocess.run(["grep", "-rl", secret, served.directory.name], capture_output=True)
    assert files.stdout == b""


def test_without_a_key_nobody_is_served(served, acme):
    assert httpx.get(f"{served.url}/v1/models").status_code == 401
    wrong = acme.key[:-1] + ("0" if acme.key[-1] != "0" else "1")
    refused = Caller(served, wrong).chat()
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "invalid_api_key")
    assert acme.chat().status_code == 200


def test_a_new_key_counts_for_the_next_request_and_a_deleted_one_no_more(served, acme):
    key, key_id = new_key(served, "acme", "--application", "web")
    caller = Caller(served, key)
    assert caller.chat().status_code == 200
    cli(served, "keys", "delete", key_id)
    assert caller.chat().status_code == 401


@pytest.mark.parametrize("what", ["tenants", "keys"])
def test_who_is_blocked_gets_403_on_every_face(served, what):
    key = new_tenant(served, f"blocked-{what}")
    caller = Caller(served, key)
    subject = f"blocked-{what}" if what == "tenants" else key[:22]
    assert caller.chat().status_code == 200
    cli(served, what, "block", subject)
    refused = caller.chat()
    assert refused.status_code == 403
    assert refused.json()["error"]["type"] == "permission_error"
    claude = caller.post("/v1/messages", {"model": "smollm2", "max_tokens": 2, "messages": []})
    assert (claude.status_code, claude.json()["type"], claude.json()["error"]["type"]) == (
        403, "error", "permission_error")
    assert caller.get("/v1/models").status_code == 403
    assert set(grpc_calls(served, key).values()) == {grpc.StatusCode.PERMISSION_DENIED}
    cli(served, what, "unblock", subject)
    assert caller.chat().status_code == 200


def test_a_running_stream_outlives_its_block(launch):
    """Whom an operator blocks, or whose time is over, is refused; what runs goes on."""
    server = launch(*SIMULATED, "--require-key", "--worker-argument=--step-time",
                    "--worker-argument=20000").wait_ready()
    caller = Caller(server, new_tenant(server, "acme"))
    request = body("Hi", max_tokens=100, stream=True, stream_options={"include_usage": True})
    with caller.client.stream("POST", "/v1/chat/completions", json=request) as answer:
        lines = answer.iter_lines()
        next(lines)
        cli(server, "tenants", "update", "acme", "--expires", "2020-01-01")
        assert caller.chat().status_code == 403
        rest = [line for line in lines if line]
    assert rest[-1] == "data: [DONE]" and any('"completion_tokens":100' in line for line in rest)


def test_a_rotated_key_has_its_time_of_grace_and_keeps_what_was_stored(served):
    key = new_tenant(served, "rotating")
    old = Caller(served, key)
    stored = old.post("/v1/responses", {"model": "smollm2", "input": "Hi", "store": True,
                                        "max_output_tokens": 4}).json()["id"]
    rotated = cli(served, "keys", "rotate", key[:22], "--grace-seconds", "3600")
    new = Caller(served, rotated["key"])
    assert rotated["key"][:22] == key[:22] and rotated["key"] != key
    assert rotated["old_until"] > time.time() + 3_000
    for caller in (old, new):
        assert caller.get(f"/v1/responses/{stored}").status_code == 200
    rotated = cli(served, "keys", "rotate", key[:22], "--grace-seconds", "0")
    assert new.chat().status_code == 401 and old.chat().status_code == 401
    assert Caller(served, rotated["key"]).get(f"/v1/responses/{stored}").status_code == 200


def test_a_key_uses_only_its_models(served):
    cli(served, "tenants", "create", "modest", "--model", "smol*", "--model", "other")
    key, _ = new_key(served, "modest", "--model", "smollm*")
    caller = Caller(served, key)
    assert caller.chat().status_code == 200
    assert [model["id"] for model in caller.get("/v1/models").json()["data"]] == ["smollm2"]
    assert "api-key:model:smollm*" in caller.get("/v1/api-key").json()["acls"]
    key, _ = new_key(served, "modest", "--model", "grok-*")
    caller = Caller(served, key)
    asked = {
        "/v1/chat/completions": body("Hi"),
        "/v1/responses": {"model": "smollm2", "input": "Hi"},
        "/v1/messages": {"model": "smollm2", "max_tokens": 2,
                         "messages": [{"role": "user", "content": "Hi"}]},
        "/v1/completions": {"model": "smollm2", "prompt": "Hi"},
        "/v1/tokenize-text": {"model": "smollm2", "text": "Hi"},
        "/v1/messages/count_tokens": {"model": "smollm2", "messages": [
            {"role": "user", "content": "Hi"}]},
    }
    for path, request in asked.items():
        refused = caller.post(path, request)
        assert (path, refused.status_code) == (path, 403), refused.text
        assert "may not use the model" in refused.text
    for path in ("/v1/models", "/v1/language-models"):
        listed = caller.get(path).json()
        assert (listed.get("data") or listed.get("models")) in ([], None)
    assert caller.get("/v1/models/smollm2").status_code == 404
    codes = grpc_calls(served, key)
    assert codes["chat"] == codes["stream"] == grpc.StatusCode.PERMISSION_DENIED
    assert codes["tokenize"] == grpc.StatusCode.PERMISSION_DENIED
    assert codes["models"] == codes["key"] == grpc.StatusCode.OK
    with pytest.raises(openai.PermissionDeniedError):
        openai.OpenAI(base_url=f"{served.url}/v1", api_key=key, max_retries=0) \
            .chat.completions.create(**body("Hi"))


def test_a_key_uses_only_its_endpoints(served):
    cli(served, "tenants", "create", "narrow")
    key, _ = new_key(served, "narrow", "--endpoint", "chat_*", "--endpoint", "models")
    caller = Caller(served, key)
    assert caller.chat().status_code == 200 and caller.get("/v1/models").status_code == 200
    assert caller.get("/v1/api-key").json()["acls"] == [
        "api-key:model:*", "api-key:endpoint:chat_*", "api-key:endpoint:models"]
    for refused in (caller.post("/v1/responses", {"model": "smollm2", "input": "Hi"}),
                    caller.get("/v1/files"), caller.get("/v1/language-models")):
        assert refused.status_code == 403 and "endpoint" in refused.text
    codes = grpc_calls(served, key)
    assert codes["chat"] == codes["stream"] == codes["key"] == grpc.StatusCode.OK
    assert codes["tokenize"] == codes["models"] == grpc.StatusCode.PERMISSION_DENIED


def test_the_tier_that_is_granted_is_told(served):
    cli(served, "tenants", "create", "tiers", "--tier", "default")
    low, _ = new_key(served, "tiers", "--tier", "batch")
    high, _ = new_key(served, "tiers", "--tier", "priority")
    for key, asked, granted in ((low, "priority", "batch"), (high, "priority", "default"),
                                (high, "batch", "batch"), (high, None, "default")):
        fields = {"service_tier": asked} if asked else {}
        assert Caller(served, key).chat(**fields).json()["service_tier"] == granted


def test_zero_retention_stores_nothing(served):
    caller = Caller(served, new_tenant(served, "forgetful", "--retention-seconds", "0"))
    assert caller.get("/v1/me").json()["zdr_status"] == "enabled"
    answer = caller.post("/v1/responses", {
        "model": "smollm2", "input": "Hi", "store": True, "max_output_tokens": 4})
    assert answer.status_code == 200 and answer.json()["store"] is False
    assert caller.get(f"/v1/responses/{answer.json()['id']}").status_code == 404
    for refused in (
            caller.chat(deferred=True), caller.post("/v1/batches", {"name": "b"}),
            caller.post("/v1/responses", {"model": "smollm2", "input": "Hi", "background": True}),
            caller.client.post("/v1/files", files={"file": ("a", b"{}")},
                               data={"purpose": "batch"})):
        assert refused.status_code == 400 and "retention is zero" in refused.text


def test_what_is_stored_ends_with_the_retention(served):
    caller = Caller(served, new_tenant(served, "brief", "--retention-seconds", "1"))
    stored = caller.post("/v1/responses", {
        "model": "smollm2", "input": "Hi", "store": True, "max_output_tokens": 4}).json()["id"]
    served.wait_for(lambda: caller.get(f"/v1/responses/{stored}").status_code == 404,
                    "never forgotten", limit=60)


def test_mistyped_and_impossible_terms_are_refused(served):
    cli(served, "tenants", "create", "terms", "--guaranteed-share", "0.6")
    for words in (("--guaranteed-share", "1.5"), ("--guaranteed-share", "0.7"),
                  ("--tier", "gold"), ("--weight", "0"), ("--clear", "nonsense"),
                  ("--maximum-share", "0.2", "--guaranteed-share", "0.3"),
                  ("--requests-per-minute", "0"), ("--retention-seconds", "-1")):
        name, value = words[0], words[1]
        cli(served, "tenants", "create", "other", f"{name}={value}", *words[2:], status=1)
    assert "Acme" not in cli(served, "tenants", "create", "acme", status=1)
    cli(served, "tenants", "create", "No Id", status=1)
    cli(served, "keys", "create", "nobody", status=1)
    shown = cli(served, "tenants", "update", "terms", "--clear", "guaranteed_share",
                "--model-limit", "smollm2:requests=5,tokens=1000")
    assert shown["terms"] == {"model_limits": {"smollm2": {
        "requests_per_minute": 5, "tokens_per_minute": 1000}}}
    cli(served, "tenants", "delete", "terms")


def test_a_pool_of_ones_own(launch):
    """A tenant with a pool uses no other, and nobody else uses it."""
    server = launch(*SIMULATED, "--require-key").wait_ready()
    cli(server, "tenants", "create", "first")
    subprocess.run([BINARY, "models", "load", "private", MODEL, "--admin",
                    f"127.0.0.1:{server.admin_port}"], check=True, timeout=60)
    server.wait_for_workers(2)
    owner = Caller(server, new_tenant(server, "owner", "--pool", "private"))
    other = Caller(server, new_tenant(server, "other"))
    for caller, model, status in ((owner, "private", 200), (owner, "smollm2", 404),
                                  (other, "smollm2", 200), (other, "private", 404)):
        answer = caller.chat(model=model)
        assert (model, answer.status_code) == (model, status), answer.text
    for caller, models in ((owner, ["private"]), (other, ["smollm2"])):
        assert [model["id"] for model in caller.get("/v1/models").json()["data"]] == models


def test_tenants_outlive_the_gateway_and_are_changed_without_one():
    with tempfile.TemporaryDirectory(prefix="sy-") as data:
        check_offline(data)


def check_offline(data):
    def offline(*words, status=0):
        result = subprocess.run([BINARY, *words, "--data-dir", str(data)], capture_output=True,
                                text=True, timeout=60)
        assert result.returncode == status, result.stderr
        return result.stdout.strip() if status == 0 else result.stderr

    offline("tenants", "create", "early", "--tier", "batch")
    key = offline("keys", "create", "early")
    server = Server(*SIMULATED, data_directory=data).wait_ready()
    caller = Caller(server, key)
    assert caller.chat().json()["service_tier"] == "batch"
    # A tenant is there, so nobody is served without a key.
    assert httpx.get(f"{server.url}/v1/models").status_code == 401
    assert "--admin" in offline("tenants", "delete", "early", status=1)
    # The last tenant's end opens no door.
    cli(server, "tenants", "delete", "early")
    assert httpx.get(f"{server.url}/v1/models").status_code == 401
    server.terminate()
    assert "early" not in offline("tenants", "list")
