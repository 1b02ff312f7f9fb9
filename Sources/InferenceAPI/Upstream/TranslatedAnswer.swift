/// What an upstream's chat completion says, as pieces of the internal model, for a face of other
/// words. Owned by its request's event loop.
package struct TranslatedAnswer: Sendable {
    /// A call of which the stream has brought a part.
    private struct Call: Sendable {
        var id = ""
        var name = ""
        var arguments = ""
    }

    /// A piece and the choice that it belongs to.
    package struct Piece: Hashable, Sendable {
        package var choice: Int
        package var piece: AnswerPiece
    }

    /// Why an answer cannot be translated.
    package enum Failure: Error, Hashable {
        /// Parts have other types than OpenAI's.
        case malformed
        /// Calls longer than `callBytesLimit`.
        case tooLong
    }

    /// Names and arguments of all calls that have not ended; more is a failure of the upstream's.
    package static let callBytesLimit = 1 << 20

    private let wantsLogprobs: Bool
    /// Of `calls`.
    private var callBytes = 0
    /// By choice, then by the upstream's index.
    private var calls: [[Int: Call]]

    package init(choiceCount: Int, wantsLogprobs: Bool) {
        self.wantsLogprobs = wantsLogprobs
        calls = Array(repeating: [:], count: choiceCount)
    }

    /// The pieces of a completion or chunk that was read before; calls of a choice come when it
    /// ends.
    package mutating func take(_ answer: ForwardedAnswer) throws(Failure) -> [Piece] {
        let deltas: [ForwardedDelta]
        do { deltas = try answer.deltas() } catch { throw .malformed }
        var pieces: [Piece] = []
        for delta in deltas where calls.indices.contains(delta.choice) {
            if !delta.reasoning.isEmpty {
                pieces.append(Piece(choice: delta.choice, piece: .reasoning(delta.reasoning)))
            }
            if !delta.text.isEmpty || !delta.logprobs.isEmpty {
                let logprobs = wantsLogprobs ? delta.logprobs : nil
                pieces.append(
                    Piece(choice: delta.choice, piece: .text(delta.text, logprobs: logprobs)))
            }
            for part in delta.calls {
                var call = calls[delta.choice][part.index] ?? Call()
                if let id = part.id { call.id = id }
                if let name = part.name { call.name += name }
                call.arguments += part.arguments
                // Each part counts for something, so that their number is bounded too.
                callBytes += 64 + (part.name?.utf8.count ?? 0) + part.arguments.utf8.count
                guard callBytes <= Self.callBytesLimit else { throw .tooLong }
                calls[delta.choice][part.index] = call
            }
            guard delta.isLast else { continue }
            for index in calls[delta.choice].keys.sorted() {
                guard let call = calls[delta.choice][index] else { continue }
                pieces.append(
                    Piece(
                        choice: delta.choice,
                        piece: .toolCall(
                            ChatToolCall(
                                id: call.id, name: call.name,
                                arguments: call.arguments.isEmpty ? "{}" : call.arguments))))
            }
            calls[delta.choice] = [:]
            if calls.allSatisfy(\.isEmpty) { callBytes = 0 }
        }
        return pieces
    }
}

/// What one choice of a completion or chunk brings.
struct ForwardedDelta: Sendable {
    struct CallPart: Sendable {
        var index = 0
        var id: String?
        var name: String?
        var arguments = ""
    }

    var choice = 0
    var text = ""
    var reasoning = ""
    var calls: [CallPart] = []
    var logprobs: [ChatTokenLogprob] = []
    /// The choice ends with it.
    var isLast = false
}

extension ForwardedAnswer {
    private enum Field: String, CaseIterable { case choices }

    private static let fields = JSONKeyTable<Field>()

    func deltas() throws(JSONError) -> [ForwardedDelta] {
        var deltas: [ForwardedDelta] = []
        var reader = JSONReader(bytes)
        try reader.beginObject()
        fields: while true {
            switch try reader.nextKey(in: Self.fields) {
            case .end: break fields
            case .unknown: try reader.skipValue()
            case .known:
                if try reader.readNull() { continue }
                try reader.beginArray()
                while try reader.nextElement() { deltas.append(try reader.forwardedDelta()) }
            }
        }
        return deltas
    }
}

extension JSONReader {
    fileprivate mutating func forwardedDelta() throws(JSONError) -> ForwardedDelta {
        var delta = ForwardedDelta()
        try beginObject()
        while let key = try nextKey() {
            if try readNull() { continue }
            switch key {
            case "index": delta.choice = Int(clamping: try readInteger())
            case "finish_reason":
                _ = try readString()
                delta.isLast = true
            case "delta", "message": try readMessage(into: &delta)
            case "logprobs": delta.logprobs = try logprobs(in: "content")
            default: try skipValue()
            }
        }
        return delta
    }

    private mutating func readMessage(into delta: inout ForwardedDelta) throws(JSONError) {
        try beginObject()
        while let key = try nextKey() {
            if try readNull() { continue }
            switch key {
            // A refusal is what the model says instead.
            case "content", "refusal": delta.text += try readString()
            // DeepSeek's name, vLLM's newer one.
            case "reasoning_content", "reasoning": delta.reasoning += try readString()
            case "tool_calls":
                try beginArray()
                while try nextElement() {
                    delta.calls.append(try callPart(index: delta.calls.count))
                }
            default: try skipValue()
            }
        }
    }

    /// - Parameter index: for whole answers, whose calls have none.
    private mutating func callPart(index: Int) throws(JSONError) -> ForwardedDelta.CallPart {
        var part = ForwardedDelta.CallPart(index: index)
        try beginObject()
        while let key = try nextKey() {
            if try readNull() { continue }
            switch key {
            case "index": part.index = Int(clamping: try readInteger())
            case "id": part.id = try readString()
            case "function":
                try beginObject()
                while let key = try nextKey() {
                    if try readNull() { continue }
                    switch key {
                    case "name": part.name = try readString()
                    case "arguments": part.arguments = try readString()
                    default: try skipValue()
                    }
                }
            default: try skipValue()
            }
        }
        return part
    }

    private mutating func logprobs(in name: String) throws(JSONError) -> [ChatTokenLogprob] {
        var entries: [ChatTokenLogprob] = []
        try beginObject()
        while let key = try nextKey() {
            if try readNull() { continue }
            guard key == name else {
                try skipValue()
                continue
            }
            try beginArray()
            while try nextElement() { entries.append(try tokenLogprob()) }
        }
        return entries
    }

    private mutating func tokenLogprob() throws(JSONError) -> ChatTokenLogprob {
        var token = ChatTokenLogprob.Candidate(bytes: [], logprob: 0)
        var spelling: [UInt8] = []
        var top: [ChatTokenLogprob.Candidate] = []
        try beginObject()
        while let key = try nextKey() {
            if try readNull() { continue }
            switch key {
            case "token": spelling = Array(try readString().utf8)
            case "logprob": token.logprob = Float(try readDouble())
            case "bytes":
                try beginArray()
                while try nextElement() {
                    token.bytes.append(UInt8(clamping: try readInteger()))
                }
            case "top_logprobs":
                try beginArray()
                while try nextElement() { top.append(try tokenLogprob().token) }
            default: try skipValue()
            }
        }
        if token.bytes.isEmpty { token.bytes = spelling }
        return ChatTokenLogprob(token: token, top: top)
    }
}
