import Foundation
import Testing

@testable import HTTPTransport

@Suite struct HTTP2FuzzTests {
    @Test func replaysTheCorpus() throws {
        let folder = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "Corpus/http2")
        let files = try FileManager.default.contentsOfDirectory(
            at: folder, includingPropertiesForKeys: nil)
        #expect(files.count >= 20)
        for file in files {
            let bytes = [UInt8](try Data(contentsOf: file))
            fuzzHTTP2Server(bytes)
            fuzzHTTP2Client(bytes)
        }
    }

    /// Random frames around valid ones: a short fuzz run with a fixed seed (SEED= changes it).
    @Test func survivesRandomFrames() {
        let seed = ProcessInfo.processInfo.environment["SEED"].flatMap(UInt64.init) ?? 1
        var generator = RandomFrames(state: seed)
        for _ in 0..<300 {
            let bytes = generator.connection()
            fuzzHTTP2Server(bytes)
            fuzzHTTP2Client(bytes)
        }
    }
}

/// Makes connections out of plausible and broken frames; SplitMix64.
private struct RandomFrames {
    var state: UInt64

    mutating func next(_ bound: Int) -> Int {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return Int((mixed ^ (mixed >> 31)) % UInt64(bound))
    }

    mutating func connection() -> [UInt8] {
        var bytes = [UInt8(next(256)) | 1]
        for _ in 0..<(1 + next(30)) { bytes += frame() }
        if next(3) == 0 { bytes[next(bytes.count)] = UInt8(next(256)) }
        return bytes
    }

    private mutating func frame() -> [UInt8] {
        let stream = Int32(next(12))
        switch next(10) {
        case 0, 1: return RawFrames.headers(stream | 1, end: next(2) == 0)
        case 2:
            return RawFrames.frame(
                1, flags: [5, 4, 1, 0x2d, 0x0c][next(5)], stream: stream,
                [0x82, 0x86, 0x84, 0x01, 1, 0x61, UInt8(0x80 | next(70))])
        case 3: return RawFrames.data(stream | 1, [UInt8](repeating: 7, count: next(3_000)))
        case 4: return RawFrames.data(stream | 1, [1], end: true)
        case 5: return RawFrames.reset(stream | 1)
        case 6: return RawFrames.windowUpdate(stream, UInt32(next(1 << 31)))
        case 7:
            let id = UInt8(next(8))
            return RawFrames.frame(4, [0, id] + RawFrames.word(UInt32(next(1 << 24))))
        case 8: return RawFrames.headers(stream | 1, [(":status", "200"), ("a", "b")])
        default:
            return RawFrames.frame(
                UInt8(next(12)), flags: UInt8(next(256)), stream: stream,
                (0..<next(40)).map { _ in UInt8(next(256)) })
        }
    }
}
