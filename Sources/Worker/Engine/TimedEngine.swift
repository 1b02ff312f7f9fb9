import LlamaEngine
import Scheduling

/// An engine that knows how long its model computed, apart from what surrounds it.
protocol TimedEngine: Engine, ~Copyable {
    /// Nanoseconds inside the model's own computation since the start.
    var decodeNanoseconds: Int64 { get }
}

extension LlamaCppEngine: TimedEngine {
    var decodeNanoseconds: Int64 { totalTimes.decodeNanoseconds }
}
