import InferenceTypes
import Testing

@testable import Routing

private func worker(_ number: UInt32) -> WorkerID { WorkerID(number: number) }
private func ticket(_ number: UInt64) -> TicketID { TicketID(number: number) }

private func fleet(_ slots: [Int], ahead: Int = 0) -> Fleet {
    var fleet = Fleet(aheadLimitTickets: ahead)
    for (index, count) in slots.enumerated() {
        fleet.add(worker(UInt32(index)), slots: count)
        fleet.setReady(worker(UInt32(index)), true)
    }
    return fleet
}

@Suite struct FleetTests {
    @Test func spreadsByShareOfSlots() {
        var fleet = fleet([2, 4])
        let placed = (0..<6).map { fleet.place(ticket($0), by: .leastLoad) }
        #expect(placed.filter { $0 == worker(0) }.count == 2)
        #expect(placed.filter { $0 == worker(1) }.count == 4)
        #expect(fleet.place(ticket(9), by: .leastLoad) == nil)
        #expect(!fleet.hasRoom)
    }

    @Test func knowsWhetherASlotIsIdle() {
        var fleet = fleet([2, 1], ahead: 2)
        for number in 0..<3 as Range<UInt64> {
            #expect(fleet.hasIdleSlot(reserve: 0))
            _ = fleet.place(ticket(number), by: .leastLoad)
        }
        // There is room, but only behind others.
        #expect(fleet.hasRoom && !fleet.hasIdleSlot(reserve: 0))
        _ = fleet.release(ticket(0))
        #expect(fleet.hasIdleSlot(reserve: 0) && !fleet.hasIdleSlot(reserve: 1))
    }

    @Test func alternatesBetweenEquals() {
        var fleet = fleet([8, 8])
        for number in 0..<4 as Range<UInt64> {
            let placed = fleet.place(ticket(number), by: .leastLoad)
            #expect(placed == worker(UInt32(number % 2)))
            _ = fleet.release(ticket(number))
        }
    }

    @Test func aFewMayWaitInsideAWorker() {
        var fleet = fleet([1], ahead: 2)
        for number in 0..<3 as Range<UInt64> {
            #expect(fleet.place(ticket(number), by: .leastLoad) != nil)
        }
        #expect(fleet.place(ticket(3), by: .leastLoad) == nil)
        let released = fleet.release(ticket(0))
        let again = fleet.release(ticket(0))
        #expect(released && !again)
        #expect(fleet.place(ticket(4), by: .leastLoad) == worker(0))
    }

    @Test func aSlowReadersTicketTakesNobodysPlace() {
        var fleet = fleet([1])
        _ = fleet.place(ticket(0), by: .leastLoad)
        fleet.setParked(ticket(7), true)
        #expect(!fleet.hasRoom)
        fleet.setParked(ticket(0), true)
        fleet.setParked(ticket(0), true)
        #expect(fleet.place(ticket(1), by: .leastLoad) == worker(0))
        #expect(fleet.worker(worker(0))?.inFlight == 2)
        #expect(fleet.worker(worker(0))?.ownLoad.sequences == 2)
        // It reads again: one more than the worker would be given.
        fleet.setParked(ticket(0), false)
        fleet.checkInvariants()
        _ = fleet.release(ticket(1))
        #expect(!fleet.hasRoom)
        fleet.setParked(ticket(0), true)
        _ = fleet.release(ticket(0))
        #expect(fleet.hasRoom && fleet.worker(worker(0))?.inFlight == 0)
        fleet.checkInvariants()
    }

    @Test func howManyMayWaitCanChange() {
        var fleet = fleet([1], ahead: 0)
        _ = fleet.place(ticket(0), by: .leastLoad)
        #expect(!fleet.hasRoom)
        fleet.setAheadLimit(1)
        #expect(fleet.place(ticket(1), by: .leastLoad) == worker(0))
        fleet.setAheadLimit(0)
        fleet.checkInvariants()
        _ = fleet.release(ticket(0))
        #expect(!fleet.hasRoom)
        _ = fleet.release(ticket(1))
        #expect(fleet.hasRoom)
        fleet.checkInvariants()
    }

    @Test func skipsWorkersThatAreNotReadyOrDraining() {
        var fleet = fleet([1, 1, 1])
        fleet.setReady(worker(0), false)
        fleet.setDraining(worker(1), true)
        #expect(fleet.place(ticket(1), by: .leastLoad) == worker(2))
        #expect(fleet.place(ticket(2), by: .leastLoad) == nil)
        #expect(fleet.readyCount == 2)
    }

    @Test func releasingATicketOfARemovedWorkerIsHarmless() {
        var fleet = fleet([1])
        _ = fleet.place(ticket(1), by: .leastLoad)
        fleet.remove(worker(0))
        let released = fleet.release(ticket(1))
        #expect(released)
        #expect(fleet.inFlight == 0)
        fleet.checkInvariants()
    }

    @Test(arguments: 0..<20 as Range<UInt64>)
    func randomOperationsKeepTheInvariants(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var fleet = fleet([1, 3, 5], ahead: 1)
        var held: [TicketID] = []
        for number in 0..<3_000 as Range<UInt64> {
            switch Int.random(in: 0..<5, using: &random) {
            case 0, 1:
                if fleet.place(ticket(number), by: .leastLoad) != nil {
                    held.append(ticket(number))
                }
            case 2, 3:
                guard let victim = held.randomElement(using: &random) else { continue }
                let released = fleet.release(victim)
                #expect(released)
                held.removeAll { $0 == victim }
            default:
                let id = worker(UInt32.random(in: 0..<3, using: &random))
                fleet.setReady(id, Bool.random(using: &random))
            }
            #expect(fleet.inFlight == held.count)
            fleet.checkInvariants()
        }
    }
}
