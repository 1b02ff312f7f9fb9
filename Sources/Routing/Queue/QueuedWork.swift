/// The work of the tickets that wait at the gateway, in sums: what scaling should go by. Slots in
/// use say little, since a busy pool and a hopelessly overloaded one use all of them.
package struct QueuedWork: Hashable, Sendable {
    package private(set) var tickets = 0
    package private(set) var promptTokens = 0
    package private(set) var outputTokens = 0

    package init() {}

    package mutating func add(_ request: PlacementRequest) {
        tickets += 1
        promptTokens += request.promptTokens
        outputTokens += request.outputTokens
    }

    /// Of a ticket that was added.
    package mutating func remove(_ request: PlacementRequest) {
        tickets -= 1
        promptTokens -= request.promptTokens
        outputTokens -= request.outputTokens
        precondition(
            tickets >= 0 && promptTokens >= 0 && outputTokens >= 0, "removed more than was added")
    }

    /// How long the ready workers would take for it, in seconds: about the wait of a request that
    /// comes now, once all slots are taken. A prompt keeps all of a worker's slots waiting, an
    /// answer one slot. Cached prefixes are not foreseen. Without a ready slot, as if there were
    /// one worker of one slot.
    package func secondsPerSlot(
        rates: WorkerRates, readyWorkers: Int, readySlots: Int
    ) -> Double {
        guard tickets > 0 else { return 0 }
        let workers = Double(max(1, readyWorkers))
        let slots = Double(max(1, readySlots))
        let sequences = max(1, readySlots / max(1, readyWorkers))
        let context = (promptTokens + outputTokens) / tickets
        let step = rates.stepSeconds(
            WorkerLoad(
                sequences: sequences, prefillTokens: 0, contextTokens: sequences * context))
        return Double(promptTokens) * rates.prefillSecondsPerToken / workers
            + Double(outputTokens) * step / slots
    }
}
