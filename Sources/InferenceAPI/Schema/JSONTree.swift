import NIOCore

/// A JSON value as a tree, for documents whose shape is data: schemas, and arguments of calls.
///
/// Of equal keys in one object the last value stays. Numbers keep their spelling.
indirect enum JSONTree: Hashable, Sendable {
    case null
    case boolean(Bool)
    case number(String)
    case string(String)
    case array([JSONTree])
    case object([Member])

    struct Member: Hashable, Sendable {
        var key: String
        var value: JSONTree
    }

    init(parsing text: String, limits: JSONLimits = JSONLimits()) throws(JSONError) {
        var reader = JSONReader(Array(text.utf8), limits: limits)
        self = try Self.read(&reader)
        try reader.finish()
    }

    private static func read(_ reader: inout JSONReader) throws(JSONError) -> JSONTree {
        switch try reader.peek() {
        case .null:
            _ = try reader.readNull()
            return .null
        case .boolean: return .boolean(try reader.readBool())
        case .string: return .string(try reader.readString())
        case .number:
            let start = reader.offset
            try reader.skipValue()
            return .number(String(decoding: reader.bytes[start..<reader.offset], as: UTF8.self))
        case .array:
            var values: [JSONTree] = []
            try reader.beginArray()
            while try reader.nextElement() { values.append(try read(&reader)) }
            return .array(values)
        case .object:
            var members: [Member] = []
            // By bytes: a String equals what is only canonically equivalent.
            var places: [[UInt8]: Int] = [:]
            try reader.beginObject()
            while let key = try reader.nextKey() {
                let value = try read(&reader)
                if let place = places[Array(key.utf8)] {
                    members[place].value = value
                } else {
                    places[Array(key.utf8)] = members.count
                    members.append(Member(key: key, value: value))
                }
            }
            return .object(members)
        }
    }

    subscript(key: String) -> JSONTree? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.key == key }?.value
    }

    var kind: JSONKind {
        switch self {
        case .null: .null
        case .boolean: .boolean
        case .number: .number
        case .string: .string
        case .array: .array
        case .object: .object
        }
    }

    /// JSON text without white space; nothing but what must be is escaped.
    var text: String {
        var buffer = ByteBuffer()
        write(into: &buffer)
        return String(buffer: buffer)
    }

    private func write(into buffer: inout ByteBuffer) {
        switch self {
        case .null: buffer.writeStaticString("null")
        case .boolean(let value): buffer.writeJSONBool(value)
        case .number(let text): buffer.writeString(text)
        case .string(let text): buffer.writeJSONString(text)
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
