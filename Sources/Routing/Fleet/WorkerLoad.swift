/// Work that a worker has, by tickets of this gateway or by those of others.
package struct WorkerLoad: Hashable, Sendable, Codable {
    /// Sequences it runs or has waiting.
    package var sequences: Int
    /// Prompt tokens that it has still to prefill, cached ones left out.
    package var prefillTokens: Int
    /// Tokens of context of all its sequences, with what they will probably still generate.
    package var contextTokens: Int

    package static let none = WorkerLoad(sequences: 0, prefillTokens: 0, contextTokens: 0)

    package init(sequences: Int, prefillTokens: Int, contextTokens: Int) {
        self.sequences = sequences
        self.prefillTokens = prefillTokens
        self.contextTokens = contextTokens
    }

    enum CodingKeys: String, CodingKey {
        case sequences
        case prefillTokens = "prefill_tokens"
        case contextTokens = "context_tokens"
    }

    /// Halfway, rounded down.
    package static func mean(_ left: WorkerLoad, _ right: WorkerLoad) -> WorkerLoad {
        let sum = left + right
        return WorkerLoad(
            sequences: sum.sequences / 2, prefillTokens: sum.prefillTokens / 2,
            contextTokens: sum.contextTokens / 2)
    }

    static func + (left: WorkerLoad, right: WorkerLoad) -> WorkerLoad {
        WorkerLoad(
            sequences: left.sequences + right.sequences,
            prefillTokens: left.prefillTokens + right.prefillTokens,
            contextTokens: left.contextTokens + right.contextTokens)
    }

    static func - (left: WorkerLoad, right: WorkerLoad) -> WorkerLoad {
        WorkerLoad(
            sequences: left.sequences - right.sequences,
            prefillTokens: left.prefillTokens - right.prefillTokens,
            contextTokens: left.contextTokens - right.contextTokens)
    }
}
