import InferenceTypes
import Scheduling

/// What event loops ask of the engine thread.
enum EngineMail: Sendable {
    /// A new request; past `deadline` it ends with `FinishReason.timeLimit`.
    case submit(SequenceKey, GenerationRequest, deadline: Instant?, due: Instant? = nil)
    /// The caller has forgotten the request; nothing more is to be said about it.
    case cancel(SequenceKey)
    /// The caller's output is full.
    case pause(SequenceKey)
    case resume(SequenceKey)
    /// Compute an embedding, between steps.
    case embed(EmbeddingJob)
    /// End the thread after this step.
    case stop
}
