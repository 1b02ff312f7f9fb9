package import HTTPTransport

/// What a failure below gRPC means as a status.
extension GRPCStatus {
    /// An HTTP status on an answer without `grpc-status`, from a proxy or a server that does not
    /// speak gRPC (`http-grpc-status-mapping.md`).
    package init(httpStatus: Int) {
        let code: Code =
            switch httpStatus {
            case 400: .internalError
            case 401: .unauthenticated
            case 403: .permissionDenied
            case 404: .unimplemented
            case 429, 502, 503, 504: .unavailable
            default: .unknown
            }
        self.init(code, "HTTP status \(httpStatus) without a gRPC status", origin: .transport)
    }

    /// An HTTP/2 error code in RST_STREAM (gRPC over HTTP/2, "Errors").
    package init(resetCode: UInt32) {
        switch resetCode {
        case 0x7:
            self.init(.unavailable, "the stream was refused", origin: .unprocessed)
        case 0x8:
            self.init(.cancelled, "the other side cancelled the call", origin: .transport)
        case 0xB:
            self.init(.resourceExhausted, "the other side asks for calm", origin: .transport)
        case 0xC:
            self.init(.permissionDenied, "the connection is not secure enough", origin: .transport)
        case 0x5:
            self.init(.unknown, "the stream was closed already", origin: .transport)
        default:
            self.init(
                .internalError, "stream reset with HTTP/2 error \(resetCode)", origin: .transport)
        }
    }

    /// A stream that ended without gRPC's trailers.
    package init(_ error: HTTPStreamError) {
        switch error {
        case .reset(let code):
            self.init(resetCode: code)
        case .goneAway:
            self.init(.unavailable, "the connection is going away", origin: .unprocessed)
        case .connectionClosed:
            self.init(.unavailable, "the connection closed", origin: .transport)
        case .connectFailed(let reason):
            self.init(.unavailable, "connecting failed: \(reason)", origin: .unprocessed)
        case .tooManyStreams:
            self.init(.unavailable, "too many calls on this connection", origin: .unprocessed)
        case .timeout:
            self.init(.unavailable, "the connection timed out", origin: .transport)
        case .resetLocally(let code):
            self.init(.cancelled, "reset here with HTTP/2 error \(code)")
        case .bodyTooLarge, .headersTooLarge, .outputLimitExceeded, .flood:
            self.init(.resourceExhausted, "a transport limit was exceeded: \(error)")
        case .protocolViolation:
            self.init(
                .internalError, "the other side broke the HTTP/2 protocol", origin: .transport)
        }
    }
}

extension GRPCStatus {
    /// The status in a trailer block, or nil when `grpc-status` is missing. A value that is not a
    /// known code counts as UNKNOWN.
    package init?(trailers: HTTPFields) {
        guard let value = trailers["grpc-status"] else { return nil }
        let code = UInt8(value).flatMap(Code.init(rawValue:)) ?? .unknown
        self.init(
            code, trailers["grpc-message"].map(Self.decodeMessage) ?? "",
            details: trailers["grpc-status-details-bin"].flatMap { Base64.decode($0) },
            origin: .peer)
    }

    /// Appends `grpc-status` and, where present, message, details and retry pushback.
    package func write(to fields: inout HTTPFields) {
        fields.append("grpc-status", String(code.rawValue))
        if !message.isEmpty { fields.append("grpc-message", Self.encodeMessage(message)) }
        if let details { fields.append("grpc-status-details-bin", Base64.encode(details)) }
        if let retryPushbackMilliseconds {
            fields.append("grpc-retry-pushback-ms", String(retryPushbackMilliseconds))
        }
    }
}
