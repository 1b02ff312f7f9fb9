import Admission
import InferenceTypes

/// Decisions at one depth of the queue.
struct AdmissionRun {
    private let benchmark: AdmissionBenchmark
    private let queued: Int
    private let claims: [AdmissionQueue.Claim]
    private var queue: AdmissionQueue
    private var limits = LimitBook()
    private var predictor = WaitPredictor()
    private var random = SeededGenerator(seed: 1)
    private var now = Instant(nanoseconds: 1_000_000_000)
    private var issued: UInt64 = 0
    /// By ticket number.
    private var reservations: [LimitBook.Reservation?] = []
    private var costs: [Int64] = []
    private let clock = ContinuousClock()

    init(_ benchmark: AdmissionBenchmark, queued: Int) {
        self.benchmark = benchmark
        self.queued = queued
        queue = AdmissionQueue(
            configuration: AdmissionConfiguration(queueLimitTickets: .max / 2), now: now)
        queue.workersReady(true, now: now)
        var random = SeededGenerator(seed: 2)
        claims = (0..<UInt32(benchmark.tenants)).map {
            AdmissionQueue.Claim(
                tenant: TenantNumber($0),
                share: TenantShare(
                    weight: Double.random(in: 0.5...4, using: &random),
                    guaranteed: $0 % 100 == 0 ? 0.001 : 0, maximum: $0 % 10 == 0 ? 0.5 : 1))
        }
    }

    private func tenant(_ ticket: UInt64) -> Int {
        Int(SeededGenerator.value(seed: 3, counter: ticket) % UInt64(claims.count))
    }

    private func tier(_ ticket: UInt64) -> ServiceTier { ticket % 5 == 0 ? .priority : .standard }

    private mutating func reserve() {
        let number = UInt32(tenant(issued))
        let outcome = limits.reserve(
            [
                (.key(KeyNumber(number)), RateLimits(requestsPerMinute: 1_000_000)),
                (
                    .tenant(TenantNumber(number)),
                    RateLimits(tokensPerMinute: 1_000_000_000, concurrentRequests: 1_000_000)
                ),
            ], tokens: 300, now: now)
        guard case .granted(let reservation, _) = outcome else {
            preconditionFailure("a limit that is never reached was reached")
        }
        reservations.append(reservation)
    }

    private mutating func submit() {
        let cost = Int64.random(in: 1_000_000..<100_000_000, using: &random)
        costs.append(cost)
        let work = AdmissionQueue.Work(TicketID(number: issued), nanoseconds: cost)
        let claim = claims[tenant(issued)]
        let place = queue.place(work, of: claim, tier: tier(issued))
        let wait = predictor.predict(aheadNanoseconds: place.aheadNanoseconds, workers: 8)
        precondition(wait.medianNanoseconds > 0)
        let outcome = queue.submit(
            [work], of: claim, tier: tier(issued), deadline: nil, now: now)
        precondition(outcome == .queued)
        issued += 1
    }

    private mutating func handOut() -> TicketID {
        guard let ticket = queue.next(now: now) else { preconditionFailure("nobody waits") }
        let cost = costs[Int(ticket.number)]
        predictor.handedOut(nanoseconds: cost, now: now)
        queue.charge(
            cost / 10, to: claims[tenant(ticket.number)].tenant, tier: tier(ticket.number))
        return ticket
    }

    private mutating func settle(_ ticket: TicketID) {
        guard let reservation = reservations[Int(ticket.number)] else { return }
        limits.settle(reservation, tokens: 200, now: now)
        reservations[Int(ticket.number)] = nil
    }

    mutating func decide() {
        reservations.reserveCapacity(queued + benchmark.decisions)
        costs.reserveCapacity(queued + benchmark.decisions)
        for _ in 0..<queued {
            reserve()
            submit()
        }
        predictor.placed(stillWaiting: true, now: now)
        var times: [(admit: Int64, handOut: Int64)] = []
        times.reserveCapacity(benchmark.decisions)
        for _ in 0..<benchmark.decisions {
            now = now.advanced(byNanoseconds: 10_000)
            let start = clock.now
            reserve()
            submit()
            let submitted = clock.now
            settle(handOut())
            times.append((nanoseconds(submitted - start), nanoseconds(clock.now - submitted)))
        }
        let admit = times.map(\.admit).sorted()
        let handOut = times.map(\.handOut).sorted()
        let both = times.map { $0.admit + $0.handOut }.sorted()
        func micros(_ sorted: [Int64], _ share: Double) -> String {
            let nanoseconds = sorted[min(sorted.count - 1, Int(share * Double(sorted.count)))]
            let hundredths = nanoseconds % 1_000 / 10
            return "\(nanoseconds / 1_000).\(hundredths < 10 ? "0" : "")\(hundredths)"
        }
        print(
            queued, micros(admit, 0.5), micros(admit, 0.99), micros(handOut, 0.5),
            micros(handOut, 0.99), micros(both, 0.5), micros(both, 0.99), micros(both, 0.999),
            separator: "  ")
    }

    private func nanoseconds(_ duration: Duration) -> Int64 {
        duration.components.seconds * 1_000_000_000
            + duration.components.attoseconds / 1_000_000_000
    }
}
