import GRPC
import NIOCore

/// Reads the messages of a streamed xAI completion (`GetChatCompletionChunk`) as far as they are
/// counted. One value per answer; owned by the connection's loop.
struct XAIChunkScanner {
    private(set) var tally = AnswerTally()
    /// Whether `tally.text` is filled.
    var keepsText = false

    /// Takes a message and returns how many outputs in it had text. Throws for bytes that are no
    /// such message.
    mutating func scan(_ message: Span<UInt8>) throws(MalformedProtobuf) -> Int {
        let before = tally.deltas
        var offset = 0
        while offset < message.count {
            switch try ProtobufReader.tag(message, &offset) {
            case (2, 2):
                let end = try ProtobufReader.lengthDelimitedEnd(message, &offset)
                try scanOutput(message.extracting(offset..<end))
                offset = end
            case (6, 2):
                let end = try ProtobufReader.lengthDelimitedEnd(message, &offset)
                try scanUsage(message.extracting(offset..<end))
                offset = end
            case (let field, let wireType):
                try ProtobufReader.skip(message, &offset, field: field, wireType: wireType)
            }
        }
        return tally.deltas - before
    }

    /// `CompletionOutputChunk`.
    private mutating func scanOutput(_ output: Span<UInt8>) throws(MalformedProtobuf) {
        var offset = 0
        while offset < output.count {
            switch try ProtobufReader.tag(output, &offset) {
            case (1, 2):
                let end = try ProtobufReader.lengthDelimitedEnd(output, &offset)
                try scanDelta(output.extracting(offset..<end))
                offset = end
            case (3, 0):
                // FinishReason: 1 and 2 are limits of length, 3 is a stop.
                switch try ProtobufReader.varint(output, &offset) {
                case 0: break
                case 1, 2: tally.finish = .length
                case 3: tally.finish = .stop
                default: tally.finish = .other
                }
                if tally.finish != nil { tally.isDone = true }
            case (let field, let wireType):
                try ProtobufReader.skip(output, &offset, field: field, wireType: wireType)
            }
        }
    }

    /// `Delta`: its text is field 1, its reasoning 4.
    private mutating func scanDelta(_ delta: Span<UInt8>) throws(MalformedProtobuf) {
        var offset = 0
        while offset < delta.count {
            switch try ProtobufReader.tag(delta, &offset) {
            case (let field, 2) where field == 1 || field == 4:
                let end = try ProtobufReader.lengthDelimitedEnd(delta, &offset)
                if end > offset { tally.deltas += 1 }
                if keepsText, field == 1,
                    tally.text.count + end - offset <= AnswerTally.textBytesMax
                {
                    for index in offset..<end { tally.text.append(delta[index]) }
                }
                offset = end
            case (let field, let wireType):
                try ProtobufReader.skip(delta, &offset, field: field, wireType: wireType)
            }
        }
    }

    /// `SamplingUsage`: each chunk tells the answer's so far.
    private mutating func scanUsage(_ usage: Span<UInt8>) throws(MalformedProtobuf) {
        var offset = 0
        while offset < usage.count {
            let (field, wireType) = try ProtobufReader.tag(usage, &offset)
            guard wireType == 0 else {
                try ProtobufReader.skip(usage, &offset, field: field, wireType: wireType)
                continue
            }
            let value = Int(clamping: try ProtobufReader.varint(usage, &offset))
            switch field {
            case 1: tally.completionTokens = value
            case 2: tally.promptTokens = value
            case 7: tally.cachedTokens = value
            default: break
            }
        }
    }
}
