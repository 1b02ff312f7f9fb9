/// Reads the frame headers of a connection's input, ahead of libnghttp2, and counts.
///
/// libnghttp2 1.52 tells its user nothing of frames that it ignores (unknown types, DATA of closed
/// streams, continuations of refused heads), so counting in its callbacks would leave gaps. Nine
/// bytes per frame are cheap to read twice. Pure: bytes in, verdict out; input may be split
/// anywhere.
struct HTTP2FrameMeter {
    var counters: HTTP2FloodCounters

    /// Bytes of the client's preface not yet seen (RFC 9113 §3.4); libnghttp2 checks their content.
    private var prefaceLeft: Int
    private var headerFilled = 0
    private var length = 0
    private var type: UInt8 = 0
    private var flags: UInt8 = 0
    private var payloadLeft = 0
    private var isFirstFrameDone = false
    /// Between a HEADERS frame and the frame with END_HEADERS.
    private var isInsideBlock = false
    private var blockBytes = 0
    private let maxBlockBytes: Int
    private let maxFrameBytes = 16_384

    init(counters: HTTP2FloodCounters, readsPreface: Bool, maxBlockBytes: Int) {
        self.counters = counters
        prefaceLeft = readsPreface ? 24 : 0
        self.maxBlockBytes = maxBlockBytes
    }

    /// The peer owes us the rest of its preface, of a frame header or of a header block: what the
    /// header time limit is about.
    var isInsideHead: Bool {
        !isFirstFrameDone || isInsideBlock || headerFilled > 0
    }

    /// Scans the next input; not nil: end the connection with this code.
    mutating func scan(_ bytes: Span<UInt8>) -> HTTP2ErrorCode? {
        var index = 0
        let end = bytes.count
        if prefaceLeft > 0 {
            let skipped = min(prefaceLeft, end)
            prefaceLeft -= skipped
            index = skipped
        }
        while index < end {
            if payloadLeft > 0 {
                let skipped = min(payloadLeft, end - index)
                payloadLeft -= skipped
                index += skipped
                if payloadLeft == 0 { endFrame() }
                continue
            }
            take(bytes[index])
            index += 1
            if headerFilled == 9, let code = beginFrame() { return code }
        }
        return nil
    }

    private mutating func take(_ byte: UInt8) {
        switch headerFilled {
        case 0: length = Int(byte) << 16
        case 1: length |= Int(byte) << 8
        case 2: length |= Int(byte)
        case 3: type = byte
        case 4: flags = byte
        default: break
        }
        headerFilled += 1
    }

    private mutating func beginFrame() -> HTTP2ErrorCode? {
        headerFilled = 0
        payloadLeft = length
        // libnghttp2 1.52 checks the length of every frame but CONTINUATION (RFC 9113 §4.2).
        if length > maxFrameBytes && type == HTTP2FrameType.continuation {
            return .frameSizeError
        }
        guard counters.received(type: type, flags: flags, length: length) else {
            return .enhanceYourCalm
        }
        if type == HTTP2FrameType.headers || type == HTTP2FrameType.continuation {
            if type == HTTP2FrameType.headers { blockBytes = 0 }
            blockBytes += length
            if blockBytes > maxBlockBytes { return .enhanceYourCalm }
            isInsideBlock = true
        }
        if payloadLeft == 0 { endFrame() }
        return nil
    }

    private mutating func endFrame() {
        isFirstFrameDone = true
        let isHead = type == HTTP2FrameType.headers || type == HTTP2FrameType.continuation
        if isHead && flags & 0x4 != 0 { isInsideBlock = false }
    }
}
