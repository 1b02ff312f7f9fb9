"""Batches: over REST and by xai-sdk, from bodies and from files, on slots that nobody else wants."""

import json
import time

import httpx
import openai
import pytest

from conftest import body

SIMULATED = ("--engine", "simulated", "--model-name", "smollm2", "--drain-seconds", "1")


@pytest.fixture(scope="module")
def simulated(launch_module):
    return launch_module(*SIMULATED).wait_ready()


def ask(server, method, path, status=200, **keywords):
    answer = httpx.request(method, server.url + path, timeout=60, **keywords)
    assert answer.status_code == status, answer.text
    return answer.json()


def create(server, **fields):
    return ask(server, "POST", "/v1/batches", json={"name": "nightly", **fields})


def item(name, **fields):
    request = {"chat_get_completion": body(f"Request {name}.", **fields)}
    return {"batch_request_id": name, "batch_request": request}


def add(server, batch_id, items, status=200):
    return ask(server, "POST", f"/v1/batches/{batch_id}/requests", status,
               json={"batch_requests": items})


def wait_done(server, batch_id, limit=60):
    end = time.monotonic() + limit
    while True:
        batch = ask(server, "GET", f"/v1/batches/{batch_id}")
        if batch["state"]["num_pending"] == 0:
            return batch
        assert time.monotonic() < end, batch
        time.sleep(0.05)


def pages(server, path, name, limit):
    token = None
    while True:
        query = {"limit": limit, **({"pagination_token": token} if token else {})}
        page = ask(server, "GET", path, params=query)
        yield from page[name]
        token = page["pagination_token"]
        if token is None:
            return


def test_each_request_has_its_result(simulated):
    batch = create(simulated)
    assert batch["state"] == dict.fromkeys(
        ("num_requests", "num_pending", "num_success", "num_error", "num_cancelled"), 0)
    names = [f"request-{index}" for index in range(25)]
    add(simulated, batch["batch_id"], [item(name) for name in names])
    add(simulated, batch["batch_id"], [item("bad", temperature=9), item("nobody", model="x")])
    state = wait_done(simulated, batch["batch_id"])["state"]
    assert (state["num_success"], state["num_error"]) == (25, 2)
    results = list(pages(simulated, f"/v1/batches/{batch['batch_id']}/results", "results", 4))
    assert [result["batch_request_id"] for result in results] == names + ["bad", "nobody"]
    for result in results[:25]:
        completion = result["batch_result"]["response"]["chat_get_completion"]
        assert completion["object"] == "chat.completion"
        assert completion["service_tier"] == "batch"
        assert completion["choices"][0]["message"]["content"]
    assert [result["batch_result"]["error"]["code"] for result in results[25:]] == [3, 5]
    listed = list(pages(simulated, f"/v1/batches/{batch['batch_id']}/requests",
                        "batch_request_metadata", 10))
    assert [entry["state"] for entry in listed] == ["succeeded"] * 25 + ["failed"] * 2
    assert listed[0]["endpoint"] == "/v1/chat/completions" and listed[0]["model"] == "smollm2"


def test_a_name_is_there_once_and_may_be_left_out(simulated):
    batch_id = create(simulated)["batch_id"]
    unnamed = item("x")
    del unnamed["batch_request_id"]
    add(simulated, batch_id, [item("a"), unnamed])
    error = add(simulated, batch_id, [item("b"), item("a")], status=400)["error"]
    assert "'a'" in error["message"]
    assert wait_done(simulated, batch_id)["state"]["num_requests"] == 2
    results = ask(simulated, "GET", f"/v1/batches/{batch_id}/results")["results"]
    assert len({result["batch_request_id"] for result in results}) == 2


def test_a_cancelled_batch_runs_nothing_more(launch):
    server = launch(*SIMULATED, "--slots", "1",
                    "--worker-argument=--step-time=20000").wait_ready()
    batch_id = create(server)["batch_id"]
    add(server, batch_id, [item(str(index), max_tokens=4_000) for index in range(5)])
    wait_in_flight(server)
    cancelled = ask(server, "POST", f"/v1/batches/{batch_id}:cancel")
    assert cancelled["state"]["num_cancelled"] == 5 and cancelled["cancel_time"]
    server.wait_idle()
    add(server, batch_id, [item("late")], status=400)
    results = ask(server, "GET", f"/v1/batches/{batch_id}/results")["results"]
    assert {result["batch_result"]["error"]["code"] for result in results} == {1}


