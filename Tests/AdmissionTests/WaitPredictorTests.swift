import InferenceTypes
import Testing

@testable import Admission

private func at(_ seconds: Double) -> Instant { Instant(nanoseconds: Int64(seconds * 1e9)) }

@Suite struct WaitPredictorTests {
    @Test func theRateIsWhatIsHandedOutWhileSomebodyWaits() {
        var predictor = WaitPredictor()
        #expect(predictor.rate(workers: 3) == 3)
        predictor.placed(stillWaiting: true, now: at(0))
        for second in 1...20 {
            predictor.handedOut(nanoseconds: 2_000_000_000, now: at(Double(second)))
        }
        predictor.placed(stillWaiting: false, now: at(20))
        // Nobody waits: what is handed out says nothing.
        for _ in 0..<100 { predictor.handedOut(nanoseconds: 1, now: at(100)) }
        #expect(abs(predictor.rate(workers: 3) - 2) < 0.1)
        let prediction = predictor.predict(aheadNanoseconds: 10e9, workers: 3)
        #expect(abs(prediction.rawNanoseconds - 5e9) < 0.3e9)
    }

    @Test func thoseWhoAreRefusedTogetherComeBackOneByOne() {
        var predictor = WaitPredictor()
        let first = predictor.retryAfter(
            excess: 0, nanoseconds: 1_000_000_000, workers: 1, now: at(0))
        let second = predictor.retryAfter(
            excess: 0, nanoseconds: 1_000_000_000, workers: 1, now: at(0))
        #expect(first == 1_100_000_000 && second == 2_200_000_000)
        let later = predictor.retryAfter(
            excess: 5_000_000_000, nanoseconds: 1_000_000_000, workers: 1, now: at(10))
        #expect(later == 6_100_000_000)
        for _ in 0..<1_000 {
            let wait = predictor.retryAfter(
                excess: 0, nanoseconds: 1_000_000_000, workers: 1, now: at(10))
            #expect(wait <= WaitPredictor.retryAfterLimitNanoseconds)
        }
    }

    /// A pool of slots under a changing load, its costs predicted badly: the p90 holds in 85-95 %.
    @Test(arguments: 0..<10 as Range<UInt64>)
    func nineInTenWaitNoLongerThanPredicted(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var queue = AdmissionQueue(
            configuration: AdmissionConfiguration(queueLimitTickets: 100_000), now: at(0))
        queue.workersReady(true, now: at(0))
        var predictor = WaitPredictor()
        var predictions: [TicketID: (WaitPrediction, Instant)] = [:]
        var costs: [TicketID: (predicted: Int64, actual: Int64)] = [:]
        /// When each slot is free.
        var slots = Array(repeating: Instant.zero, count: 4)
        var now = at(0)
        var (kept, measured) = (0, 0)
        var number: UInt64 = 0
        let bias = Double.random(in: 0.3...3, using: &random)
        while measured < 3_000 {
            let load = number / 400 % 2 == 0 ? 1.3 : 0.7
            let gap =
                -Double(250_000_000) / load * log(Double.random(in: 0.000_1..<1, using: &random))
            now = now.advanced(byNanoseconds: Int64(gap))
            // Slots that became free since then, in order.
            while let free = slots.indices.min(by: { slots[$0] < slots[$1] }), slots[free] <= now,
                !queue.isEmpty
            {
                let time = slots[free]
                let ready = max(time, now.advanced(byNanoseconds: -Int64(gap)))
                guard let ticket = queue.next(now: ready), let cost = costs[ticket] else { break }
                predictor.handedOut(nanoseconds: cost.predicted, now: ready)
                predictor.placed(stillWaiting: !queue.isEmpty, now: ready)
                slots[free] = ready.advanced(byNanoseconds: cost.actual)
                guard let (prediction, since) = predictions[ticket] else { continue }
                let waited = ready.nanoseconds(since: since)
                if number > 200 {
                    measured += 1
                    if waited <= prediction.p90Nanoseconds { kept += 1 }
                }
                predictor.observe(prediction, actualNanoseconds: waited)
            }
            number += 1
            let ticket = TicketID(number: number)
            let predicted = Int64.random(in: 200_000_000...1_800_000_000, using: &random)
            costs[ticket] = (
                predicted,
                Int64(
                    Double(predicted) * bias * Double.random(in: 0.2...1.8, using: &random) / bias)
            )
            let work = AdmissionQueue.Work(
                ticket, nanoseconds: Int64(Double(predicted) * bias))
            costs[ticket]?.predicted = work.nanoseconds
            let tenant = UInt32.random(in: 0..<3, using: &random)
            let claim = AdmissionQueue.Claim(tenant: TenantNumber(tenant), share: .equal)
            if let free = slots.indices.first(where: { slots[$0] <= now }), queue.isEmpty {
                slots[free] = now.advanced(byNanoseconds: costs[ticket]?.actual ?? 0)
                continue
            }
            let place = queue.place(work, of: claim, tier: .standard)
            predictions[ticket] = (
                predictor.predict(aheadNanoseconds: place.aheadNanoseconds, workers: 4), now
            )
            _ = queue.submit([work], of: claim, tier: .standard, deadline: nil, now: now)
            predictor.placed(stillWaiting: true, now: now)
        }
        let share = Double(kept) / Double(measured)
        #expect((0.85...0.95).contains(share), "\(share) of \(measured)")
    }

    /// `-x ln u`, without Foundation: by the series of artanh.
    private func log(_ value: Double) -> Double {
        var (value, doublings) = (value, 0.0)
        while value < 0.7 {
            value *= 2
            doublings -= 1
        }
        let ratio = (value - 1) / (value + 1)
        var (term, sum) = (ratio, 0.0)
        for power in stride(from: 1.0, to: 30, by: 2) {
            sum += term / power
            term *= ratio * ratio
        }
        return 2 * sum + doublings * 0.693_147_180_559_945_3
    }
}
