import Admission
import InferenceTypes
import Testing

@testable import Routing

/// A pool under random faults: the queue, the fleet, its health, and a failover machine for each
/// choice, wired as the gateway wires them. Workers are modelled by what they were asked for: each
/// call generates the token after those that it was given, and nothing else, so that a token lost
/// or accepted twice shows as a gap or a repeat in the choice's transcript.
struct FailoverWorld {
    private struct Call {
        var worker: WorkerID
        /// Index in the answer of the token that comes next.
        var nextToken: Int
    }

    private struct Choice {
        var machine: ChoiceFailover
        /// Indices of the tokens accepted, in order.
        var transcript: [Int] = []
        /// Tokens that make the answer complete.
        var goal: Int
        var call: Call?
        /// While it waits for its next try outside the queue.
        var retryAt: Instant?
        var arrival: Instant
    }

    private var random: SeededGenerator
    private(set) var now = Instant(nanoseconds: 1_000_000_000)
    private var fleet: Fleet
    private var health: FleetHealth
    private var queue: AdmissionQueue
    private let limits = FailoverLimits(retryLimit: 2, resumeLimit: 5, busyLimit: 3)
    /// Choices that have not ended, in order of submission.
    private var open: [TicketID] = []
    private var choices: [TicketID: Choice] = [:]
    private var workers: [WorkerID] = []
    private var nextWorker: UInt32 = 0
    private var nextTicket: UInt64 = 0
    private(set) var digest: UInt64 = 0
    private(set) var finished = 0
    private(set) var failed = 0
    private(set) var resumed = 0
    var openings: UInt64 { health.openings }
    var denied: UInt64 { health.deniedRetries }

    init(seed: UInt64) {
        random = SeededGenerator(seed: seed)
        fleet = Fleet(
            configuration: RoutingConfiguration(
                aheadLimitTickets: 1,
                prefix: PrefixConfiguration(blockTokens: 4, blockLimit: 16, capacityEntries: 512),
                sessionCapacityEntries: 64, seed: seed))
        health = FleetHealth(now: now)
        queue = AdmissionQueue(
            configuration: AdmissionConfiguration(queueLimitTickets: 40), now: now)
        for _ in 0..<6 { addWorker() }
    }

    // MARK: Operations

