"""Tenants and keys of a running gateway, through the CLI."""

import json
import subprocess

import httpx
from conftest import BINARY, body

SIMULATED = ("--engine", "simulated", "--model-name", "smollm2", "--drain-seconds", "1")


def cli(server, *words, status=0):
    """The answer of a command, as JSON; its complaint where it is to fail."""
    result = subprocess.run(
        [BINARY, *words, "--admin", f"127.0.0.1:{server.admin_port}", "--json"],
        capture_output=True, text=True, timeout=60)
    assert result.returncode == status, result.stderr
    return result.stderr if status else json.loads(result.stdout)


def new_key(server, tenant, *options):
    """The key's text and its id."""
    made = cli(server, "keys", "create", tenant, *options)
    return made["key"], made["id"]


def new_tenant(server, tenant, *options):
    """A key of a new tenant."""
    cli(server, "tenants", "create", tenant, *options)
    return new_key(server, tenant)[0]


class Caller:
    """Requests with one key."""

    def __init__(self, server, key):
        self.server = server
        self.key = key
        self.client = httpx.Client(
            base_url=server.url, headers={"authorization": f"Bearer {key}"}, timeout=60)

    def get(self, path, **fields):
        return self.client.get(path, **fields)

    def delete(self, path):
        return self.client.delete(path)

    def post(self, path, request, **fields):
        return self.client.post(path, json=request, **fields)

    def chat(self, text="Hello.", **fields):
        return self.post("/v1/chat/completions", body(text, max_tokens=4, **fields))
