/// Why a grammar cannot be used. The request's own fault, and only its failure.
package enum GrammarError: Error, Hashable, Sendable {
    /// Over a limit of `GrammarLimits`, named.
    case tooLarge(limit: String, allowed: Int)
    /// Not GBNF; `offset` is in UTF-8 bytes.
    case syntax(offset: Int, expected: String)
    case undefinedRule(String)
    /// `<name>` is not one token of the vocabulary.
    case unknownToken(String)
    /// The rule can derive itself without consuming a character first.
    case leftRecursion(rule: String)
    /// The library refused it for another reason.
    case rejected
    /// The output that a resumed request brings does not match; `index` counts its tokens.
    case outputMismatch
    /// One check took longer than `GrammarLimits.checkNanosecondsMax`.
    case tooAmbiguous

    package var message: String {
        switch self {
        case .tooLarge(let limit, let allowed): "grammar: \(limit) exceeds \(allowed)"
        case .syntax(let offset, let expected): "grammar: expected \(expected) at byte \(offset)"
        case .undefinedRule(let name): "grammar: rule \(name) is not defined"
        case .unknownToken(let name): "grammar: \(name) is not a token of the model"
        case .leftRecursion(let rule): "grammar: rule \(rule) is left-recursive"
        case .rejected: "grammar: not supported"
        case .outputMismatch: "grammar: the output so far does not match"
        case .tooAmbiguous: "grammar: too ambiguous to follow"
        }
    }
}

/// What a grammar may cost. The library itself has next to no bounds: it loops, recurses or
/// allocates until the process dies.
package struct GrammarLimits: Hashable, Sendable {
    package var bytesMax = 256 * 1024
    package var rulesMax = 4096
    /// Nested parentheses.
    package var nestingMax = 64
    /// `m` and `n` in `{m,n}`; the library's own limit.
    package var repetitionMax = 2000
    /// Elements after repetitions are written out (8 bytes each, kept several times).
    package var elementsMax = 1_000_000
    /// Leftmost derivation steps, which the library walks one by one when it looks for left
    /// recursion, and how deep they nest, which is the depth of its recursion.
    package var leftmostStepsMax = 2_000_000
    package var leftmostDepthMax = 1000
    /// Processor time of one check of tokens against the grammar; more means that its ambiguity
    /// explodes. Not wall time: a busy machine must not refuse a good grammar.
    package var checkNanosecondsMax: Int64 = 2_000_000_000

    package init() {}
}
