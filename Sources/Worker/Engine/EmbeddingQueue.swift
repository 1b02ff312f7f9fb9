import InferenceTypes
import Scheduling

/// Embeddings that the engine thread has to compute, one after the other, one chunk between two
/// steps: a step waits for one chunk at most. Owned by the engine thread.
struct EmbeddingQueue {
    /// Inputs that may wait; a further one is refused with RESOURCE_EXHAUSTED.
    static let limit = 1_024

    private var waiting: [EmbeddingJob] = []
    /// The first of them, as far as it is computed.
    private var input: EmbeddingInput?
    /// Those that are over, at the front of `waiting`.
    private var finished = 0

    var isEmpty: Bool { finished == waiting.count }

    mutating func add(_ job: EmbeddingJob) {
        guard waiting.count - finished < Self.limit else {
            return job.answer(.full(limit: Self.limit))
        }
        waiting.append(job)
    }

    /// Computes one chunk. Returns how many tokens of inputs were completed by it.
    mutating func advance(_ engine: inout some TimedEngine & ~Copyable) -> Int {
        while let job = waiting.indices.contains(finished) ? waiting[finished] : nil {
            if job.isCancelled {
                remove()
                continue
            }
            var input = self.input ?? EmbeddingInput(job.tokens)
            do throws(EngineError) {
                let vector = try engine.embed(&input)
                self.input = input
                guard let vector else { return 0 }
                remove()
                job.answer(.vector(vector))
                return job.tokens.count
            } catch {
                remove()
                switch error {
                case .failed(_, let message): job.answer(.failed(message))
                case .noCacheSpace: job.answer(.failed("no cache space"))
                }
                return 0
            }
        }
        return 0
    }

    /// The engine ends, whatever the reason.
    mutating func end() {
        while !isEmpty {
            let job = waiting[finished]
            remove()
            job.answer(.ended)
        }
    }

    private mutating func remove() {
        input = nil
        finished += 1
        // Now and then, so that removal costs little for each.
        guard finished == waiting.count || finished >= 64 else { return }
        waiting.removeFirst(finished)
        finished = 0
    }
}
