import InferenceAPI
import InferenceTypes
import NIOCore

/// How a generation ended.
enum GenerationEnd: Sendable {
    /// All choices have finished.
    case finished(Usage)
    case failed(APIError)
    /// It was prepared and is run later, by something else.
    case accepted
    /// Nobody wants the answer any more.
    case abandoned
}

/// Who asked for a generation. Called on the connection's loop.
protocol GenerationReceiver: AnyObject {
    /// False while no more output should come.
    var isWritable: Bool { get }
    /// The request is understood, complete and could be served. False: its receiver does something
    /// else with it, and ends the generation.
    func prepared(_ request: PreparedRequest) -> Bool
    /// All parts of the answer have this head. Before any output; again when the request's pool was
    /// replaced before there was any.
    func began(_ head: ChatResponseHead)
    func received(_ piece: AnswerPiece, choice: Int)
    func finished(_ reason: FinishReason, choice: Int)
    /// Events of an upstream's stream, in the words of chat completions, as they are to be sent.
    func forwarded(_ events: ByteBuffer)
    /// An upstream's whole answer, before `ended`.
    func forwarded(whole: ByteBuffer)
    /// A few times a second, while the generation runs.
    func tick(now: Instant)
    /// Exactly once and last.
    func ended(_ end: GenerationEnd)
}
