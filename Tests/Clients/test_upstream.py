"""Our gateway in front of OpenAI-compatible servers: here, our own."""

import json
import os
import signal
import socket
import time

import httpx
import pytest
from conftest import body, events
from test_failure import Reader, read_all

SIMULATED = ("--engine", "simulated")
SLOW = (*SIMULATED, "--worker-argument=--step-time", "--worker-argument=20000")
# A first token that no test waits for.
STUCK = (*SIMULATED, "--worker-argument=--step-time", "--worker-argument=60000000")


def front(launch, *urls, options=()):
    """A gateway before these upstreams; calls their model `front`."""
    arguments = [argument for url in urls for argument in ("--upstream", url)]
    return launch(*arguments, "--model-name", "front", "--drain-seconds", "2", *options,
                  command="gateway", model=None)


def address(server, scheme="http"):
    return f"{scheme}://127.0.0.1:{server.port}"


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture(scope="module")
def back(launch_module):
    """The upstream: deterministic tokens at will."""
    return launch_module("--slots", "16", "--model-name", "back", *SIMULATED).wait_ready()


@pytest.fixture(scope="module", params=["http", "h2c"])
def gateway(launch_module, back, request):
    return front(launch_module, address(back, request.param)).wait_ready()


def ask(server, model, text="Name three colours.", **fields):
    return httpx.post(f"{server.url}/v1/chat/completions",
                      json=body(text, **{"model": model, **fields}), timeout=60)


def stream(server, model, text="Name three colours.", **fields):
    answer = ask(server, model, text, stream=True, **fields)
    assert answer.status_code == 200, answer.text
    return list(events(answer.text.split("\n")))


def without_identity(answer):
    return {key: value for key, value in answer.items()
            if key not in ("id", "model", "created", "system_fingerprint")}


def text_of(chunks, index=0):
    return "".join(choice["delta"].get("content") or "" for chunk in chunks
                   for choice in chunk["choices"] if choice["index"] == index)


def usage_of(usage):
    """Without what a warm cache changes."""
    return {key: value for key, value in usage.items() if key != "prompt_tokens_details"}


def wait(condition, limit=30):
    end = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.02)


def test_whole_answers_are_the_upstreams(back, gateway):
    direct, forwarded = ask(back, "back").json(), ask(gateway, "front").json()
    assert forwarded["model"] == "front" and direct["model"] == "back"
    assert forwarded["id"] != direct["id"] and forwarded["id"].startswith("chatcmpl-")
    assert forwarded["system_fingerprint"] != direct["system_fingerprint"]
    assert forwarded["choices"] == direct["choices"]
    assert usage_of(forwarded["usage"]) == usage_of(direct["usage"])
    assert forwarded["usage"]["completion_tokens"] == 32


def test_streams_are_the_upstreams(back, gateway):
    fields = {"stream_options": {"include_usage": True}, "logprobs": True, "top_logprobs": 2}
    direct, forwarded = stream(back, "back", **fields), stream(gateway, "front", **fields)
    assert len({chunk["id"] for chunk in forwarded}) == 1
    assert {chunk["model"] for chunk in forwarded} == {"front"}
    assert text_of(forwarded) == text_of(direct) != ""

    def entries(chunks):
        return [entry for chunk in chunks for choice in chunk["choices"]
                if choice.get("logprobs") for entry in choice["logprobs"]["content"]]

    assert entries(forwarded) == entries(direct) != []
    assert usage_of(forwarded[-1]["usage"]) == usage_of(direct[-1]["usage"])
    assert forwarded[-1]["choices"] == []
    assert [chunk["choices"][0]["finish_reason"] for chunk in forwarded[:-1]][-1] == "length"


def test_usage_is_for_who_asks_and_metered_for_all(gateway):
    chunks = stream(gateway, "front")
    assert not any("usage" in chunk for chunk in chunks)
    assert all(chunk["choices"] for chunk in chunks)


def test_the_access_log_has_the_upstreams_usage(launch, back, tmp_path):
    log = tmp_path / "access.log"
    server = front(launch, address(back), options=("--access-log", str(log))).wait_ready()
    direct = ask(back, "back").json()["usage"]
    stream(server, "front")
    ask(server, "front")
    assert server.terminate() == 0
    for line in map(json.loads, log.read_text().splitlines()):
        assert line["status"] == 200 and line["model"] == "front"
        assert line["tokens_in"] == direct["prompt_tokens"] and line["tokens_out"] == 32, line
        assert line["finish"] == ["length"]


