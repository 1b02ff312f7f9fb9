"""The ledger against the workers' journals; `make prove-metering` is the long version."""

import json
import signal
import subprocess
import tempfile

import grpc
import httpx
import pytest
from xai_sdk.proto import chat_pb2, chat_pb2_grpc

from conftest import BINARY, Server, body, events
from journals import difference, ledger
from prove_metering import Proof

SIMULATED = ("--engine", "simulated", "--slots", "8", "--model-name", "metered")


def usage(*arguments):
    return subprocess.run([BINARY, "usage", *arguments], capture_output=True, text=True)


def ask(server, key=None, **fields):
    headers = {"authorization": f"Bearer {key}"} if key else {}
    return httpx.post(
        server.url + "/v1/chat/completions", json=body("Hello.", model="metered", **fields),
        headers=headers, timeout=60)


@pytest.fixture
def state():
    # Short: sockets are in it.
    with tempfile.TemporaryDirectory(prefix="sy-") as directory:
        yield directory


def test_what_is_billed_is_what_was_generated(state):
    proof = Proof(state, 60, 10, 7)
    proof.run(2, 1)
    result = proof.check()
    assert result["tokens in the ledger"] > 0


def test_a_whole_answer_is_settled_with_its_usage(state):
    server = Server(*SIMULATED, "--price", "metered=2/1/5", data_directory=state).wait_ready()
    told = ask(server, max_tokens=9, n=2).json()["usage"]
    assert server.terminate() == 0
    assert not difference(state)
    [row] = ledger(state).values()
    assert row["generated"] == told["completion_tokens"] == 18
    assert row["prompt"] == told["prompt_tokens"]
    cached = told["prompt_tokens_details"]["cached_tokens"]
    assert row["ticks"] == 2 * (row["prompt"] - cached) + cached + 5 * 18
    assert told["cost_in_usd_ticks"] == row["ticks"]


def test_a_cancelled_stream_is_billed_what_its_worker_made(state):
    server = Server(*SIMULATED, "--worker-argument=--step-time=3000", data_directory=state
                    ).wait_ready()
    for stop_after in range(1, 12):
        with httpx.stream(
                "POST", server.url + "/v1/chat/completions", timeout=60,
                json=body("Count.", model="metered", stream=True, max_tokens=500)) as answer:
            lines = answer.iter_lines()
            for _ in range(2 * stop_after):
                next(lines)
    server.wait_idle()
    assert server.terminate() == 0
    assert not difference(state)
    assert len(ledger(state)) == 11


def test_a_killed_gateway_settles_from_its_workers_journals(state):
    server = Server(*SIMULATED, "--worker-argument=--step-time=5000", data_directory=state
                    ).wait_ready()
    with httpx.stream(
            "POST", server.url + "/v1/chat/completions", timeout=60,
            json=body("Count.", model="metered", stream=True, max_tokens=500)) as answer:
        lines = answer.iter_lines()
        for _ in range(20):
            next(lines)
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
    assert not ledger(state)
    again = Server(*SIMULATED, data_directory=state).wait_ready()
    again.wait_for(lambda: ledger(state), "nothing was settled")
    assert again.terminate() == 0
    assert not difference(state)
    [row] = ledger(state).values()
    assert row["reasons"] == "interrupted" and row["generated"] >= 5


def test_budgets_end_streams_at_the_last_token(state, tmp_path):
    keys = tmp_path / "keys"
    keys.write_text("secret-key-1 alice\nsecret-key-2 bob\n")
    server = Server(
        *SIMULATED, "--api-key-file", str(keys), "--budget", "alice=60",
        "--budget-lease-tokens", "4", data_directory=state).wait_ready()
    answer = ask(server, "secret-key-1", max_tokens=500).json()
    used = answer["usage"]
    assert used["prompt_tokens"] + used["completion_tokens"] == 60
    assert answer["choices"][0]["finish_reason"] == "length"
    assert answer["switchyard"] == {"finish_detail": "budget"}
    server.wait_for(lambda: ledger(state), "it was not settled")
    refused = ask(server, "secret-key-1", max_tokens=1)
    assert refused.status_code == 429
    assert refused.json()["error"]["code"] == "insufficient_quota"
    assert ask(server, "secret-key-2", max_tokens=3).status_code == 200
    server.process.send_signal(signal.SIGKILL)
    server.process.wait()
    # What was used stays used.
    again = Server(
        *SIMULATED, "--api-key-file", str(keys), "--budget", "alice=60",
        data_directory=state).wait_ready()
    assert ask(again, "secret-key-1", max_tokens=1).status_code == 429
    assert again.terminate() == 0
    assert not difference(state)


