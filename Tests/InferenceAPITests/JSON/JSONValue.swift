import InferenceTypes
import NIOCore

@testable import InferenceAPI

/// A tree, which only tests need: to generate documents and to compare them.
indirect enum JSONValue: Equatable, Sendable {
    case null
    case bool(Bool)
    case integer(Int64)
    case double(Double)
    case string(String)
    case array([JSONValue])
    case object([(key: String, value: JSONValue)])

    static func == (left: JSONValue, right: JSONValue) -> Bool {
        switch (left, right) {
        case (.null, .null): true
        case (.bool(let a), .bool(let b)): a == b
        case (.integer(let a), .integer(let b)): a == b
        case (.double(let a), .double(let b)): a.bitPattern == b.bitPattern
        // By scalars: String's own equality takes é and e + U+0301 for the same.
        case (.string(let a), .string(let b)): a.utf8.elementsEqual(b.utf8)
        case (.array(let a), .array(let b)): a == b
        case (.object(let a), .object(let b)):
            a.elementsEqual(b) { $0.key.utf8.elementsEqual($1.key.utf8) && $0.value == $1.value }
        default: false
        }
    }

    subscript(key: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members.last { $0.key == key }?.value
    }

    subscript(index: Int) -> JSONValue? {
        guard case .array(let values) = self, values.indices ~= index else { return nil }
        return values[index]
    }

    var keys: [String] {
        guard case .object(let members) = self else { return [] }
        return members.map(\.key)
    }

    init(parsing text: String) throws {
        var reader = JSONReader(Array(text.utf8))
        self = try Self.read(&reader)
        try reader.finish()
    }

    private static func read(_ reader: inout JSONReader) throws -> JSONValue {
        switch try reader.peek() {
        case .null:
            _ = try reader.readNull()
            return .null
        case .boolean: return .bool(try reader.readBool())
        case .string: return .string(try reader.readString())
        case .number:
            switch try reader.readNumber() {
            case .integer(let value): return .integer(value)
            case .double(let value): return .double(value)
            }
        case .array:
            var values: [JSONValue] = []
            try reader.beginArray()
            while try reader.nextElement() { values.append(try read(&reader)) }
            return .array(values)
        case .object:
            var members: [(key: String, value: JSONValue)] = []
            try reader.beginObject()
            while let key = try reader.nextKey() { members.append((key, try read(&reader))) }
            return .object(members)
        }
    }

    func write(into buffer: inout ByteBuffer) {
        switch self {
        case .null: buffer.writeStaticString("null")
        case .bool(let value): buffer.writeJSONBool(value)
        case .integer(let value): buffer.writeJSONInteger(value)
        case .double(let value): buffer.writeJSONNumber(value)
        case .string(let value): buffer.writeJSONString(value)
        case .array(let values):
            buffer.writeStaticString("[")
            for (index, value) in values.enumerated() {
                if index > 0 { buffer.writeStaticString(",") }
                value.write(into: &buffer)
            }
            buffer.writeStaticString("]")
        case .object(let members):
            buffer.writeStaticString("{")
            for (index, member) in members.enumerated() {
                if index > 0 { buffer.writeStaticString(",") }
                buffer.writeJSONString(member.key)
                buffer.writeStaticString(":")
                member.value.write(into: &buffer)
            }
            buffer.writeStaticString("}")
        }
    }
}

extension JSONValue {
    /// A random tree of at most `depth` levels.
    static func random(depth: Int, using generator: inout SeededGenerator) -> JSONValue {
        switch Int.random(in: 0..<(depth > 0 ? 8 : 6), using: &generator) {
        case 0: return .null
        case 1: return .bool(Bool.random(using: &generator))
        case 2: return .integer(Int64(bitPattern: generator.next() >> (generator.next() % 64)))
        case 3: return .double(randomDouble(using: &generator))
        case 4, 5: return .string(randomText(using: &generator))
        case 6:
            let count = Int.random(in: 0...4, using: &generator)
            return .array((0..<count).map { _ in random(depth: depth - 1, using: &generator) })
        default:
            let count = Int.random(in: 0...4, using: &generator)
            return .object(
                (0..<count).map { _ in
                    (randomText(using: &generator), random(depth: depth - 1, using: &generator))
                })
        }
    }

    /// Any finite Double that is not written as an integer.
    private static func randomDouble(using generator: inout SeededGenerator) -> Double {
        while true {
            let value = Double(bitPattern: generator.next())
            if value.isFinite { return value }
        }
    }

    static func randomText(using generator: inout SeededGenerator) -> String {
        var text = ""
        for _ in 0..<Int.random(in: 0...24, using: &generator) {
            let range: Range<UInt32> =
                [
                    0..<0x20, 0x20..<0x7F, 0x22..<0x23, 0x5C..<0x5D, 0x80..<0x800, 0x2028..<0x202A,
                    0x800..<0x1_0000, 0x1_0000..<0x11_0000,
                ].randomElement(using: &generator)!
            let scalar = UnicodeScalar(UInt32.random(in: range, using: &generator))
            text.unicodeScalars.append(scalar ?? "\u{FFFD}")
        }
        return text
    }
}
