/// Numbers from 0, each at most once, the one with the least key first; equal keys by number. Every
/// operation is O(log n), `first` O(1). Memory goes with the highest number.
struct IndexedHeap: Sendable {
    private var items: [(key: Double, number: Int)] = []
    /// Index in `items` by number; -1: not here.
    private var places: [Int32] = []

    var count: Int { items.count }
    var first: Int? { items.first?.number }
    var firstKey: Double? { items.first?.key }

    func contains(_ number: Int) -> Bool {
        number < places.count && places[number] >= 0
    }

    /// Puts the number in, or where its new key belongs.
    mutating func set(_ number: Int, key: Double) {
        while places.count <= number { places.append(-1) }
        let place = Int(places[number])
        guard place >= 0 else {
            items.append((key, number))
            return rise(from: items.count - 1, (key, number))
        }
        let old = items[place].key
        if key < old {
            rise(from: place, (key, number))
        } else {
            sink(from: place, (key, number))
        }
    }

    /// Nothing for a number that is not here.
    mutating func remove(_ number: Int) {
        guard contains(number) else { return }
        let place = Int(places[number])
        places[number] = -1
        let last = items.removeLast()
        guard last.number != number else { return }
        rise(from: place, last)
        sink(from: Int(places[last.number]), last)
    }

    private static func precedes(
        _ left: (key: Double, number: Int), _ right: (key: Double, number: Int)
    ) -> Bool {
        left.key < right.key || (left.key == right.key && left.number < right.number)
    }

    private mutating func rise(from place: Int, _ item: (key: Double, number: Int)) {
        var place = place
        while place > 0 {
            let parent = (place - 1) / 2
            guard Self.precedes(item, items[parent]) else { break }
            put(items[parent], at: place)
            place = parent
        }
        put(item, at: place)
    }

    private mutating func sink(from place: Int, _ item: (key: Double, number: Int)) {
        var place = place
        while true {
            var child = 2 * place + 1
            guard child < items.count else { break }
            if child + 1 < items.count, Self.precedes(items[child + 1], items[child]) { child += 1 }
            guard Self.precedes(items[child], item) else { break }
            put(items[child], at: place)
            place = child
        }
        put(item, at: place)
    }

    private mutating func put(_ item: (key: Double, number: Int), at place: Int) {
        items[place] = item
        places[item.number] = Int32(place)
    }

    /// Traps when the order or a place is wrong.
    func checkInvariants() {
        for (place, item) in items.enumerated() {
            precondition(places[item.number] == Int32(place), "number \(item.number) misplaced")
            guard place > 0 else { continue }
            precondition(!Self.precedes(item, items[(place - 1) / 2]), "heap out of order")
        }
        precondition(places.count { $0 >= 0 } == items.count, "places of numbers not here")
    }
}
