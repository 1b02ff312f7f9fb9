import InferenceTypes

/// A flat table of fixed size from well-mixed 64-bit hashes to small values, which forgets what was
/// touched longest ago. Made like a processor's cache: a hash belongs to one set of eight entries,
/// so that a probe reads one or two cache lines of hashes, and neither deletion nor replacement
/// moves anything. The same calls give the same contents in every process.
///
/// Replacement: the first free entry of the set, else the one whose last touch is oldest in calls
/// of `tick` (the lowest entry among equals). Hash 0 stands for a free entry; nobody passes it.
struct AssociativeTable<Value: Sendable>: Sendable {
    static var ways: Int { 8 }

    // Apart, so that looking for a hash, or for the oldest of a set, reads a line and not four.
    private var hashes: [UInt64]
    private var touched: [UInt32]
    private var values: [Value]
    private let sets: UInt64
    private let empty: Value
    /// Wraps after 2^32 ticks; ages are differences, so only entries that old are misjudged.
    private var clock: UInt32 = 0
    /// Entries in use.
    private(set) var count = 0
    /// Entries that were given up for others since the start.
    private(set) var replacements: UInt64 = 0

    /// Room for at least `capacityEntries`, rounded up to whole sets, allocated at once.
    init(capacityEntries: Int, empty: Value) {
        precondition(capacityEntries >= 1, "capacityEntries: \(capacityEntries)")
        let sets = (capacityEntries + Self.ways - 1) / Self.ways
        self.sets = UInt64(sets)
        self.empty = empty
        hashes = Array(repeating: 0, count: sets * Self.ways)
        touched = Array(repeating: 0, count: sets * Self.ways)
        values = Array(repeating: empty, count: sets * Self.ways)
    }

    var capacity: Int { hashes.count }

    /// What the table occupies, in bytes; does not change.
    var bytes: Int {
        hashes.count
            * (MemoryLayout<UInt64>.stride + MemoryLayout<UInt32>.stride
                + MemoryLayout<Value>.stride)
    }

    /// The entry of `hash`; nil when it is not known. Valid until the next `insert` or `remove`.
    func find(_ hash: UInt64) -> Int? {
        let first = firstEntry(hash)
        for entry in first..<(first + Self.ways) where hashes[entry] == hash {
            return entry
        }
        return nil
    }

    subscript(entry: Int) -> Value {
        get { values[entry] }
        _modify { yield &values[entry] }
    }

    /// Begins a new age: what is inserted from now on is younger than what was before.
    mutating func tick() { clock &+= 1 }

    /// The entry of `hash`, touched; made with the empty value when it was not known.
    mutating func insert(_ hash: UInt64) -> Int {
        precondition(hash != 0, "hash 0 is reserved")
        let first = firstEntry(hash)
        var free: Int?
        var (oldest, oldestAge) = (first, UInt32(0))
        for entry in first..<(first + Self.ways) {
            if hashes[entry] == hash {
                touched[entry] = clock
                return entry
            }
            guard free == nil else { continue }
            if hashes[entry] == 0 {
                free = entry
                continue
            }
            let age = clock &- touched[entry]
            if age > oldestAge { (oldest, oldestAge) = (entry, age) }
        }
        if free == nil { replacements += 1 } else { count += 1 }
        let entry = free ?? oldest
        hashes[entry] = hash
        touched[entry] = clock
        values[entry] = empty
        return entry
    }

    mutating func remove(at entry: Int) {
        precondition(hashes[entry] != 0, "removed twice")
        hashes[entry] = 0
        values[entry] = empty
        count -= 1
    }

    private func firstEntry(_ hash: UInt64) -> Int {
        Int(hash.multipliedFullWidth(by: sets).high) * Self.ways
    }

    /// Every hash lies in its set, once, and `count` is what is in use. Traps otherwise.
    func checkInvariants() {
        var used = 0
        for entry in hashes.indices where hashes[entry] != 0 {
            used += 1
            precondition(find(hashes[entry]) == entry, "entry \(entry) lies elsewhere or twice")
        }
        precondition(used == count, "\(used) entries in use, counted \(count)")
        precondition(
            touched.count == capacity && values.count == capacity
                && UInt64(capacity) == sets * UInt64(Self.ways), "table grew")
    }
}
