import InferenceTypes
import NIOCore

/// Writes one request's server-sent events, each a `text_completion`. Owned by the request's event
/// loop.
struct CompletionsStreamEncoder: AnswerEncoder {
    private let format: CompletionsFormat
    /// Up to and including `"choices":[`.
    private let opening: [UInt8]
    /// From the choices' `]`, the object left open.
    private let closing: [UInt8]
    /// Per choice: code points of text so far.
    private var offsets: [Int: Int] = [:]

    init(format: CompletionsFormat, head: ChatResponseHead) {
        self.format = format
        var buffer = ByteBuffer()
        buffer.writeStaticString("data: ")
        CompletionsFormat.writeOpening(head, into: &buffer)
        opening = Array(buffer.readableBytesView)
        buffer.clear()
        CompletionsFormat.writeClosing(head, into: &buffer)
        closing = Array(buffer.readableBytesView)
    }

    /// Prompts come first, where they are asked for.
    mutating func begin(_ usage: Usage, into buffer: inout ByteBuffer) {
        for index in 0..<format.echo.count * format.choicesPerPrompt {
            writeChunk(format.echo(ofChoice: index), nil, choice: index, into: &buffer)
        }
    }

    mutating func write(
        _ piece: AnswerPiece, choice: Int, usage: Usage, into buffer: inout ByteBuffer
    ) {
        switch piece {
        case .text(let text, let logprobs):
            writeChunk(text, logprobs, choice: choice, into: &buffer)
        case .reasoning(let text): writeChunk(text, nil, choice: choice, into: &buffer)
        // Nothing that this face asks for may be called.
        case .toolCall: break
        }
    }

    mutating func finish(
        _ reason: FinishReason, choice: Int, usage: Usage, into buffer: inout ByteBuffer
    ) {
        writeChunk("", nil, choice: choice, finish: reason, into: &buffer)
    }

    mutating func end(_ usage: Usage, into buffer: inout ByteBuffer) {
        if format.includesUsage {
            buffer.writeBytes(opening)
            buffer.writeBytes(closing)
            buffer.writeStaticString(",\"usage\":")
            buffer.writeChatUsage(usage)
            buffer.writeStaticString("}\n\n")
        }
        buffer.writeStaticString("data: [DONE]\n\n")
    }

    mutating func fail(_ error: APIError, into buffer: inout ByteBuffer) {
        error.writeEvent(into: &buffer)
    }

    private mutating func writeChunk(
        _ text: String, _ logprobs: [ChatTokenLogprob]?, choice: Int, finish: FinishReason? = nil,
        into buffer: inout ByteBuffer
    ) {
        buffer.writeBytes(opening)
        buffer.writeStaticString("{\"text\":")
        buffer.writeJSONString(text)
        buffer.writeStaticString(",\"index\":")
        buffer.writeJSONInteger(choice)
        buffer.writeStaticString(",\"logprobs\":")
        if let logprobs {
            buffer.writeLegacyLogprobs(logprobs, offset: &offsets[choice, default: 0])
        } else {
            buffer.writeStaticString("null")
        }
        buffer.writeStaticString(",\"finish_reason\":")
        if let finish {
            buffer.writeStaticString("\"")
            buffer.writeStaticString(finish.completionName)
            buffer.writeStaticString("\"}")
        } else {
            buffer.writeStaticString("null}")
        }
        buffer.writeBytes(closing)
        if let finish { buffer.writeFinishDetail(CollectionOfOne(finish)) }
        buffer.writeStaticString("}\n\n")
    }
}
