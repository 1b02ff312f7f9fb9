/// Everything that a client can see go wrong, before it has a face (HTTP, SSE or gRPC).
///
/// Cases carry no data: what varies between two errors of one kind is in `APIError`. The raw value
/// is the metric label and the machine-readable refusal reason in logs. `APIError+Status.swift` is
/// the only table from a kind to status numbers.
package enum APIErrorKind: String, CaseIterable, Hashable, Sendable {
    // The request itself.
    /// The body is not JSON (RFC 8259), or not UTF-8.
    case malformedJSON = "malformed_json"
    /// A field has the wrong JSON type.
    case invalidType = "invalid_type"
    /// A field's value is out of its range or set.
    case invalidValue = "invalid_value"
    /// A required field is missing.
    case missingParameter = "missing_parameter"
    /// A field or value that is known, and that this server does not honour.
    case unsupported = "unsupported"
    /// The prompt leaves no room in the model's context.
    case contextLengthExceeded = "context_length_exceeded"
    /// A header whose value cannot be used.
    case invalidHeader = "invalid_header"

    // Who asks.
    /// No credentials, or in no form that we read.
    case unauthenticated = "unauthenticated"
    /// Credentials that nobody has.
    case invalidKey = "invalid_key"
    /// The key is blocked, or may not use this model or endpoint.
    case permissionDenied = "permission_denied"

    // What is asked for.
    case modelNotFound = "model_not_found"
    /// An unknown stored response, deferred completion, file or batch.
    case resourceNotFound = "resource_not_found"
    case routeNotFound = "route_not_found"
    case methodNotAllowed = "method_not_allowed"
    case unsupportedMediaType = "unsupported_media_type"
    case payloadTooLarge = "payload_too_large"
    /// The body arrived too slowly.
    case requestTimeout = "request_timeout"

    // The caller's own limits.
    /// Requests or tokens per time.
    case rateLimited = "rate_limited"
    /// Requests at once.
    case concurrencyLimited = "concurrency_limited"
    /// The budget is spent.
    case budgetExhausted = "budget_exhausted"

    // The fleet's state.
    case queueFull = "queue_full"
    /// The predicted wait is longer than the request may wait.
    case waitTooLong = "wait_too_long"
    case noWorker = "no_worker"
    case draining = "draining"
    /// The worker's process or its link died while it served this request.
    case workerLost = "worker_lost"
    /// The worker answered with an error of its own.
    case workerFailed = "worker_failed"
    /// The deadline passed while waiting or running.
    case deadlineExceeded = "deadline_exceeded"

    // Neither.
    /// The client went away; seen only in logs and metrics.
    case clientClosed = "client_closed"
    /// A broken invariant of ours that did not have to end the process.
    case `internal` = "internal"
}

/// A refusal or failure that the client is told of, on whichever face it speaks.
package struct APIError: Error, Hashable, Sendable {
    package var kind: APIErrorKind
    /// A sentence for people. Never contains prompt text or keys.
    package var message: String
    /// The parameter at fault as a path (`messages[2].content`), or nil.
    package var parameter: String?
    /// Milliseconds until a retry may help. Only shown for kinds whose row says so; those send
    /// their row's default when this is nil.
    package var retryAfterMilliseconds: Int?
    /// Methods for the `allow` field of `methodNotAllowed`, comma separated.
    package var allowedMethods: String?

    package init(
        _ kind: APIErrorKind, _ message: String, parameter: String? = nil,
        retryAfterMilliseconds: Int? = nil
    ) {
        self.kind = kind
        self.message = message
        self.parameter = parameter
        self.retryAfterMilliseconds = retryAfterMilliseconds
    }
}

extension APIError {
    /// An unknown model name; 404, as OpenAI words it.
    package static func modelNotFound(_ model: String) -> APIError {
        APIError(
            .modelNotFound,
            "The model `\(model.prefix(128))` does not exist or you do not have access to it.",
            parameter: "model")
    }

    /// A prompt that does not fit (trap 20: never truncated in silence).
    ///
    /// `requestedTokens` is what `max_tokens` asked for on top of the prompt, 0 when it is absent.
    package static func contextLengthExceeded(
        promptTokens: Int, requestedTokens: Int, contextTokens: Int
    ) -> APIError {
        let total = promptTokens + requestedTokens
        let parts =
            requestedTokens > 0
            ? "\(promptTokens) in the messages, \(requestedTokens) in the completion"
            : "\(promptTokens) in the messages"
        return APIError(
            .contextLengthExceeded,
            "This model's maximum context length is \(contextTokens) tokens. "
                + "However, you requested \(total) tokens (\(parts)).",
            parameter: "messages")
    }

    package static func methodNotAllowed(_ method: String, allowed: String) -> APIError {
        var error = APIError(
            .methodNotAllowed, "Method \(method.prefix(32)) is not allowed here; use \(allowed).")
        error.allowedMethods = allowed
        return error
    }
}
