"""/v1/embeddings: the stock client against the real model."""

import base64
import json
import math
import struct
import threading

import httpx
import openai
import pytest
from conftest import body, events
from test_failover import SIMULATED, Worker

TEXTS = ["The cat sits on the mat.", "A kitten rests on a rug.",
         "Interest rates rose by a quarter point.", "猫が🐈座る", "x"]


@pytest.fixture(scope="module")
def embedding(launch_module):
    return launch_module("--slots", "4", "--model-name", "smollm2", "--embeddings",
                         "--model-alias", "text-embedding-3-small", "--drain-seconds",
                         "5").wait_ready()


@pytest.fixture(scope="module")
def client(embedding):
    with openai.OpenAI(base_url=f"{embedding.url}/v1", api_key="none", max_retries=0) as one:
        yield one


def vectors(answer):
    assert [item.index for item in answer.data] == list(range(len(answer.data)))
    return [item.embedding for item in answer.data]


def cosine(left, right):
    return sum(a * b for a, b in zip(left, right))


def near(left, right):
    return max(abs(a - b) for a, b in zip(left, right, strict=True)) < 1e-6


def test_the_client_gets_floats_either_way(client):
    """openai-python asks for base64 and decodes it, unless it is told otherwise."""
    coded = client.embeddings.create(model="smollm2", input=TEXTS[0])
    plain = client.embeddings.create(model="smollm2", input=TEXTS[0], encoding_format="float")
    first, second = vectors(coded)[0], vectors(plain)[0]
    assert len(first) == 576 and near(first, second)
    assert math.isclose(cosine(first, first), 1, abs_tol=1e-5)
    assert coded.model == "smollm2" and coded.object == "list"
    assert coded.usage.prompt_tokens == coded.usage.total_tokens > 0


def test_a_batch_equals_its_singles(client):
    batch = client.embeddings.create(model="smollm2", input=TEXTS)
    singles = [client.embeddings.create(model="smollm2", input=text) for text in TEXTS]
    for one, many in zip(singles, vectors(batch), strict=True):
        assert near(vectors(one)[0], many)
    assert batch.usage.prompt_tokens == sum(one.usage.prompt_tokens for one in singles)


def test_near_texts_have_near_vectors(client):
    cat, kitten, rates, *_ = vectors(client.embeddings.create(model="smollm2", input=TEXTS))
    assert cosine(cat, kitten) > cosine(cat, rates)


def test_tokens_are_inputs_too(client):
    one = client.embeddings.create(model="smollm2", input=[504, 2644, 30])
    two = client.embeddings.create(model="smollm2", input=[[504, 2644, 30], [1, 2]])
    assert near(vectors(one)[0], vectors(two)[0])
    assert (one.usage.prompt_tokens, two.usage.prompt_tokens) == (3, 5)


def test_an_alias_and_the_models_own_dimensions(client):
    answer = client.embeddings.create(model="text-embedding-3-small", input="a", dimensions=576)
    assert answer.model == "smollm2" and len(answer.data[0].embedding) == 576


def test_many_inputs(client):
    answer = client.embeddings.create(model="smollm2", input=[f"text {i}" for i in range(20)])
    assert len({tuple(vector) for vector in vectors(answer)}) == 20


@pytest.mark.parametrize("fields, status, code, param", [
    ({"dimensions": 64}, 400, "unsupported_parameter", "dimensions"),
    ({"input": ""}, 400, "invalid_value", "input"),
    ({"input": []}, 400, "invalid_value", "input"),
    ({"input": [10**9]}, 400, "invalid_value", "input"),
    ({"input": [[1], [10**9]]}, 400, "invalid_value", "input[1]"),
    ({"input": [1] * 2_049}, 400, "context_length_exceeded", "input"),
    ({"encoding_format": "int8"}, 400, "invalid_value", "encoding_format"),
    ({"model": "gpt"}, 404, "model_not_found", "model"),
])
def test_refusals(embedding, fields, status, code, param):
    answer = httpx.post(f"{embedding.url}/v1/embeddings", timeout=60,
                        json={"model": "smollm2", "input": "a", **fields})
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert (error["code"], error["param"]) == (code, param)


def test_a_model_that_was_not_allowed(server):
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="none") as client:
        with pytest.raises(openai.BadRequestError) as caught:
            client.embeddings.create(model="smollm2", input="a")
    assert caught.value.param == "model" and "embeddings" in str(caught.value)


def test_streams_go_on_beside_embeddings(embedding):
    """Long inputs are embedded while a stream runs; both end well."""
    finished = []

    def embed():
        answer = httpx.post(f"{embedding.url}/v1/embeddings", timeout=300, json={
            "model": "smollm2", "input": [[504] * 200] * 2})
        finished.append(answer.status_code)

    request = body("Count.", max_tokens=20, stream=True, ignore_eos=True)
    thread = threading.Thread(target=embed)
    with httpx.stream("POST", f"{embedding.url}/v1/chat/completions", json=request,
                      timeout=300) as answer:
        lines = answer.iter_lines()
        next(lines)
        thread.start()
        *_, last = events(line for line in lines)
    thread.join()
    assert last["choices"][0]["finish_reason"] == "length" and finished == [200]
    embedding.wait_idle()


def test_a_client_that_leaves_frees_its_place(launch):
    server = launch(*SIMULATED, "--embeddings", "--slots", "1", "--worker-argument=--step-time",
                    "--worker-argument=100000").wait_ready()
    with httpx.Client() as client:
        with pytest.raises(httpx.ReadTimeout):
            client.post(f"{server.url}/v1/embeddings", timeout=1,
                        json={"model": "smollm2", "input": [[1] * 2_000] * 50})
    server.wait_idle()
    metrics = server.admin("/metrics")[1]
    assert 'switchyard_requests_total{outcome="client_closed"} 1' in metrics


def test_a_lost_worker_is_replaced(launch):
    """Vectors that came stay; the others are asked of the next worker."""
    slow = ("--step-time", "20000")
    first, second = Worker(*slow), Worker(*slow)
    try:
        gateway = launch("--worker", first.address, "--worker", second.address, "--model-name",
                         "smollm2", "--embeddings", command="gateway").wait_ready()
        gateway.wait_for_workers(2)
        answers = []

        def ask():
            answers.append(httpx.post(f"{gateway.url}/v1/embeddings", timeout=60, json={
                "model": "smollm2", "input": [[i + 1] * 64 for i in range(40)]}))

        thread = threading.Thread(target=ask)
        thread.start()
        while gateway.health()["requests"]["in_flight"] == 0:
            assert thread.is_alive()
        loads = {worker["id"]: worker for worker in
                 json.loads(gateway.admin("/admin/v1/workers")[1])["workers"]}
        busy = [worker for worker in loads.values() if worker["in_flight"]]
        assert len(busy) == 1, loads
        next(one for one in (first, second) if one.address in json.dumps(busy[0])).close()
        thread.join()
        assert answers[0].status_code == 200, answers[0].text
        data = answers[0].json()["data"]
        assert [item["index"] for item in data] == list(range(40))
        assert all(len(item["embedding"]) == 32 for item in data)
    finally:
        for one in (first, second):
            if one.process.poll() is None:
                one.close()


def test_base64_is_of_little_endian_floats(embedding):
    answer = httpx.post(f"{embedding.url}/v1/embeddings", timeout=60, json={
        "model": "smollm2", "input": "a", "encoding_format": "base64"}).json()
    raw = base64.b64decode(answer["data"][0]["embedding"], validate=True)
    values = struct.unpack("<576f", raw)
    assert math.isclose(cosine(values, values), 1, abs_tol=1e-5)