    mutating func step() {
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<14: submit()
        case 14..<62: tokens()
        case 62..<66: cancel()
        case 66..<72: failCall()
        case 72..<75: loseWorker()
        case 75..<76: evict()
        case 76..<88: pass()
        default: changeWorkers()
        }
        place()
        output(UInt64(fleet.inFlight) << 32 | UInt64(queue.count))
    }

    private mutating func output(_ value: UInt64) {
        digest = SeededGenerator.mix(digest ^ value)
    }

    private mutating func submit() {
        let count = Int.random(in: 1...3, using: &random)
        let tickets = (0..<count).map { TicketID(number: nextTicket + UInt64($0)) }
        nextTicket += UInt64(count)
        let tier = ServiceTier.allCases.randomElement(using: &random) ?? .standard
        guard queue.submit(tickets, tier: tier, deadline: nil, now: now) == .queued else { return }
        health.requested(count, now: now)
        for ticket in tickets {
            open.append(ticket)
            choices[ticket] = Choice(
                machine: ChoiceFailover(limits: limits, seed: ticket.number),
                goal: Int.random(in: 1...20, using: &random), arrival: now)
        }
    }

    private mutating func place() {
        while fleet.hasRoom, let ticket = queue.next(now: now) {
            let policy = RoutingPolicy.allCases.randomElement(using: &random) ?? .cost
            guard let worker = fleet.place(ticket, by: policy) else {
                preconditionFailure("a fleet with room placed nothing")
            }
            #expect(workers.contains(worker))
            health.granted(ticket, on: worker, in: &fleet)
            guard let start = choices[ticket]?.machine.granted() else {
                preconditionFailure("a grant to a choice that does not wait")
            }
            choices[ticket]?.call = Call(worker: worker, nextToken: start.resumedTokens)
            output(ticket.number << 32 | UInt64(worker.number) << 8 | UInt64(start.attempt & 255))
        }
    }

    /// Some choice that runs; nil when none does.
    private mutating func running() -> TicketID? {
        guard !open.isEmpty else { return nil }
        let first = Int.random(in: 0..<open.count, using: &random)
        for index in 0..<open.count {
            let ticket = open[(first + index) % open.count]
            if choices[ticket]?.call != nil { return ticket }
        }
        return nil
    }

    private mutating func tokens() {
        guard let ticket = running(), var choice = choices[ticket], let call = choice.call else {
            return
        }
        let count = min(
            Int.random(in: 1...4, using: &random), choice.goal - choice.transcript.count)
        if count > 0, choice.machine.received(tokens: count) {
            choice.transcript += call.nextToken..<(call.nextToken + count)
            choice.call?.nextToken += count
        }
        choices[ticket] = choice
        health.answered(ticket, in: &fleet)
        guard choice.transcript.count == choice.goal, Bool.random(using: &random) else { return }
        // Else the worker may still be lost between its last token and its finish.
        let isOver = choices[ticket]?.machine.finished() == true
        #expect(isOver)
        finish(ticket)
    }

    private mutating func cancel() {
        guard let ticket = open.randomElement(using: &random) else { return }
        let cancels = choices[ticket]?.machine.end()
        #expect(cancels == (choices[ticket]?.call != nil))
        end(ticket)
    }

    private mutating func failCall() {
        guard let ticket = running(),
            let fault = WorkerFault.allCases.randomElement(using: &random)
        else { return }
        lose(ticket, Bool.random(using: &random) ? .failed : fault)
    }

    private mutating func loseWorker() {
        guard let worker = workers.randomElement(using: &random) else { return }
        loseAll(on: worker)
        fleet.setReady(worker, false)
    }

    private mutating func loseAll(on worker: WorkerID) {
        for ticket in open where choices[ticket]?.call?.worker == worker { lose(ticket, .lost) }
    }

    private mutating func lose(_ ticket: TicketID, _ fault: WorkerFault) {
        guard var choice = choices[ticket] else { return }
        let over: FinishReason? = choice.transcript.count == choice.goal ? .maxTokens : nil
        let action = choice.machine.lost(fault, over: over)
        // The call is over: whatever else comes of it changes nothing.
        if choice.machine.state != .running {
            let (again, late, end) = (
                choice.machine.lost(fault, over: nil), choice.machine.received(tokens: 1),
                choice.machine.finished()
            )
            #expect(again == .none && !late && !end)
        }
        choice.call = nil
        choices[ticket] = choice
        health.ended(ticket, fault, in: &fleet, now: now)
        switch action {
        case .none: Issue.record("a running choice ignored the end of its call")
        case .finish(.contextFull): end(ticket)
        case .finish: finish(ticket)
        case .fail: fail(ticket)
        case .retry(let retry):
            let released = fleet.release(ticket)
            #expect(released)
            guard health.retry(retry, now: now) else {
                let isDenied = choices[ticket]?.machine.retryDenied() == true
                #expect(isDenied)
                return fail(ticket)
            }
            resumed += retry.isResumed ? 1 : 0
            output(UInt64(retry.waitNanoseconds))
            if retry.waitNanoseconds == 0 {
                requeue(ticket)
            } else {
                choices[ticket]?.retryAt = now.advanced(byNanoseconds: retry.waitNanoseconds)
            }
        }
    }

    private mutating func evict() {
        guard let worker = workers.randomElement(using: &random) else { return }
        fleet.setDraining(worker, true)
        for ticket in open where choices[ticket]?.call?.worker == worker {
            guard var choice = choices[ticket] else { continue }
            let over: FinishReason? = choice.transcript.count == choice.goal ? .maxTokens : nil
            let action = choice.machine.evicted(over: over)
            choice.call = nil
            choices[ticket] = choice
            health.ended(ticket, nil, in: &fleet, now: now)
            switch action {
            case .none: Issue.record("a running choice was not moved")
            case .finish: finish(ticket)
            case .requeue:
                let released = fleet.release(ticket)
                #expect(released)
                requeue(ticket)
            }
        }
    }

    private mutating func requeue(_ ticket: TicketID) {
        guard let choice = choices[ticket] else { return }
        choices[ticket]?.retryAt = nil
        queue.requeue(
            ticket, tier: .standard, arrival: choice.arrival, deadline: nil, now: now)
    }

    private mutating func pass() {
        now = now.advanced(byNanoseconds: Int64.random(in: 0..<100_000_000, using: &random))
        health.due(now: now, in: &fleet)
        for ticket in open {
            guard let at = choices[ticket]?.retryAt, at <= now else { continue }
            requeue(ticket)
        }
        for (ticket, _) in queue.expire(now: now) {
            let cancels = choices[ticket]?.machine.end()
            #expect(cancels == false)
            end(ticket)
        }
    }

    private mutating func changeWorkers() {
        let id = workers.randomElement(using: &random)
        switch (Int.random(in: 0..<10, using: &random), id) {
        case (0, _) where workers.count < 9: addWorker()
        case (1, let id?) where workers.count > 3:
            loseAll(on: id)
            fleet.remove(id)
            health.remove(id)
            workers.removeAll { $0 == id }
        case (2, let id?): fleet.setDraining(id, Bool.random(using: &random))
        case (_, let id?):
            fleet.setDraining(id, false)
            guard fleet.worker(id)?.isReady == false else { return }
            health.becameReady(id)
            fleet.setReady(id, true)
        default: break
        }
        queue.workersReady(fleet.readyCount > 0, now: now)
    }

    private mutating func addWorker() {
        let id = WorkerID(number: nextWorker)
        nextWorker += 1
        fleet.add(id, slots: Int.random(in: 1...4, using: &random))
        health.add(id)
        health.becameReady(id)
        fleet.setReady(id, true)
        workers.append(id)
        queue.workersReady(true, now: now)
    }

    // MARK: Ends

    private mutating func finish(_ ticket: TicketID) {
        finished += 1
        #expect(choices[ticket]?.transcript.count == choices[ticket]?.goal)
        end(ticket)
    }

    private mutating func fail(_ ticket: TicketID) {
        failed += 1
        end(ticket)
    }

    private mutating func end(_ ticket: TicketID) {
        guard let choice = choices.removeValue(forKey: ticket) else { return }
        #expect(choice.machine.state == .ended)
        #expect(choice.transcript == Array(0..<choice.transcript.count), "gap or repeat")
        open.removeAll { $0 == ticket }
        health.ended(ticket, nil, in: &fleet, now: now)
        let wasQueued = queue.cancel(ticket)
        let wasPlaced = fleet.release(ticket)
        #expect(!(wasQueued && wasPlaced))
        for token in choice.transcript { output(UInt64(token)) }
        output(ticket.number << 8 | UInt64(choice.machine.attempts & 255))
    }

    // MARK: Invariants

    /// Each open choice is in exactly one place, and runs where its load is counted.
    func checkInvariants() {
        fleet.checkInvariants()
        queue.checkInvariants()
        health.checkInvariants(fleet)
        var (placed, delayed) = (0, 0)
        for ticket in open {
            guard let choice = choices[ticket] else { preconditionFailure("open, unknown") }
            choice.machine.checkInvariants()
            precondition(choice.machine.acceptedTokens == choice.transcript.count, "miscounted")
            precondition(
                choice.transcript.last.map { $0 + 1 == choice.transcript.count } ?? true,
                "gap or repeat: \(choice.transcript)")
            switch choice.machine.state {
            case .running:
                placed += 1
                precondition(choice.retryAt == nil, "runs and waits")
                precondition(fleet.worker(of: ticket) == choice.call?.worker, "runs elsewhere")
            case .waiting:
                precondition(choice.call == nil, "waits and runs")
                precondition(fleet.worker(of: ticket) == nil, "waits and holds load")
                delayed += choice.retryAt == nil ? 0 : 1
            case .ended: preconditionFailure("ended, but open")
            }
        }
        precondition(placed == fleet.inFlight, "load without a choice")
        precondition(placed + delayed + queue.count == open.count, "a choice is nowhere")
    }

    /// Ends all work: nothing may be left.
    mutating func settle() {
        while let ticket = open.first {
            _ = choices[ticket]?.machine.end()
            end(ticket)
        }
        precondition(fleet.inFlight == 0 && queue.isEmpty, "something is left")
        precondition(fleet.workers.allSatisfy { $0.load == .none }, "load is left")
    }
}
