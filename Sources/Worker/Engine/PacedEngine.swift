import Glibc
import InferenceTypes
import Scheduling

/// Makes a simulated engine take as long as it says: it holds the engine thread for the modelled
/// duration of each step, as a busy device would.
///
/// Owned by the engine thread.
struct PacedEngine: TimedEngine, ~Copyable {
    private var base: SimulatedEngine
    private let now: @Sendable () -> Instant
    private(set) var decodeNanoseconds: Int64 = 0
    /// Tokens that are generated before the process ends as if it were killed; nil for all.
    private var tokensLeft: Int?
    /// It hangs instead.
    private let hangs: Bool

    init(
        _ base: SimulatedEngine, now: @escaping @Sendable () -> Instant,
        diesAtToken: Int? = nil, hangsAtToken: Int? = nil
    ) {
        self.base = base
        self.now = now
        tokensLeft = diesAtToken ?? hangsAtToken
        hangs = diesAtToken == nil
    }

    var properties: EngineProperties { base.properties }

    mutating func execute(_ plan: StepPlan) throws(EngineError) -> StepResult {
        let start = now()
        let result = try base.execute(plan)
        if result.durationNanoseconds > 0 {
            wait(until: start.advanced(byNanoseconds: result.durationNanoseconds))
        }
        decodeNanoseconds += now().nanoseconds(since: start)
        if let left = tokensLeft {
            tokensLeft = left - result.samples.count
            // Not an exit: nothing is flushed, closed or said.
            if left < result.samples.count {
                while hangs { sleep(3_600) }
                kill(getpid(), SIGKILL)
            }
        }
        return result
    }

    /// Small, so that tests are quick.
    var embedding: EmbeddingProperties? {
        EmbeddingProperties(
            dimensions: Self.embeddingDimensions, tokensMax: properties.contextTokens,
            chunkTokens: Self.embeddingChunkTokens)
    }

    private static let embeddingDimensions = 32
    private static let embeddingChunkTokens = 64

    /// A vector that follows from the tokens alone: the mean of one for each of them.
    mutating func embed(_ input: inout EmbeddingInput) throws(EngineError) -> [Float]? {
        let start = now()
        let count = min(Self.embeddingChunkTokens, input.tokens.count - input.done)
        var shape = StepShape()
        shape.addPrefill(count: count, past: input.done)
        if input.sum.isEmpty {
            input.sum = Array(repeating: 0, count: Self.embeddingDimensions)
        }
        for index in input.done..<input.done + count {
            let seed = UInt64(truncatingIfNeeded: input.tokens[index])
            for dimension in input.sum.indices {
                let bits = SeededGenerator.value(seed: seed, counter: UInt64(dimension))
                input.sum[dimension] += Float(Int64(bitPattern: bits) >> 40) / Float(1 << 23)
            }
        }
        input.done += count
        wait(until: start.advanced(byNanoseconds: base.configuration.time.nanoseconds(shape)))
        guard input.done == input.tokens.count else { return nil }
        let length = input.sum.reduce(0) { $0 + $1 * $1 }.squareRoot()
        return length > 0 ? input.sum.map { $0 / length } : input.sum
    }

    private func wait(until end: Instant) {
        while true {
            // The kernel wakes a sleeper about 50 us late.
            let microseconds = (end.nanoseconds(since: now()) - 50_000) / 1_000
            guard microseconds > 0 else { return }
            // usleep takes less than a second.
            usleep(UInt32(min(microseconds, 900_000)))
        }
    }
}
