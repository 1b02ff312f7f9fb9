internal import Collections
import InferenceTypes

/// Tickets in order of a time, then of their arrival. Those that are gone stay until they come to
/// the front, or are more than half; who is gone is known to the owner only.
struct TicketLine: Sendable {
    struct Place: Comparable, Sendable {
        var time: Instant
        /// Of the entry that the place belongs to; unique.
        var order: UInt64
        /// Where the entry is.
        var slot: Int32

        static func < (left: Place, right: Place) -> Bool {
            (left.time, left.order) < (right.time, right.order)
        }
    }

    private var heap = Heap<Place>()

    /// Those that are gone included.
    var count: Int { heap.count }
    var first: Place? { heap.min }
    /// In no order.
    var places: [Place] { heap.unordered }

    mutating func insert(_ place: Place) { heap.insert(place) }

    mutating func removeFirst() { _ = heap.popMin() }

    /// To be called when one is gone. `count` of them are not.
    mutating func compact(count: Int, isHere: (Place) -> Bool) {
        guard heap.count > 2 * count + 16 else { return }
        heap = Heap(heap.unordered.filter(isHere))
    }
}
