/// Work that was accepted and whose result is fetched later.
///
/// ```
///              ┌────────── release (try again later), process ended ──────────┐
///              ▼                                                               │
///   accept ─► pending ──claim──► running ──finish──► succeeded | failed        │
///              │                   └───────────────────────────────────────────┘
///              └── cancel, expiry ──► cancelled | failed       (also while running)
/// ```
package struct Job: Hashable, Sendable {
    package enum Kind: String, Hashable, Sendable {
        case deferred
        /// A response in the background; its id is the response's.
        case background
        /// A batch's request.
        case batch
    }

    package enum State: String, Hashable, Sendable {
        case pending, running, succeeded, failed, cancelled

        package var isFinal: Bool {
            switch self {
            case .pending, .running: false
            case .succeeded, .failed, .cancelled: true
            }
        }
    }

    /// Order of acceptance.
    package var sequence: Int64
    package var id: String
    package var owner: Owner
    /// As `ServiceTier` names it.
    package var tier: String
    package var kind: Kind
    /// Whose face's `decode` reads `body`.
    package var face: String
    package var body: [UInt8]
    /// As the body names it.
    package var model: String
    package var state: State
    /// Times that it was begun.
    package var attempts: Int
    /// Unix milliseconds.
    package var createdMilliseconds: Int64
    package var finishedMilliseconds: Int64?
    /// What came out: an answer, or an error when `state` is `failed`. In the gateway's own form.
    package var result: [UInt8]?
    /// Of a batch's request: the batch, and the client's name for the request.
    package var batchID: String?
    package var name: String?
}

/// A job that is to be accepted.
package struct NewJob: Hashable, Sendable {
    package var id: String
    package var owner: Owner
    package var tier: String
    package var kind: Job.Kind
    package var face: String
    package var body: [UInt8]
    package var model: String

    package init(
        id: String, owner: Owner, tier: String, kind: Job.Kind, face: String, body: [UInt8],
        model: String
    ) {
        self.id = id
        self.owner = owner
        self.tier = tier
        self.kind = kind
        self.face = face
        self.body = body
        self.model = model
    }
}

/// How a job ended.
package struct JobOutcome: Hashable, Sendable {
    package var succeeded: Bool
    package var result: [UInt8]

    package init(succeeded: Bool, result: [UInt8]) {
        self.succeeded = succeeded
        self.result = result
    }
}
