import EngineProtocol
import Routing

/// What a worker says of itself. Connection loop → dispatcher.
struct WorkerReport: Sendable {
    /// All its work, whoever gave it; nil when it says nothing of it.
    var load: WorkerLoad?
    /// In order.
    var events: [EngineCacheEvent] = []
    /// Nothing that was said of the cache before holds any more.
    var forgetsCache = false

    var isEmpty: Bool { load == nil && events.isEmpty && !forgetsCache }
}

extension WorkerLoad {
    init(_ load: EngineLoad) {
        self.init(
            sequences: max(0, load.runningRequests) + max(0, load.waitingRequests),
            prefillTokens: max(0, load.waitingUncachedTokens),
            contextTokens: max(0, load.usedTokens))
    }

    /// All ranks of a data-parallel engine.
    init(_ loads: EngineLoads) {
        self = .none
        for rank in loads.ranks {
            let load = WorkerLoad(rank)
            sequences += load.sequences
            prefillTokens += load.prefillTokens
            contextTokens += load.contextTokens
        }
    }
}
