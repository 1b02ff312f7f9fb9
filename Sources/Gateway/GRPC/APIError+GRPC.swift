import Admission
import GRPC
import InferenceAPI

extension APIError {
    /// This error as a call's status; its code is that of the one status table.
    ///
    /// With UNAVAILABLE, which clients repeat by themselves, comes when they may: gRFC A6 lets a
    /// server's `grpc-retry-pushback-ms` replace the client's own backoff.
    var grpcStatus: GRPCStatus {
        guard let code = GRPCStatus.Code(rawValue: UInt8(kind.status.grpc.rawValue)) else {
            preconditionFailure("the status table names a gRPC code that there is not")
        }
        var status = GRPCStatus(code, message)
        if code == .unavailable, let retryDelay {
            status.retryPushbackMilliseconds = Int32(clamping: retryDelay.milliseconds)
        }
        return status
    }

    /// Trailers that go with the status: `retry-after` in seconds, where HTTP's answer has it.
    var grpcTrailers: GRPCMetadata {
        var trailers = GRPCMetadata()
        if let retryDelay { trailers.append("retry-after", String(retryDelay.seconds)) }
        return trailers
    }
}

extension GRPCServerCall {
    /// Ends the call with an error of the API's. Who is over a limit is told where they stand.
    func finish(_ error: APIError, _ standing: RateStanding = .unlimited) {
        var trailers = error.grpcTrailers
        if error.kind.status.grpc == .resourceExhausted { trailers.append(standing) }
        finish(error.grpcStatus, trailers: trailers)
    }
}
