/// Marks, while a template is rendered, the characters of clients' texts that could make up the
/// borders of a control token.
///
/// Each code point that begins or ends the spelling of some control token is replaced, one for one,
/// by a private-use code point that occurs in none of the texts. A control token found in the
/// rendered result then begins and ends with characters that the template wrote.
struct ContentMask: Sendable {
    private let masked: [Unicode.Scalar: Unicode.Scalar]
    /// By UTF-8 of the private-use code point.
    private let unmasked: [[UInt8]: [UInt8]]

    /// Nil when `texts` hold none of the `borders`, so there is nothing to mark. Throws
    /// `textNotMarkable` when the texts use up the private-use code points.
    init?(borders: [Unicode.Scalar], texts: [String]) throws(TokenizationError) {
        let borderSet = Set(borders)
        var present: Set<Unicode.Scalar> = []
        var taken: Set<Unicode.Scalar> = []
        for text in texts {
            for scalar in text.unicodeScalars {
                if borderSet.contains(scalar) { present.insert(scalar) }
                if scalar.value >= Self.first { taken.insert(scalar) }
            }
        }
        guard !present.isEmpty else { return nil }
        var masked: [Unicode.Scalar: Unicode.Scalar] = [:]
        var unmasked: [[UInt8]: [UInt8]] = [:]
        var next = Self.first
        for border in present.sorted() {
            while let mark = Unicode.Scalar(next), taken.contains(mark) { next += 1 }
            guard next <= Self.last, let mark = Unicode.Scalar(next) else {
                throw .textNotMarkable
            }
            masked[border] = mark
            unmasked[Array(String(mark).utf8)] = Array(String(border).utf8)
            next += 1
        }
        self.masked = masked
        self.unmasked = unmasked
    }

    /// Supplementary private use area B, which no script, font or template uses.
    private static let first: UInt32 = 0x10_0000
    private static let last: UInt32 = 0x10_FFFD
    /// What all of its code points begin with in UTF-8, and nothing else does.
    private static let leadByte: UInt8 = 0xF4

    func mask(_ text: String) -> String {
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars { result.append(masked[scalar] ?? scalar) }
        return String(result)
    }

    /// The same for JSON without needless escapes: only what stands in its strings.
    func maskStrings(in json: String) -> String {
        var result = String.UnicodeScalarView()
        var isInString = false
        var isEscaped = false
        for scalar in json.unicodeScalars {
            if !isInString || isEscaped || scalar == "\"" || scalar == "\\" {
                if scalar == "\"", !isEscaped { isInString.toggle() }
                isEscaped = isInString && !isEscaped && scalar == "\\"
                result.append(scalar)
            } else {
                result.append(masked[scalar] ?? scalar)
            }
        }
        return String(result)
    }

    func unmask(_ text: ArraySlice<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(text.count)
        var position = text.startIndex
        while position < text.endIndex {
            if text[position] == Self.leadByte, position + 4 <= text.endIndex,
                let original = unmasked[Array(text[position..<position + 4])]
            {
                result.append(contentsOf: original)
                position += 4
            } else {
                result.append(text[position])
                position += 1
            }
        }
        return result
    }
}
