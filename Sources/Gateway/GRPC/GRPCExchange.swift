import GRPC
import HTTPTransport
import InferenceAPI
import InferenceTypes
import NIOCore
import Storage
import XAIProto

/// One call for a generation, unary or streaming: gets the message, has it generated, and writes
/// what comes out as its face wants it. Owned by the connection's loop.
///
/// Response headers go out with the first message. What fails before that is a Trailers-Only
/// answer, which clients may repeat without telling anybody; what fails later ends with trailers,
/// behind whatever was sent.
final class GRPCExchange: GRPCServerCallReceiver {
    /// The call drops its receiver when it ends, which breaks the cycle.
    private let call: GRPCServerCall
    private let face: any Face
    /// Nil once ended, which breaks the cycle.
    private var generation: Generation?
    private var message: ByteBuffer?
    /// Once it is understood.
    private var request: FaceRequest?
    private var answer: PartialAnswer?
    /// A choice ended because no further token could be paid for.
    private var endsAtBudget = false
    private let connectionLoop: ConnectionLoop
    private let principal: Principal
    private let isDeferred: Bool
    /// Of a request that is kept with its answer.
    private var keptBody: ByteBuffer?
    /// The answer to a request that runs later.
    private var acceptance = ByteBuffer()

    /// - Parameter isDeferred: it is run later.
    init(
        _ call: GRPCServerCall, face: any Face, isDeferred: Bool = false,
        context: GenerationContext, on connectionLoop: ConnectionLoop
    ) {
        self.call = call
        self.face = face
        self.isDeferred = isDeferred
        self.connectionLoop = connectionLoop
        principal = context.caller.principal
        generation = Generation(context, receiver: self, on: connectionLoop)
    }

    // MARK: The call

    func received(message: ByteBuffer) {
        guard self.message == nil else { return refuse(.secondMessage) }
        self.message = message
    }

    func receivedEnd() {
        guard let message else { return refuse(.missingMessage) }
        generation?.start(message, face: face)
    }

    /// The call is over already; what is generated for it has nobody to go to.
    func cancelled(_ status: GRPCStatus) {
        switch status.code {
        case .deadlineExceeded:
            generation?.end(
                .failed(APIError(.deadlineExceeded, "The call's deadline has passed.")))
        case .resourceExhausted where status.origin == .local:
            generation?.end(.failed(APIError(.payloadTooLarge, status.message)))
        default: generation?.end(.abandoned)
        }
    }

    func writabilityChanged(_ isWritable: Bool) {
        if isWritable { generation?.receiverReads() }
    }

    /// Ends a call that is not what its method takes.
    private func refuse(_ status: GRPCStatus) {
        call.finish(status)
        generation?.end(.failed(APIError(.invalidValue, status.message)))
    }

    // MARK: The answer

    /// The client sees the end only when the answer that it was told to be kept is.
    private func keepAndFinish(_ usage: Usage) {
        guard let keptBody, let answer, let storage = connectionLoop.core.storage else {
            return finish(usage)
        }
        let response = StoredResponse(
            answer.completion(usage), to: answer.request, body: keptBody, face: face,
            owner: principal.owner)
        let bound = NIOLoopBound(self, eventLoop: connectionLoop.eventLoop)
        storage.store(response, on: connectionLoop.eventLoop).whenSuccess { result in
            let exchange = bound.value
            guard !exchange.call.isFinished else { return }
            switch result {
            case .success: exchange.finish(usage)
            case .failure(let error): exchange.call.finish(error)
            }
        }
    }

    /// The client hears of it only when nothing can lose it any more.
    private func accept(_ body: ByteBuffer, _ chat: ChatRequest) {
        guard let storage = connectionLoop.core.storage else {
            generation?.end(
                .failed(
                    APIError(
                        .unsupported, "This gateway keeps nothing: it has no data-dir.")))
            return
        }
        guard chat.choiceCount == 1 else {
            generation?.end(
                .failed(APIError(.invalidValue, "Expected 1, but got more.", parameter: "n")))
            return
        }
        do throws(APIError) {
            try principal.requireRetention()
        } catch {
            generation?.end(.failed(error))
            return
        }
        let job = NewJob(
            .deferred, body, chat, face: face, owner: principal.owner,
            tier: principal.granted(chat.serviceTier))
        acceptance = XaiApi_StartDeferredResponse.with { $0.requestID = job.id }.bytes
        let bound = NIOLoopBound(self, eventLoop: connectionLoop.eventLoop)
        storage.accept(job, on: connectionLoop.eventLoop).whenSuccess { result in
            switch result {
            case .success: bound.value.generation?.end(.accepted)
            case .failure(let error): bound.value.generation?.end(.failed(error))
            }
        }
    }

    private func finish(_ usage: Usage) {
        guard let answer else { preconditionFailure("an exchange finished without an answer") }
        var bytes = ByteBuffer()
        if answer.isStreaming {
            answer.writeEnd(usage, into: &bytes)
            send(bytes)
        } else {
            answer.format.write(answer.completion(usage), into: &bytes)
            call.send(message: bytes)
        }
        var trailers = GRPCMetadata()
        if endsAtBudget { trailers.append(Self.finishDetail, "budget") }
        call.finish(trailers: trailers)
    }

    /// A trailer that says why an answer ended where its finish reason has one word for several.
    private static let finishDetail = "x-switchyard-finish-detail"

    private func send(_ bytes: ByteBuffer) {
        guard bytes.readableBytes > 0 else { return }
        call.send(framed: bytes)
    }
}

// MARK: - What the generation reports

extension GRPCExchange: GenerationReceiver {
    var isWritable: Bool { call.isWritable }

    func prepared(_ request: PreparedRequest) -> Bool {
        self.request = FaceRequest(chat: request.chat, format: request.format)
        let body = message ?? ByteBuffer()
        message = ByteBuffer()
        guard !isDeferred else {
            accept(body, request.chat)
            return false
        }
        if request.chat.isStored, connectionLoop.core.storage != nil { keptBody = body }
        return true
    }

    func began(_ head: ChatResponseHead) {
        guard let request else { return }
        answer = PartialAnswer(request.chat, request.format, head, isKept: keptBody != nil)
    }

    func received(_ piece: AnswerPiece, choice: Int) {
        answer?.collect(piece, choice: choice)
        guard answer?.isStreaming == true else { return }
        var buffer = ByteBuffer()
        answer?.write(piece, choice: choice, usage: generation?.usage ?? Usage(), into: &buffer)
        send(buffer)
    }

    func finished(_ reason: FinishReason, choice: Int) {
        if reason == .budget { endsAtBudget = true }
        answer?.collect(reason, choice: choice)
        guard answer?.isStreaming == true else { return }
        var buffer = ByteBuffer()
        answer?.write(reason, choice: choice, usage: generation?.usage ?? Usage(), into: &buffer)
        send(buffer)
    }

    // An upstream's own words are chat completions': its answers to others are translated.
    func forwarded(_ events: ByteBuffer) {}
    func forwarded(whole: ByteBuffer) {}

    /// HTTP/2 keeps its connections alive by itself.
    func tick(now: Instant) {}

    func ended(_ end: GenerationEnd) {
        let standing = generation?.standing ?? .unlimited
        generation = nil
        switch end {
        case .finished(let usage): keepAndFinish(usage)
        case .failed(let error): call.finish(error, standing)
        case .accepted:
            call.send(message: acceptance)
            call.finish()
        case .abandoned: break
        }
    }
}
