import InferenceTypes
import Testing

@testable import Gateway

@Suite struct TicketTests {
    @Test func ticketsCarryTheirLoop() {
        for loop in [0, 1, 7, 65_535] {
            for sequence in [1, 1 << 20, (1 << 48) - 1] as [UInt64] {
                let ticket = TicketID(loop: loop, sequence: sequence)
                #expect(ticket.loop == loop)
                #expect(ticket.number & ((1 << 48) - 1) == sequence)
            }
        }
    }

    @Test func requestIDsDiffer() {
        let ids = RequestIDs()
        let made = (0..<1_000).map { _ in ids.next() }
        #expect(Set(made).count == made.count)
        #expect(made.allSatisfy { $0.utf8.count == 32 })
        #expect(RequestIDs().next() != RequestIDs().next())
    }
}
