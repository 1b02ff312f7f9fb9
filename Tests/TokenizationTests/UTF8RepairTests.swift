import Testing

@testable import Tokenization

@Suite struct UTF8RepairTests {
    private func repaired(_ parts: [[UInt8]]) -> [UInt8] {
        var repair = UTF8Repair()
        var output: [UInt8] = []
        for part in parts {
            _ = repair.append(part[...], to: &output)
            #expect(String(validating: output, as: UTF8.self) != nil)
        }
        _ = repair.finish(to: &output)
        return output
    }

    @Test func everyPairAndTripleOfInterestingBytesIsRepairedAsTheStandardLibraryDoes() {
        let bytes: [UInt8] = [
            0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0,
            0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF,
        ]
        for a in bytes {
            for b in bytes {
                for c in bytes {
                    for d in [0x41, 0x80, 0xBF, 0xF0] as [UInt8] {
                        let input = [a, b, c, d]
                        let expected = Array(String(decoding: input, as: UTF8.self).utf8)
                        #expect(repaired(input.map { [$0] }) == expected, "\(input)")
                    }
                }
            }
        }
    }

    @Test(arguments: seeds(200)) func portionsDoNotMatter(seed: UInt64) {
        var random = RandomText(seed: seed)
        let bytes = random.brokenBytes(fragments: 8)
        let expected = Array(String(decoding: bytes, as: UTF8.self).utf8)
        #expect(repaired([bytes]) == expected)
        for position in bytes.indices {
            let parts = [Array(bytes[..<position]), Array(bytes[position...])]
            #expect(repaired(parts) == expected, "split at \(position)")
        }
        #expect(repaired(random.cut(bytes)) == expected)
    }

    @Test func tellsWhereThePendingCodePointEnded() {
        var repair = UTF8Repair()
        var output: [UInt8] = []
        #expect(repair.append([0x61, 0xC3], to: &output) == nil)
        #expect(repair.isPending)
        #expect(repair.append([], to: &output) == nil)
        #expect(repair.append([0xA9, 0x62, 0x63], to: &output) == 3)
        #expect(repair.append([0xE2, 0x82], to: &output) == nil)
        #expect(repair.append([0x64], to: &output) == 8)
        #expect(output == Array("aébc\u{FFFD}d".utf8))
        #expect(repair.finish(to: &output) == nil)
        _ = repair.append([0xF0], to: &output)
        #expect(repair.finish(to: &output) == 12)
    }

    @Test func knowsWhatIsValid() {
        #expect(UTF8Repair.isValid([]))
        #expect(UTF8Repair.isValid(Array("é👍".utf8)))
        #expect(!UTF8Repair.isValid([0xC3]))
        #expect(!UTF8Repair.isValid([0xA9]))
        #expect(UTF8Repair.isValid(Array("\u{FFFD}".utf8)))
    }
}
