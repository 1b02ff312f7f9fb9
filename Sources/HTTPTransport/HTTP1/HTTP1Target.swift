/// A request target (RFC 9112 §3.2) together with the `Host` fields: which authority and path
/// the request means.
struct HTTP1Target: Equatable {
    /// Host and port as sent; empty when the client named none (HTTP/1.0, or an empty `Host`).
    let authority: String
    /// Path with query, "*" for `OPTIONS *`.
    let path: String

    /// Throws `malformed` for targets and hosts that RFC 9112 §3.2 refuses, and `notImplemented`
    /// for CONNECT: this server is no proxy.
    init(
        _ uri: String, method: String, hosts: [String], isHTTP10: Bool
    ) throws(HTTPRefusal) {
        if method == "CONNECT" { throw .notImplemented }
        // A missing or repeated Host must be refused even when the target is absolute.
        guard hosts.count == 1 || (hosts.isEmpty && isHTTP10) else { throw .malformed }
        let host = hosts.first ?? ""
        guard Self.isAuthority(host) else { throw .malformed }
        guard uri.utf8.allSatisfy(Self.isTargetByte) else { throw .malformed }

        if uri.utf8.first == UInt8(ascii: "/") {
            authority = host
            path = uri
        } else if uri == "*" {
            guard method == "OPTIONS" else { throw .malformed }
            authority = host
            path = uri
        } else {
            guard let rest = Self.afterScheme(uri) else { throw .malformed }
            let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
            let named = String(rest[..<end])
            guard !named.isEmpty, Self.isAuthority(named) else { throw .malformed }
            // The target's authority wins over Host (RFC 9112 §3.2.2).
            authority = named
            let tail = rest[end...]
            if tail.isEmpty {
                path = method == "OPTIONS" ? "*" : "/"
            } else {
                path = tail.hasPrefix("/") ? String(tail) : "/" + tail
            }
        }
    }

    /// What follows "http://" or "https://"; nil for every other scheme.
    private static func afterScheme(_ uri: String) -> Substring? {
        for scheme in ["http://", "https://"]
        where uri.utf8.count >= scheme.utf8.count
            && uri.prefix(scheme.count).lowercased() == scheme
        {
            return uri.dropFirst(scheme.count)
        }
        return nil
    }

    /// RFC 3986 §3.2 without user information, which RFC 9110 §4.2.4 forbids. An IP literal's
    /// brackets and the port's colon are let through anywhere: nobody routes by them here.
    private static func isAuthority(_ text: String) -> Bool {
        text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default:
                "-._~!$&'()*+;=%:[]".utf8.contains(byte)
            }
        }
    }

    /// Visible ASCII without the fragment's mark and without what only mischief sends raw.
    /// `[ ] { } | ^ "` are not legal in RFC 3986 either, but stock clients send them in queries.
    private static func isTargetByte(_ byte: UInt8) -> Bool {
        byte > 0x20 && byte < 0x7F && !"#\\<>`".utf8.contains(byte)
    }
}
