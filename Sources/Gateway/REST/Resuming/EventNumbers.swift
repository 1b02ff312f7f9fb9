import InferenceAPI
import NIOCore

/// Numbers the events of one stream from 0, in their `id` field (HTML standard §9.2.6), so that a
/// client can say in `Last-Event-ID` which one it had last: `STREAM.NUMBER`.
struct EventNumbers {
    /// Up to and with the dot.
    private let opening: ByteBuffer
    /// Of the next event.
    private(set) var next = 0

    init(stream: String) {
        opening = ByteBuffer(string: "id: \(stream).")
    }

    /// What `write` appends, each event with its number. Comments must not come through here.
    mutating func number(_ write: (inout ByteBuffer) -> Void) -> ByteBuffer {
        // Room for an event of one token, so that it need not grow while it is written.
        var buffer = ByteBufferAllocator().buffer(capacity: Self.usualBytes)
        let first = next
        open(&buffer)
        let start = buffer.writerIndex
        write(&buffer)
        guard buffer.writerIndex > start else {
            next = first
            return ByteBuffer()
        }
        buffer.moveReaderIndex(to: start)
        let length = buffer.eventLength
        buffer.moveReaderIndex(to: 0)
        guard start + length < buffer.writerIndex else { return buffer }
        var others = buffer
        others.moveReaderIndex(to: start + length)
        buffer.moveWriterIndex(to: start + length)
        while let event = others.readEvent() {
            open(&buffer)
            buffer.writeImmutableBuffer(event)
        }
        return buffer
    }

    private static let usualBytes = 512

    private mutating func open(_ buffer: inout ByteBuffer) {
        buffer.writeImmutableBuffer(opening)
        buffer.writeJSONInteger(next)
        buffer.writeInteger(UInt8(ascii: "\n"))
        next += 1
    }
}

extension ByteBuffer {
    /// The bytes up to and with the first empty line; all where there is none.
    fileprivate var eventLength: Int {
        let bytes = readableBytesUInt8Span
        var index = 1
        while index < bytes.count {
            // Of two line feeds in a row one is at each second place.
            guard bytes[index] == UInt8(ascii: "\n") else {
                index += 2
                continue
            }
            if bytes[index - 1] == UInt8(ascii: "\n") { return index + 1 }
            index += 1
        }
        return bytes.count
    }

    /// Takes the next event of a stream; nil at the end.
    mutating func readEvent() -> ByteBuffer? {
        readableBytes == 0 ? nil : readSlice(length: eventLength)
    }
}

/// The value of `Last-Event-ID`.
struct EventID: Hashable {
    var stream: String
    var number: Int

    /// Nil for what this server has never written.
    init?(_ text: String) {
        guard let dot = text.lastIndex(of: "."),
            let number = Int(text[text.index(after: dot)...]), number >= 0
        else { return nil }
        stream = String(text[..<dot])
        self.number = number
    }
}