def test_lines_of_a_file_are_requests(simulated):
    client = openai.OpenAI(base_url=simulated.url + "/v1", api_key="none")
    lines = [{"custom_id": f"line-{index}", "method": "POST", "url": url, "body": request}
             for index, (url, request) in enumerate([
                 ("/v1/chat/completions", body("One.")),
                 ("/v1/responses", {"model": "smollm2", "input": "Two.", "max_output_tokens": 8}),
                 ("/v1/completions", {"model": "smollm2", "prompt": "Three", "max_tokens": 8})])]
    content = "\n".join(json.dumps(line) for line in lines) + "\n\n"
    file = client.files.create(file=("in.jsonl", content.encode()), purpose="batch")
    batch = create(simulated, input_file_id=file.id)
    assert batch["input_file_id"] == file.id and batch["state"]["num_requests"] == 3
    assert wait_done(simulated, batch["batch_id"])["state"]["num_success"] == 3

    for text, reason in [("{}", "Line 1"), ("", "no requests"),
                         (content + '{"url":"/v1/nothing","body":{}}', "Line 5")]:
        file = client.files.create(file=("in.jsonl", text.encode() or b"\n"), purpose="batch")
        error = ask(simulated, "POST", "/v1/batches", 400,
                    json={"input_file_id": file.id})["error"]
        assert reason in error["message"] and error["param"] == "input_file_id"
    ask(simulated, "POST", "/v1/batches", 404, json={"input_file_id": "file-none"})


def test_what_is_not_understood_is_refused(simulated):
    batch_id = create(simulated)["batch_id"]
    for items in ([{}], [{"batch_request": {}}], [{"batch_request": {"chat_get_completion": 1}}],
                  [{"batch_request_id": 1}]):
        assert add(simulated, batch_id, items, status=400)["error"]["param"]
    ask(simulated, "GET", "/v1/batches/none", 404)
    ask(simulated, "GET", f"/v1/batches/{batch_id}/results?limit=0", 400)
    ask(simulated, "GET", f"/v1/batches/{batch_id}/results?pagination_token=x", 400)


def test_lists_the_newest_first(launch):
    server = launch(*SIMULATED)
    names = [create(server, name=f"batch {index}")["name"] for index in range(5)]
    assert [batch["name"] for batch in pages(server, "/v1/batches", "batches", 2)] == names[::-1]


def test_nobody_waits_for_batch_work(launch):
    """A batch of 50 on two slots, each request a minute long: requests beside it end while none of
    it has, so none of them waited for one to end; and it goes on afterwards."""
    server = launch(*SIMULATED, "--slots", "2",
                    "--worker-argument=--step-time=20000").wait_ready()
    batch_id = create(server)["batch_id"]
    add(server, batch_id, [item(str(index), max_tokens=3_000) for index in range(50)])
    wait_in_flight(server, 2)
    # Both have tokens, so that what leaves its slot first has some to go on behind.
    wait_metric(server, "switchyard_inter_token_latency_seconds_count", 20)
    for index in range(8):
        answer = httpx.post(f"{server.url}/v1/chat/completions", timeout=60,
                            json=body(f"Now {index}.", max_tokens=5))
        assert answer.status_code == 200
        assert answer.json()["usage"]["completion_tokens"] == 5
    state = ask(server, "GET", f"/v1/batches/{batch_id}")["state"]
    assert state["num_pending"] == 50, state
    wait_in_flight(server, 2)
    assert metric(server, "switchyard_resumes_total") > 0
    ask(server, "POST", f"/v1/batches/{batch_id}:cancel")


def wait_in_flight(server, count=1, limit=30):
    end = time.monotonic() + limit
    while server.health()["requests"]["in_flight"] < count:
        assert time.monotonic() < end
        time.sleep(0.01)


def wait_metric(server, name, least, limit=30):
    end = time.monotonic() + limit
    while metric(server, name) < least:
        assert time.monotonic() < end
        time.sleep(0.01)


def metric(server, name):
    for line in server.admin("/metrics")[1].splitlines():
        if line.startswith(name + " "):
            return float(line.split()[1])
    raise AssertionError(f"no {name}")
