import InferenceAPI
import InferenceTypes
import Synchronization

/// Names requests that come without a name of their own: unique within the process, and different
/// between processes. For logs, so unpredictable is enough; handles to stored things need more.
///
/// A counter under a random seed, because asking the system for 128 random bits costs 0.8 us, an
/// eighth of a small request. Any thread.
final class RequestIDs: Sendable {
    private let seed: UInt64
    private let counter = Atomic<UInt64>(0)

    init() {
        var generator = SystemRandomNumberGenerator()
        seed = generator.next()
    }

    func next() -> String {
        let number = counter.wrappingAdd(2, ordering: .relaxed).newValue
        return Identifier.request(
            (
                SeededGenerator.value(seed: seed, counter: number),
                SeededGenerator.value(seed: seed, counter: number &+ 1)
            ))
    }
}
