/// Meaning of request fields that all faces share (API.md §3, OPERATIONS.md "Headers"). Functions
/// take field values, so that this target needs no HTTP types.
package enum RequestHeaders {
    /// Longest key that is looked at, in bytes.
    package static let keyBytesLimit = 512
    /// Longest `x-request-id` that is taken over, in bytes.
    package static let requestIDBytesLimit = 128
    /// Largest `x-slo-ttft-ms`: one hour.
    package static let ttftLimitMilliseconds = 3_600_000

    /// The key of `authorization: Bearer KEY` (the scheme in any case, RFC 9110 §11.1) or, without
    /// that field, of `x-api-key`. Nil when neither is there.
    ///
    /// Throws `unauthenticated` for another scheme, an empty key or one that is too long.
    package static func key(
        authorization: String?, apiKey: String?
    ) throws(APIError) -> String? {
        guard let authorization else {
            guard let apiKey else { return nil }
            return try checked(Substring(apiKey))
        }
        let parts = authorization.split(separator: " ", maxSplits: 1)
        guard let scheme = parts.first, scheme.lowercased() == "bearer" else {
            throw APIError(
                .unauthenticated, "Expected 'Authorization: Bearer' with an API key.")
        }
        return try checked(parts.count > 1 ? parts[1] : "")
    }

    private static func checked(_ text: Substring) throws(APIError) -> String {
        var key = text
        while key.first == " " || key.first == "\t" { key.removeFirst() }
        while key.last == " " || key.last == "\t" { key.removeLast() }
        guard !key.isEmpty else {
            throw APIError(.unauthenticated, "The API key is empty.")
        }
        guard key.utf8.count <= keyBytesLimit,
            key.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
        else { throw APIError(.unauthenticated, "The API key is malformed.") }
        return String(key)
    }

    /// The client's own request id when it is fit for logs and for sending back, else nil: the
    /// caller makes one.
    package static func requestID(_ value: String?) -> String? {
        guard let value, (1...requestIDBytesLimit).contains(value.utf8.count),
            value.utf8.allSatisfy(isIDByte)
        else { return nil }
        return value
    }

    /// Letters, digits and `-_.:/+=`.
    private static func isIDByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "-"), UInt8(ascii: "_"),
            UInt8(ascii: "."), UInt8(ascii: ":"), UInt8(ascii: "/"), UInt8(ascii: "+"),
            UInt8(ascii: "="):
            true
        default: false
        }
    }

    /// `x-slo-ttft-ms`: how long the client is willing to wait for the first token, in
    /// milliseconds. Throws `invalidHeader` for anything but 1...3,600,000 in digits.
    package static func ttftMilliseconds(_ value: String?) throws(APIError) -> Int? {
        guard let value else { return nil }
        guard value.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(value),
            (1...ttftLimitMilliseconds).contains(number)
        else {
            throw APIError(
                .invalidHeader,
                "Expected milliseconds between 1 and \(ttftLimitMilliseconds).",
                parameter: "x-slo-ttft-ms")
        }
        return number
    }

    /// An affinity key (`x-grok-conv-id`, `x-session-id`): as request ids, else ignored.
    package static func conversationID(_ value: String?) -> String? {
        requestID(value)
    }

    /// `x-switchyard-background`: whether a streamed answer goes on without its client. Throws
    /// `invalidHeader` for anything but `true` and `false`.
    package static func background(_ value: String?) throws(APIError) -> Bool {
        switch value {
        case nil, "false": return false
        case "true": return true
        default:
            throw APIError(
                .invalidHeader, "Expected 'true' or 'false'.",
                parameter: "x-switchyard-background")
        }
    }

    /// Checks that a body is JSON. A missing `content-type` passes: curl's users forget it.
    package static func requireJSON(contentType value: String?) throws(APIError) {
        guard let value else { return }
        let media = value.prefix { $0 != ";" }.lowercased()
        let name = media.split(whereSeparator: { $0 == " " || $0 == "\t" })
        guard name.count == 1, name[0] == "application/json" || name[0].hasSuffix("+json") else {
            throw APIError(
                .unsupportedMediaType, "Expected 'Content-Type: application/json'.")
        }
    }
}
