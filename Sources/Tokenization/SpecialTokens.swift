internal import InferenceTypes

/// Finds the spellings of special tokens in text.
///
/// Special are the tokens that libllama splits text at before anything else (`llama-vocab.cpp`,
/// `cache_special_tokens`): control tokens, the unknown token, and user-defined ones. Of several
/// spellings at one place the longest counts. Immutable.
struct SpecialTokens: Sendable {
    struct Token: Hashable {
        var id: TokenID
        var spelling: [UInt8]
        /// Control or unknown; otherwise user-defined, which is special in any text.
        var isControl: Bool
        /// White space before and after it is not part of the text.
        var stripsLeft = false
        var stripsRight = false
    }

    struct Occurrence: Hashable {
        /// Index in `tokens`.
        var token: Int
        var range: Range<Int>
    }

    let tokens: [Token]
    /// A trie. `children[node << 8 | byte]` is the next node; node 0 is the root.
    private var children: [UInt32: UInt32] = [:]
    /// `[node]`: index in `tokens` of the spelling that ends here, or -1.
    private var ends: [Int] = [-1]
    /// `[byte]`: whether some spelling begins with it.
    private var beginnings = [Bool](repeating: false, count: 256)

    init(_ tokens: [Token]) {
        self.tokens = tokens.filter { !$0.spelling.isEmpty }
        for (index, token) in self.tokens.enumerated() {
            var node: UInt32 = 0
            for byte in token.spelling {
                let key = node << 8 | UInt32(byte)
                if let next = children[key] {
                    node = next
                } else {
                    let next = UInt32(ends.count)
                    children[key] = next
                    ends.append(-1)
                    node = next
                }
            }
            // Of two tokens with one spelling the first is the one that libllama finds.
            if ends[Int(node)] < 0 { ends[Int(node)] = index }
            beginnings[Int(token.spelling[0])] = true
        }
    }

    /// All occurrences from left to right, not overlapping.
    func occurrences(in text: [UInt8]) -> [Occurrence] {
        var found: [Occurrence] = []
        var position = 0
        while position < text.count {
            if beginnings[Int(text[position])], let match = longest(at: position, in: text) {
                found.append(match)
                position = match.range.upperBound
            } else {
                position += 1
            }
        }
        return found
    }

    /// The first and last code points of the control tokens' spellings, in order.
    func controlBorders() -> [Unicode.Scalar] {
        var borders: Set<Unicode.Scalar> = []
        for token in tokens where token.isControl {
            let scalars = String(decoding: token.spelling, as: UTF8.self).unicodeScalars
            borders.insert(scalars.first!)
            borders.insert(scalars.last!)
        }
        return borders.sorted()
    }

    private func longest(at position: Int, in text: [UInt8]) -> Occurrence? {
        var node: UInt32 = 0
        var index = position
        var best: Occurrence?
        while index < text.count, let next = children[node << 8 | UInt32(text[index])] {
            node = next
            index += 1
            let token = ends[Int(node)]
            if token >= 0 { best = Occurrence(token: token, range: position..<index) }
        }
        return best
    }
}
