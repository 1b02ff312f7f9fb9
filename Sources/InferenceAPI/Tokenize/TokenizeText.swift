package import InferenceTypes
package import NIOCore
import SwiftProtobuf
import XAIProto

/// `POST /v1/tokenize-text` and `Tokenize/TokenizeText` (docs.x.ai, "Tokenize text").
package struct TokenizeTextRequest: Hashable, Sendable {
    package var model: String
    package var text: String

    enum Field: String, CaseIterable {
        case model, text
    }

    private static let fields = JSONKeyTable<Field>()

    /// Decodes and checks a whole JSON body. The error names the parameter at fault.
    package init(_ body: ByteBuffer, limits: ChatRequestLimits) throws(APIError) {
        do {
            try self.init(fieldsOf: body, limits)
        } catch {
            throw error.apiError(in: body, limits: limits.json)
        }
    }

    private init(
        fieldsOf body: ByteBuffer, _ limits: ChatRequestLimits
    ) throws(DecodeFailure) {
        var reader = FieldReader(body, limits: limits.json)
        let start = try reader.beginObject()
        var model: String?
        var text: String?
        while let field = try reader.nextField(in: Self.fields) {
            switch field {
            case .model: model = try reader.string(limitBytes: limits.nameBytes)
            case .text: text = try reader.string()
            }
        }
        try reader.finish()
        guard let model, !model.isEmpty else {
            throw DecodeFailure.missing("model", at: start)
        }
        guard let text else { throw DecodeFailure.missing("text", at: start) }
        self.model = model
        self.text = text
    }

    /// - Parameter body: a `TokenizeTextRequest`, without gRPC's prefix.
    package init(xai body: ByteBuffer, limits: ChatRequestLimits) throws(APIError) {
        let message = try XaiApi_TokenizeTextRequest(xai: body)
        model = try XAIRequestReader.name(message.model, "model", limits)
        text = message.text
    }
}

/// A text in a model's tokens, without any that are no part of it.
package struct TokenizedText: Hashable, Sendable {
    package struct Token: Hashable, Sendable {
        package var id: TokenID
        /// Joined, those of all tokens are the text. One token's need not be UTF-8.
        package var bytes: [UInt8]

        package init(id: TokenID, bytes: [UInt8]) {
            self.id = id
            self.bytes = bytes
        }

        /// With U+FFFD for parts of a code point.
        fileprivate var text: String { String(decoding: bytes, as: UTF8.self) }
    }

    /// The resolved name, not an alias.
    package var model: String
    package var tokens: [Token]

    package init(model: String, tokens: [Token]) {
        self.model = model
        self.tokens = tokens
    }

    /// Appends the answer to `POST /v1/tokenize-text`.
    package func write(into buffer: inout ByteBuffer) {
        buffer.writeStaticString("{\"token_ids\":[")
        for (index, token) in tokens.enumerated() {
            buffer.writeStaticString(index > 0 ? ",{\"token_id\":" : "{\"token_id\":")
            buffer.writeJSONInteger(Int(token.id))
            buffer.writeStaticString(",\"string_token\":")
            buffer.writeJSONString(token.text)
            buffer.writeStaticString(",\"token_bytes\":[")
            for (index, byte) in token.bytes.enumerated() {
                if index > 0 { buffer.writeStaticString(",") }
                buffer.writeJSONInteger(Int(byte))
            }
            buffer.writeStaticString("]}")
        }
        buffer.writeStaticString("]}")
    }

    /// Appends a `TokenizeTextResponse`.
    package func writeXAI(into buffer: inout ByteBuffer) {
        buffer.writeMessage(
            XaiApi_TokenizeTextResponse.with {
                $0.model = model
                $0.tokens = tokens.map { token in
                    .with {
                        $0.tokenID = UInt32(bitPattern: token.id)
                        $0.stringToken = token.text
                        $0.tokenBytes = .init(token.bytes)
                    }
                }
            })
    }
}
