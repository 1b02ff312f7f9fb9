internal import Collections
package import InferenceTypes

/// Requests that were refused for want of a place, and were told when to come again. From then on
/// their places are kept free for a moment: else whoever happens to come would take them, and
/// those who obey would be refused again and again. Owned by the dispatcher.
package struct ReturnPromises: Sendable {
    /// How long after its time a place is kept: `retry-after` is in whole seconds.
    package static let graceNanoseconds: Int64 = 2_000_000_000
    /// Most promises at once; more are made to come again, and no place is kept for them.
    package static let limit = 65_536

    private struct Promise {
        var request: UInt64
        var due: Instant
    }

    /// By request. Looked up only, never iterated.
    private var due: [UInt64: Instant] = [:]
    /// Whose time has not come, and whose has: both by time. Some are kept or made anew already.
    private var later = Deque<Promise>()
    private var now = Deque<Promise>()
    private var held = 0

    package init() {}

    /// Promises that are open.
    package var count: Int { due.count }

    /// - Parameters:
    ///   - request: What the client will send again, as a hash.
    ///   - time: No earlier than that of any promise before.
    package mutating func promise(_ request: UInt64, at time: Instant, now: Instant) {
        pass(now)
        guard due.count < Self.limit, later.count < 2 * Self.limit else { return }
        if let before = due.updateValue(time, forKey: request), before <= now { held -= 1 }
        later.append(Promise(request: request, due: time))
    }

    /// Whether the request was promised a place now, which it takes.
    package mutating func keep(_ request: UInt64, now: Instant) -> Bool {
        pass(now)
        guard let time = due[request], time <= now else { return false }
        due[request] = nil
        held -= 1
        return true
    }

    /// Places that are to be kept free now.
    package mutating func places(now: Instant) -> Int {
        pass(now)
        return held
    }

    private mutating func pass(_ time: Instant) {
        while let first = later.first, first.due <= time {
            later.removeFirst()
            guard due[first.request] == first.due else { continue }
            held += 1
            now.append(first)
        }
        while let first = now.first, time.nanoseconds(since: first.due) > Self.graceNanoseconds {
            now.removeFirst()
            guard due[first.request] == first.due else { continue }
            due[first.request] = nil
            held -= 1
        }
    }
}
