import InferenceTypes
import Testing

@testable import Routing

private func worker(_ number: UInt32) -> WorkerID { WorkerID(number: number) }
private func seconds(_ value: Double) -> Instant { Instant(nanoseconds: Int64(value * 1e9)) }
private func load(_ sequences: Int, context: Int = 0) -> WorkerLoad {
    WorkerLoad(sequences: sequences, prefillTokens: 0, contextTokens: context)
}

private func isNear(_ value: Double, _ expected: Double, within share: Double) -> Bool {
    abs(value - expected) <= share * expected
}

@Suite struct LineFitTests {
    @Test func findsALine() throws {
        var fit = LineFit(memoryNanoseconds: 60e9)
        for x in 1...20 { fit.observe(x: Double(x), y: 5 + 2 * Double(x), now: .zero) }
        let line = try #require(fit.line(prior: nil, strength: 0.001))
        #expect(isNear(line.slope, 2, within: 0.001))
        #expect(isNear(line.intercept, 5, within: 0.001))
    }

    @Test func withoutSpreadThePriorStays() throws {
        var fit = LineFit(memoryNanoseconds: 60e9)
        #expect(fit.line(prior: 1, strength: 1) == nil)
        for _ in 0..<100 { fit.observe(x: 4, y: 12, now: .zero) }
        #expect(try #require(fit.line(prior: 2, strength: 1)).slope == 2)
        #expect(try #require(fit.line(prior: 2, strength: 1)).intercept == 4)
        // Through 0, and never above that: no part of y is negative.
        #expect(try #require(fit.line(prior: nil, strength: 1)).slope == 3)
        #expect(try #require(fit.line(prior: 50, strength: 1)) == (3, 0))
    }

    @Test func neverSlopesDownwards() throws {
        var fit = LineFit(memoryNanoseconds: 60e9)
        for x in 1...10 { fit.observe(x: Double(x), y: 20 - Double(x), now: .zero) }
        #expect(try #require(fit.line(prior: nil, strength: 0.1)).slope == 0)
    }

    @Test func forgets() {
        var fit = LineFit(memoryNanoseconds: 1e9)
        for step in 0..<100 { fit.observe(x: 1, y: 10, now: seconds(Double(step) / 10)) }
        for step in 100..<200 { fit.observe(x: 1, y: 1, now: seconds(Double(step) / 10)) }
        #expect(isNear(fit.meanY ?? 0, 1, within: 0.01))
        #expect(fit.count < 12)
    }
}

@Suite struct RateBookTests {
    @Test func defaultsUntilSomethingIsKnown() {
        var book = RateBook()
        #expect(book.pool == WorkerRates())
        #expect(book.rates(of: worker(3), now: .zero) == WorkerRates())
    }

    /// Prompts of many lengths on workers that take 0.2 ms a token and 30 ms besides.
    @Test func learnsPrefillApartFromTheWay() {
        var book = RateBook()
        var random = SeededGenerator(seed: 1)
        for step in 0..<200 {
            let tokens = Int.random(in: 10..<3_000, using: &random)
            book.prefilled(
                worker(UInt32(step % 4)), seconds: 0.03 + 0.0002 * Double(tokens), tokens: tokens,
                now: seconds(Double(step) / 20))
        }
        #expect(isNear(book.pool.prefillSecondsPerToken, 0.0002, within: 0.05))
    }

    /// Steps of 20 ms and 0.5 ms for each sequence.
    @Test func learnsWhatASequenceAddsToAStep() {
        var book = RateBook()
        for step in 0..<300 {
            let sequences = 1 + step % 32
            book.decoded(
                worker(0), secondsPerToken: 0.02 + 0.0005 * Double(sequences),
                load: load(sequences), now: seconds(Double(step) / 20))
        }
        #expect(isNear(book.pool.decodeSecondsPerStep, 0.02, within: 0.05))
        #expect(isNear(book.pool.decodeSecondsPerSequence, 0.0005, within: 0.1))
    }

    @Test func tellsASlowWorkerFromTheOthers() {
        var book = RateBook()
        for step in 0..<400 {
            let number = UInt32(step % 4)
            let factor = number == 2 ? 3.0 : 1.0
            let tokens = 100 + 37 * (step % 40)
            let now = seconds(Double(step) / 40)
            book.prefilled(
                worker(number), seconds: factor * 0.001 * Double(tokens), tokens: tokens, now: now)
            book.decoded(
                worker(number), secondsPerToken: factor * 0.01, load: load(1 + step % 8), now: now)
        }
        let fast = book.rates(of: worker(0), now: seconds(10))
        let slow = book.rates(of: worker(2), now: seconds(10))
        #expect(slow.prefillSecondsPerToken > 2 * fast.prefillSecondsPerToken)
        #expect(slow.stepSeconds(load(4)) > 2 * fast.stepSeconds(load(4)))
        // A worker that nothing is known of is like the pool.
        #expect(book.rates(of: worker(9), now: seconds(10)) == book.pool)
        book.remove(worker(2))
        #expect(book.rates(of: worker(2), now: seconds(10)) == book.pool)
    }

    @Test func oneStallIsNoVerdictAndIsForgotten() {
        var book = RateBook()
        for step in 0..<100 {
            book.prefilled(
                worker(UInt32(step % 2)), seconds: 0.1, tokens: 100, now: seconds(Double(step)))
        }
        book.prefilled(worker(7), seconds: 30, tokens: 100, now: seconds(100))
        let stalled = book.rates(of: worker(7), now: seconds(100)).prefillSecondsPerToken
        #expect(stalled <= 10 * book.pool.prefillSecondsPerToken)
        let later = book.rates(of: worker(7), now: seconds(10_000)).prefillSecondsPerToken
        #expect(later < 1.3 * book.pool.prefillSecondsPerToken)
    }

