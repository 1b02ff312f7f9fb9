import InferenceTypes
import Testing

@testable import Routing

/// Conversations on a small pool in modelled time: prefill one prompt at a time at a fixed rate,
/// then decode beside the others. Each worker keeps the prompts it prefilled last.
private struct ModelledPool {
    static let prefillRate = 2_000.0
    static let decodeSeconds = 1.0

    struct Outcome {
        var firstTokenSeconds: [Double] = []
        var cachedTokens = 0
        var promptTokens = 0
        var perWorker: [Int]

        var hitRate: Double { Double(cachedTokens) / Double(promptTokens) }
        func quantile(_ share: Double) -> Double {
            let sorted = firstTokenSeconds.sorted()
            return sorted[min(sorted.count - 1, Int(share * Double(sorted.count)))]
        }
        /// The busiest worker's requests over the mean.
        var imbalance: Double {
            Double(perWorker.max() ?? 0) * Double(perWorker.count) / Double(perWorker.reduce(0, +))
        }
    }

    private struct Event {
        enum Kind {
            case arrival(turn: Int)
            case prefilled(TicketID)
            case finished(TicketID, turn: Int)
        }

        var time: Double
        var order: Int
        var conversation: Int
        var kind: Kind
    }

    let policy: RoutingPolicy
    let workers: Int
    let turns: Int
    var fleet: Fleet
    private var events: [Event] = []
    private var orders = 0
    private var nextTicket: UInt64 = 0
    private var random: SeededGenerator
    /// When each worker's prefill queue is empty.
    private var idleAt: [Double]
    /// What each worker has really prefilled.
    private var caches: [Set<UInt64>]
    private var outcome: Outcome

    init(policy: RoutingPolicy, workers: Int, conversations: Int, turns: Int, seed: UInt64) {
        self.policy = policy
        self.workers = workers
        self.turns = turns
        random = SeededGenerator(seed: seed)
        fleet = Fleet(
            configuration: RoutingConfiguration(
                prefix: PrefixConfiguration(blockTokens: 32, capacityEntries: 16_384), seed: seed))
        idleAt = Array(repeating: 0, count: workers)
        caches = Array(repeating: [], count: workers)
        outcome = Outcome(perWorker: Array(repeating: 0, count: workers))
        let rates = WorkerRates(
            prefillSecondsPerToken: 1 / Self.prefillRate, slotSeconds: Self.decodeSeconds)
        for number in 0..<UInt32(workers) {
            fleet.add(WorkerID(number: number), slots: 8, rates: rates)
            fleet.setReady(WorkerID(number: number), true)
        }
        for conversation in 0..<conversations {
            let start = SeededGenerator.unit(seed: seed, counter: UInt64(conversation)) * 20
            schedule(start, conversation, .arrival(turn: 0))
        }
    }

    private mutating func schedule(_ time: Double, _ conversation: Int, _ kind: Event.Kind) {
        events.append(Event(time: time, order: orders, conversation: conversation, kind: kind))
        orders += 1
    }

    /// The system prompt of all, then the conversation's own turns; eight tenants share nothing.
    private func prompt(_ conversation: Int, turn: Int) -> PlacementRequest {
        let own = 200 * (turn + 1)
        let tokens =
            Array(repeating: TokenID(7), count: 256)
            + (0..<own).map {
                TokenID(
                    SeededGenerator.value(seed: UInt64(conversation), counter: UInt64($0)) % 30_000)
            }
        let blocks = PromptBlocks(
            tokens, salt: UInt64(conversation % 8), configuration: fleet.configuration.prefix)
        return PlacementRequest(
            promptTokens: tokens.count, outputTokens: 100, blocks: blocks,
            conversation: UInt64(conversation))
    }

    mutating func run() -> Outcome {
        while let index = events.indices.min(by: {
            (events[$0].time, events[$0].order) < (events[$1].time, events[$1].order)
        }) {
            let event = events.remove(at: index)
            switch event.kind {
            case .arrival(let turn): arrive(event.conversation, turn, event.time)
            case .prefilled(let ticket): fleet.prefillEnded(ticket)
            case .finished(let ticket, let turn):
                _ = fleet.release(ticket)
                if turn + 1 < turns {
                    let pause = Double.random(in: 0.5..<4, using: &random)
                    schedule(event.time + pause, event.conversation, .arrival(turn: turn + 1))
                }
            }
        }
        return outcome
    }

    private mutating func arrive(_ conversation: Int, _ turn: Int, _ now: Double) {
        let request = prompt(conversation, turn: turn)
        let ticket = TicketID(number: nextTicket)
        nextTicket += 1
        guard let worker = fleet.place(ticket, request, by: policy) else {
            schedule(now + 0.05, conversation, .arrival(turn: turn))
            return
        }
        let number = Int(worker.number)
        let hashes = request.blocks.hashes
        let cached = hashes.prefix { caches[number].contains($0) }.count * 32
        caches[number].formUnion(hashes)
        let start = max(now, idleAt[number])
        let first = start + Double(max(1, request.promptTokens - cached)) / Self.prefillRate
        idleAt[number] = first
        outcome.firstTokenSeconds.append(first - now)
        outcome.cachedTokens += cached
        outcome.promptTokens += request.promptTokens
        outcome.perWorker[number] += 1
        schedule(first, conversation, .prefilled(ticket))
        schedule(first + Self.decodeSeconds, conversation, .finished(ticket, turn: turn))
    }
}

@Suite struct PolicyComparisonTests {
    /// Six turns of 96 conversations of 8 tenants on four workers.
    @Test func costKeepsConversationsTogetherAndTheLoadEven() throws {
        var outcomes: [RoutingPolicy: ModelledPool.Outcome] = [:]
        for policy in RoutingPolicy.allCases {
            var pool = ModelledPool(
                policy: policy, workers: 4, conversations: 96, turns: 6, seed: 1)
            let outcome = pool.run()
            outcomes[policy] = outcome
            print(
                policy.rawValue, "hit", Int(100 * outcome.hitRate), "%, TTFT p50",
                Int(1_000 * outcome.quantile(0.5)), "ms, p99",
                Int(1_000 * outcome.quantile(0.99)), "ms, busiest over mean",
                Int(100 * outcome.imbalance), "%")
            #expect(outcome.firstTokenSeconds.count == 96 * 6)
        }
        let cost = try #require(outcomes[.cost])
        let turns = try #require(outcomes[.roundRobin])
        #expect(cost.hitRate > turns.hitRate + 0.2)
        #expect(cost.quantile(0.5) < 0.8 * turns.quantile(0.5))
        #expect(cost.quantile(0.99) < turns.quantile(0.99))
        #expect(cost.imbalance < 1.5)
    }
}
