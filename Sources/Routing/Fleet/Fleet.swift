package import InferenceTypes

/// What the router knows of the workers: who is ready, how much each already has, and which prompts
/// each has seen. Load is counted in the choice itself and given back by exactly one `release`, so
/// no path can forget it. Owned by the dispatcher.
///
/// Nothing here but `workers` and `checkInvariants` looks at all workers: the numbers are kept, and
/// a choice looks at its candidates only.
package struct Fleet: Sendable {
    /// What a placed ticket holds of its worker.
    private struct Share {
        var worker: WorkerID
        var load: WorkerLoad
        /// Its reader is slow: it takes nobody's place.
        var isParked = false
    }

    package private(set) var configuration: RoutingConfiguration
    /// A table with free rows; a worker keeps its row.
    var rows: [Worker] = []
    private var freeRows: [Int] = []
    /// Looked up only, never iterated.
    private var rowNumbers: [WorkerID: Int] = [:]
    private var lastID: WorkerID?
    /// Workers that would take one more ticket: by load, and by row.
    var room = RoomHeap()
    var turns = RowSet()
    /// The row whose turn comes next (`round-robin`).
    var nextTurn = 0
    /// Looked up only; iterated by `checkInvariants` alone, which sums.
    private var shares: [TicketID: Share] = [:]
    private(set) var choices: UInt64 = 0
    package internal(set) var prefixes: PrefixIndex
    var sessions: SessionTable
    /// Kept between choices for its memory.
    private var candidates: [Candidate] = []

    /// Workers that are connected and usable, draining ones included.
    package private(set) var readyCount = 0
    package private(set) var readySlots = 0

    package init(configuration: RoutingConfiguration = RoutingConfiguration()) {
        self.configuration = configuration
        prefixes = PrefixIndex(capacityEntries: configuration.prefix.capacityEntries)
        sessions = SessionTable(capacityEntries: configuration.sessionCapacityEntries)
    }

    package init(aheadLimitTickets: Int) {
        self.init(configuration: RoutingConfiguration(aheadLimitTickets: aheadLimitTickets))
    }

    // MARK: Workers

    /// Adds a worker that is not yet ready.
    package mutating func add(
        _ id: WorkerID, slots: Int, weight: Double = 1, rates: WorkerRates = WorkerRates()
    ) {
        precondition(slots >= 1, "slots: \(slots)")
        precondition(weight > 0 && weight.isFinite, "weight: \(weight)")
        precondition(lastID.map { $0 < id } ?? true, "worker ids must ascend")
        lastID = id
        var worker = Worker(id: id, slots: slots)
        worker.rates = rates
        worker.weight = weight
        if let row = freeRows.popLast() {
            rows[row] = worker
            rowNumbers[id] = row
        } else {
            rowNumbers[id] = rows.count
            rows.append(worker)
            room.reserve(rows.count)
            turns.reserve(rows.count)
        }
    }

    /// Forgets a worker. Its tickets stay known until they are released.
    package mutating func remove(_ id: WorkerID) {
        guard let row = row(of: id) else { return }
        update(row) {
            $0.isPresent = false
            $0.isReady = false
            $0.load = .none
            $0.parked = 0
        }
        rowNumbers[id] = nil
        freeRows.append(row)
        prefixes.clear(id)
    }

    package mutating func setReady(_ id: WorkerID, _ isReady: Bool, slots: Int? = nil) {
        precondition((slots ?? 1) >= 1, "slots: \(slots ?? 1)")
        guard let row = row(of: id) else { return }
        update(row) {
            $0.isReady = isReady
            if let slots { $0.slots = slots }
        }
    }

    /// How many tickets may wait inside each worker, from now on.
    package mutating func setAheadLimit(_ tickets: Int) {
        precondition(tickets >= 0, "aheadLimitTickets: \(tickets)")
        configuration.aheadLimitTickets = tickets
        for row in rows.indices { update(row) { _ in } }
    }

    package mutating func setDraining(_ id: WorkerID, _ isDraining: Bool) {
        guard let row = row(of: id) else { return }
        update(row) { $0.isDraining = isDraining }
    }

    package mutating func setHeld(_ id: WorkerID, _ isHeld: Bool) {
        guard let row = row(of: id), rows[row].isHeld != isHeld else { return }
        update(row) { $0.isHeld = isHeld }
    }

    package mutating func setRates(_ id: WorkerID, _ rates: WorkerRates) {
        guard let row = row(of: id) else { return }
        rows[row].rates = rates
    }

    /// Half the cost for a worker of weight 2: it gets more of the work.
    package mutating func setWeight(_ id: WorkerID, _ weight: Double) {
        precondition(weight > 0 && weight.isFinite, "weight: \(weight)")
        guard let row = row(of: id) else { return }
        update(row) { $0.weight = weight }
    }

    /// What the worker reports to have besides this gateway's tickets.
    package mutating func setOtherLoad(_ id: WorkerID, _ load: WorkerLoad) {
        precondition(
            load.sequences >= 0 && load.prefillTokens >= 0 && load.contextTokens >= 0, "\(load)")
        guard let row = row(of: id) else { return }
        update(row) { $0.otherLoad = load }
    }

    /// The worker reports that its cache is empty: it was restarted, or has swapped its model.
    package mutating func clearPrefixes(of id: WorkerID) {
        prefixes.clear(id)
    }

    /// The worker reports that it no longer has the blocks with these hashes.
    package mutating func cacheRemoved(_ hashes: [UInt64], of id: WorkerID) {
        for hash in hashes where hash != 0 { prefixes.remove(hash, on: id) }
    }

    /// The worker reports that it has come to hold these consecutive blocks of a prompt, whose
    /// hashes were made with this gateway's own salts.
    package mutating func cacheStored(_ hashes: [UInt64], by id: WorkerID) {
        guard row(of: id) != nil else { return }
        let known = hashes.prefix(configuration.prefix.blockLimit).filter { $0 != 0 }
        prefixes.insert(PromptBlocks(hashes: known), on: id)
    }

    package var count: Int { rowNumbers.count }
    package var inFlight: Int { shares.count }

    package func worker(_ id: WorkerID) -> Worker? { row(of: id).map { rows[$0] } }

    /// Where the ticket was placed; nil when it is not. The worker may have been removed since.
    package func worker(of ticket: TicketID) -> WorkerID? { shares[ticket]?.worker }

    /// All workers, by id. For reports: reads the whole table.
    package var workers: [Worker] {
        rows.filter(\.isPresent).sorted { $0.id < $1.id }
    }

    /// What the tables occupy, about, in bytes; of it `prefixes` and the sessions are fixed.
    package var bytes: Int {
        prefixes.bytes + sessions.bytes
            + rows.capacity * (MemoryLayout<Worker>.stride + 8)
            + (rowNumbers.capacity + prefixes.workerCapacity) * 32
            + shares.capacity * (MemoryLayout<Share>.stride + 16)
    }

    /// Some workers, at most `limit`: those of the table's first rows, in order of rows. Reads no
    /// more than the rows before them.
    package func firstWorkers(_ limit: Int) -> [Worker] {
        Array(rows.lazy.filter(\.isPresent).prefix(limit))
    }

    // MARK: Tickets

    /// Whether any worker would take one more ticket. Then `place` gives it one.
    package var hasRoom: Bool { !room.isEmpty }

    /// Whether the least loaded worker, which `leastLoad` chooses, has a slot that is free and not
    /// among the `reserve` of it that are kept for others.
    package func hasIdleSlot(reserve: Int) -> Bool {
        guard let row = room.first else { return false }
        return rows[row].totalLoad.sequences + reserve < rows[row].slots
    }

    /// Chooses a worker for the ticket and counts it there; nil when none has room.
    package mutating func place(
        _ ticket: TicketID, _ request: PlacementRequest = .unknown, by policy: RoutingPolicy
    ) -> WorkerID? {
        choose(ticket, request, policy).map { candidates[$0.index].worker }
    }

    /// `place`, with the reasons.
    package mutating func placeRecording(
        _ ticket: TicketID, _ request: PlacementRequest = .unknown, by policy: RoutingPolicy
    ) -> DecisionRecord? {
        guard let choice = choose(ticket, request, policy) else { return nil }
        return DecisionRecord(
            ticket: ticket, number: choices, policy: policy, seed: choice.seed,
            promptTokens: request.promptTokens, weights: configuration.weights,
            candidates: candidates, worker: candidates[choice.index].worker)
    }

    /// The choice's candidates are left in `candidates`.
    private mutating func choose(
        _ ticket: TicketID, _ request: PlacementRequest, _ policy: RoutingPolicy
    ) -> (index: Int, seed: UInt64)? {
        guard hasRoom else { return nil }
        choices += 1
        let seed = SeededGenerator.value(seed: configuration.seed, counter: choices)
        var found = candidates
        candidates = []
        found.removeAll(keepingCapacity: true)
        policy.gather(in: self, request, seed: seed, into: &found)
        guard let index = policy.select(among: found) else {
            preconditionFailure("\(policy) found nobody in a fleet with room")
        }
        candidates = found
        count(ticket, request, at: found[index])
        return (index, seed)
    }

    private mutating func count(
        _ ticket: TicketID, _ request: PlacementRequest, at choice: Candidate
    ) {
        guard let row = row(of: choice.worker),
            rows[row].hasRoom(aheadLimitTickets: configuration.aheadLimitTickets)
        else { preconditionFailure("policy chose a worker without room") }
        let load = WorkerLoad(
            sequences: 1,
            prefillTokens: choice.uncachedTokens(of: request.promptTokens),
            contextTokens: request.promptTokens + request.outputTokens)
        let number = choices
        update(row) {
            $0.lastChoice = number
            $0.load = $0.load + load
        }
        nextTurn = row + 1
        let previous = shares.updateValue(Share(worker: choice.worker, load: load), forKey: ticket)
        precondition(previous == nil, "ticket \(ticket.number) placed twice")
        prefixes.insert(request.blocks, on: choice.worker)
        if let key = request.conversation { sessions.record(key, on: choice.worker) }
    }

    /// The ticket's first token has come: its prompt is no longer in anybody's way. May be called
    /// again, or never; `release` gives back what is left.
    package mutating func prefillEnded(_ ticket: TicketID) {
        guard let share = shares[ticket], share.load.prefillTokens > 0 else { return }
        shares[ticket]?.load.prefillTokens = 0
        // The order of loads does not depend on it.
        if let row = row(of: share.worker) {
            rows[row].load.prefillTokens -= share.load.prefillTokens
        }
    }

    /// The ticket's reader is slow, or reads again: while it is slow another may have its place.
    /// Nothing for a ticket that is not placed.
    package mutating func setParked(_ ticket: TicketID, _ isParked: Bool) {
        guard let share = shares[ticket], share.isParked != isParked else { return }
        shares[ticket]?.isParked = isParked
        shares[ticket]?.load.sequences = isParked ? 0 : 1
        guard let row = row(of: share.worker) else { return }
        update(row) {
            $0.load.sequences += isParked ? -1 : 1
            $0.parked += isParked ? 1 : -1
        }
    }

    /// What the ticket counts as at its worker; nil when it is not placed.
    package func load(of ticket: TicketID) -> WorkerLoad? { shares[ticket]?.load }

    /// Gives the ticket's load back. False when it was not placed (already released).
    package mutating func release(_ ticket: TicketID) -> Bool {
        guard let share = shares.removeValue(forKey: ticket) else { return false }
        if let row = row(of: share.worker) {
            update(row) {
                $0.load = $0.load - share.load
                if share.isParked { $0.parked -= 1 }
            }
        }
        return true
    }

    // MARK: Rows

    func row(of id: WorkerID) -> Int? { rowNumbers[id] }

    func hasRoom(_ row: Int) -> Bool { room.contains(row) }

    /// The only way to change what the kept numbers depend on.
    private mutating func update(_ row: Int, _ change: (inout Worker) -> Void) {
        let before = rows[row]
        change(&rows[row])
        let after = rows[row]
        readyCount += (after.isReady ? 1 : 0) - (before.isReady ? 1 : 0)
        readySlots += (after.isReady ? after.slots : 0) - (before.isReady ? before.slots : 0)
        if after.hasRoom(aheadLimitTickets: configuration.aheadLimitTickets) {
            room.update(row, rows)
            turns.insert(row)
        } else {
            room.remove(row, rows)
            turns.remove(row)
        }
    }

    /// Each worker's load is what its tickets hold, and the kept numbers are what a look at all
    /// workers would give. Traps otherwise. Leaves out the tables, which are larger.
    package func checkInvariants() {
        var held = Array(repeating: WorkerLoad.none, count: rows.count)
        var parked = Array(repeating: 0, count: rows.count)
        for share in shares.values {
            guard let row = row(of: share.worker) else { continue }
            held[row] = held[row] + share.load
            parked[row] += share.isParked ? 1 : 0
        }
        var (ready, slots, present) = (0, 0, 0)
        for (row, worker) in rows.enumerated() {
            precondition(held[row] == worker.load, "worker \(worker.id.number) miscounted")
            precondition(parked[row] == worker.parked, "worker \(worker.id.number): parked")
            precondition(!worker.isPresent || rowNumbers[worker.id] == row, "row misnumbered")
            let hasRoom = worker.hasRoom(aheadLimitTickets: configuration.aheadLimitTickets)
            precondition(room.contains(row) == hasRoom, "worker \(worker.id.number): room")
            precondition(turns.contains(row) == hasRoom, "worker \(worker.id.number): turn")
            present += worker.isPresent ? 1 : 0
            ready += worker.isReady ? 1 : 0
            slots += worker.isReady ? worker.slots : 0
        }
        precondition(present == rowNumbers.count, "\(present) workers, \(rowNumbers.count) rows")
        precondition(present + freeRows.count == rows.count, "rows lost")
        precondition((ready, slots) == (readyCount, readySlots), "ready workers miscounted")
        room.checkInvariants(rows)
    }

    /// Traps when a bounded table is inconsistent. Reads every entry.
    package func checkTables() {
        prefixes.checkInvariants()
        sessions.checkInvariants()
    }
}
