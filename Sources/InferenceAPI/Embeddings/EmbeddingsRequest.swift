import InferenceTypes
package import NIOCore

/// The body of `POST /v1/embeddings` (OpenAI API reference, embeddings).
package struct EmbeddingsRequest: Hashable, Sendable {
    package enum Encoding: String, CaseIterable, Hashable, Sendable {
        case float
        /// Little-endian 32-bit floats; openai-python asks for it by itself.
        case base64
    }

    /// As asked for: a model's name or alias.
    package var model: String
    /// At least one, none empty.
    package var inputs: [RawPrompt]
    package var encoding = Encoding.float
    /// Only what the model has anyway can be asked for.
    package var dimensions: Int?
    /// The client's name for its end user; for logs and limits only.
    package var user: String?

    package init(model: String, inputs: [RawPrompt]) {
        self.model = model
        self.inputs = inputs
    }

    /// Decodes and checks a whole body. The error names the parameter at fault.
    package static func decode(
        _ body: ByteBuffer, limits: EmbeddingsLimits = EmbeddingsLimits()
    ) throws(APIError) -> EmbeddingsRequest {
        var decoder = EmbeddingsRequestDecoder(body, limits: limits)
        do {
            return try decoder.decode()
        } catch {
            throw error.apiError(in: body, limits: limits.json)
        }
    }
}

/// What one request may ask for; everything beyond is 400.
package struct EmbeddingsLimits: Hashable, Sendable {
    package var json = JSONLimits()
    /// As OpenAI's.
    package var inputs = 2_048
    /// Of one input that is given in tokens; the worker's own limit is lower.
    package var inputTokens = 1 << 20
    /// Of a name.
    package var nameBytes = 512
    package var dimensions = 65_536

    package init() {}
}

/// The answer: one vector for each input, in their order.
package struct EmbeddingsAnswer: Sendable {
    package var model: String
    package var vectors: [[Float]]
    package var promptTokens: Int

    package init(model: String, vectors: [[Float]], promptTokens: Int) {
        self.model = model
        self.vectors = vectors
        self.promptTokens = promptTokens
    }

    package func write(
        _ encoding: EmbeddingsRequest.Encoding, into buffer: inout ByteBuffer
    ) {
        buffer.writeStaticString(#"{"object":"list","data":["#)
        for (index, vector) in vectors.enumerated() {
            if index > 0 { buffer.writeStaticString(",") }
            buffer.writeStaticString(#"{"object":"embedding","index":"#)
            buffer.writeJSONInteger(index)
            buffer.writeStaticString(#","embedding":"#)
            switch encoding {
            case .float: buffer.writeJSONArray(vector)
            case .base64: buffer.writeJSONBase64(vector)
            }
            buffer.writeStaticString("}")
        }
        buffer.writeStaticString(#"],"model":"#)
        buffer.writeJSONString(model)
        buffer.writeString(
            #","usage":{"prompt_tokens":\#(promptTokens),"total_tokens":\#(promptTokens)}}"#)
    }
}

extension ByteBuffer {
    fileprivate mutating func writeJSONArray(_ values: [Float]) {
        writeStaticString("[")
        for (index, value) in values.enumerated() {
            if index > 0 { writeStaticString(",") }
            writeJSONNumber(value)
        }
        writeStaticString("]")
    }

    /// The values' bytes, little-endian, in base64 (RFC 4648 §4).
    fileprivate mutating func writeJSONBase64(_ values: [Float]) {
        let digits = Array(
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        var bits: UInt32 = 0
        var count = 0
        writeStaticString("\"")
        for value in values {
            for byte in 0..<4 {
                bits = bits << 8 | value.bitPattern >> UInt32(8 * byte) & 0xFF
                count += 1
                guard count == 3 else { continue }
                for shift: UInt32 in [18, 12, 6, 0] {
                    writeInteger(digits[Int(bits >> shift & 0x3F)])
                }
                (bits, count) = (0, 0)
            }
        }
        if count > 0 {
            bits <<= UInt32(8 * (3 - count))
            for place in 0..<4 {
                writeInteger(
                    place <= count
                        ? digits[Int(bits >> UInt32(18 - 6 * place) & 0x3F)] : UInt8(ascii: "="))
            }
        }
        writeStaticString("\"")
    }
}
