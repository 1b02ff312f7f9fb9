"""Our gateway in front of another product's VllmEngine server (vllm_engine_server.py)."""

import json
import os
import subprocess
import sys
import threading
import time

import httpx
import pytest
from conftest import MODEL, body
from gguf_file import GGUF
from test_failover import read

SERVER = os.path.join(os.path.dirname(__file__), "vllm_engine_server.py")
LIMIT = 60


class Engine:
    """A server process; `facts` are the lines it wrote."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen(
            [sys.executable, SERVER, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, env={**os.environ, "no_proxy": "*"})
        self.facts = []
        self.changed = threading.Condition()
        threading.Thread(target=self.listen, daemon=True).start()
        self.port = self.wait("port")["port"]
        self.address = f"127.0.0.1:{self.port}"

    def listen(self):
        for line in self.process.stdout:
            with self.changed:
                self.facts.append(json.loads(line))
                self.changed.notify_all()

    def all(self, key):
        with self.changed:
            return [facts for facts in self.facts if key in facts]

    def wait(self, key, count=1):
        """The facts of the `count`-th line with this key."""
        with self.changed:
            found = lambda: [facts for facts in self.facts if key in facts]  # noqa: E731
            assert self.changed.wait_for(lambda: len(found()) >= count, LIMIT), self.facts
            return found()[count - 1]

    def health(self, isHealthy):
        seen = len(self.all("healthy"))
        self.process.stdin.write(f"health {'yes' if isHealthy else 'no'}\n")
        self.process.stdin.flush()
        self.wait("healthy", seen + 1)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def close(self):
        self.kill()
        self.process.stdin.close()
        self.process.stdout.close()


@pytest.fixture
def engines():
    started = []

    def start(*arguments):
        started.append(Engine(*arguments))
        return started[-1]

    yield start
    for engine in started:
        engine.close()


def gateway(launch, *engines, arguments=(), **keywords):
    workers = [part for engine in engines for part in ("--worker", engine.address)]
    server = launch(*workers, "--model-name", "smollm2", "--worker-check-seconds", "0.1",
                    "--no-worker-wait", "1", *arguments, command="gateway", **keywords)
    server.wait_ready()
    server.wait_for_workers(len(engines))
    return server


def ask(server, request):
    with httpx.Client(timeout=LIMIT) as client:
        return client.post(f"{server.url}/v1/chat/completions", json=request)


def test_chat_is_answered_whole_and_streamed(launch, engines):
    engine = engines()
    server = gateway(launch, engine)
    request = body("Tell me a story.", max_tokens=64, ignore_eos=True)
    whole = ask(server, request).json()
    seen = engine.wait("finished")
    usage = whole["usage"]
    assert usage["completion_tokens"] == seen["tokens"] == 64
    assert usage["prompt_tokens"] == engine.wait("started")["prompt"]
    assert whole["choices"][0]["finish_reason"] == "length"
    streamed = read(server.url, {**request, "logprobs": True, "top_logprobs": 2})
    assert streamed.error is None
    assert streamed.text == [whole["choices"][0]["message"]["content"]]
    assert len(streamed.tokens[0]) == 64
    assert all(logprob == -0.25 for _, logprob in streamed.tokens[0])
    assert all(len(each) == 2 for each in streamed.candidates[0])
    assert streamed.usage["completion_tokens"] == 64
    assert b"".join(bytes(token) for token, _ in streamed.tokens[0]).decode(
        errors="replace") == streamed.text[0]


def test_an_answer_that_ends_by_itself_is_a_stop(launch, engines):
    engine = engines()
    server = gateway(launch, engine)
    for number in range(20):
        answer = ask(server, body(f"Question {number}", max_tokens=1000)).json()
        tokens = engine.wait("finished", number + 1)["tokens"]
        assert answer["usage"]["completion_tokens"] == tokens
        expected = "stop" if tokens < 1000 else "length"
        assert answer["choices"][0]["finish_reason"] == expected
    assert any(facts["tokens"] < 1000 for facts in engine.all("finished"))


def test_choices_are_requests_of_their_own(launch, engines):
    engine = engines()
    server = gateway(launch, engine)
    answer = ask(server, body("Hello", n=3, temperature=0.5, seed=7, max_tokens=12,
                              ignore_eos=True)).json()
    texts = [choice["message"]["content"] for choice in answer["choices"]]
    assert len(set(texts)) == 3
    assert answer["usage"]["completion_tokens"] == 36
    assert [engine.wait("started", count)["n"] for count in (1, 2, 3)] == [1, 1, 1]
    again = ask(server, body("Hello", n=3, temperature=0.5, seed=7, max_tokens=12,
                             ignore_eos=True)).json()
    assert [choice["message"]["content"] for choice in again["choices"]] == texts


@pytest.mark.parametrize("seed, folded", [
    (42, 42), (2**31 - 1, 2**31 - 1), (2**31, 1), (2**63 - 1, None), (0, 0)])
def test_seeds_are_folded_to_31_bits(launch, engines, seed, folded):
    engine = engines()
    server = gateway(launch, engine)
    request = body("Hi", seed=seed, temperature=1, max_tokens=8, ignore_eos=True)
    first = ask(server, request).json()["choices"][0]["message"]["content"]
    second = ask(server, request).json()["choices"][0]["message"]["content"]
    assert first == second
    sent = [engine.wait("started", count)["seed"] for count in (1, 2)]
    assert sent[0] == sent[1] and 0 <= sent[0] < 2**31
    assert folded is None or sent[0] == folded


def test_stop_strings_are_the_gateways_and_end_the_engines_work(launch, engines):
    engine = engines("--token-seconds", "0.005")
    server = gateway(launch, engine)
    request = body("Tell me a story.", max_tokens=2000, ignore_eos=True)
    text = ask(server, {**request, "max_tokens": 40}).json()["choices"][0]["message"]["content"]
    stop = text[len(text) // 2:][:6]
    answer = ask(server, {**request, "stop": [stop]}).json()
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert answer["choices"][0]["message"]["content"] == text[:text.index(stop)]
    assert engine.wait("cancelled")["tokens"] < 200
    assert engine.all("started")[-1]["stop"] == []


def test_a_client_that_goes_away_cancels_the_engines_request(launch, engines):
    engine = engines("--token-seconds", "0.01")
    server = gateway(launch, engine)
    request = {**body("Hello", max_tokens=5000, ignore_eos=True), "stream": True}
    with httpx.Client(timeout=LIMIT) as client:
        with client.stream("POST", f"{server.url}/v1/chat/completions", json=request) as answer:
            for line in answer.iter_lines():
                if line.startswith("data: {"):
                    break
    cancelled = engine.wait("cancelled")
    assert cancelled["cancelled"] == engine.wait("started")["started"]
    assert cancelled["tokens"] < 5000
    server.wait_idle()


def test_health_is_followed(launch, engines):
    first, second = engines(), engines()
    server = gateway(launch, first, second)
    request = body("Hello", max_tokens=4)
    first.health(False)
    server.wait_for_workers(1)
    before = len(first.all("started"))
    assert all(ask(server, request).status_code == 200 for _ in range(6))
    assert len(first.all("started")) == before
    second.health(False)
    server.wait_for_workers(0)
    refused = ask(server, request)
    assert refused.status_code == 503
    assert refused.headers["retry-after"]
    first.health(True)
    server.wait_for_workers(1)
    assert ask(server, request).status_code == 200
    first.wait("started", before + 1)


def test_without_a_number_of_slots_many_run_at_once(launch, engines):
    engine = engines("--token-seconds", "0.05")
    server = gateway(launch, engine, arguments=("--worker-slots-default", "40"))
    assert '"slots":40' in server.admin("/admin/v1/workers")[1].replace(" ", "")
    found = [None] * 40
    threads = [threading.Thread(target=lambda index=index: found.__setitem__(
        index, ask(server, body(f"Number {index}", max_tokens=60, ignore_eos=True)).status_code))
        for index in range(40)]
    for thread in threads:
        thread.start()
    # All are admitted before the first one ends.
    engine.wait("started", 40)
    for thread in threads:
        thread.join()
    assert found == [200] * 40


def killed(launch, engines, request, at=20):
    """What a client saw whose engine was killed once it had `at` tokens; and the engine it went to
    afterwards, with the facts of the rest."""
    pair = [engines("--token-seconds", "0.01"), engines("--token-seconds", "0.01")]
    server = gateway(launch, *pair)
    dead = []

    def seen(tokens):
        if tokens >= at and not dead:
            end = time.monotonic() + LIMIT
            while not (started := [engine for engine in pair if engine.all("started")]):
                assert time.monotonic() < end
                time.sleep(0.01)
            dead.append(started[0])
            dead[0].kill()

    transcript = read(server.url, {**request, "logprobs": True}, seen)
    assert dead, "nothing was killed"
    return transcript, next(engine for engine in pair if engine not in dead)


def test_a_greedy_stream_goes_on_with_another_engine(launch, engines):
    request = body("Tell me a story.", max_tokens=120, ignore_eos=True)
    undisturbed = read(gateway(launch, engines()).url, {**request, "logprobs": True})
    transcript, other = killed(launch, engines, request)
    assert transcript == undisturbed
    rest = other.wait("started")
    whole = undisturbed.usage
    done = rest["prompt"] - whole["prompt_tokens"]
    assert done >= 20 and rest["max_tokens"] == 120 - done
    assert transcript.usage["completion_tokens"] == 120


def test_without_a_promised_seed_the_rest_draws_anew(launch, engines):
    transcript, other = killed(
        launch, engines, body("Tell me a story.", max_tokens=120, temperature=0.8,
                              ignore_eos=True))
    assert transcript.error is None and len(transcript.tokens[0]) == 120
    rest = other.wait("started")
    assert rest["max_tokens"] < 120 and rest["temperature"] == pytest.approx(0.8)


@pytest.mark.parametrize("fields", [
    {"temperature": 0.8, "seed": 11}, {"frequency_penalty": 0.5}, {"presence_penalty": 0.5}])
def test_what_depends_on_the_past_ends_with_an_error(launch, engines, fields):
    request = body("Tell me a story.", max_tokens=120, ignore_eos=True, **fields)
    transcript, other = killed(launch, engines, request)
    assert transcript.error is not None
    assert "cannot continue" in transcript.error["message"]
    assert transcript.finish == [None]
    assert other.all("started") == []


def test_before_its_first_token_every_request_may_move(launch, engines):
    slow, other = engines("--token-seconds", "30"), engines()
    server = gateway(launch, slow)
    request = body("Hello", max_tokens=5, temperature=0.8, seed=11, ignore_eos=True)
    found = []
    thread = threading.Thread(target=lambda: found.append(ask(server, request)))
    thread.start()
    slow.wait("started")
    added = subprocess.run(
        [os.environ.get("SWITCHYARD_BINARY", ".build/release/switchyard"), "workers", "add",
         other.address, "--admin", f"127.0.0.1:{server.admin_port}"],
        capture_output=True, text=True, timeout=LIMIT)
    assert added.returncode == 0, added.stderr
    server.wait_for_workers(2)
    slow.kill()
    thread.join()
    assert found[0].status_code == 200
    assert other.wait("started")["seed"] == 11


def test_a_file_without_weights_is_enough(launch, engines, tmp_path):
    engine = engines()
    path = GGUF(MODEL).write(str(tmp_path / "vocabulary.gguf"), tensors=False)
    assert os.path.getsize(path) < os.path.getsize(MODEL) // 20
    server = gateway(launch, engine, model=path)
    whole = gateway(launch, engine)
    request = body("Wie heißt du? 日本語 👍🏽", max_tokens=16, ignore_eos=True)
    first, second = ask(server, request).json(), ask(whole, request).json()
    assert first["choices"] == second["choices"] and first["usage"] == second["usage"]


def test_an_engine_of_another_vocabulary_gets_nothing(launch, engines):
    wrong, right = engines("--vocabulary", "32000"), engines()
    server = launch("--worker", wrong.address, "--worker", right.address, "--model-name",
                    "smollm2", command="gateway").wait_ready()
    server.wait_for_log("worker serves another model")
    server.wait_for_workers(1)
    assert ask(server, body("Hello", max_tokens=4)).status_code == 200
    assert wrong.all("started") == []