def test_choices_travel_together(back, gateway):
    direct = stream(back, "back", n=3, seed=7, temperature=1)
    forwarded = stream(gateway, "front", n=3, seed=7, temperature=1)
    for index in range(3):
        assert text_of(forwarded, index) == text_of(direct, index) != ""
    assert len({text_of(forwarded, index) for index in range(3)}) == 3


def test_refusals_are_the_upstreams(back, gateway):
    for fields in ({"logit_bias": {"10000000": 1}}, {"text": "long " * 60_000},
                   {"tools": [{"type": "web_search"}]},
                   {"messages": [{"role": "user", "content": [
                       {"type": "image_url", "image_url": {"url": "data:,"}}]}]}):
        direct, forwarded = ask(back, "back", **fields), ask(gateway, "front", **fields)
        assert direct.status_code == forwarded.status_code == 400
        assert forwarded.json() == direct.json()
    # What the gateway can tell by itself it does.
    assert ask(gateway, "none").status_code == 404
    assert ask(gateway, "front", temperature=9).json()["error"]["param"] == "temperature"
    gateway.wait_idle()


def test_a_client_that_leaves_stops_the_engine(launch):
    back = launch("--slots", "4", "--model-name", "back", *SLOW).wait_ready()
    for scheme in ("http", "h2c"):
        server = front(launch, address(back, scheme)).wait_ready()
        with httpx.stream("POST", f"{server.url}/v1/chat/completions", timeout=60,
                          json=body("Hi.", model="front", stream=True, max_tokens=20_000,
                                    ignore_eos=True)) as answer:
            lines = answer.iter_lines()
            next(line for line in lines if "content" in line)
            assert back.health()["requests"]["in_flight"] == 1
        back.wait_idle()
        server.wait_idle()
        # A whole answer has no first token that anybody saw.
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{server.url}/v1/chat/completions", timeout=0.5,
                       json=body("Hi.", model="front", max_tokens=20_000, ignore_eos=True))
        back.wait_idle()
        server.wait_idle()


def test_a_slow_reader_stops_its_upstream(launch):
    """What nobody reads is not generated: bounded by the buffers in between."""
    back = launch("--slots", "2", "--model-name", "back", *SIMULATED).wait_ready()
    server = front(launch, address(back)).wait_ready()
    request = json.dumps(body("Hi.", model="front", stream=True, max_tokens=30_000,
                              ignore_eos=True)).encode()
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n"
                       b"content-type: application/json\r\ncontent-length: %d\r\n\r\n%s"
                       % (len(request), request))
        client.recv(100)
        # Others are served meanwhile, and the stream is not at its end.
        for _ in range(20):
            assert ask(server, "front", max_tokens=50).status_code == 200
        assert back.health()["requests"]["in_flight"] == 1
    back.wait_idle()
    server.wait_idle()


@pytest.mark.parametrize("scheme", ["http", "h2c"])
def test_an_upstream_lost_before_the_first_token_is_replaced(launch, tmp_path, scheme):
    stuck = launch("--slots", "4", "--model-name", "back", *STUCK).wait_ready()
    port = free_port()
    log = tmp_path / "access.log"
    server = front(launch, address(stuck, scheme), f"{scheme}://127.0.0.1:{port}",
                   options=("--access-log", str(log))).wait_ready()
    readers = [Reader(server, model="front", max_tokens=8) for _ in range(2)]
    for reader in readers:
        reader.start()
    wait(lambda: stuck.health()["requests"]["in_flight"] == 2)
    other = launch("--slots", "4", "--model-name", "back", "--port", str(port),
                   *SIMULATED).wait_ready()
    server.wait_for_workers(2)
    os.kill(stuck.process.pid, signal.SIGKILL)
    for reader in readers:
        reader.join(30)
        assert reader.is_whole, reader.lines[-2:]
        assert len([line for line in reader.lines if '"role"' in line]) == 1
    server.wait_for_workers(1)
    assert server.terminate() == 0
    assert [json.loads(line)["retries"] for line in log.read_text().splitlines()] == [1, 1]
    other.wait_idle()


@pytest.mark.parametrize("scheme", ["http", "h2c"])
def test_an_upstream_lost_after_the_first_token_is_an_error_event(launch, back, scheme):
    slow = launch("--slots", "4", "--model-name", "back", *SLOW).wait_ready()
    server = front(launch, address(slow, scheme), options=("--no-worker-wait", "1")).wait_ready()
    reader, = read_all(server, 1, model="front", max_tokens=20_000)
    os.kill(slow.process.pid, signal.SIGKILL)
    reader.join(30)
    assert reader.status == 200 and not reader.is_whole
    assert reader.error["code"] == "worker_lost"
    server.wait_admin("/readyz", 503)
    assert ask(server, "front").json()["error"]["code"] == "no_worker"
    server.wait_idle()


