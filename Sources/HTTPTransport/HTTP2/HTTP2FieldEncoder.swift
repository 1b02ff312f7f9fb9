import CNGHTTP2

/// Lays out a head or trailer as libnghttp2 wants it: an array of pointers into one scratch buffer.
///
/// Reused for all heads of a connection, so a head costs no allocation here; libnghttp2 copies what
/// it keeps. Bytes that would end a field (NUL, CR, LF; RFC 9110 §5.5) become spaces, and
/// connection-specific fields (RFC 9113 §8.2.2) are left out: a service may pass on values that it
/// got from elsewhere.
@safe
struct HTTP2FieldEncoder {
    private var bytes: [UInt8] = []
    private var lengths: [(name: Int, value: Int)] = []
    private var pairs: [nghttp2_nv] = unsafe []

    mutating func reset() {
        bytes.removeAll(keepingCapacity: bytes.capacity <= 4_096)
        lengths.removeAll(keepingCapacity: true)
    }

    mutating func add(_ name: String, _ value: String) {
        bytes.append(contentsOf: name.utf8)
        let start = bytes.count
        bytes.append(contentsOf: value.utf8)
        lengths.append((name.utf8.count, bytes.count - start))
    }

    mutating func add(status: Int) {
        bytes.append(contentsOf: ":status".utf8)
        for divisor in [100, 10, 1] {
            bytes.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: status / divisor % 10))
        }
        lengths.append((7, 3))
    }

    /// Adds all fields; says whether `date` was among them.
    mutating func add(_ fields: HTTPFields) -> Bool {
        var hasDate = false
        for field in fields.list {
            switch field.name {
            case "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade":
                continue
            case "date": hasDate = true
            default: break
            }
            add(field.name, field.value)
        }
        return hasDate
    }

    /// Calls `body` with the pairs; the pointers are valid during the call.
    mutating func withPairs<Result>(
        _ body: (UnsafePointer<nghttp2_nv>?, Int) -> Result
    ) -> Result {
        unsafe pairs.removeAll(keepingCapacity: true)
        return unsafe bytes.withUnsafeMutableBufferPointer { buffer in
            for index in buffer.indices where unsafe buffer[index] < 0x20 {
                let byte = unsafe buffer[index]
                if byte == 0 || byte == 0x0a || byte == 0x0d { unsafe buffer[index] = 0x20 }
            }
            var position = buffer.baseAddress
            for length in lengths {
                unsafe pairs.append(
                    nghttp2_nv(
                        name: position, value: position.map { unsafe $0 + length.name },
                        namelen: length.name, valuelen: length.value, flags: 0))
                unsafe position = position.map { unsafe $0 + length.name + length.value }
            }
            return unsafe pairs.withUnsafeBufferPointer { unsafe body($0.baseAddress, $0.count) }
        }
    }
}
