/// Limits of the waiting queue. Each has a defined refusal.
package struct AdmissionConfiguration: Hashable, Sendable {
    /// Most tickets waiting at once. One more is refused as `queueFull` (503 + retry-after).
    package var queueLimitTickets: Int
    /// A ticket that waits longer is refused as `waitedTooLong` (503 + retry-after).
    package var waitLimitNanoseconds: Int64
    /// A ticket that waits while no worker is ready is refused as `noWorker` after this long.
    package var noWorkerWaitLimitNanoseconds: Int64
    /// Slots of each worker that batch work leaves to others.
    package var batchReserveSlots: Int
    /// The ageing limit: a tier, or those without a guarantee, that waited this long while others
    /// went before them go first once. A tenant's own tickets without a deadline are due after
    /// it. Batch work does not age.
    package var promotionNanoseconds: Int64
    /// What the default tier is sure of, of the engine time, while priority work waits; 0...1.
    package var standardShare: Double
    /// What callers' limits per minute let through at once, as a part of a minute's, 0...1; more
    /// is `limited` (429 + retry-after).
    package var limitBurstShare: Double
    /// When tickets are refused as `shed` (503 + retry-after).
    package var overload: OverloadController.Configuration

    package init(
        queueLimitTickets: Int = 1_024,
        waitLimitNanoseconds: Int64 = 600_000_000_000,
        noWorkerWaitLimitNanoseconds: Int64 = 15_000_000_000,
        promotionNanoseconds: Int64 = 10_000_000_000,
        batchReserveSlots: Int = 0, standardShare: Double = 0.1,
        limitBurstShare: Double = 1.0 / 6,
        overload: OverloadController.Configuration = .init()
    ) {
        precondition(queueLimitTickets >= 1, "queueLimitTickets: \(queueLimitTickets)")
        precondition(waitLimitNanoseconds > 0, "waitLimitNanoseconds: \(waitLimitNanoseconds)")
        precondition(
            noWorkerWaitLimitNanoseconds > 0,
            "noWorkerWaitLimitNanoseconds: \(noWorkerWaitLimitNanoseconds)")
        precondition(promotionNanoseconds > 0, "promotionNanoseconds: \(promotionNanoseconds)")
        precondition((0...1).contains(standardShare), "standardShare: \(standardShare)")
        self.queueLimitTickets = queueLimitTickets
        self.waitLimitNanoseconds = waitLimitNanoseconds
        self.noWorkerWaitLimitNanoseconds = noWorkerWaitLimitNanoseconds
        self.promotionNanoseconds = promotionNanoseconds
        self.batchReserveSlots = batchReserveSlots
        self.standardShare = standardShare
        self.limitBurstShare = limitBurstShare
        self.overload = overload
    }
}