def test_a_stream_and_a_grpc_call_say_that_their_budget_ended_them(state, tmp_path):
    keys = tmp_path / "keys"
    keys.write_text("secret-key-1 alice\nsecret-key-2 bob\n")
    server = Server(
        *SIMULATED, "--api-key-file", str(keys), "--budget", "alice=50", "--price", "*=0/0/10",
        "--budget", "bob=155ticks", "--budget-lease-tokens", "7", data_directory=state
    ).wait_ready()
    with httpx.stream(
            "POST", server.url + "/v1/chat/completions", timeout=60,
            headers={"authorization": "Bearer secret-key-1"},
            json=body("Hello.", model="metered", stream=True, max_tokens=500)) as answer:
        chunks = list(events(answer.iter_lines()))
    last = [chunk for chunk in chunks if chunk["choices"]][-1]
    assert last["choices"][0]["finish_reason"] == "length"
    assert last["switchyard"] == {"finish_detail": "budget"}
    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        request = chat_pb2.GetCompletionsRequest(
            model="metered", max_tokens=500,
            messages=[chat_pb2.Message(role=chat_pb2.ROLE_USER,
                                       content=[chat_pb2.Content(text="Hello.")])])
        response, call = chat_pb2_grpc.ChatStub(channel).GetCompletion.with_call(
            request, metadata=[("authorization", "Bearer secret-key-2")], timeout=60)
    assert response.usage.completion_tokens == 15
    assert response.usage.cost_in_usd_ticks == 150
    assert ("x-switchyard-finish-detail", "budget") in list(call.trailing_metadata())
    assert server.terminate() == 0
    assert not difference(state)
    assert [row["ticks"] for row in ledger(state).values() if row["ticks"] == 150]


@pytest.mark.parametrize("is_streamed", [False, True])
def test_every_face_says_that_a_budget_ended_it(state, tmp_path, is_streamed):
    turns = [{"role": "user", "content": "Hello."}]
    faces = {
        "/v1/responses": (dict(input="Hello.", store=False),
                          lambda one: one["incomplete_details"]["reason"], "max_output_tokens"),
        "/v1/messages": (dict(messages=turns, max_tokens=500),
                         lambda one: one["stop_reason"], "max_tokens"),
        "/v1/completions": (dict(prompt="Hello.", max_tokens=500),
                            lambda one: one["choices"][0]["finish_reason"], "length"),
        "/v1/complete": (dict(prompt="\n\nHuman: Hello.\n\nAssistant:", max_tokens_to_sample=500),
                         lambda one: one["stop_reason"], "max_tokens")}
    keys = tmp_path / "keys"
    keys.write_text("".join(f"secret-key-{number} k{number}\n" for number in range(len(faces))))
    budgets = [word for number in range(len(faces)) for word in ("--budget", f"k{number}=60")]
    server = Server(*SIMULATED, "--api-key-file", str(keys), *budgets, data_directory=state
                    ).wait_ready()
    for number, (path, (request, reason, wanted)) in enumerate(faces.items()):
        answer = httpx.post(
            server.url + path, timeout=60, headers={"authorization": f"Bearer secret-key-{number}"},
            json={"model": "metered", "stream": is_streamed, **request})
        assert answer.status_code == 200, answer.text
        if is_streamed:
            told = [json.loads(line[6:]) for line in answer.text.splitlines()
                    if line.startswith("data: {") and '"switchyard"' in line]
            assert len(told) == 1, path
            last = told[0].get("response") or told[0].get("delta") or told[0]
        else:
            last = answer.json()
        assert last["switchyard"] == {"finish_detail": "budget"}
        assert reason(last) == wanted, path
    assert server.terminate() == 0
    assert not difference(state)


def test_embeddings_are_billed(state):
    server = Server(*SIMULATED, "--embeddings", "--price", "*=3/1/1", data_directory=state
                    ).wait_ready()
    answer = httpx.post(
        server.url + "/v1/embeddings", json={"model": "metered", "input": "Hello there."},
        timeout=60)
    assert server.terminate() == 0
    [row] = ledger(state).values()
    assert row["prompt"] == answer.json()["usage"]["prompt_tokens"] and row["generated"] == 0
    assert row["ticks"] == 3 * row["prompt"]


def test_the_report_and_the_proof(state):
    server = Server(*SIMULATED, "--price", "*=1/1/1", data_directory=state).wait_ready()
    for _ in range(3):
        ask(server, max_tokens=4)
    server.wait_for(lambda: len(ledger(state)) == 3, "not settled")
    address = f"127.0.0.1:{server.admin_port}"
    [row] = json.loads(usage("--by", "model,tier", "--format", "json", "--admin", address).stdout)[
        "usage"]
    assert row["model"] == "metered" and row["tier"] == "default"
    assert row["requests"] == 3 and row["completion_tokens"] == 12
    csv = usage("rows", "--format", "csv", "--data-dir", state).stdout.splitlines()
    assert len(csv) == 4 and csv[0].startswith("sequence,kind,time,usage_id,")
    assert usage("verify", "--admin", address).returncode == 0
    assert server.terminate() == 0
    proved = usage("verify", "--data-dir", state)
    assert proved.returncode == 0 and "3 rows" in proved.stdout
