import InferenceTypes
import Testing

@testable import LoadGenerator

@Suite struct RequestPlannerTests {
    private func planner(
        _ classes: [TrafficClass], seed: UInt64 = 1, replay: TraceReplay? = nil
    ) -> RequestPlanner {
        RequestPlanner(classes, seed: seed, replay: replay, encoding: .json)
    }

    private func words(_ planner: RequestPlanner, _ number: Int, turn: Int = 0) -> [Substring] {
        let plan = planner.plan(number)
        let message = planner.messages(turn, of: plan, planner.turn(turn, of: plan)).last
        return String(decoding: message?.text ?? [], as: UTF8.self).split(separator: " ")
    }

    @Test func promptsDifferAndRepeatBySeed() {
        var traffic = TrafficClass()
        traffic.prompt = .words(.constant(40))
        let one = planner([traffic], seed: 5)
        #expect(words(one, 3) == words(planner([traffic], seed: 5), 3))
        #expect(words(one, 3) != words(one, 4))
        #expect(words(one, 3) != words(planner([traffic], seed: 6), 3))
        #expect(words(one, 0).count == 40)
        #expect(words(one, 0, turn: 1) != words(one, 0))
        traffic.prompt = .list(["a", "b"])
        #expect(words(planner([traffic]), 3) == ["b"])
    }

    @Test func weightsDecideHowOftenAClassComes() {
        var (rare, frequent) = (TrafficClass(), TrafficClass())
        rare.weight = 1
        frequent.weight = 4
        let planner = planner([rare, frequent])
        let counts = (0..<20_000).count { planner.plan($0).traffic == 0 }
        #expect(abs(Double(counts) / 4_000 - 1) < 0.05)
    }

    @Test func fractionsDecideHowOftenAClientGivesUpOrIsSlow() {
        var traffic = TrafficClass()
        traffic.cancels = .init(fraction: 0.25, moment: .afterTokens(3))
        traffic.slowReaders = .init(fraction: 0.1, pace: .stall(seconds: 1))
        let planner = planner([traffic])
        let turns = (0..<20_000).map { planner.turn(0, of: planner.plan($0)) }
        #expect(abs(Double(turns.count { $0.cancel == .afterTokens(3) }) / 5_000 - 1) < 0.05)
        #expect(abs(Double(turns.count { $0.pace != nil }) / 2_000 - 1) < 0.07)
    }

