import Foundation
import Testing

@testable import HTTPTransport

@Suite struct FuzzHTTP1Tests {
    private static let folder = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Corpus/http1")

    private func corpus() throws -> [[UInt8]] {
        try FileManager.default.contentsOfDirectory(atPath: Self.folder.path).sorted()
            .map { Array(try Data(contentsOf: Self.folder.appendingPathComponent($0))) }
    }

    @Test func replaysTheCorpus() throws {
        let corpus = try corpus()
        #expect(corpus.count >= 80)
        for bytes in corpus {
            fuzzHTTP1(bytes)
            // Every manner of answering, several cuts.
            for choice in stride(from: UInt8(0), to: 255, by: 17) {
                fuzzHTTP1([choice] + bytes.dropFirst())
            }
        }
    }

    /// Mutants of the corpus from a seed; `SEED` and `MUTANTS` in the environment repeat or prolong
    /// a run.
    @Test func survivesMutants() throws {
        let environment = ProcessInfo.processInfo.environment
        let seed = environment["SEED"].flatMap { UInt64($0) } ?? 1
        let count = environment["MUTANTS"].flatMap { Int($0) } ?? 2_000
        let corpus = try corpus()
        var random = RandomSource(state: seed)
        for _ in 0..<count {
            var bytes = corpus.randomElement(using: &random)!
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                mutate(&bytes, corpus, &random)
            }
            fuzzHTTP1(bytes)
        }
    }

    private static let words = [
        "\r\n", "\n", "\r", " ", "\t", ":", ",", ";", "0", "f", "\r\n\r\n", "chunked",
        "Transfer-Encoding: chunked\r\n", "Content-Length: 5\r\n", "Connection: close\r\n",
        "Connection: upgrade\r\nUpgrade: x\r\n", "Expect: 100-continue\r\n", "0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.0", "HEAD", "\0", "\u{FF}",
    ].map { Array($0.utf8) }

    private func mutate(
        _ bytes: inout [UInt8], _ corpus: [[UInt8]], _ random: inout RandomSource
    ) {
        let index = Int.random(in: 0...bytes.count, using: &random)
        switch Int.random(in: 0..<5, using: &random) {
        case 0 where index < bytes.count:
            bytes[index] = UInt8.random(in: 0...255, using: &random)
        case 1 where index < bytes.count:
            bytes.remove(at: index)
        case 2:
            let other = corpus.randomElement(using: &random)!
            let start = Int.random(in: 0...other.count, using: &random)
            bytes.replaceSubrange(index..., with: other[start...])
        case 3:
            bytes.removeSubrange(index..<min(bytes.count, index + 8))
        default:
            bytes.insert(contentsOf: Self.words.randomElement(using: &random)!, at: index)
        }
        if bytes.count > 4_000 { bytes.removeLast(bytes.count - 4_000) }
    }
}

/// SplitMix64, so that a failure repeats.
struct RandomSource: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
