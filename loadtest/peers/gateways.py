"""Gateways and plain proxies before the simulated upstream: how each is started.

Each function starts one before `upstream` and returns its process, ready, with `url`. What a peer
logs per request is off. Each has as many threads for requests as the machine has cores, by an
option or by the variable of its runtime; litellm, whose threads take turns, so many processes.
Beyond these some have threads that do other things: a run's record tells how many there are in all.
"""

import json
import os

from . import install
from .processes import CORES, Process, free_port, post
from .upstream import MODEL


def answers(url):
    """Whether chats get through."""
    try:
        post(f"{url}/v1/chat/completions",
             {"model": MODEL, "max_tokens": 1, "messages": [{"role": "user", "content": "Hi."}]},
             seconds=5)
        return True
    except (OSError, ValueError):
        return False


def ready(process, url):
    process.url = url
    process.await_true(lambda: answers(url))
    return process


def switchyard(programs, directory, upstream):
    port, admin = free_port(), free_port()
    process = Process(
        "switchyard",
        [programs / "switchyard", "gateway", "--upstream", upstream.url, "--model-name", MODEL,
         "--upstream-slots", "16384", "--loops", CORES, "--port", port, "--admin-port", admin,
         "--log-level", "warning", "--data-dir", os.path.join(directory, "switchyard-data")],
        directory)
    return ready(process, f"http://127.0.0.1:{port}")


# The runtime that smg and vllm-router are written for takes its number of threads from here.
def _tokio(directory):
    return {"HOME": str(directory), "HF_HUB_OFFLINE": "1", "TOKIO_WORKER_THREADS": str(CORES)}


def smg(programs, directory, upstream):
    port, metrics = free_port(), free_port()
    process = Process(
        "smg",
        [install.environment("smg") / "bin/python", "-m", "smg.cli", "launch",
         "--host", "127.0.0.1", "--port", port, "--prometheus-host", "127.0.0.1",
         "--prometheus-port", metrics, "--policy", "round_robin", "--log-level", "warn",
         "--max-concurrent-requests", "16384", "--request-timeout-secs", "1800",
         "--worker-urls", upstream.url],
        directory, _tokio(directory))
    return ready(process, f"http://127.0.0.1:{port}")


def vllm_router(programs, directory, upstream):
    port, metrics = free_port(), free_port()
    process = Process(
        "vllm-router",
        [install.environment("vllm-router") / "bin/vllm-router", "--host", "127.0.0.1",
         "--port", port, "--prometheus-host", "127.0.0.1", "--prometheus-port", metrics,
         "--policy", "round_robin", "--log-level", "warning",
         "--max-concurrent-requests", "16384", "--request-timeout-secs", "1800",
         "--worker-urls", upstream.url],
        directory, _tokio(directory))
    return ready(process, f"http://127.0.0.1:{port}")


def litellm(programs, directory, upstream):
    """Without keys, as all others here: its switch for local use, on loopback, permits that.

    A worker takes seconds to import; by default one that is silent for 5 is started anew.
    """
    port = free_port()
    config = os.path.join(directory, "litellm.yaml")
    with open(config, "w") as file:
        # YAML's subset that JSON is.
        json.dump({
            "model_list": [{"model_name": MODEL, "litellm_params": {
                "model": f"openai/{MODEL}", "api_base": f"{upstream.url}/v1",
                "api_key": "none"}}],
            "litellm_settings": {"telemetry": False, "request_timeout": 1800},
        }, file)
    process = Process(
        "litellm",
        [install.environment("litellm") / "bin/litellm", "--host", "127.0.0.1", "--port", port,
         "--config", config, "--telemetry", "False", "--num_workers", CORES,
         "--timeout_worker_healthcheck", 120],
        directory,
        {"HOME": str(directory), "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR",
         "LITELLM_MODE": "PRODUCTION", "LITELLM_DONT_SHOW_FEEDBACK_BOX": "True",
         "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true"})
    return ready(process, f"http://127.0.0.1:{port}")


def nginx(programs, directory, upstream):
    port = free_port()
    config = os.path.join(directory, "nginx.conf")
    with open(config, "w") as file:
        file.write(f"""
daemon off; worker_processes {CORES}; pid {directory}/nginx.pid; error_log stderr error;
worker_rlimit_nofile 65536;
events {{ worker_connections 16384; }}
http {{
  access_log off;
  client_body_temp_path {directory}/nginx-body; proxy_temp_path {directory}/nginx-proxy;
  fastcgi_temp_path {directory}/nginx-f; uwsgi_temp_path {directory}/nginx-u;
  scgi_temp_path {directory}/nginx-s;
  keepalive_requests 1000000000;
  upstream back {{
    server {upstream.url.removeprefix("http://")};
    keepalive 4096; keepalive_requests 1000000000;
  }}
  server {{
    listen 127.0.0.1:{port} backlog=8192;
    location / {{
      proxy_pass http://back; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_buffering off; proxy_read_timeout 1800s;
    }}
  }}
}}
""")
    process = Process("nginx", [install.program("nginx"), "-p", directory, "-c", config], directory)
    return ready(process, f"http://127.0.0.1:{port}")


def nghttpx(programs, directory, upstream):
    port = free_port()
    host, _, back = upstream.url.removeprefix("http://").rpartition(":")
    process = Process(
        "nghttpx",
        [install.program("nghttpx"), "--conf=/dev/null", f"--frontend=127.0.0.1,{port};no-tls",
         f"--backend={host},{back};;proto=http/1.1", f"--workers={CORES}", "--log-level=ERROR",
         "--accesslog-file=/dev/null", "--backend-read-timeout=1800", "--frontend-max-requests=0",
         "--backlog=8192", "--single-process",
         "--backend-connections-per-host=16384"],
        directory)
    return ready(process, f"http://127.0.0.1:{port}")


class Direct:
    """Nothing in between: what clients and upstream cost by themselves."""

    name = "direct"
    command = []

    def __init__(self, upstream):
        self.url = upstream.url

    def pids(self):
        return []


def direct(programs, directory, upstream):
    return Direct(upstream)


ALL = {"direct": direct, "switchyard": switchyard, "smg": smg, "vllm-router": vllm_router,
       "litellm": litellm, "nginx": nginx, "nghttpx": nghttpx}
