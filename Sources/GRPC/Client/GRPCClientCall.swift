package import HTTPTransport
package import NIOCore

/// Receives one call's answer. Called on the connection's loop.
package protocol GRPCClientCallReceiver: AnyObject {
    /// The response headers; not called for a Trailers-Only answer.
    func received(initialMetadata: GRPCMetadata)
    /// One whole message, decompressed.
    func received(message: ByteBuffer)
    /// Exactly once, last. `trailers` is the application's part.
    func closed(_ status: GRPCStatus, trailers: GRPCMetadata)
    /// Output waiting crossed a watermark of the transport.
    func writabilityChanged(_ isWritable: Bool)
}

extension GRPCClientCallReceiver {
    package func received(initialMetadata: GRPCMetadata) {}
    package func writabilityChanged(_ isWritable: Bool) {}
}

/// One call on the client, of any shape (unary to bidirectional). Owned by the connection's event
/// loop, where all methods must be called.
///
/// ```
/// open ── headers ──► answering ── trailers, reset, error, deadline, cancel ──► closed
///   └── Trailers-Only, reset, error, deadline, cancel ──────────────────────────┘
/// ```
package final class GRPCClientCall {
    private let configuration: GRPCConfiguration
    private let writer: GRPCMessageWriter
    private var stream: HTTPClientStream?
    private var receiver: (any GRPCClientCallReceiver)?
    private var reader: GRPCMessageReader?
    private var deadlineTask: Scheduled<Void>?
    /// From trailers that came before the stream closed.
    private var pendingStatus: (status: GRPCStatus, trailers: GRPCMetadata)?
    /// Why the answer is not gRPC's, once that is known; the rest of it is skipped.
    private var httpFailure: GRPCStatus?
    private let consumesManually: Bool
    private var requestEnded = false

    /// True once the receiver was told of the end.
    package var isClosed: Bool { receiver == nil }
    package var isWritable: Bool { stream?.isWritable ?? false }

    private init(
        configuration: GRPCConfiguration, consumesManually: Bool,
        receiver: any GRPCClientCallReceiver
    ) {
        self.configuration = configuration
        self.consumesManually = consumesManually
        self.receiver = receiver
        writer = GRPCMessageWriter(
            encoding: configuration.encoding,
            thresholdBytes: configuration.compressionThresholdBytes)
    }

    /// Opens a stream and sends the request headers.
    ///
    /// - Parameters:
    ///   - authority: `:authority`; a host for TCP, by custom `localhost` for a unix socket.
    ///   - timeoutNanoseconds: how long until the call ends with `DEADLINE_EXCEEDED`, here and by
    ///     `grpc-timeout` on the server; nil for no limit.
    ///   - consumesManually: messages are credited to the server only by `consume`, which is how a
    ///     slow reader slows the server down.
    /// - Throws: `UNAVAILABLE` when the connection takes no new stream; nothing was sent and the
    ///   receiver is not called.
    package static func start(
        _ path: String, on connection: HTTP2ClientConnection, authority: String,
        metadata: GRPCMetadata = GRPCMetadata(), timeoutNanoseconds: Int64? = nil,
        configuration: GRPCConfiguration = GRPCConfiguration(), consumesManually: Bool = false,
        receiver: any GRPCClientCallReceiver
    ) throws(GRPCStatus) -> GRPCClientCall {
        let call = GRPCClientCall(
            configuration: configuration, consumesManually: consumesManually, receiver: receiver)
        var fields = HTTPFields()
        fields.reserveCapacity(8 + metadata.fields.count)
        // The order of gRPC over HTTP/2, "Requests".
        fields.append("te", "trailers")
        if let timeoutNanoseconds {
            fields.append("grpc-timeout", GRPCTimeout.format(nanoseconds: timeoutNanoseconds))
        }
        fields.append("content-type", "application/grpc")
        if let encoding = configuration.encoding {
            fields.append("grpc-encoding", encoding.rawValue)
        }
        fields.append("grpc-accept-encoding", GRPCEncoding.accepted)
        fields.append("user-agent", "grpc-switchyard/1")
        for field in metadata.fields { fields.append(field.name, field.value) }
        let head = HTTPRequestHead(
            method: "POST", authority: authority, path: path, fields: fields)
        do {
            call.stream = try connection.open(head, end: false, receiver: call)
        } catch {
            call.receiver = nil
            var status = GRPCStatus(error)
            // Nothing left this process.
            status.origin = .unprocessed
            throw status
        }
        if let timeoutNanoseconds {
            let delay = TimeAmount.nanoseconds(
                min(timeoutNanoseconds, GRPCTimeout.maxNanoseconds))
            call.deadlineTask = connection.eventLoop.assumeIsolated().scheduleTask(in: delay) {
                call.abandon(GRPCStatus(.deadlineExceeded, "the call's deadline passed"))
            }
        }
        return call
    }

    /// Sends one message, compressed when so configured; `end` half-closes the call.
    package func send(_ message: ByteBuffer, end: Bool) {
        requestEnded = requestEnded || end
        stream?.send(writer.frame(message), end: end)
    }

    /// Sends bytes that hold whole messages with their prefixes already.
    package func send(framed bytes: ByteBuffer, end: Bool) {
        requestEnded = requestEnded || end
        stream?.send(bytes, end: end)
    }

    /// Half-closes a call whose last message was sent without `end`.
    package func finishSending() {
        requestEnded = true
        stream?.send(ByteBuffer(), end: true)
    }

    /// Gives the call up: RST_STREAM CANCEL to the server, and `closed` with CANCELLED here, before
    /// this method returns.
    package func cancel() {
        abandon(GRPCStatus(.cancelled, "cancelled by the caller"))
    }

    /// Gives the call up over a fault of the answer that the application found.
    package func fail(_ status: GRPCStatus) {
        abandon(status)
    }

    /// Gives the server credit for all messages received so far, when the call was started with
    /// `consumesManually`.
    package func consume() {
        reader?.release()
        giveCredit()
    }

    private func giveCredit() {
        guard let bytes = reader?.takeDue(), bytes > 0 else { return }
        stream?.consume(bytes)
    }

    private func abandon(_ status: GRPCStatus) {
        guard receiver != nil else { return }
        stream?.reset(.cancel)
        end(status, GRPCMetadata())
    }

    private func end(_ status: GRPCStatus, _ trailers: GRPCMetadata) {
        guard let receiver else { return }
        self.receiver = nil
        stream = nil
        reader = nil
        deadlineTask?.cancel()
        deadlineTask = nil
        receiver.closed(status, trailers: trailers)
    }
}

