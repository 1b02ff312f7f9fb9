import InferenceTypes
import NIOCore

/// Writes one message's server-sent events (Anthropic, "Streaming messages").
///
///     message_start → (content_block_start → delta* → content_block_stop)* → message_delta
///         → message_stop                    or, at any point, error
///
/// Every event has an `event:` line, without which anthropic-python does not see it. Owned by the
/// request's event loop.
struct MessagesStreamEncoder: AnswerEncoder {
    private enum OpenBlock {
        case thinking
        case text
    }

    private let head: ChatResponseHead
    /// Blocks begun so far.
    private var blocks = 0
    private var open: OpenBlock?
    /// Of the open block: the bytes of a delta up to its text.
    private var deltaOpening: [UInt8] = []
    private var reason: FinishReason?
    private var hasBegun = false

    init(head: ChatResponseHead) {
        self.head = head
    }

    mutating func begin(_ usage: Usage, into buffer: inout ByteBuffer) {
        hasBegun = true
        Self.writeEvent("message_start", into: &buffer) { buffer in
            buffer.writeStaticString(",\"message\":")
            MessagesFormat.writeOpening(head, into: &buffer)
            buffer.writeStaticString("],")
            MessagesFormat.write(nil, into: &buffer)
            buffer.writeStaticString(",\"usage\":")
            MessagesFormat.write(usage, head, into: &buffer)
            buffer.writeStaticString("}")
        }
    }

    mutating func write(
        _ piece: AnswerPiece, choice: Int, usage: Usage, into buffer: inout ByteBuffer
    ) {
        switch piece {
        case .text(let text, _): writeDelta(text, .text, into: &buffer)
        case .reasoning(let text): writeDelta(text, .thinking, into: &buffer)
        case .toolCall(let call):
            close(into: &buffer)
            start(.toolUse(call), into: &buffer)
            Self.writeEvent("content_block_delta", into: &buffer) { buffer in
                buffer.writeStaticString(",\"index\":")
                buffer.writeJSONInteger(blocks - 1)
                buffer.writeStaticString(
                    ",\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":")
                buffer.writeJSONString(call.arguments)
                buffer.writeStaticString("}")
            }
            stop(into: &buffer)
        }
    }

    mutating func finish(
        _ reason: FinishReason, choice: Int, usage: Usage, into buffer: inout ByteBuffer
    ) {
        self.reason = reason
        close(into: &buffer)
    }

    mutating func end(_ usage: Usage, into buffer: inout ByteBuffer) {
        Self.writeEvent("message_delta", into: &buffer) { buffer in
            buffer.writeStaticString(",\"delta\":{")
            MessagesFormat.write(reason ?? .cancelled, into: &buffer)
            buffer.writeStaticString("},\"usage\":")
            MessagesFormat.write(usage, head, into: &buffer)
        }
        Self.writeEvent("message_stop", into: &buffer) { _ in }
    }

    mutating func fail(_ error: APIError, into buffer: inout ByteBuffer) {
        error.writeAnthropicEvent(into: &buffer)
    }

    /// A ping may stand anywhere behind the first event; before it, a comment.
    func keepalive(_ progress: AnswerProgress, into buffer: inout ByteBuffer) {
        if hasBegun {
            Self.writeEvent("ping", into: &buffer) { _ in }
        } else {
            buffer.writeComment(progress)
        }
    }

    // MARK: Blocks

    private mutating func writeDelta(
        _ text: String, _ block: OpenBlock, into buffer: inout ByteBuffer
    ) {
        guard !text.isEmpty else { return }
        if open != block {
            close(into: &buffer)
            start(block == .text ? .text("") : .thinking(""), into: &buffer)
            open = block
            prepareDelta(block)
        }
        buffer.writeBytes(deltaOpening)
        buffer.writeJSONEscaped(text)
        buffer.writeStaticString("\"}}\n\n")
    }

    private mutating func prepareDelta(_ block: OpenBlock) {
        var opening = ByteBuffer()
        Self.beginEvent("content_block_delta", into: &opening)
        opening.writeStaticString(",\"index\":")
        opening.writeJSONInteger(blocks - 1)
        switch block {
        case .text:
            opening.writeStaticString(",\"delta\":{\"type\":\"text_delta\",\"text\":\"")
        case .thinking:
            opening.writeStaticString(",\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"")
        }
        deltaOpening = Array(opening.readableBytesView)
    }

    private mutating func start(_ block: MessagesBlock, into buffer: inout ByteBuffer) {
        let index = blocks
        blocks += 1
        Self.writeEvent("content_block_start", into: &buffer) { buffer in
            buffer.writeStaticString(",\"index\":")
            buffer.writeJSONInteger(index)
            buffer.writeStaticString(",\"content_block\":")
            block.write(isEmpty: true, into: &buffer)
        }
    }

    private mutating func close(into buffer: inout ByteBuffer) {
        guard open != nil else { return }
        open = nil
        stop(into: &buffer)
    }

    private func stop(into buffer: inout ByteBuffer) {
        Self.writeEvent("content_block_stop", into: &buffer) { buffer in
            buffer.writeStaticString(",\"index\":")
            buffer.writeJSONInteger(blocks - 1)
        }
    }

    // MARK: Events

    private static func writeEvent(
        _ name: StaticString, into buffer: inout ByteBuffer, fields: (inout ByteBuffer) -> Void
    ) {
        beginEvent(name, into: &buffer)
        fields(&buffer)
        buffer.writeStaticString("}\n\n")
    }

    private static func beginEvent(_ name: StaticString, into buffer: inout ByteBuffer) {
        buffer.writeStaticString("event: ")
        buffer.writeStaticString(name)
        buffer.writeStaticString("\ndata: {\"type\":\"")
        buffer.writeStaticString(name)
        buffer.writeStaticString("\"")
    }
}
