import Admission
import EngineProtocol
import InferenceTypes
import Storage

/// Which requests run, what they used as far as loops and journals know, and what is certain of it.
/// Pure: messages and journal records in, entries for the ledger out. Owned by `UsageMeter`.
///
/// A request whose calls all ended as their workers said is settled at once. Where one did not
/// (cancelled, abandoned, lost), the worker's journal says how far it came: the request waits for
/// that call's end there, or for the end of the worker. What a journal has of requests that nobody
/// here runs is left from an earlier life of this gateway, or came too late: it is recorded as it
/// is, and the ledger takes what it does not have.
struct UsageBook {
    /// How long a request waits for its workers' journals; what they say later is an adjustment.
    static let waitNanoseconds: Int64 = 5_000_000_000

    /// What is to be recorded.
    struct Due {
        var entry: UsageEntry
        var tickets: [TicketID] = []
    }

    private struct Open {
        /// Runs that have not ended.
        var runs = 0
        /// Of those that have.
        var settlement: UsageSettlement?
        var journaled: [Int: Int] = [:]
        /// Calls whose end a journal has.
        var ended: Set<String> = []
        var deadline = Instant.zero
    }

    private struct Sequence {
        var begin: JournalBegin
        var positions: Int
    }

    /// What journals have of one request that does not run here.
    private struct Stray {
        var begin: JournalBegin
        var positions: [Int: Int] = [:]
        /// By prompt.
        var prompts: [Int: (base: Int, tokens: Int, cached: Int)] = [:]
    }

    private var open: [String: Open] = [:]
    private var sequences: [String: [UInt64: Sequence]] = [:]
    private var strays: [String: Stray] = [:]

    /// Requests that run, or wait for a journal.
    var count: Int { open.count }

    // MARK: Loops

    mutating func began(_ usageID: String) {
        open[usageID, default: Open()].runs += 1
    }

    mutating func ended(_ settlement: UsageSettlement, now: Instant) {
        var request = open[settlement.entry.usageID] ?? Open(runs: 1)
        request.runs -= 1
        if let earlier = request.settlement {
            request.settlement = Self.merged(earlier, settlement)
        } else {
            request.settlement = settlement
        }
        request.deadline = now.advanced(byNanoseconds: Self.waitNanoseconds)
        open[settlement.entry.usageID] = request
    }

    /// Two runs of the same request: each position counts once.
    private static func merged(
        _ first: UsageSettlement, _ second: UsageSettlement
    ) -> UsageSettlement {
        var merged = second
        let positions = (first.entry.positions, second.entry.positions)
        merged.entry.positions = (0..<max(positions.0.count, positions.1.count)).map { index in
            max(
                index < positions.0.count ? positions.0[index] : 0,
                index < positions.1.count ? positions.1[index] : 0)
        }
        merged.unsettled = first.unsettled + second.unsettled
        merged.tickets = first.tickets + second.tickets
        return merged
    }

    // MARK: Journals

    mutating func journalOpened(_ endpoint: String) {
        sequences[endpoint] = [:]
    }

    mutating func journal(_ record: JournalRecord, of endpoint: String) {
        switch record {
        case .begin(let begin):
            sequences[endpoint, default: [:]][begin.ordinal] = Sequence(
                begin: begin, positions: begin.base)
        case .tokens(let ordinal, let positions):
            guard let sequence = sequences[endpoint]?[ordinal] else { return }
            let most = max(positions, sequence.positions)
            sequences[endpoint]?[ordinal]?.positions = most
            let usage = sequence.begin.usage
            let known = open[usage.id]?.journaled[usage.choice] ?? 0
            open[usage.id]?.journaled[usage.choice] = max(most, known)
        case .end(let ordinal, _):
            guard let sequence = sequences[endpoint]?.removeValue(forKey: ordinal) else { return }
            ended(sequence)
        }
    }

    /// The worker has ended and its journal was read whole.
    mutating func journalClosed(_ endpoint: String) {
        guard let left = sequences.removeValue(forKey: endpoint) else { return }
        for ordinal in left.keys.sorted() {
            if let sequence = left[ordinal] { ended(sequence) }
        }
    }

