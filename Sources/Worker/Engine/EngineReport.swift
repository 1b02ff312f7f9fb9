import InferenceTypes
import Scheduling

/// What the engine thread says about itself before each step and before it sleeps.
struct EngineReport: Sendable {
    /// When the engine thread last said so.
    var instant = Instant.zero
    /// False while it sleeps for lack of work.
    var isBusy = false
    /// What the step in hand was expected to take.
    var predictedNanoseconds: Int64 = 0
    var load = SchedulerLoad()
    var time = EngineTime()
    var rates = EngineRates()
}

/// Where the engine thread's time went, in nanoseconds since the start.
package struct EngineTime: Hashable, Sendable {
    /// From waking up with work to having none: the wall time of a busy engine.
    package var busyNanoseconds: Int64 = 0
    /// Inside `Engine.execute`, waiting for a simulated device included.
    package var executeNanoseconds: Int64 = 0
    /// Inside the model's own computation (`llama_decode`), as the engine measured it.
    package var decodeNanoseconds: Int64 = 0
    /// Waiting for event loops to work output off.
    package var outputWaitNanoseconds: Int64 = 0

    package init() {}
}
