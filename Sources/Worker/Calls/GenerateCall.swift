import EngineProtocol
import InferenceTypes
import Scheduling
import Tokenization

/// One `Generate` call with its choices. Owned by its connection's event loop.
final class GenerateCall {
    /// Empty for a request without a name, which `Abort` cannot reach.
    let requestID: String
    let call: EngineServerCall
    /// The sequences of its choices, in the choices' order; nil when a choice has ended.
    var sequences: [SequenceKey?] = []
    /// As the client counts them: without resumed tokens.
    let promptTokens: Int
    /// The client wants to know how far the prefill is.
    let wantsProgress: Bool
    var unfinished: Int
    /// Finds stop strings, `[choice]`; empty where there are none to find.
    private var texts: [TextAssembler] = []
    private let stops: StopStrings
    /// Text that nobody reads; kept for its storage.
    private var text: [UInt8] = []
    /// Its sequences are paused because the client reads too slowly.
    var isPaused = false

    init(
        requestID: String, call: EngineServerCall, promptTokens: Int, wantsProgress: Bool,
        choices: Int, stops: StopStrings, minTokens: Int, pieces: PieceTable?
    ) {
        self.requestID = requestID
        self.wantsProgress = wantsProgress
        self.stops = stops
        if let pieces, !stops.strings.isEmpty {
            texts = Array(
                repeating: TextAssembler(pieces: pieces, stops: stops, minimumTokens: minTokens),
                count: choices)
        }
        self.call = call
        self.promptTokens = promptTokens
        unfinished = choices
        sequences.reserveCapacity(choices)
    }

    /// The stop string that `token` completes.
    func stopString(after token: TokenID, choice: Int) -> String? {
        guard !texts.isEmpty else { return nil }
        text.removeAll(keepingCapacity: true)
        return texts[choice].append(token, to: &text).stop.map { stops.strings[$0] }
    }
}
