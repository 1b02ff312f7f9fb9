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
    /// After each such span of waiting a ticket competes one tier higher, so none starves;
    /// batch work does not.
    package var promotionNanoseconds: Int64

    package init(
        queueLimitTickets: Int = 1_024,
        waitLimitNanoseconds: Int64 = 600_000_000_000,
        noWorkerWaitLimitNanoseconds: Int64 = 15_000_000_000,
        promotionNanoseconds: Int64 = 10_000_000_000,
        batchReserveSlots: Int = 0
    ) {
        precondition(queueLimitTickets >= 1, "queueLimitTickets: \(queueLimitTickets)")
        precondition(waitLimitNanoseconds > 0, "waitLimitNanoseconds: \(waitLimitNanoseconds)")
        precondition(
            noWorkerWaitLimitNanoseconds > 0,
            "noWorkerWaitLimitNanoseconds: \(noWorkerWaitLimitNanoseconds)")
        precondition(promotionNanoseconds > 0, "promotionNanoseconds: \(promotionNanoseconds)")
        self.queueLimitTickets = queueLimitTickets
        self.waitLimitNanoseconds = waitLimitNanoseconds
        self.noWorkerWaitLimitNanoseconds = noWorkerWaitLimitNanoseconds
        self.promotionNanoseconds = promotionNanoseconds
        self.batchReserveSlots = batchReserveSlots
    }
}

/// Why a request was not let in, or not kept waiting any longer.
package enum Refusal: Hashable, Sendable {
    case queueFull(limit: Int)
    case waitedTooLong(nanoseconds: Int64)
    case noWorker
    case deadlinePassed
    case draining
}
