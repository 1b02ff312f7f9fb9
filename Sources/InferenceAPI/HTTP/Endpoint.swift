/// What a request on the API port is for.
package enum Endpoint: Hashable, Sendable {
    /// `POST /v1/chat/completions`
    case chatCompletions
    /// `GET /v1/chat/deferred-completion/{request_id}`
    case deferredCompletion(id: String)
    /// `GET /v1/models`
    case models
    /// `GET /v1/models/{id}`; the id is a name or an alias and may hold slashes.
    case model(id: String)
    /// `GET /health`, for load balancers and for gateways that have this one as an upstream.
    case health

    /// The endpoint's name in logs and metric labels: a closed set, never a raw path.
    package var label: StaticString {
        switch self {
        case .chatCompletions: "chat_completions"
        case .deferredCompletion: "deferred_completion"
        case .models: "models"
        case .model: "model"
        case .health: "health"
        }
    }
}

extension Endpoint {
    fileprivate struct Row {
        var path: String
        var method: String
        /// Whether the path goes on with an id that must not be empty.
        var takesID: Bool
        var make: @Sendable (String) -> Endpoint
    }

    /// The endpoint table. `GET` includes `HEAD`.
    private static let table: [Row] = [
        Row(path: "/v1/chat/completions", method: "POST", takesID: false) { _ in
            .chatCompletions
        },
        Row(path: "/v1/chat/deferred-completion/", method: "GET", takesID: true) {
            .deferredCompletion(id: $0)
        },
        Row(path: "/v1/models", method: "GET", takesID: false) { _ in .models },
        Row(path: "/v1/models/", method: "GET", takesID: true) { .model(id: $0) },
        Row(path: "/health", method: "GET", takesID: false) { _ in .health },
    ]

    /// Finds the endpoint of a request. The query is ignored, and so is one slash at the end;
    /// methods are case-sensitive (RFC 9110 §9.1).
    ///
    /// Throws `routeNotFound` for a path that no row has, `methodNotAllowed` (with `allow`) for a
    /// method that the path's row has not.
    package static func match(
        method: String, path target: String
    ) throws(APIError) -> Endpoint {
        var path = Substring(target)
        if let query = path.utf8.firstIndex(of: UInt8(ascii: "?")) { path = path[..<query] }
        if path.utf8.count > 1, path.utf8.last == UInt8(ascii: "/") { path.removeLast() }
        for row in table {
            guard let endpoint = row.match(path) else { continue }
            guard row.allows(method) else {
                throw .methodNotAllowed(method, allowed: row.allowed)
            }
            return endpoint
        }
        throw APIError(.routeNotFound, "There is nothing at this URL.")
    }
}

extension Endpoint.Row {
    func match(_ path: Substring) -> Endpoint? {
        // The table's paths are ASCII, so bytes are compared, and a byte count is a length.
        let length = self.path.utf8.count
        guard takesID else {
            return path.utf8.count == length && path.utf8.elementsEqual(self.path.utf8)
                ? make("") : nil
        }
        guard path.utf8.count > length, path.utf8.starts(with: self.path.utf8) else { return nil }
        return PercentEncoding.decode(Substring(path.utf8.dropFirst(length))).map(make)
    }

    var allowed: String {
        method == "GET" ? "GET, HEAD" : method
    }

    func allows(_ method: String) -> Bool {
        method == self.method || method == "HEAD" && self.method == "GET"
    }
}
