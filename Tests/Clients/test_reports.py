"""What workers report of themselves, and what is done about those that fail requests."""

import pathlib
import re
import sys
import threading
import time
from concurrent import futures

import httpx
import pytest
from conftest import body
from test_failover import Worker
from test_workers import listed, wait_listed, workers

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "EngineProtocolTests" / "Python"))
import stubs  # noqa: E402, F401
import grpc  # noqa: E402
import vllm_engine_pb2 as pb  # noqa: E402
import vllm_engine_pb2_grpc  # noqa: E402


class Engine(vllm_engine_pb2_grpc.VllmEngineServicer):
    """A small engine of its own, which fails its requests on demand and has no events."""

    def __init__(self):
        self.is_broken = False
        self.calls = 0
        self.load = (0, 0)
        self.server = grpc.server(futures.ThreadPoolExecutor(max_workers=32))
        vllm_engine_pb2_grpc.add_VllmEngineServicer_to_server(self, self.server)
        self.address = f"127.0.0.1:{self.server.add_insecure_port('127.0.0.1:0')}"
        self.server.start()

    def Generate(self, request, context):
        self.calls += 1
        if self.is_broken:
            context.abort(grpc.StatusCode.INTERNAL, "out of order")
        count = request.sampling_params.max_tokens
        for number in range(count):
            yield pb.GenerateResponse(chunk=pb.GenerateStreamChunk(
                token_ids=[1000 + number], prompt_tokens=len(request.tokenized.input_ids),
                completion_tokens=1))
        yield pb.GenerateResponse(complete=pb.GenerateComplete(
            output_ids=[999 + count], finish_reason="length", completion_tokens=1))

    def HealthCheck(self, request, context):
        return pb.HealthCheckResponse(healthy=True)

    def GetModelInfo(self, request, context):
        return pb.GetModelInfoResponse(is_generation=True, max_context_length=4096,
                                       vocab_size=49152)

    def GetServerInfo(self, request, context):
        return pb.GetServerInfoResponse(max_num_seqs=4, server_type="vllm")

    def GetLoads(self, request, context):
        running, waiting = self.load
        return pb.GetLoadsResponse(loads=[
            pb.SchedulerLoad(num_running_reqs=running, num_waiting_reqs=waiting)])


@pytest.fixture
def engine():
    instance = Engine()
    yield instance
    instance.server.stop(0).wait()


@pytest.fixture
def worker():
    instances = []

    def start(*arguments):
        instances.append(Worker(*arguments))
        return instances[-1]

    yield start
    for instance in instances:
        instance.close()


def gateway(launch, *addresses, flags=()):
    arguments = [each for address in addresses for each in ("--worker", address)]
    instance = launch(*arguments, "--model-name", "smollm2", *flags,
                      command="gateway").wait_ready()
    instance.wait_for_workers(len(addresses))
    return instance


def ask(server, tokens=3, timeout=60):
    return httpx.post(f"{server.url}/v1/chat/completions",
                      json=body("Hello.", max_tokens=tokens), timeout=timeout)


def occupy(server, count):
    """Streams that run until their gateway ends."""
    def run(number):
        try:
            with httpx.stream("POST", f"{server.url}/v1/chat/completions", timeout=300,
                              json=body(f"Story {number}.", max_tokens=1500, stream=True)) as answer:
                for _ in answer.iter_lines():
                    pass
        except httpx.HTTPError:
            pass  # the gateway has ended

    threads = [threading.Thread(target=run, args=[number]) for number in range(count)]
    for thread in threads:
        thread.start()
    return threads


def metric(server, name):
    found = re.search(rf"^{re.escape(name)} (\S+)$", server.admin("/metrics")[1], re.M)
    return float(found.group(1)) if found else None


def wait_metric(server, name, value, limit=20):
    end = time.monotonic() + limit
    while metric(server, name) != value:
        assert time.monotonic() < end, f"{name} is {metric(server, name)}"
        time.sleep(0.05)


def test_gateways_that_share_a_worker_see_each_others_load(launch, worker):
    shared = worker("--step-time", "20000", "--report-ms", "20")
    one, other = gateway(launch, shared.address), gateway(launch, shared.address)
    threads = occupy(one, 3)
    wait_listed(other, lambda found: found[0]["other_in_flight"] == 3)
    threads += occupy(other, 1)
    wait_listed(one, lambda found: (found[0]["in_flight"], found[0]["other_in_flight"]) == (3, 1))
    found = listed(other)[0]
    assert (found["in_flight"], found["other_in_flight"]) == (1, 3)
    wait_metric(other, 'switchyard_worker_others_in_flight{worker="0"}', 3)
    one.process.kill()
    wait_listed(other, lambda found: found[0]["other_in_flight"] == 0)
    other.process.kill()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()


def test_an_engine_without_events_is_asked_for_its_load(launch, engine):
    engine.load = (3, 4)
    server = gateway(launch, engine.address)
    wait_listed(server, lambda found: found[0]["other_in_flight"] == 7)
    engine.load = (0, 0)
    wait_listed(server, lambda found: found[0]["other_in_flight"] == 0)


def test_a_worker_that_fails_requests_gets_none_for_a_while(launch, engine, worker):
    healthy = worker()
    engine.is_broken = True
    server = gateway(launch, engine.address, healthy.address,
                     flags=("--breaker-open-seconds", "1000", "--policy", "round-robin"))
    for _ in range(30):
        assert ask(server).status_code == 200
    assert engine.calls == 5
    assert [one["breaker"] for one in listed(server)] == ["open", "closed"]
    row = workers(server, "list").stdout.splitlines()[1].split()
    assert row[:4] == ["0", "default", "ready", "open"]
    wait_metric(server, 'switchyard_worker_breaker_state{worker="0"}', 2)
    wait_metric(server, 'switchyard_worker_state{worker="0",state="ready"}', 1)
    assert metric(server, "switchyard_retries_total") == 5
    assert metric(server, "switchyard_breaker_openings") == 1


def test_the_last_worker_is_waited_for_and_tried_again(launch, engine):
    engine.is_broken = True
    server = gateway(launch, engine.address,
                     flags=("--breaker-open-seconds", "2", "--no-worker-wait", "30"))
    failed = ask(server)
    assert failed.status_code == 500 and failed.json()["error"]["code"] == "worker_failed"
    assert engine.calls == 4
    # The fifth failure opens the breaker; the retry waits for it, and is the one that is let
    # through.
    answer = []
    waiting = threading.Thread(target=lambda: answer.append(ask(server)))
    waiting.start()
    wait_listed(server, lambda found: found[0]["breaker"] == "open")
    assert server.admin("/readyz")[0] == 503
    engine.is_broken = False
    waiting.join(60)
    assert answer[0].status_code == 200 and engine.calls == 6
    wait_listed(server, lambda found: found[0]["breaker"] == "closed")


def test_without_a_budget_a_failed_call_is_not_repeated(launch, engine, worker):
    healthy = worker()
    engine.is_broken = True
    server = gateway(launch, engine.address, healthy.address,
                     flags=("--retry-budget-percent", "0", "--policy", "round-robin"))
    answers = [ask(server).status_code for _ in range(4)]
    assert sorted(answers) == [200, 200, 500, 500] and engine.calls == 2
    wait_metric(server, "switchyard_retries_denied", 2)
