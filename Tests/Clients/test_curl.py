"""curl, as a person would use it, over every way in."""

import gzip
import json
import os
import subprocess

import pytest
from conftest import MODEL, body, events


def curl(*arguments, data=None):
    result = subprocess.run(
        ["curl", "-sS", "--max-time", "60", *arguments], input=data, capture_output=True)
    assert result.returncode == 0, result.stderr.decode()
    return result.stdout


def text_of(output):
    return "".join(
        event["choices"][0]["delta"].get("content", "")
        for event in events(output.decode().split("\n")) if event["choices"])


@pytest.fixture(scope="module")
def tls_server(launch_module):
    return launch_module("--slots", "2", "--model-name", "smollm2", "--tls-port", "0",
                         "--tls-self-signed").wait_ready()


def test_http1_and_http2_stream_the_same(server):
    request = json.dumps(body("Name three colours.", stream=True)).encode()
    url = f"{server.url}/v1/chat/completions"
    plain = curl("-N", url, "-H", "content-type: application/json", "-d", "@-", data=request)
    prior = curl("-N", "--http2-prior-knowledge", url, "-H", "content-type: application/json",
                 "-d", "@-", data=request)
    assert text_of(plain) == text_of(prior) != ""


# A request of each face, and where its answer's words are.
FACES = {
    "/v1/responses": (
        {"input": "Name three colours.", "max_output_tokens": 24, "store": False},
        lambda answer: answer["output"][0]["content"][0]["text"],
        ("response.output_text.delta", lambda event: event["delta"]), "response."),
    "/v1/messages": (
        {"messages": [{"role": "user", "content": "Name three colours."}], "max_tokens": 24},
        lambda answer: answer["content"][0]["text"],
        ("content_block_delta", lambda event: event["delta"]["text"]), "message_stop"),
    "/v1/completions": (
        {"prompt": "Three colours are", "max_tokens": 24},
        lambda answer: answer["choices"][0]["text"],
        (None, lambda event: event["choices"][0]["text"]), None),
    "/v1/complete": (
        {"prompt": "Three colours are", "max_tokens_to_sample": 24},
        lambda answer: answer["completion"],
        ("completion", lambda event: event["completion"]), "completion"),
}


@pytest.mark.parametrize("version", ["--http1.1", "--http2-prior-knowledge"])
@pytest.mark.parametrize("path", FACES)
def test_every_face_answers_and_streams(server, path, version):
    fields, whole, (kind, piece), last = FACES[path]
    request = {"model": "smollm2", "temperature": 0, **fields}

    def post(**more):
        return curl("-N", version, f"{server.url}{path}", "-H", "content-type: application/json",
                    "-d", "@-", data=json.dumps({**request, **more}).encode()).decode()

    assert whole(json.loads(post())).strip()
    name, text = None, ""
    for line in post(stream=True).split("\n"):
        if line.startswith("event: "):
            name = line[7:]
        elif line.startswith("data: {") and name == kind:
            text += piece(json.loads(line[6:]))
        elif line.startswith("data: [DONE]"):
            assert kind is None
    assert text.strip()
    assert last is None or name.startswith(last)


def test_models_in_every_listing(server):
    for path, key in (("/v1/models", "data"), ("/v1/language-models", "models")):
        listed = json.loads(curl(f"{server.url}{path}"))[key]
        assert [model["id"] for model in listed] == ["smollm2"]
        assert json.loads(curl(f"{server.url}{path}/smollm2"))["id"] == "smollm2"
    for path in ("/v1/embedding-models", "/v1/image-generation-models"):
        assert json.loads(curl(f"{server.url}{path}"))["models"] == []


def test_the_ready_line_is_a_command_that_works(server):
    line = next(line for line in server.log_text().split("\n") if line.startswith("ready: "))
    output = subprocess.run(["sh", "-c", line.removeprefix("ready: ").replace("curl ", "curl -sS ")],
                            capture_output=True, timeout=120)
    assert output.returncode == 0, output.stderr.decode()
    assert text_of(output.stdout)


