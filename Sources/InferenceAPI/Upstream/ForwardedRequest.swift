package import NIOCore

/// A chat request on its way to an upstream: the client's body with another model name, and with
/// usage asked for. Everything else stays as the client wrote it.
package enum ForwardedRequest {
    private enum Field: String, CaseIterable {
        case model
        case streamOptions = "stream_options"
    }

    private static let fields = JSONKeyTable<Field>()

    /// The body to send. `body` has been decoded before (`ChatCompletionRequest.decode`); throws
    /// where it is no JSON object.
    ///
    /// A stream is asked for its usage whether or not the client was, so that what is metered is
    /// what was generated; `stream_options` goes only with streams, as servers demand.
    package static func body(
        _ body: ByteBuffer, model: String, isStreaming: Bool
    ) throws(JSONError) -> ByteBuffer {
        var reader = JSONReader(body)
        var output = ByteBuffer()
        output.reserveCapacity(body.readableBytes + model.utf8.count + 64)
        output.writeStaticString("{\"model\":")
        output.writeJSONString(model)
        var options = ByteBuffer()
        try reader.beginObject()
        while let start = try reader.nextMember() {
            switch try reader.nextKey(in: fields) {
            case .known(.model): try reader.skipValue()
            case .known(.streamOptions): options = try otherOptions(&reader)
            case .unknown, .end:
                try reader.skipValue()
                output.writeStaticString(",")
                output.writeBytes(reader.bytes[start..<reader.offset])
            }
        }
        try reader.finish()
        if isStreaming {
            output.writeStaticString(",\"stream_options\":{\"include_usage\":true")
            output.writeBuffer(&options)
            output.writeStaticString("}")
        }
        output.writeStaticString("}")
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
