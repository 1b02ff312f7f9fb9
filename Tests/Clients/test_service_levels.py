"""How each tenant and tier was served: the admin API, the metrics and the command agree."""

import json
import re

import httpx
from conftest import body

SIMULATED = ("--engine", "simulated", "--model-name", "smollm2")


def ask(server, status=200, **fields):
    answer = httpx.post(f"{server.url}/v1/chat/completions",
                        json=body("Hello.", **fields), timeout=60)
    assert answer.status_code == status, answer.text


def report(server):
    status, text = server.admin("/admin/v1/slo")
    assert status == 200, text
    return json.loads(text)


def test_what_met_its_targets_is_counted_by_tier(launch):
    # 20 ms a token: the mean time between tokens meets 1 s and misses 1 ms.
    server = launch(*SIMULATED, "--slo-ttft-ms", "60000", "--slo-itl-ms", "1",
                    "--worker-argument=--step-time=20000").wait_ready()
    for _ in range(3):
        ask(server, max_tokens=4)
    ask(server, max_tokens=1)
    ask(server, max_tokens=4, service_tier="priority")
    # Refused by what its body says: no request of any tier's.
    ask(server, status=400, max_tokens=0)
    found = report(server)
    assert (found["ttft_target_ms"], found["itl_target_ms"]) == (60_000, 1)
    tiers = {entry["tier"]: entry for entry in found["tenants"]}
    assert {entry["tenant"] for entry in found["tenants"]} == {"default"}
    standard = tiers["default"]
    assert (standard["requests"], standard["finished"]) == (5, 4)
    assert standard["ttft_attainment"] == 1
    # One token has no next one to be late.
    assert standard["itl_attainment"] == standard["attainment"] == 0.25
    assert standard["completion_tokens"] == 13 and standard["prompt_tokens"] > 0
    assert tiers["priority"]["finished"] == 1 and tiers["priority"]["attainment"] == 0
    _, metrics = server.admin("/metrics")
    series = dict(re.findall(
        r'^switchyard_tenant_(\w+){tenant="default",tier="default"} (\d+)', metrics, re.M))
    assert series["requests"] == "5" and series["slo_met"] == "1"
    assert series["generation_tokens"] == "13"
