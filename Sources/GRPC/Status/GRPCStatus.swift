/// How a call ended (gRPC over HTTP/2, "Status"; `statuscodes.md`).
package struct GRPCStatus: Error, Hashable, Sendable {
    package var code: Code
    /// For people; travels percent-encoded in `grpc-message`.
    package var message: String
    /// Serialized `google.rpc.Status`, from or for `grpc-status-details-bin`; usually nil.
    package var details: [UInt8]?
    /// Who decided it, which is what a retry depends on.
    package var origin: Origin
    /// When the client's own retry may come, in milliseconds; a negative number asks for none; nil
    /// leaves it to its policy (`grpc-retry-pushback-ms`, gRFC A6). Only sent.
    package var retryPushbackMilliseconds: Int32?

    package init(
        _ code: Code, _ message: String = "", details: [UInt8]? = nil, origin: Origin = .local
    ) {
        self.code = code
        self.message = message
        self.details = details
        self.origin = origin
    }

    package static let ok = GRPCStatus(.ok)

    package var isOK: Bool { code == .ok }

    /// True when the other side certainly did not begin to work on the call: only then may it be
    /// repeated without asking whether it is idempotent.
    package var isSafeToRetry: Bool { origin == .unprocessed }

    package enum Code: UInt8, Hashable, Sendable, CaseIterable {
        case ok = 0
        case cancelled = 1
        case unknown = 2
        case invalidArgument = 3
        case deadlineExceeded = 4
        case notFound = 5
        case alreadyExists = 6
        case permissionDenied = 7
        case resourceExhausted = 8
        case failedPrecondition = 9
        case aborted = 10
        case outOfRange = 11
        case unimplemented = 12
        case internalError = 13
        case unavailable = 14
        case dataLoss = 15
        case unauthenticated = 16

        /// The name in the specification, as metrics and logs show it.
        package var name: String { Self.names[Int(rawValue)] }

        private static let names = [
            "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND",
            "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
            "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS",
            "UNAUTHENTICATED",
        ]
    }

    package enum Origin: Hashable, Sendable {
        /// This process decided it: a limit, a deadline, a cancellation, a bad message.
        case local
        /// `grpc-status` from the other side.
        case peer
        /// The connection or stream failed; the other side may have worked on the call.
        case transport
        /// The connection or stream failed before the other side looked at the call.
        case unprocessed
    }
}

extension GRPCStatus: CustomStringConvertible {
    package var description: String {
        message.isEmpty ? code.name : "\(code.name): \(message)"
    }
}
