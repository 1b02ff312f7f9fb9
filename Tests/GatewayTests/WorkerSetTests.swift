import HTTPTransport
import InferenceTypes
import Testing

@testable import Gateway

struct WorkerSetTests {
    private func worker(_ number: Int) -> WorkerSettings {
        WorkerSettings(.tcp(host: "10.0.0.\(number)", port: 9))
    }

    private func at(_ seconds: Int64) -> Instant {
        Instant(nanoseconds: seconds * 1_000_000_000)
    }

    private func set(sources: Int = 1) -> WorkerSet {
        WorkerSet(sources: sources, graceNanoseconds: 30_000_000_000)
    }

    @Test func newWorkersAreAddedInOrderAndOnce() {
        var set = set()
        #expect(
            set.report([worker(2), worker(1), worker(2)], from: 0, now: at(0))
                == [.add(worker(2)), .add(worker(1))])
        #expect(set.report([worker(1), worker(2)], from: 0, now: at(1)) == [])
        #expect(set.nextDeadline == nil)
    }

    @Test func oneThatVanishedIsDrainedAndThenRemoved() {
        var set = set()
        _ = set.report([worker(1), worker(2)], from: 0, now: at(0))
        #expect(
            set.report([worker(3), worker(2)], from: 0, now: at(5))
                == [.add(worker(3)), .drain(worker(1).endpoint)])
        #expect(set.nextDeadline == at(35))
        #expect(set.report([worker(3)], from: 0, now: at(6)) == [.drain(worker(2).endpoint)])
        // Not drained again, and not for longer.
        #expect(set.report([worker(3)], from: 0, now: at(20)) == [])
        #expect(set.expire(now: at(34)) == [])
        #expect(set.expire(now: at(35)) == [.remove(worker(1).endpoint)])
        #expect(set.nextDeadline == at(36) && set.count == 2)
        #expect(set.report([worker(1)], from: 0, now: at(35)).first == .add(worker(1)))
    }

    @Test func oneThatComesBackInTimeIsRestored() {
        var set = set()
        _ = set.report([worker(1), worker(2)], from: 0, now: at(0))
        _ = set.report([], from: 0, now: at(1))
        #expect(
            set.report([worker(2)], from: 0, now: at(2)) == [.restore(worker(2))])
        #expect(set.expire(now: at(31)) == [.remove(worker(1).endpoint)])
        #expect(set.expire(now: at(1_000)) == [] && set.count == 1)
    }

    @Test func aWorkerStaysAsLongAsAnySourceHasIt() {
        var set = set(sources: 2)
        #expect(set.report([worker(1)], from: 1, now: at(0)) == [.add(worker(1))])
        #expect(set.report([worker(1), worker(2)], from: 0, now: at(0)) == [.add(worker(2))])
        #expect(set.report([], from: 1, now: at(1)) == [])
        #expect(set.report([worker(2)], from: 0, now: at(2)) == [.drain(worker(1).endpoint)])
    }

    @Test func nothingVanishesBeforeAllSourcesHaveReported() {
        var set = set(sources: 2)
        _ = set.report([worker(1), worker(2)], from: 0, now: at(0))
        #expect(set.report([], from: 0, now: at(1)) == [])
        #expect(
            set.report([worker(2)], from: 1, now: at(2)) == [.drain(worker(1).endpoint)])
        // Nor when the sources are others.
        set.follow(sources: 2)
        #expect(set.report([worker(3)], from: 0, now: at(3)) == [.add(worker(3))])
        #expect(set.report([], from: 1, now: at(4)) == [.drain(worker(2).endpoint)])
        #expect(set.expire(now: at(32)) == [.remove(worker(1).endpoint)])
    }

    /// Whatever is reported and whenever, what the changes add up to is what was reported last, and
    /// nothing that vanished stays longer than its grace.
    @Test(arguments: 0..<20)
    func changesAddUp(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var set = set(sources: 2)
        var reported: [Set<HTTPEndpoint>] = [[], []]
        var present: Set<HTTPEndpoint> = []
        var vanished: [HTTPEndpoint: Int64] = [:]
        for source in 0..<2 { _ = set.report([], from: source, now: at(0)) }
        for second in 0..<2_000 as Range<Int64> {
            var changes = set.expire(now: at(second))
            if Bool.random(using: &random) {
                let source = Int.random(in: 0..<2, using: &random)
                let workers = (0..<6).filter { _ in Bool.random(using: &random) }.map(worker)
                reported[source] = Set(workers.map(\.endpoint))
                changes += set.report(workers, from: source, now: at(second))
            }
            for change in changes {
                switch change {
                case .add(let worker):
                    #expect(vanished[worker.endpoint] == nil)
                    #expect(present.insert(worker.endpoint).inserted)
                case .restore(let worker):
                    #expect(vanished.removeValue(forKey: worker.endpoint) != nil)
                    #expect(present.insert(worker.endpoint).inserted)
                case .drain(let endpoint):
                    #expect(present.remove(endpoint) != nil)
                    vanished[endpoint] = second
                case .remove(let endpoint):
                    #expect(vanished.removeValue(forKey: endpoint) == second - 30)
                }
            }
            #expect(present == reported[0].union(reported[1]))
            #expect(vanished.values.allSatisfy { second - $0 < 30 })
        }
    }
}
