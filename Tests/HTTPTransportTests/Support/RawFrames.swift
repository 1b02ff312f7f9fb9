import NIOCore

@testable import HTTPTransport

/// HTTP/2 frames written and read by hand, for peers that misbehave.
enum RawFrames {
    static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

    static func frame(
        _ type: UInt8, flags: UInt8 = 0, stream: Int32 = 0, _ payload: [UInt8] = []
    ) -> [UInt8] {
        let length = payload.count
        return [UInt8(length >> 16 & 0xff), UInt8(length >> 8 & 0xff), UInt8(length & 0xff)]
            + [type, flags] + word(UInt32(stream)) + payload
    }

    static func word(_ value: UInt32) -> [UInt8] {
        [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) }
    }

    static let settings = frame(4)
    static let settingsAck = frame(4, flags: 1)
    static let ping = frame(6, [1, 2, 3, 4, 5, 6, 7, 8])
    static let start = preface + settings

    static func data(_ stream: Int32, _ bytes: [UInt8] = [], end: Bool = false) -> [UInt8] {
        frame(0, flags: end ? 1 : 0, stream: stream, bytes)
    }

    static func reset(_ stream: Int32, _ code: UInt32 = 8) -> [UInt8] {
        frame(3, stream: stream, word(code))
    }

    static func windowUpdate(_ stream: Int32, _ increment: UInt32) -> [UInt8] {
        frame(8, stream: stream, word(increment))
    }

    /// HPACK literals without indexing or Huffman coding (RFC 7541 §6.2.2).
    static func block(_ fields: [(String, String)]) -> [UInt8] {
        fields.flatMap { [0x00] + string($0.0) + string($0.1) }
    }

    static func string(_ text: String) -> [UInt8] {
        let bytes = Array(text.utf8)
        return integer(bytes.count, prefix: 7, first: 0) + bytes
    }

    static func integer(_ value: Int, prefix: Int, first: UInt8) -> [UInt8] {
        let limit = (1 << prefix) - 1
        if value < limit { return [first | UInt8(value)] }
        var rest = value - limit
        var bytes = [first | UInt8(limit)]
        while rest >= 128 {
            bytes.append(UInt8(rest & 127) | 128)
            rest >>= 7
        }
        return bytes + [UInt8(rest)]
    }

    static let get: [(String, String)] = [
        (":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "test"),
    ]

    static func headers(
        _ stream: Int32, _ fields: [(String, String)] = get, end: Bool = true,
        endHeaders: Bool = true
    ) -> [UInt8] {
        frame(1, flags: (end ? 1 : 0) | (endHeaders ? 4 : 0), stream: stream, block(fields))
    }

    struct Frame {
        var type: UInt8
        var flags: UInt8
        var stream: Int32
        var payload: [UInt8]

        /// The error code of a RST_STREAM or GOAWAY.
        var code: UInt32 {
            let offset = type == 7 ? 4 : 0
            return payload[offset..<offset + 4].reduce(0) { $0 << 8 | UInt32($1) }
        }
    }

    static func parse(_ bytes: [UInt8]) -> [Frame] {
        var frames: [Frame] = []
        var index = 0
        while index + 9 <= bytes.count {
            let length =
                Int(bytes[index]) << 16 | Int(bytes[index + 1]) << 8
                | Int(bytes[index + 2])
            let stream = bytes[index + 5..<index + 9].reduce(Int32(0)) { $0 << 8 | Int32($1) }
            frames.append(
                Frame(
                    type: bytes[index + 3], flags: bytes[index + 4], stream: stream,
                    payload: Array(bytes[index + 9..<index + 9 + length])))
            index += 9 + length
        }
        return frames
    }
}

/// A server session whose peer is written by hand.
final class RawPeer {
    let service = TestService()
    let server: HTTP2Session
    var now = NIODeadline.uptimeNanoseconds(1_000_000_000)
    var output: [UInt8] = []

    init(limits: HTTPLimits = HTTPLimits(), starts: Bool = true) {
        server = HTTP2Session(
            role: .server(service, refusalBody: { _, _ in nil }), connection: .test,
            limits: limits, now: now)
        if starts { send(RawFrames.start) }
    }

    deinit { server.finish(nil) }

    func send(_ bytes: [UInt8]) {
        server.receive(ByteBuffer(bytes: bytes), now: now)
        flush()
    }

    func flush() {
        while true {
            let bytes = server.produce(limit: 65_536, now: now)
            if bytes.readableBytes == 0 { break }
            output += Array(bytes.readableBytesView)
        }
    }

    func advance(_ amount: TimeAmount) {
        now = now + amount
        server.tick(now: now)
        flush()
    }

    var frames: [RawFrames.Frame] { RawFrames.parse(output) }

    /// The code of the GOAWAY that the server sent, nil when it sent none.
    var goAway: HTTP2ErrorCode? {
        frames.last { $0.type == 7 }.map { HTTP2ErrorCode(rawValue: $0.code) }
    }

    /// The code of the RST_STREAM that the server sent on a stream.
    func reset(_ stream: Int32) -> HTTP2ErrorCode? {
        frames.first { $0.type == 3 && $0.stream == stream }
            .map { HTTP2ErrorCode(rawValue: $0.code) }
    }

    /// The status that a stream was answered with, as far as it came as HPACK bytes that these
    /// tests read (static-table or plain literal statuses).
    func status(_ stream: Int32) -> Int? {
        guard let head = frames.first(where: { $0.type == 1 && $0.stream == stream }) else {
            return nil
        }
        return StatusDecoder.status(of: head.payload)
    }
}

/// Reads the `:status` at the start of a header block.
enum StatusDecoder {
    private static let indexed: [UInt8: Int] = [
        0x88: 200, 0x89: 204, 0x8a: 206, 0x8b: 304, 0x8c: 400, 0x8d: 404, 0x8e: 500,
    ]

    static func status(of block: [UInt8]) -> Int? {
        guard let first = block.first else { return nil }
        if let status = indexed[first] { return status }
        // A literal with the static name index 8, indexed (0x48) or not (0x08).
        guard first == 0x48 || first == 0x08, block.count > 2 else { return nil }
        let isHuffman = block[1] & 0x80 != 0
        let length = Int(block[1] & 0x7f)
        let bytes = Array(block[2..<2 + length])
        return isHuffman ? digits(bytes) : Int(String(decoding: bytes, as: UTF8.self))
    }

    /// Huffman codes of digits (RFC 7541 appendix B): 0, 1, 2 have five bits, 3 to 9 six.
    private static func digits(_ bytes: [UInt8]) -> Int {
        let bits = bytes.flatMap { byte in (0..<8).map { byte >> (7 - $0) & 1 } }
        var index = 0
        var value = 0
        func take(_ count: Int) -> Int {
            defer { index += count }
            return bits[index..<index + count].reduce(0) { $0 << 1 | Int($1) }
        }
        for _ in 0..<3 {
            let five = take(5)
            if five <= 2 {
                value = value * 10 + five
            } else {
                let six = five << 1 | take(1)
                value = value * 10 + six - 0x19 + 3
            }
        }
        return value
    }
}
