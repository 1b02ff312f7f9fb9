import InferenceTypes
import NIOCore

/// Writes one response's server-sent events (OpenAI, "Streaming events").
///
/// ```
///   created → in_progress → item* → completed | incomplete | failed
///   an item:  output_item.added → its parts' events → output_item.done
/// ```
///
/// Every event has an `event:` line with its type, and a number that counts from 0. What does not
/// change between the deltas of an item is prepared once. Owned by the request's event loop.
struct ResponsesStreamEncoder: AnswerEncoder {
    private let format: ResponsesFormat
    private let head: ChatResponseHead
    private var sequence = 0
    private var items: [ResponsesItem] = []
    /// The last of `items` may get more: its text and the bytes of a delta up to that.
    private var open: Open?
    private var reason: FinishReason?
    private var hasBegun = false

    private struct Open {
        var text = ""
        var logprobs: [ChatTokenLogprob] = []
        var isReasoning: Bool
        var deltaOpening: [UInt8]
    }

    init(format: ResponsesFormat, head: ChatResponseHead) {
        self.format = format
        self.head = head
    }

    mutating func begin(_ usage: Usage, into buffer: inout ByteBuffer) {
        hasBegun = true
        writeLifecycle("response.created", .inProgress, nil, into: &buffer)
        writeLifecycle("response.in_progress", .inProgress, nil, into: &buffer)
    }

    mutating func write(
        _ piece: AnswerPiece, choice: Int, usage: Usage, into buffer: inout ByteBuffer
    ) {
        switch piece {
        case .text(let text, let logprobs):
            writeDelta(text, logprobs, isReasoning: false, into: &buffer)
        case .reasoning(let text):
            writeDelta(text, nil, isReasoning: true, into: &buffer)
        case .toolCall(let call):
            close(status: "completed", into: &buffer)
            write(call, into: &buffer)
        }
    }

    mutating func finish(
        _ reason: FinishReason, choice: Int, usage: Usage, into buffer: inout ByteBuffer
    ) {
        self.reason = reason
        if items.isEmpty { openItem(isReasoning: false, into: &buffer) }
        close(status: ResponsesOutcome(reason).lastItemStatus, into: &buffer)
    }

    mutating func end(_ usage: Usage, into buffer: inout ByteBuffer) {
        let outcome = ResponsesOutcome(reason ?? .cancelled)
        writeLifecycle(
            outcome == .completed ? "response.completed" : "response.incomplete", outcome, usage,
            into: &buffer)
    }

    /// The response as it failed, once there is one, and an error, whose fields are both where the
    /// API's reference has them and where openai-python looks for them before it raises.
    mutating func fail(_ error: APIError, into buffer: inout ByteBuffer) {
        if hasBegun {
            keepOpenText()
            writeLifecycle("response.failed", .failed(error), nil, into: &buffer)
        }
        writeEvent("error", into: &buffer) { buffer in
            buffer.writeStaticString(",\"code\":")
            buffer.writeJSONString(orNull: error.kind.status.code)
            buffer.writeStaticString(",\"message\":")
            buffer.writeJSONString(error.message)
            buffer.writeStaticString(",\"param\":")
            buffer.writeJSONString(orNull: error.parameter)
            buffer.writeStaticString(",\"error\":")
            error.writeObject(into: &buffer)
        }
    }

    // MARK: Items

    private mutating func writeDelta(
        _ text: String, _ logprobs: [ChatTokenLogprob]?, isReasoning: Bool,
        into buffer: inout ByteBuffer
    ) {
        if open?.isReasoning != isReasoning {
            close(status: "completed", into: &buffer)
            openItem(isReasoning: isReasoning, into: &buffer)
        }
        guard let opening = open?.deltaOpening else { return }
        open?.text += text
        buffer.writeBytes(opening)
        buffer.writeJSONEscaped(text)
        if isReasoning {
            buffer.writeStaticString("\"")
        } else {
            buffer.writeStaticString("\",\"logprobs\":")
            buffer.writeTokenLogprobs(logprobs ?? [])
            open?.logprobs += logprobs ?? []
        }
        endEvent(into: &buffer)
    }

    private mutating func openItem(isReasoning: Bool, into buffer: inout ByteBuffer) {
        let index = items.count
        let item = ResponsesItem(
            isReasoning ? .reasoning("") : .message("", logprobs: nil), index: index, head: head)
        items.append(item)
        writeAdded(item, into: &buffer)
        writeEvent(
            isReasoning ? "response.reasoning_summary_part.added" : "response.content_part.added",
            of: item, isReasoning: isReasoning, into: &buffer
        ) { buffer in
            buffer.writeStaticString(",\"part\":")
            if isReasoning {
                ResponsesItem.writeSummary("", into: &buffer)
            } else {
                ResponsesItem.writeText("", nil, into: &buffer)
            }
        }
        var opening = ByteBuffer()
        Self.beginEvent(
            isReasoning
                ? "response.reasoning_summary_text.delta" : "response.output_text.delta",
            into: &opening)
        Self.writePlace(item.id, index, isReasoning: isReasoning, into: &opening)
        opening.writeStaticString(",\"delta\":\"")
        open = Open(isReasoning: isReasoning, deltaOpening: Array(opening.readableBytesView))
    }

