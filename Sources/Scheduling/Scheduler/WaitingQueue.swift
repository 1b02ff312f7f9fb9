import Collections
import InferenceTypes

/// Requests that wait for a slot, by virtual arrival: the time of submission plus a delay for each
/// better tier. A better tier overtakes, but only what arrived within that delay: nobody starves.
struct WaitingQueue: Sendable {
    struct Item: Hashable, Comparable, Sendable {
        /// Nanoseconds.
        var virtualArrival: Int64
        /// Order of submission; unique.
        var serial: UInt64
        /// Place in the scheduler's slab.
        var index: Int

        static func < (left: Item, right: Item) -> Bool {
            (left.virtualArrival, left.serial) < (right.virtualArrival, right.serial)
        }
    }

    private(set) var items: Deque<Item> = []

    var count: Int { items.count }
    var first: Item? { items.first }

    mutating func insert(_ item: Item) {
        guard let last = items.last, item < last else {
            items.append(item)
            return
        }
        items.insert(item, at: position(of: item))
    }

    /// Removes an item that is in the queue.
    mutating func remove(_ item: Item) {
        let position = position(of: item)
        precondition(
            position < items.count && items[position] == item, "no such item: \(item)")
        items.remove(at: position)
    }

    /// Index of the first item that is not before `item`.
    private func position(of item: Item) -> Int {
        var low = 0
        var high = items.count
        while low < high {
            let middle = low + (high - low) / 2
            if items[middle] < item { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
