import Glibc
import InferenceTypes
import Testing

@testable import LlamaEngine

/// Sampling compared with a sort of the whole vocabulary in double precision.
struct DrawTests {
    /// Logits of several shapes: flat, peaked, with ties, with masked tokens.
    static func logits(count: Int, shape: Int, seed: UInt64) -> [Float] {
        var generator = SeededGenerator(seed: seed)
        return (0..<count).map { _ in
            let x = Float.random(in: -1...1, using: &generator)
            switch shape % 5 {
            case 0: return x * 2
            case 1: return x * x * x * 30
            case 2: return (x * 6).rounded()
            case 3: return x > 0.9 ? x * 20 : -.infinity
            default: return x * 10 - 40
            }
        }
    }

    static func withRow<R>(_ values: [Float], _ body: (LogitRow) -> R) -> R {
        var values = values
        return values.withUnsafeMutableBufferPointer {
            body(LogitRow(base: $0.baseAddress!, count: $0.count))
        }
    }

    /// Tokens by rank with probabilities after truncation.
    static func reference(
        _ logits: [Float], _ parameters: SamplingParameters
    ) -> [(token: Int32, weight: Double)] {
        let largest = Double(logits.max()!)
        var ranked = logits.indices.filter { logits[$0] > -.infinity }.map { index in
            (
                token: Int32(index),
                weight: exp((Double(logits[index]) - largest) / Double(parameters.temperature)),
                logit: logits[index]
            )
        }
        ranked.sort { $0.logit != $1.logit ? $0.logit > $1.logit : $0.token < $1.token }
        if parameters.topK > 0 { ranked = Array(ranked.prefix(parameters.topK)) }
        if parameters.topP < 1 {
            let total = ranked.reduce(0) { $0 + $1.weight }
            var sum = 0.0
            let end = ranked.firstIndex {
                sum += $0.weight
                return sum >= Double(parameters.topP) * total
            }
            ranked = Array(ranked.prefix((end ?? ranked.count - 1) + 1))
        }
        if parameters.minP > 0 {
            ranked.removeAll { $0.weight < Double(parameters.minP) }
        }
        return ranked.map { ($0.token, $0.weight) }
    }

    @Test func greedyTakesTheLowestOfTheLargest() {
        for count in [1, 7, 8, 9, 127, 128, 129, 1000, 4097] {
            for shape in 0..<5 {
                var logits = Self.logits(count: count, shape: shape, seed: UInt64(count))
                if logits.max() == -.infinity { logits[count / 2] = 1 }
                var scratch = SamplerScratch(vocabularySize: count)
                let expected = Int32(logits.firstIndex(of: logits.max()!)!)
                #expect(Self.withRow(logits) { scratch.greedy($0) } == expected)
            }
        }
    }

    @Test func maskedRowsGiveNothing() {
        var scratch = SamplerScratch(vocabularySize: 300)
        let row = [Float](repeating: -.infinity, count: 300)
        #expect(Self.withRow(row) { scratch.greedy($0) } == nil)
        var parameters = SamplingParameters()
        #expect(Self.withRow(row) { scratch.draw($0, parameters: parameters, unit: 0.5) } == nil)
        parameters.topP = 0.5
        #expect(Self.withRow(row) { scratch.draw($0, parameters: parameters, unit: 0.5) } == nil)
    }

    /// The set of tokens that can be drawn, and how often, equals the reference's.
    @Test(arguments: 0..<40)
    func drawsFromTheTruncatedDistribution(_ seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed))
        let count = [17, 200, 1500, 5000][seed % 4]
        let logits = Self.logits(count: count, shape: seed, seed: UInt64(seed) + 1)
        guard logits.max()! > -.infinity else { return }
        var parameters = SamplingParameters()
        parameters.temperature = Float.random(in: 0.1...2, using: &generator)
        if seed % 2 == 0 { parameters.topP = Float.random(in: 0.05...0.999, using: &generator) }
        if seed % 3 == 0 { parameters.topK = Int.random(in: 1...count, using: &generator) }
        if seed % 5 == 0 { parameters.minP = Float.random(in: 0.001...0.5, using: &generator) }

        let expected = Self.reference(logits, parameters)
        let total = expected.reduce(0) { $0 + $1.weight }
        let weights = Dictionary(uniqueKeysWithValues: expected.map { ($0.token, $0.weight) })
        var scratch = SamplerScratch(vocabularySize: count)
        // Evenly spread draws: each token's share must match its weight up to one draw, and two
        // where rounding moves a border.
        let draws = 500
        var seen: [Int32: Int] = [:]
        for draw in 0..<draws {
            let unit = (Double(draw) + 0.5) / Double(draws)
            let token = Self.withRow(logits) {
                scratch.draw($0, parameters: parameters, unit: unit)
            }
            seen[token!, default: 0] += 1
        }
        for (token, times) in seen {
            let share = (weights[token] ?? 0) / total * Double(draws)
            #expect(weights[token] != nil, "token \(token) lies outside; seed \(seed)")
            #expect(abs(Double(times) - share) <= 2, "token \(token); seed \(seed)")
        }
        for (token, weight) in expected where weight / total * Double(draws) > 2.01 {
            #expect(seen[token] != nil, "token \(token) is never drawn; seed \(seed)")
        }
    }

    @Test(arguments: 0..<20)
    func gathersTheLargest(_ seed: Int) {
        let count = [9, 130, 2000, 6000][seed % 4]
        let logits = Self.logits(count: count, shape: seed, seed: UInt64(seed))
        let ranked = logits.indices.filter { logits[$0] > -.infinity }.sorted {
            logits[$0] != logits[$1] ? logits[$0] > logits[$1] : $0 < $1
        }
        var scratch = SamplerScratch(vocabularySize: count)
        for limit in [1, 5, 20, 64, 300, count] {
            let found = Self.withRow(logits) { row in
                _ = scratch.scan(row)
                scratch.gatherLargest(limit, of: row)
                return scratch.candidates.items.map { Int($0.token) }
            }
            #expect(found == Array(ranked.prefix(limit)), "limit \(limit), seed \(seed)")
        }
    }

    @Test func exponentialIsAccurate() {
        for step in 0..<2000 {
            let x = -Float(step) * 0.0437
            let value = vectorExp(SIMD8(repeating: x))[3]
            let expected = exp(Double(x))
            if x < -87 {
                #expect(value == 0)
            } else {
                #expect(abs(Double(value) - expected) <= expected * 4e-7, "x \(x)")
            }
        }
        #expect(vectorExp(SIMD8(repeating: -.infinity))[0] == 0)
        #expect(vectorExp(SIMD8(repeating: 0))[0] == 1)
    }
}
