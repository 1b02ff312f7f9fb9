package import InferenceTypes

/// Limits of keys, tenants and tenants' models: requests and tokens per minute, and requests at
/// once. A request reserves with all its scopes or with none, and settles once, when it has ended,
/// with what it really used. Memory goes with the scopes that have requests running or buckets not
/// full: others are forgotten. Owned by the dispatchers' loop.
package struct LimitBook: Sendable {
    private struct State {
        /// Nil: forgotten, and free for another scope.
        var scope: LimitScope?
        var requests: TokenBucket?
        var tokens: TokenBucket?
        /// The concurrent limit that it was last asked with.
        var most: Int?
        var running = 0
        /// How long a request lasts, on average, in nanoseconds.
        var meanDuration: Double?

        var isIdle: Bool {
            running == 0 && requests?.isFull ?? true && tokens?.isFull ?? true
        }
    }

    /// Most scopes of one request.
    package static let scopesMax = 4

    /// What a request has reserved. Given back by `settle` or `cancel`, once.
    package struct Reservation: Hashable, Sendable {
        package let tokens: Int
        package let since: Instant
        /// Of its states, which stay where they are while something is reserved; -1: none.
        fileprivate let slots: SIMD4<Int32>
        /// In `open`, where it is the one of this number.
        fileprivate let place: Int
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
    private var freeSlots: [Int] = []
    /// Looked up only, never iterated.
    private var slots: [LimitScope: Int] = [:]
    /// Numbers of the reservations that are not settled; 0: none.
    private var open: [UInt64] = []
    private var freePlaces: [Int] = []
    private var reservations: UInt64 = 0
    /// Whose turn it is to be looked at, for being forgotten.
    private var hand = 0

    package init(burstShare: Double = 1.0 / 6) {
        precondition(burstShare > 0 && burstShare <= 1, "burstShare: \(burstShare)")
        self.burstShare = burstShare
    }

    /// Reservations that are not settled; 0 when nothing runs.
    package var reserved: Int { open.count - freePlaces.count }

    /// Scopes that are remembered.
    package var count: Int { slots.count }

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
        var found = SIMD4<Int32>(repeating: -1)
        var count = 0
        for (scope, limits) in limits where limits != .none {
            precondition(count < Self.scopesMax, "too many scopes")
            found[count] = Int32(state(of: scope, limits, now))
            count += 1
        }
        if let refusal = refusal(found, count, tokens: tokens) { return .refused(refusal) }
        for index in 0..<count {
            let slot = Int(found[index])
            states[slot].requests?.take(1)
            states[slot].tokens?.take(tokens)
            states[slot].running += 1
        }
        reservations += 1
        let place = freePlaces.popLast() ?? open.count
        if place == open.count { open.append(0) }
        open[place] = reservations
        let reservation = Reservation(
            tokens: tokens, since: now, slots: found, place: place, number: reservations)
        return .granted(reservation, standing(found, count))
    }

    /// Of the limit that takes longest.
    private func refusal(_ found: SIMD4<Int32>, _ count: Int, tokens: Int) -> LimitRefusal? {
        var longest: (wait: Int64, kind: LimitKind, limit: Int, slot: Int)?
        func look(_ wait: Int64, _ kind: LimitKind, _ limit: Int, _ slot: Int) {
            guard wait > longest?.wait ?? 0 else { return }
            longest = (wait, kind, limit, slot)
        }
        for index in 0..<count {
            let slot = Int(found[index])
            if let bucket = states[slot].requests {
                look(bucket.wait(for: 1), .requestsPerMinute, bucket.perMinute, slot)
            }
            if let bucket = states[slot].tokens {
                look(bucket.wait(for: tokens), .tokensPerMinute, bucket.perMinute, slot)
            }
            guard let most = states[slot].most, states[slot].running >= most else { continue }
            let mean = states[slot].meanDuration ?? Self.defaultDurationNanoseconds
            let pause = min(max(mean / Double(max(1, most)), 1e6), 600e9)
            look(Int64(pause), .concurrentRequests, most, slot)
        }
        guard let longest, let scope = states[longest.slot].scope else { return nil }
        return LimitRefusal(
            kind: longest.kind, scope: scope, limit: longest.limit,
            retryAfterNanoseconds: longest.wait, standing: standing(found, count))
    }

    private mutating func state(of scope: LimitScope, _ limits: RateLimits, _ now: Instant) -> Int {
        let slot = slots[scope] ?? newState(scope)
        states[slot].most = limits.concurrentRequests
        states[slot].requests = updated(states[slot].requests, to: limits.requestsPerMinute, now)
        states[slot].tokens = updated(states[slot].tokens, to: limits.tokensPerMinute, now)
        return slot
    }

    private mutating func newState(_ scope: LimitScope) -> Int {
        var slot = states.count
        while let free = freeSlots.popLast() {
            guard free < states.count, states[free].scope == nil else { continue }
            slot = free
            break
        }
        if slot == states.count { states.append(State()) }
        states[slot] = State(scope: scope)
        slots[scope] = slot
        return slot
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

    private func standing(_ found: SIMD4<Int32>, _ count: Int) -> RateStanding {
        var standing = RateStanding()
        for index in 0..<count {
            let slot = Int(found[index])
            if let bucket = states[slot].requests {
                standing.requests = .tighter(standing.requests, LimitStanding(bucket))
            }
            if let bucket = states[slot].tokens {
                standing.tokens = .tighter(standing.tokens, LimitStanding(bucket))
            }
        }
        return standing
    }

    // MARK: Out

    /// The request has ended, having used so many tokens.
    package mutating func settle(_ reservation: Reservation, tokens: Int, now: Instant) {
        guard close(reservation) else { return }
        let duration = Double(max(0, now.nanoseconds(since: reservation.since)))
        for index in 0..<Self.scopesMax where reservation.slots[index] >= 0 {
            let slot = Int(reservation.slots[index])
            let mean = states[slot].meanDuration ?? duration
            states[slot].meanDuration = mean + Self.durationWeight * (duration - mean)
            end(slot, tokens: reservation.tokens - tokens, now)
        }
    }

    /// The request was not let in after all, for another reason: as if it had not come.
    package mutating func cancel(_ reservation: Reservation, now: Instant) {
        guard close(reservation) else { return }
        for index in 0..<Self.scopesMax where reservation.slots[index] >= 0 {
            let slot = Int(reservation.slots[index])
            states[slot].requests?.fill(now)
            states[slot].requests?.giveBack(1)
            end(slot, tokens: reservation.tokens, now)
        }
    }

    /// False when it was closed before.
    private mutating func close(_ reservation: Reservation) -> Bool {
        guard open[reservation.place] == reservation.number else { return false }
        open[reservation.place] = 0
        freePlaces.append(reservation.place)
        return true
    }

    private mutating func end(_ slot: Int, tokens: Int, _ now: Instant) {
        states[slot].tokens?.fill(now)
        states[slot].tokens?.giveBack(tokens)
        states[slot].running -= 1
        precondition(states[slot].running >= 0, "settled more than was reserved")
    }

    // MARK: Memory

    /// Scopes looked at for each request, which adds `scopesMax` at most, and few do.
    private static let looksPerRequest = 4

    private mutating func forgetSome(_ now: Instant) {
        for _ in 0..<Self.looksPerRequest where !states.isEmpty {
            hand = hand + 1 < states.count ? hand + 1 : 0
            guard let scope = states[hand].scope, states[hand].running == 0 else {
                if hand == states.count - 1, states[hand].scope == nil { states.removeLast() }
                continue
            }
            states[hand].requests?.fill(now)
            states[hand].tokens?.fill(now)
            guard states[hand].isIdle else { continue }
            slots[scope] = nil
            states[hand].scope = nil
            freeSlots.append(hand)
        }
        // Slots beyond the end are free no more.
        if freeSlots.count > 2 * states.count + 16 {
            freeSlots.removeAll { $0 >= states.count || states[$0].scope != nil }
        }
    }

    /// Traps when a scope is misplaced or something is reserved that nobody has.
    package func checkInvariants() {
        precondition(slots.count == states.count { $0.scope != nil }, "scopes miscounted")
        for (slot, state) in states.enumerated() {
            guard let scope = state.scope else { continue }
            precondition(slots[scope] == slot, "scope misplaced")
            precondition(reserved > 0 || state.running == 0, "reserved by nobody")
        }
        precondition(open.count { $0 != 0 } == reserved, "reservations miscounted")
    }
}

extension LimitStanding {
    fileprivate init(_ bucket: TokenBucket) {
        self.init(
            limit: bucket.perMinute, remaining: bucket.remaining,
            resetNanoseconds: bucket.resetNanoseconds)
    }
}
