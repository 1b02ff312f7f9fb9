package import NIOCore

/// One server-sent event that has data.
package struct ServerSentEvent: Hashable, Sendable {
    /// The `event` field; nil where there was none.
    package var type: String?
    /// The `data` lines, joined by line feeds.
    package var data: [UInt8]
    /// The data came in several lines, so it holds line feeds.
    package var isMultiLine: Bool

    package init(type: String? = nil, data: [UInt8], isMultiLine: Bool = false) {
        self.type = type
        self.data = data
        self.isMultiLine = isMultiLine
    }

    /// The end of OpenAI's streams.
    package var isDone: Bool { data == Self.done }

    private static let done = Array("[DONE]".utf8)
}

/// Why a body is no event stream that we read.
package enum EventStreamError: Error, Hashable, Sendable {
    /// An event's data, or one line, has more bytes than that.
    case eventTooLong(limitBytes: Int)
}

/// Cuts the body of a `text/event-stream` into events, however its bytes arrive (WHATWG HTML,
/// "Server-sent events", §9.2.6). Owned by whoever receives the body.
///
/// Lines end with CR, LF or both. Comments, `id` and `retry` are dropped; an event that the end of
/// the body cuts off is never seen. A line of the form `error: …`, which some servers write instead
/// of an event, is an event of the type `error`.
package struct EventStreamParser {
    /// Bytes of one event's data, or of one line.
    package let limitBytes: Int

    private var input = ByteBuffer()
    /// Bytes at the front of `input` that are known to hold no line's end.
    private var scanned = 0
    /// The line before ended with CR: a LF that follows belongs to it.
    private var skipsLineFeed = false
    private var isFirstLine = true

    private var type: String?
    private var data: [UInt8] = []
    private var dataLines = 0

    package init(limitBytes: Int = 4 << 20) {
        self.limitBytes = limitBytes
    }

    /// Takes the next bytes of the body; `next()` then has what they complete.
    package mutating func append(_ bytes: ByteBuffer) {
        if input.readableBytes == 0 {
            input = bytes
        } else {
            input.discardReadBytes()
            input.writeImmutableBuffer(bytes)
        }
    }

    /// The next whole event; nil until more bytes come.
    package mutating func next() throws(EventStreamError) -> ServerSentEvent? {
        while let line = try nextLine() {
            guard line.readableBytes > 0 else {
                if let event = dispatch() { return event }
                continue
            }
            try read(line)
        }
        return nil
    }

    /// The next line without its end.
    private mutating func nextLine() throws(EventStreamError) -> ByteBuffer? {
        let view = input.readableBytesView
        if skipsLineFeed, let first = view.first {
            skipsLineFeed = false
            if first == UInt8(ascii: "\n") {
                input.moveReaderIndex(forwardBy: 1)
                scanned = 0
                return try nextLine()
            }
        }
        guard let end = view.dropFirst(scanned).firstIndex(where: { $0 == 0x0A || $0 == 0x0D })
        else {
            scanned = view.count
            guard scanned <= limitBytes else { throw .eventTooLong(limitBytes: limitBytes) }
            return nil
        }
        let length = end - view.startIndex
        guard length <= limitBytes else { throw .eventTooLong(limitBytes: limitBytes) }
        skipsLineFeed = view[end] == UInt8(ascii: "\r")
        scanned = 0
        var line = input.readSlice(length: length) ?? ByteBuffer()
        input.moveReaderIndex(forwardBy: 1)
        if isFirstLine {
            isFirstLine = false
            if line.readableBytesView.starts(with: [0xEF, 0xBB, 0xBF]) {
                line.moveReaderIndex(forwardBy: 3)
            }
        }
        return line
    }

    private mutating func read(_ line: ByteBuffer) throws(EventStreamError) {
        let view = line.readableBytesView
        let colon = view.firstIndex(of: UInt8(ascii: ":"))
        let name = view[..<(colon ?? view.endIndex)]
        var value = colon.map { view[view.index(after: $0)...] } ?? view[view.endIndex...]
        if value.first == UInt8(ascii: " ") { value = value.dropFirst() }
        if name.elementsEqual("data".utf8) {
            try add(value)
        } else if name.elementsEqual("event".utf8) {
            type = String(decoding: value, as: UTF8.self)
        } else if name.elementsEqual("error".utf8) {
            type = "error"
            try add(value)
        }
    }

    private mutating func add(_ value: ByteBufferView) throws(EventStreamError) {
        guard data.count + value.count < limitBytes else {
            throw .eventTooLong(limitBytes: limitBytes)
        }
        if dataLines > 0 { data.append(UInt8(ascii: "\n")) }
        dataLines += 1
        data.append(contentsOf: value)
    }

    private mutating func dispatch() -> ServerSentEvent? {
        defer {
            type = nil
            data = []
            dataLines = 0
        }
        guard dataLines > 0 else { return nil }
        return ServerSentEvent(type: type, data: data, isMultiLine: dataLines > 1)
    }
}
