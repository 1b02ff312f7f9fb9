package import NIOCore

extension LanguageModelList {
    /// Appends the answer to `GET /v1/embedding-models` (docs.x.ai, "Models": embedding models).
    package func writeEmbedding(into buffer: inout ByteBuffer) {
        buffer.writeStaticString("{\"models\":[")
        for (index, entry) in models.filter(\.model.embeds).enumerated() {
            if index > 0 { buffer.writeStaticString(",") }
            buffer.writeStaticString("{\"id\":")
            buffer.writeJSONString(entry.model.id)
            buffer.writeStaticString(",\"object\":\"model\",\"created\":")
            buffer.writeJSONInteger(entry.model.created)
            buffer.writeStaticString(",\"owned_by\":")
            buffer.writeJSONString(entry.model.ownedBy)
            buffer.writeStaticString(",\"version\":")
            buffer.writeJSONString(entry.version)
            buffer.writeStaticString(",\"fingerprint\":")
            buffer.writeJSONString(entry.fingerprint)
            buffer.writeStaticString(",\"aliases\":[")
            for (index, alias) in entry.model.aliases.enumerated() {
                if index > 0 { buffer.writeStaticString(",") }
                buffer.writeJSONString(alias)
            }
            buffer.writeStaticString(
                "],\"input_modalities\":[\"text\"],\"prompt_text_token_price\":0")
            buffer.writeStaticString(",\"prompt_image_token_price\":0}")
        }
        buffer.writeStaticString("]}")
    }
}
