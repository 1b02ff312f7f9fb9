"""Spans of real requests at a small OTLP collector, and the trace context that goes on."""

import http.server
import json
import re
import signal
import threading
import time

import httpx
import pytest
from conftest import body
from test_failover import SIMULATED, Worker
from test_foreign_engine import engines  # noqa: F401  (a fixture)

LIMIT = 30
TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
SAMPLED = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "other=1,mine=a b"}


class Collector:
    """Keeps the spans of what is posted to /v1/traces; refuses as often as it is told."""

    def __init__(self):
        self.spans, self.resources, self.refusals, self.posts = [], [], [], []
        self.changed = threading.Condition()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                data = self.rfile.read(int(self.headers["content-length"]))
                status = outer.take(self.path, self.headers, data)
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self, path, headers, data):
        with self.changed:
            self.posts.append(path)
            try:
                if self.refusals:
                    return self.refusals.pop(0)
                assert path == "/v1/traces" and headers["content-type"] == "application/json"
                for resource in json.loads(data)["resourceSpans"]:
                    self.resources.append(attributes(resource["resource"]))
                    for scope in resource["scopeSpans"]:
                        assert scope["scope"]["name"] == "switchyard"
                        self.spans += [check(span) for span in scope["spans"]]
                return 200
            finally:
                self.changed.notify_all()

    def wait(self, found):
        """What `found` makes of the spans, once it is true."""
        with self.changed:
            assert self.changed.wait_for(lambda: found(self.spans), LIMIT), self.spans
            return found(self.spans)

    def request(self, request_id):
        """The span of one request and those below it, by name in order of time."""
        def find(spans):
            for span in spans:
                if attributes(span).get("switchyard.request_id") == request_id:
                    return span
        root = self.wait(find)
        below = [span for span in self.spans if span.get("parentSpanId") == root["spanId"]]
        for span in below:
            assert span["traceId"] == root["traceId"]
            assert int(span["startTimeUnixNano"]) >= int(root["startTimeUnixNano"])
            assert int(span["endTimeUnixNano"]) <= int(root["endTimeUnixNano"])
        below.sort(key=lambda span: int(span["startTimeUnixNano"]))
        return root, {name: [span for span in below if span["name"] == name]
                      for name in {span["name"] for span in below}}

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def attributes(holder):
    """As a dictionary, by OTLP's rules of JSON: 64-bit integers are strings."""
    found = {}
    for entry in holder["attributes"]:
        (kind, value), = entry["value"].items()
        if kind == "intValue":
            assert isinstance(value, str)
            value = int(value)
        elif kind == "arrayValue":
            value = [each["stringValue"] for each in value["values"]]
        else:
            expected = {"stringValue": str, "doubleValue": (int, float), "boolValue": bool}[kind]
            assert isinstance(value, expected)
        assert entry["key"] not in found
        found[entry["key"]] = value
    return found


def check(span):
    """Ids in hex, times as strings, kinds as numbers."""
    assert re.fullmatch(r"[0-9a-f]{32}", span["traceId"])
    assert re.fullmatch(r"[0-9a-f]{16}", span["spanId"])
    assert span["kind"] in (1, 2, 3)
    assert isinstance(span["startTimeUnixNano"], str)
    begin, end = int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"])
    assert abs(begin / 1e9 - time.time()) < 3_600 and begin <= end
    for event in span.get("events", []):
        assert begin <= int(event["timeUnixNano"]) <= end
    return span


@pytest.fixture
def collector():
    one = Collector()
    yield one
    one.close()


@pytest.fixture(scope="module")
def module_collector():
    one = Collector()
    yield one
    one.close()


@pytest.fixture(scope="module")
def served(launch_module, module_collector):
    server = launch_module(*SIMULATED, "--slots", "4", "--otlp-endpoint", module_collector.url,
                           "--otlp-service-name", "yard").wait_ready()
    server.collector = module_collector
    return server


def post(server, request, request_id, **headers):
    return httpx.post(f"{server.url}/v1/chat/completions", json=request, timeout=60,
                      headers={"x-request-id": request_id, **headers})


