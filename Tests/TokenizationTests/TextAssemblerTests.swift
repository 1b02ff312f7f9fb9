import InferenceTypes
import Testing

@testable import Tokenization

@Suite struct TextAssemblerTests {
    /// Tokens 0, 1, … with these bytes, and one control token at the end.
    private func table(_ pieces: [[UInt8]]) -> PieceTable {
        PieceTable(
            pieces: pieces + [Array("<|end|>".utf8)],
            isControl: pieces.map { _ in false } + [true])
    }

    private func table(_ pieces: [String]) -> PieceTable { table(pieces.map { Array($0.utf8) }) }

    /// Output and releases of each call, the last one being `finish`.
    private func run(
        _ pieces: [String], stops: [String] = [], minimumTokens: Int = 0
    ) throws -> (text: [String], released: [Int], stop: Int?) {
        var assembler = TextAssembler(
            pieces: table(pieces), stops: try StopStrings(stops), minimumTokens: minimumTokens)
        var texts: [String] = []
        var released: [Int] = []
        for token in pieces.indices {
            var output: [UInt8] = []
            released.append(assembler.append(TokenID(token), to: &output).releasedTokens)
            texts.append(String(decoding: output, as: UTF8.self))
        }
        var output: [UInt8] = []
        released.append(assembler.finish(to: &output).releasedTokens)
        texts.append(String(decoding: output, as: UTF8.self))
        return (texts, released, assembler.stop)
    }

    @Test func passesTextOnAtOnce() throws {
        let result = try run(["Hello", ",", " world"])
        #expect(result.text == ["Hello", ",", " world", ""])
        #expect(result.released == [1, 1, 1, 0])
    }

    @Test func holdsBackWhatMayBeginAStopString() throws {
        let result = try run(["a E", "N", "D b", "x"], stops: ["END"])
        #expect(result.text == ["a ", "", "", "", ""])
        // The first token has text before the stop string, the others have none.
        #expect(result.released == [0, 0, 1, 0, 0])
        #expect(result.stop == 0)
    }

    @Test func releasesWhatWasHeldBackInVain() throws {
        let result = try run(["E", "N", "E", "x"], stops: ["END"])
        #expect(result.text == ["", "", "EN", "Ex", ""])
        #expect(result.released == [0, 0, 2, 2, 0])
        let end = try run(["a", "EN"], stops: ["END"])
        #expect(end.text == ["a", "", "EN"])
        #expect(end.released == [1, 0, 1])
        #expect(end.stop == nil)
    }

    @Test func theMatchThatIsCompleteFirstWins() throws {
        #expect(try run(["abcd"], stops: ["abcd", "bc"]).text == ["a", ""])
        #expect(try run(["abcd"], stops: ["abcd", "bc"]).stop == 1)
        #expect(try run(["xabc"], stops: ["bc", "abc"]).text == ["x", ""])
        #expect(try run(["xabc"], stops: ["bc", "abc"]).stop == 1)
    }

    @Test func waitsForWholeCodePoints() throws {
        let emoji = Array("👍".utf8)
        let pieces = table([[emoji[0]], [emoji[1], emoji[2]], [emoji[3], 0x21], [0xE3, 0x81]])
        var assembler = TextAssembler(pieces: pieces)
        var output: [UInt8] = []
        #expect(assembler.append(0, to: &output).releasedTokens == 0)
        #expect(assembler.append(1, to: &output).releasedTokens == 0)
        #expect(output.isEmpty)
        #expect(assembler.append(2, to: &output).releasedTokens == 3)
        #expect(output == Array("👍!".utf8))
        #expect(assembler.append(3, to: &output).releasedTokens == 0)
        // The control token has no text, but keeps its place.
        #expect(assembler.append(4, to: &output).releasedTokens == 0)
        #expect(assembler.finish(to: &output).releasedTokens == 2)
        #expect(output == Array("👍!\u{FFFD}".utf8))
    }

    @Test func controlTokensAndUnknownNumbersHaveNoText() throws {
        var assembler = TextAssembler(pieces: table(["a"]))
        var output: [UInt8] = []
        for token in [0, 1, 2, -1, .max] as [TokenID] {
            #expect(assembler.append(token, to: &output).releasedTokens == 1)
        }
        #expect(output == [0x61])
    }

    @Test func saysNothingAfterAStop() throws {
        var assembler = TextAssembler(
            pieces: table(["a", "STOP"]), stops: try StopStrings(["STOP"]))
        var output: [UInt8] = []
        _ = assembler.append(0, to: &output)
        #expect(assembler.append(1, to: &output) == .init(releasedTokens: 0, stop: 0))
        #expect(assembler.append(0, to: &output) == .init(releasedTokens: 0, stop: 0))
        #expect(assembler.finish(to: &output) == .init(releasedTokens: 0, stop: 0))
        #expect(output == [0x61])
    }

