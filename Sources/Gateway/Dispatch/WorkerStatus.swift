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

    /// `WorkerID.number`; never used again by this gateway.
    var id: UInt32
    var pool: String
    /// `unix:/path` or `host:port`.
    var endpoint: String
    var state: State
    var slots: Int
    /// Choices that run or wait there.
    var inFlight: Int
    /// How much of the pool's work it takes, in proportion to the others.
    var weight: Double = 1
    /// Nil for a worker that this gateway does not supervise.
    var process: WorkerProcessStatus?

    enum CodingKeys: String, CodingKey {
        case id, pool, endpoint, state, slots, weight, process
        case inFlight = "in_flight"
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
