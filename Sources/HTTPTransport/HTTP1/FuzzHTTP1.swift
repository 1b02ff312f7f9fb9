import NIOCore
import NIOEmbedded

/// The fuzzing harness of the HTTP/1.1 server. Traps on a finding.
///
/// The first byte chooses where the rest is cut and how the service behaves. Checks, on any bytes:
/// every request ends exactly once, nothing is received after the end, no response is begun
/// inside of another, and a cut changes neither requests nor answers.
package func fuzzHTTP1(_ bytes: [UInt8]) {
    guard let choice = bytes.first else { return }
    let input = Array(bytes.dropFirst())
    let cut = input.isEmpty ? 0 : Int(choice >> 2) * 31 % (input.count + 1)
    let manner = FuzzedService.Manner(rawValue: choice & 3) ?? .atEnd
    let whole = FuzzedService.run([input[...]], manner)
    let parts = FuzzedService.run([input[..<cut], input[cut...]], manner)
    // An answer that does not wait for the request's end races with it.
    guard manner == .atEnd || manner == .streamed else { return }
    precondition(whole == parts, "\(bytes) cut at \(cut): \(whole) against \(parts)")
}

private final class FuzzedService: HTTPService, @unchecked Sendable {
    // Sendable because one thread makes it, runs it on an embedded loop, and drops it.

    enum Manner: UInt8 {
        case atEnd, streamed, atOnce, never
    }

    struct Outcome: Equatable {
        var requests: [String] = []
        var answers = ""
        var closesConnection = false
    }

    private let manner: Manner
    private var exchanges: [FuzzedExchange] = []

    private init(_ manner: Manner) {
        self.manner = manner
    }

    static func run(_ parts: [ArraySlice<UInt8>], _ manner: Manner) -> Outcome {
        let service = FuzzedService(manner)
        let channel = EmbeddedChannel()
        var limits = HTTPLimits()
        limits.headerBytes = 512
        limits.headerCount = 8
        limits.bodyBytes = 256
        limits.pipelinedRequests = .max
        let connection = HTTP1Connection(
            context: HTTPConnectionContext(
                eventLoop: channel.eventLoop, isSecure: false, remoteAddress: nil),
            limits: limits, service: service,
            refusal: { _, _ in (["content-type": "text/plain"], ByteBuffer(string: "no")) })
        var outcome = Outcome()
        do {
            try connection.addHandlers(to: channel.pipeline.syncOperations)
            try channel.connect(to: SocketAddress(unixDomainSocketPath: "/fuzz")).wait()
            for part in parts where channel.isActive {
                try channel.writeInbound(ByteBuffer(bytes: part))
                channel.embeddedEventLoop.run()
            }
            outcome.closesConnection = !channel.isActive
            while let answer = try channel.readOutbound(as: ByteBuffer.self) {
                outcome.answers += comparable(latin1(answer))
            }
        } catch {
            preconditionFailure("\(error) left the pipeline")
        }
        // Fails when the connection closed the channel by itself.
        _ = try? channel.finish(acceptAlreadyClosed: true)
        for exchange in service.exchanges {
            precondition(exchange.closed == 1, "closed \(exchange.closed) times")
            outcome.requests.append(exchange.text)
        }
        // Exchange, stream, connection and service hold each other.
        service.exchanges.removeAll()
        return outcome
    }

    /// Without dates. A head that is both malformed and too large is refused for what the parser
    /// meets first, which depends on the cut.
    private static func comparable(_ text: String) -> String {
        text.split(separator: "\r\n", omittingEmptySubsequences: false)
            .filter { !$0.hasPrefix("date: ") }
            .map { $0.hasPrefix("HTTP/1.1 431 ") ? "HTTP/1.1 400 Bad Request" : $0 }
            .joined(separator: "\r\n")
    }

    func accept(
        _ head: HTTPRequestHead, _ stream: HTTPServerStream
    ) -> any HTTPServerStreamReceiver {
        precondition(exchanges.last?.closed != 0, "a request inside of another")
        precondition(!head.method.isEmpty && !head.path.isEmpty, "an empty request line")
        let exchange = FuzzedExchange(head, stream, manner)
        exchanges.append(exchange)
        if manner == .atOnce { exchange.answer() }
        return exchange
    }
}

private final class FuzzedExchange: HTTPServerStreamReceiver {
    private let stream: HTTPServerStream
    private let manner: FuzzedService.Manner
    private let head: String
    private(set) var text: String
    private(set) var closed = 0
    private var ended = false

    init(
        _ head: HTTPRequestHead, _ stream: HTTPServerStream, _ manner: FuzzedService.Manner
    ) {
        self.stream = stream
        self.manner = manner
        self.head = "\(head.method) \(head.authority) \(head.path) \(head.fields.list)"
        text = self.head
    }

    func answer() {
        let body = ByteBuffer(string: text)
        let fields: HTTPFields =
            manner == .streamed
            ? HTTPFields() : ["content-length": "\(body.readableBytes)"]
        stream.send(HTTPResponseHead(status: 200, fields: fields), end: false)
        stream.send(body, end: true)
    }

    func received(_ bytes: ByteBuffer) {
        precondition(closed == 0 && !ended, "a body after its end")
        precondition(bytes.readableBytes > 0, "an empty piece of body")
        text += latin1(bytes)
        stream.consume(bytes.readableBytes)
    }

    func receivedEnd(trailers: HTTPFields?) {
        precondition(closed == 0 && !ended, "two ends")
        ended = true
        text += "\(trailers?.list ?? [])"
        if manner == .atEnd || manner == .streamed { answer() }
    }

    func closed(_ error: HTTPStreamError?) {
        closed += 1
        // How much of a body came before its refusal depends on the cut.
        text = error.map { "\(head)\($0)" } ?? "\(text)ok"
        stream.consume(1)
        stream.send(ByteBuffer(string: "late"), end: true)
    }
}

/// One character per byte, so that a cut inside of a UTF-8 sequence changes nothing.
private func latin1(_ bytes: ByteBuffer) -> String {
    String(String.UnicodeScalarView(bytes.readableBytesView.map { Unicode.Scalar($0) }))
}