    @Test func slowReadersAreMeasuredApart() {
        var mix = [TrafficClass(), TrafficClass(), TrafficClass()]
        for (index, name) in ["none", "some", "all"].enumerated() { mix[index].name = name }
        mix[1].slowReaders = .init(fraction: 0.5, pace: .stall(seconds: 1))
        mix[2].slowReaders = .init(fraction: 1, pace: .stall(seconds: 1))
        let classes = MeasuredClasses(mix)
        #expect(
            classes.list.map(\.name) == [
                "none", "some", "some read slowly", "all read slowly",
            ])
        #expect(classes.index(0, slow: false) == 0)
        #expect(classes.index(1, slow: false) == 1 && classes.index(1, slow: true) == 2)
        #expect(classes.index(2, slow: true) == 3)
    }

    @Test func lengthsFollowTheirDistributions() {
        var traffic = TrafficClass()
        func outputs(_ distribution: Distribution) -> [Int] {
            traffic.output = distribution
            let planner = planner([traffic])
            return (0..<20_000).map { planner.turn(0, of: planner.plan($0)).maxTokens }.sorted()
        }
        #expect(Set(outputs(.constant(7))) == [7])
        let uniform = outputs(.uniform(from: 10, to: 20))
        #expect(uniform.first == 10 && uniform.last == 20)
        #expect(abs(Double(uniform.reduce(0, +)) / 20_000 - 15) < 0.2)
        let lognormal = outputs(.lognormal(median: 100, sigma: 1, max: 1_000))
        #expect(abs(Double(lognormal[10_000]) - 100) < 4)
        // One deviation above the median: 84.1 % lie below.
        #expect(abs(Double(lognormal[16_826]) - 271.8) < 12)
        #expect(lognormal.last == 1_000)
        #expect(Set(outputs(.empirical([1, 5]))) == [1, 5])
    }

    @Test func uniformCountsAreEquallyOften() {
        var traffic = TrafficClass()
        traffic.output = .uniform(from: 10, to: 20)
        let planner = planner([traffic], seed: 11)
        var counts: [Int: Int] = [:]
        for number in 0..<22_000 {
            counts[planner.turn(0, of: planner.plan(number)).maxTokens, default: 0] += 1
        }
        #expect(counts.keys.sorted() == Array(10...20))
        let squares = counts.values.reduce(0) { $0 + ($1 - 2_000) * ($1 - 2_000) }
        // Chi-square of ten degrees of freedom: by chance, one of a thousand is above 29.6.
        #expect(Double(squares) / 2_000 < 29.6, "\(counts)")
    }

    @Test func uniformCountsHaveTheirEnds() {
        var generator = SeededGenerator(seed: 1)
        func counts(_ from: Double, _ to: Double) -> Set<Int> {
            Set((0..<200).map { _ in Distribution.uniform(from: from, to: to).count(&generator) })
        }
        #expect(counts(3, 3) == [3])
        #expect(counts(1.6, 3.4) == [2, 3])
        #expect(counts(0, 0.2) == [1])
        #expect(counts(1e9, 1e12) == [1_000_000_000])
    }

    @Test func promptsAreALineEach() {
        #expect(TrafficClass.Prompt.list(lines: "a b\r\n\r\nc\r\n") == .list(["a b", "c"]))
        #expect(TrafficClass.Prompt.list(lines: "a\nb") == .list(["a", "b"]))
        #expect(TrafficClass.Prompt.list(lines: "\r\n\n") == nil)
    }

    @Test func prefixesAreSharedWithinAClass() {
        var (one, other) = (TrafficClass(), TrafficClass())
        one.sharedPrefix = .init(pool: 3, tokens: 20)
        other.sharedPrefix = .init(pool: 3, tokens: 20)
        let planner = planner([one, other])
        var texts: [Set<[UInt8]>] = [[], []]
        for number in 0..<200 {
            let plan = planner.plan(number)
            let messages = planner.messages(0, of: plan, planner.turn(0, of: plan))
            #expect(messages.map(\.role) == [.system, .user])
            texts[plan.traffic].insert(messages[0].text)
        }
        #expect(texts[0].count == 3 && texts[1].count == 3)
        #expect(texts[0].isDisjoint(with: texts[1]))
    }

    @Test func conversationsHaveTurnsAndThoughts() {
        var traffic = TrafficClass()
        traffic.conversation = .init(
            turns: .uniform(from: 2, to: 4), thinkSeconds: .constant(1.5))
        let planner = planner([traffic])
        let plans = (0..<100).map(planner.plan)
        #expect(Set(plans.map(\.turns)) == [2, 3, 4])
        #expect(planner.turn(0, of: plans[0]).thinkNanoseconds == 0)
        #expect(planner.turn(1, of: plans[0]).thinkNanoseconds == 1_500_000_000)
    }

    @Test func tracesBringLengthsAndSharedBeginnings() throws {
        let trace = Trace(
            blockTokens: 100,
            records: [
                .init(instant: 0, input: 250, output: 40, blocks: [1, 2, 3]),
                .init(instant: 1, input: 250, output: 40, blocks: [1, 2, 4]),
                .init(instant: 2, input: 30, output: 4, className: "b"),
            ])
        var (a, b) = (TrafficClass(), TrafficClass())
        a.name = "a"
        b.name = "b"
        b.weight = 1e-6
        for scale in [1.0, 0.5] {
            let replay = try TraceReplay(trace, promptScale: scale, outputScale: scale)
            let planner = planner([a, b], replay: replay)
            let (first, second) = (words(planner, 0), words(planner, 1))
            #expect(first.count == Int(250 * scale) && second.count == first.count)
            let common = Int(200 * scale)
            #expect(first.prefix(common) == second.prefix(common))
            #expect(first.dropFirst(common) != second.dropFirst(common))
            #expect(planner.turn(0, of: planner.plan(0)).maxTokens == Int(40 * scale))
            #expect(planner.plan(2).traffic == 1)
            #expect(words(planner, 2).count == Int(30 * scale))
        }
    }
}
