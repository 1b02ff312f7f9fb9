/// Turns bytes that arrive in any portions into valid UTF-8.
///
/// A code point is passed on when its last byte arrives. Each maximal subpart of an ill-formed
/// sequence becomes one U+FFFD (Unicode 16, §3.9, "U+FFFD substitution of maximal subparts"), which
/// is also what `String(decoding:as:)` makes of the whole.
struct UTF8Repair: Sendable {
    /// The bytes of the code point under way, the first one highest; `count` of them.
    private var pending: UInt32 = 0
    private var count = 0
    /// Continuation bytes still missing.
    private var missing = 0
    /// What the next continuation byte must be (Unicode 16, table 3-7).
    private var low: UInt8 = 0x80
    private var high: UInt8 = 0xBF

    /// Whether a code point has begun and not ended.
    var isPending: Bool { count > 0 }

    /// Appends what `bytes` complete to `output`.
    ///
    /// Returns the length of `output` right after the code point that was under way at entry, or
    /// nil when there was none or it still is.
    mutating func append(_ bytes: ArraySlice<UInt8>, to output: inout [UInt8]) -> Int? {
        var resolved: Int?
        var wasPending = isPending
        for byte in bytes {
            if isPending {
                let continues = byte >= low && byte <= high
                if continues { take(byte, to: &output) } else { replacePending(in: &output) }
                if wasPending && !isPending {
                    resolved = output.count
                    wasPending = false
                }
                if continues { continue }
            }
            begin(byte, to: &output)
        }
        return resolved
    }

    /// Appends U+FFFD when a code point was left unfinished. Returns as `append` does.
    mutating func finish(to output: inout [UInt8]) -> Int? {
        guard isPending else { return nil }
        replacePending(in: &output)
        return output.count
    }

    /// Whether `bytes` are well formed and end between code points.
    static func isValid(_ bytes: [UInt8]) -> Bool {
        var repair = UTF8Repair()
        var output: [UInt8] = []
        _ = repair.append(bytes[...], to: &output)
        return !repair.isPending && output == bytes
    }

    private mutating func take(_ byte: UInt8, to output: inout [UInt8]) {
        pending = pending << 8 | UInt32(byte)
        count += 1
        missing -= 1
        (low, high) = (0x80, 0xBF)
        guard missing == 0 else { return }
        for index in (0..<count).reversed() {
            output.append(UInt8(truncatingIfNeeded: pending >> UInt32(8 * index)))
        }
        count = 0
    }

    private mutating func replacePending(in output: inout [UInt8]) {
        Self.appendReplacement(to: &output)
        count = 0
    }

    private mutating func begin(_ byte: UInt8, to output: inout [UInt8]) {
        (low, high) = (0x80, 0xBF)
        switch byte {
        case 0x00...0x7F:
            output.append(byte)
            return
        case 0xC2...0xDF: missing = 1
        case 0xE0: (missing, low) = (2, 0xA0)
        case 0xED: (missing, high) = (2, 0x9F)
        case 0xE1...0xEF: missing = 2
        case 0xF0: (missing, low) = (3, 0x90)
        case 0xF4: (missing, high) = (3, 0x8F)
        case 0xF1...0xF3: missing = 3
        default:
            Self.appendReplacement(to: &output)
            return
        }
        pending = UInt32(byte)
        count = 1
    }

    private static func appendReplacement(to output: inout [UInt8]) {
        output.append(0xEF)
        output.append(0xBF)
        output.append(0xBD)
    }
}
