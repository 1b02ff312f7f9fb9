import Synchronization

/// A number that goes up and down. Any thread may set or add; relaxed.
package final class Gauge: Sendable {
    /// The Double's bit pattern.
    private let cell = Atomic<UInt64>(0)

    package init() {}

    package func set(_ value: Double) {
        cell.store(value.bitPattern, ordering: .relaxed)
    }

    package func set(_ value: Int) { set(Double(value)) }

    package func add(_ amount: Double) {
        var old = cell.load(ordering: .relaxed)
        while true {
            let sum = Double(bitPattern: old) + amount
            let result = cell.weakCompareExchange(
                expected: old, desired: sum.bitPattern, ordering: .relaxed)
            if result.exchanged { return }
            old = result.original
        }
    }

    package func increment() { add(1) }

    package func decrement() { add(-1) }

    package var value: Double { Double(bitPattern: cell.load(ordering: .relaxed)) }
}
