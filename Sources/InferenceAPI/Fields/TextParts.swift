/// Text that a face takes as a string or as an array of parts, which are joined (trap 17), and how
/// that face calls them.
struct TextParts: Sendable {
    /// What an array's elements are called in refusals.
    var noun: String
    /// Types that have text.
    var texts: Set<String>
    /// Types that are known and refused, as this server takes text only; nil for all others.
    var media: Set<String>?
    /// In the refusal of any other type.
    var expected = ""
    /// `{"type":"refusal","refusal"}` of an earlier answer is text too.
    var takesRefusals = false
    var allowsNone = true

    fileprivate enum Field: String, CaseIterable {
        case type, text, refusal
    }

    fileprivate static let fields = JSONKeyTable<Field>()
}

extension FieldReader {
    /// - Parameter limits: with `isForwarded`, parts without text are empty instead of refused.
    mutating func text(
        _ parts: TextParts, limits: ChatRequestLimits
    ) throws(DecodeFailure) -> String {
        switch try kind() {
        case .string: return try string()
        case .array: break
        default:
            throw refusal(.invalidType, "Expected a string or an array of \(parts.noun)s.")
        }
        let start = try beginArray()
        var text = ""
        var count = 0
        while try nextElement() {
            count += 1
            guard count <= limits.contentParts else {
                throw DecodeFailure(
                    .invalidValue, "Expected at most \(limits.contentParts) \(parts.noun)s.",
                    at: start)
            }
            text += try part(of: parts, isForwarded: limits.isForwarded)
        }
        guard count > 0 || parts.allowsNone else {
            throw DecodeFailure(
                .invalidValue, "Expected at least one \(parts.noun).", at: start)
        }
        return text
    }

    private mutating func part(
        of parts: TextParts, isForwarded: Bool
    ) throws(DecodeFailure) -> String {
        let start = try beginObject()
        var type: String?
        var typeOffset = start
        var text: String?
        var refusal: String?
        while let field = try nextField(in: TextParts.fields) {
            switch field {
            case .type:
                typeOffset = valueOffset
                type = try string()
            case .text: text = try string()
            case .refusal: refusal = try string()
            }
        }
        guard let type else { throw DecodeFailure.missing("type", at: start) }
        if isForwarded { return text ?? "" }
        if parts.texts.contains(type) {
            guard let text else { throw DecodeFailure.missing("text", at: start) }
            return text
        }
        if parts.takesRefusals, type == "refusal" {
            guard let refusal else { throw DecodeFailure.missing("refusal", at: start) }
            return refusal
        }
        guard let media = parts.media, !media.contains(type) else {
            throw DecodeFailure(.unsupported, "This server takes text only.", at: typeOffset)
        }
        throw DecodeFailure(.invalidValue, parts.expected, at: typeOffset)
    }
}
