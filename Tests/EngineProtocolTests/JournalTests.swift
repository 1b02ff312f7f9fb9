import InferenceTypes
import Testing

@testable import EngineProtocol

@Suite struct JournalTests {
    private static let begin = JournalBegin(
        ordinal: 7,
        usage: UsageIdentity(
            id: "01-2f", choice: 3, choicesPerPrompt: 4, application: "shop", keyID: "key-ä"),
        requestID: "client's own-3", tenant: "acme", tier: .batch, model: "m", promptTokens: 300,
        cachedTokens: 128, base: 5)
    private static let steps: [[JournalRecord]] = [
        [.begin(begin)],
        [.tokens(ordinal: 7, positions: 6), .tokens(ordinal: 1 << 40, positions: 70_000)],
        [.tokens(ordinal: 7, positions: 7), .end(ordinal: 7, reason: .cancelled)],
    ]

    private static func journal(_ steps: [[JournalRecord]]) -> (bytes: [UInt8], ends: [Int]) {
        var encoder = JournalEncoder()
        var bytes = JournalEncoder.header
        var ends: [Int] = []
        for step in steps {
            for record in step { encoder.append(record) }
            bytes += encoder.frame()
            ends.append(bytes.count)
        }
        return (bytes, ends)
    }

    @Test func readsWhatWasWritten() {
        var decoder = JournalDecoder()
        let (bytes, _) = Self.journal(Self.steps)
        let read = decoder.append(bytes)
        #expect(read == Self.steps.flatMap(\.self))
        #expect(!decoder.isDamaged)
        #expect(decoder.consumedBytes == bytes.count)
    }

    @Test func aFileCutAnywhereHasItsWholeFrames() {
        let (bytes, ends) = Self.journal(Self.steps)
        for length in 0...bytes.count {
            var decoder = JournalDecoder()
            let whole = ends.count { $0 <= length }
            let read = decoder.append(bytes[..<length])
            #expect(read == Self.steps[..<whole].flatMap(\.self))
            #expect(!decoder.isDamaged, "cut at \(length)")
            // It may go on later.
            let rest = decoder.append(bytes[length...])
            #expect(rest == Self.steps[whole...].flatMap(\.self))
        }
    }

    @Test func aChangedByteEndsTheReading() {
        let (bytes, ends) = Self.journal(Self.steps)
        for index in bytes.indices {
            var changed = bytes
            changed[index] ^= 0x40
            var decoder = JournalDecoder()
            let read = decoder.append(changed)
            // A length that has grown may wait for bytes that never come.
            let whole = index < JournalEncoder.header.count ? 0 : ends.count { $0 <= index }
            #expect(read == Self.steps[..<whole].flatMap(\.self), "changed at \(index)")
        }
    }

    @Test func aForeignFileIsNoJournal() {
        var decoder = JournalDecoder()
        let read = decoder.append(Array("SQLite format 3".utf8))
        #expect(read.isEmpty)
        #expect(decoder.isDamaged)
    }

    @Test func checksumIsZlibs() {
        #expect(CRC32.of(Array("123456789".utf8)[...]) == 0xCBF4_3926)
    }
}

@Suite struct UsageMetadataTests {
    @Test func travelsAsMetadata() throws {
        var request = GenerationRequest(
            id: "r", prompt: [1, 2], sampling: SamplingParameters())
        request.usage = UsageIdentity(
            id: "a/b %", choice: 2, choicesPerPrompt: 3, application: "ä b", keyID: "k/1")
        let metadata = EngineMetadata().grpcMetadata(for: request)
        var read = GenerationRequest(id: "r", prompt: [1, 2], sampling: SamplingParameters())
        _ = try EngineMetadata.read(metadata, into: &read)
        #expect(read.usage == request.usage)
    }
}
