import ArgumentParser
import Foundation
import Gateway
import HTTPTransport
import NIOCore
import NIOPosix

/// Asks a gateway's admin port.
struct AdminClient: ParsableArguments {
    @Option(help: "The gateway's admin port, host:port. Also SWITCHYARD_ADMIN.")
    var admin = ProcessInfo.processInfo.environment["SWITCHYARD_ADMIN"] ?? "127.0.0.1:8081"

    @Option(help: "File whose first line is the token. Also SWITCHYARD_ADMIN_TOKEN_FILE.")
    var tokenFile: String?

    /// The answer's body; an answer that is no success ends the program with what it says.
    func ask(_ method: String, _ path: String, body: [String: Any] = [:]) async throws -> Data {
        guard let endpoint = HTTPEndpoint(text: admin) else {
            throw ValidationError("--admin \(admin): expected host:port")
        }
        var fields: HTTPFields = ["content-type": "application/json"]
        if let token = try token() { fields.append("authorization", "Bearer \(token)") }
        let bytes = body.isEmpty ? Data() : try JSONSerialization.data(withJSONObject: body)
        let head = HTTPRequestHead(method: method, authority: admin, path: path, fields: fields)
        let (status, answer) = try await exchange(head, bytes, with: endpoint)
        guard status == 200 else {
            Output.error("switchyard: \(Self.message(answer) ?? "the gateway answered \(status)")")
            throw ExitCode.failure
        }
        return answer
    }

    /// A name as part of a path.
    static func encoded(_ name: String) -> String {
        var allowed = CharacterSet.alphanumerics
        allowed.insert(charactersIn: "-._~")
        return name.addingPercentEncoding(withAllowedCharacters: allowed) ?? name
    }

    private func token() throws -> String? {
        let environment = ProcessInfo.processInfo.environment
        guard let tokenFile = tokenFile ?? environment["SWITCHYARD_ADMIN_TOKEN_FILE"] else {
            return nil
        }
        guard let text = try? String(contentsOfFile: tokenFile, encoding: .utf8),
            let line = text.split(whereSeparator: \.isWhitespace).first
        else { throw ValidationError("--token-file: cannot read a token in \(tokenFile)") }
        return String(line)
    }

    private func exchange(
        _ head: HTTPRequestHead, _ body: Data, with endpoint: HTTPEndpoint
    ) async throws -> (status: Int, body: Data) {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let answer = loop.makePromise(of: (status: Int, body: Data).self)
        loop.execute { Self.start(head, body, with: endpoint, on: loop, answer) }
        do {
            return try await answer.futureResult.get()
        } catch {
            Output.error("switchyard: cannot ask the gateway at \(admin): \(error)")
            throw ExitCode.unavailable
        }
    }

    /// On the loop.
    private static func start(
        _ head: HTTPRequestHead, _ body: Data, with endpoint: HTTPEndpoint,
        on loop: any EventLoop, _ answer: EventLoopPromise<(status: Int, body: Data)>
    ) {
        HTTP2ClientConnection.connect(to: endpoint, on: loop).assumeIsolated().whenComplete {
            do {
                let connection = try $0.get()
                let receiver = AnswerReceiver(promise: answer, connection: connection)
                let stream = try connection.open(head, end: body.isEmpty, receiver: receiver)
                receiver.stream = stream
                if !body.isEmpty { stream.send(ByteBuffer(bytes: body), end: true) }
            } catch {
                answer.fail(error)
            }
        }
    }

    /// The message of an error's body.
    private static func message(_ body: Data) -> String? {
        struct Answer: Decodable {
            struct Failure: Decodable { var message: String }
            var error: Failure
        }
        return try? JSONDecoder().decode(Answer.self, from: body).error.message
    }
}

/// Collects one answer. Owned by the connection's loop.
private final class AnswerReceiver: HTTPClientStreamReceiver {
    private let promise: EventLoopPromise<(status: Int, body: Data)>
    private let connection: HTTP2ClientConnection
    var stream: HTTPClientStream?
    private var status = 0
    private var body = Data()

    init(
        promise: EventLoopPromise<(status: Int, body: Data)>, connection: HTTP2ClientConnection
    ) {
        self.promise = promise
        self.connection = connection
    }

    func received(_ head: HTTPResponseHead) { status = head.status }

    func received(_ bytes: ByteBuffer) {
        stream?.consume(bytes.readableBytes)
        body.append(contentsOf: bytes.readableBytesView)
    }

    func receivedEnd(trailers: HTTPFields?) {}

    func closed(_ error: HTTPStreamError?) {
        if let error { promise.fail(error) } else { promise.succeed((status, body)) }
        connection.drain()
    }
}
