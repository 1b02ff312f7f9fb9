import Foundation
import InferenceTypes

/// Where prompts come from. Prompt `index` is a pure function of the source, so that two servers
/// get the same work.
package enum PromptSource: Sendable, Equatable {
    /// About so many tokens of common English words, each prompt different from its first word on,
    /// so that a prefix cache finds only the template.
    case words(tokens: Int, seed: UInt64)
    /// These prompts in turn.
    case list([String])

    package func prompt(_ index: Int) -> String {
        switch self {
        case .words(let tokens, let seed):
            return Self.words(tokens, seed: SeededGenerator.mix(seed) &+ UInt64(index))
        case .list(let prompts):
            return prompts[index % prompts.count]
        }
    }

    /// Each word is one token of the usual vocabularies, with the space before it.
    private static let vocabulary = [
        "time", "year", "people", "way", "day", "man", "thing", "woman", "life", "child", "world",
        "school", "state", "family", "student", "group", "country", "problem", "hand", "part",
        "place", "case", "week", "company", "system", "program", "question", "work", "government",
        "number", "night", "point", "home", "water", "room", "mother", "area", "money", "story",
        "fact", "month", "lot", "right", "study", "book", "eye", "job", "word", "business", "issue",
        "side", "kind", "head", "house", "service", "friend", "father", "power", "hour", "game",
        "line", "end", "member", "law",
    ]

    private static func words(_ count: Int, seed: UInt64) -> String {
        var generator = SeededGenerator(seed: seed)
        var text = "Tell"
        for _ in 0..<max(0, count - 1) {
            text += " "
            text += vocabulary[Int(generator.next() % UInt64(vocabulary.count))]
        }
        return text
    }
}
