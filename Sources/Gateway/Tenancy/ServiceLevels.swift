import InferenceTypes
import Synchronization

/// What a finished request is measured against.
struct ServiceLevelTargets: Hashable, Sendable {
    /// Request received to first token.
    var timeToFirstTokenNanoseconds: Int64
    /// Mean time between tokens of one request.
    var perTokenNanoseconds: Int64
}

/// How well each tenant and tier was served, for metrics and for operators.
///
/// A lock, because connection loops count what the admin thread reads; taken once per request, at
/// its end.
final class ServiceLevels: Sendable {
    /// Most tenants and tiers that are counted apart; what is beyond counts for `otherTenant`.
    static let limit = 30_000
    static let otherTenant = "other"

    struct Subject: Hashable, Comparable, Sendable {
        var tenant: String
        var tier: ServiceTier

        static func < (left: Subject, right: Subject) -> Bool {
            (left.tenant, left.tier) < (right.tenant, right.tier)
        }
    }

    struct Figures: Hashable, Sendable {
        /// Those that ended, however.
        var requests: UInt64 = 0
        /// Of them with an answer: what follows is of these.
        var finished: UInt64 = 0
        var metFirstToken: UInt64 = 0
        var metPerToken: UInt64 = 0
        /// Both: the requests of goodput.
        var metBoth: UInt64 = 0
        /// Refused because of the tenant's own limits (429) or of the fleet's state (503).
        var limited: UInt64 = 0
        var shed: UInt64 = 0
        var promptTokens: UInt64 = 0
        var completionTokens: UInt64 = 0

        static func += (left: inout Figures, right: Figures) {
            left.requests += right.requests
            left.finished += right.finished
            left.metFirstToken += right.metFirstToken
            left.metPerToken += right.metPerToken
            left.metBoth += right.metBoth
            left.limited += right.limited
            left.shed += right.shed
            left.promptTokens += right.promptTokens
            left.completionTokens += right.completionTokens
        }
    }

    /// How one request ended.
    struct Sample: Hashable, Sendable {
        enum End: Hashable, Sendable { case finished, limited, shed, other }

        var end: End
        /// Since the request came; nil without a token.
        var firstTokenNanoseconds: Int64?
        /// From the first to the last token.
        var tokensNanoseconds: Int64 = 0
        var usage = Usage()
    }

    private let figures = Mutex<[Subject: Figures]>([:])

    func add(_ sample: Sample, of subject: Subject, against targets: ServiceLevelTargets) {
        let more = Self.figures(sample, targets)
        figures.withLock { figures in
            let isKnown = figures[subject] != nil || figures.count < Self.limit
            let place =
                isKnown ? subject : Subject(tenant: Self.otherTenant, tier: subject.tier)
            figures[place, default: Figures()] += more
        }
    }

    private static func figures(
        _ sample: Sample, _ targets: ServiceLevelTargets
    ) -> Figures {
        var figures = Figures(
            requests: 1, promptTokens: UInt64(sample.usage.promptTokens),
            completionTokens: UInt64(
                sample.usage.completionTokens + sample.usage.reasoningTokens))
        switch sample.end {
        case .limited: figures.limited = 1
        case .shed: figures.shed = 1
        case .other: break
        case .finished:
            let first = sample.firstTokenNanoseconds ?? 0
            let gaps = max(1, Int64(figures.completionTokens) - 1)
            let isFirstInTime = first <= targets.timeToFirstTokenNanoseconds
            let isRestInTime = sample.tokensNanoseconds / gaps <= targets.perTokenNanoseconds
            figures.finished = 1
            figures.metFirstToken = isFirstInTime ? 1 : 0
            figures.metPerToken = isRestInTime ? 1 : 0
            figures.metBoth = isFirstInTime && isRestInTime ? 1 : 0
        }
        return figures
    }

    /// All, by tenant and tier.
    var list: [(subject: Subject, figures: Figures)] {
        figures.withLock { $0 }.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    /// The `count` tenants with the most tokens, and the sum of all others.
    func largest(_ count: Int) -> [(subject: Subject, figures: Figures)] {
        let all = list
        var tokens: [String: UInt64] = [:]
        for (subject, figures) in all where subject.tenant != Self.otherTenant {
            tokens[subject.tenant, default: 0] += figures.promptTokens + figures.completionTokens
        }
        // Names decide between equals, so that the order of a dictionary does not.
        let first = Set(
            tokens.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.prefix(count).map(\.key))
        var shown = all.filter { first.contains($0.subject.tenant) }
        var rest: [ServiceTier: Figures] = [:]
        for (subject, figures) in all where !first.contains(subject.tenant) {
            rest[subject.tier, default: Figures()] += figures
        }
        for tier in ServiceTier.allCases {
            guard let figures = rest[tier] else { continue }
            shown.append((Subject(tenant: Self.otherTenant, tier: tier), figures))
        }
        return shown
    }
}
