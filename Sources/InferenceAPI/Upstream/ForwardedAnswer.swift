package import InferenceTypes
package import NIOCore

/// A `chat.completion` or `chat.completion.chunk` of an upstream: read as far as the gateway must
/// know, and written again with its identity replaced and everything else as it came.
package struct ForwardedAnswer: Sendable {
    /// How one of its choices ended, in the upstream's word.
    package struct Finish: Hashable, Sendable {
        package var index: Int
        package var reason: String
    }

    /// Somebody would see text, reasoning, a refusal or a tool call of it, or a choice ends.
    package private(set) var hasOutput = false
    /// Generated pieces in it: at most one per choice, for counting where usage is missing.
    package private(set) var outputPieces = 0
    package private(set) var finishes: [Finish] = []
    package private(set) var usage: Usage?
    /// `choices` is there and empty, as in the chunk that only brings usage.
    package private(set) var hasNoChoices = false
    /// `choices` is there at all; what has none is no answer.
    package private(set) var hasChoices = false
    /// An error instead of an answer.
    package private(set) var error: UpstreamError?

    private enum Member: Sendable {
        /// Key and value, as they came.
        case raw(Range<Int>)
        case id
        case model
        case systemFingerprint
        /// Where the value lies.
        case usage(Range<Int>)
    }

    let bytes: [UInt8]
    private var members: [Member] = []

    /// Reads one JSON object. Throws where it is none, or its parts have other types than OpenAI's.
    package init(_ json: [UInt8]) throws(JSONError) {
        var reader = JSONReader(json)
        bytes = json
        try reader.beginObject()
        while let start = try reader.nextMember() {
            let key = try reader.nextKey(in: Self.fields)
            let value = try reader.nextValueOffset()
            switch key {
            case .known(.id):
                members.append(.id)
                try reader.skipValue()
            case .known(.model):
                members.append(.model)
                try reader.skipValue()
            case .known(.systemFingerprint):
                members.append(.systemFingerprint)
                try reader.skipValue()
            case .known(.usage):
                usage = try reader.chatUsage() ?? usage
                members.append(.usage(value..<reader.offset))
            case .known(.choices):
                try readChoices(&reader)
                members.append(.raw(start..<reader.offset))
            case .known(.error):
                error = try UpstreamError.read(&reader) ?? error
                members.append(.raw(start..<reader.offset))
            case .unknown, .end:
                try reader.skipValue()
                members.append(.raw(start..<reader.offset))
            }
        }
        try reader.finish()
    }

    /// A chunk that only brings usage, which a client that did not ask for it does not get.
    package var isUsageOnly: Bool { hasNoChoices && usage != nil }

    /// Appends the object, on one line when `joinsLines`: line feeds between its tokens become
    /// spaces (its strings have none).
    package func write(
        _ head: ForwardedHead, includesUsage: Bool, joinsLines: Bool = false,
        into buffer: inout ByteBuffer
    ) {
        var opening = UInt8(ascii: "{")
        for member in members {
            if case .usage = member, !includesUsage { continue }
            buffer.writeInteger(opening)
            opening = UInt8(ascii: ",")
            switch member {
            case .raw(let range): write(range, joinsLines: joinsLines, into: &buffer)
            case .id:
                buffer.writeStaticString("\"id\":")
                buffer.writeJSONString(head.id)
            case .model:
                buffer.writeStaticString("\"model\":")
                buffer.writeJSONString(head.model)
            case .systemFingerprint:
                buffer.writeStaticString("\"system_fingerprint\":")
                buffer.writeJSONString(orNull: head.systemFingerprint)
            case .usage(let range):
                buffer.writeStaticString("\"usage\":")
                write(range, joinsLines: joinsLines, into: &buffer)
            }
        }
        if opening == UInt8(ascii: "{") { buffer.writeInteger(opening) }
        buffer.writeStaticString("}")
    }

    private func write(_ range: Range<Int>, joinsLines: Bool, into buffer: inout ByteBuffer) {
        guard joinsLines else {
            buffer.writeBytes(bytes[range])
            return
        }
        buffer.writeBytes(bytes[range].map { $0 == 0x0A || $0 == 0x0D ? 0x20 : $0 })
    }

    // MARK: Choices

    private enum Field: String, CaseIterable {
        case id, model, usage, choices, error
        case systemFingerprint = "system_fingerprint"
    }

    private enum ChoiceField: String, CaseIterable {
        case index, delta, message
        case finishReason = "finish_reason"
    }

    private static let fields = JSONKeyTable<Field>()
    private static let choiceFields = JSONKeyTable<ChoiceField>()

    private mutating func readChoices(_ reader: inout JSONReader) throws(JSONError) {
        if try reader.readNull() { return }
        hasChoices = true
        hasNoChoices = true
        try reader.beginArray()
        while try reader.nextElement() {
            hasNoChoices = false
            try readChoice(&reader)
        }
    }

    private mutating func readChoice(_ reader: inout JSONReader) throws(JSONError) {
        var index = 0
        var reason: String?
        var isPiece = false
        try reader.beginObject()
        fields: while true {
            switch try reader.nextKey(in: Self.choiceFields) {
            case .end: break fields
            case .unknown: try reader.skipValue()
            case .known(let field):
                if try reader.readNull() { continue }
                switch field {
                case .index: index = Int(try reader.readInteger())
                case .finishReason: reason = try reader.readString()
                case .delta, .message: isPiece = try Self.isPiece(&reader) || isPiece
                }
            }
        }
        if isPiece { outputPieces += 1 }
        if let reason { finishes.append(Finish(index: index, reason: reason)) }
        hasOutput = hasOutput || isPiece || reason != nil
    }

    /// Whether a delta has more than a role: some field that is not null, empty text or an empty
    /// list.
    private static func isPiece(_ reader: inout JSONReader) throws(JSONError) -> Bool {
        var isPiece = false
        try reader.beginObject()
        while let key = try reader.nextKey() {
            guard key != "role" else {
                try reader.skipValue()
                continue
            }
            switch try reader.peek() {
            case .null, .boolean, .number: try reader.skipValue()
            case .string: isPiece = try reader.skipString() > 0 || isPiece
            case .array:
                try reader.beginArray()
                while try reader.nextElement() {
                    isPiece = true
                    try reader.skipValue()
                }
            case .object:
                isPiece = true
                try reader.skipValue()
            }
        }
        return isPiece
    }
}
