import InferenceTypes
import Testing

@testable import Scheduling

@Suite struct SequenceCacheTests {
    /// Against arrays of tokens with a cell number each.
    @Test(arguments: Seeds.some(8))
    func accountsForCellsAsALiteralModelDoes(seed: UInt64) {
        print("sequence cache seed: SEED=\(seed)")
        var random = SeededGenerator(seed: seed)
        let count = 6
        var cache = SequenceCache(sequences: count, cells: 400)
        var model: [[(token: TokenID, cell: Int)]] = Array(repeating: [], count: count)
        var nextCell = 0
        for _ in 0..<3000 {
            let sequence = SequenceID.random(in: 0..<SequenceID(count), using: &random)
            let place = Int(sequence)
            switch (Int.random(in: 0..<10, using: &random), cache.state(sequence)) {
            case (0..<5, .active):
                let tokens = prompt(random.next(), Int.random(in: 0...9, using: &random), below: 2)
                guard cache.freeCells >= tokens.count else { break }
                cache.append(sequence, tokens[...])
                for token in tokens {
                    model[place].append((token, nextCell))
                    nextCell += 1
                }
            case (5..<6, .active), (5..<6, .idle):
                let length = Int.random(in: 0...model[place].count, using: &random)
                cache.truncate(sequence, to: length)
                model[place].removeLast(model[place].count - length)
            case (6, .active): cache.makeIdle(sequence)
            case (6..<8, .idle): cache.activate(sequence)
            case (8, .active), (8, .idle):
                cache.free(sequence)
                model[place] = []
            default:
                guard let taken = cache.takeFree() else { break }
                #expect(model[Int(taken)].isEmpty)
                guard cache.state(sequence) != .free, sequence != taken else { break }
                let length = Int.random(in: 0...model[place].count, using: &random)
                cache.copy(from: sequence, to: taken, length: length)
                model[Int(taken)] = Array(model[place].prefix(length))
            }
            cache.checkInvariants()
            for index in 0..<count {
                #expect(cache.tokens(SequenceID(index)) == model[index].map(\.token))
            }
            let cells = Set(model.joined().map(\.cell))
            #expect(cache.usedCells == cells.count)
            let active = (0..<count).filter { cache.state(SequenceID($0)) == .active }
            #expect(cache.activeCells == Set(active.flatMap { model[$0].map(\.cell) }).count)
            check(cache, model, prompt(random.next(), 12, below: 2))
        }
    }

    private func check(
        _ cache: SequenceCache, _ model: [[(token: TokenID, cell: Int)]], _ tokens: [TokenID]
    ) {
        let lengths = model.map { held in
            zip(held, tokens).prefix { $0.token == $1 }.count
        }
        let match = cache.longestPrefix(of: tokens, limit: 12)
        #expect(match.length == lengths.max())
        guard match.length > 0 else { return }
        let donor = Int(cache.donor(of: match))
        #expect(lengths[donor] == match.length)
        if let idle = cache.shortestIdle(holding: match) {
            #expect(cache.state(idle) == .idle && lengths[Int(idle)] == match.length)
        }
        let cells = Set(model[donor].prefix(match.length).map(\.cell))
        let active = model.indices.filter { cache.state(SequenceID($0)) == .active }
        let held = Set(active.flatMap { model[$0].map(\.cell) })
        #expect(cache.idleCells(in: match) == cells.subtracting(held).count)
    }

    @Test func aSequenceHeldElsewhereIsRedundant() throws {
        var cache = SequenceCache(sequences: 4, cells: 100)
        let tokens = prompt(1, 20)
        for length in [20, 12, 20] {
            let taken = cache.takeFree()
            let sequence = try #require(taken)
            cache.append(sequence, tokens[..<length])
        }
        #expect(cache.usedCells == 52)
        #expect(cache.isRedundant(0) && cache.isRedundant(1) && cache.isRedundant(2))
        cache.free(2)
        #expect(!cache.isRedundant(0) && cache.isRedundant(1))
        cache.append(1, [7])
        #expect(!cache.isRedundant(0) && !cache.isRedundant(1))
    }
}
