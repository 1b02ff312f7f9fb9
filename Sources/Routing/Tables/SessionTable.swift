import InferenceTypes

/// Which worker a conversation was last placed on. Bounded: a conversation that was not heard of
/// for longest is forgotten, which costs it one prefill. Owned by `Fleet`.
struct SessionTable: Sendable {
    private var table: AssociativeTable<UInt32>

    init(capacityEntries: Int) {
        table = AssociativeTable(capacityEntries: capacityEntries, empty: 0)
    }

    var count: Int { table.count }
    var bytes: Int { table.bytes }

    /// The last worker of the conversation; it may have been removed since.
    func worker(of conversation: UInt64) -> WorkerID? {
        table.find(Self.hash(conversation)).map { WorkerID(number: table[$0]) }
    }

    mutating func record(_ conversation: UInt64, on worker: WorkerID) {
        table.tick()
        let entry = table.insert(Self.hash(conversation))
        table[entry] = worker.number
    }

    /// Callers' keys need not be well mixed.
    private static func hash(_ conversation: UInt64) -> UInt64 {
        let hash = SeededGenerator.mix(conversation)
        return hash == 0 ? 1 : hash
    }

    func checkInvariants() { table.checkInvariants() }
}
