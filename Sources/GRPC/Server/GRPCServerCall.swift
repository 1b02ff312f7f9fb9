package import HTTPTransport
package import NIOCore

/// What a method implements: it receives one call's messages. Called on the connection's loop.
package protocol GRPCServerCallReceiver: AnyObject {
    /// One whole request message, decompressed.
    func received(message: ByteBuffer)
    /// The client sent its last message.
    func receivedEnd()
    /// The call ended before `finish`: the client reset it or went away, its deadline passed, or a
    /// message was malformed or too large. At most once; what is sent afterwards goes nowhere.
    func cancelled(_ status: GRPCStatus)
    /// Output waiting crossed a watermark of the transport.
    func writabilityChanged(_ isWritable: Bool)
}

extension GRPCServerCallReceiver {
    package func writabilityChanged(_ isWritable: Bool) {}
}

/// One call on the server. Owned by the connection's event loop, where all methods must be called.
///
/// ```
///                     send              finish
/// headers not sent ─────────► streaming ──────────► finished
///        │ finish with an error: Trailers-Only          ▲
///        └──────────────────────────────────────────────┤
///   reset, deadline, bad message (tells the receiver) ──┘
/// ```
/// Response headers wait for the first message, so that a failure before it is Trailers-Only and a
/// client may retry transparently.
package final class GRPCServerCall {
    private enum State {
        case headersNotSent
        case streaming
        case finished
    }

    /// `/package.Service/Method`.
    package let path: String
    /// Everything the client sent besides pseudo headers, protocol fields included.
    package let fields: HTTPFields
    /// When the client gives up; nil when it waits for ever.
    package private(set) var deadline: NIODeadline?
    private let stream: HTTPServerStream
    private let configuration: GRPCConfiguration
    private var writer: GRPCMessageWriter
    private var reader: GRPCMessageReader?
    private var receiver: (any GRPCServerCallReceiver)?
    private var deadlineTask: Scheduled<Void>?
    private var state = State.headersNotSent
    private var initialMetadata = GRPCMetadata()
    private var requestEnded = false

    init(head: HTTPRequestHead, stream: HTTPServerStream, configuration: GRPCConfiguration) {
        path = String(head.path.prefix { $0 != "?" })
        fields = head.fields
        self.stream = stream
        self.configuration = configuration
        var encoding: GRPCEncoding?
        if let wanted = configuration.encoding, let accepted = head.fields["grpc-accept-encoding"],
            GRPCEncoding.names(in: accepted).contains(wanted.rawValue[...])
        {
            encoding = wanted
        }
        writer = GRPCMessageWriter(
            encoding: encoding, thresholdBytes: configuration.compressionThresholdBytes)
    }

    package var eventLoop: any EventLoop { stream.eventLoop }
    package var remoteAddress: SocketAddress? { stream.remoteAddress }
    package var isSecure: Bool { stream.isSecure }
    /// The application's metadata, copied out of `fields`.
    package var metadata: GRPCMetadata { GRPCMetadata(filtering: fields) }
    /// False while so much output waits that the producer should pause.
    package var isWritable: Bool { stream.isWritable }
    /// Bytes of output that wait for the network.
    package var unsentBytes: Int { stream.unsentBytes }
    /// True once `finish` was called or the receiver was told of the call's end.
    package var isFinished: Bool { state == .finished }

    /// Sends `metadata` with the headers, which otherwise wait for the first message. With
    /// `sendNow` they go out at once (health watches, subscriptions).
    package func setInitialMetadata(_ metadata: GRPCMetadata, sendNow: Bool = false) {
        guard state == .headersNotSent else { return }
        initialMetadata = metadata
        if sendNow { sendHeaders() }
    }

    /// Sends one message, compressed where agreed.
    package func send(message: ByteBuffer) {
        guard state != .finished else { return }
        if state == .headersNotSent { sendHeaders() }
        stream.send(writer.frame(message), end: false)
    }

    /// Sends bytes that hold whole messages with their prefixes already: the path of tokens.
    package func send(framed bytes: ByteBuffer) {
        guard state != .finished else { return }
        if state == .headersNotSent { sendHeaders() }
        stream.send(bytes, end: false)
    }

    /// Ends the call. An error before the first message is a Trailers-Only answer.
    package func finish(_ status: GRPCStatus = .ok, trailers: GRPCMetadata = GRPCMetadata()) {
        guard state != .finished else { return }
        sendStatus(status, trailers)
        end()
    }

    /// From now on request messages are credited only by `consume`: back-pressure on a client that
    /// streams.
    package func consumeManually() {
        reader?.isAutomatic = false
    }

    /// Gives the client credit for all messages received so far.
    package func consume() {
        reader?.release()
        giveCredit()
    }

    private func giveCredit() {
        guard let bytes = reader?.takeDue(), bytes > 0 else { return }
        stream.consume(bytes)
    }

    private func sendHeaders() {
        state = .streaming
        var fields = responseFields()
        for field in initialMetadata.fields { fields.append(field.name, field.value) }
        stream.send(HTTPResponseHead(status: 200, fields: fields), end: false)
    }

    private func responseFields() -> HTTPFields {
        var fields = HTTPFields()
        fields.append("content-type", "application/grpc")
        if let encoding = writer.encoding { fields.append("grpc-encoding", encoding.rawValue) }
        fields.append("grpc-accept-encoding", GRPCEncoding.accepted)
        return fields
    }

    private func sendStatus(_ status: GRPCStatus, _ trailers: GRPCMetadata) {
        // OK without messages has headers and trailers: Trailers-Only is for errors.
        if state == .headersNotSent, status.isOK { sendHeaders() }
        var block = HTTPFields()
        if state == .headersNotSent {
            block.append("content-type", "application/grpc")
            for field in initialMetadata.fields { block.append(field.name, field.value) }
        }
        status.write(to: &block)
        for field in trailers.fields { block.append(field.name, field.value) }
        if state == .headersNotSent {
            stream.send(HTTPResponseHead(status: 200, fields: block), end: true)
        } else {
            stream.send(trailers: block)
        }
    }

    /// Leaves `finished` behind: no timer, no receiver, no reference cycle.
    private func end() {
        state = .finished
        deadlineTask?.cancel()
        deadlineTask = nil
        // The rest of the request is not wanted, but must not hold up the client.
        consume()
        reader = nil
        receiver = nil
    }

    /// Ends the call with an error and tells the receiver.
    private func fail(_ status: GRPCStatus) {
        guard state != .finished else { return }
        let receiver = receiver
        sendStatus(status, GRPCMetadata())
        end()
        receiver?.cancelled(status)
    }
}