    /// `WorkerRates` traps on what is negative or not finite.
    @Test(arguments: 0..<20 as Range<UInt64>)
    func ratesAreRatesWhateverIsObserved(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var book = RateBook()
        var now = Instant.zero
        // Of few values, so that lines have no spread for long.
        let tokens = (0..<3).map { _ in Int.random(in: 1..<4_000, using: &random) }
        for _ in 0..<5_000 {
            let pauses: [Double] = [0, 1e-6, 0.01, 5, 1e6]
            let pause = pauses.randomElement(using: &random) ?? 0
            now = now.advanced(byNanoseconds: Int64(pause * 1e9))
            let one = worker(UInt32.random(in: 0..<5, using: &random))
            let time = pow10(Int.random(in: -9..<5, using: &random), using: &random)
            switch Int.random(in: 0..<4, using: &random) {
            case 0:
                book.prefilled(
                    one, seconds: time, tokens: tokens.randomElement(using: &random) ?? 1,
                    now: now)
            case 1:
                let beside = load(
                    Int.random(in: 1..<3, using: &random), context: tokens[0])
                book.decoded(one, secondsPerToken: time, load: beside, now: now)
            case 2: book.held(seconds: time, now: now)
            default:
                let found = book.rates(of: one, now: now)
                #expect(found.stepSeconds(load(3, context: 900)).isFinite)
            }
        }
    }

    private func pow10(_ exponent: Int, using random: inout SeededGenerator) -> Double {
        let factor = Double.random(in: 1..<10, using: &random)
        return (0..<abs(exponent)).reduce(factor) { value, _ in
            exponent < 0 ? value / 10 : value * 10
        }
    }

    @Test func whatSaysNothingIsIgnored() {
        var book = RateBook()
        book.prefilled(worker(0), seconds: 0, tokens: 10, now: .zero)
        book.prefilled(worker(0), seconds: 1, tokens: 0, now: .zero)
        book.decoded(worker(0), secondsPerToken: 0, load: load(1), now: .zero)
        book.decoded(worker(0), secondsPerToken: 1, load: .none, now: .zero)
        book.held(seconds: 0, now: .zero)
        #expect(book.pool == WorkerRates())
    }
}

@Suite struct QueuedWorkTests {
    private let rates = WorkerRates(
        prefillSecondsPerToken: 0.001, decodeSecondsPerStep: 0.01, decodeSecondsPerSequence: 0.001,
        decodeSecondsPerContextToken: 0)

    @Test func isNothingWithoutTickets() {
        var work = QueuedWork()
        #expect(work.secondsPerSlot(rates: rates, readyWorkers: 0, readySlots: 0) == 0)
        let request = PlacementRequest(promptTokens: 500, outputTokens: 100)
        work.add(request)
        work.remove(request)
        #expect(work == QueuedWork())
    }

    @Test func isPrefillByWorkersAndAnswersBySlots() {
        var work = QueuedWork()
        for _ in 0..<10 { work.add(PlacementRequest(promptTokens: 400, outputTokens: 80)) }
        // 4 s of prefill on two workers; 800 tokens in steps of 18 ms, 16 of them at once.
        let found = work.secondsPerSlot(rates: rates, readyWorkers: 2, readySlots: 16)
        #expect(isNear(found, 4.0 / 2 + 800 * 0.018 / 16, within: 1e-9))
        // Twice the workers, half the time.
        let more = work.secondsPerSlot(rates: rates, readyWorkers: 4, readySlots: 32)
        #expect(isNear(more, found / 2, within: 1e-9))
        // Nobody is ready: as if there were one worker of one slot.
        let none = work.secondsPerSlot(rates: rates, readyWorkers: 0, readySlots: 0)
        #expect(isNear(none, 4.0 + 800 * 0.011, within: 1e-9))
    }
}

@Suite struct WeightTests {
    private func fleet(_ weights: [Double]) -> Fleet {
        var fleet = Fleet(configuration: RoutingConfiguration(aheadLimitTickets: 0))
        for (number, weight) in weights.enumerated() {
            fleet.add(worker(UInt32(number)), slots: 64, weight: weight)
            fleet.setReady(worker(UInt32(number)), true)
        }
        return fleet
    }

    @Test(arguments: [RoutingPolicy.cost, .leastLoad])
    func workIsSharedByWeight(policy: RoutingPolicy) {
        var fleet = fleet([1, 3])
        for number in 0..<40 as Range<UInt64> {
            _ = fleet.place(TicketID(number: number), by: policy)
            fleet.checkInvariants()
        }
        let heavy = fleet.worker(worker(1))?.inFlight ?? 0
        #expect((28...32).contains(heavy))
    }

    @Test func aWeightCanChangeUnderLoad() {
        var fleet = fleet([1, 1])
        for number in 0..<20 as Range<UInt64> {
            _ = fleet.place(TicketID(number: number), by: .cost)
        }
        #expect(fleet.worker(worker(0))?.inFlight == 10)
        fleet.setWeight(worker(0), 4)
        fleet.checkInvariants()
        for number in 20..<40 as Range<UInt64> {
            _ = fleet.place(TicketID(number: number), by: .cost)
        }
        #expect((fleet.worker(worker(0))?.inFlight ?? 0) >= 28)
    }
}
