package import GRPC
import InferenceTypes
package import NIOCore

/// Receives one choice. Called on the connection's loop. Exactly one of `finished` and `failed`
/// comes, last; `failed` may come from inside `EngineCall.cancel`.
package protocol EngineStreamReceiver: AnyObject {
    /// Some tokens, in order; after each, `EngineCall.consume` gives the worker credit to go on.
    func received(_ tokens: EngineTokens)
    /// The choice ended as it should; comes with the call's OK.
    func finished(_ finish: EngineFinish)
    /// The call ended otherwise. `status.isSafeToRetry` tells whether the worker began at all.
    func failed(_ status: GRPCStatus)
}

/// One `Generate` call on the client: one choice, streamed. Owned by the connection's loop.
package final class EngineCall {
    private let receiver: any EngineStreamReceiver
    private var call: GRPCClientCall?
    private var usage = Usage()
    /// From `Complete`, which precedes the call's status.
    private var end: (word: String, matched: FinishReason?)?
    private var hasChunks = false

    init(_ receiver: any EngineStreamReceiver) {
        self.receiver = receiver
    }

    /// Ties the call, whose receiver this is.
    func started(_ call: GRPCClientCall) {
        self.call = call
    }

    /// Gives the worker credit for everything received so far. Without it the worker may send one
    /// window more and then pauses the request.
    package func consume() {
        call?.consume()
    }

    /// Ends generation: RST_STREAM CANCEL to the worker, and `failed` with CANCELLED to the
    /// receiver before this returns. Nothing when the call has ended.
    package func cancel() {
        call?.cancel()
    }
}

extension EngineCall: GRPCClientCallReceiver {
    package func received(message: ByteBuffer) {
        do {
            switch try EngineMessages.response(message) {
            case .chunk(let tokens):
                hasChunks = true
                deliver(tokens)
            case .complete(let tokens, let word, let matched):
                // While streaming, `Complete` repeats the last chunk's tokens.
                if !hasChunks, !tokens.tokens.isEmpty { deliver(tokens) }
                if tokens.promptTokens > 0 { usage.promptTokens = tokens.promptTokens }
                if tokens.cachedTokens > 0 { usage.cachedTokens = tokens.cachedTokens }
                end = (word, matched)
            }
        } catch {
            call?.fail(error)
        }
    }

    private func deliver(_ tokens: EngineTokens) {
        usage.promptTokens = tokens.promptTokens
        usage.cachedTokens = tokens.cachedTokens
        usage.completionTokens += tokens.tokens.count
        var counted = tokens
        counted.completionTokens = usage.completionTokens
        receiver.received(counted)
    }

    package func closed(_ status: GRPCStatus, trailers: GRPCMetadata) {
        call = nil
        guard status.isOK else { return receiver.failed(status) }
        guard let end else {
            return receiver.failed(
                GRPCStatus(.internalError, "the worker ended a stream without a finish"))
        }
        let detail = trailers[EngineMetadataKey.finish]
        guard
            let reason = end.matched ?? EngineFinishWords.reason(word: end.word, detail: detail)
        else {
            return receiver.failed(
                GRPCStatus(.internalError, "the engine reports an error", origin: .peer))
        }
        receiver.finished(EngineFinish(reason: reason, usage: usage))
    }
}
