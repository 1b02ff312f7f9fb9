package import NIOCore

/// Bounds on what the reader does for one document. The document's own size is bounded where its
/// bytes are collected.
package struct JSONLimits: Hashable, Sendable {
    /// Open arrays and objects at once, 1...64. Beyond it: `tooDeep`.
    package var depth: Int = 32
    /// Bytes of one string between its quotes, escapes included. Beyond it: `stringTooLong`.
    package var stringBytes: Int = 32 << 20
    /// Bytes of one number. Beyond it: `numberTooLong`.
    package var numberBytes: Int = 128

    package init() {}
}

/// A pull parser for one JSON document, strict as RFC 8259: the caller asks for the value it
/// expects next, and nothing is built that was not asked for.
///
/// Decisions where the RFC leaves room: a duplicate key is handed out each time, so the last one
/// wins (as in Python and JavaScript); an unpaired surrogate escape and a byte order mark are
/// errors; integers are exact within Int64, other numbers are rounded to the nearest Double, and
/// what rounds to infinity is an error. A value type: copying it marks a place to come back to.
package struct JSONReader {
    let bytes: [UInt8]
    /// Offset of the next unread byte.
    package internal(set) var offset = 0
    let limits: JSONLimits
    /// Open containers.
    private(set) var depth = 0
    /// Bit d: no element of the container at depth d was read yet.
    private var fresh: UInt64 = 0
    /// Bit d: the container at depth d is an object.
    private var objects: UInt64 = 0

    /// Reads the readable bytes of `buffer`, copied once.
    package init(_ buffer: ByteBuffer, limits: JSONLimits = JSONLimits()) {
        precondition((1...64).contains(limits.depth), "JSON depth limit \(limits.depth)")
        bytes = Array(buffer.readableBytesView)
        self.limits = limits
    }

    package init(_ bytes: [UInt8], limits: JSONLimits = JSONLimits()) {
        self.init(ByteBuffer(bytes: bytes), limits: limits)
    }

    /// The kind of the next value, which is not consumed; `offset` is then its first byte.
    package mutating func peek() throws(JSONError) -> JSONKind {
        skipWhitespace()
        guard offset < bytes.count else { throw unexpected(.value) }
        switch bytes[offset] {
        case UInt8(ascii: "\""): return .string
        case UInt8(ascii: "{"): return .object
        case UInt8(ascii: "["): return .array
        case UInt8(ascii: "n"): return .null
        case UInt8(ascii: "t"), UInt8(ascii: "f"): return .boolean
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number
        default: throw unexpected(.value)
        }
    }

    /// Consumes `null` and returns true, or leaves any other value alone.
    package mutating func readNull() throws(JSONError) -> Bool {
        guard try peek() == .null else { return false }
        try expectWord("null")
        return true
    }

    package mutating func readBool() throws(JSONError) -> Bool {
        try expect(.boolean)
        if bytes[offset] == UInt8(ascii: "t") {
            try expectWord("true")
            return true
        }
        try expectWord("false")
        return false
    }

    // MARK: Containers

    package mutating func beginObject() throws(JSONError) {
        try expect(.object)
        try open(isObject: true)
    }

    package mutating func beginArray() throws(JSONError) {
        try expect(.array)
        try open(isObject: false)
    }

    /// True when another element follows, which must then be read or skipped; false when the array
    /// has ended and is closed.
    package mutating func nextElement() throws(JSONError) -> Bool {
        skipWhitespace()
        let bit = UInt64(1) << UInt64(depth - 1)
        if byte() == UInt8(ascii: "]") {
            // "[1,]" never gets here: after a comma the value is required below.
            close()
            return false
        }
        if fresh & bit != 0 {
            fresh &= ~bit
            return true
        }
        guard byte() == UInt8(ascii: ",") else { throw unexpected(.commaOrArrayEnd) }
        offset += 1
        _ = try peek()
        return true
    }

    /// The raw bytes between a key's quotes (escapes not resolved), or nil when the object has
    /// ended and is closed. After a key its value must be read or skipped.
    mutating func nextRawKey() throws(JSONError) -> RawString? {
        skipWhitespace()
        let bit = UInt64(1) << UInt64(depth - 1)
        let isFirst = fresh & bit != 0
        if byte() == UInt8(ascii: "}") {
            close()
            return nil
        }
        if isFirst {
            fresh &= ~bit
        } else {
            guard byte() == UInt8(ascii: ",") else { throw unexpected(.commaOrObjectEnd) }
            offset += 1
            skipWhitespace()
        }
        guard byte() == UInt8(ascii: "\"") else { throw unexpected(isFirst ? .keyOrEnd : .key) }
        let key = try scanString()
        skipWhitespace()
        guard byte() == UInt8(ascii: ":") else { throw unexpected(.colon) }
        offset += 1
        return key
    }

    /// The next key as text, or nil at the object's end.
    package mutating func nextKey() throws(JSONError) -> String? {
        guard let raw = try nextRawKey() else { return nil }
        return try text(of: raw)
    }

    /// Skips one value of any kind, checking it as strictly as if it were read.
    package mutating func skipValue() throws(JSONError) {
        let outer = depth
        repeat {
            if depth > outer {
                if objects & (UInt64(1) << UInt64(depth - 1)) != 0 {
                    guard let key = try nextRawKey() else { continue }
                    try check(key)
                } else {
                    guard try nextElement() else { continue }
                }
            }
            switch try peek() {
            case .object: try open(isObject: true)
            case .array: try open(isObject: false)
            case .string: try check(try scanString())
            case .number: _ = try scanNumber()
            case .boolean: _ = try readBool()
            case .null: _ = try readNull()
            }
        } while depth > outer
    }

    /// Call after the document's one value: only white space may follow.
    package mutating func finish() throws(JSONError) {
        skipWhitespace()
        guard offset == bytes.count else { throw unexpected(.endOfDocument) }
    }

    // MARK: Pieces

    /// The byte at `offset`, or nil at the end.
    @inline(__always)
    func byte() -> UInt8? {
        offset < bytes.count ? bytes[offset] : nil
    }

    func unexpected(_ expected: JSONError.Expected) -> JSONError {
        JSONError(reason: .unexpected(expected: expected, found: byte()), offset: offset)
    }

    /// Moves to the next value and checks its kind, without consuming it.
    @inline(__always)
    mutating func expect(_ expected: JSONKind) throws(JSONError) {
        let found = try peek()
        guard found == expected else { throw mismatch(expected, found) }
    }

    /// What to say of a value of another kind, or of what only starts like one ("not JSON").
    private func mismatch(_ expected: JSONKind, _ found: JSONKind) -> JSONError {
        if found != .object, found != .array {
            var scalar = self
            do { try scalar.skipValue() } catch { return error }
        }
        return JSONError(reason: .wrongType(expected: expected, found: found), offset: offset)
    }

    @inline(__always)
    mutating func skipWhitespace() {
        while offset < bytes.count {
            switch bytes[offset] {
            case 0x20, 0x0A, 0x0D, 0x09: offset += 1
            default: return
            }
        }
    }

    private mutating func expectWord(_ word: StaticString) throws(JSONError) {
        let start = offset
        for expected in word.description.utf8 {
            guard byte() == expected else {
                let error = unexpected(.value)
                offset = start
                throw error
            }
            offset += 1
        }
    }

    private mutating func open(isObject: Bool) throws(JSONError) {
        guard depth < limits.depth else {
            throw JSONError(reason: .tooDeep(limit: limits.depth), offset: offset)
        }
        offset += 1
        let bit = UInt64(1) << UInt64(depth)
        fresh |= bit
        if isObject { objects |= bit } else { objects &= ~bit }
        depth += 1
    }

    private mutating func close() {
        offset += 1
        depth -= 1
    }
}
