package import InferenceTypes

/// How many retries a pool's requests may cause: a share of the requests of the last ten seconds,
/// and a few more so that a quiet pool has some. When all workers fail, retries then add that share
/// to their load and not a multiple of it. Owned by `FleetHealth`.
package struct RetryBudget: Hashable, Sendable {
    /// Retries in percent of requests; 0: none at all.
    package var percent: Int
    /// Retries per second that are allowed without any requests.
    package static let floorPerSecond = 2
    package static let windowSeconds = 10

    private var requests = [Int](repeating: 0, count: windowSeconds)
    private var retries = [Int](repeating: 0, count: windowSeconds)
    private var requestSum = 0
    private var retrySum = 0
    /// The second that is being counted.
    private var second: Int64

    package init(percent: Int, now: Instant) {
        precondition((0...1_000).contains(percent), "percent: \(percent)")
        self.percent = percent
        second = Self.second(of: now)
    }

    /// Requests came in.
    package mutating func requested(_ count: Int, now: Instant) {
        requests[advance(to: now)] += count
        requestSum += count
    }

    /// Takes a retry out of the budget; false when it is used up.
    package mutating func take(now: Instant) -> Bool {
        let slot = advance(to: now)
        let floor = Self.floorPerSecond * Self.windowSeconds
        guard percent > 0, retrySum < floor + requestSum * percent / 100 else { return false }
        retries[slot] += 1
        retrySum += 1
        return true
    }

    /// Counts a retry that must be made, whatever is left.
    package mutating func charge(now: Instant) {
        retries[advance(to: now)] += 1
        retrySum += 1
    }

    /// Forgets seconds that have left the window; returns the place of this one.
    private mutating func advance(to now: Instant) -> Int {
        let current = max(Self.second(of: now), second)
        let passed = min(current - second, Int64(Self.windowSeconds))
        for step in 0..<passed {
            let slot = Int((second + 1 + step) % Int64(Self.windowSeconds))
            requestSum -= requests[slot]
            retrySum -= retries[slot]
            (requests[slot], retries[slot]) = (0, 0)
        }
        second = current
        return Int(current % Int64(Self.windowSeconds))
    }

    /// Instants before the clock's origin count as its first second.
    private static func second(of now: Instant) -> Int64 {
        max(0, now.nanoseconds / 1_000_000_000)
    }

    package func checkInvariants() {
        precondition(requestSum == requests.reduce(0, +), "requests miscounted")
        precondition(retrySum == retries.reduce(0, +), "retries miscounted")
        precondition(requestSum >= 0 && retrySum >= 0, "negative")
    }
}
