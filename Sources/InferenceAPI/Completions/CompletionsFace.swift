import InferenceTypes
package import NIOCore

/// `POST /v1/completions`: text that goes on from a prompt, without turns (OpenAI, "Completions",
/// legacy).
package struct CompletionsFace: RESTFace {
    package var name: String { "completions" }
    package var promptParameter: String { "prompt" }

    package init() {}

    package func decode(
        _ body: ByteBuffer, limits: ChatRequestLimits
    ) throws(APIError) -> FaceRequest {
        var decoder = CompletionsRequestDecoder(body, limits: limits)
        do {
            try decoder.decode()
        } catch {
            throw error.apiError(in: body, limits: limits.json)
        }
        return FaceRequest(
            chat: decoder.request,
            format: CompletionsFormat(
                echo: decoder.echo, choicesPerPrompt: decoder.request.choiceCount,
                includesUsage: decoder.request.includesUsage))
    }
}

/// How completions are answered.
package struct CompletionsFormat: AnswerFormat {
    /// The prompts, where answers begin with them; empty otherwise.
    let echo: [String]
    let choicesPerPrompt: Int
    let includesUsage: Bool

    package var idPrefix: String { "cmpl-" }

    package func encoder(_ head: ChatResponseHead) -> any AnswerEncoder {
        CompletionsStreamEncoder(format: self, head: head)
    }

    package func write(_ completion: Completion, into buffer: inout ByteBuffer) {
        Self.writeOpening(completion.head, into: &buffer)
        for (index, choice) in completion.choices.enumerated() {
            if index > 0 { buffer.writeStaticString(",") }
            buffer.writeStaticString("{\"text\":")
            // A prompt is not a conversation: whatever follows it is text.
            let text = (choice.reasoningContent ?? "") + choice.content
            buffer.writeJSONString(echo(ofChoice: index) + text)
            buffer.writeStaticString(",\"index\":")
            buffer.writeJSONInteger(index)
            buffer.writeStaticString(",\"logprobs\":")
            if let logprobs = choice.logprobs {
                var offset = 0
                buffer.writeLegacyLogprobs(logprobs, offset: &offset)
            } else {
                buffer.writeStaticString("null")
            }
            buffer.writeStaticString(",\"finish_reason\":\"")
            buffer.writeStaticString(choice.finishReason.completionName)
            buffer.writeStaticString("\"}")
        }
        Self.writeClosing(completion.head, into: &buffer)
        buffer.writeStaticString(",\"usage\":")
        buffer.writeChatUsage(completion.usage)
        buffer.writeFinishDetail(completion.choices.lazy.map(\.finishReason))
        buffer.writeStaticString("}")
    }

    func echo(ofChoice index: Int) -> String {
        echo.isEmpty ? "" : echo[index / choicesPerPrompt]
    }

    /// Up to and including `"choices":[`.
    static func writeOpening(_ head: ChatResponseHead, into buffer: inout ByteBuffer) {
        buffer.writeStaticString("{\"id\":")
        buffer.writeJSONString(head.id)
        buffer.writeStaticString(",\"object\":\"text_completion\",\"created\":")
        buffer.writeJSONInteger(head.created)
        buffer.writeStaticString(",\"model\":")
        buffer.writeJSONString(head.model)
        buffer.writeStaticString(",\"choices\":[")
    }

    /// From the choices' `]`, the object left open.
    static func writeClosing(_ head: ChatResponseHead, into buffer: inout ByteBuffer) {
        buffer.writeStaticString("],\"system_fingerprint\":")
        buffer.writeJSONString(orNull: head.systemFingerprint)
        buffer.writeStaticString(",\"service_tier\":")
        buffer.writeJSONString(head.serviceTier.name)
    }
}

extension FinishReason {
    /// `finish_reason` of completions: `stop` or `length`.
    var completionName: StaticString {
        switch self {
        case .endOfSequence, .stopToken, .stopString, .toolCalls: "stop"
        case .maxTokens, .contextFull, .timeLimit, .budget, .cancelled: "length"
        }
    }
}

extension ByteBuffer {
    /// The legacy object, whose arrays run over tokens. `top_logprobs` has the token itself too.
    ///
    /// - Parameter offset: code points of the text before the first token; behind the last one
    ///   afterwards.
    mutating func writeLegacyLogprobs(_ logprobs: [ChatTokenLogprob], offset: inout Int) {
        writeStaticString("{\"tokens\":[")
        writeList(logprobs) { $0.writeJSONString($1.token.legacyText) }
        writeStaticString("],\"token_logprobs\":[")
        writeList(logprobs) { $0.writeJSONNumber($1.token.legacyLogprob) }
        writeStaticString("],\"top_logprobs\":[")
        writeList(logprobs) { buffer, entry in
            let others = entry.top.filter { $0.bytes != entry.token.bytes }
            buffer.writeStaticString("{")
            buffer.writeList([entry.token] + others) { buffer, candidate in
                buffer.writeJSONString(candidate.legacyText)
                buffer.writeStaticString(":")
                buffer.writeJSONNumber(candidate.legacyLogprob)
            }
            buffer.writeStaticString("}")
        }
        writeStaticString("],\"text_offset\":[")
        var place = offset
        writeList(logprobs) { buffer, entry in
            buffer.writeJSONInteger(place)
            // Of a code point in several tokens, its first byte counts.
            place += entry.token.bytes.count { $0 & 0xC0 != 0x80 }
        }
        offset = place
        writeStaticString("]}")
    }

    private mutating func writeList<Element>(
        _ elements: [Element], _ write: (inout ByteBuffer, Element) -> Void
    ) {
        for (index, element) in elements.enumerated() {
            if index > 0 { writeStaticString(",") }
            write(&self, element)
        }
    }
}

extension ChatTokenLogprob.Candidate {
    /// The token's text; of one that is not UTF-8 by itself its bytes, as OpenAI spells them
    /// (`bytes:\xe6\xbc`), so that no two tokens look the same.
    fileprivate var legacyText: String {
        if let text = String(validating: bytes, as: UTF8.self) { return text }
        return "bytes:"
            + bytes.map { "\\x" + ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    /// JSON has no infinity.
    fileprivate var legacyLogprob: Float { logprob.isFinite ? logprob : -9999 }
}
