import GRPC
import HTTPTransport

/// How a stream ended, as its protocol has it.
enum StreamEnd {
    /// nil: both sides ended normally.
    case http(HTTPStreamError?)
    case grpc(GRPCStatus)
}

/// Names of failures in reports: a small closed set, so that they can be counted.
enum StreamFailure {
    /// nil: the answer is whole, or was given up by the scenario.
    static func kind(of stream: LoadStream, _ end: StreamEnd) -> String? {
        if stream.isTimedOut { return "timeout" }
        if stream.isCancelled { return nil }
        switch end {
        case .http(let error?): return word(error)
        case .grpc(let status) where !status.isOK:
            return "grpc \(status.code.name)" + (status.origin == .peer ? "" : ", connection")
        default: break
        }
        if stream.status != 200 { return "status \(stream.status)" }
        guard stream.work.isChat else { return nil }
        let tally = stream.tally
        if tally.hasError { return "error event" }
        if !tally.isDone {
            return stream.work.encoding == .json
                ? "truncated: no [DONE]" : "truncated: no finish reason"
        }
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