def test_a_request_below_a_sampled_parent(served):
    answer = post(served, body("Hi", max_tokens=5, temperature=0.5, top_p=0.9, seed=3),
                  "whole", **SAMPLED).json()
    root, below = served.collector.request("whole")
    assert (root["traceId"], root["parentSpanId"], root["kind"]) == (TRACE, PARENT, 2)
    assert root["name"] == "chat smollm2" and "status" not in root
    assert root["traceState"] == "other=1,mine=a b" and root["flags"] == 0x301
    facts = attributes(root)
    assert facts["gen_ai.operation.name"] == "chat" and facts["gen_ai.provider.name"] == "x_ai"
    assert facts["gen_ai.request.model"] == facts["gen_ai.response.model"] == "smollm2"
    assert facts["gen_ai.response.id"] == answer["id"]
    assert facts["gen_ai.usage.input_tokens"] == answer["usage"]["prompt_tokens"]
    assert facts["gen_ai.usage.output_tokens"] == 5
    assert facts["gen_ai.response.finish_reasons"] == ["length"]
    assert facts["gen_ai.request.max_tokens"] == 5 and facts["gen_ai.request.seed"] == 3
    assert facts["gen_ai.request.temperature"] == 0.5
    assert facts["gen_ai.request.top_p"] == pytest.approx(0.9)
    assert (facts["server.address"], facts["server.port"]) == ("127.0.0.1", served.port)
    assert facts["http.response.status_code"] == 200 and "error.type" not in facts
    assert {name: len(spans) for name, spans in below.items()} == {
        "prepare": 1, "queue": 1, "generate": 1}
    attempt = below["generate"][0]
    assert attempt["kind"] == 3 and attempt["flags"] == 0x101
    assert attributes(attempt)["switchyard.worker"] == 0
    assert [event["name"] for event in attempt["events"]] == ["gen_ai.first_token"]
    assert served.collector.resources[-1]["service.name"] == "yard"
    assert "Hi" not in json.dumps([root, below])


def test_a_streamed_request_with_two_choices_begins_a_trace(served):
    answer = post(served, body("Hi", max_tokens=8, n=2, stream=True), "streamed")
    assert answer.text.endswith("data: [DONE]\n\n")
    root, below = served.collector.request("streamed")
    assert "parentSpanId" not in root and root["flags"] == 0x103
    facts = attributes(root)
    assert facts["switchyard.stream"] is True and facts["gen_ai.request.choice.count"] == 2
    assert facts["gen_ai.usage.output_tokens"] == 16
    assert sorted(attributes(span)["switchyard.choice"] for span in below["generate"]) == [0, 1]


@pytest.mark.parametrize("value", [
    "00-00000000000000000000000000000000-b7ad6b7169203331-01",
    f"00-{TRACE}-0000000000000000-01", f"ff-{TRACE}-{PARENT}-01", f"00-{TRACE}-{PARENT}-01-x",
    f"00-{TRACE.upper()}-{PARENT}-01", f"00-{TRACE}-{PARENT}", "nonsense", ""])
def test_a_malformed_context_begins_a_new_trace(served, value):
    request_id = f"malformed-{abs(hash(value))}"
    post(served, body("Hi", max_tokens=1), request_id, traceparent=value, tracestate="other=1")
    root, _ = served.collector.request(request_id)
    assert root["traceId"] != TRACE
    assert "parentSpanId" not in root and "traceState" not in root


def test_a_refused_request(served):
    post(served, body("Hi", temperature=9), "refused", **SAMPLED)
    root, below = served.collector.request("refused")
    facts = attributes(root)
    assert (facts["error.type"], facts["http.response.status_code"]) == ("invalid_value", 400)
    # The caller's fault is no error of the server's (HTTP semantic conventions).
    assert "status" not in root and root["name"] == "chat" and set(below) == {"prepare"}


def test_a_client_that_leaves(served):
    request = body("Hi", max_tokens=100_000, ignore_eos=True, stream=True)
    with httpx.stream("POST", f"{served.url}/v1/chat/completions", json=request,
                      headers={"x-request-id": "left"}) as answer:
        next(answer.iter_lines())
    root, below = served.collector.request("left")
    assert attributes(root)["error.type"] == "client_closed"
    assert attributes(below["generate"][0])["error.type"] == "client_closed"


def test_an_unsampled_parent_is_respected(served):
    unsampled = SAMPLED["traceparent"][:-1] + "0"
    post(served, body("Hi", max_tokens=1), "unsampled", traceparent=unsampled)
    post(served, body("Hi", max_tokens=1), "after", **SAMPLED)
    served.collector.request("after")
    ids = [attributes(span).get("switchyard.request_id") for span in served.collector.spans]
    assert "unsampled" not in ids


def test_a_sample_ratio(launch, collector):
    server = launch(*SIMULATED, "--otlp-endpoint", collector.url + "/v1/traces",
                    "--otlp-sample-ratio", "0").wait_ready()
    post(server, body("Hi", max_tokens=1), "mine")
    post(server, body("Hi", max_tokens=1), "theirs", **SAMPLED)
    collector.request("theirs")
    assert len([span for span in collector.spans if span["kind"] == 2]) == 1


def test_no_worker_is_an_error(launch, collector):
    server = launch("--worker", "unix:/nowhere/worker", "--model-name", "smollm2",
                    "--no-worker-wait", "1", "--otlp-endpoint", collector.url, command="gateway")
    assert post(server, body("Hi"), "failed").status_code == 503
    root, below = collector.request("failed")
    assert root["status"] == {"code": 2, "message": "no_worker"}
    assert below["queue"][0]["status"]["code"] == 2 and "generate" not in below


