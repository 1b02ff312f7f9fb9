import EngineProtocol
import InferenceTypes
import Scheduling

/// One `Generate` call with its choices. Owned by its connection's event loop.
final class GenerateCall {
    /// Empty for a request without a name, which `Abort` cannot reach.
    let requestID: String
    let call: EngineServerCall
    /// The sequences of its choices, in the choices' order; nil when a choice has ended.
    var sequences: [SequenceKey?] = []
    /// As the client counts them: without resumed tokens.
    let promptTokens: Int
    var unfinished: Int
    /// Its sequences are paused because the client reads too slowly.
    var isPaused = false

    init(requestID: String, call: EngineServerCall, promptTokens: Int, choices: Int) {
        self.requestID = requestID
        self.call = call
        self.promptTokens = promptTokens
        unfinished = choices
        sequences.reserveCapacity(choices)
    }
}
