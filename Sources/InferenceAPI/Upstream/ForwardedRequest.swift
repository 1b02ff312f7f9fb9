package import NIOCore

/// A chat request on its way to an upstream: the client's body with another model name, and with
/// usage asked for. Everything else stays as the client wrote it.
package struct ForwardedRequest: Sendable {
    private enum Field: String, CaseIterable {
        case model
        /// The answer is fetched from us.
        case deferred
        case streamOptions = "stream_options"
    }

    private static let fields = JSONKeyTable<Field>()

    /// What follows the model's name.
    private var rest = ByteBuffer()

    init(rest: ByteBuffer) {
        self.rest = rest
    }

    /// Reads a body that has been decoded before (`ChatCompletionRequest.decode`); throws where it
    /// is no JSON object.
    ///
    /// A stream is asked for its usage whether or not the client was, so that what is metered is
    /// what was generated; `stream_options` goes only with streams, as servers demand.
    package init(_ body: ByteBuffer, isStreaming: Bool) throws(JSONError) {
        var reader = JSONReader(body)
        rest.reserveCapacity(body.readableBytes + 64)
        var options = ByteBuffer()
        try reader.beginObject()
        while let start = try reader.nextMember() {
            switch try reader.nextKey(in: Self.fields) {
            case .known(.model), .known(.deferred): try reader.skipValue()
            case .known(.streamOptions): options = try Self.otherOptions(&reader)
            case .unknown, .end:
                try reader.skipValue()
                rest.writeStaticString(",")
                rest.writeBytes(reader.bytes[start..<reader.offset])
            }
        }
        try reader.finish()
        if isStreaming {
            rest.writeStaticString(",\"stream_options\":{\"include_usage\":true")
            rest.writeBuffer(&options)
            rest.writeStaticString("}")
        }
        rest.writeStaticString("}")
    }

    /// The body to send to an upstream that calls the model so.
    package func body(model: String) -> ByteBuffer {
        var output = ByteBuffer()
        output.reserveCapacity(rest.readableBytes + model.utf8.count + 16)
        output.writeStaticString("{\"model\":")
        output.writeJSONString(model)
        output.writeImmutableBuffer(rest)
        return output
    }

    /// The members of `stream_options` besides `include_usage`, each after a comma.
    private static func otherOptions(_ reader: inout JSONReader) throws(JSONError) -> ByteBuffer {
        var output = ByteBuffer()
        if try reader.readNull() { return output }
        try reader.beginObject()
        while let start = try reader.nextMember() {
            let key = try reader.nextKey()
            try reader.skipValue()
            guard key != "include_usage" else { continue }
            output.writeStaticString(",")
            output.writeBytes(reader.bytes[start..<reader.offset])
        }
        return output
    }
}

extension ChatCompletionRequest {
    private enum ModelField: String, CaseIterable {
        case model
    }

    private static let modelField = JSONKeyTable<ModelField>()

    /// The model that a body asks for, found without decoding the rest; nil where it names none or
    /// is not JSON, which `decode` tells better.
    package static func model(of body: ByteBuffer) -> String? {
        var reader = JSONReader(body)
        var model: String?
        do {
            try reader.beginObject()
            while true {
                switch try reader.nextKey(in: modelField) {
                case .end: return model
                case .unknown: try reader.skipValue()
                case .known: model = try reader.readString()
                }
            }
        } catch {
            return nil
        }
    }
}
