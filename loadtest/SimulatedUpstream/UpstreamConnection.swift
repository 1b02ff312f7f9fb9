import NIOCore
import NIOHTTP1

/// A client's connection: one request at a time, kept alive between them. Owned by its loop.
final class UpstreamConnection: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = ByteBuffer

    /// A chat's answer on its way.
    private struct Answer {
        var isStreamed: Bool
        var wantsUsage: Bool
        var promptTokens: Int
        var completionTokens: Int
        var sent = 0
    }

    /// This stream's list and its place there. Owned by the timer; -1: in none.
    var phase = 0
    var place = -1

    private let configuration: UpstreamConfiguration
    private let answers: RenderedAnswers
    private let timer: StepTimer
    private var context: ChannelHandlerContext?
    private var head: HTTPRequestHead?
    private var body = ByteBuffer()
    private var isTooLong = false
    private var answer: Answer?
    /// Counts requests, so that a timer set for one does not reach the next.
    private var request = 0

    init(
        _ configuration: UpstreamConfiguration, _ answers: RenderedAnswers, _ timer: StepTimer
    ) {
        self.configuration = configuration
        self.answers = answers
        self.timer = timer
    }

    var hasEnded: Bool { answer == nil }

    // MARK: ChannelInboundHandler

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelInactive(context: ChannelHandlerContext) { abandon() }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable, place >= 0 { timer.resume() }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            // No client of ours pipelines.
            guard answer == nil else { return context.close(promise: nil) }
            self.head = head
            body.clear()
            isTooLong = false
        case .body(var bytes):
            isTooLong = isTooLong || body.readableBytes + bytes.readableBytes > bodyBytesMax
            if !isTooLong { body.writeBuffer(&bytes) }
        case .end:
            receivedRequest(context)
        }
    }

    private var bodyBytesMax: Int { configuration.bodyBytesMax }

    // MARK: Requests

    private func receivedRequest(_ context: ChannelHandlerContext) {
        guard let head else { return }
        request += 1
        let path = head.uri.prefix { $0 != "?" }
        if head.method == .POST, path == "/v1/chat/completions" {
            guard !isTooLong else {
                return respond(
                    RenderedAnswers.refusal("413 Content Too Large", "The body is too long."))
            }
            let ask = ChatAsk(body)
            guard ask.maxTokens ?? 1 <= UpstreamConfiguration.tokensMax else {
                return respond(
                    RenderedAnswers.refusal(
                        "400 Bad Request",
                        "max_tokens is more than \(UpstreamConfiguration.tokensMax)."))
            }
            begin(ask)
        } else if head.method == .GET, path == "/stats" {
            respond(
                RenderedAnswers.response(
                    "{\"tokens\":\(timer.counters.tokens),"
                        + "\"worst_lateness_ms\":"
                        + "\(Double(timer.counters.worstLateness) / 1e6)}"))
        } else if head.method == .GET, let page = answers.page(String(path)) {
            respond(page)
        } else {
            respond(RenderedAnswers.refusal("404 Not Found", "There is no such page."))
        }
    }

    private func begin(_ ask: ChatAsk) {
        let answer = Answer(
            isStreamed: ask.isStreamed, wantsUsage: ask.wantsUsage,
            // About what tokenizers make of English.
            promptTokens: max(1, body.readableBytes / 4),
            completionTokens: max(1, ask.maxTokens ?? configuration.defaultTokens))
        self.answer = answer
        let steps = answer.isStreamed ? 0 : answer.completionTokens - 1
        let delay =
            configuration.firstTokenMilliseconds
            + configuration.stepMilliseconds * Double(steps)
        guard delay > 0, let context else { return start() }
        let request = self.request
        context.eventLoop.assumeIsolated().scheduleTask(in: .nanoseconds(Int64(delay * 1e6))) {
            if self.request == request, self.answer != nil { self.start() }
        }
    }

    /// The first token is due; that of a whole answer with all others.
    private func start() {
        guard let answer else { return }
        guard answer.isStreamed else {
            self.answer = nil
            timer.counters.wrote(answer.completionTokens)
            return respond(
                answers.whole(
                    prompt: answer.promptTokens, completion: answer.completionTokens))
        }
        write(answers.streamStart)
        writeToken()
        timer.counters.wrote(1)
        context?.flush()
        if !hasEnded { timer.add(self) }
    }

    private func respond(_ bytes: ByteBuffer) {
        write(bytes)
        context?.flush()
        finishRequest()
    }

    private func finishRequest() {
        if head?.isKeepAlive == false, let context {
            let written = context.eventLoop.makePromise(of: Void.self)
            context.writeAndFlush(wrapOutboundOut(ByteBuffer()), promise: written)
            written.futureResult.assumeIsolated().whenComplete { _ in
                self.context?.close(promise: nil)
            }
        }
        head = nil
    }

    /// The client went away.
    private func abandon() {
        request += 1
        answer = nil
        timer.remove(self)
    }

    // MARK: Tokens

    /// Writes what a step brings to this stream; returns the number of tokens. Who does not read
    /// gets none, like a sequence that an engine pauses.
    func step() -> Int {
        guard let context, context.channel.isWritable else { return 0 }
        var written = 0
        let wanted = configuration.stepMilliseconds > 0 ? 1 : configuration.eventsPerWrite
        while written < wanted, !hasEnded {
            writeToken()
            written += 1
        }
        context.flush()
        return written
    }

    private func writeToken() {
        guard let context, var answer else { return }
        if configuration.isStamped {
            let now = NIODeadline.now().uptimeNanoseconds
            write(answers.stampedToken(now, context.channel.allocator))
        } else {
            write(answers.token(answer.sent))
        }
        answer.sent += 1
        self.answer = answer
        guard answer.sent == answer.completionTokens else { return }
        self.answer = nil
        write(answers.finish)
        write(
            answer.wantsUsage
                ? answers.doneWithUsage(
                    prompt: answer.promptTokens, completion: answer.completionTokens)
                : answers.done)
        finishRequest()
    }

    private func write(_ bytes: ByteBuffer) {
        guard let context else { return }
        context.write(wrapOutboundOut(bytes), promise: nil)
    }
}
