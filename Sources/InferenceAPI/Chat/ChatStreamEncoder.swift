package import InferenceTypes
package import NIOCore

/// Writes one request's server-sent events (API.md §4.2), each a `chat.completion.chunk`.
///
/// What does not change between chunks is prepared once, so that a delta costs two copies and an
/// escape scan. Owned by the request's event loop.
///
///     per choice:  waiting --first delta--> open --finish--> finished
///     the stream:  chunks … [usage] → [DONE]     or     chunks … → error event
package struct ChatStreamEncoder {
    private enum Choice {
        case waiting
        case open
        case finished
    }

    /// Up to and including `"choices":[`.
    private let opening: [UInt8]
    /// Per choice, up to and including `"delta":{"content":"`.
    private let contentOpenings: [[UInt8]]
    /// From the end of a delta that leaves its object and choice open.
    private let deltaClosing: [UInt8]
    /// From the `]` of choices to the event's end.
    private let closing: [UInt8]
    private var choices: [Choice]
    /// `[DONE]` or an error event was written.
    package private(set) var hasEnded = false

    package init(head: ChatResponseHead, choiceCount: Int) {
        var buffer = ByteBuffer()
        buffer.writeStaticString("data: {\"id\":")
        buffer.writeJSONString(head.id)
        buffer.writeStaticString(",\"object\":\"chat.completion.chunk\",\"created\":")
        buffer.writeJSONInteger(head.created)
        buffer.writeStaticString(",\"model\":")
        buffer.writeJSONString(head.model)
        buffer.writeStaticString(",\"choices\":[")
        opening = Array(buffer.readableBytesView)

        contentOpenings = (0..<choiceCount).map { index in
            var copy = buffer
            copy.writeStaticString("{\"index\":")
            copy.writeJSONInteger(index)
            copy.writeStaticString(",\"delta\":{\"content\":\"")
            return Array(copy.readableBytesView)
        }

        buffer.clear()
        buffer.writeStaticString("],\"system_fingerprint\":")
        buffer.writeJSONString(orNull: head.systemFingerprint)
        buffer.writeStaticString(",\"service_tier\":")
        buffer.writeJSONString(head.serviceTier.name)
        let usageless = buffer
        buffer.writeStaticString("}\n\n")
        closing = Array(usageless.readableBytesView)
        deltaClosing = Array("\"},\"finish_reason\":null}".utf8) + Array(buffer.readableBytesView)
        choices = Array(repeating: .waiting, count: choiceCount)
    }

    // MARK: Deltas

    /// Opens a choice before its first token, with its role and empty content. Optional: the first
    /// delta does it too.
    package mutating func writeRole(choice: Int, into buffer: inout ByteBuffer) {
        guard choices[choice] == .waiting else { return }
        choices[choice] = .open
        writeChunk(choice: choice, into: &buffer) { buffer in
            buffer.writeStaticString("{\"role\":\"assistant\",\"content\":\"\"}")
        }
    }

    /// Appends visible text: whole UTF-8, never empty calls needed. The choice's first delta also
    /// carries its role (trap 16).
    ///
    /// `logprobs` are those of the tokens that the text came from; nil when not asked for.
    package mutating func writeContent(
        _ text: String, logprobs: [ChatTokenLogprob]? = nil, choice: Int,
        into buffer: inout ByteBuffer
    ) {
        assert(!hasEnded && choices[choice] != .finished, "content after the choice's end")
        if logprobs == nil, choices[choice] == .open {
            buffer.writeBytes(contentOpenings[choice])
            buffer.writeJSONEscaped(text)
            buffer.writeBytes(deltaClosing)
            return
        }
        writeDelta("content", text, logprobs: logprobs, choice: choice, into: &buffer)
    }

    /// Appends reasoning text as `delta.reasoning_content`.
    package mutating func writeReasoning(
        _ text: String, logprobs: [ChatTokenLogprob]? = nil, choice: Int,
        into buffer: inout ByteBuffer
    ) {
        assert(!hasEnded && choices[choice] != .finished, "reasoning after the choice's end")
        writeDelta("reasoning_content", text, logprobs: logprobs, choice: choice, into: &buffer)
    }

    /// Appends a whole call in one delta, with its `index` among the choice's calls (trap 8).
    package mutating func writeToolCall(
        _ call: ChatToolCall, index: Int, choice: Int, into buffer: inout ByteBuffer
    ) {
        assert(!hasEnded && choices[choice] != .finished, "a call after the choice's end")
        let isFirst = choices[choice] == .waiting
        choices[choice] = .open
        writeChunk(choice: choice, into: &buffer) { buffer in
            buffer.writeStaticString(isFirst ? "{\"role\":\"assistant\"," : "{")
            buffer.writeStaticString("\"tool_calls\":[{\"index\":")
            buffer.writeJSONInteger(index)
            buffer.writeStaticString(",")
            buffer.writeChatToolCall(call)
            buffer.writeStaticString("]}")
        }
    }

    /// Ends a choice with an empty delta and its reason (trap 11). A choice without any output
    /// gets its role first.
    package mutating func writeFinish(
        _ reason: FinishReason, logprobs: [ChatTokenLogprob]? = nil, choice: Int,
        into buffer: inout ByteBuffer
    ) {
        assert(!hasEnded && choices[choice] != .finished, "a choice finished twice")
        writeRole(choice: choice, into: &buffer)
        choices[choice] = .finished
        writeChunk(
            choice: choice, logprobs: logprobs, finish: reason, into: &buffer
        ) { buffer in
            buffer.writeStaticString("{}")
        }
    }

    // MARK: The stream's end

    /// The usage chunk, whose `choices` is empty (trap 3). Only for `include_usage: true`, after
    /// every choice has finished and right before `[DONE]`.
    package func writeUsage(_ usage: Usage, into buffer: inout ByteBuffer) {
        assert(!hasEnded, "usage after the stream's end")
        buffer.writeBytes(opening)
        buffer.writeBytes(closing)
        buffer.writeStaticString(",\"usage\":")
        buffer.writeChatUsage(usage)
        buffer.writeStaticString("}\n\n")
    }

    /// `[DONE]`. Writes nothing when the stream has ended already, in particular by an error.
    package mutating func writeDone(into buffer: inout ByteBuffer) {
        guard !hasEnded else { return }
        hasEnded = true
        buffer.writeStaticString("data: [DONE]\n\n")
    }

    /// Ends the stream with an error event. Writes nothing when it has ended already.
    package mutating func writeError(_ error: APIError, into buffer: inout ByteBuffer) {
        guard !hasEnded else { return }
        hasEnded = true
        error.writeEvent(into: &buffer)
    }

    /// A comment, for the time before the first token (trap 14): clients ignore it, proxies see
    /// traffic.
    package static func writeKeepalive(into buffer: inout ByteBuffer) {
        buffer.writeStaticString(": keepalive\n\n")
    }

    // MARK: Pieces

    private mutating func writeDelta(
        _ field: StaticString, _ text: String, logprobs: [ChatTokenLogprob]?, choice: Int,
        into buffer: inout ByteBuffer
    ) {
        let isFirst = choices[choice] == .waiting
        choices[choice] = .open
        writeChunk(choice: choice, logprobs: logprobs, into: &buffer) { buffer in
            buffer.writeStaticString(isFirst ? "{\"role\":\"assistant\",\"" : "{\"")
            buffer.writeStaticString(field)
            buffer.writeStaticString("\":")
            buffer.writeJSONString(text)
            buffer.writeStaticString("}")
        }
    }

    private func writeChunk(
        choice: Int, logprobs: [ChatTokenLogprob]? = nil, finish: FinishReason? = nil,
        into buffer: inout ByteBuffer, delta: (inout ByteBuffer) -> Void
    ) {
        buffer.writeBytes(opening)
        buffer.writeStaticString("{\"index\":")
        buffer.writeJSONInteger(choice)
        buffer.writeStaticString(",\"delta\":")
        delta(&buffer)
        if let logprobs {
            buffer.writeStaticString(",\"logprobs\":")
            buffer.writeChatLogprobs(logprobs)
        }
        if let finish {
            buffer.writeStaticString(",\"finish_reason\":\"")
            buffer.writeStaticString(finish.chatName)
            buffer.writeStaticString("\"}")
        } else {
            buffer.writeStaticString(",\"finish_reason\":null}")
        }
        buffer.writeBytes(closing)
        if let finish { buffer.writeFinishDetail(CollectionOfOne(finish)) }
        buffer.writeStaticString("}\n\n")
    }
}