// MARK: - What the transport calls

extension GRPCClientCall: HTTPClientStreamReceiver {
    package func received(_ head: HTTPResponseHead) {
        guard let receiver else { return }
        if let status = GRPCStatus(trailers: head.fields) {
            // Trailers-Only, or a server that puts its status early: the stream ends with it.
            pendingStatus = (status, GRPCMetadata(filtering: head.fields))
            return
        }
        guard head.status == 200 else {
            httpFailure = GRPCStatus(httpStatus: head.status)
            return
        }
        guard head.fields["content-type"]?.hasPrefix("application/grpc") ?? false else {
            httpFailure = GRPCStatus(
                .unknown, "the answer's content type is not application/grpc", origin: .transport)
            return
        }
        do {
            var reader = try GRPCMessageReader(
                maxMessageBytes: configuration.maxMessageBytes,
                encodingName: head.fields["grpc-encoding"])
            reader.isAutomatic = !consumesManually
            self.reader = reader
        } catch {
            // A server must not use what we did not offer (`compression.md`).
            return abandon(GRPCStatus(.internalError, error.message))
        }
        receiver.received(initialMetadata: GRPCMetadata(filtering: head.fields))
    }

    package func received(_ bytes: ByteBuffer) {
        guard receiver != nil else { return }
        guard reader != nil else {
            // The body of an answer that is not gRPC's.
            stream?.consume(bytes.readableBytes)
            return
        }
        reader?.append(bytes)
        do {
            while let message = try reader?.next() { receiver?.received(message: message) }
            giveCredit()
        } catch {
            abandon(error)
        }
    }

    package func receivedEnd(trailers: HTTPFields?) {
        guard receiver != nil else { return }
        if let trailers, let status = GRPCStatus(trailers: trailers) {
            pendingStatus = (status, GRPCMetadata(filtering: trailers))
        }
        var final = finalStatus()
        if final.status.isOK {
            do {
                try reader?.finish()
            } catch {
                final = (error, GRPCMetadata())
            }
        }
        // A server may answer before it has read the request; nobody waits for the rest then.
        if !requestEnded { stream?.reset(.noError) }
        end(final.status, final.trailers)
    }

    package func closed(_ error: HTTPStreamError?) {
        guard receiver != nil else { return }
        if pendingStatus != nil || error == nil {
            let final = finalStatus()
            end(final.status, final.trailers)
        } else if let error {
            end(httpFailure ?? GRPCStatus(error), GRPCMetadata())
        }
    }

    package func writabilityChanged(_ isWritable: Bool) {
        receiver?.writabilityChanged(isWritable)
    }

    private func finalStatus() -> (status: GRPCStatus, trailers: GRPCMetadata) {
        pendingStatus
            ?? (
                httpFailure
                    ?? GRPCStatus(
                        .unknown, "the answer ended without grpc-status", origin: .transport),
                GRPCMetadata()
            )
    }
}
