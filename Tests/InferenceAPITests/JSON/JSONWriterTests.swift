import Foundation
import InferenceTypes
import NIOCore
import Testing

@testable import InferenceAPI

@Suite struct JSONWriterTests {
    @Test func escapesWhatMustBeEscapedAndNothingElse() {
        #expect(written { $0.writeJSONString("plain / text") } == "\"plain / text\"")
        #expect(
            written { $0.writeJSONString("\"\\\u{8}\t\n\u{C}\r\u{0}\u{1F}\u{7F}") }
                == #""\"\\\b\t\n\f\r\u0000\u001f"# + "\u{7F}\"")
        #expect(written { $0.writeJSONString("é漢😀\u{2028}") } == "\"é漢😀\u{2028}\"")
        #expect(written { $0.writeJSONString("") } == "\"\"")
        #expect(written { $0.writeJSONString(orNull: nil) } == "null")
    }

    @Test func writesIntegersWhole() {
        for value in [0, 1, 9, 10, 255, -1, Int.max, Int.min] {
            #expect(written { $0.writeJSONInteger(value) } == String(value))
        }
        #expect(written { $0.writeJSONInteger(UInt64.max) } == "18446744073709551615")
    }

    @Test func writesNumbersShortest() {
        #expect(written { $0.writeJSONNumber(0.1) } == "0.1")
        #expect(written { $0.writeJSONNumber(Float(0.1)) } == "0.1")
        #expect(written { $0.writeJSONNumber(-2.5e-7) } == "-2.5e-07")
        #expect(written { $0.writeJSONNumber(Double.infinity) } == "null")
        #expect(written { $0.writeJSONNumber(Double.nan) } == "null")
    }

    /// Documents of a seed, written and read back. Another seed: `SEED=n`.
    @Test func whatIsWrittenReadsBackEqual() throws {
        let seed = ProcessInfo.processInfo.environment["SEED"].flatMap(UInt64.init) ?? 1
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<2_000 {
            let value = JSONValue.random(depth: 5, using: &generator)
            let text = written { value.write(into: &$0) }
            #expect(try JSONValue(parsing: text) == value, "SEED=\(seed): \(text)")
        }
    }

    /// Our reader and writer against Foundation's, on documents of a seed.
    @Test func foundationReadsTheSame() throws {
        var generator = SeededGenerator(seed: 2)
        for _ in 0..<300 {
            let text = JSONValue.randomText(using: &generator)
            let json = written { $0.writeJSONString(text) }
            let object = try JSONSerialization.jsonObject(
                with: Data(json.utf8), options: .fragmentsAllowed)
            let read = try #require(object as? String)
            #expect(read.utf8.elementsEqual(text.utf8), "\(json)")
        }
    }
}
