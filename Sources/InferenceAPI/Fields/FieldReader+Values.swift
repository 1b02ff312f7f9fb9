/// Values that fields of several faces have.
extension FieldReader {
    /// An object as JSON text, exactly as it was sent.
    mutating func rawObject() throws(DecodeFailure) -> String {
        guard try kind() == .object else { throw refusal(.invalidType, "Expected an object.") }
        return try raw()
    }

    mutating func reasoningEffort() throws(DecodeFailure) -> ReasoningEffort {
        guard let effort = ReasoningEffort(rawValue: try string()) else {
            throw refusal(
                .invalidValue, "Expected 'none', 'minimal', 'low', 'medium', 'high' or 'xhigh'.")
        }
        return effort
    }

    /// Live search: `off` is what we do anyway, and `auto` leaves it to us.
    mutating func skipSearchParameters() throws(DecodeFailure) {
        try beginObject()
        while try nextField(in: searchFields) != nil {
            switch try string() {
            case "off", "auto": break
            case "on": throw unsupported("This server does not search.")
            default: throw refusal(.invalidValue, "Expected 'off', 'auto' or 'on'.")
            }
        }
    }
}

private enum SearchField: String, CaseIterable {
    case mode
}

private let searchFields = JSONKeyTable<SearchField>()
