import Testing

@testable import Tokenization

@Suite struct StopStringsTests {
    @Test func refusesWhatIsOutOfBounds() throws {
        #expect(throws: TokenizationError.emptyStopString) { try StopStrings(["a", ""]) }
        #expect(throws: TokenizationError.tooManyStopStrings(count: 17, maximum: 16)) {
            try StopStrings((0..<17).map { "\($0)" })
        }
        #expect(throws: TokenizationError.stopStringTooLong(bytes: 1025, maximumBytes: 1024)) {
            try StopStrings([String(repeating: "a", count: 1025)])
        }
        #expect(try StopStrings((0..<16).map { "\($0)" }).strings.count == 16)
        #expect(try StopStrings([]).isEmpty)
    }

    @Test func countsARepeatedStringOnceButNotACanonicallyEquivalentOne() throws {
        #expect(try StopStrings(["a", "b", "a"]).strings == ["a", "b"])
        #expect(try StopStrings(["é", "e\u{301}"]).strings.count == 2)
    }

    @Test(arguments: seeds(300)) func matchesAsANaiveSearchDoes(seed: UInt64) throws {
        var random = RandomText(seed: seed)
        // A small alphabet, so that strings overlap with themselves and each other.
        func word(_ longest: Int) -> [UInt8] {
            (0...random.below(longest)).map { _ in UInt8(ascii: "a") + UInt8(random.below(2)) }
        }
        let list = (0...random.below(4)).map { _ in String(decoding: word(5), as: UTF8.self) }
        let text = word(60)
        var matcher = StopMatcher(try StopStrings(list))
        let found = matcher.scan(text, from: 0)
        let expected = NaiveStop.first(in: text, list.map { Array($0.utf8) })
        #expect(found?.range == expected, "\(list) in \(String(decoding: text, as: UTF8.self))")
        if found == nil {
            let held = NaiveStop.held(text, list.map { Array($0.utf8) })
            #expect(matcher.heldBytes == held)
        }
    }
}

/// Stop strings by looking at everything again after each byte.
enum NaiveStop {
    /// The first match to be complete; of several the longest.
    static func first(in text: [UInt8], _ stops: [[UInt8]]) -> Range<Int>? {
        for end in 0...text.count {
            let lengths = stops.filter { text[..<end].reversed().starts(with: $0.reversed()) }
                .map(\.count)
            if let length = lengths.max() { return end - length..<end }
        }
        return nil
    }

    /// Length of the longest end of `text` that begins a stop string.
    static func held(_ text: [UInt8], _ stops: [[UInt8]]) -> Int {
        for length in (0...text.count).reversed()
        where stops.contains(where: { $0.count > length && $0.starts(with: text.suffix(length)) }) {
            return length
        }
        return 0
    }
}
