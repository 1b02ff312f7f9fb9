"""Offline licences: issued, checked and imported by the CLI; openssl agrees."""

import base64
import json
import subprocess
import tempfile
import time

import httpx
import pytest
from conftest import BINARY, body
from tenancy import SIMULATED, Caller, cli, new_key


def run(*words, status=0, stdin=None):
    result = subprocess.run([BINARY, *map(str, words)], capture_output=True, text=True,
                            timeout=60, input=stdin)
    assert result.returncode == status, result.stderr
    return result.stdout.strip() if status == 0 else result.stderr


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


# What goes before a raw key in DER (RFC 8410).
PUBLIC = bytes.fromhex("302a300506032b6570032100")
PRIVATE = bytes.fromhex("302e020100300506032b657004220420")


def openssl(key, data, *arguments, signature=None):
    """`openssl pkeyutl` on raw data with a DER key."""
    with tempfile.TemporaryDirectory() as folder:
        files = {"key": key, "data": data, "signature": signature or b""}
        for name, content in files.items():
            with open(f"{folder}/{name}", "wb") as file:
                file.write(content)
        done = subprocess.run(
            ["openssl", "pkeyutl", "-rawin", "-keyform", "DER", "-inkey", f"{folder}/key", "-in",
             f"{folder}/data", *(["-sigfile", f"{folder}/signature"] if signature else []),
             *arguments], capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    public = run("license", "keygen", folder / "private.jwk")
    (folder / "public.jwk").write_text(public + "\n")
    return folder


def issue(keys, tenant, *options, expires="2099-01-01"):
    return run("license", "issue", tenant, "--key", keys / "private.jwk", f"--expires={expires}",
               *options)


@pytest.fixture(scope="module")
def served(launch_module, keys):
    return launch_module(*SIMULATED, "--license-key-file", str(keys / "public.jwk")).wait_ready()


def test_a_licence_is_a_jwt_that_others_can_check(keys):
    """RFC 7519 with RFC 8037's EdDSA."""
    token = issue(keys, "acme", "--name", "Acme", "--model", "grok-*", "--tier", "default",
                  "--guaranteed-share", "0.25", "--issuer", "Vendor")
    head, claims, signature = token.split(".")
    public = json.loads((keys / "public.jwk").read_text())
    assert json.loads(decode(head)) == {"alg": "EdDSA", "typ": "JWT", "kid": public["kid"]}
    openssl(PUBLIC + decode(public["x"]), f"{head}.{claims}".encode(), "-pubin", "-verify",
            signature=decode(signature))
    said = json.loads(decode(claims))
    assert (said["sub"], said["name"], said["iss"]) == ("acme", "Acme", "Vendor")
    assert said["terms"] == {"models": ["grok-*"], "tier": "default", "guaranteed_share": 0.25}
    assert said["exp"] == 4070908800 and abs(said["iat"] - time.time()) < 60
    assert "d" not in public and (keys / "private.jwk").stat().st_mode & 0o777 == 0o600


def test_verify_tells_good_from_bad(keys, tmp_path):
    def check(token, status, public=keys / "public.jwk"):
        return run("license", "verify", "-", "--license-key-file", public, status=status,
                   stdin=token)

    token = issue(keys, "acme", "--model", "a")
    assert json.loads(check(token, 0))["sub"] == "acme"
    run("license", "keygen", tmp_path / "other.jwk")
    strange = run("license", "issue", "acme", "--key", tmp_path / "other.jwk",
                  "--expires=2099-01-01")
    assert "not known" in check(strange, 1)
    assert "ended" in check(issue(keys, "acme", expires="2020-01-01"), 1)
    head, claims, signature = token.split(".")
    more = encode(decode(claims).replace(b'"a"', b'"*"'))
    assert "signature" in check(f"{head}.{more}.{signature}", 1)
    none = encode(b'{"alg":"none"}')
    assert "EdDSA" in check(f"{none}.{claims}.", 1)
    assert json.loads(run("license", "show", "-", stdin=strange))["sub"] == "acme"
    run("license", "keygen", keys / "private.jwk", status=64)


def test_an_imported_licence_is_a_tenant(served, keys, tmp_path):
    def imported(token, status=0):
        (tmp_path / "license").write_text(token + "\n")
        return cli(served, "tenants", "import-license", str(tmp_path / "license"), status=status)

    made = imported(issue(keys, "licensed", "--model", "smol*", "--tier", "default"))
    assert made["licensed"] and made["terms"]["expires"] == 4070908800
    caller = Caller(served, new_key(served, "licensed")[0])
    assert caller.chat(service_tier="priority").json()["service_tier"] == "default"
    # Its terms are the licensor's, not the operator's.
    assert "licence" in cli(served, "tenants", "update", "licensed", "--tier", "priority", status=1)
    cli(served, "tenants", "update", "licensed", "--name", "Another name")
    imported(issue(keys, "licensed", "--model", "none-of-them"))
    assert caller.chat().status_code == 403
    # Nobody goes back to earlier terms.
    old = sign(keys, {**claims(issue(keys, "licensed")), "iat": 1_600_000_000})
    assert "later" in imported(old, status=1)


def claims(token):
    return json.loads(decode(token.split(".")[1]))


def sign(keys, said):
    """A token of our own making."""
    private = json.loads((keys / "private.jwk").read_text())
    text = encode(json.dumps({"alg": "EdDSA", "kid": private["kid"]}).encode()) + "." + encode(
        json.dumps(said).encode())
    signature = openssl(PRIVATE + decode(private["d"]), text.encode(), "-sign")
    return f"{text}.{encode(signature)}"


def test_terms_that_are_not_known_are_not_taken(served, keys, tmp_path):
    said = claims(issue(keys, "future"))
    for terms in ({"nonsense": 1}, {"tier": "gold"}, {"models": "all"}):
        (tmp_path / "license").write_text(sign(keys, {**said, "terms": terms}))
        assert "not taken" in cli(served, "tenants", "import-license", str(tmp_path / "license"),
                              status=1)
    (tmp_path / "license").write_text(sign(keys, {**said, "nbf": 4_000_000_000}))
    assert "begins" in cli(served, "tenants", "import-license", str(tmp_path / "license"),
                           status=1)


def test_running_streams_outlive_a_licence_and_new_requests_do_not(launch, keys, tmp_path):
    server = launch(*SIMULATED, "--license-key-file", str(keys / "public.jwk"),
                    "--worker-argument=--step-time", "--worker-argument=50000").wait_ready()
    said = claims(issue(keys, "brief"))
    (tmp_path / "license").write_text(sign(keys, {**said, "exp": int(time.time()) + 3}))
    cli(server, "tenants", "import-license", str(tmp_path / "license"))
    caller = Caller(server, new_key(server, "brief")[0])
    request = body("Hi", max_tokens=120, stream=True)
    with caller.client.stream("POST", "/v1/chat/completions", json=request) as answer:
        assert answer.status_code == 200
        lines = answer.iter_lines()
        next(lines)
        server.wait_for(lambda: caller.get("/v1/models").status_code == 403, "never expired")
        refused = caller.chat()
        assert refused.status_code == 403 and "expired" in refused.text
        assert [line for line in lines if line][-1] == "data: [DONE]"
    assert httpx.get(f"{server.url}/v1/models").status_code == 401
