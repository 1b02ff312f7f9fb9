"""Accepted work survives `kill -9`: 200 requests whose answers are fetched later (deferred and of
batches, over REST and over gRPC) are accepted while the gateway is killed at random moments ten times
and started again on the same data directory. Each gets exactly one result, which every later reading
repeats; none is lost.

A request counts as accepted when its id arrived. One that was cut off is sent again: the gateway may
have accepted it twice, and then it has two ids.
"""

import os
import random
import signal
import tempfile
import threading
import time

import grpc
import httpx
from xai_sdk.proto import (
    batch_pb2, batch_pb2_grpc, chat_pb2, chat_pb2_grpc, deferred_pb2)

from conftest import Server, body

JOBS = int(os.environ.get("JOBS", "200"))
KILLS = int(os.environ.get("KILLS", "10"))
SEED = int(os.environ.get("SEED", str(random.randrange(1 << 32))))
# 40 tokens of 20 ms: a job takes 0.8 s, and 8 slots have work for a while at each kill.
SERVER = ("--engine", "simulated", "--slots", "8", "--model-name", "smollm2",
          "--worker-argument=--step-time=20000", "--job-concurrency", "16",
          "--batch-concurrency", "16")


class Gateway:
    """One data directory, and whichever process serves it at the moment."""

    def __init__(self, directory):
        self.directory = directory
        self.server = None
        self.lock = threading.Lock()

    def start(self):
        server = Server(*SERVER, data_directory=self.directory)
        with self.lock:
            self.server = server

    def kill(self):
        self.server.process.send_signal(signal.SIGKILL)
        self.server.process.wait()
        self.server.close()

    def ask(self, method, path, **keywords):
        """The answer, from whichever process gives one; asks again until one does."""
        while True:
            with self.lock:
                url = self.server.url
            try:
                answer = httpx.request(method, url + path, timeout=10, **keywords)
            except httpx.TransportError:
                time.sleep(0.05)
                continue
            if answer.status_code != 503:
                return answer
            time.sleep(0.05)

    def call(self, stub, method, request, allowed=None):
        """The same over gRPC. `allowed`: words of an error that is none."""
        while True:
            with self.lock:
                target = f"127.0.0.1:{self.server.port}"
            try:
                with grpc.insecure_channel(target) as channel:
                    return getattr(stub(channel), method)(request, timeout=10)
            except grpc.RpcError as error:
                if allowed and allowed in (error.details() or ""):
                    return None
                if error.code() not in (grpc.StatusCode.UNAVAILABLE,
                                        grpc.StatusCode.DEADLINE_EXCEEDED):
                    raise
                time.sleep(0.05)


class Results:
    """The first result of each job; every other must be the same."""

    def __init__(self):
        self.first = {}
        self.readings = 0

    def note(self, job, result):
        self.readings += 1
        assert self.first.setdefault(job, result) == result, f"{job} has two results"


class Deferred:
    """Deferred completions over REST."""

    def __init__(self, gateway):
        self.gateway = gateway
        self.accepted = []

    def accept(self, index):
        answer = self.gateway.ask(
            "POST", "/v1/chat/completions",
            json=body(f"Job {index}.", deferred=True, max_tokens=40, temperature=1))
        assert answer.status_code == 200, answer.text
        self.accepted.append(answer.json()["request_id"])

    def read(self, results):
        """Reads each once; how many are still open."""
        pending = 0
        for job in list(self.accepted):
            answer = self.gateway.ask("GET", f"/v1/chat/deferred-completion/{job}")
            if answer.status_code == 202:
                assert job not in results.first, f"{job} had a result and lost it"
                pending += 1
                continue
            assert answer.status_code == 200, answer.text
            results.note(job, answer.content)
        return pending


class DeferredOverGRPC(Deferred):
    """Deferred completions over gRPC."""

    def accept(self, index):
        request = chat_pb2.GetCompletionsRequest(model="smollm2", max_tokens=40, temperature=1)
        message = request.messages.add(role=chat_pb2.ROLE_USER)
        message.content.add(text=f"Job {index}.")
        answer = self.gateway.call(chat_pb2_grpc.ChatStub, "StartDeferredCompletion", request)
        self.accepted.append(answer.request_id)

    def read(self, results):
        pending = 0
        for job in list(self.accepted):
            answer = self.gateway.call(
                chat_pb2_grpc.ChatStub, "GetDeferredCompletion",
                deferred_pb2.GetDeferredRequest(request_id=job))
            if answer.status == deferred_pb2.PENDING:
                assert job not in results.first, f"{job} had a result and lost it"
                pending += 1
                continue
            assert answer.status == deferred_pb2.DONE
            results.note(job, answer.response.SerializeToString(deterministic=True))
        return pending


