import NIOHTTP1

/// The head of one HTTP/1.1 request after the checks that NIOHTTP1's parser leaves to its user,
/// and what the head says about the bytes that follow. `docs/http1-notes.md` lists the checks.
struct HTTP1Request {
    enum Body: Equatable {
        case none
        /// Exactly so many bytes, at least one.
        case length(Int)
        case chunked
    }

    let head: HTTPTransport.HTTPRequestHead
    let body: Body
    let isHTTP10: Bool
    /// The client wants the connection to outlive this exchange (RFC 9112 §9.3).
    let keepsAlive: Bool
    /// `expect: 100-continue` (RFC 9110 §10.1.1); never set for HTTP/1.0.
    let expectsContinue: Bool
    /// The parser saw an upgrade and will parse nothing after this message; we stay on 1.1, so
    /// it must be replaced.
    let stopsParser: Bool

    /// Throws the refusal that the request deserves.
    init(
        _ head: NIOHTTP1.HTTPRequestHead, isSecure: Bool, limits: HTTPLimits
    ) throws(HTTPRefusal) {
        guard head.version.major == 1, head.version.minor <= 1 else { throw .versionNotSupported }
        isHTTP10 = head.version.minor == 0
        var fields = try Self.fields(head, limits: limits)

        let connection = Self.tokens(fields.values(named: "connection"))
        keepsAlive =
            head.isKeepAlive && !connection.contains("close")
            && (!isHTTP10 || connection.contains("keep-alive"))
        stopsParser = connection.contains("upgrade") && fields.contains("upgrade")
        let expected = Self.tokens(fields.values(named: "expect"))
        expectsContinue = !isHTTP10 && expected.contains("100-continue")
        body = try Self.body(fields, isHTTP10: isHTTP10, limits: limits)

        let target = try HTTP1Target(
            head.uri, method: head.method.rawValue, hosts: fields.values(named: "host"),
            isHTTP10: isHTTP10)

        // The service sees what an HTTP/2 request would show: no field about the connection
        // (RFC 9113 §8.2.2), `Host` in `authority`.
        fields.list.removeAll { Self.connectionFields.contains($0.name) }
        self.head = HTTPTransport.HTTPRequestHead(
            method: head.method.rawValue, scheme: isSecure ? "https" : "http",
            authority: target.authority, path: target.path, fields: fields)
    }

    private static let connectionFields: Set<String> = [
        "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade",
        "http2-settings", "host", "expect", "te", "trailer",
    ]

    /// Names in lower case, values trimmed, and the sizes within the limits.
    private static func fields(
        _ head: NIOHTTP1.HTTPRequestHead, limits: HTTPLimits
    ) throws(HTTPRefusal) -> HTTPFields {
        var fields = HTTPFields()
        fields.reserveCapacity(head.headers.count)
        var bytes = head.uri.utf8.count
        for (name, value) in head.headers {
            bytes += name.utf8.count + value.utf8.count + 32
            fields.append(name.lowercased(), trimmed(value))
        }
        guard bytes <= limits.headerBytes, fields.count <= limits.headerCount else {
            throw .headersTooLarge
        }
        return fields
    }

    /// RFC 9112 §6.1-6.3. The parser has refused both lengths together, repeated lengths and
    /// lengths that are not digits; the checks here do not rely on it.
    private static func body(
        _ fields: HTTPFields, isHTTP10: Bool, limits: HTTPLimits
    ) throws(HTTPRefusal) -> Body {
        let lengths = fields.values(named: "content-length")
        let codings = fields.values(named: "transfer-encoding")
        if !codings.isEmpty {
            guard lengths.isEmpty, !isHTTP10, codings.count == 1 else { throw .malformed }
            let coding = codings[0].lowercased()
            if coding == "chunked" { return .chunked }
            // Another coding under a final chunked could be undone by a server that knows it;
            // anything else has no end that both sides agree on.
            let names = coding.split(separator: ",", omittingEmptySubsequences: false)
                .map { trimmed(String($0)) }
            throw names.last == "chunked" && !names.dropLast().contains("chunked")
                && names.allSatisfy({ !$0.isEmpty }) ? .notImplemented : .malformed
        }
        guard let text = lengths.first else { return .none }
        guard lengths.count == 1, !text.isEmpty,
            text.utf8.allSatisfy({ $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") })
        else { throw .malformed }
        guard let length = Int(text), length <= limits.bodyBytes else { throw .bodyTooLarge }
        return length == 0 ? .none : .length(length)
    }

    /// The comma-separated members of a list field, in lower case (RFC 9110 §5.6.1).
    static func tokens(_ values: [String]) -> [String] {
        if values.isEmpty { return [] }
        return values.flatMap { $0.lowercased().split(separator: ",") }
            .map { trimmed(String($0)) }
    }

    /// Without spaces and tabs at both ends (RFC 9110 §5.6.3, OWS).
    static func trimmed(_ text: String) -> String {
        let isBlank = { (byte: UInt8) in byte == 0x20 || byte == 0x09 }
        guard text.utf8.first.map(isBlank) == true || text.utf8.last.map(isBlank) == true else {
            return text
        }
        let start = text.utf8.drop(while: isBlank)
        return String(decoding: start.reversed().drop(while: isBlank).reversed(), as: UTF8.self)
    }
}
