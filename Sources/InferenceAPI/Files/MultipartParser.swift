package import NIOCore

/// `multipart/form-data` (RFC 7578, RFC 2046 §5.1.1), read as it arrives. Holds at most a part's
/// header fields, or what may be the beginning of a delimiter.
///
/// ```
///   preamble ──delimiter──► header fields ──empty line──► content ──delimiter──► header fields …
///                                                            └──last delimiter──► epilogue
/// ```
package struct MultipartParser: Sendable {
    package enum Event: Hashable, Sendable {
        /// A part begins. `fileName` is nil for a field of text.
        case part(name: String, fileName: String?)
        case content([UInt8])
        case endOfPart
    }

    private enum State {
        case preamble, delimited, fields, content, epilogue
    }

    /// Bytes of one part's header fields.
    static let fieldsLimitBytes = 8_192
    static let partsLimit = 64

    private var state = State.preamble
    /// `--` and the boundary, behind a line's end.
    private let delimiter: [UInt8]
    private var held: [UInt8]
    private var parts = 0
    /// Where the last step stopped in `held`.
    private var leftover = 0

    /// - Parameter contentType: the request's field.
    ///
    /// Throws `unsupportedMediaType`, also without a usable boundary.
    package init(contentType: String?) throws(APIError) {
        guard let boundary = Self.boundary(contentType ?? "") else {
            throw APIError(
                .unsupportedMediaType, "Expected 'Content-Type: multipart/form-data; boundary=…'.")
        }
        delimiter = [13, 10, 45, 45] + boundary
        // The first delimiter may begin the body.
        held = [13, 10]
    }

    package mutating func append(
        _ bytes: ByteBuffer, _ handle: (Event) throws(APIError) -> Void
    ) throws(APIError) {
        held += bytes.readableBytesView
        var start = 0
        while let next = try step(from: start, handle) { start = next }
        // What a step left is short: a delimiter's beginning, or header fields.
        held.removeFirst(min(leftover, held.count))
        leftover = 0
    }

    /// The body has ended. Throws `invalidValue` when it ended before its last delimiter.
    package func finish() throws(APIError) {
        guard case .epilogue = state else {
            throw Self.malformed("it ends before its last boundary")
        }
    }

    /// One step of the machine; nil when it needs more bytes.
    private mutating func step(
        from start: Int, _ handle: (Event) throws(APIError) -> Void
    ) throws(APIError) -> Int? {
        switch state {
        case .epilogue:
            leftover = held.count
            return nil
        case .preamble, .content:
            return try untilDelimiter(from: start, handle)
        case .delimited:
            return try afterDelimiter(from: start)
        case .fields:
            return try fields(from: start, handle)
        }
    }

    private mutating func untilDelimiter(
        from start: Int, _ handle: (Event) throws(APIError) -> Void
    ) throws(APIError) -> Int? {
        let isContent = state == .content
        if let found = position(of: delimiter, from: start) {
            if isContent {
                if found > start { try handle(.content(Array(held[start..<found]))) }
                try handle(.endOfPart)
            }
            state = .delimited
            leftover = found + delimiter.count
            return leftover
        }
        // All but what may be the beginning of a delimiter.
        let end = max(start, held.count - delimiter.count + 1)
        if isContent, end > start { try handle(.content(Array(held[start..<end]))) }
        leftover = end
        return nil
    }

    private mutating func afterDelimiter(from start: Int) throws(APIError) -> Int? {
        leftover = start
        // White space may follow the boundary (RFC 2046 §5.1.1).
        var place = start
        while place < held.count, held[place] == 32 || held[place] == 9 { place += 1 }
        guard place - start <= Self.fieldsLimitBytes else {
            throw Self.malformed("a boundary's line is too long")
        }
        guard held.count >= place + 2 else { return nil }
        switch (held[place], held[place + 1]) {
        case (45, 45): state = .epilogue
        case (13, 10):
            parts += 1
            guard parts <= Self.partsLimit else {
                throw Self.malformed("it has more than \(Self.partsLimit) parts")
            }
            state = .fields
        default: throw Self.malformed("a boundary is followed by something else")
        }
        leftover = place + 2
        return leftover
    }

    private mutating func fields(
        from start: Int, _ handle: (Event) throws(APIError) -> Void
    ) throws(APIError) -> Int? {
        leftover = start
        // Fields that are none end with the line's end that the delimiter had.
        let hasNone = held.count >= start + 2 && held[start] == 13 && held[start + 1] == 10
        guard let end = hasNone ? start : position(of: [13, 10, 13, 10], from: start) else {
            guard held.count - start <= Self.fieldsLimitBytes else {
                throw Self.malformed("a part's header fields are too long")
            }
            return nil
        }
        guard end - start <= Self.fieldsLimitBytes else {
            throw Self.malformed("a part's header fields are too long")
        }
        let disposition = Self.disposition(held[start..<end])
        guard let name = disposition.name else {
            throw Self.malformed("a part has no name")
        }
        try handle(.part(name: name, fileName: disposition.fileName))
        state = .content
        leftover = hasNone ? start + 2 : end + 4
        return leftover
    }

    private func position(of wanted: [UInt8], from start: Int) -> Int? {
        guard held.count >= wanted.count else { return nil }
        let last = held.count - wanted.count
        var place = start
        while place <= last {
            if held[place] == wanted[0], held[place..<place + wanted.count].elementsEqual(wanted) {
                return place
            }
            place += 1
        }
        return nil
    }

    // MARK: Field values

    /// `boundary` of a `multipart/form-data` (RFC 2046 §5.1.1: 1 to 70 characters).
    private static func boundary(_ contentType: String) -> [UInt8]? {
        let media = contentType.prefix { $0 != ";" }.lowercased()
        guard media.filter({ $0 != " " && $0 != "\t" }) == "multipart/form-data",
            let value = parameter("boundary", of: contentType),
            (1...70).contains(value.utf8.count), value.utf8.allSatisfy({ (32...126).contains($0) })
        else { return nil }
        return Array(value.utf8)
    }

    private static func disposition(
        _ fields: ArraySlice<UInt8>
    ) -> (name: String?, fileName: String?) {
        for line in String(decoding: fields, as: UTF8.self).split(separator: "\r\n") {
            let sides = line.split(separator: ":", maxSplits: 1)
            guard sides.count == 2, sides[0].lowercased() == "content-disposition" else { continue }
            let value = String(sides[1])
            return (parameter("name", of: value), parameter("filename", of: value))
        }
        return (nil, nil)
    }

    /// A parameter of a field's value, as it is or in quotes (RFC 9110 §5.6.6). Browsers and others
    /// write `%22` for a quote in it (HTML, "multipart/form-data"), which stays as it is.
    private static func parameter(_ wanted: String, of value: String) -> String? {
        var rest = Substring(value)
        while let semicolon = rest.firstIndex(of: ";") {
            rest = rest[rest.index(after: semicolon)...].drop { $0 == " " || $0 == "\t" }
            let name = rest.prefix { $0 != "=" && $0 != ";" }
            rest = rest.dropFirst(name.count)
            guard rest.first == "=" else { continue }
            rest = rest.dropFirst()
            var text = ""
            if rest.first == "\"" {
                rest = rest.dropFirst()
                while let character = rest.first, character != "\"" {
                    rest = rest.dropFirst()
                    if character == "\\", let escaped = rest.first {
                        text.append(escaped)
                        rest = rest.dropFirst()
                    } else {
                        text.append(character)
                    }
                }
                rest = rest.dropFirst()
            } else {
                text = String(rest.prefix { $0 != ";" && $0 != " " && $0 != "\t" })
            }
            if name.lowercased() == wanted { return text }
        }
        return nil
    }

    private static func malformed(_ reason: String) -> APIError {
        APIError(.invalidValue, "The body is not well-formed multipart/form-data: \(reason).")
    }
}
