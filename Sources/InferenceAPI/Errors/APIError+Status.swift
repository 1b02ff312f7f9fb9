/// gRPC status codes that errors map to (gRPC core, "Status codes and their use").
package enum APIErrorGRPCCode: Int, Hashable, Sendable {
    case cancelled = 1
    case invalidArgument = 3
    case deadlineExceeded = 4
    case notFound = 5
    case permissionDenied = 7
    case resourceExhausted = 8
    case unimplemented = 12
    case `internal` = 13
    case unavailable = 14
    case unauthenticated = 16
}

/// What `x-should-retry` says; openai-python and anthropic-python let it win over the status.
package enum APIErrorRetry: Hashable, Sendable {
    /// The header is left out: the status speaks for itself.
    case byStatus
    /// `x-should-retry: false`: the same request would fail again, or would do harm.
    case never
    /// The header is left out and `retry-after` is always sent; the value is the default.
    case after(milliseconds: Int)
}

/// One row of the table: how one kind of error looks on every face.
package struct APIErrorStatus: Hashable, Sendable {
    package var http: Int
    /// `error.type` of OpenAI's object.
    package var type: String
    /// `error.code` of OpenAI's object; nil where OpenAI has none.
    package var code: String?
    package var grpc: APIErrorGRPCCode
    package var retry: APIErrorRetry
}

extension APIErrorKind {
    /// Not the caller's fault: ours, a worker's or the fleet's.
    package var isServerFault: Bool { status.http >= 500 }
    /// A limit or budget of the caller's own.
    package var isCallersLimit: Bool { status.http == 429 }
    /// The fleet could not take it; the request itself is well.
    package var isFleetState: Bool { status.http == 503 }

    /// The single table from a kind to status numbers (API.md §2.5).
    ///
    /// 429 is always the caller's own limit, 503 always the fleet's state.
    package var status: APIErrorStatus {
        switch self {
        case .malformedJSON: .request(400, "invalid_json", .invalidArgument)
        case .invalidType: .request(400, "invalid_type", .invalidArgument)
        case .invalidValue: .request(400, "invalid_value", .invalidArgument)
        case .missingParameter:
            .request(400, "missing_required_parameter", .invalidArgument)
        case .unsupported: .request(400, "unsupported_parameter", .invalidArgument)
        case .contextLengthExceeded:
            .request(400, "context_length_exceeded", .invalidArgument)
        case .invalidHeader: .request(400, "invalid_header", .invalidArgument)
        case .unauthenticated: .caller(401, "authentication_error", nil, .unauthenticated)
        case .invalidKey:
            .caller(401, "authentication_error", "invalid_api_key", .unauthenticated)
        case .permissionDenied:
            .caller(403, "permission_error", "permission_denied", .permissionDenied)
        case .modelNotFound: .request(404, "model_not_found", .notFound)
        case .resourceNotFound: .request(404, "not_found", .notFound)
        case .routeNotFound: .request(404, "unknown_url", .unimplemented)
        case .methodNotAllowed: .request(405, "method_not_allowed", .unimplemented)
        case .unsupportedMediaType:
            .request(415, "unsupported_media_type", .invalidArgument)
        case .payloadTooLarge: .request(413, "request_too_large", .resourceExhausted)
        case .requestTimeout: .request(408, "request_timeout", .deadlineExceeded)
        case .rateLimited: .limit("rate_limit_exceeded", .after(milliseconds: 1_000))
        case .concurrencyLimited:
            .limit("concurrency_limit_exceeded", .after(milliseconds: 1_000))
        case .budgetExhausted: .limit("insufficient_quota", .never)
        case .queueFull: .fleet("queue_full", 1_000)
        case .waitTooLong: .fleet("wait_too_long", 2_000)
        case .noWorker: .fleet("no_worker", 2_000)
        case .draining: .fleet("draining", 1_000)
        case .workerLost: .fleet("worker_lost", 1_000)
        case .workerFailed: .server(500, "worker_failed", .internal)
        case .deadlineExceeded: .server(504, "deadline_exceeded", .deadlineExceeded)
        case .clientClosed: .request(499, "client_closed", .cancelled)
        case .internal: .server(500, "internal_error", .internal)
        }
    }
}

extension APIErrorStatus {
    fileprivate static func request(
        _ http: Int, _ code: String, _ grpc: APIErrorGRPCCode
    ) -> APIErrorStatus {
        APIErrorStatus(
            http: http, type: "invalid_request_error", code: code, grpc: grpc, retry: .byStatus)
    }

    fileprivate static func caller(
        _ http: Int, _ type: String, _ code: String?, _ grpc: APIErrorGRPCCode
    ) -> APIErrorStatus {
        APIErrorStatus(http: http, type: type, code: code, grpc: grpc, retry: .byStatus)
    }

    fileprivate static func limit(_ code: String, _ retry: APIErrorRetry) -> APIErrorStatus {
        APIErrorStatus(
            http: 429, type: "rate_limit_error", code: code, grpc: .resourceExhausted,
            retry: retry)
    }

    fileprivate static func fleet(_ code: String, _ milliseconds: Int) -> APIErrorStatus {
        APIErrorStatus(
            http: 503, type: "overloaded_error", code: code, grpc: .unavailable,
            retry: .after(milliseconds: milliseconds))
    }

    /// 5xx that must not be repeated by the SDKs on their own.
    fileprivate static func server(
        _ http: Int, _ code: String, _ grpc: APIErrorGRPCCode
    ) -> APIErrorStatus {
        APIErrorStatus(http: http, type: "server_error", code: code, grpc: grpc, retry: .never)
    }
}

/// The columns of Anthropic's faces ("Errors" in its API reference).
extension APIErrorStatus {
    /// As for the others, but for the fleet's state.
    package var anthropicHTTP: Int { http == 503 ? 529 : http }

    /// `error.type`.
    package var anthropicType: String {
        switch http {
        case 401: "authentication_error"
        case 403: "permission_error"
        case 404: "not_found_error"
        case 413: "request_too_large"
        case 429: "rate_limit_error"
        case 503: "overloaded_error"
        case 504: "timeout_error"
        case 500...: "api_error"
        default: "invalid_request_error"
        }
    }
}
