import Foundation
import Gateway
import HTTPTransport
import InferenceAPI
import NIOCore

/// One request of the chat client: events of a stream as they come, or a whole body as one text.
/// Owned by its connection's loop.
final class ChatExchange: HTTPClientStreamReceiver {
    /// Of a whole body, and of one event.
    private static let bytesLimit = 4 << 20

    private let address: UpstreamAddress
    private var receive: (@Sendable (ChatEvent) -> Void)?
    private var connection: HTTP1ClientConnection?
    private var stream: HTTPClientStream?
    private var status = 0
    private var events: EventStreamParser?
    private var body = ByteBuffer()
    private var finishReason: String?

    init(_ address: UpstreamAddress, _ receive: @escaping @Sendable (ChatEvent) -> Void) {
        self.address = address
        self.receive = receive
    }

    func connected(
        _ result: Result<HTTP1ClientConnection, any Error>, _ head: HTTPRequestHead, _ body: Data
    ) {
        do {
            let connection = try result.get()
            guard receive != nil else { return connection.close() }
            self.connection = connection
            let stream = try connection.open(head, end: body.isEmpty, receiver: self)
            self.stream = stream
            if !body.isEmpty { stream.send(ByteBuffer(bytes: body), end: true) }
        } catch {
            end(.failed(.unreachable(address, "\(error)")))
        }
    }

    func cancel() {
        receive = nil
        // The server hears of it, and stops.
        connection?.close()
    }

    // MARK: The answer

    func received(_ head: HTTPResponseHead) {
        status = head.status
        let type = head.fields["content-type"] ?? ""
        if type.hasPrefix("text/event-stream") {
            events = EventStreamParser(limitBytes: Self.bytesLimit)
        }
    }

    func received(_ bytes: ByteBuffer) {
        stream?.consume(bytes.readableBytes)
        guard receive != nil else { return }
        guard events != nil else {
            guard body.readableBytes + bytes.readableBytes <= Self.bytesLimit else {
                return end(.failed(.refused("the answer is too long")))
            }
            body.writeImmutableBuffer(bytes)
            return
        }
        events?.append(bytes)
        do {
            while let event = try events?.next() { received(event) }
        } catch {
            end(.failed(.refused("the answer is no event stream: \(error)")))
        }
    }

    func receivedEnd(trailers: HTTPFields?) {
        guard receive != nil else { return }
        if events != nil { return end(.failed(.refused("the answer broke off"))) }
        let text = String(buffer: body)
        guard status == 200 else {
            return end(.failed(.refused(Self.message(text) ?? "the server answered \(status)")))
        }
        receive?(.text(text))
        end(.finished(""))
    }

    func closed(_ error: HTTPStreamError?) {
        end(.failed(.unreachable(address, "\(error ?? .connectionClosed)")))
    }

    private struct Chunk: Decodable {
        struct Choice: Decodable {
            struct Delta: Decodable {
                var content: String?
                var reasoning_content: String?
            }
            var delta: Delta?
            var finish_reason: String?
        }
        struct Failure: Decodable { var message: String? }
        var choices: [Choice]?
        var error: Failure?
    }

    private func received(_ event: ServerSentEvent) {
        guard receive != nil else { return }
        if event.isDone { return end(.finished(finishReason ?? "stop")) }
        guard let chunk = try? JSONDecoder().decode(Chunk.self, from: Data(event.data)) else {
            return end(.failed(.refused("the server sent an event that is no chunk")))
        }
        if let error = chunk.error {
            return end(.failed(.refused(error.message ?? "the server failed")))
        }
        for choice in chunk.choices ?? [] {
            if let text = choice.delta?.reasoning_content, !text.isEmpty {
                receive?(.reasoning(text))
            }
            if let text = choice.delta?.content, !text.isEmpty { receive?(.text(text)) }
            if let reason = choice.finish_reason { finishReason = reason }
        }
    }

    /// The message of an error's body.
    private static func message(_ body: String) -> String? {
        struct Answer: Decodable {
            struct Failure: Decodable { var message: String }
            var error: Failure
        }
        return try? JSONDecoder().decode(Answer.self, from: Data(body.utf8)).error.message
    }

    private func end(_ event: ChatEvent) {
        guard let receive else { return }
        self.receive = nil
        receive(event)
        connection?.close()
    }
}
