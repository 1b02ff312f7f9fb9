import HTTPTransport
import NIOCore

/// One small `GET` at an upstream: its health, its models. Owned by its link's loop.
final class UpstreamProbe: HTTPClientStreamReceiver {
    /// Largest body that is looked at; a longer one fails.
    static let bodyBytesLimit = 1 << 20

    struct Answer {
        var status: Int
        var body: ByteBuffer
    }

    private var completion: ((Result<Answer, HTTPStreamError>) -> Void)?
    private var stream: HTTPClientStream?
    private var deadline: Scheduled<Void>?
    private var status = 0
    private var body = ByteBuffer()

    /// Calls back once: with the answer, or why there is none.
    static func get(
        _ path: String, of link: UpstreamLink, timeout: TimeAmount,
        _ completion: @escaping (Result<Answer, HTTPStreamError>) -> Void
    ) {
        let probe = UpstreamProbe()
        let address = link.address
        probe.completion = completion
        probe.deadline = link.eventLoop.assumeIsolated().scheduleTask(in: timeout) {
            probe.end(.failure(.timeout))
        }
        var head = HTTPRequestHead(
            method: "GET", authority: address.authority, path: address.basePath + path)
        head.fields.append("user-agent", UpstreamCall.userAgent)
        if let authorization = link.authorization {
            head.fields.append("authorization", authorization)
        }
        // A fresh connection, since one that the server is closing says nothing of its health.
        link.connections.connect(
            isFresh: true, tls: link.access.current.tls(for: address)
        ) { result in
            switch result {
            case .failure(let error): probe.end(.failure(error))
            case .success(let connection): probe.send(head, over: connection)
            }
        }
    }

    private func send(_ head: HTTPRequestHead, over connection: UpstreamConnection) {
        guard completion != nil else { return connection.giveBack() }
        do {
            stream = try connection.open(head, end: true, receiver: self)
        } catch {
            end(.failure(error))
        }
    }

    func received(_ head: HTTPResponseHead) { status = head.status }

    func received(_ bytes: ByteBuffer) {
        stream?.consume(bytes.readableBytes)
        guard body.readableBytes + bytes.readableBytes <= Self.bodyBytesLimit else {
            return end(.failure(.bodyTooLarge))
        }
        body.writeImmutableBuffer(bytes)
    }

    func receivedEnd(trailers: HTTPFields?) {
        end(.success(Answer(status: status, body: body)), resets: false)
    }

    func closed(_ error: HTTPStreamError?) {
        stream = nil
        end(.failure(error ?? .connectionClosed))
    }

    private func end(_ result: Result<Answer, HTTPStreamError>, resets: Bool = true) {
        guard let completion else { return }
        self.completion = nil
        deadline?.cancel()
        if resets { stream?.reset() }
        completion(result)
    }
}

extension UpstreamConnection {
    /// It was not needed after all.
    func giveBack() {
        if case .http1(let connection, _) = self { connection.onIdle?() }
    }
}
