import Foundation

/// JSON with sorted keys that people can look at: members of the outermost object, and elements
/// of its arrays, on lines of their own; what is inside them on one line.
enum CompactJSON {
    static func text(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return broken(try encoder.encode(value))
    }

    private static func broken(_ bytes: Data) -> String {
        var out: [UInt8] = []
        out.reserveCapacity(bytes.count + bytes.count / 16)
        var depth = 0
        var inString = false
        var isEscaped = false
        var previous: UInt8 = 0
        for (index, byte) in bytes.enumerated() {
            if inString {
                out.append(byte)
                if isEscaped {
                    isEscaped = false
                } else if byte == UInt8(ascii: "\\") {
                    isEscaped = true
                } else if byte == UInt8(ascii: "\"") {
                    inString = false
                }
                previous = byte
                continue
            }
            switch byte {
            case UInt8(ascii: "\""):
                inString = true
                out.append(byte)
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth += 1
                out.append(byte)
                let next = index + 1 < bytes.count ? bytes[bytes.startIndex + index + 1] : 0
                if depth == 1
                    || depth == 2 && byte == UInt8(ascii: "[") && next == UInt8(ascii: "{")
                {
                    newLine(&out, depth)
                }
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth -= 1
                if depth == 0
                    || depth == 1 && byte == UInt8(ascii: "]")
                        && previous == UInt8(ascii: "}")
                {
                    newLine(&out, depth)
                }
                out.append(byte)
            case UInt8(ascii: ","):
                out.append(byte)
                if depth == 1 || depth == 2 && previous == UInt8(ascii: "}") {
                    newLine(&out, depth)
                }
            case UInt8(ascii: ":") where depth == 1:
                out += [byte, UInt8(ascii: " ")]
            default:
                out.append(byte)
            }
            previous = byte
        }
        return String(decoding: out, as: UTF8.self)
    }

    private static func newLine(_ out: inout [UInt8], _ depth: Int) {
        out.append(UInt8(ascii: "\n"))
        out += Array(repeating: UInt8(ascii: " "), count: depth * 2)
    }
}
