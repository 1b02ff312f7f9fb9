import Routing

/// What an operator sees of a worker.
struct WorkerStatus: Hashable, Sendable, Encodable {
    enum State: String, Sendable, Encodable {
        /// No link yet.
        case connecting
        case ready
        /// It was ready; its links are tried again.
        case lost
        /// It gets no new requests; some still run there.
        case draining
        /// It gets no new requests, and none runs there.
        case drained
    }

    /// Whether it is kept from requests because it failed some.
    enum Breaker: String, Sendable, Encodable {
        case closed
        case halfOpen = "half_open"
        case open
    }

    /// `WorkerID.number`; never used again by this gateway.
    var id: UInt32
    var pool: String
    /// `unix:/path` or `host:port`.
    var endpoint: String
    var state: State
    var breaker: Breaker
    var slots: Int
    /// Choices that run or wait there.
    var inFlight: Int
    /// Requests of others that it reports to have besides.
    var otherInFlight: Int
    /// How much of the pool's work it takes, in proportion to the others.
    var weight: Double = 1
    /// Nil for a worker that this gateway does not supervise.
    var process: WorkerProcessStatus?

    enum CodingKeys: String, CodingKey {
        case id, pool, endpoint, state, breaker, slots, weight, process
        case inFlight = "in_flight"
        case otherInFlight = "other_in_flight"
    }
}

/// What an operator sees of a supervised worker's process.
struct WorkerProcessStatus: Hashable, Sendable, Encodable {
    /// The supervisor's number, the same over restarts.
    var index: Int
    /// Nil between two lives.
    var pid: Int32?
    var restarts: Int
}

extension WorkerStatus.Breaker {
    init(_ state: WorkerBreaker.State) {
        self =
            switch state {
            case .closed: .closed
            case .halfOpen: .halfOpen
            case .open: .open
            }
    }
}
