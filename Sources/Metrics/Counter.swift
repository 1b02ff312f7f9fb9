import Synchronization

/// A number that only grows, as a metric whose name ends in `_total`.
///
/// Any thread may add: one relaxed atomic addition, ordered with nothing else.
package final class Counter: Sendable {
    private let cell = Atomic<UInt64>(0)

    package init() {}

    package func increment(by amount: UInt64 = 1) {
        cell.wrappingAdd(amount, ordering: .relaxed)
    }

    package var value: UInt64 { cell.load(ordering: .relaxed) }
}
