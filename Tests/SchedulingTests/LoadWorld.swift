import InferenceTypes

@testable import Scheduling

/// A worker under load in virtual time: arrivals at given instants, and what their callers saw.
struct LoadWorld {
    struct Arrival {
        var at: Int64
        var tier: ServiceTier
        var tenant = ""
        var weight = 1.0
        var prompt: Int
        var output: Int
    }

    struct Seen {
        var arrival: Arrival
        var first: Int64?
        var last: Int64 = 0
        var gaps: [Int64] = []
        var isDone = false
    }

    private(set) var scheduler: Scheduler
    private var engine: SimulatedEngine
    private(set) var now: Int64 = 0
    private(set) var seen: [Seen] = []
    private var arrivals: [Arrival]
    private var next = 0

    init(
        _ configuration: SchedulerConfiguration, properties: EngineProperties,
        time: StepTimeModel, arrivals: [Arrival]
    ) throws {
        scheduler = try Scheduler(configuration: configuration, engine: properties)
        engine = SimulatedEngine(
            .init(
                properties: properties,
                generation: .init(tokens: 10..<1000, endOfGenerationToken: 2), time: time,
                verifiesPlans: false))
        self.arrivals = arrivals.sorted { $0.at < $1.at }
    }

    /// Runs until an instant; `refill` may submit more before each step.
    mutating func run(
        until end: Int64, refill: (inout LoadWorld) throws -> Void = { _ in }
    ) throws {
        while now < end {
            while next < arrivals.count, arrivals[next].at <= now {
                try submit(arrivals[next])
                next += 1
            }
            try refill(&self)
            if try !step() {
                guard next < arrivals.count else { return }
                now = max(now, arrivals[next].at)
            }
        }
    }

    /// Whether a request waits or runs.
    var hasWork: Bool { scheduler.load.waiting + scheduler.load.running > 0 }

    mutating func submit(_ arrival: Arrival) throws {
        var sampling = SamplingParameters()
        sampling.maxTokens = arrival.output
        let key = SequenceKey(UInt64(seen.count))
        var request = GenerationRequest(
            id: "\(key.rawValue)",
            prompt: SchedulingTests.prompt(UInt64(seen.count), arrival.prompt), sampling: sampling)
        request.tier = arrival.tier
        request.tenant = arrival.tenant
        request.tenantWeight = arrival.weight
        seen.append(Seen(arrival: arrival))
        try scheduler.submit(request, key: key, now: Instant(nanoseconds: now))
    }

    private mutating func step() throws -> Bool {
        guard let plan = scheduler.schedule(now: Instant(nanoseconds: now)) else { return false }
        let result = try engine.execute(plan)
        now += result.durationNanoseconds
        for event in scheduler.complete(plan, result, now: Instant(nanoseconds: now)) {
            let index = Int(event.key.rawValue)
            switch event {
            case .token:
                if seen[index].first == nil {
                    seen[index].first = now
                } else {
                    seen[index].gaps.append(now - seen[index].last)
                }
                seen[index].last = now
            case .finished: seen[index].isDone = true
            default: break
            }
        }
        return true
    }

    // MARK: What callers saw

    /// Milliseconds.
    func firstTokens(_ isMeant: (Arrival) -> Bool) -> Quantiles {
        Quantiles(
            seen.compactMap { seen in
                isMeant(seen.arrival) ? seen.first.map { $0 - seen.arrival.at } : nil
            })
    }

    /// Milliseconds.
    func gaps(_ isMeant: (Arrival) -> Bool) -> Quantiles {
        Quantiles(seen.flatMap { isMeant($0.arrival) ? $0.gaps : [] })
    }

    func tokens(_ isMeant: (Arrival) -> Bool) -> Int {
        seen.reduce(0) { sum, seen in
            isMeant(seen.arrival) && seen.first != nil ? sum + seen.gaps.count + 1 : sum
        }
    }
}

/// Of durations in nanoseconds, in milliseconds.
struct Quantiles {
    private let sorted: [Int64]

    init(_ values: [Int64]) { sorted = values.sorted() }

    var count: Int { sorted.count }
    var p50: Double { self[0.5] }
    var p99: Double { self[0.99] }

    subscript(part: Double) -> Double {
        guard !sorted.isEmpty else { return .nan }
        return Double(sorted[min(sorted.count - 1, Int(part * Double(sorted.count)))]) / 1e6
    }
}

/// Poisson arrivals from a seed.
func poisson(
    _ seed: UInt64, perSecond rate: Double, until end: Int64,
    _ make: (Int64, inout SeededGenerator) -> LoadWorld.Arrival
) -> [LoadWorld.Arrival] {
    var random = SeededGenerator(seed: seed)
    var at = 0.0
    var arrivals: [LoadWorld.Arrival] = []
    while true {
        // The sum of many small chances: no logarithm without Foundation is needed.
        var steps = 1
        while Double.random(in: 0..<1, using: &random) > 0.01 { steps += 1 }
        at += Double(steps) * 0.01 / rate * 1e9
        guard Int64(at) < end else { return arrivals }
        arrivals.append(make(Int64(at), &random))
    }
}
