import InferenceTypes

/// Text that is hard for tokenizers and decoders, from a seed.
struct RandomText {
    var generator: SeededGenerator

    init(seed: UInt64) {
        generator = SeededGenerator(seed: seed)
    }

    static let fragments = [
        "the quick brown fox", " ", "  ", "\n", "\n\n", "\t", "\r\n", "Hello, world!", "don't",
        "日本語のテキスト", "汉字", "한국어", "العربية", "हिन्दी", "ไทย", "ß", "é", "e\u{301}",
        "a\u{300}\u{316}\u{302}", "👩‍👩‍👧‍👦", "🏳️‍🌈", "👍🏽", "🇯🇵", "\u{FEFF}", "\u{200B}", "\u{0}",
        "1234567890", "3.14159", "x += 1;", "func f() -> Int { 0 }", "<html>", "[1, 2]",
        "{\"a\":1}",
        "\\u00e9", "https://example.org/?q=1&r=2", "_____", "-----", "        ", "\u{10FFFF}", "𝒳",
    ]

    mutating func below(_ count: Int) -> Int { Int.random(in: 0..<count, using: &generator) }

    mutating func pick<Element>(_ list: [Element]) -> Element { list[below(list.count)] }

    /// Valid text of up to `count` fragments.
    mutating func text(fragments count: Int) -> String {
        (0..<below(count + 1)).map { _ in pick(Self.fragments) }.joined()
    }

    /// Bytes that are mostly such text, with bytes missing, changed and added.
    mutating func brokenBytes(fragments count: Int) -> [UInt8] {
        var bytes = Array(text(fragments: count).utf8)
        for _ in 0..<below(6) where !bytes.isEmpty {
            switch below(3) {
            case 0: bytes.remove(at: below(bytes.count))
            case 1: bytes[below(bytes.count)] = UInt8(below(256))
            default: bytes.insert(UInt8(below(256)), at: below(bytes.count + 1))
            }
        }
        return bytes
    }

    /// `bytes` cut at random places; some parts may be empty.
    mutating func cut(_ bytes: [UInt8]) -> [[UInt8]] {
        var parts: [[UInt8]] = []
        var rest = bytes[...]
        let longest = 1 + below(9)
        while !rest.isEmpty {
            let length = below(longest + 1)
            parts.append(Array(rest.prefix(length)))
            rest = rest.dropFirst(length)
        }
        return parts
    }
}
