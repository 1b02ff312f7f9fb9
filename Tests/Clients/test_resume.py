"""Streams that go on without their client, and clients that come back for the rest."""

import json
import socket

import httpx
import pytest

from conftest import body

BACKGROUND = {"x-switchyard-background": "true"}
SIMULATED = ("--engine", "simulated", "--slots", "8")


def steps(microseconds):
    """Step time of the simulated engine."""
    return "--worker-argument=--step-time", f"--worker-argument={microseconds}"


@pytest.fixture(scope="module")
def simulated(launch_module):
    return launch_module(*SIMULATED, *steps(5_000), "--model-name", "m", "--loops", "2").wait_ready()


def request(text="Count.", **fields):
    return body(text, model="m", stream=True, **{"max_tokens": 60, "seed": 7, **fields})


def read_events(lines):
    """Each event as (id, data); comments are skipped."""
    event = {}
    for line in lines:
        if line == "":
            if event:
                yield event.get("id"), event["data"]
            event = {}
        elif not line.startswith(":"):
            field, _, value = line.partition(": ")
            event[field] = value


def texts(events):
    """What the events say, without what differs between two answers."""
    out = []
    for _, data in events:
        if data == "[DONE]":
            out.append(data)
            continue
        chunk = json.loads(data)
        chunk.pop("id", None)
        chunk.pop("created", None)
        out.append(chunk)
    return out


def post(server, headers=(), after=None, take=None, **fields):
    """The events of one connection: all, or the first `take`, after which it is cut."""
    headers = dict(headers)
    if after is not None:
        headers["Last-Event-ID"] = after
    events = []
    with httpx.Client(timeout=60) as client:
        with client.stream("POST", server.url + "/v1/chat/completions", json=request(**fields),
                           headers=headers) as answer:
            if answer.status_code != 200:
                answer.read()
                return answer
            for event in read_events(answer.iter_lines()):
                events.append(event)
                if take is not None and len(events) == take:
                    break
    return events


def test_events_are_numbered_from_zero(simulated):
    events = post(simulated)
    names = [name for name, _ in events]
    stream = names[0].split(".")[0]
    assert names == [f"{stream}.{number}" for number in range(len(names))]


@pytest.mark.parametrize("cuts", [[1], [20], [61], [3, 1, 1, 5, 17], [2] * 20])
def test_a_client_that_comes_back_gets_exactly_what_it_missed(simulated, cuts):
    whole = post(simulated)
    events = post(simulated, BACKGROUND, take=cuts[0])
    for take in cuts[1:]:
        events += post(simulated, BACKGROUND, after=events[-1][0], take=take)
    events += post(simulated, BACKGROUND, after=events[-1][0])
    names = [name for name, _ in events]
    stream = names[0].split(".")[0]
    assert names == [f"{stream}.{number}" for number in range(len(names))]
    assert texts(events) == texts(whole)
    assert len({json.loads(data)["id"] for _, data in events[:-1]}) == 1


def test_events_can_be_read_again_after_the_end(simulated):
    events = post(simulated, BACKGROUND)
    assert post(simulated, after=events[10][0]) == events[11:]
    assert post(simulated, after=events[-1][0]) == []
    assert post(simulated, after=events[0][0]) == events[1:]


def test_n_choices_and_usage_are_resumed(simulated):
    options = {"n": 2, "stream_options": {"include_usage": True}}
    first = post(simulated, BACKGROUND, take=30, **options)
    events = first + post(simulated, after=first[-1][0])
    finished = [choice["finish_reason"] for _, data in events[:-1]
                for choice in json.loads(data)["choices"] if choice["finish_reason"]]
    assert finished == ["length", "length"]
    assert json.loads(events[-2][1])["usage"]["completion_tokens"] == 120
    assert events[-1][1] == "[DONE]"


def test_without_the_header_a_lost_client_ends_its_generation(simulated):
    events = post(simulated, take=5, max_tokens=4_000)
    simulated.wait_idle()
    answer = post(simulated, after=events[-1][0])
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"


def test_a_new_connection_takes_over_from_one_that_is_still_there(simulated):
    with httpx.Client(timeout=60) as client:
        with client.stream("POST", simulated.url + "/v1/chat/completions",
                           json=request(max_tokens=400), headers=BACKGROUND) as answer:
            lines = read_events(answer.iter_lines())
            first = [next(lines) for _ in range(5)]
            rest = post(simulated, after=first[-1][0])
            with pytest.raises(httpx.HTTPError):
                for _ in lines:
                    pass
    numbers = [int(name.split(".")[1]) for name, _ in first + rest]
    assert numbers == list(range(len(numbers)))
    assert rest[-1][1] == "[DONE]"


def test_nobody_comes_back_within_the_window(launch):
    server = launch(*SIMULATED, *steps(5_000), "--model-name", "m",
                    "--resume-window-seconds", "1").wait_ready()
    events = post(server, BACKGROUND, take=3, max_tokens=4_000)
    server.wait_idle()
    assert post(server, after=events[-1][0]).status_code == 404


def test_generation_waits_when_nobody_reads_and_nothing_is_lost(launch):
    """7,500 events are far more than 256 KiB: the log fills, the sequence is paused."""
    server = launch(*SIMULATED, *steps(400), "--model-name", "m",
                    "--resumable-stream-bytes", "262144").wait_ready()
    events = post(server, BACKGROUND, take=3, max_tokens=7_500)
    others = post(server, max_tokens=7_500)
    assert server.health()["requests"]["in_flight"] == 1
    events += post(server, after=events[-1][0])
    assert texts(events) == texts(others)


