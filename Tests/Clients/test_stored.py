"""Stored answers: fetched, continued and deleted by openai, also after a restart."""

import tempfile
import time

import openai
import pytest

from conftest import Server

SIMULATED = ("--engine", "simulated", "--model-name", "smollm2", "--drain-seconds", "1")


@pytest.fixture(scope="module")
def simulated(launch_module):
    return launch_module(*SIMULATED).wait_ready()


def responses(server, key="none"):
    return openai.OpenAI(base_url=server.url + "/v1", api_key=key, max_retries=0).responses


@pytest.fixture
def client(simulated):
    return responses(simulated)


def ask(client, text, **fields):
    return client.create(model="smollm2", input=text, max_output_tokens=8, **fields)


def test_is_fetched_as_it_was_answered(client):
    answer = ask(client, "Hello.", metadata={"a": "b"})
    assert client.retrieve(answer.id).model_dump() == answer.model_dump()
    items = client.input_items.list(answer.id).data
    assert [item.content[0].text for item in items] == ["Hello."]
    client.delete(answer.id)
    for call in (client.retrieve, client.delete, client.input_items.list):
        with pytest.raises(openai.NotFoundError):
            call(answer.id)


def test_is_stored_before_a_stream_ends(client):
    for event in client.create(model="smollm2", input="Hello.", max_output_tokens=8, stream=True):
        if event.type in ("response.completed", "response.incomplete"):
            stored = client.retrieve(event.response.id)
            assert stored.output_text == event.response.output_text
            return
    raise AssertionError("no end")


def test_is_not_stored_when_that_is_not_wanted(client):
    answer = ask(client, "Hello.", store=False)
    with pytest.raises(openai.NotFoundError):
        client.retrieve(answer.id)


def test_a_conversation_goes_on(client):
    """The prompt of each turn has the earlier ones in it, but for their instructions."""
    first = ask(client, "One.", instructions="Be brief, be very brief, and be kind.")
    second = ask(client, "Two.", previous_response_id=first.id)
    third = ask(client, "Three.", previous_response_id=second.id)
    whole = ask(client, [
        {"role": "user", "content": "One."},
        {"role": "assistant", "content": first.output_text},
        {"role": "user", "content": "Two."},
        {"role": "assistant", "content": second.output_text},
        {"role": "user", "content": "Three."}])
    assert third.usage.input_tokens == whole.usage.input_tokens
    assert third.previous_response_id == second.id
    client.delete(first.id)
    with pytest.raises(openai.NotFoundError) as error:
        ask(client, "Three.", previous_response_id=second.id)
    assert error.value.param == "previous_response_id"


def test_belongs_to_its_key(launch, tmp_path):
    keys = tmp_path / "keys"
    keys.write_text("key-of-alice alice\nkey-of-bob bob\n")
    server = launch(*SIMULATED, "--api-key-file", str(keys)).wait_ready()
    alice, bob = (responses(server, f"key-of-{name}") for name in ("alice", "bob"))
    answer = ask(alice, "Hello.")
    for call in (bob.retrieve, bob.delete, bob.cancel):
        with pytest.raises(openai.NotFoundError):
            call(answer.id)
    with pytest.raises(openai.NotFoundError):
        ask(bob, "Go on.", previous_response_id=answer.id)
    assert alice.retrieve(answer.id).id == answer.id


def test_survives_a_restart():
    with tempfile.TemporaryDirectory(prefix="sy-") as directory:
        first = Server(*SIMULATED, data_directory=directory)
        answer = ask(responses(first.wait_ready()), "Hello.")
        first.process.kill()
        first.process.wait()
        second = Server(*SIMULATED, data_directory=directory)
        try:
            client = responses(second.wait_ready())
            assert client.retrieve(answer.id).model_dump() == answer.model_dump()
            assert ask(client, "On.", previous_response_id=answer.id).status
        finally:
            second.close()
            first.close()


def wait_ended(client, response_id, limit=30):
    end = time.monotonic() + limit
    while (answer := client.retrieve(response_id)).status in ("queued", "in_progress"):
        assert time.monotonic() < end
        time.sleep(0.02)
    return answer


def test_runs_in_the_background(client):
    accepted = ask(client, "Hello.", background=True)
    assert accepted.status == "queued" and accepted.background and accepted.output == []
    answer = wait_ended(client, accepted.id)
    assert answer.id == accepted.id and answer.status == "incomplete" and answer.output_text
    assert ask(client, "Go on.", previous_response_id=accepted.id).output_text
    client.delete(accepted.id)
    with pytest.raises(openai.NotFoundError):
        client.retrieve(accepted.id)


def test_the_background_is_cancelled(launch):
    server = launch(*SIMULATED, "--worker-argument=--step-time=20000").wait_ready()
    client = responses(server)
    accepted = client.create(model="smollm2", input="Hello.", max_output_tokens=3_000,
                             background=True)
    assert client.cancel(accepted.id).status == "cancelled"
    server.wait_idle()
    assert client.retrieve(accepted.id).status == "cancelled"
    plain = ask(client, "Hello.")
    with pytest.raises(openai.BadRequestError):
        client.cancel(plain.id)
