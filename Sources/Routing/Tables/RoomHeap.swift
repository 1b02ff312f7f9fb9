/// The rows of the workers that have room, least loaded first: a binary heap that knows where each
/// row stands. It is also the flat list from which random candidates are drawn.
struct RoomHeap: Sendable {
    private var rows: [UInt32] = []
    /// Row to its place in `rows`; -1 when it has no room.
    private var places: [Int32] = []

    var count: Int { rows.count }
    var isEmpty: Bool { rows.isEmpty }
    /// The least loaded row.
    var first: Int? { rows.first.map { Int($0) } }

    subscript(place: Int) -> Int { Int(rows[place]) }

    mutating func reserve(_ rowCount: Int) {
        while places.count < rowCount { places.append(-1) }
    }

    func contains(_ row: Int) -> Bool { places[row] >= 0 }

    /// Puts the row where its load belongs, whether it was in or not.
    mutating func update(_ row: Int, _ workers: [Fleet.Worker]) {
        if places[row] < 0 {
            places[row] = Int32(rows.count)
            rows.append(UInt32(row))
        }
        let place = rise(Int(places[row]), workers)
        sink(place, workers)
    }

    mutating func remove(_ row: Int, _ workers: [Fleet.Worker]) {
        guard places[row] >= 0 else { return }
        let place = Int(places[row])
        let last = rows.removeLast()
        places[row] = -1
        guard place < rows.count else { return }
        rows[place] = last
        places[Int(last)] = Int32(place)
        sink(rise(place, workers), workers)
    }

    /// Moves up while lighter than its parent; returns where it stands.
    private mutating func rise(_ start: Int, _ workers: [Fleet.Worker]) -> Int {
        var place = start
        while place > 0 {
            let parent = (place - 1) / 2
            guard precedes(place, parent, workers) else { break }
            swap(place, parent)
            place = parent
        }
        return place
    }

    private mutating func sink(_ start: Int, _ workers: [Fleet.Worker]) {
        var place = start
        while true {
            var least = place
            for child in (2 * place + 1)...(2 * place + 2)
            where child < rows.count && precedes(child, least, workers) {
                least = child
            }
            guard least != place else { return }
            swap(place, least)
            place = least
        }
    }

    private func precedes(_ left: Int, _ right: Int, _ workers: [Fleet.Worker]) -> Bool {
        workers[Int(rows[left])].isLighter(than: workers[Int(rows[right])])
    }

    private mutating func swap(_ left: Int, _ right: Int) {
        rows.swapAt(left, right)
        places[Int(rows[left])] = Int32(left)
        places[Int(rows[right])] = Int32(right)
    }

    /// No row is lighter than its parent, and each stands where it is said to. Traps otherwise.
    func checkInvariants(_ workers: [Fleet.Worker]) {
        for place in rows.indices {
            precondition(places[Int(rows[place])] == Int32(place), "row misplaced")
            precondition(
                place == 0 || !precedes(place, (place - 1) / 2, workers), "heap out of order")
        }
        let members = places.reduce(0) { $0 + ($1 >= 0 ? 1 : 0) }
        precondition(members == rows.count, "\(members) places for \(rows.count) rows")
    }
}
