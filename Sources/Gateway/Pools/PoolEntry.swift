import HTTPTransport
import InferenceTypes

/// One life of a pool as the directory knows it: from its start to the end of its last request.
struct PoolEntry {
    let pool: Pool
    let file: ModelFile
    var model: ModelSettings
    var settings: PoolSettings
    /// Nil for a pool that starts no workers.
    let supervised: SupervisedPool?
    /// Workers of the configuration, listed or looked up.
    let discovered: DiscoveredWorkers
    /// Workers that registered at run time, in order.
    var registered: [WorkerSettings] = []
    /// Some worker has taken requests.
    var wasReady = false
    var isRetiring = false

    /// Whether new settings can be had without other workers.
    func canBecome(_ settings: PoolSettings, _ file: ModelFile) -> Bool {
        file == self.file && settings.kind == self.settings.kind
            && settings.supervised?.commandLine == self.settings.supervised?.commandLine
    }
}

/// What an operator sees of a pool.
struct PoolStatus: Hashable, Sendable, Encodable {
    enum State: String, Sendable, Encodable {
        /// No worker has taken requests yet.
        case starting
        case ready
        /// Ready once, and no worker takes requests now.
        case unready
        /// Its model was swapped or unloaded; what it has may end.
        case retiring
    }

    var name: String
    var model: String
    var path: String?
    var kind: String
    var policy: String
    var state: State
    /// Wanted processes; nil for a pool that starts none.
    var workers: Int?
    var readyWorkers: Int
    var readySlots: Int
    var inFlight: Int
    var waiting: Int

    enum CodingKeys: String, CodingKey {
        case name, model, path, kind, policy, state, workers, waiting
        case readyWorkers = "ready_workers"
        case readySlots = "ready_slots"
        case inFlight = "in_flight"
    }
}
