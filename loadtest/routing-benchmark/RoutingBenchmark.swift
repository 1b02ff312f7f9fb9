import InferenceTypes
import Routing

/// `routing-benchmark [--decisions N] [--entries N] [--blocks N] [--policy NAME] [--records N]
/// [WORKERS …]`: how long one routing decision takes and how large the router's state is, by number
/// of workers. With `--records` each decision makes a record, of which the last N are kept.
///
/// A decision is what the gateway does for one request: hash the prompt's blocks, find candidates,
/// choose, count the load and insert the prompt's blocks. Half of the prompts go on where an
/// earlier one ended, the others are new.
@main
struct RoutingBenchmark {
    var decisions = 200_000
    var entries = 1 << 20
    var promptBlocks = 24
    var policy = RoutingPolicy.cost
    /// Decision records that are kept; 0: none are made.
    var records = 0
    var fleets: [Int] = []

    static func main() {
        var benchmark = RoutingBenchmark()
        guard benchmark.parse(CommandLine.arguments.dropFirst()) else {
            print(
                "usage: routing-benchmark [--decisions N] [--entries N] [--blocks N]",
                "[--policy \(RoutingPolicy.allCases.map(\.rawValue).joined(separator: "|"))]",
                "[--records N] [WORKERS ...]")
            return
        }
        print(
            "\(benchmark.policy.rawValue), \(benchmark.decisions) decisions,",
            "\(benchmark.promptBlocks) blocks of 64 tokens, \(benchmark.entries) index entries,",
            "\(benchmark.records) records")
        print("workers  hash p50  p99  choose p50  p99  both p50  p99  p999 us  state")
        for workers in benchmark.fleets.isEmpty ? [1_000, 10_000, 100_000] : benchmark.fleets {
            benchmark.run(workers: workers)
        }
    }

    private mutating func parse(_ arguments: ArraySlice<String>) -> Bool {
        var rest = arguments
        while let argument = rest.popFirst() {
            if argument.hasPrefix("--") {
                guard let value = rest.popFirst() else { return false }
                switch (argument, Int(value), RoutingPolicy(rawValue: value)) {
                case ("--decisions", let number?, _) where number > 0: decisions = number
                case ("--entries", let number?, _) where number > 0: entries = number
                case ("--blocks", let number?, _) where number > 0: promptBlocks = number
                case ("--records", let number?, _) where number >= 0: records = number
                case ("--policy", _, let policy?): self.policy = policy
                default: return false
                }
            } else {
                guard let count = Int(argument), count > 0 else { return false }
                fleets.append(count)
            }
        }
        return true
    }

    private func run(workers: Int) {
        let prefix = PrefixConfiguration(capacityEntries: entries)
        var fleet = Fleet(configuration: RoutingConfiguration(prefix: prefix, seed: 1))
        for number in 0..<UInt32(workers) {
            fleet.add(WorkerID(number: number), slots: 16)
            fleet.setReady(WorkerID(number: number), true)
        }
        var times: [(hash: Int64, choose: Int64)] = []
        times.reserveCapacity(decisions)
        var kept: [DecisionRecord] = []
        kept.reserveCapacity(records)
        let clock = ContinuousClock()
        // As many at once as fill half of the slots, or as many as half of the decisions place.
        let atOnce = min(workers * 8, decisions / 2)
        for number in 0..<(atOnce + decisions) {
            let prompt = prompt(number)
            let start = clock.now
            let blocks = PromptBlocks(prompt, salt: 1, configuration: prefix)
            let hashed = clock.now
            let request = PlacementRequest(
                promptTokens: prompt.count, outputTokens: 200, blocks: blocks)
            let ticket = TicketID(number: UInt64(number))
            if records == 0 {
                guard fleet.place(ticket, request, by: policy) != nil else { Self.full() }
            } else {
                guard let record = fleet.placeRecording(ticket, request, by: policy) else {
                    Self.full()
                }
                if kept.count < records {
                    kept.append(record)
                } else {
                    kept[number % records] = record
                }
            }
            let end = clock.now
            guard number >= atOnce else { continue }
            times.append((nanoseconds(hashed - start), nanoseconds(end - hashed)))
            _ = fleet.release(TicketID(number: UInt64(number - atOnce)))
        }
        report(workers, fleet, times)
    }

    private static func full() -> Never {
        preconditionFailure("the fleet is full")
    }

    /// The first blocks of an odd prompt are all of the prompt before it but its last quarter.
    private func prompt(_ number: Int) -> [TokenID] {
        let seed = UInt64(number & ~1)
        let shared = number & 1 == 1 ? promptBlocks * 3 / 4 * 64 : 0
        return (0..<(promptBlocks * 64)).map { index in
            let source = index < shared ? seed : UInt64(number)
            return TokenID(SeededGenerator.value(seed: source, counter: UInt64(index)) % 50_000)
        }
    }

    private func nanoseconds(_ duration: Duration) -> Int64 {
        duration.components.seconds * 1_000_000_000
            + duration.components.attoseconds / 1_000_000_000
    }

    private func report(
        _ workers: Int, _ fleet: Fleet, _ times: [(hash: Int64, choose: Int64)]
    ) {
        let hash = times.map(\.hash).sorted()
        let choose = times.map(\.choose).sorted()
        let both = times.map { $0.hash + $0.choose }.sorted()
        func micros(_ sorted: [Int64], _ share: Double) -> String {
            let nanoseconds = sorted[min(sorted.count - 1, Int(share * Double(sorted.count)))]
            return "\(nanoseconds / 1_000).\(nanoseconds / 100 % 10)"
        }
        let passed = fleet.prefixes.replacements + UInt64(fleet.prefixes.count)
        print(
            workers, micros(hash, 0.5), micros(hash, 0.99), micros(choose, 0.5),
            micros(choose, 0.99), micros(both, 0.5), micros(both, 0.99), micros(both, 0.999),
            fleet.bytes >> 20, "MB,", passed, "prefixes passed", separator: "  ")
    }
}
