package import NIOCore

/// All that clients are told of a model that writes text (docs.x.ai, "Models": language models).
/// Prices are 0: nothing is sold here.
package struct LanguageModelDescription: Hashable, Sendable {
    package var model: ModelDescription
    /// The same for all models: what changes shows in `fingerprint`.
    package var version = "1.0"
    /// As in answers (`system_fingerprint`).
    package var fingerprint: String
    /// Most tokens of prompt and answer together; nil where only the model's server knows.
    package var contextTokens: Int?

    package init(model: ModelDescription, fingerprint: String, contextTokens: Int?) {
        self.model = model
        self.fingerprint = fingerprint
        self.contextTokens = contextTokens
    }

    /// Appends the answer to `GET /v1/language-models/{id}`.
    package func write(into buffer: inout ByteBuffer) {
        buffer.writeStaticString("{\"id\":")
        buffer.writeJSONString(model.id)
        buffer.writeStaticString(",\"object\":\"model\",\"created\":")
        buffer.writeJSONInteger(model.created)
        buffer.writeStaticString(",\"owned_by\":")
        buffer.writeJSONString(model.ownedBy)
        buffer.writeStaticString(",\"version\":")
        buffer.writeJSONString(version)
        buffer.writeStaticString(",\"fingerprint\":")
        buffer.writeJSONString(fingerprint)
        buffer.writeStaticString(",\"aliases\":[")
        for (index, alias) in model.aliases.enumerated() {
            if index > 0 { buffer.writeStaticString(",") }
            buffer.writeJSONString(alias)
        }
        buffer.writeStaticString(
            "],\"input_modalities\":[\"text\"],\"output_modalities\":[\"text\"]")
        if let contextTokens {
            buffer.writeStaticString(",\"max_prompt_length\":")
            buffer.writeJSONInteger(contextTokens)
        }
        buffer.writeStaticString(
            ",\"prompt_text_token_price\":0,\"cached_prompt_text_token_price\":0")
        buffer.writeStaticString(
            ",\"prompt_image_token_price\":0,\"completion_text_token_price\":0}")
    }
}

/// The language models that are served, in the order in which they are listed.
package struct LanguageModelList: Hashable, Sendable {
    package let models: [LanguageModelDescription]

    package init(_ models: [LanguageModelDescription]) {
        self.models = models
    }

    /// As `ModelList.find`. Throws `modelNotFound`.
    package func find(_ name: String) throws(APIError) -> LanguageModelDescription {
        let model = try ModelList(models.map(\.model)).find(name)
        guard let found = models.first(where: { $0.model.id == model.id }) else {
            throw .modelNotFound(name)
        }
        return found
    }

    /// Appends the answer to `GET /v1/language-models`.
    package func write(into buffer: inout ByteBuffer) {
        buffer.writeStaticString("{\"models\":[")
        for (index, model) in models.enumerated() {
            if index > 0 { buffer.writeStaticString(",") }
            model.write(into: &buffer)
        }
        buffer.writeStaticString("]}")
    }
}
