/// The head or trailer that is arriving. A connection has one at a time (RFC 9113 §4.3).
struct HTTP2HeaderBlock {
    /// The stream it belongs to; 0 when the block is to be ignored.
    var streamID: Int32 = 0
    var fields = HTTPFields()
    var method = ""
    var scheme = ""
    var authority = ""
    var path = ""
    /// The `host` field; compared with `:authority` at the end.
    var host: String?
    var status = 0
    var contentLength: Int?
    var expectsContinue = false
    /// Over `HTTPLimits.headerBytes` or `headerCount`: nothing more is kept.
    var isOversized = false

    private var bytes = 0
    private var count = 0

    /// What the caller does with the next field.
    enum Verdict {
        case keep
        case drop
        /// The block is large enough to be an attack.
        case disconnect
    }

    init(streamID: Int32) {
        self.streamID = streamID
        if streamID != 0 { fields.reserveCapacity(8) }
    }

    /// Accounts for a field of these lengths, before anything is allocated for it.
    mutating func admit(name: Int, value: Int, limits: HTTPLimits) -> Verdict {
        bytes += name + value + 32
        count += 1
        if bytes > limits.headerBytesBeforeDisconnect { return .disconnect }
        if bytes > limits.headerBytes || count > limits.headerCount {
            isOversized = true
            return .drop
        }
        return streamID == 0 ? .drop : .keep
    }

    /// Adds a field that libnghttp2 has found well-formed.
    mutating func add(
        name: UnsafeBufferPointer<UInt8>, value: UnsafeBufferPointer<UInt8>
    ) {
        let text = unsafe HTTP2InternedStrings.string(value)
        if unsafe name[0] == UInt8(ascii: ":") {
            // Unknown pseudo-fields never get here. :method :path :scheme :status :authority
            switch unsafe name[1] {
            case UInt8(ascii: "m"): method = text
            case UInt8(ascii: "p"): path = text
            case UInt8(ascii: "a"): authority = text
            default:
                if unsafe name[2] == UInt8(ascii: "c") { scheme = text } else {
                    status = Int(text) ?? 0
                }
            }
            return
        }
        let key = unsafe HTTP2InternedStrings.string(name)
        switch key {
        case "host": host = text
        case "content-length":
            contentLength = Int(text)
            fields.append(key, text)
        case "expect":
            expectsContinue = text.lowercased() == "100-continue"
            fields.append(key, text)
        default: fields.append(key, text)
        }
    }
}

extension HTTP2HeaderBlock {
    /// Why a complete request head must be refused; nil: it is fine.
    ///
    /// RFC 9113 §8 where libnghttp2 1.52 is lax, see docs/http2-notes.md.
    func refusal(limits: HTTPLimits) -> HTTPRefusal? {
        if isOversized { return .headersTooLarge }
        if method == "CONNECT" { return .notImplemented }
        guard scheme == "http" || scheme == "https" || isHTTP(scheme) else { return .malformed }
        if let host, !authority.isEmpty, host != authority,
            host.lowercased() != authority.lowercased()
        {
            return .malformed
        }
        let name = authority.isEmpty ? host ?? "" : authority
        if name.isEmpty || name.utf8.contains(UInt8(ascii: "@")) { return .malformed }
        for byte in path.utf8 where byte <= 0x20 || byte >= 0x7f || byte == UInt8(ascii: "#") {
            return .malformed
        }
        if let contentLength, contentLength > limits.bodyBytes { return .bodyTooLarge }
        return nil
    }

    private func isHTTP(_ scheme: String) -> Bool {
        let lower = scheme.lowercased()
        return lower == "http" || lower == "https"
    }

    /// The request head; the block keeps nothing of it.
    mutating func takeRequest() -> HTTPRequestHead {
        let head = HTTPRequestHead(
            method: method, scheme: scheme,
            authority: authority.isEmpty ? host ?? "" : authority, path: path, fields: fields)
        fields = HTTPFields()
        return head
    }
}