def test_tls_by_alpn(tls_server):
    url = f"https://127.0.0.1:{tls_server.tls_port}/v1/models"
    for option, version in (("--http2", b"2"), ("--http1.1", b"1.1")):
        output = curl("-k", option, "-w", "\n%{http_version}", url)
        text, got = output.rsplit(b"\n", 1)
        assert got == version
        assert json.loads(text)["data"][0]["id"] == "smollm2"


def test_gzip_both_ways(server):
    request = gzip.compress(json.dumps(body("Hi", max_tokens=200, ignore_eos=True)).encode())
    output = curl("-D", "-", f"{server.url}/v1/chat/completions", "-H",
                  "content-type: application/json", "-H", "content-encoding: gzip", "-H",
                  "accept-encoding: gzip", "--data-binary", "@-", data=request)
    head, answer = output.split(b"\r\n\r\n", 1)
    if b"HTTP/1.1 100" in head:
        head, answer = answer.split(b"\r\n\r\n", 1)
    assert b"200" in head.split(b"\r\n")[0]
    assert b"content-encoding: gzip" in head.lower()
    assert json.loads(gzip.decompress(answer))["choices"][0]["message"]["content"]


def test_errors_have_openai_s_shape_everywhere(server):
    for arguments, status, code in (
        (["-d", "{", f"{server.url}/v1/chat/completions"], "400", "invalid_json"),
        ([f"{server.url}/nothing"], "404", "unknown_url"),
        (["-X", "DELETE", f"{server.url}/v1/models"], "405", "method_not_allowed"),
        (["-H", "content-type: text/plain", "-d", "x", f"{server.url}/v1/chat/completions"],
         "415", "unsupported_media_type"),
        ([f"{server.url}/v1/models/none"], "404", "model_not_found"),
    ):
        for version in ("--http1.1", "--http2-prior-knowledge"):
            if "-H" not in arguments and "-d" in arguments:
                arguments = ["-H", "content-type: application/json", *arguments]
            output = curl(version, "-w", "\n%{http_code}", *arguments).decode()
            text, got = output.rsplit("\n", 1)
            error = json.loads(text)["error"]
            assert (got, error["code"]) == (status, code), output
            assert set(error) == {"message", "type", "param", "code"}


def test_keys_are_asked_for_and_checked(launch, tmp_path):
    keys = tmp_path / "keys"
    keys.write_text("# comment\nsecret-key-1 first\nsecret-key-2\n")
    instance = launch("--slots", "1", "--api-key-file", str(keys), "--engine", "simulated")
    url = f"{instance.url}/v1/models"
    status = lambda *a: curl("-o", "/dev/null", "-w", "%{http_code}", *a, url).decode()
    assert status() == "401"
    assert status("-H", "authorization: Bearer wrong-key-9") == "401"
    assert status("-H", "authorization: Bearer secret-key-1") == "200"
    assert status("-H", "x-api-key: secret-key-2") == "200"
    assert "secret-key" not in instance.log_text()


def test_without_a_name_the_model_is_called_after_its_file(launch):
    instance = launch("--slots", "1", "--engine", "simulated").wait_ready()
    name = os.path.basename(MODEL).removesuffix(".gguf")
    models = json.loads(curl(f"{instance.url}/v1/models"))["data"]
    assert [model["id"] for model in models] == [name]
    assert f'"model":"{name}"' in instance.log_text()


def test_probes_and_metrics(server):
    assert server.admin("/livez")[0] == 200
    assert server.admin("/readyz")[0] == 200
    status, text = server.admin("/metrics")
    assert status == 200
    for name in ("vllm:num_requests_waiting", "vllm:num_requests_running",
                 "vllm:time_to_first_token_seconds_bucket", "switchyard_requests_total",
                 "switchyard_generation_tokens_total"):
        assert name in text
    # Probes are not on the public port.
    assert curl("-o", "/dev/null", "-w", "%{http_code}", f"{server.url}/metrics") == b"404"
