import NIOCore
import Testing

@testable import InferenceAPI

@Suite struct APIErrorTests {
    /// Every kind through every column. A new kind has to be added here by hand.
    static let table: [(APIErrorKind, Int, String, String?, APIErrorGRPCCode, APIErrorRetry)] = [
        (.malformedJSON, 400, "invalid_request_error", "invalid_json", .invalidArgument, .byStatus),
        (.invalidType, 400, "invalid_request_error", "invalid_type", .invalidArgument, .byStatus),
        (.invalidValue, 400, "invalid_request_error", "invalid_value", .invalidArgument, .byStatus),
        (
            .missingParameter, 400, "invalid_request_error", "missing_required_parameter",
            .invalidArgument, .byStatus
        ),
        (
            .unsupported, 400, "invalid_request_error", "unsupported_parameter", .invalidArgument,
            .byStatus
        ),
        (
            .contextLengthExceeded, 400, "invalid_request_error", "context_length_exceeded",
            .invalidArgument, .byStatus
        ),
        (
            .invalidHeader, 400, "invalid_request_error", "invalid_header", .invalidArgument,
            .byStatus
        ),
        (.unauthenticated, 401, "authentication_error", nil, .unauthenticated, .byStatus),
        (
            .invalidKey, 401, "authentication_error", "invalid_api_key", .unauthenticated,
            .byStatus
        ),
        (
            .permissionDenied, 403, "permission_error", "permission_denied", .permissionDenied,
            .byStatus
        ),
        (.modelNotFound, 404, "invalid_request_error", "model_not_found", .notFound, .byStatus),
        (.resourceNotFound, 404, "invalid_request_error", "not_found", .notFound, .byStatus),
        (.routeNotFound, 404, "invalid_request_error", "unknown_url", .unimplemented, .byStatus),
        (
            .methodNotAllowed, 405, "invalid_request_error", "method_not_allowed", .unimplemented,
            .byStatus
        ),
        (
            .unsupportedMediaType, 415, "invalid_request_error", "unsupported_media_type",
            .invalidArgument, .byStatus
        ),
        (
            .payloadTooLarge, 413, "invalid_request_error", "request_too_large",
            .resourceExhausted, .byStatus
        ),
        (
            .requestTimeout, 408, "invalid_request_error", "request_timeout", .deadlineExceeded,
            .byStatus
        ),
        (
            .rateLimited, 429, "rate_limit_error", "rate_limit_exceeded", .resourceExhausted,
            .after(milliseconds: 1_000)
        ),
        (
            .concurrencyLimited, 429, "rate_limit_error", "concurrency_limit_exceeded",
            .resourceExhausted, .after(milliseconds: 1_000)
        ),
        (
            .budgetExhausted, 429, "rate_limit_error", "insufficient_quota", .resourceExhausted,
            .never
        ),
        (
            .queueFull, 503, "overloaded_error", "queue_full", .unavailable,
            .after(milliseconds: 1_000)
        ),
        (
            .waitTooLong, 503, "overloaded_error", "wait_too_long", .unavailable,
            .after(milliseconds: 2_000)
        ),
        (
            .noWorker, 503, "overloaded_error", "no_worker", .unavailable,
            .after(milliseconds: 2_000)
        ),
        (
            .draining, 503, "overloaded_error", "draining", .unavailable,
            .after(milliseconds: 1_000)
        ),
        (
            .workerLost, 503, "overloaded_error", "worker_lost", .unavailable,
            .after(milliseconds: 1_000)
        ),
        (.workerFailed, 500, "server_error", "worker_failed", .internal, .never),
        (.deadlineExceeded, 504, "server_error", "deadline_exceeded", .deadlineExceeded, .never),
        (.clientClosed, 499, "invalid_request_error", "client_closed", .cancelled, .byStatus),
        (.internal, 500, "server_error", "internal_error", .internal, .never),
    ]

    @Test func everyKindHasItsRow() {
        #expect(Self.table.map(\.0) == APIErrorKind.allCases)
        for (kind, http, type, code, grpc, retry) in Self.table {
            let status = APIErrorStatus(
                http: http, type: type, code: code, grpc: grpc, retry: retry)
            #expect(kind.status == status, "\(kind)")
        }
    }

    @Test func everyKindRenders() throws {
        for kind in APIErrorKind.allCases {
            let error = APIError(kind, "message \"\(kind)\"\n", parameter: "a.b")
            let body = written { error.writeBody(into: &$0) }
            let value = try JSONValue(parsing: body)["error"]
            #expect(value?.keys == ["message", "type", "param", "code"])
            #expect(value?["param"] == .string("a.b"))
            #expect(written { error.writeEvent(into: &$0) } == "data: " + body + "\n\n")
        }
    }

    @Test func equalsTheGoldenFile() throws {
        let error = APIError(
            .missingParameter, "'messages[2].content': Missing \"x\".",
            parameter: "messages[2].content")
        #expect(try written { error.writeBody(into: &$0) } == Fixture.text("error.json"))
    }

    func field(_ name: String, of error: APIError) -> String? {
        let values = error.httpFields.filter { $0.name == name }.map(\.value)
        #expect(values.count <= 1)
        return values.first
    }

    @Test func refusalsForLoadSayWhenToComeBack() {
        for kind in APIErrorKind.allCases where kind.status.http == 503 {
            #expect(field("retry-after", of: APIError(kind, "")) != nil)
            #expect(field("retry-after-ms", of: APIError(kind, "")) != nil)
            #expect(field("x-should-retry", of: APIError(kind, "")) == nil)
        }
        let error = APIError(.rateLimited, "", retryAfterMilliseconds: 1_001)
        #expect(field("retry-after", of: error) == "2")
        #expect(field("retry-after-ms", of: error) == "1001")
        let now = APIError(.rateLimited, "", retryAfterMilliseconds: 0)
        #expect(field("retry-after", of: now) == "1")
        #expect(field("retry-after-ms", of: now) == "1")
    }

    @Test func failuresThatWouldRepeatForbidRetries() {
        for kind in [APIErrorKind.internal, .workerFailed, .deadlineExceeded, .budgetExhausted] {
            #expect(field("x-should-retry", of: APIError(kind, "")) == "false")
            #expect(field("retry-after", of: APIError(kind, "")) == nil)
        }
    }

    @Test func challengesAndAllowedMethodsAreNamed() {
        #expect(field("www-authenticate", of: APIError(.invalidKey, "")) == "Bearer")
        #expect(field("www-authenticate", of: APIError(.permissionDenied, "")) == nil)
        let error = APIError.methodNotAllowed("PUT", allowed: "GET, HEAD")
        #expect(field("allow", of: error) == "GET, HEAD")
        #expect(field("content-type", of: error) == "application/json")
    }

    @Test func trap20_overlongPromptsAreRefusedByName() {
        let error = APIError.contextLengthExceeded(
            promptTokens: 9_000, requestedTokens: 100, contextTokens: 8_192)
        #expect(error.httpStatus == 400)
        #expect(error.kind.status.code == "context_length_exceeded")
        #expect(error.parameter == "messages")
        #expect(error.message.contains("9100 tokens"))
        let prompt = APIError.contextLengthExceeded(
            promptTokens: 9_000, requestedTokens: 0, contextTokens: 8_192)
        #expect(!prompt.message.contains("completion"))
    }
}
