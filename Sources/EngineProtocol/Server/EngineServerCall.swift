package import GRPC
import InferenceTypes
package import NIOCore

/// One `Generate` call on the server. Owned by its connection's loop, where all methods must be
/// called; after the end they do nothing.
///
/// Messages are those of vLLM's own servicer: while streaming, a chunk a batch of tokens, and at a
/// choice's end a `Complete` that repeats the last chunk's tokens; otherwise one `Complete` per
/// choice with all of them.
package final class EngineServerCall {
    /// Free for the service: its own name for the request, which may cross threads where this
    /// object may not.
    package var key: UInt64 = 0
    package let requestID: String
    private let call: GRPCServerCall
    private let service: any EngineService
    private let streams: Bool
    private var choices: [Choice]
    private var unfinished: Int
    /// More about the last finish than the message can say (`switchyard-finish`).
    private var finishDetail: String?

    /// What must be kept of a choice until its `Complete`.
    private struct Choice {
        /// The last chunk while streaming, everything otherwise.
        var tokens = EngineTokens(tokens: [])
        var isFinished = false
    }

    init(_ call: GRPCServerCall, _ request: EngineGenerateRequest, _ service: any EngineService) {
        self.call = call
        self.service = service
        requestID = request.generation.id
        streams = request.streams
        choices = Array(repeating: Choice(), count: request.choices)
        unfinished = request.choices
    }

    package var eventLoop: any EventLoop { call.eventLoop }
    /// When the client gives up (`grpc-timeout`); nil when it waits for ever.
    package var deadline: NIODeadline? { call.deadline }
    /// False while the client reads too slowly.
    package var isWritable: Bool { call.isWritable }
    package var unsentBytes: Int { call.unsentBytes }
    /// True once the call ended, for whatever reason.
    package var isFinished: Bool { call.isFinished }

    /// Sends (or, unless streaming, keeps) tokens of the choice `tokens.index`.
    package func send(_ tokens: EngineTokens) {
        guard !call.isFinished else { return }
        precondition(choices.indices.contains(tokens.index), "choice \(tokens.index)")
        precondition(!choices[tokens.index].isFinished, "tokens after the choice's end")
        if streams {
            call.send(framed: EngineChunkEncoder.encode(tokens))
            choices[tokens.index].tokens = tokens
        } else {
            choices[tokens.index].tokens.append(tokens)
        }
    }

    /// Ends a choice; the last one ends the call.
    package func finish(_ finish: EngineFinish) {
        guard !call.isFinished else { return }
        precondition(choices.indices.contains(finish.index), "choice \(finish.index)")
        precondition(!choices[finish.index].isFinished, "a choice ends once")
        let tokens = choices[finish.index].tokens
        choices[finish.index].isFinished = true
        choices[finish.index].tokens = EngineTokens(tokens: [])
        call.send(message: EngineMessages.complete(tokens, finish))
        finishDetail = EngineFinishWords.detail(of: finish.reason)
        unfinished -= 1
        guard unfinished == 0 else { return }
        var trailers = GRPCMetadata()
        if let finishDetail { trailers.append(EngineMetadataKey.finish, finishDetail) }
        call.finish(.ok, trailers: trailers)
    }

    /// Ends the call with an error; before the first token it is a Trailers-Only answer.
    package func fail(_ status: GRPCStatus) {
        call.finish(status)
    }
}

extension EngineServerCall: GRPCServerCallObserver {
    package func cancelled(_ status: GRPCStatus) { service.cancelled(self, status) }

    package func writabilityChanged(_ isWritable: Bool) {
        service.writabilityChanged(self, isWritable)
    }
}

extension EngineTokens {
    /// Adds later tokens of the same choice.
    fileprivate mutating func append(_ later: EngineTokens) {
        tokens += later.tokens
        if let more = later.logprobs { logprobs = (logprobs ?? []) + more }
        promptTokens = later.promptTokens
        cachedTokens = later.cachedTokens
        index = later.index
    }
}