// MARK: - What the router and the transport call

extension GRPCServerCall: HTTPServerStreamReceiver {
    /// Checks the protocol fields and starts the deadline. On a refusal the call is finished.
    func start(_ makeReceiver: (GRPCServerCall) -> any GRPCServerCallReceiver) {
        var timeout: Int64?
        if let value = fields["grpc-timeout"] {
            guard let parsed = GRPCTimeout.parse(value) else {
                return finish(GRPCStatus(.invalidArgument, "malformed grpc-timeout '\(value)'"))
            }
            timeout = parsed
        }
        if let limit = configuration.maxCallNanoseconds { timeout = min(timeout ?? limit, limit) }
        do {
            reader = try GRPCMessageReader(
                maxMessageBytes: configuration.maxMessageBytes,
                encodingName: fields["grpc-encoding"])
        } catch {
            return finish(error)
        }
        if let timeout {
            let delay = TimeAmount.nanoseconds(min(timeout, GRPCTimeout.maxNanoseconds))
            deadline = .now() + delay
            deadlineTask = eventLoop.assumeIsolated().scheduleTask(in: delay) {
                self.fail(GRPCStatus(.deadlineExceeded, "the call's deadline passed"))
            }
        }
        receiver = makeReceiver(self)
        // The factory may have answered already.
        if state == .finished { receiver = nil }
    }

    package func received(_ bytes: ByteBuffer) {
        guard state != .finished else { return stream.consume(bytes.readableBytes) }
        reader?.append(bytes)
        do {
            while let message = try reader?.next() { receiver?.received(message: message) }
            giveCredit()
        } catch {
            fail(error)
        }
    }

    package func receivedEnd(trailers: HTTPFields?) {
        guard state != .finished, !requestEnded else { return }
        requestEnded = true
        do {
            try reader?.finish()
        } catch {
            return fail(error)
        }
        receiver?.receivedEnd()
    }

    package func closed(_ error: HTTPStreamError?) {
        guard state != .finished else { return }
        let receiver = receiver
        end()
        receiver?.cancelled(
            error.map { GRPCStatus($0) }
                ?? GRPCStatus(.cancelled, "the stream closed", origin: .transport))
    }

    package func writabilityChanged(_ isWritable: Bool) {
        guard state != .finished else { return }
        receiver?.writabilityChanged(isWritable)
    }
}
