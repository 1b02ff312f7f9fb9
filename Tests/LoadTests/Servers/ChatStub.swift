import Foundation
import GRPC
import HTTPTransport
import Logging
import NIOCore
import NIOPosix
import SwiftProtobuf
import Synchronization
import XAIProto

@testable import LoadGenerator

/// A server of streamed chat completions, on loopback: each answer has `max_tokens` deltas. Writes
/// no further while its client does not read.
final class ChatStub: HTTPService, Sendable {
    struct Seen: Sendable {
        var messages: [[String]] = []
        var maxTokens = 0
        var tier: String?
        var authorization: String?
        var arrived: UInt64 = 0
    }

    struct Log: Sendable {
        var seen: [Seen] = []
        /// Answers that had to wait for their client.
        var held = 0
    }

    let log = Mutex(Log())
    /// Between two deltas; nil: none.
    private let gap: TimeAmount?
    /// Bytes of text in a delta.
    private let deltaBytes: Int
    /// Deltas after which an answer waits until its client goes away; nil: none waits.
    private let pausesAfter: Int?
    /// Requests refused with 503 before others are served.
    private let refusals: Mutex<Int>
    let refusal: ByteBuffer
    /// One for each answer whose client went away before its end.
    private let cancellations = AsyncStream.makeStream(of: Void.self)

    init(
        gap: TimeAmount? = nil, deltaBytes: Int = 4, pausesAfter: Int? = nil, refusals: Int = 0,
        refusal: String = "busy"
    ) {
        self.gap = gap
        self.deltaBytes = deltaBytes
        self.pausesAfter = pausesAfter
        self.refusals = Mutex(refusals)
        self.refusal = ByteBuffer(string: refusal)
    }

    /// Returns when so many answers' clients have gone away.
    func cancellations(_ count: Int) async {
        var iterator = cancellations.stream.makeAsyncIterator()
        for _ in 0..<count { await iterator.next() }
    }

    func cancelled() { cancellations.continuation.yield() }

    func pauses(after sent: Int) -> Bool { sent == pausesAfter }

    var seen: [Seen] { log.withLock { $0.seen } }

    func accept(
        _ head: HTTPRequestHead, _ stream: HTTPServerStream
    ) -> any HTTPServerStreamReceiver {
        if GRPCRouter.isGRPC(head) {
            var router = GRPCRouter()
            router.add(XAIRequestBody.path, singleRequest: answer)
            return router.accept(head, stream)
        }
        let refused = refusals.withLock { left in
            left -= 1
            return left >= 0
        }
        return ChatStubExchange(self, head, stream, isRefused: refused)
    }

    // MARK: Events

    func delta(_ index: Int) -> String {
        var text = "t\(index)"
        while text.utf8.count < deltaBytes { text += "." }
        return text
    }

    func event(_ index: Int) -> ByteBuffer {
        ByteBuffer(
            string: "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\(delta(index))\"},"
                + "\"finish_reason\":null}]}\n\n")
    }

    func end(_ seen: Seen) -> ByteBuffer {
        let prompt = seen.messages.reduce(0) { $0 + $1[1].split(separator: " ").count }
        return ByteBuffer(
            string: "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"length\"}]}"
                + "\n\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":\(prompt),"
                + "\"completion_tokens\":\(seen.maxTokens)}}\n\ndata: [DONE]\n\n")
    }

    func later(_ loop: any EventLoop, _ work: @escaping () -> Void) {
        if let gap {
            loop.assumeIsolated().scheduleTask(in: gap, work)
        } else {
            loop.assumeIsolated().execute(work)
        }
    }

    // MARK: gRPC

    private func answer(
        _ message: ByteBuffer, _ call: GRPCServerCall
    ) -> (any GRPCServerCallObserver)? {
        guard
            let request = try? XaiApi_GetCompletionsRequest(
                serializedBytes: Array(message.readableBytesView))
        else {
            call.finish(GRPCStatus(.invalidArgument, "no request"))
            return nil
        }
        var seen = Seen(arrived: NIODeadline.now().uptimeNanoseconds)
        seen.maxTokens = Int(request.maxTokens)
        seen.authorization = call.fields["authorization"]
        seen.tier = request.serviceTier == .priority ? "priority" : nil
        let roles: [XaiApi_MessageRole: String] = [
            .roleUser: "user", .roleAssistant: "assistant", .roleSystem: "system",
        ]
        seen.messages = request.messages.map { message in
            [roles[message.role] ?? "?", message.content.map(\.text).joined()]
        }
        let entry = seen
        log.withLock { $0.seen.append(entry) }
        sendChunk(0, entry, call)
        return ChatStubCall(self)
    }

