"""Everything that is wrong with a request, over one connection that goes on serving."""

import contextlib
import json
import os
from urllib.parse import unquote

import bad_calls
import bad_requests
import httpx
import pytest
from bad_requests import ANY
from conftest import body
from faces import CHAT, Client
from wire import HTTP2

GOOD = body("Hello", max_tokens=2)


@pytest.fixture(scope="module")
def server(scripted):
    """Nothing is left behind: no request, no descriptor, and the process is the same."""
    instance = scripted.server
    # Opens what is opened once: the file that keeps answers.
    assert scripted.client.post("/v1/batches", json={"name": "first"}).status_code == 200
    instance.wait_idle()
    before = descriptors(instance)
    yield instance
    instance.wait_idle()
    assert instance.process.poll() is None
    # Clients' connections are closed by now, on this side as well.
    try:
        instance.wait_for(lambda: len(descriptors(instance)) <= len(before), "open")
    except AssertionError:
        raise AssertionError(f"{before} became {descriptors(instance)}") from None


def descriptors(server):
    folder = f"/proc/{server.process.pid}/fd"
    found = []
    for name in os.listdir(folder):
        with contextlib.suppress(FileNotFoundError):
            found.append(os.readlink(os.path.join(folder, name)))
    return found


@pytest.fixture(params=["HTTP/2", "HTTP/1.1"], scope="module")
def client(request, server):
    instance = Client(server, http2=request.param == "HTTP/2")
    yield instance
    instance.close()


def is_anthropic(path):
    return path.startswith(("/v1/messages", "/v1/complete")) and "completions" not in path


ANTHROPIC_TYPES = {400: "invalid_request_error", 401: "authentication_error",
                   403: "permission_error", 404: "not_found_error", 405: "invalid_request_error",
                   413: "request_too_large", 415: "invalid_request_error"}


def check(row, answer):
    text = f"{row.name}: {answer.status_code} {answer.text[:300]}"
    assert answer.status_code == row.status, text
    assert answer.headers["content-type"] == "application/json", text
    assert answer.headers.get("x-request-id"), text + " (no x-request-id)"
    if row.method == "HEAD":
        return
    body = answer.json()
    if is_anthropic(row.path):
        assert set(body) == {"type", "error", "request_id"} and body["type"] == "error", text
        assert body["error"]["type"] == ANTHROPIC_TYPES[row.status], text
        assert body["error"]["message"], text
        # The parameter's place is in the message: this face has no field for it.
        assert row.param is ANY or row.param is None or row.param in body["error"]["message"], text
        assert body["request_id"] == answer.headers["request-id"], text
        return
    error = body["error"]
    assert set(body) == {"error"} and set(error) == {"message", "type", "param", "code"}, text
    assert error["type"] == "invalid_request_error", text
    assert error["message"], text
    assert row.code is ANY or error["code"] == row.code, text
    assert row.param is ANY or error["param"] == row.param, text


def content(row):
    if row.body is None or isinstance(row.body, bytes):
        return row.body
    return json.dumps(row.body).encode()


def test_every_row_is_refused_and_the_connection_serves_on(server, client):
    """One connection for all; a good request after each. What fails is told together."""
    failures = []
    for row in bad_requests.ROWS:
        try:
            check(row, client.http.request(
                row.method, row.path, content=content(row), headers=row.fields))
        except AssertionError as error:
            failures.append(str(error).split("\n")[0])
        except httpx.HTTPError as error:
            failures.append(f"{row.name}: {error!r}")
        good = CHAT.send(client, GOOD)
        assert good.status == 200 and good.text, row.name
    assert not failures, "\n".join(failures)


def test_every_call_is_refused_and_the_connection_serves_on(server):
    """One connection for all; a good call after each."""
    good = bad_calls.chat(n=1)
    failures = []
    with HTTP2(server) as connection:
        for row in bad_calls.CALLS:
            answer = connection.grpc(row.path, row.message, **row.options)
            try:
                check_call(row, answer)
            except AssertionError as error:
                failures.append(str(error).split("\n")[0])
            after = connection.grpc(bad_calls.CHAT, good)
            assert after.trailers["grpc-status"] == "0", row.name
            assert len(after.messages()) == 1, row.name
    assert not failures, "\n".join(failures)


def check_call(row, answer):
    text = f"{row.name}: {answer.heads} {answer.reset}"
    assert answer.reset is None, text
    # gRPC's own: always 200, and one block of fields where there is no message.
    assert answer.fields[":status"] == "200", text
    assert answer.fields["content-type"].startswith("application/grpc"), text
    assert answer.is_trailers_only, text
    code = int(answer.trailers["grpc-status"])
    assert code != 0 and code != 2, text
    assert row.code is None or code == row.code, text
    message = unquote(answer.trailers.get("grpc-message", ""))
    assert message and row.word in message, text


def test_what_is_no_grpc_is_told_so(server):
    """A content type or method that gRPC has no status for, and REST's paths asked by gRPC."""
    with HTTP2(server) as connection:
        for fields, method, status in (
                ([("content-type", "application/grpc-web")], "POST", "415"),
                ([("content-type", "application/json")], "POST", "404"),
                ([], "GET", "404")):
            answer = connection.request(bad_calls.CHAT, method=method, fields=fields,
                                        body=b"x" if method == "POST" else b"")
            assert answer.fields[":status"] == status, (fields, answer.heads)
        answer = connection.grpc("/v1/chat/completions", b"")
        assert answer.trailers["grpc-status"] == "12"
        assert connection.grpc(bad_calls.CHAT, bad_calls.chat()).trailers["grpc-status"] == "0"


def test_there_are_enough_rows():
    requests = [(row.method, row.name) for row in bad_requests.ROWS]
    calls = [(row.path, row.name) for row in bad_calls.CALLS]
    for names in (requests, calls):
        assert len(set(names)) == len(names)
        assert len(names) >= 150
