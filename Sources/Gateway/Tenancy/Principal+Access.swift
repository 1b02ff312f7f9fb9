import InferenceAPI
import Storage

/// What a principal may use.
struct Access: Sendable {
    /// All of them must have a name.
    var models: [NamePatterns] = []
    var endpoints: [NamePatterns] = []
    /// As they were configured, for who asks.
    var modelNames: [String]?
    var endpointNames: [String]?
    /// The only pools that its requests go to; empty: all but `closedPools`.
    var ownPools: Set<String> = []
    /// Other tenants'.
    var closedPools: Set<String> = []
    /// Nothing that it sends or gets is stored.
    var storesNothing = false

    static let all = Access()
}

extension Principal {
    /// Endpoints that tell a caller about themselves, which every key may ask.
    private static let open: Set<Endpoint.Operation> = [.apiKey, .me, .health, .openAPI]

    /// Endpoints that store what they get.
    private static let storing: Set<Endpoint.Operation> = [
        .createFile, .createBatch, .addBatchRequests,
    ]

    /// Throws `permissionDenied`, and `unsupported` for what may not be stored.
    func require(_ endpoint: Endpoint.Operation) throws(APIError) {
        if Self.storing.contains(endpoint) { try requireRetention() }
        guard !access.endpoints.isEmpty, !Self.open.contains(endpoint) else { return }
        guard access.endpoints.allSatisfy({ $0.matches(endpoint.rawValue) }) else {
            throw APIError(
                .permissionDenied, "This key may not use the endpoint \(endpoint.rawValue).")
        }
    }

    /// A model that was asked for by a name of its pool's.
    ///
    /// Throws `modelNotFound` for one that is another tenant's, `permissionDenied`.
    func require(model name: String, of pool: Pool) throws(APIError) {
        guard uses(pool) else { throw .modelNotFound(name) }
        guard allows(model: name) || allows(model: pool.model.name) else {
            throw APIError(
                .permissionDenied, "This key may not use the model `\(name.prefix(128))`.",
                parameter: "model")
        }
    }

    func allows(model name: String) -> Bool {
        access.models.allSatisfy { $0.matches(name) }
    }

    func uses(_ pool: Pool) -> Bool {
        access.ownPools.isEmpty
            ? !access.closedPools.contains(pool.name) : access.ownPools.contains(pool.name)
    }

    /// Sees all models.
    var isUnrestricted: Bool {
        access.models.isEmpty && access.ownPools.isEmpty && access.closedPools.isEmpty
    }

    /// Throws `unsupported` where nothing may be stored.
    func requireRetention() throws(APIError) {
        guard access.storesNothing else { return }
        throw APIError(
            .unsupported, "Nothing is stored for this tenant: its retention is zero.")
    }
}

extension FaceRequest {
    /// As if it had not asked that its answer be stored.
    mutating func storeNothing() {
        chat.isStored = false
        guard var responses = format as? ResponsesFormat else { return }
        responses.isStored = false
        format = responses
    }
}
