import InferenceTypes

/// Made-up text: English words of which each is one token of the usual vocabularies, with the
/// space before it.
enum PromptWords {
    private static let vocabulary = [
        "time", "year", "people", "way", "day", "man", "thing", "woman", "life", "child", "world",
        "school", "state", "family", "student", "group", "country", "problem", "hand", "part",
        "place", "case", "week", "company", "system", "program", "question", "work", "government",
        "number", "night", "point", "home", "water", "room", "mother", "area", "money", "story",
        "fact", "month", "lot", "right", "study", "book", "eye", "job", "word", "business", "issue",
        "side", "kind", "head", "house", "service", "friend", "father", "power", "hour", "game",
        "line", "end", "member", "law",
    ].map { Array(" \($0)".utf8) }

    /// Appends `count` words, each after a space but a text's first. The same seed gives the same
    /// words, and fewer are a beginning of more. They need no escapes in JSON.
    static func append(_ count: Int, seed: UInt64, to text: inout [UInt8]) {
        var generator = SeededGenerator(seed: seed)
        // Ten numbers of six bits, the size of the vocabulary, from each draw.
        var bits: UInt64 = 0
        for index in 0..<max(0, count) {
            if index % 10 == 0 { bits = generator.next() }
            let word = vocabulary[Int(bits & 63)]
            bits >>= 6
            if text.isEmpty { text += word.dropFirst() } else { text += word }
        }
    }

    static func text(_ count: Int, seed: UInt64) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(count * 7)
        append(count, seed: seed, to: &text)
        return text
    }
}
