import InferenceTypes
import Testing

@testable import Admission

private func at(_ seconds: Double) -> Instant { Instant(nanoseconds: Int64(seconds * 1e9)) }
private let tenant = LimitScope.tenant(TenantNumber(1))
private let key = LimitScope.key(KeyNumber(1))

extension LimitBook {
    fileprivate mutating func reserve(
        _ scope: LimitScope, _ limits: RateLimits, tokens: Int = 0, at now: Instant
    ) -> Outcome {
        reserve([(scope, limits)], tokens: tokens, now: now)
    }
}

extension LimitBook.Outcome {
    fileprivate var reservation: LimitBook.Reservation? {
        if case .granted(let reservation, _) = self { reservation } else { nil }
    }
    fileprivate var standing: RateStanding {
        switch self {
        case .granted(_, let standing): standing
        case .refused(let refusal): refusal.standing
        }
    }
    fileprivate var refusal: LimitRefusal? {
        if case .refused(let refusal) = self { refusal } else { nil }
    }
}

@Suite struct LimitBookTests {
    @Test func admitsTheBurstThenTheRate() {
        var book = LimitBook()
        let limits = RateLimits(requestsPerMinute: 60)
        for left in (0..<10).reversed() {
            let outcome = book.reserve(tenant, limits, at: at(0))
            #expect(outcome.reservation != nil)
            #expect(
                outcome.standing.requests
                    == LimitStanding(
                        limit: 60, remaining: left,
                        resetNanoseconds: Int64(10 - left) * 1_000_000_000))
        }
        let refusal = book.reserve(tenant, limits, at: at(0)).refusal
        #expect(refusal?.kind == .requestsPerMinute && refusal?.scope == tenant)
        #expect(refusal?.retryAfterNanoseconds == 1_000_000_000)
        #expect(book.reserve(tenant, limits, at: at(0.999)).refusal != nil)
        #expect(book.reserve(tenant, limits, at: at(1)).reservation != nil)
    }

    @Test func tokensAreReservedAndSettledWithWhatWasUsed() {
        var book = LimitBook()
        let limits = RateLimits(tokensPerMinute: 6_000)
        guard let first = book.reserve(tenant, limits, tokens: 900, at: at(0)).reservation else {
            Issue.record("refused")
            return
        }
        let refusal = book.reserve(tenant, limits, tokens: 200, at: at(0)).refusal
        #expect(refusal?.kind == .tokensPerMinute)
        #expect(refusal?.retryAfterNanoseconds == 1_000_000_000)
        book.settle(first, tokens: 100, now: at(0))
        // Twice is once.
        book.settle(first, tokens: 0, now: at(0))
        #expect(book.reserve(tenant, limits, tokens: 900, at: at(0)).reservation != nil)
        #expect(book.reserve(tenant, limits, tokens: 1, at: at(0)).refusal != nil)
    }

    @Test func aRequestLargerThanTheBurstNeedsAFullBucketAndIsPaidOff() {
        var book = LimitBook()
        let limits = RateLimits(tokensPerMinute: 600)
        #expect(book.reserve(tenant, limits, tokens: 400, at: at(0)).reservation != nil)
        let refusal = book.reserve(tenant, limits, tokens: 10, at: at(0)).refusal
        #expect(refusal?.retryAfterNanoseconds == 31_000_000_000)
        #expect(refusal?.standing.tokens?.remaining == 0)
    }

    @Test func theTightestScopeDecidesAndRefusalsCostNothing() {
        var book = LimitBook()
        let scopes: [(scope: LimitScope, limits: RateLimits)] = [
            (key, RateLimits(requestsPerMinute: 6)), (tenant, RateLimits(requestsPerMinute: 60)),
            (.model(TenantNumber(1), "m"), RateLimits(requestsPerMinute: 600)),
        ]
        #expect(book.reserve(scopes, tokens: 0, now: at(0)).reservation != nil)
        for _ in 0..<100 {
            let refusal = book.reserve(scopes, tokens: 0, now: at(0)).refusal
            #expect(refusal?.scope == key && refusal?.limit == 6)
        }
        let tenantLeft = book.reserve(tenant, RateLimits(requestsPerMinute: 60), at: at(0))
        #expect(tenantLeft.standing.requests?.remaining == 8)
    }

    @Test func concurrentRequestsAreFreedByTheirEnd() {
        var book = LimitBook()
        let limits = RateLimits(concurrentRequests: 2)
        let first = book.reserve(key, limits, at: at(0)).reservation
        let second = book.reserve(key, limits, at: at(0)).reservation
        #expect(book.reserve(key, limits, at: at(0)).refusal?.kind == .concurrentRequests)
        guard let first, let second else { return }
        book.settle(first, tokens: 0, now: at(4))
        #expect(book.reserve(key, limits, at: at(4)).reservation != nil)
        // Two run, each for about 4 s.
        #expect(
            book.reserve(key, limits, at: at(4)).refusal?.retryAfterNanoseconds == 2_000_000_000)
        book.cancel(second, now: at(4))
        #expect(book.reserve(key, limits, at: at(4)).reservation != nil)
    }

    @Test func aCancelledReservationIsAsIfItHadNotCome() {
        var book = LimitBook()
        let limits = RateLimits(requestsPerMinute: 6, tokensPerMinute: 60)
        for _ in 0..<100 {
            guard let one = book.reserve(tenant, limits, tokens: 10, at: at(0)).reservation else {
                Issue.record("refused")
                return
            }
            book.cancel(one, now: at(0))
        }
        #expect(book.reserved == 0)
    }

    @Test func idleScopesAreForgotten() {
        var book = LimitBook()
        let limits = RateLimits(requestsPerMinute: 600, tokensPerMinute: 60_000)
        for number in 0..<20_000 as Range<UInt32> {
            let now = at(Double(number) / 100)
            let outcome = book.reserve(
                .key(KeyNumber(number)), limits, tokens: 50, at: now)
            if let one = outcome.reservation { book.settle(one, tokens: 50, now: now) }
        }
        #expect(book.count < 200)
        book.checkInvariants()
    }

    @Test func withoutLimitsNothingIsKept() {
        var book = LimitBook()
        let outcome = book.reserve(tenant, .none, tokens: 1_000_000, at: at(0))
        #expect(outcome.reservation != nil && outcome.standing == RateStanding())
        #expect(book.count == 0)
    }

    /// Random bursts at the edge of each limit: never more than burst + rate * window + 1, and
    /// whoever obeys `retryAfter` alone is let in.
    @Test(arguments: 0..<20 as Range<UInt64>)
    func neverAdmitsMoreThanTheBurstAndTheRate(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var book = LimitBook(burstShare: Double.random(in: 0.02...1, using: &random))
        let limits = RateLimits(
            requestsPerMinute: Int.random(in: 1...5_000, using: &random),
            tokensPerMinute: Int.random(in: 100...500_000, using: &random),
            concurrentRequests: Int.random(in: 1...40, using: &random))
        let perMinute = Double(limits.requestsPerMinute ?? 0)
        let tokensPerMinute = Double(limits.tokensPerMinute ?? 0)
        let burst = max(1, (perMinute * book.burstShare).rounded(.down))
        let tokenBurst = max(1, (tokensPerMinute * book.burstShare).rounded(.down))
        var running: [(LimitBook.Reservation, used: Int)] = []
        var admitted: [(time: Double, tokens: Int)] = []
        var now = at(0)
        for _ in 0..<2_000 {
            now = now.advanced(
                byNanoseconds: Int64.random(in: 0..<60_000_000, using: &random)
                    * Int64.random(in: 0...3, using: &random))
            let most = max(1, min(200, Int(tokenBurst)))
            let tokens = Int.random(in: 1...most, using: &random)
            switch book.reserve([(key, limits)], tokens: tokens, now: now) {
            case .granted(let reservation, _):
                let used = Int.random(in: 0...tokens, using: &random)
                running.append((reservation, used))
                admitted.append((Double(now.nanoseconds) / 1e9, used))
                #expect(running.count <= limits.concurrentRequests ?? 0)
            case .refused(let refusal):
                guard refusal.kind != .concurrentRequests, running.isEmpty else { break }
                now = now.advanced(byNanoseconds: refusal.retryAfterNanoseconds)
                let again = book.reserve([(key, limits)], tokens: tokens, now: now)
                guard let one = again.reservation else {
                    Issue.record("refused after its retry-after")
                    break
                }
                book.cancel(one, now: now)
            }
            if Int.random(in: 0..<3, using: &random) > 0, !running.isEmpty {
                let (one, used) = running.remove(
                    at: Int.random(in: 0..<running.count, using: &random))
                book.settle(one, tokens: used, now: now)
            }
        }
        for (first, start) in admitted.enumerated().filter({ $0.offset % 7 == 0 }) {
            var tokens = 0
            for (last, end) in admitted.enumerated().dropFirst(first) {
                let window = end.time - start.time
                tokens += end.tokens
                #expect(Double(last - first + 1) <= burst + perMinute / 60 * window + 1)
                #expect(Double(tokens) <= tokenBurst + tokensPerMinute / 60 * window + 1)
            }
        }
        for (one, used) in running { book.settle(one, tokens: used, now: now) }
        #expect(book.reserved == 0)
        book.checkInvariants()
    }

    @Test func nothingLeaksAfterManyRefusedAndAbortedRequests() {
        var random = SeededGenerator(seed: 1)
        var book = LimitBook()
        let limits = RateLimits(
            requestsPerMinute: 100, tokensPerMinute: 10_000, concurrentRequests: 4)
        var running: [LimitBook.Reservation] = []
        var now = at(0)
        for _ in 0..<10_000 {
            now = now.advanced(byNanoseconds: 10_000_000)
            let number = UInt32.random(in: 0..<3, using: &random)
            if let one = book.reserve(
                .tenant(TenantNumber(number)), limits, tokens: 300, at: now
            ).reservation {
                running.append(one)
            }
            guard Bool.random(using: &random), let one = running.popLast() else { continue }
            if Bool.random(using: &random) {
                book.cancel(one, now: now)
            } else {
                book.settle(one, tokens: 30, now: now)
            }
        }
        for one in running { book.settle(one, tokens: 0, now: now) }
        #expect(book.reserved == 0)
        book.checkInvariants()
        let later = now.advanced(byNanoseconds: 600_000_000_000)
        for _ in 0..<10 { _ = book.reserve(key, .none, at: later) }
        #expect(book.count == 0)
    }
}
