import InferenceTypes
import Testing

@testable import Admission

@Suite struct BudgetBookTests {
    private static let key = BudgetAccount(tenant: "t", keyID: "k")

    private func claim(
        tokens: Int64? = nil, ticks: Int64? = nil, prompt: Int64 = 10, most: Int = 1_000
    ) -> BudgetClaim {
        BudgetClaim(
            payers: [.init(account: Self.key, limit: BudgetLimit(tokens: tokens, ticks: ticks))],
            promptTokens: prompt, promptPrice: 2, completionPrice: 5, positionsMax: most)
    }

    private func ticket(_ number: Int) -> TicketID { TicketID(number: UInt64(number)) }

    @Test func aStreamEndsAtTheLastTokenThatCanBePaid() {
        var book = BudgetBook(leaseTokens: 8)
        let claim = claim(tokens: 30)
        let got1 = book.open([(ticket(1), claim)])
        #expect(got1)
        let got2 = book.lease(ticket(1), positions: 0)
        #expect(got2 == 8)
        let got3 = book.lease(ticket(1), positions: 8)
        #expect(got3 == 16)
        let got4 = book.lease(ticket(1), positions: 16)
        #expect(got4 == 20)
        let got5 = book.lease(ticket(1), positions: 20)
        #expect(got5 == nil)
        book.spent(tenant: "t", keyID: "k", tokens: 30, ticks: 120)
        book.close(ticket(1))
        let got6 = book.open([(ticket(2), claim)])
        #expect(!got6)
    }

    @Test func moneyIsCountedAtThePrices() {
        var book = BudgetBook(leaseTokens: 100)
        // 20 for the prompt, five a token.
        let got7 = book.open([(ticket(1), claim(ticks: 24))])
        #expect(!got7)
        let got8 = book.open([(ticket(1), claim(ticks: 39))])
        #expect(got8)
        let got9 = book.lease(ticket(1), positions: 0)
        #expect(got9 == 3)
    }

    @Test func whatIsNotUsedIsGivenBack() {
        var book = BudgetBook(leaseTokens: 50)
        let got10 = book.open([(ticket(1), claim(tokens: 62))])
        #expect(got10)
        let got11 = book.lease(ticket(1), positions: 0)
        #expect(got11 == 50)
        let got12 = book.open([(ticket(2), claim(tokens: 62))])
        #expect(!got12)
        book.spent(tenant: "t", keyID: "k", tokens: 13, ticks: 0)
        book.close(ticket(1))
        #expect(book.used(Self.key).leased.tokens == 0)
        let got13 = book.open([(ticket(2), claim(tokens: 62))])
        #expect(got13)
        let got14 = book.lease(ticket(2), positions: 0)
        #expect(got14 == 39)
    }

    @Test func allChoicesOfARequestOrNone() {
        var book = BudgetBook(leaseTokens: 8)
        let second = claim(tokens: 11, prompt: 0)
        let got15 = book.open([(ticket(1), claim(tokens: 11)), (ticket(2), second)])
        #expect(!got15)
        #expect(book.leaseCount == 0)
        #expect(book.used(Self.key).leased.tokens == 0)
    }

    @Test func aCallThatWasLostGoesOnWithItsLease() {
        var book = BudgetBook(leaseTokens: 10)
        let got16 = book.open([(ticket(1), claim(tokens: 20))])
        #expect(got16)
        let got17 = book.lease(ticket(1), positions: 0)
        #expect(got17 == 10)
        let got18 = book.lease(ticket(1), positions: 4)
        #expect(got18 == 10)
    }

    @Test func withoutABudgetNothingEnds() {
        var book = BudgetBook(leaseTokens: 10)
        let got19 = book.lease(ticket(9), positions: 5_000)
        #expect(got19 == .max)
    }

    /// Many streams of two keys of one tenant, in any order: never more than the budget.
    @Test(arguments: 1...20) func neverMoreThanTheBudget(seed: Int) {
        var generator = SplitMix(state: UInt64(seed) &* 0x9E37_79B9)
        var book = BudgetBook(leaseTokens: Int.random(in: 1...20, using: &generator))
        let limit = Int64.random(in: 100...2_000, using: &generator)
        let tenant = BudgetAccount(tenant: "t")
        var running: [(ticket: TicketID, key: String, prompt: Int64, made: Int, end: Int)] = []
        var generated: Int64 = 0
        var spent: Int64 = 0
        for number in 1...2_000 {
            switch Int.random(in: 0..<4, using: &generator) {
            case 0:
                let key = Bool.random(using: &generator) ? "a" : "b"
                let prompt = Int64.random(in: 1...20, using: &generator)
                let claim = BudgetClaim(
                    payers: [
                        .init(account: tenant, limit: BudgetLimit(tokens: limit)),
                        .init(
                            account: BudgetAccount(tenant: "t", keyID: key),
                            limit: BudgetLimit(tokens: limit / 2)),
                    ], promptTokens: prompt, positionsMax: 60)
                guard book.open([(ticket(number), claim)]) else { continue }
                running.append((ticket(number), key, prompt, 0, 0))
            case 1, 2:
                guard let index = running.indices.randomElement(using: &generator) else { continue }
                if running[index].made == running[index].end {
                    guard
                        let end = book.lease(
                            running[index].ticket, positions: running[index].made)
                    else { continue }
                    #expect(end > running[index].made)
                    running[index].end = end
                }
                // A worker goes as far as it may.
                running[index].made = Int.random(
                    in: running[index].made...running[index].end, using: &generator)
            default:
                guard let index = running.indices.randomElement(using: &generator) else { continue }
                let stream = running.remove(at: index)
                let tokens = stream.made > 0 ? stream.prompt + Int64(stream.made) : 0
                generated += tokens
                book.spent(tenant: "t", keyID: stream.key, tokens: tokens, ticks: 0)
                book.close(stream.ticket)
                spent += tokens
            }
            let used = book.used(tenant)
            #expect(used.spent.tokens == spent)
            #expect((used.spent.tokens ?? 0) + (used.leased.tokens ?? 0) <= limit)
            let open = running.reduce(0) { $0 + ($1.made > 0 ? $1.prompt + Int64($1.made) : 0) }
            #expect(generated + open <= limit)
        }
        for stream in running { book.close(stream.ticket) }
        #expect(book.used(tenant).leased.tokens == 0 && book.leaseCount == 0)
    }
}

private struct SplitMix: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
        return value ^ value >> 31
    }
}