def test_a_resumed_request(launch, collector):
    dying, healthy = Worker("--die-at-token", "5"), Worker()
    try:
        server = launch("--worker", dying.address, "--worker", healthy.address, "--model-name",
                        "smollm2", "--otlp-endpoint", collector.url,
                        command="gateway").wait_ready()
        server.wait_for_workers(2)
        answer = post(server, body("Hi", max_tokens=20), "resumed", **SAMPLED)
        assert answer.status_code == 200
        assert dying.process.wait(timeout=10) == -signal.SIGKILL
        root, below = collector.request("resumed")
        first, second = below["generate"]
        assert attributes(first)["switchyard.worker"] != attributes(second)["switchyard.worker"]
        assert [attributes(span)["switchyard.attempt"] for span in below["generate"]] == [0, 1]
        assert first["status"]["code"] == 2 and attributes(first)["error.type"] == "UNAVAILABLE"
        assert "status" not in second and "status" not in root and len(below["queue"]) == 2
        assert attributes(root)["switchyard.retries"] + attributes(root)["switchyard.resumes"] == 1
    finally:
        dying.close()
        healthy.close()


def test_workers_get_the_attempts_context(launch, collector, engines):  # noqa: F811
    engine = engines("--slots", "4")
    server = launch("--worker", engine.address, "--model-name", "smollm2", "--otlp-endpoint",
                    collector.url, command="gateway").wait_ready()
    post(server, body("Hi", max_tokens=3), "traced", **SAMPLED)
    _, below = collector.request("traced")
    told = engine.wait("started")["trace"]
    assert told == {"traceparent": f"00-{TRACE}-{below['generate'][0]['spanId']}-01",
                    "tracestate": SAMPLED["tracestate"]}


def test_without_an_exporter_the_clients_context_goes_on(launch, engines):  # noqa: F811
    engine = engines("--slots", "4")
    server = launch("--worker", engine.address, "--model-name", "smollm2",
                    command="gateway").wait_ready()
    post(server, body("Hi", max_tokens=3), "one", **SAMPLED)
    assert engine.wait("started", 1)["trace"] == SAMPLED
    post(server, body("Hi", max_tokens=3), "two", traceparent="00-1-2-3", tracestate="a=1")
    assert engine.wait("started", 2)["trace"] == {}


def test_our_worker_logs_the_trace(launch):
    server = launch(*SIMULATED, "--log-level", "debug").wait_ready()
    post(server, body("Hi", max_tokens=1), "logged", **SAMPLED)
    server.wait_for_log(rf"trace_id={TRACE}", limit=LIMIT)


def test_an_upstream_gets_our_span(launch, collector):
    back = launch(*SIMULATED, "--otlp-endpoint", collector.url).wait_ready()
    front = launch("--upstream", back.url, "--model-name", "smollm2", "--otlp-endpoint",
                   collector.url, command="gateway", model=None).wait_ready()
    post(front, body("Hi", max_tokens=2, stream=True), "chained", **SAMPLED)
    def chain(spans):
        """The front's span, its attempt below it, and the back's span below that."""
        known = {span["spanId"]: span for span in spans}
        for behind in spans:
            attempt = known.get(behind.get("parentSpanId"))
            if behind["kind"] == 2 and attempt is not None:
                return known[attempt["parentSpanId"]], attempt, behind

    root, attempt, behind = collector.wait(chain)
    assert root["parentSpanId"] == PARENT and attempt["name"] == "generate"
    assert root["traceId"] == attempt["traceId"] == behind["traceId"] == TRACE


def test_a_collector_that_refuses(launch, collector):
    """What it cannot take now is sent again; what it refuses is dropped and counted."""
    server = launch(*SIMULATED, "--otlp-endpoint", collector.url).wait_ready()
    collector.refusals = [503, 400]
    post(server, body("Hi", max_tokens=1), "lost")
    with collector.changed:
        assert collector.changed.wait_for(lambda: len(collector.posts) >= 2, LIMIT)
    post(server, body("Hi", max_tokens=1), "kept")
    collector.request("kept")
    end = time.monotonic() + LIMIT
    while "switchyard_otlp_exported_spans 4" not in server.admin("/metrics")[1]:
        assert time.monotonic() < end
        time.sleep(0.02)
    assert "switchyard_otlp_dropped_spans 4" in server.admin("/metrics")[1]


def test_the_last_spans_are_sent_at_the_end(launch, collector):
    server = launch(*SIMULATED, "--otlp-endpoint", collector.url).wait_ready()
    post(server, body("Hi", max_tokens=1), "last")
    assert server.terminate() == 0
    assert [span for span in collector.spans
            if attributes(span).get("switchyard.request_id") == "last"]


def test_a_dead_collector_delays_nothing(launch):
    server = launch(*SIMULATED, "--otlp-endpoint", "http://127.0.0.1:1").wait_ready()
    for _ in range(20):
        assert post(server, body("Hi", max_tokens=1), "any").status_code == 200
    assert server.terminate() == 0
