import InferenceAPI

extension ChatRequest {
    /// Tells conversations apart: by the name that the client gives, or else by how they begin, up
    /// to the first message of the user, which all turns of a conversation share.
    ///
    /// - Parameter name: from a header; before `prompt_cache_key`.
    func conversationHash(named name: String?) -> UInt64 {
        if let name = name ?? promptCacheKey { return StableHash.of("name", name) }
        var hash = StableHash.of("messages")
        for message in messages {
            hash = StableHash.of("\(hash)", message.role.rawValue, message.content ?? "")
            if message.role == .user { break }
        }
        return hash
    }
}
