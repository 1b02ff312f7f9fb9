/// The bytes of a worker's journal.
///
/// ```
/// file:   "SYJRNL1\n" frame*
/// frame:  length of payload (u32) · CRC-32 of payload (u32) · payload     (little endian)
/// payload: record*
/// record: 1 ordinal usage choice choices request tenant application key tier model
///           prompt cached base                                            begin
///         2 ordinal positions                                             tokens
///         3 ordinal reason                                                end
/// ```
///
/// Numbers are base-128 varints, texts a length and UTF-8. A frame is what one engine step brought,
/// written at once: it is there as a whole or, torn by the end of the process, not at all. A token
/// costs about four bytes.
package struct JournalEncoder: Sendable {
    package static let header = Array("SYJRNL1\n".utf8)
    static let frameHeaderBytes = 8
    /// Longest text; what is longer is cut.
    static let textLimitBytes = 1_024

    private var payload: [UInt8] = []

    package init() {}

    package var isEmpty: Bool { payload.isEmpty }

    package mutating func append(_ record: JournalRecord) {
        switch record {
        case .begin(let begin): append(begin)
        case .tokens(let ordinal, let positions):
            payload.append(2)
            append(ordinal)
            append(UInt64(positions))
        case .end(let ordinal, let reason):
            payload.append(3)
            append(ordinal)
            append(UInt64(reason.rawValue))
        }
    }

    /// The frame of what was appended; empties the encoder.
    package mutating func frame() -> [UInt8] {
        var frame: [UInt8] = []
        frame.reserveCapacity(Self.frameHeaderBytes + payload.count)
        for word in [UInt32(payload.count), CRC32.of(payload[...])] {
            for shift in [0, 8, 16, 24] as [UInt32] {
                frame.append(UInt8(truncatingIfNeeded: word >> shift))
            }
        }
        frame += payload
        payload.removeAll(keepingCapacity: true)
        return frame
    }

    private mutating func append(_ begin: JournalBegin) {
        payload.append(1)
        append(begin.ordinal)
        append(begin.usage.id)
        append(UInt64(begin.usage.choice))
        append(UInt64(begin.usage.choicesPerPrompt))
        append(begin.requestID)
        append(begin.tenant)
        append(begin.usage.application)
        append(begin.usage.keyID)
        append(UInt64(begin.tier.rawValue))
        append(begin.model)
        append(UInt64(begin.promptTokens))
        append(UInt64(begin.cachedTokens))
        append(UInt64(begin.base))
    }

    private mutating func append(_ number: UInt64) {
        var number = number
        while number >= 0x80 {
            payload.append(UInt8(truncatingIfNeeded: number) | 0x80)
            number >>= 7
        }
        payload.append(UInt8(number))
    }

    private mutating func append(_ text: String) {
        let bytes = Array(text.utf8.prefix(Self.textLimitBytes))
        append(UInt64(bytes.count))
        payload += bytes
    }
}

/// CRC-32 as in zlib and PNG (ISO 3309, reflected polynomial 0xEDB88320).
enum CRC32 {
    private static let table: [UInt32] = (0..<256).map { index in
        (0..<8).reduce(UInt32(index)) { value, _ in
            value & 1 == 1 ? value >> 1 ^ 0xEDB8_8320 : value >> 1
        }
    }

    static func of(_ bytes: ArraySlice<UInt8>) -> UInt32 {
        var value = UInt32.max
        for byte in bytes {
            value = table[Int(UInt8(truncatingIfNeeded: value) ^ byte)] ^ value >> 8
        }
        return ~value
    }
}