def test_bad_and_foreign_ids_are_refused(launch, tmp_path):
    keys = tmp_path / "keys"
    keys.write_text("sk-one-111111111111 one\nsk-two-222222222222 two\n")
    server = launch(*SIMULATED, *steps(5_000), "--model-name", "m",
                    "--api-key-file", str(keys)).wait_ready()
    mine = {"authorization": "Bearer sk-one-111111111111"}
    events = post(server, {**mine, **BACKGROUND}, take=2)
    theirs = {"authorization": "Bearer sk-two-222222222222"}
    assert post(server, theirs, after=events[-1][0]).status_code == 404
    assert post(server, mine, after="nonsense").status_code == 400
    assert post(server, mine, after="0123456789abcdef.3").status_code == 404
    # Beyond the stream's end, too.
    stream = events[0][0].split(".")[0]
    assert post(server, mine, after=f"{stream}.100000").status_code == 404
    assert post(server, mine, after=events[-1][0])[-1][1] == "[DONE]"


def test_the_number_of_such_streams_is_bounded(launch):
    server = launch(*SIMULATED, *steps(5_000), "--model-name", "m",
                    "--resumable-streams", "1").wait_ready()
    events = post(server, BACKGROUND, take=2, max_tokens=800)
    refused = post(server, BACKGROUND)
    assert refused.status_code == 503 and refused.headers["retry-after"]
    assert post(server)[-1][1] == "[DONE]"
    assert post(server, after=events[-1][0])[-1][1] == "[DONE]"


def test_a_reset_on_http2_is_a_lost_client_too(simulated):
    with httpx.Client(http1=False, http2=True, timeout=60) as client:
        with client.stream("POST", simulated.url + "/v1/chat/completions", json=request(),
                           headers=BACKGROUND) as answer:
            lines = read_events(answer.iter_lines())
            first = [next(lines) for _ in range(7)]
        headers = {"Last-Event-ID": first[-1][0]}
        with client.stream("POST", simulated.url + "/v1/chat/completions", json=request(),
                           headers=headers) as answer:
            rest = list(read_events(answer.iter_lines()))
    assert texts(first + rest) == texts(post(simulated))


def test_a_client_that_never_read_leaves_nothing_behind(simulated):
    """It has no id to come back with."""
    payload = json.dumps(request(max_tokens=4_000)).encode()
    with socket.create_connection(("127.0.0.1", simulated.port)) as connection:
        connection.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
            b"content-length: %d\r\n\r\n" % len(payload) + payload)
    simulated.wait_idle()


def test_a_background_response_is_read_on_by_its_id(simulated):
    """OpenAI's own way: `starting_after` is the sequence number of the last event."""
    def ask(method, path, take=None, **options):
        events = []
        with httpx.Client(timeout=60) as client:
            with client.stream(method, simulated.url + path, **options) as answer:
                assert answer.status_code == 200, answer.read()
                for name, data in read_events(answer.iter_lines()):
                    if data != "[DONE]":
                        events.append((name, json.loads(data)))
                    if take is not None and len(events) == take:
                        break
        return events

    payload = {"model": "m", "input": "Count.", "stream": True, "background": True,
               "max_output_tokens": 60, "temperature": 0}
    first = ask("POST", "/v1/responses", take=9, json=payload)
    response = first[0][1]["response"]["id"]
    last = first[-1][1]["sequence_number"]
    path = f"/v1/responses/{response}?stream=true"
    rest = ask("GET", f"{path}&starting_after={last}")
    numbers = [event["sequence_number"] for _, event in first + rest]
    assert numbers == list(range(len(numbers)))
    assert rest[-1][1]["type"] in ("response.completed", "response.incomplete")
    text = "".join(event["delta"] for _, event in first + rest
                   if event["type"] == "response.output_text.delta")
    done = rest[-1][1]["response"]
    assert text == done["output"][-1]["content"][0]["text"]
    # From the beginning, too, and whole.
    assert ask("GET", path) == first + rest
    with httpx.Client() as client:
        kept = client.get(f"{simulated.url}/v1/responses/{response}").json()
        assert kept["output"] == done["output"]
        assert client.get(
            simulated.url + "/v1/responses/resp_none?stream=true").status_code == 404


def test_the_header_is_for_streams_and_says_yes_or_no(simulated):
    for value, fields in (("maybe", {}), ("true", {"stream": False})):
        answer = httpx.post(simulated.url + "/v1/chat/completions",
                            json=request() | fields, headers={"x-switchyard-background": value})
        assert answer.status_code == 400
        assert answer.json()["error"]["param"] == "x-switchyard-background"
    assert post(simulated, {"x-switchyard-background": "false"})[-1][1] == "[DONE]"


def test_a_deferred_completion_is_no_response(simulated):
    """Cancelled or deleted as one, it would be pending for ever."""
    payload = request() | {"stream": False, "deferred": True}
    with httpx.Client(base_url=simulated.url, timeout=60) as client:
        job = client.post("/v1/chat/completions", json=payload).json()["request_id"]
        assert client.post(f"/v1/responses/{job}/cancel").status_code == 404
        assert client.delete(f"/v1/responses/{job}").status_code == 404
        assert client.get(f"/v1/responses/{job}").status_code == 404
        assert client.get(f"/v1/chat/deferred-completion/{job}").status_code in (200, 202)
