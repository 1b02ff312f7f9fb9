import InferenceTypes
import Scheduling
import Testing

@testable import LlamaEngine

struct StreamMapTests {
    /// What each stream holds, as moves change it; nil for nothing.
    private struct Streams {
        var content: [Int?]

        mutating func carryOut(_ moves: [StreamMap.Move]) {
            for move in moves {
                switch move {
                case .copy(let from, let to): content[Int(to)] = content[Int(from)]
                case .clear(let stream): content[Int(stream)] = nil
                }
            }
        }
    }

    private func areSideBySide(_ map: StreamMap, _ active: [SequenceID]) -> Bool {
        let places = active.map { map.stream(of: $0) }.sorted()
        return places.isEmpty || places.last! - places.first! == Int32(places.count - 1)
    }

    @Test func newSequencesLieSideBySideWithoutACopy() {
        var map = StreamMap(sequences: 8)
        let active: [SequenceID] = [1, 4, 7]
        #expect(map.arrange(active).isEmpty)
        #expect(areSideBySide(map, active))
        map.checkInvariants()
    }

    @Test func aNewSequenceTakesAnIdleOnesPlaceForOneCopy() {
        var map = StreamMap(sequences: 4)
        for sequence in 0..<SequenceID(3) { map.fill(sequence) }
        // 1 has ended and keeps its prefix; 3 begins.
        let moves = map.arrange([0, 3, 2])
        #expect(moves == [.copy(from: 1, to: 3), .clear(1)])
        #expect(map.stream(of: 3) == 1)
        #expect(map.stream(of: 1) == 3)
        map.checkInvariants()
    }

    @Test func aGapIsSufferedForAFewStepsThenClosed() {
        var map = StreamMap(sequences: 3)
        for sequence in 0..<SequenceID(3) { map.fill(sequence) }
        for _ in 0..<StreamMap.patienceSteps { #expect(map.arrange([0, 2]).isEmpty) }
        let moves = map.arrange([0, 2])
        // Beside the other, where nothing lies.
        #expect(moves == [.copy(from: 0, to: 3), .clear(0)])
        #expect(areSideBySide(map, [0, 2]))
        map.checkInvariants()
    }

    @Test(arguments: 1...40 as ClosedRange<UInt64>)
    func nothingIsLostWhateverRuns(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let count = Int.random(in: 1...20, using: &random)
        var map = StreamMap(sequences: count)
        var streams = Streams(content: Array(repeating: nil, count: count + 1))
        var held: [Int?] = Array(repeating: nil, count: count)
        var split = 0
        for step in 0..<400 {
            for _ in 0..<Int.random(in: 0...2, using: &random) {
                let emptied = SequenceID.random(in: 0..<SequenceID(count), using: &random)
                map.empty(emptied)
                held[Int(emptied)] = nil
                streams.content[Int(map.stream(of: emptied))] = nil
            }
            let active = (0..<SequenceID(count)).filter { _ in Bool.random(using: &random) }
            let hasNew = active.contains { held[Int($0)] == nil }
            streams.carryOut(map.arrange(active))
            map.checkInvariants()
            for sequence in 0..<SequenceID(count) {
                #expect(streams.content[Int(map.stream(of: sequence))] == held[Int(sequence)])
            }
            if areSideBySide(map, active) {
                split = 0
            } else {
                split += 1
                #expect(!hasNew && split <= StreamMap.patienceSteps)
            }
            for sequence in active {
                map.fill(sequence)
                if held[Int(sequence)] == nil { held[Int(sequence)] = step * count }
                streams.content[Int(map.stream(of: sequence))] = held[Int(sequence)]
            }
        }
    }
}
