import InferenceAPI
import InferenceTypes
import NIOCore
import Storage

/// One run of a job: a generation without a client, whose whole answer is kept. Owned by the
/// connection loop that it runs on.
final class JobExecution {
    struct Result: Sendable {
        var answer: StoredAnswer
        /// As it was decoded; nil when it could not be.
        var request: ChatRequest?
    }

    private let connectionLoop: ConnectionLoop
    private var generation: Generation?
    /// Once it is understood.
    private var request: FaceRequest?
    private var answer: PartialAnswer?
    private var forwardedWhole: ByteBuffer?
    /// Nil once called.
    private var whenDone: ((Result) -> Void)?

    init(on connectionLoop: ConnectionLoop, whenDone: @escaping (Result) -> Void) {
        self.connectionLoop = connectionLoop
        self.whenDone = whenDone
    }

    func start(_ job: Job) {
        guard let face = Faces.named(job.face) else {
            return done(
                .failure(APIError(.internal, "Nothing here reads requests of this kind.")))
        }
        let principal: Principal
        do throws(APIError) {
            principal = try connectionLoop.core.serving.current.tenants.principal(of: job.owner)
            try principal.require(Faces.operation(of: job.face))
        } catch {
            return done(.failure(error))
        }
        var context = GenerationContext(
            requestID: job.id, caller: ChatCaller(principal: principal, conversation: nil),
            arrival: connectionLoop.core.clock())
        context.usageID = job.id
        switch job.kind {
        case .batch: context.tier = .batch
        // It has been told to the client already.
        case .background: context.answerID = job.id
        case .deferred: break
        }
        generation = Generation(context, receiver: self, on: connectionLoop)
        generation?.start(ByteBuffer(bytes: job.body), face: face)
    }

    /// Nobody wants its result any more.
    func cancel() {
        generation?.end(.abandoned)
    }

    private func done(_ answer: StoredAnswer) {
        let whenDone = whenDone
        self.whenDone = nil
        whenDone?(Result(answer: answer, request: request?.chat))
    }
}

extension JobExecution: GenerationReceiver {
    var isWritable: Bool { true }

    func prepared(_ request: PreparedRequest) -> Bool {
        self.request = FaceRequest(chat: request.chat, format: request.format)
        if case .text(let chat) = request, chat.request.isStreaming {
            // Its events would be the answer, and nobody is there to read them.
            generation?.end(
                .failed(
                    APIError(
                        .invalidValue, "Not allowed in a request whose answer is fetched later.",
                        parameter: "stream")))
            return false
        }
        return true
    }

    func began(_ head: ChatResponseHead) {
        guard let request else { return }
        answer = PartialAnswer(request.chat, request.format, head, isKept: true)
    }

    func received(_ piece: AnswerPiece, choice: Int) {
        answer?.collect(piece, choice: choice)
    }

    func finished(_ reason: FinishReason, choice: Int) {
        answer?.collect(reason, choice: choice)
    }

    func forwarded(_ events: ByteBuffer) {}

    func forwarded(whole: ByteBuffer) {
        forwardedWhole = whole
    }

    func tick(now: Instant) {}

    func ended(_ end: GenerationEnd) {
        generation = nil
        switch end {
        case .finished(let usage):
            if let forwardedWhole {
                return done(.forwarded(Array(buffer: forwardedWhole)))
            }
            guard let answer else { preconditionFailure("a job finished without an answer") }
            done(.completion(answer.completion(usage)))
        case .failed(let error): done(.failure(error))
        case .abandoned, .accepted:
            done(.failure(APIError(.clientClosed, "The request was cancelled.")))
        }
    }
}

/// A running job as the control path sees it. The box is its loop's.
struct JobHandle: Sendable {
    let loop: ConnectionLoopHandle
    let execution: NIOLoopBoundBox<JobExecution?>

    init(on loop: ConnectionLoopHandle) {
        self.loop = loop
        execution = .makeEmptyBox(valueType: JobExecution.self, eventLoop: loop.eventLoop)
    }

    func run(_ job: Job) async -> JobExecution.Result {
        await withCheckedContinuation { continuation in
            loop.perform { connectionLoop in
                let box = execution
                let execution = JobExecution(on: connectionLoop) { result in
                    box.value = nil
                    continuation.resume(returning: result)
                }
                box.value = execution
                execution.start(job)
            }
        }
    }

    func cancel() {
        loop.perform { _ in execution.value?.cancel() }
    }
}
