import InferenceTypes

/// Reads a journal that may still grow, or that ends anywhere. See `JournalEncoder`.
package struct JournalDecoder: Sendable {
    /// A longer frame is no frame.
    static let frameLimitBytes = 16 << 20

    /// Bytes behind the last whole frame.
    private var rest: [UInt8] = []
    private var hasHeader = false
    /// What follows is no journal: nothing behind it is read.
    package private(set) var isDamaged = false
    /// Of whole frames, the file's header included.
    package private(set) var consumedBytes = 0

    package init() {}

    /// Records of the frames that `bytes` complete. What is torn waits for more.
    package mutating func append(_ bytes: some Sequence<UInt8>) -> [JournalRecord] {
        guard !isDamaged else { return [] }
        rest += bytes
        var records: [JournalRecord] = []
        var start = 0
        if !hasHeader {
            guard rest.count >= JournalEncoder.header.count else {
                isDamaged = !JournalEncoder.header.starts(with: rest)
                return []
            }
            start = JournalEncoder.header.count
            guard rest[..<start].elementsEqual(JournalEncoder.header) else {
                isDamaged = true
                return []
            }
            hasHeader = true
        }
        while let length = frameLength(at: start) {
            let payload = rest[start + JournalEncoder.frameHeaderBytes..<start + length]
            guard CRC32.of(payload) == word(at: start + 4), let read = Self.records(payload) else {
                isDamaged = true
                break
            }
            records += read
            start += length
        }
        rest.removeFirst(start)
        consumedBytes += start
        return records
    }

    /// Of the whole frame, when it is there.
    private mutating func frameLength(at start: Int) -> Int? {
        guard rest.count - start >= JournalEncoder.frameHeaderBytes else { return nil }
        let length = Int(word(at: start))
        guard length > 0, length <= Self.frameLimitBytes else {
            isDamaged = true
            return nil
        }
        let whole = JournalEncoder.frameHeaderBytes + length
        return rest.count - start >= whole ? whole : nil
    }

    private func word(at index: Int) -> UInt32 {
        (0..<4).reduce(0) { $0 | UInt32(rest[index + $1]) << UInt32(8 * $1) }
    }

    /// Nil when the payload is not what an encoder makes.
    private static func records(_ payload: ArraySlice<UInt8>) -> [JournalRecord]? {
        var reader = PayloadReader(bytes: payload)
        var records: [JournalRecord] = []
        while let kind = reader.bytes.popFirst() {
            switch kind {
            case 1:
                guard let begin = reader.begin() else { return nil }
                records.append(.begin(begin))
            case 2:
                guard let ordinal = reader.number(), let positions = reader.count() else {
                    return nil
                }
                records.append(.tokens(ordinal: ordinal, positions: positions))
            case 3:
                guard let ordinal = reader.number(), let value = reader.count(),
                    let reason = UInt8(exactly: value).flatMap({ JournalEnd(rawValue: $0) })
                else { return nil }
                records.append(.end(ordinal: ordinal, reason: reason))
            default: return nil
            }
        }
        return records
    }
}

private struct PayloadReader {
    /// Largest number of tokens that is believed.
    static let countLimit: UInt64 = 1 << 40

    var bytes: ArraySlice<UInt8>

    mutating func number() -> UInt64? {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            guard let byte = bytes.popFirst() else { return nil }
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
        }
        return nil
    }

    mutating func count() -> Int? {
        guard let value = number(), value <= Self.countLimit else { return nil }
        return Int(value)
    }

    mutating func text() -> String? {
        guard let length = count(), length <= bytes.count else { return nil }
        defer { bytes = bytes.dropFirst(length) }
        return String(decoding: bytes.prefix(length), as: UTF8.self)
    }

    mutating func begin() -> JournalBegin? {
        guard let ordinal = number(), let id = text(), let choice = count(), let choices = count(),
            let request = text(), let tenant = text(), let application = text(), let key = text(),
            let tierValue = count(), let tier = UInt8(exactly: tierValue).flatMap(ServiceTier.init),
            let model = text(), let prompt = count(), let cached = count(), let base = count()
        else { return nil }
        return JournalBegin(
            ordinal: ordinal,
            usage: UsageIdentity(
                id: id, choice: choice, choicesPerPrompt: choices, application: application,
                keyID: key),
            requestID: request, tenant: tenant, tier: tier, model: model, promptTokens: prompt,
            cachedTokens: cached, base: base)
    }
}
