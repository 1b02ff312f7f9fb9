/// A point on a monotonic clock, in nanoseconds from an arbitrary origin.
///
/// The core never reads a clock: callers pass the instant in, whether it comes from the machine or
/// from a simulator.
package struct Instant: Hashable, Comparable, Sendable {
    package var nanoseconds: Int64

    package static let zero = Instant(nanoseconds: 0)

    package init(nanoseconds: Int64) {
        self.nanoseconds = nanoseconds
    }

    package static func < (left: Instant, right: Instant) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    /// The instant `nanoseconds` later (earlier when negative), saturating at the ends.
    package func advanced(byNanoseconds delta: Int64) -> Instant {
        let (sum, overflow) = nanoseconds.addingReportingOverflow(delta)
        guard overflow else { return Instant(nanoseconds: sum) }
        return Instant(nanoseconds: delta > 0 ? .max : .min)
    }

    /// Nanoseconds from `earlier` to `self`; negative when `earlier` is later.
    package func nanoseconds(since earlier: Instant) -> Int64 {
        nanoseconds - earlier.nanoseconds
    }
}
