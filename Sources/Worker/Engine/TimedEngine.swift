import LlamaEngine
import Scheduling

/// An engine that knows how long its model computed, apart from what surrounds it.
protocol TimedEngine: Engine, ~Copyable {
    /// Nanoseconds inside the model's own computation since the start.
    var decodeNanoseconds: Int64 { get }
    /// Nil: it makes no embeddings.
    var embedding: EmbeddingProperties? { get }
    /// Computes the next chunk of one input; returns its vector, of length 1, when it is complete.
    mutating func embed(_ input: inout EmbeddingInput) throws(EngineError) -> [Float]?
}

/// An engine that makes no embeddings.
extension TimedEngine where Self: ~Copyable {
    var embedding: EmbeddingProperties? { nil }

    mutating func embed(_ input: inout EmbeddingInput) throws(EngineError) -> [Float]? {
        throw .failed(code: 0, message: "this engine makes no embeddings")
    }
}

extension LlamaCppEngine: TimedEngine {
    var decodeNanoseconds: Int64 { totalTimes.decodeNanoseconds }
}
