import HTTPTransport

/// Names of failures in reports: a small closed set, so that they can be counted.
enum StreamFailure {
    /// nil: the answer is whole.
    static func kind(of stream: LoadStream, _ error: HTTPStreamError?) -> String? {
        if stream.isTimedOut { return "timeout" }
        if let error { return word(error) }
        if stream.status != 200 { return "status \(stream.status)" }
        guard stream.isChat else { return nil }
        if stream.scanner.hasError { return "error event" }
        if !stream.scanner.isDone { return "truncated: no [DONE]" }
        return nil
    }

    private static func word(_ error: HTTPStreamError) -> String {
        switch error {
        case .reset(let code): "reset by the server, code \(code)"
        case .resetLocally: "reset locally"
        case .connectionClosed: "connection closed"
        case .goneAway: "refused (GOAWAY or REFUSED_STREAM)"
        case .tooManyStreams: "too many streams waiting"
        case .timeout: "timeout"
        case .connectFailed: "connect failed"
        default: "protocol error"
        }
    }
}
