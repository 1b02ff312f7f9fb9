import ArgumentParser
import Foundation
import Gateway
import HTTPTransport
import NIOCore
import NIOPosix

/// What comes of a question, in this order: pieces, then one end.
enum ChatEvent: Sendable {
    case text(String)
    case reasoning(String)
    /// With the finish reason.
    case finished(String)
    case failed(ChatFailure)
}

/// Why there is no answer, or only a part of one.
struct ChatFailure: Error, Sendable {
    var message: String
    var exitCode: ExitCode

    static func refused(_ message: String) -> ChatFailure {
        ChatFailure(message: message, exitCode: .failure)
    }

    static func unreachable(_ address: UpstreamAddress, _ reason: String) -> ChatFailure {
        ChatFailure(
            message: "cannot reach \(address.text): \(reason)", exitCode: .unavailable)
    }
}

/// Asks an OpenAI-compatible server over HTTP/1.1, a connection for each question.
struct ChatClient: Sendable {
    let address: UpstreamAddress
    private let apiKey: String?
    private let tls: HTTPClientTLS?

    init(_ address: UpstreamAddress, apiKey: String?, authorityPath: String?) throws(TLSError) {
        self.address = address
        self.apiKey = apiKey
        guard address.scheme == .https else {
            tls = nil
            return
        }
        tls = HTTPClientTLS(
            context: try TLSClientContext(
                authorityPath: authorityPath, files: nil, protocols: ["http/1.1"]),
            serverName: address.serverName)
    }

    /// A question under way.
    struct Call: Sendable {
        fileprivate let exchange: NIOLoopBoundBox<ChatExchange>

        /// Nothing more comes of it.
        func cancel() {
            exchange.eventLoop.execute { [exchange] in exchange.value.cancel() }
        }
    }

    /// Sends a body to chat completions; `receive` is called on an event loop.
    func chat(_ body: Data, _ receive: @escaping @Sendable (ChatEvent) -> Void) -> Call {
        var head = head("POST", "/v1/chat/completions")
        head.fields.append("content-type", "application/json")
        head.fields.append("content-length", "\(body.count)")
        head.fields.append("accept", "text/event-stream")
        return start(head, body, receive)
    }

    /// The first model that the server lists.
    func firstModel() async throws(ChatFailure) -> String {
        struct List: Decodable {
            struct Model: Decodable { var id: String }
            var data: [Model]
        }
        let events = AsyncStream.makeStream(of: ChatEvent.self)
        _ = start(head("GET", "/v1/models"), Data()) { events.continuation.yield($0) }
        for await event in events.stream {
            switch event {
            case .text(let text):
                let list = try? JSONDecoder().decode(List.self, from: Data(text.utf8))
                guard let first = list?.data.first else {
                    throw .refused("\(address.text) lists no models; give --model")
                }
                return first.id
            case .failed(let failure): throw failure
            case .reasoning, .finished: break
            }
        }
        throw .refused("\(address.text) lists no models; give --model")
    }

    private func head(_ method: String, _ path: String) -> HTTPRequestHead {
        var fields: HTTPFields = ["user-agent": "switchyard-chat"]
        if let apiKey { fields.append("authorization", "Bearer \(apiKey)") }
        return HTTPRequestHead(
            method: method, authority: address.endpoint.text, path: address.basePath + path,
            fields: fields)
    }

    private func start(
        _ head: HTTPRequestHead, _ body: Data,
        _ receive: @escaping @Sendable (ChatEvent) -> Void
    ) -> Call {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let exchange = NIOLoopBoundBox.makeBoxSendingValue(
            ChatExchange(address, receive), eventLoop: loop)
        var configuration = HTTP1ClientConfiguration()
        configuration.tls = tls
        HTTP1ClientConnection.connect(
            to: address.endpoint, on: loop, configuration: configuration
        ).whenComplete { exchange.value.connected($0, head, body) }
        return Call(exchange: exchange)
    }
}