    private func sendChunk(_ index: Int, _ seen: Seen, _ call: GRPCServerCall) {
        guard !call.isFinished, !pauses(after: index) else { return }
        let isLast = index == seen.maxTokens
        let chunk = XaiApi_GetChatCompletionChunk.with { chunk in
            chunk.outputs = [
                .with { output in
                    output.delta.role = .roleAssistant
                    if !isLast { output.delta.content = delta(index) }
                    if isLast { output.finishReason = .reasonMaxLen }
                }
            ]
            chunk.usage.completionTokens = Int32(index)
            chunk.usage.promptTokens = 7
        }
        let bytes: [UInt8] = (try? chunk.serializedBytes()) ?? []
        call.send(message: ByteBuffer(bytes: bytes))
        if isLast { return call.finish() }
        later(call.eventLoop) { self.sendChunk(index + 1, seen, call) }
    }
}

private final class ChatStubCall: GRPCServerCallObserver {
    let stub: ChatStub

    init(_ stub: ChatStub) {
        self.stub = stub
    }

    func cancelled(_ status: GRPCStatus) { stub.cancelled() }
}

/// One request over HTTP and its answer. Owned by the connection's loop.
final class ChatStubExchange: HTTPServerStreamReceiver {
    private let stub: ChatStub
    private let head: HTTPRequestHead
    private let stream: HTTPServerStream
    private let isRefused: Bool
    private var body = ByteBuffer()
    private var seen = ChatStub.Seen()
    private var sent = 0
    private var isOver = false
    private var isHeld = false

    init(
        _ stub: ChatStub, _ head: HTTPRequestHead, _ stream: HTTPServerStream, isRefused: Bool
    ) {
        self.stub = stub
        self.head = head
        self.stream = stream
        self.isRefused = isRefused
    }

    func received(_ bytes: ByteBuffer) {
        body.writeImmutableBuffer(bytes)
        stream.consume(bytes.readableBytes)
    }

    func receivedEnd(trailers: HTTPFields?) {
        seen.arrived = NIODeadline.now().uptimeNanoseconds
        seen.authorization = head.fields["authorization"]
        guard !isRefused else {
            isOver = true
            stream.send(
                HTTPResponseHead(
                    status: 503, fields: ["content-length": "\(stub.refusal.readableBytes)"]),
                end: false)
            return stream.send(stub.refusal, end: true)
        }
        let json = try? JSONSerialization.jsonObject(with: Data(body.readableBytesView))
        let request = json as? [String: Any] ?? [:]
        seen.maxTokens = request["max_tokens"] as? Int ?? 0
        seen.tier = request["service_tier"] as? String
        seen.messages = (request["messages"] as? [[String: String]] ?? []).map {
            [$0["role"] ?? "", $0["content"] ?? ""]
        }
        let entry = seen
        stub.log.withLock { $0.seen.append(entry) }
        stream.send(
            HTTPResponseHead(
                status: 200,
                fields: ["content-type": "text/event-stream", "server-timing": "queue;dur=1.5"]),
            end: false)
        goOn()
    }

    private func goOn() {
        guard !isOver, !stub.pauses(after: sent) else { return }
        guard stream.isWritable else {
            if !isHeld { stub.log.withLock { $0.held += 1 } }
            isHeld = true
            return
        }
        guard sent < seen.maxTokens else {
            isOver = true
            return stream.send(stub.end(seen), end: true)
        }
        stream.send(stub.event(sent), end: false)
        sent += 1
        stub.later(stream.eventLoop) { self.goOn() }
    }

    func writabilityChanged(_ isWritable: Bool) {
        guard isWritable, isHeld else { return }
        isHeld = false
        goOn()
    }

    func closed(_ error: HTTPStreamError?) {
        if error != nil, !isOver { stub.cancelled() }
        isOver = true
    }
}

/// Runs `body` with a server of `stub`, at a free port of loopback.
func withServer<Result: Sendable>(
    _ stub: ChatStub, tls: TLSServerContext? = nil, limits: HTTPLimits = HTTPLimits(),
    _ body: (LoadTarget) async throws -> Result
) async throws -> Result {
    var configuration = HTTPServerConfiguration(
        endpoint: .tcp(host: "127.0.0.1", port: 0), limits: limits)
    configuration.tls = tls
    let server = try await HTTPServer.start(
        configuration: configuration, group: MultiThreadedEventLoopGroup.singleton, service: stub,
        logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    let port = server.localAddress?.port ?? 0
    let scheme = tls == nil ? "http" : "https"
    guard let target = LoadTarget(url: "\(scheme)://127.0.0.1:\(port)") else {
        throw HTTPStreamError.connectFailed("no port")
    }
    do {
        let result = try await body(target)
        await server.close()
        return result
    } catch {
        await server.close()
        throw error
    }
}
