import Admission
import Synchronization

/// The dispatcher's numbers, published for probes and metrics on other threads.
///
/// A lock, since a reader must see one consistent set of numbers; written once per dispatcher
/// operation, read a few times a second.
final class FleetStatus: Sendable {
    struct Numbers: Sendable {
        var waiting = 0
        var inFlight = 0
        var readyWorkers = 0
        var readySlots = 0
        var workers = 0
    }

    struct Refusals: Sendable {
        var queueFull: UInt64 = 0
        var waitedTooLong: UInt64 = 0
        var noWorker: UInt64 = 0
        var deadlinePassed: UInt64 = 0
        var draining: UInt64 = 0
    }

    private let state = Mutex<(numbers: Numbers, refusals: Refusals, isDraining: Bool)>(
        (Numbers(), Refusals(), false))

    func publish(_ numbers: Numbers) {
        state.withLock { $0.numbers = numbers }
    }

    func refused(_ refusal: Refusal) {
        state.withLock {
            switch refusal {
            case .queueFull: $0.refusals.queueFull += 1
            case .waitedTooLong: $0.refusals.waitedTooLong += 1
            case .noWorker: $0.refusals.noWorker += 1
            case .deadlinePassed: $0.refusals.deadlinePassed += 1
            case .draining: $0.refusals.draining += 1
            }
        }
    }

    func drain() {
        state.withLock { $0.isDraining = true }
    }

    var numbers: Numbers { state.withLock { $0.numbers } }
    var refusals: Refusals { state.withLock { $0.refusals } }
    var isDraining: Bool { state.withLock { $0.isDraining } }

    /// A token can be generated: some worker is ready and the gateway takes requests.
    var isReady: Bool { state.withLock { $0.numbers.readyWorkers > 0 && !$0.isDraining } }
}
