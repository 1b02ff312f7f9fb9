"""Files: uploaded, listed, read and deleted by openai and xai-sdk; one storage for both."""

import os

import grpc
import httpx
import openai
import pytest
import xai_sdk

SIMULATED = ("--engine", "simulated", "--model-name", "smollm2")


@pytest.fixture(scope="module")
def simulated(launch_module):
    return launch_module(*SIMULATED, "--file-bytes", str(3 << 20))


@pytest.fixture
def client(simulated):
    return openai.OpenAI(base_url=simulated.url + "/v1", api_key="none")


@pytest.fixture
def grpc_client(simulated):
    return xai_sdk.Client(api_key="any", api_host=f"127.0.0.1:{simulated.port}",
                          use_insecure_channel=True)


def test_openai(client):
    # Longer than a part of the storage, and with what looks like boundaries.
    content = (b"\r\n--\r\n" + os.urandom(1_000)) * 900
    file = client.files.create(file=("name with \"quotes\".bin", content), purpose="batch")
    assert file.bytes == len(content) and file.purpose == "batch" and file.object == "file"
    assert client.files.retrieve(file.id).filename == file.filename
    assert client.files.content(file.id).read() == content
    assert file.id in [entry.id for entry in client.files.list()]
    deleted = client.files.delete(file.id)
    assert deleted.deleted and deleted.id == file.id
    for call in (client.files.retrieve, client.files.delete, client.files.content):
        with pytest.raises(openai.NotFoundError):
            call(file.id)


def test_pages_newest_first(client):
    ids = [client.files.create(file=(f"{index}", b"x"), purpose="batch").id for index in range(5)]
    page = client.files.list(limit=2)
    assert [file.id for file in page.data] == ids[:-3:-1]
    seen = [file.id for file in client.files.list(limit=2)]
    assert [file for file in seen if file in ids] == ids[::-1]


def test_an_empty_file_is_a_file(client):
    file = client.files.create(file=("empty", b""), purpose="batch")
    assert file.bytes == 0 and client.files.content(file.id).read() == b""


def test_too_large_is_413(client):
    with pytest.raises(openai.APIStatusError) as error:
        client.with_options(max_retries=0).files.create(
            file=("big", b"x" * ((3 << 20) + 1)), purpose="batch")
    assert error.value.status_code == 413
    assert client.files.create(file=("fits", b"x" * (3 << 20)), purpose="batch").bytes == 3 << 20


def test_expires_when_told(client):
    file = client.files.create(file=("f", b"x"), purpose="batch",
                               expires_after={"anchor": "created_at", "seconds": 3_600})
    assert file.expires_at == file.created_at + 3_600


@pytest.mark.parametrize("keywords, status", [
    ({"json": {}}, 415), ({"files": {"other": b"x"}}, 400),
    ({"content": b"--x\r\n", "headers": {"content-type": "multipart/form-data; boundary=x"}}, 400),
    ({"files": {"file": b"x"}, "data": {"expires_after": "never"}}, 400),
    ({"files": [("file", b"x"), ("file", b"y")]}, 400),
])
def test_what_is_no_upload_is_refused(simulated, client, keywords, status):
    before = len(client.files.list(limit=1_000).data)
    answer = httpx.post(f"{simulated.url}/v1/files", **keywords)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["message"]
    assert len(client.files.list(limit=1_000).data) == before


def test_xai_sdk(client, grpc_client):
    content = os.urandom(700_000)
    file = grpc_client.files.upload(content, filename="by-the-sdk.bin")
    assert file.size == len(content) and file.filename == "by-the-sdk.bin"
    assert client.files.content(file.id).read() == content
    assert grpc_client.files.content(file.id) == content
    assert grpc_client.files.get(file.id).size == len(content)
    assert file.id in [entry.id for entry in grpc_client.files.list(limit=100).data]
    assert grpc_client.files.delete(file.id).deleted
    with pytest.raises(grpc.RpcError) as error:
        grpc_client.files.get(file.id)
    assert error.value.code() == grpc.StatusCode.NOT_FOUND


def test_an_upload_without_a_key_is_refused(launch, tmp_path):
    """xai-sdk sends no key with uploads over plaintext; that is no reason to take them."""
    keys = tmp_path / "keys"
    keys.write_text("key-of-alice alice\nkey-of-bob bob\n")
    server = launch(*SIMULATED, "--api-key-file", str(keys))
    sdk = xai_sdk.Client(api_key="key-of-alice", api_host=f"127.0.0.1:{server.port}",
                         use_insecure_channel=True)
    with pytest.raises(grpc.RpcError) as error:
        sdk.files.upload(b"x", filename="f")
    assert error.value.code() == grpc.StatusCode.UNAUTHENTICATED
    alice, bob = (openai.OpenAI(base_url=server.url + "/v1", api_key=f"key-of-{name}")
                  for name in ("alice", "bob"))
    file = alice.files.create(file=("f", b"x"), purpose="batch")
    assert sdk.files.get(file.id).filename == "f"
    for call in (bob.files.retrieve, bob.files.content, bob.files.delete):
        with pytest.raises(openai.NotFoundError):
            call(file.id)
    assert bob.files.list().data == []