class Batch:
    """Requests of one batch over REST. Their names make adding one again a refusal."""

    def __init__(self, gateway):
        self.gateway = gateway
        self.accepted = []
        answer = gateway.ask("POST", "/v1/batches", json={"name": "proof"})
        self.path = f"/v1/batches/{answer.json()['batch_id']}"

    def accept(self, index):
        request = body(f"Job {index}.", max_tokens=40, temperature=1)
        answer = self.gateway.ask("POST", self.path + "/requests", json={"batch_requests": [{
            "batch_request_id": str(index),
            "batch_request": {"chat_get_completion": request}}]})
        # The gateway was killed between the commit and the answer, perhaps.
        known = answer.status_code == 400 and "is there already" in answer.text
        assert answer.status_code == 200 or known, answer.text
        self.accepted.append(str(index))

    def results(self):
        token = None
        while True:
            query = {"limit": 50, **({"pagination_token": token} if token else {})}
            page = self.gateway.ask("GET", self.path + "/results", params=query).json()
            for entry in page["results"]:
                yield entry["batch_request_id"], entry["batch_result"]
            token = page["pagination_token"]
            if token is None:
                return

    def read(self, results):
        accepted = list(self.accepted)
        found = {}
        for name, result in self.results():
            assert name not in found, f"{name} is there twice"
            found[name] = result
            results.note((self.path, name), repr(result["response"]).encode())
        for name in accepted:
            assert name in found or (self.path, name) not in results.first, f"{name} was lost"
        return len(set(accepted) - set(found))


class BatchOverGRPC(Batch):
    """Requests of one batch over gRPC, read over REST."""

    def accept(self, index):
        request = batch_pb2.AddBatchRequestsRequest(batch_id=self.path.split("/")[-1])
        item = request.batch_requests.add(batch_request_id=str(index))
        item.completion_request.CopyFrom(
            chat_pb2.GetCompletionsRequest(model="smollm2", max_tokens=40, temperature=1))
        message = item.completion_request.messages.add(role=chat_pb2.ROLE_USER)
        message.content.add(text=f"Job {index}.")
        self.gateway.call(batch_pb2_grpc.BatchMgmtStub, "AddBatchRequests", request,
                          allowed="is there already")
        self.accepted.append(str(index))


def accept_all(sources, permits):
    for index in range(JOBS):
        permits.acquire()
        sources[index % len(sources)].accept(index)


def test_nothing_is_lost_and_nothing_is_done_twice(capsys):
    chance = random.Random(SEED)
    with tempfile.TemporaryDirectory(prefix="sy-") as directory:
        gateway = Gateway(directory)
        gateway.start()
        results = Results()
        sources = [kind(gateway) for kind in (Deferred, DeferredOverGRPC, Batch, BatchOverGRPC)]

        def read():
            return sum(source.read(results) for source in sources)

        permits = threading.Semaphore(0)
        writer = threading.Thread(target=accept_all, args=(sources, permits))
        began = time.monotonic()
        writer.start()
        at_kill = []
        try:
            for _ in range(KILLS):
                # So that there is work to be accepted and work to be done at each kill.
                permits.release(JOBS // KILLS)
                gateway.server.wait_ready()
                read()
                time.sleep(chance.uniform(0, 1.5))
                accepted = sum(len(source.accepted) for source in sources)
                at_kill.append(f"{len(results.first)}/{accepted}")
                gateway.kill()
                gateway.start()
            permits.release(JOBS)
            writer.join()
            end = time.monotonic() + 300
            while read() > 0:
                assert time.monotonic() < end, "not all jobs end"
                time.sleep(0.2)
            seconds = time.monotonic() - began
            for _ in range(3):
                assert read() == 0
        finally:
            permits.release(JOBS)
            writer.join()
            gateway.server.close()
    assert [len(set(source.accepted)) for source in sources] == [JOBS // 4] * 4
    assert len(results.first) == JOBS
    # Answers of different runs differ: two jobs never share one.
    assert len(set(results.first.values())) == JOBS
    with capsys.disabled():
        print(f"\n{JOBS} jobs, {KILLS} kills (SEED={SEED}); seen done/accepted at each kill: "
              f"{' '.join(at_kill)}; all done after {seconds:.1f} s, {results.readings} readings")
