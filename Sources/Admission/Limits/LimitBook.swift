package import InferenceTypes

/// Limits of keys, tenants and tenants' models: requests and tokens per minute, and requests at
/// once. A request reserves with all its scopes or with none, and settles once, when it has ended,
/// with what it really used. Memory goes with the scopes that have requests running or buckets not
/// full: others are forgotten. Owned by the dispatchers' loop.
package struct LimitBook: Sendable {
    private struct State {
        let scope: LimitScope
        var requests: TokenBucket?
        var tokens: TokenBucket?
        var running = 0
        /// How long a request lasts, on average, in nanoseconds.
        var meanDuration: Double?

        var isIdle: Bool {
            running == 0 && requests?.isFull ?? true && tokens?.isFull ?? true
        }
    }

    /// What a request has reserved. Given back by `settle` or `cancel`, once.
    package struct Reservation: Hashable, Sendable {
        package let scopes: [LimitScope]
        package let tokens: Int
        package let since: Instant
        fileprivate let number: UInt64
    }

    package enum Outcome: Hashable, Sendable {
        case granted(Reservation, RateStanding)
        case refused(LimitRefusal)
    }

    /// Weight of the newest duration in the mean.
    private static let durationWeight = 0.1
    /// What `retry-after` says at a concurrent limit before anything is known of durations.
    private static let defaultDurationNanoseconds = 1e9

    /// A limit's burst, as a part of a minute's; at least 1 permit.
    package var burstShare: Double
    private var states: [State] = []
    /// Looked up only, never iterated.
    private var numbers: [LimitScope: Int] = [:]
    /// Reservations that are not settled.
    private var open: Set<UInt64> = []
    private var reservations: UInt64 = 0
    /// Whose turn it is to be looked at, for being forgotten.
    private var hand = 0

    package init(burstShare: Double = 1.0 / 6) {
        precondition(burstShare > 0 && burstShare <= 1, "burstShare: \(burstShare)")
        self.burstShare = burstShare
    }

    /// Reservations that are not settled; 0 when nothing runs.
    package var reserved: Int { open.count }

    /// Scopes that are remembered.
    package var count: Int { states.count }

    private func burst(_ perMinute: Int) -> Int {
        max(1, Int(Double(perMinute) * burstShare))
    }

    // MARK: In

    /// Takes one request and its tokens from every limit, or nothing from any.
    ///
    /// - Parameter tokens: Of the prompt, and those that the answer will probably have.
    package mutating func reserve(
        _ limits: [(scope: LimitScope, limits: RateLimits)], tokens: Int, now: Instant
    ) -> Outcome {
        forgetSome(now)
        let tokens = max(0, tokens)
        let limited = limits.filter { $0.limits != .none }
        let found = limited.map { state(of: $0.scope, $0.limits, now) }
        var refusal: LimitRefusal?
        for (index, number) in found.enumerated() {
            let state = states[number]
            let limits = limited[index].limits
            func refuse(_ kind: LimitKind, _ limit: Int?, _ wait: Int64) {
                guard wait > 0, wait > refusal?.retryAfterNanoseconds ?? 0 else { return }
                refusal = LimitRefusal(
                    kind: kind, scope: state.scope, limit: limit ?? 0,
                    retryAfterNanoseconds: wait, standing: RateStanding())
            }
            refuse(
                .requestsPerMinute, limits.requestsPerMinute, state.requests?.wait(for: 1) ?? 0)
            refuse(.tokensPerMinute, limits.tokensPerMinute, state.tokens?.wait(for: tokens) ?? 0)
            guard let most = limits.concurrentRequests, state.running >= most else { continue }
            let mean = state.meanDuration ?? Self.defaultDurationNanoseconds
            refuse(
                .concurrentRequests, most,
                Int64(min(max(mean / Double(max(1, most)), 1e6), 600e9)))
        }
        if var refusal {
            refusal.standing = standing(found)
            return .refused(refusal)
        }
        for number in found {
            states[number].requests?.take(1)
            states[number].tokens?.take(tokens)
            states[number].running += 1
        }
        reservations += 1
        open.insert(reservations)
        let reservation = Reservation(
            scopes: limited.map(\.scope), tokens: tokens, since: now, number: reservations)
        return .granted(reservation, standing(found))
    }

    private mutating func state(of scope: LimitScope, _ limits: RateLimits, _ now: Instant) -> Int {
        let number = numbers[scope] ?? states.count
        if number == states.count {
            numbers[scope] = number
            states.append(State(scope: scope))
        }
        states[number].requests = updated(
            states[number].requests, to: limits.requestsPerMinute, now)
        states[number].tokens = updated(states[number].tokens, to: limits.tokensPerMinute, now)
        return number
    }

    private func updated(_ bucket: TokenBucket?, to perMinute: Int?, _ now: Instant) -> TokenBucket?
    {
        guard let perMinute else { return nil }
        precondition(perMinute > 0, "a limit of \(perMinute)")
        let burst = burst(perMinute)
        guard var bucket else { return TokenBucket(perMinute: perMinute, burst: burst, now: now) }
        bucket.set(perMinute: perMinute, burst: burst, now: now)
        bucket.fill(now)
        return bucket
    }

    private func standing(_ found: [Int]) -> RateStanding {
        var standing = RateStanding()
        for number in found {
            if let bucket = states[number].requests {
                standing.requests = .tighter(standing.requests, LimitStanding(bucket))
            }
            if let bucket = states[number].tokens {
                standing.tokens = .tighter(standing.tokens, LimitStanding(bucket))
            }
        }
        return standing
    }

    // MARK: Out

    /// The request has ended, having used so many tokens.
    package mutating func settle(_ reservation: Reservation, tokens: Int, now: Instant) {
        guard open.remove(reservation.number) != nil else { return }
        for scope in reservation.scopes {
            guard let number = numbers[scope] else { continue }
            let duration = Double(max(0, now.nanoseconds(since: reservation.since)))
            let mean = states[number].meanDuration ?? duration
            states[number].meanDuration = mean + Self.durationWeight * (duration - mean)
            end(number, tokens: reservation.tokens - tokens, now)
        }
    }

    /// The request was not let in after all, for another reason: as if it had not come.
    package mutating func cancel(_ reservation: Reservation, now: Instant) {
        guard open.remove(reservation.number) != nil else { return }
        for scope in reservation.scopes {
            guard let number = numbers[scope] else { continue }
            states[number].requests?.fill(now)
            states[number].requests?.giveBack(1)
            end(number, tokens: reservation.tokens, now)
        }
    }

    private mutating func end(_ number: Int, tokens: Int, _ now: Instant) {
        states[number].tokens?.fill(now)
        states[number].tokens?.giveBack(tokens)
        states[number].running -= 1
        precondition(states[number].running >= 0, "settled more than was reserved")
    }

    // MARK: Memory

    /// Scopes looked at for each request, which adds three at most.
    private static let looksPerRequest = 8

    private mutating func forgetSome(_ now: Instant) {
        for _ in 0..<Self.looksPerRequest where !states.isEmpty {
            hand = hand + 1 < states.count ? hand + 1 : 0
            states[hand].requests?.fill(now)
            states[hand].tokens?.fill(now)
            guard states[hand].isIdle else { continue }
            numbers[states[hand].scope] = nil
            let last = states.removeLast()
            guard hand < states.count else { continue }
            states[hand] = last
            numbers[last.scope] = hand
        }
    }

    /// Traps when a scope is misplaced or something is reserved that nobody has.
    package func checkInvariants() {
        precondition(numbers.count == states.count, "scopes miscounted")
        for (number, state) in states.enumerated() {
            precondition(numbers[state.scope] == number, "scope misplaced")
            precondition(!open.isEmpty || state.running == 0, "reserved by nobody")
        }
    }
}

extension LimitStanding {
    fileprivate init(_ bucket: TokenBucket) {
        self.init(
            limit: bucket.perMinute, remaining: bucket.remaining,
            resetNanoseconds: bucket.resetNanoseconds)
    }
}
