"""Legacy completions by the stock openai client, /v1/complete, and the listings."""

import json

import httpx
import openai
import pytest


def request(prompt, **fields):
    return {"model": "smollm2", "prompt": prompt, "temperature": 0, "max_tokens": 16} | fields


@pytest.fixture(scope="module")
def client(server):
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key="unused", max_retries=0)


def test_create(client):
    answer = client.completions.create(**request("The capital of France is"))
    openai.types.Completion.model_validate(answer.model_dump(exclude_unset=True), strict=True)
    assert answer.id.startswith("cmpl-") and answer.object == "text_completion"
    assert answer.choices[0].text
    assert answer.choices[0].finish_reason in ("stop", "length")
    assert answer.usage.completion_tokens > 0
    # No turns are put around it: a chat's template alone is longer.
    assert answer.usage.prompt_tokens <= 6


def test_several_prompts_keep_their_order(client):
    prompts = ["One, two, three,", "The capital of France is", "A, B, C,"]
    answer = client.completions.create(**request(prompts, n=2, echo=True))
    assert [choice.index for choice in answer.choices] == list(range(6))
    for choice in answer.choices:
        assert choice.text.startswith(prompts[choice.index // 2])
        assert len(choice.text) > len(prompts[choice.index // 2])
    whole = client.completions.create(**request(prompts[0]))
    others = sum(client.completions.create(**request(prompt)).usage.prompt_tokens
                 for prompt in prompts[1:])
    assert answer.usage.prompt_tokens == whole.usage.prompt_tokens + others


def test_token_ids_are_a_prompt(client):
    """Whatever they are, they count; ids beyond the vocabulary are refused."""
    answer = client.completions.create(**request([[504, 3575, 282], [504]]))
    assert answer.usage.prompt_tokens == 4 and len(answer.choices) == 2
    with pytest.raises(openai.BadRequestError):
        client.completions.create(**request([10_000_000]))


def test_stream(client):
    chunks = list(client.completions.create(
        stream=True, stream_options={"include_usage": True},
        **request(["One, two,", "A, B,"], echo=True)))
    texts, finishes = ["", ""], [None, None]
    for chunk in chunks[:-1]:
        assert chunk.usage is None
        for choice in chunk.choices:
            texts[choice.index] += choice.text
            finishes[choice.index] = choice.finish_reason or finishes[choice.index]
    assert texts[0].startswith("One, two,") and texts[1].startswith("A, B,")
    assert set(finishes) <= {"stop", "length"}
    assert chunks[-1].choices == [] and chunks[-1].usage.completion_tokens > 0


def test_logprobs_have_the_legacy_shape(client):
    answer = client.completions.create(**request("Zürich, 東京,", logprobs=3, max_tokens=8))
    logprobs = answer.choices[0].logprobs
    lengths = {len(values) for values in (logprobs.tokens, logprobs.token_logprobs,
                                          logprobs.top_logprobs, logprobs.text_offset)}
    assert len(lengths) == 1
    assert all(3 <= len(top) <= 4 for top in logprobs.top_logprobs)
    for token, value, top in zip(logprobs.tokens, logprobs.token_logprobs, logprobs.top_logprobs):
        assert top[token] == value <= 0
    assert logprobs.text_offset[0] == 0
    if all(not token.startswith("bytes:") for token in logprobs.tokens):
        assert "".join(logprobs.tokens) == answer.choices[0].text
        for token, place in zip(logprobs.tokens, logprobs.text_offset):
            assert answer.choices[0].text[place:].startswith(token)


def test_trap_18_no_small_default(client):
    answer = client.completions.create(
        model="smollm2", prompt="One, two, three,", temperature=0, extra_body={
            "ignore_eos": True}, stop=["zzzz"], stream=True)
    count = 0
    for chunk in answer:
        count += 1
        if count > 40:
            break
    answer.close()
    assert count > 40


@pytest.mark.parametrize("fields, parameter", [
    ({"suffix": "x"}, "suffix"), ({"best_of": 3}, "best_of"),
    ({"echo": True, "logprobs": 1}, "echo"), ({"logprobs": 6}, "logprobs"),
])
def test_what_is_not_served_is_refused(client, fields, parameter):
    with pytest.raises(openai.BadRequestError) as caught:
        client.completions.create(**(request("x") | fields))
    assert caught.value.param == parameter


def test_too_long_a_prompt_is_refused(client):
    with pytest.raises(openai.BadRequestError) as caught:
        client.completions.create(**request("long " * 20_000))
    assert caught.value.code == "context_length_exceeded"


def complete(server, **fields):
    return httpx.post(f"{server.url}/v1/complete", timeout=60, json={
        "model": "smollm2", "prompt": "\n\nHuman: Say hello.\n\nAssistant:", "temperature": 0,
        "max_tokens_to_sample": 12} | fields)


def test_complete(server):
    answer = complete(server)
    assert answer.status_code == 200 and answer.headers["request-id"]
    value = answer.json()
    assert value["type"] == "completion" and value["completion"]
    assert value["stop_reason"] in ("stop_sequence", "max_tokens")
    refused = complete(server, max_tokens_to_sample=None)
    assert refused.status_code == 400
    assert refused.json()["error"]["type"] == "invalid_request_error"


def test_complete_streams_events(server):
    text, last = "", None
    for event in complete(server, stream=True).text.split("\n\n"):
        if not event or event.startswith(":"):
            continue
        name, data = [line for line in event.split("\n") if not line.startswith("id: ")]
        value = json.loads(data[6:])
        assert name == f"event: {value['type']}"
        if value["type"] == "completion":
            text += value["completion"]
            last = value
    assert text and last["stop_reason"] in ("stop_sequence", "max_tokens")


# What is served, and to whom.


def get(server, path, **headers):
    answer = httpx.get(f"{server.url}{path}", headers=headers)
    return answer.status_code, answer.json()


def test_language_models(server):
    status, listed = get(server, "/v1/language-models")
    assert status == 200
    model = listed["models"][0]
    assert model["id"] == "smollm2" and model["object"] == "model"
    assert model["input_modalities"] == model["output_modalities"] == ["text"]
    assert model["fingerprint"].startswith("fp_")
    assert get(server, "/v1/language-models/smollm2") == (200, model)
    assert get(server, "/v1/language-models/nobody")[0] == 404
    for path in ("/v1/embedding-models", "/v1/image-generation-models"):
        status, listed = get(server, path)
        assert status == 200 and isinstance(listed["models"], list)


def test_everybody_may_without_keys(server):
    status, key = get(server, "/v1/api-key")
    assert status == 200 and key["name"] == "anonymous" and key["redacted_api_key"] == ""
    assert get(server, "/v1/me")[1]["team_id"] == key["team_id"]


def test_keys_are_described_and_not_told(launch, tmp_path):
    secret = "xai-0123456789abcdefghijklmnop"
    keys = tmp_path / "keys"
    keys.write_text(f"{secret} alice\nanother-secret-of-bob bob\n")
    server = launch("--engine", "simulated", "--model-name", "smollm2", "--api-key-file",
                    str(keys)).wait_ready()
    alice = get(server, "/v1/api-key", authorization=f"Bearer {secret}")[1]
    bob = get(server, "/v1/api-key", **{"x-api-key": "another-secret-of-bob"})[1]
    assert (alice["name"], bob["name"]) == ("alice", "bob")
    assert alice["redacted_api_key"] == "xai-...mnop" and bob["redacted_api_key"] == "..."
    assert alice["team_id"] == bob["team_id"] and alice["api_key_id"] != bob["api_key_id"]
    assert alice["acls"] == ["api-key:model:*", "api-key:endpoint:*"]
    assert alice["create_time"] == alice["modify_time"]
    assert secret not in json.dumps(alice)
    me = get(server, "/v1/me", authorization=f"Bearer {secret}")[1]
    assert me["user_id"] == alice["user_id"] and me["api_key"] == alice
    assert get(server, "/v1/api-key")[0] == get(server, "/v1/me")[0] == 401
