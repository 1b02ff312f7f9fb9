import Admission
import Synchronization

/// The dispatchers' numbers, published for probes and metrics on other threads.
///
/// A lock, since a reader must see one consistent set of numbers; written once per dispatcher
/// operation, read a few times a second.
final class FleetStatus: Sendable {
    struct Numbers: Sendable {
        /// The pool's name; empty for a sum.
        var pool = ""
        var waiting = 0
        var inFlight = 0
        var readyWorkers = 0
        var readySlots = 0
        var workers = 0
        /// `QueuedWork.secondsPerSlot`.
        var queuedSecondsPerSlot = 0.0
        /// By `ServiceTier.rawValue`.
        var waitingByTier = [0, 0, 0]

        static func + (left: Numbers, right: Numbers) -> Numbers {
            Numbers(
                pool: left.pool == right.pool ? left.pool : "",
                waiting: left.waiting + right.waiting, inFlight: left.inFlight + right.inFlight,
                readyWorkers: left.readyWorkers + right.readyWorkers,
                readySlots: left.readySlots + right.readySlots,
                workers: left.workers + right.workers,
                // Of the pool that is shortest of slots: no other has any for it.
                queuedSecondsPerSlot: max(left.queuedSecondsPerSlot, right.queuedSecondsPerSlot),
                waitingByTier: zip(left.waitingByTier, right.waitingByTier).map { $0 + $1 })
        }
    }

    /// Choices, since the start.
    struct Refusals: Sendable {
        var queueFull: UInt64 = 0
        var waitedTooLong: UInt64 = 0
        var wouldWaitTooLong: UInt64 = 0
        var shed: UInt64 = 0
        var noWorker: UInt64 = 0
        var deadlinePassed: UInt64 = 0
        var draining: UInt64 = 0
        var limited: UInt64 = 0
    }

    /// Predicted waits, since the start.
    struct Predictions: Sendable {
        /// Those who waited no longer than the p90 that was predicted.
        var kept: UInt64 = 0
        var exceeded: UInt64 = 0
    }

    /// Some workers, at most `Dispatcher.workerMetricsLimit` of each pool, and counts since the
    /// start; a moment later than the other numbers.
    struct Workers: Sendable {
        var list: [WorkerStatus] = []
        var breakerOpenings: UInt64 = 0
        var deniedRetries: UInt64 = 0
    }

    private struct State {
        /// By the pool's number.
        var pools: [Int: Numbers] = [:]
        var workers: [Int: Workers] = [:]
        var refusals = Refusals()
        var predictions = Predictions()
        var isDraining = false

        /// A sum does not depend on the order.
        var total: Numbers { pools.values.reduce(Numbers(), +) }

        /// By name; what a pool's earlier life still has is added to the present one's.
        var byName: [Numbers] {
            Dictionary(grouping: pools.values, by: \.pool).sorted { $0.key < $1.key }
                .map { name, lives in lives.reduce(Numbers(pool: name), +) }
        }
    }

    private let state = Mutex(State())

    func publish(_ numbers: Numbers, of pool: Int) {
        state.withLock { $0.pools[pool] = numbers }
    }

    func publish(_ workers: Workers, of pool: Int) {
        state.withLock { $0.workers[pool] = workers }
    }

    /// The pool is gone.
    func forget(pool: Int) {
        state.withLock {
            $0.pools[pool] = nil
            $0.workers[pool] = nil
        }
    }

    /// Each pool's, by name.
    var pools: [Numbers] { state.withLock { $0.byName } }

    func numbers(of pool: Int) -> Numbers { state.withLock { $0.pools[pool] ?? Numbers() } }

    func refused(_ refusal: Refusal) {
        state.withLock {
            switch refusal {
            case .queueFull: $0.refusals.queueFull += 1
            case .waitedTooLong: $0.refusals.waitedTooLong += 1
            case .noWorker: $0.refusals.noWorker += 1
            case .deadlinePassed: $0.refusals.deadlinePassed += 1
            case .draining: $0.refusals.draining += 1
            case .wouldWaitTooLong: $0.refusals.wouldWaitTooLong += 1
            case .shed: $0.refusals.shed += 1
            case .limited: $0.refusals.limited += 1
            }
        }
    }

    /// A choice whose wait was predicted has got its worker.
    func waited(asPredicted isKept: Bool) {
        state.withLock {
            if isKept { $0.predictions.kept += 1 } else { $0.predictions.exceeded += 1 }
        }
    }

    var predictions: Predictions { state.withLock { $0.predictions } }

    func drain() {
        state.withLock { $0.isDraining = true }
    }

    /// Of all pools together.
    var numbers: Numbers { state.withLock { $0.total } }
    /// Of all pools, by id.
    var workers: Workers {
        var all = Workers()
        for pool in state.withLock({ $0.workers }).sorted(by: { $0.key < $1.key }) {
            all.list += pool.value.list
            all.breakerOpenings += pool.value.breakerOpenings
            all.deniedRetries += pool.value.deniedRetries
        }
        return all
    }
    var refusals: Refusals { state.withLock { $0.refusals } }
    var isDraining: Bool { state.withLock { $0.isDraining } }

    /// A token can be generated: some worker is ready and the gateway takes requests.
    var isReady: Bool { state.withLock { $0.total.readyWorkers > 0 && !$0.isDraining } }
}