    /// Ends the open item, if there is one.
    private mutating func close(status: StaticString, into buffer: inout ByteBuffer) {
        guard let open else { return }
        keepOpenText()
        let item = items[items.count - 1]
        writeEvent(
            open.isReasoning ? "response.reasoning_summary_text.done" : "response.output_text.done",
            of: item, isReasoning: open.isReasoning, into: &buffer
        ) { buffer in
            buffer.writeStaticString(",\"text\":")
            buffer.writeJSONString(open.text)
            guard !open.isReasoning else { return }
            buffer.writeStaticString(",\"logprobs\":")
            buffer.writeTokenLogprobs(open.logprobs)
        }
        writeEvent(
            open.isReasoning
                ? "response.reasoning_summary_part.done" : "response.content_part.done",
            of: item, isReasoning: open.isReasoning, into: &buffer
        ) { buffer in
            buffer.writeStaticString(",\"part\":")
            if open.isReasoning {
                ResponsesItem.writeSummary(open.text, into: &buffer)
            } else {
                ResponsesItem.writeText(open.text, open.logprobs, into: &buffer)
            }
        }
        writeDone(item, status: status, into: &buffer)
    }

    /// Moves what the open item has got into it.
    private mutating func keepOpenText() {
        guard let open else { return }
        items[items.count - 1].content =
            open.isReasoning
            ? .reasoning(open.text) : .message(open.text, logprobs: open.logprobs)
        self.open = nil
    }

    /// A whole call, in one delta.
    private mutating func write(_ call: ChatToolCall, into buffer: inout ByteBuffer) {
        let index = items.count
        let item = ResponsesItem(.functionCall(call), index: index, head: head)
        items.append(item)
        writeAdded(item, into: &buffer)
        writeEvent("response.function_call_arguments.delta", into: &buffer) { buffer in
            Self.writePlace(item.id, index, into: &buffer)
            buffer.writeStaticString(",\"delta\":")
            buffer.writeJSONString(call.arguments)
        }
        writeEvent("response.function_call_arguments.done", into: &buffer) { buffer in
            Self.writePlace(item.id, index, into: &buffer)
            buffer.writeStaticString(",\"name\":")
            buffer.writeJSONString(call.name)
            buffer.writeStaticString(",\"arguments\":")
            buffer.writeJSONString(call.arguments)
        }
        writeDone(item, status: "completed", into: &buffer)
    }

    // MARK: Events

    private mutating func writeLifecycle(
        _ name: StaticString, _ outcome: ResponsesOutcome, _ usage: Usage?,
        into buffer: inout ByteBuffer
    ) {
        let (format, head, items) = (format, head, items)
        writeEvent(name, into: &buffer) { buffer in
            buffer.writeStaticString(",\"response\":")
            format.write(head, outcome, items, usage, into: &buffer)
        }
    }

    private mutating func writeAdded(_ item: ResponsesItem, into buffer: inout ByteBuffer) {
        let index = items.count - 1
        writeEvent("response.output_item.added", into: &buffer) { buffer in
            buffer.writeStaticString(",\"output_index\":")
            buffer.writeJSONInteger(index)
            buffer.writeStaticString(",\"item\":")
            item.write(status: "in_progress", isEmpty: true, into: &buffer)
        }
    }

    private mutating func writeDone(
        _ item: ResponsesItem, status: StaticString, into buffer: inout ByteBuffer
    ) {
        let index = items.count - 1
        writeEvent("response.output_item.done", into: &buffer) { buffer in
            buffer.writeStaticString(",\"output_index\":")
            buffer.writeJSONInteger(index)
            buffer.writeStaticString(",\"item\":")
            item.write(status: status, into: &buffer)
        }
    }

    /// An event about the only part of the last item.
    private mutating func writeEvent(
        _ name: StaticString, of item: ResponsesItem, isReasoning: Bool,
        into buffer: inout ByteBuffer, fields: (inout ByteBuffer) -> Void
    ) {
        let index = items.count - 1
        writeEvent(name, into: &buffer) { buffer in
            Self.writePlace(item.id, index, isReasoning: isReasoning, into: &buffer)
            fields(&buffer)
        }
    }

    private mutating func writeEvent(
        _ name: StaticString, into buffer: inout ByteBuffer, fields: (inout ByteBuffer) -> Void
    ) {
        Self.beginEvent(name, into: &buffer)
        fields(&buffer)
        endEvent(into: &buffer)
    }

    private static func beginEvent(_ name: StaticString, into buffer: inout ByteBuffer) {
        buffer.writeStaticString("event: ")
        buffer.writeStaticString(name)
        buffer.writeStaticString("\ndata: {\"type\":\"")
        buffer.writeStaticString(name)
        buffer.writeStaticString("\"")
    }

    private mutating func endEvent(into buffer: inout ByteBuffer) {
        buffer.writeStaticString(",\"sequence_number\":")
        buffer.writeJSONInteger(sequence)
        buffer.writeStaticString("}\n\n")
        sequence += 1
    }

    private static func writePlace(
        _ id: String, _ index: Int, into buffer: inout ByteBuffer
    ) {
        buffer.writeStaticString(",\"item_id\":")
        buffer.writeJSONString(id)
        buffer.writeStaticString(",\"output_index\":")
        buffer.writeJSONInteger(index)
    }

    private static func writePlace(
        _ id: String, _ index: Int, isReasoning: Bool, into buffer: inout ByteBuffer
    ) {
        writePlace(id, index, into: &buffer)
        buffer.writeStaticString(isReasoning ? ",\"summary_index\":0" : ",\"content_index\":0")
    }
}
