import NIOCore

/// A JSON reader that checks ranges too, and throws what a client can be told.
///
/// `null` stands for an absent field everywhere (API.md §3): ask `isNull()` before reading.
struct FieldReader {
    private(set) var json: JSONReader
    /// Where the value read last starts, for refusals that are decided after reading it.
    private(set) var valueOffset = 0

    init(_ body: ByteBuffer, limits: JSONLimits) {
        json = JSONReader(body, limits: limits)
    }

    /// Where the next token starts.
    var offset: Int { json.offset }

    mutating func kind() throws(DecodeFailure) -> JSONKind {
        do {
            let kind = try json.peek()
            valueOffset = json.offset
            return kind
        } catch { throw DecodeFailure(error) }
    }

    /// Consumes `null`.
    mutating func isNull() throws(DecodeFailure) -> Bool {
        do { return try json.readNull() } catch { throw DecodeFailure(error) }
    }

    /// Opens an object and returns its offset, for refusals about fields that it lacks.
    @discardableResult
    mutating func beginObject() throws(DecodeFailure) -> Int {
        _ = try kind()
        let start = valueOffset
        do { try json.beginObject() } catch { throw DecodeFailure(error) }
        return start
    }

    @discardableResult
    mutating func beginArray() throws(DecodeFailure) -> Int {
        _ = try kind()
        let start = valueOffset
        do { try json.beginArray() } catch { throw DecodeFailure(error) }
        return start
    }

    mutating func nextElement() throws(DecodeFailure) -> Bool {
        do { return try json.nextElement() } catch { throw DecodeFailure(error) }
    }

    /// The next known field; unknown ones are skipped, and so are known ones that are null. Nil at
    /// the object's end.
    mutating func nextField<Key>(
        in table: JSONKeyTable<Key>
    ) throws(DecodeFailure) -> Key? {
        do {
            while true {
                switch try json.nextKey(in: table) {
                case .end: return nil
                case .unknown: try json.skipValue()
                case .known(let key):
                    if try json.readNull() { continue }
                    valueOffset = json.offset
                    return key
                }
            }
        } catch { throw DecodeFailure(error) }
    }

    /// The next key of an object whose keys are data, or nil at its end.
    mutating func nextKey() throws(DecodeFailure) -> String? {
        do { return try json.nextKey() } catch { throw DecodeFailure(error) }
    }

    mutating func skip() throws(DecodeFailure) {
        do { try json.skipValue() } catch { throw DecodeFailure(error) }
    }

    /// One value of any kind as JSON text, exactly as it was sent.
    mutating func raw() throws(DecodeFailure) -> String {
        _ = try kind()
        try skip()
        return String(decoding: json.bytes[valueOffset..<json.offset], as: UTF8.self)
    }

    mutating func finish() throws(DecodeFailure) {
        do { try json.finish() } catch { throw DecodeFailure(error) }
    }

    mutating func bool() throws(DecodeFailure) -> Bool {
        do { return try json.readBool() } catch { throw DecodeFailure(error) }
    }

    mutating func string() throws(DecodeFailure) -> String {
        _ = try kind()
        do { return try json.readString() } catch { throw DecodeFailure(error) }
    }

    /// A string of at most `limit` UTF-8 bytes.
    mutating func string(limitBytes limit: Int) throws(DecodeFailure) -> String {
        let text = try string()
        guard text.utf8.count <= limit else {
            throw refusal(.invalidValue, "Expected at most \(limit) bytes.")
        }
        return text
    }

    mutating func integer() throws(DecodeFailure) -> Int64 {
        _ = try kind()
        do { return try json.readInteger() } catch { throw DecodeFailure(error) }
    }

    mutating func integer(in range: ClosedRange<Int64>) throws(DecodeFailure) -> Int {
        let value = try integer()
        guard range.contains(value) else {
            let bounds =
                range.upperBound == .max
                ? "at least \(range.lowerBound)"
                : "between \(range.lowerBound) and \(range.upperBound)"
            throw refusal(.invalidValue, "Expected an integer \(bounds), but got \(value).")
        }
        return Int(value)
    }

    /// A number within the range, narrowed to Float.
    mutating func float(in range: ClosedRange<Double>) throws(DecodeFailure) -> Float {
        _ = try kind()
        let value: Double
        do { value = try json.readDouble() } catch { throw DecodeFailure(error) }
        guard range.contains(value) else {
            let bounds = "between \(range.lowerBound) and \(range.upperBound)"
            throw refusal(.invalidValue, "Expected a number \(bounds), but got \(value).")
        }
        return Float(value)
    }

    /// A refusal of the value read last.
    func refusal(
        _ kind: APIErrorKind, _ message: String
    ) -> DecodeFailure {
        DecodeFailure(kind, message, at: valueOffset)
    }

    func unsupported(_ message: String) -> DecodeFailure {
        refusal(.unsupported, message)
    }
}
