import InferenceTypes
import Scheduling

/// What one step brought for the requests of one event loop: posted to it as one task.
struct StepOutput: Sendable {
    /// When the step ended.
    var instant: Instant
    /// In order of happening.
    var events: [SchedulerEvent] = []
    /// Requests that the scheduler did not take.
    var refusals: [Refusal] = []

    struct Refusal: Sendable {
        var key: SequenceKey
        var error: SubmitError
    }

    var isEmpty: Bool { events.isEmpty && refusals.isEmpty }
}

/// Where a loop's output goes. Called on the engine thread, must not block.
struct StepOutputPort: Sendable {
    /// Hands the batch to the loop, which acknowledges it to the mailbox when it is worked off.
    var post: @Sendable (StepOutput) -> Void
}

extension SequenceKey {
    /// Keys carry the loop, a slot of its table and the slot's generation, so that output finds
    /// its request without a search and never a later tenant of the slot.
    init(loop: Int, generation: UInt32, slot: Int) {
        self.init(UInt64(loop) << 56 | UInt64(generation) << 24 | UInt64(slot))
    }

    var loop: Int { Int(rawValue >> 56) }
    var generation: UInt32 { UInt32(truncatingIfNeeded: rawValue >> 24) }
    var slot: Int { Int(rawValue & 0xFF_FFFF) }

    static let loopsMax = 256
    static let slotsMax = 1 << 24
}

extension SchedulerEvent {
    /// The request that the event is about.
    var key: SequenceKey {
        switch self {
        case .started(let key, _, _), .prefilled(let key, _), .preempted(let key),
            .failed(let key, _):
            key
        case .token(let token): token.key
        case .finished(let finished): finished.key
        }
    }
}
