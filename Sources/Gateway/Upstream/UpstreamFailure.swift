import HTTPTransport
import InferenceAPI
import Routing

/// Why a request at an upstream ended without an answer.
enum UpstreamFailure: Error {
    /// The request is at fault: another upstream would say the same.
    case rejected(APIError)
    /// It has too much to do: another one may not.
    case busy(retryAfterMilliseconds: Int?)
    /// It answered with an error of its own, or with what is no answer.
    case failed(String)
    /// Its answer stopped in the middle.
    case cut(String)
    /// The connection broke, there was none, or the upstream does not answer.
    case lost(String)

    /// What an answer other than 200 says.
    ///
    /// | Status | Here |
    /// |---|---|
    /// | 429, 503 | busy |
    /// | 408, 425, 5xx | failed |
    /// | 401, 403, 404, 405, 407 | failed: the gateway's own key or address is wrong |
    /// | 413 | rejected as too large |
    /// | other 4xx | rejected as invalid, with the upstream's words |
    init(status: Int, fields: HTTPFields, error: UpstreamError?) {
        switch status {
        case 429, 503:
            self = .busy(retryAfterMilliseconds: Self.retryAfter(fields))
        case 400...499 where ![401, 403, 404, 405, 407, 408, 425].contains(status):
            self = .rejected(Self.rejection(status: status, error))
        default:
            self = .failed("the upstream answered \(status)")
        }
    }

    /// An error in the middle of a stream, or in the place of an answer.
    init(_ error: UpstreamError) {
        let isRequests =
            error.isContextExceeded || error.type == "invalid_request_error"
            || error.status.map { (400...499).contains($0) } ?? false
        if let status = error.status, isRequests {
            self.init(status: status, fields: HTTPFields(), error: error)
        } else if isRequests {
            self = .rejected(Self.rejection(status: 0, error))
        } else {
            self = .failed("the upstream's stream has an error")
        }
    }

    private static func rejection(status: Int, _ error: UpstreamError?) -> APIError {
        let kind: APIErrorKind =
            if error?.isContextExceeded == true {
                .contextLengthExceeded
            } else if status == 413 {
                .payloadTooLarge
            } else {
                // The upstream's own word, where it is one of ours.
                APIErrorKind.allCases.first {
                    $0.status.http == 400 && $0.status.code == error?.code && error?.code != nil
                } ?? .invalidValue
            }
        let message = error?.message ?? ""
        return APIError(
            kind, message.isEmpty ? "The model's server refused the request." : message,
            parameter: error?.parameter)
    }

    /// `retry-after-ms`, or `retry-after` in seconds; dates are not looked at.
    private static func retryAfter(_ fields: HTTPFields) -> Int? {
        if let text = fields["retry-after-ms"], let milliseconds = Double(text) {
            return bounded(milliseconds)
        }
        return fields["retry-after"].flatMap(Double.init).flatMap { bounded($0 * 1_000) }
    }

    private static func bounded(_ milliseconds: Double) -> Int? {
        guard milliseconds.isFinite, milliseconds > 0 else { return nil }
        return Int(min(milliseconds, 3_600_000))
    }

    /// Of a closed set, for spans.
    var word: String {
        switch self {
        case .rejected(let error): error.kind.rawValue
        case .busy: "busy"
        case .failed: "failed"
        case .cut: "cut"
        case .lost: "lost"
        }
    }

    /// For logs: no text of the request's.
    var reason: String {
        switch self {
        case .rejected(let error): "rejected: \(error.kind.rawValue)"
        case .busy: "busy"
        case .failed(let reason), .cut(let reason), .lost(let reason): reason
        }
    }

    /// What the client is told when nobody else can serve it.
    var apiError: APIError {
        switch self {
        case .rejected(let error): error
        case .busy(let milliseconds):
            APIError(
                .queueFull, "The model's servers have too much to do; try again later.",
                retryAfterMilliseconds: milliseconds)
        case .failed(let reason): APIError(.workerFailed, "The worker failed: \(reason).")
        case .cut, .lost:
            APIError(.workerLost, "The worker was lost while it served this request.")
        }
    }

    /// What it says of the upstream.
    var fault: WorkerFault {
        switch self {
        case .rejected: .rejected
        case .busy: .busy
        case .failed, .cut: .failed
        case .lost: .lost
        }
    }
}
