import NIOCore

/// Names the place of a byte in a document, for error messages.
///
/// Decoding keeps no path; this walks the document again, and only when something was wrong.
struct JSONPath {
    private var reader: JSONReader
    private let target: Int
    private var path = ""

    /// Longest key that is repeated in an error message, in characters.
    private static let keyLimit = 64

    /// The path of the innermost value that holds the byte at `offset` or starts there, such as
    /// `messages[2].content`; "" for the document itself.
    static func locate(_ offset: Int, in document: ByteBuffer, limits: JSONLimits) -> String {
        var locator = JSONPath(
            reader: JSONReader(document, limits: limits), target: offset)
        _ = locator.isInside()
        return locator.path
    }

    private init(reader: JSONReader, target: Int) {
        self.reader = reader
        self.target = target
    }

    /// Walks one value; true when the target was met, and `path` then names it.
    private mutating func isInside() -> Bool {
        do {
            let kind = try reader.peek()
            if reader.offset >= target { return true }
            switch kind {
            case .object: return try isInsideObject()
            case .array: return try isInsideArray()
            default:
                try reader.skipValue()
                return reader.offset > target
            }
        } catch {
            // Decoding stopped at the target, so a fault found here is the target.
            return true
        }
    }

    private mutating func isInsideObject() throws(JSONError) -> Bool {
        let outer = path
        try reader.beginObject()
        while let key = try reader.nextKey() {
            if reader.offset > target { return true }
            path = outer.isEmpty ? "" : outer + "."
            path += key.prefix(Self.keyLimit)
            if isInside() { return true }
            path = outer
        }
        return reader.offset > target
    }

    private mutating func isInsideArray() throws(JSONError) -> Bool {
        let outer = path
        try reader.beginArray()
        var index = 0
        while try reader.nextElement() {
            path = outer + "[\(index)]"
            if isInside() { return true }
            path = outer
            index += 1
        }
        return reader.offset > target
    }
}
