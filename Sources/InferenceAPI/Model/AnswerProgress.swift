import NIOCore

/// How far a request is that has no token yet.
package enum AnswerProgress: Hashable, Sendable {
    /// Nothing to tell.
    case unknown
    /// `position` requests are handed out before it, itself included: 1 is next. The estimate is
    /// of the time until it gets a slot; nil before there is a basis for one.
    case queued(position: Int, etaMilliseconds: Int?)
    /// `computed` of the prompt's `total` tokens.
    case prefill(computed: Int, total: Int)
}

extension ByteBuffer {
    /// A comment, which every reader of server-sent events ignores and which keeps proxies from
    /// closing the connection. No empty line follows it: once events have ids, openai-python takes
    /// one for an event, of which it cannot read the data.
    mutating func writeComment(_ progress: AnswerProgress) {
        switch progress {
        case .unknown: writeStaticString(": keepalive\n")
        case .queued(let position, nil): writeString(": queued pos=\(position)\n")
        case .queued(let position, let eta?):
            writeString(": queued pos=\(position) eta_ms=\(eta)\n")
        case .prefill(let computed, let total):
            writeString(": prefill \(computed)/\(total)\n")
        }
    }
}
