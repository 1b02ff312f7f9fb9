import Testing

@testable import InferenceAPI

@Suite struct JSONEscapeTests {
    @Test func eightBytesAgreeWithOne() {
        for fill: UInt8 in [0x20, 0x21, 0x23, 0x5B, 0x5D, 0x7F, 0x80, 0xA0, 0xA2, 0xDC, 0xFF] {
            for place in 0..<8 {
                for byte in UInt8.min...UInt8.max {
                    var bytes = [UInt8](repeating: fill, count: 8)
                    bytes[place] = byte
                    let word = JSONEscape.word(bytes.span, at: 0)
                    #expect(word == bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) })
                    #expect(JSONEscape.isNeeded(inAnyOf: word) == JSONEscape.isNeeded(byte))
                }
            }
        }
    }

    @Test func escapesAreFoundAtEveryPlace() throws {
        for length in 0..<40 {
            for place in 0..<max(length, 1) {
                for special: UnicodeScalar in ["\"", "\\", "\n", "\u{1}", "é", "😀"] {
                    var scalars = [UnicodeScalar](repeating: "x", count: length)
                    if place < length { scalars[place] = special }
                    var text = ""
                    text.unicodeScalars.append(contentsOf: scalars)
                    let json = written { $0.writeJSONString(text) }
                    #expect(try JSONValue(parsing: json) == .string(text))
                }
            }
        }
    }
}