def test_health_is_followed(launch):
    port = free_port()
    server = front(launch, f"http://127.0.0.1:{port}",
                   options=("--worker-hang-seconds", "1", "--worker-check-seconds", "0.2"))
    assert server.admin("/readyz")[0] == 503
    back = launch("--slots", "2", "--model-name", "back", "--port", str(port), *SIMULATED,
                  "--worker-hang-seconds", "1").wait_ready()
    server.wait_ready()
    # It stops answering, and answers again.
    os.kill(back.process.pid, signal.SIGSTOP)
    server.wait_admin("/readyz", 503)
    os.kill(back.process.pid, signal.SIGCONT)
    server.wait_admin("/readyz", 200)
    # It answers, and has no engine.
    os.kill(back.worker_pids()[-1], signal.SIGSTOP)
    server.wait_admin("/readyz", 503)
    os.kill(back.worker_pids()[-1], signal.SIGCONT)
    server.wait_admin("/readyz", 200)
    # It ends, and is started anew.
    assert back.terminate() == 0
    server.wait_admin("/readyz", 503)
    launch("--slots", "2", "--model-name", "back", "--port", str(port), *SIMULATED).wait_ready()
    server.wait_admin("/readyz", 200)
    assert ask(server, "front").status_code == 200


def test_the_key_of_the_upstream_comes_from_a_file(launch, tmp_path):
    keys = tmp_path / "keys"
    keys.write_text("upstream-key-1234567890\n")
    wrong = tmp_path / "wrong"
    wrong.write_text("another-key-1234567890\n")
    back = launch("--slots", "2", "--model-name", "back", *SIMULATED, "--api-key-file",
                  str(keys)).wait_ready()
    server = front(launch, address(back), options=("--worker-token-file", str(keys))).wait_ready()
    assert ask(server, "front").status_code == 200
    refused = front(launch, address(back), options=("--worker-token-file", str(wrong),
                                                    "--no-worker-wait", "1"))
    assert ask(refused, "front").status_code == 503
    assert refused.admin("/readyz")[0] == 503


def test_a_busy_upstream_is_tried_elsewhere_and_then_told(launch):
    full = launch("--slots", "1", "--model-name", "back", *STUCK, "--queue-limit",
                  "1").wait_ready()
    # One in its slot, two ahead of it, one in the queue.
    readers = [Reader(full, model="back") for _ in range(4)]
    for reader in readers:
        reader.start()
    wait(lambda: full.health()["requests"]["waiting"] == 1)
    server = front(launch, address(full), options=("--upstream-slots", "8")).wait_ready()
    answer = ask(server, "front")
    assert answer.status_code == 503 and answer.json()["error"]["code"] == "queue_full"
    assert int(answer.headers["retry-after"]) >= 1
    # Two upstreams, one of them full: everything is served.
    free = launch("--slots", "4", "--model-name", "back", *SIMULATED).wait_ready()
    both = front(launch, address(full), address(free), options=("--upstream-slots", "8"))
    both.wait_ready()
    both.wait_for_workers(2)
    assert [ask(both, "front").status_code for _ in range(6)] == [200] * 6
    full.process.kill()
    full.process.wait()
    for reader in readers:
        reader.join(10)


def test_a_drain_ends_what_is_left_with_an_error(launch):
    slow = launch("--slots", "4", "--model-name", "back", *SLOW).wait_ready()
    server = front(launch, address(slow)).wait_ready()
    short, long = (Reader(server, model="front", max_tokens=count) for count in (60, 20_000))
    for reader in (short, long):
        reader.start()
    for reader in (short, long):
        assert reader.started.wait(30)
    server_id = json.loads(server.admin("/admin/v1/workers")[1])["workers"][0]["id"]
    drain = httpx.post(
        f"http://127.0.0.1:{server.admin_port}/admin/v1/workers/{server_id}/drain",
        json={"seconds": 5})
    assert drain.status_code == 200
    short.join(30)
    assert short.is_whole, short.lines[-1]
    long.join(30)
    assert not long.is_whole and long.error["code"] == "worker_lost"
    slow.wait_idle()


def test_the_real_model_behind_two_gateways(launch):
    back = launch("--slots", "4", "--model-name", "smollm2").wait_ready()
    middle = front(launch, address(back, "h2c")).wait_ready()
    server = front(launch, address(middle)).wait_ready()
    chunks = stream(server, "front", "Say hello.", stream_options={"include_usage": True})
    assert text_of(chunks) and chunks[-1]["usage"]["completion_tokens"] > 0
    whole = ask(server, "front", "Say hello.").json()
    assert whole["choices"][0]["message"]["content"]
