package import InferenceTypes

/// When to shed waiting work: as CoDel (RFC 8289), by the shortest wait in an interval, since a
/// long one alone may be a burst that passes. While even the shortest wait of a tier's tickets
/// stays above the target, one ticket after the other is shed, faster and faster, until a ticket
/// waited less. Which one is the queue's to say. Owned by the dispatcher.
package struct OverloadController: Sendable {
    package struct Configuration: Hashable, Sendable {
        /// Waits that are well; 0: nothing is shed.
        package var targetNanoseconds: Int64
        /// Waits may be longer for this long.
        package var intervalNanoseconds: Int64

        package init(
            targetNanoseconds: Int64 = 60_000_000_000, intervalNanoseconds: Int64 = 10_000_000_000
        ) {
            precondition(targetNanoseconds >= 0, "targetNanoseconds: \(targetNanoseconds)")
            precondition(intervalNanoseconds > 0, "intervalNanoseconds: \(intervalNanoseconds)")
            self.targetNanoseconds = targetNanoseconds
            self.intervalNanoseconds = intervalNanoseconds
        }
    }

    private struct Tier {
        /// When waits will have been too long for an interval; nil: the last one was well.
        var above: Instant?
        /// When the next is shed; nil while none is.
        var nextShed: Instant?
        /// Shed in this overload.
        var count = 0
    }

    package var configuration: Configuration
    /// Batch work waits as long as it takes, and says nothing.
    private var tiers = [Tier(), Tier()]

    package init(configuration: Configuration = Configuration()) {
        self.configuration = configuration
    }

    /// A ticket was handed out after so long.
    package mutating func handedOut(_ tier: ServiceTier, waited: Int64, now: Instant) {
        let number = Int(tier.rawValue)
        guard number < tiers.count else { return }
        guard configuration.targetNanoseconds > 0, waited > configuration.targetNanoseconds else {
            tiers[number].above = nil
            tiers[number].nextShed = nil
            return
        }
        guard let above = tiers[number].above else {
            tiers[number].above = now.advanced(byNanoseconds: configuration.intervalNanoseconds)
            return
        }
        guard above <= now, tiers[number].nextShed == nil else { return }
        // An overload that comes back soon goes on where it stopped.
        let isRecent =
            now.nanoseconds(since: above) < 16 * configuration.intervalNanoseconds
        tiers[number].count = isRecent && tiers[number].count > 2 ? tiers[number].count - 2 : 0
        tiers[number].nextShed = now
    }

    /// How many tickets are to be shed now because this tier's waits are too long: from the lowest
    /// tier that has any, down from this one.
    package mutating func due(_ tier: ServiceTier, waiting: Int, now: Instant) -> Int {
        let number = Int(tier.rawValue)
        guard number < tiers.count else { return 0 }
        guard configuration.targetNanoseconds > 0, waiting > 0 else {
            tiers[number].nextShed = nil
            return 0
        }
        var due = 0
        while let next = tiers[number].nextShed, next <= now, due < waiting {
            due += 1
            tiers[number].count += 1
            let pause =
                Double(configuration.intervalNanoseconds)
                / Double(tiers[number].count).squareRoot()
            tiers[number].nextShed = next.advanced(byNanoseconds: Int64(pause))
        }
        return due
    }

    /// Whether something is being shed.
    package var isShedding: Bool { tiers.contains { $0.nextShed != nil } }
}