    private mutating func ended(_ sequence: Sequence) {
        let usage = sequence.begin.usage
        if open[usage.id] != nil {
            open[usage.id]?.ended.insert(sequence.begin.requestID)
            return
        }
        guard sequence.positions > 0, usage.choice < UsageLimits.choices else { return }
        var stray = strays[usage.id] ?? Stray(begin: sequence.begin)
        stray.positions[usage.choice] = max(
            sequence.positions, stray.positions[usage.choice] ?? 0)
        let prompt = usage.choice / max(1, usage.choicesPerPrompt)
        let begin = sequence.begin
        // What the first worker had cached; a later one has what was computed before.
        if begin.base <= stray.prompts[prompt]?.base ?? .max {
            stray.prompts[prompt] = (begin.base, begin.promptTokens, begin.cachedTokens)
        }
        strays[usage.id] = stray
    }

    // MARK: The ledger

    /// What is certain by now, and known no more: what is not recorded must be kept by the caller.
    mutating func due(
        now: Instant, timeMilliseconds: Int64,
        price: (_ model: String, _ tier: String) -> UsagePrice?
    ) -> [Due] {
        var due: [Due] = []
        for id in open.keys.sorted() {
            guard let request = open[id], request.runs <= 0,
                let settlement = request.settlement,
                now >= request.deadline || isCertain(settlement, request)
            else { continue }
            open[id] = nil
            due.append(Due(Self.entry(settlement, request.journaled), settlement.tickets))
        }
        for id in strays.keys.sorted() {
            guard let stray = strays[id] else { continue }
            var entry = Self.entry(stray, timeMilliseconds: timeMilliseconds)
            entry.price = price(entry.model, entry.tier)
            due.append(Due(entry: entry))
        }
        strays.removeAll()
        return due
    }

    private func isCertain(_ settlement: UsageSettlement, _ request: Open) -> Bool {
        settlement.unsettled.allSatisfy {
            request.ended.contains($0.requestID) || sequences[$0.endpoint] == nil
        }
    }

    private static func entry(
        _ settlement: UsageSettlement, _ journaled: [Int: Int]
    ) -> UsageEntry {
        var entry = settlement.entry
        let accepted = entry.positions.reduce(0, +)
        for choice in entry.positions.indices {
            entry.positions[choice] = max(entry.positions[choice], journaled[choice] ?? 0)
        }
        entry.undeliveredTokens += entry.positions.reduce(0, +) - accepted
        let perPrompt = max(1, settlement.choicesPerPrompt)
        if !entry.positions.isEmpty {
            let prompts = settlement.prompts.enumerated().filter { index, _ in
                entry.positions.dropFirst(index * perPrompt).prefix(perPrompt)
                    .contains { $0 > 0 }
            }
            entry.promptTokens = prompts.reduce(0) { $0 + $1.element }
        } else {
            entry.promptTokens = settlement.prompts.reduce(0, +)
        }
        entry.cachedTokens = min(entry.cachedTokens, entry.promptTokens)
        return entry
    }

    private static func entry(_ stray: Stray, timeMilliseconds: Int64) -> UsageEntry {
        let usage = stray.begin.usage
        var entry = UsageEntry(
            usageID: usage.id, requestID: stray.begin.billedRequestID,
            timeMilliseconds: timeMilliseconds,
            // Workers are not told the built-in one's name.
            tenant: stray.begin.tenant.isEmpty ? Owner.builtInTenant : stray.begin.tenant,
            keyID: usage.keyID, model: stray.begin.model, tier: stray.begin.tier.name)
        entry.application = usage.application
        let choices = (stray.positions.keys.max() ?? -1) + 1
        entry.positions = (0..<choices).map { stray.positions[$0] ?? 0 }
        for prompt in stray.prompts.values {
            entry.promptTokens += prompt.tokens
            entry.cachedTokens += prompt.cached
        }
        entry.finishReason = "interrupted"
        return entry
    }
}

extension UsageBook.Due {
    fileprivate init(_ entry: UsageEntry, _ tickets: [TicketID]) {
        self.init(entry: entry, tickets: tickets)
    }
}

extension JournalBegin {
    /// The request's own id: workers get it with the choice, and the attempt, behind it.
    fileprivate var billedRequestID: String {
        var parts = requestID.split(separator: "-", omittingEmptySubsequences: false)
        let choice = "\(usage.choice)"
        if parts.last.map(String.init) != choice, parts.count > 2,
            parts[parts.count - 2] == choice
        {
            parts.removeLast()
        }
        guard parts.count > 1, parts.last.map(String.init) == choice else { return requestID }
        return parts.dropLast().joined(separator: "-")
    }
}

enum UsageLimits {
    /// More choices than any request may have: a journal that says so is wrong.
    static let choices = 1 << 16
}