    @Test func looksForStopStringsOnlyAfterTheMinimum() throws {
        let result = try run(["x", "END", "E", "N", "D", "y"], stops: ["END"], minimumTokens: 2)
        #expect(result.text == ["x", "END", "", "", "", "", ""])
        #expect(result.released == [1, 1, 0, 0, 0, 0, 0])
        // A match must lie behind the minimum as a whole.
        #expect(try run(["EN", "D", "."], stops: ["END"], minimumTokens: 1).stop == nil)
    }

    @Test(arguments: seeds(400)) func streamedEqualsUnstreamed(seed: UInt64) throws {
        var random = RandomText(seed: seed)
        let bytes = random.brokenBytes(fragments: 12)
        let whole = Array(String(decoding: bytes, as: UTF8.self).utf8)
        var stops: [String] = []
        for _ in 0..<random.below(4) {
            // Half of them occur in the text.
            let scalars = Array(String(decoding: whole, as: UTF8.self).unicodeScalars)
            let source = random.below(2) == 0 ? scalars : Array("xyzzy 日本".unicodeScalars)
            guard !source.isEmpty else { continue }
            let start = random.below(source.count)
            var stop = String.UnicodeScalarView()
            stop.append(contentsOf: source[start...].prefix(1 + random.below(6)))
            stops.append(String(stop))
        }
        for parts in [bytes.map { [$0] }, random.cut(bytes), [bytes]] {
            try check(parts, whole: whole, stops: stops)
        }
    }

    /// Compares every step with what a look at the whole text says.
    private func check(_ parts: [[UInt8]], whole: [UInt8], stops list: [String]) throws {
        let prepared = try StopStrings(list)
        let stops = prepared.strings.map { Array($0.utf8) }
        let end = NaiveStop.first(in: whole, stops)
        var assembler = TextAssembler(pieces: table(parts), stops: prepared)
        var output: [UInt8] = []
        var released = 0
        let model = NaiveTokens(parts)
        for token in parts.indices {
            let advance = assembler.append(TokenID(token), to: &output)
            released += advance.releasedTokens
            let known = model.known(after: token)
            if let end, end.upperBound <= known.count {
                #expect(output == Array(whole[..<end.lowerBound]))
                #expect(assembler.stop.map { stops[$0] } == Array(whole[end]))
                // Tokens without text go out with what is before them, so some may be out that
                // lie where the stop string begins.
                let before = model.tokens(beginningBefore: end.lowerBound, through: token)
                #expect(released == max(before, released - advance.releasedTokens))
                return
            }
            #expect(assembler.stop == nil)
            let free = known.count - NaiveStop.held(known, stops)
            #expect(output == Array(known[..<free]))
            #expect(String(validating: output, as: UTF8.self) != nil)
            #expect(released == model.tokens(endingAt: free, through: token))
        }
        released += assembler.finish(to: &output).releasedTokens
        #expect(output == Array(whole[..<(end?.lowerBound ?? whole.count)]))
        if end == nil { #expect(released == parts.count) }
    }
}

/// Where tokens lie in the repaired text, by repairing the beginning of the text for each length.
private struct NaiveTokens {
    /// `[token]`, in bytes: where the token ends in the input.
    private var inputEnds: [Int] = []
    /// `[input length]`: what is known of the text, and whether it ends between code points.
    private var known: [(text: [UInt8], isComplete: Bool)] = []

    init(_ parts: [[UInt8]]) {
        let input = Array(parts.joined())
        for part in parts { inputEnds.append((inputEnds.last ?? 0) + part.count) }
        for length in 0...input.count {
            var repair = UTF8Repair()
            var output: [UInt8] = []
            _ = repair.append(input[..<length], to: &output)
            known.append((output, !repair.isPending))
        }
    }

    /// The text that is certain after `token`.
    func known(after token: Int) -> [UInt8] { known[inputEnds[token]].text }

    func tokens(beginningBefore offset: Int, through last: Int) -> Int {
        (0...last).prefix { ($0 == 0 ? 0 : known(after: $0 - 1).count) < offset }.count
    }

    /// How many tokens in order have all their code points in the first `offset` bytes of what is
    /// known after `last`.
    func tokens(endingAt offset: Int, through last: Int) -> Int {
        (0...last).prefix { token in
            // The code point under way is decided where the known text next grows.
            let length = inputEnds[token]
            if known[length].isComplete { return known[length].text.count <= offset }
            guard
                let decided = (length...inputEnds[last]).first(where: {
                    known[$0].text.count > known[length].text.count
                })
            else { return false }
            var end = known[decided].text.count
            // The deciding byte may have ended one code point (as U+FFFD) and been another.
            if known[decided].text[known[length].text.count...].starts(with: "\u{FFFD}".utf8) {
                end = known[length].text.count + 3
            }
            return end <= offset
        }.count
    }
}
