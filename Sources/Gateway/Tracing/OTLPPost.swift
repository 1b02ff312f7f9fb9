import Foundation
import HTTPTransport
import NIOCore

/// One request to a collector. Owned by the exporter's loop.
final class OTLPPost: HTTPClientStreamReceiver {
    enum Outcome {
        /// - Parameter rejected: spans that the collector did not want.
        case accepted(rejected: Int)
        /// It can be sent again.
        case later(String)
        case refused(String)
    }

    /// Of an answer; what is longer is not read as one.
    private static let bodyBytesLimit = 1 << 16

    private var completion: ((Outcome) -> Void)?
    private var stream: HTTPClientStream?
    private var deadline: Scheduled<Void>?
    private var status = 0
    private var answer = ByteBuffer()

    /// Calls back once, not from inside this call when the connection is new.
    static func send(
        _ body: ByteBuffer, to address: UpstreamAddress, over connections: UpstreamConnections,
        tls: HTTPClientTLS?, on eventLoop: any EventLoop, timeout: TimeAmount,
        _ completion: @escaping (Outcome) -> Void
    ) {
        let post = OTLPPost()
        post.completion = completion
        post.deadline = eventLoop.assumeIsolated().scheduleTask(in: timeout) {
            post.end(.later("no answer within \(timeout.nanoseconds / 1_000_000_000) s"))
        }
        var head = HTTPRequestHead(
            method: "POST", authority: address.authority, path: address.basePath + "/v1/traces")
        head.fields.append("content-type", "application/json")
        head.fields.append("content-length", "\(body.readableBytes)")
        head.fields.append("user-agent", UpstreamCall.userAgent)
        connections.connect(tls: tls) { result in
            switch result {
            case .failure(let error): post.end(.later("\(error)"))
            case .success(let connection): post.send(head, body, over: connection)
            }
        }
    }

    private func send(
        _ head: HTTPRequestHead, _ body: ByteBuffer, over connection: UpstreamConnection
    ) {
        guard completion != nil else { return connection.giveBack() }
        do {
            let stream = try connection.open(head, end: false, receiver: self)
            self.stream = stream
            stream.send(body, end: true)
        } catch {
            end(.later("\(error)"))
        }
    }

    func received(_ head: HTTPResponseHead) { status = head.status }

    func received(_ bytes: ByteBuffer) {
        stream?.consume(bytes.readableBytes)
        if answer.readableBytes + bytes.readableBytes <= Self.bodyBytesLimit {
            answer.writeImmutableBuffer(bytes)
        }
    }

    func receivedEnd(trailers: HTTPFields?) {
        end(outcome, resets: false)
    }

    func closed(_ error: HTTPStreamError?) {
        stream = nil
        end(.later("\(error ?? .connectionClosed)"))
    }

    private var outcome: Outcome {
        switch status {
        case 200..<300: .accepted(rejected: rejectedSpans)
        case 429, 502, 503, 504: .later("status \(status)")
        default: .refused("status \(status)")
        }
    }

    /// Of `{"partialSuccess":{"rejectedSpans":"3"}}`, where 64-bit numbers are strings.
    private var rejectedSpans: Int {
        struct Answer: Decodable {
            struct Partial: Decodable { var rejectedSpans: String? }
            var partialSuccess: Partial?
        }
        // An empty answer, or one in other words, rejects nothing.
        let text = try? JSONDecoder().decode(Answer.self, from: Data(answer.readableBytesView))
        return text?.partialSuccess?.rejectedSpans.flatMap { Int($0) } ?? 0
    }

    private func end(_ outcome: Outcome, resets: Bool = true) {
        guard let completion else { return }
        self.completion = nil
        deadline?.cancel()
        if resets { stream?.reset() }
        completion(outcome)
    }
}
