import EngineProtocol
import HTTPTransport
import InferenceTypes
import Logging
import NIOCore
import Routing

/// The pool's workers: they come, drain, report their links and go.
extension Dispatcher {
    func addWorker(_ endpoint: HTTPEndpoint, weight: Double = 1) -> WorkerID {
        let id = commons.nextWorker()
        workers[id] = WorkerEntry(endpoint: endpoint, linked: loops.map { _ in false })
        // The slots are known once the first link has asked the worker.
        fleet.add(id, slots: 1, weight: weight, rates: rates.pool)
        workerOrder.append(id)
        health.add(id)
        broadcast(.workerAdded(id, endpoint))
        settle()
        return id
    }

    /// What runs there goes on elsewhere.
    func removeWorker(_ id: WorkerID) {
        guard let entry = workers.removeValue(forKey: id) else { return }
        entry.drain?.deadline.cancel()
        entry.drain?.whenDone?()
        draining.remove(id)
        fleet.remove(id)
        rates.remove(id)
        workerOrder.removeAll { $0 == id }
        health.remove(id)
        readinessChanged()
        broadcast(.workerRemoved(id))
        settle()
    }

    func removeAllWorkers() {
        for id in workers.keys.sorted() { removeWorker(id) }
    }

    /// No new requests from now on; what runs has until the deadline and then goes on elsewhere.
    /// `whenDone` is called when nothing runs there any more. False when there is no such worker,
    /// or somebody waits for its end already.
    func drainWorker(
        _ id: WorkerID, seconds: Int, whenDone: (@Sendable () -> Void)? = nil
    ) -> Bool {
        guard let entry = workers[id], entry.drain?.whenDone == nil else { return false }
        entry.drain?.deadline.cancel()
        let bound = NIOLoopBound(self, eventLoop: loop)
        let deadline = loop.scheduleTask(in: .seconds(Int64(seconds))) {
            bound.value.evict(id)
        }
        workers[id]?.drain = Drain(deadline: deadline, whenDone: whenDone)
        draining.insert(id)
        fleet.setDraining(id, true)
        logger.notice(
            "worker drains", metadata: ["worker": "\(id.number)", "seconds": "\(seconds)"])
        readinessChanged()
        settle()
        return true
    }

    /// The worker gets requests again. False when there is no such worker, or it drains because it
    /// is about to end.
    func undrainWorker(_ id: WorkerID) -> Bool {
        guard let entry = workers[id], entry.drain?.whenDone == nil else { return false }
        entry.drain?.deadline.cancel()
        workers[id]?.drain = nil
        draining.remove(id)
        fleet.setDraining(id, false)
        readinessChanged()
        place(now: clock())
        settle()
        return true
    }

    private func evict(_ id: WorkerID) {
        guard workers[id]?.drain != nil else { return }
        broadcast(.workerEvicted(id))
        settle()
    }

    func completeDrains() {
        guard !draining.isEmpty else { return }
        for id in draining.sorted() where fleet.worker(id)?.inFlight == 0 {
            guard let done = workers[id]?.drain?.whenDone else { continue }
            workers[id]?.drain?.whenDone = nil
            done()
        }
    }

    /// Nil when there is no such worker.
    func endpoint(of id: WorkerID) -> HTTPEndpoint? { workers[id]?.endpoint }

    /// How much of the work it takes from now on. False when there is no such worker.
    func setWeight(_ id: WorkerID, _ weight: Double) -> Bool {
        fleet.setWeight(id, weight)
        return workers[id] != nil
    }

    /// All workers, by id.
    func workerList() -> [WorkerStatus] {
        list(fleet.workers)
    }

    func list(_ listed: [Fleet.Worker]) -> [WorkerStatus] {
        listed.map { worker in
            let entry = workers[worker.id]
            let state: WorkerStatus.State =
                if entry?.drain != nil {
                    worker.inFlight == 0 ? .drained : .draining
                } else if worker.isReady {
                    .ready
                } else {
                    entry?.wasEverReady == true ? .lost : .connecting
                }
            return WorkerStatus(
                id: worker.id.number, pool: pool.name, endpoint: entry?.endpoint.text ?? "",
                state: state, breaker: .init(health.state(of: worker.id)), slots: worker.slots,
                inFlight: worker.inFlight, otherInFlight: worker.otherLoad.sequences,
                weight: worker.weight)
        }
    }

    func report(_ report: LinkReport, of id: WorkerID, from loop: Int) {
        guard let entry = workers[id] else { return }
        let wasReady = entry.isReady
        switch report {
        case .up(let slots, let started):
            if entry.wasEverReady, !wasReady, !entry.isSameProcess(startedAt: started) {
                fleet.clearPrefixes(of: id)
            }
            workers[id]?.started = started
            workers[id]?.linked[loop] = true
            fleet.setReady(id, workers[id]?.isReady ?? false, slots: slots)
        case .down:
            workers[id]?.linked[loop] = false
            if wasReady { workers[id]?.lost = clock() }
            fleet.setReady(id, false)
            forgetReports(of: id)
        }
        let isReady = workers[id]?.isReady ?? false
        if isReady { workers[id]?.wasEverReady = true }
        if wasReady != isReady {
            if isReady { health.becameReady(id) }
            logger.info(
                isReady ? "worker ready" : "worker lost",
                metadata: ["worker": "\(id.number)", "endpoint": "\(entry.endpoint)"])
            readinessChanged()
        }
        place(now: clock())
        settle()
    }
}
