import InferenceTypes

/// What forwarding needs besides values: where members lie.
extension JSONReader {
    /// Where the next member's key begins; nil at the object's end, which is then closed. Read the
    /// key next.
    mutating func nextMember() throws(JSONError) -> Int? {
        var ahead = self
        guard try ahead.nextRawKey() != nil else {
            self = ahead
            return nil
        }
        var start = offset
        while start < bytes.count, bytes[start] != UInt8(ascii: "\"") { start += 1 }
        return start
    }

    /// Where the next value begins.
    mutating func nextValueOffset() throws(JSONError) -> Int {
        _ = try peek()
        return offset
    }

    /// A `usage` object; nil for null.
    ///
    /// OpenAI counts reasoning into `completion_tokens`, xAI beside them; the total tells which it
    /// was.
    mutating func chatUsage() throws(JSONError) -> Usage? {
        if try readNull() { return nil }
        var usage = Usage()
        var total: Int?
        try beginObject()
        while let key = try nextKey() {
            if try readNull() { continue }
            switch key {
            case "prompt_tokens": usage.promptTokens = try tokenCount()
            case "completion_tokens": usage.completionTokens = try tokenCount()
            case "total_tokens": total = try tokenCount()
            case "prompt_tokens_details":
                usage.cachedTokens = try tokenCount(named: "cached_tokens")
            case "completion_tokens_details":
                usage.reasoningTokens = try tokenCount(named: "reasoning_tokens")
            default: try skipValue()
            }
        }
        usage.cachedTokens = min(usage.cachedTokens, usage.promptTokens)
        if total != usage.totalTokens {
            usage.completionTokens = max(0, usage.completionTokens - usage.reasoningTokens)
        }
        return usage
    }

    private mutating func tokenCount() throws(JSONError) -> Int {
        Int(max(0, min(try readInteger(), 1 << 48)))
    }

    private mutating func tokenCount(named name: String) throws(JSONError) -> Int {
        var count = 0
        try beginObject()
        while let key = try nextKey() {
            if key != name {
                try skipValue()
            } else if try !readNull() {
                count = try tokenCount()
            }
        }
        return count
    }
}
