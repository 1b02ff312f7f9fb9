import EngineProtocol
import InferenceTypes
import Routing

/// What workers report of themselves: the work of others, and what their caches hold.
extension Dispatcher {
    func reported(_ report: WorkerReport, of id: WorkerID) {
        guard workers[id] != nil, let worker = fleet.worker(id), worker.isReady else { return }
        if let load = report.load {
            let other = workers[id]?.otherLoad.take(reported: load, own: worker.ownLoad) ?? .none
            fleet.setOtherLoad(id, other)
        }
        if report.forgetsCache { fleet.clearPrefixes(of: id) }
        for event in report.events { apply(event, of: id) }
        if fleet.hasRoom, !queue.isEmpty { place(now: clock()) }
        settle()
    }

    private func apply(_ event: EngineCacheEvent, of id: WorkerID) {
        switch event {
        case .cleared: fleet.clearPrefixes(of: id)
        case .removed(let hashes): fleet.cacheRemoved(hashes, of: id)
        case .stored(let stored):
            // Hashes without a salt are not of our making, and would mean nothing here.
            guard stored.salt != nil, stored.blockTokens == fleet.configuration.prefix.blockTokens
            else { return }
            fleet.cacheStored(stored.blocks.map(\.hash), by: id)
        }
    }

    /// What was reported of a worker whose link is lost holds no more.
    func forgetReports(of id: WorkerID) {
        workers[id]?.otherLoad = OtherLoadEstimate()
        fleet.setOtherLoad(id, .none)
    }
}
