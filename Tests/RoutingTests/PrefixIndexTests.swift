import InferenceTypes
import Testing

@testable import Routing

private func worker(_ number: UInt32) -> WorkerID { WorkerID(number: number) }
private let configuration = PrefixConfiguration(blockTokens: 4, blockLimit: 64)

private func blocks(_ tokens: [TokenID], salt: UInt64 = 1) -> PromptBlocks {
    PromptBlocks(tokens, salt: salt, configuration: configuration)
}

@Suite struct PromptBlocksTests {
    @Test func hashesWholeBlocksOnly() {
        #expect(blocks([1, 2, 3]).hashes.isEmpty)
        #expect(blocks([1, 2, 3, 4, 5]).hashes.count == 1)
        #expect(blocks(Array(0..<1_000)).hashes.count == 64)
    }

    @Test func aHashStandsForAllThatIsBeforeIt() {
        let one = blocks([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
        let other = blocks([1, 2, 3, 4, 5, 6, 7, 9, 9, 10, 11, 12])
        #expect(one.hashes[0] == other.hashes[0])
        #expect(one.hashes[1] != other.hashes[1])
        #expect(one.hashes[2] != other.hashes[2])
    }

    @Test func saltsShareNothing() {
        let tokens: [TokenID] = Array(0..<64)
        let (one, other) = (blocks(tokens, salt: 1), blocks(tokens, salt: 2))
        #expect(Set(one.hashes).isDisjoint(with: other.hashes))
    }

    @Test func theOrderOfTokensMatters() {
        #expect(blocks([1, 2, 3, 4]) != blocks([2, 1, 3, 4]))
        #expect(blocks([1, 2, 3, 4]) != blocks([3, 4, 1, 2]))
        #expect(blocks([0, 0, 0, 0]) != blocks([0, 0, 0, -1]))
    }

    @Test func oddBlockLengthsCountTheirLastToken() {
        let odd = PrefixConfiguration(blockTokens: 3)
        let one = PromptBlocks([1, 2, 3], salt: 0, configuration: odd)
        let other = PromptBlocks([1, 2, 4], salt: 0, configuration: odd)
        #expect(one != other)
    }

    @Test func saltsOfNamesKeepThemApart() {
        let salts = [["ab", "c"], ["a", "bc"], ["abc"], ["abc", ""], [], ["12345678", "9"]].map {
            PromptBlocks.salt(of: $0, secret: 3)
        }
        #expect(Set(salts).count == salts.count)
        #expect(salts[0] != PromptBlocks.salt(of: ["ab", "c"], secret: 4))
    }

    @Test func hashesAreTheSameInEveryProcess() {
        let hashes = blocks([1, 2, 3, 4, 5, 6, 7, 8]).hashes
        #expect(hashes == [13_830_060_852_912_357_583, 15_008_520_458_258_911_484])
    }
}

@Suite struct PrefixIndexTests {
    @Test func findsTheDeepestKnownPrefixWithItsHolders() {
        var index = PrefixIndex(capacityEntries: 1_024)
        let short = blocks(Array(0..<16))
        let long = blocks(Array(0..<40))
        index.insert(short, on: worker(1))
        index.insert(long, on: worker(2))
        let found = index.lookup(blocks(Array(0..<60)))
        #expect(found.blocks == 10 && found.holders == [worker(2)])
        let shared = index.lookup(short)
        #expect(shared.blocks == 4 && shared.holders == [worker(2), worker(1)])
        #expect(index.blocksHeld(of: long, by: worker(1)) == 4)
        #expect(index.blocksHeld(of: long, by: worker(2)) == 10)
        #expect(index.blocksHeld(of: long, by: worker(3)) == 0)
        let unknown = index.lookup(blocks(Array(1..<60)))
        #expect(unknown.blocks == 0 && unknown.holders.isEmpty)
        index.checkInvariants()
    }

    @Test func remembersTheLastFewHolders() {
        var index = PrefixIndex(capacityEntries: 64)
        let prompt = blocks(Array(0..<4))
        for number in 0..<6 as Range<UInt32> { index.insert(prompt, on: worker(number)) }
        index.insert(prompt, on: worker(3))
        #expect(index.lookup(prompt).holders == [3, 5, 4, 2].map { worker($0) })
    }

    @Test func aClearedWorkerHoldsNothingAndCanHoldAgain() {
        var index = PrefixIndex(capacityEntries: 64)
        let prompt = blocks(Array(0..<16))
        index.insert(prompt, on: worker(1))
        index.insert(blocks(Array(0..<8)), on: worker(2))
        index.clear(worker(1))
        let found = index.lookup(prompt)
        #expect(found.blocks == 2 && found.holders == [worker(2)])
        #expect(index.blocksHeld(of: prompt, by: worker(1)) == 0)
        index.insert(prompt, on: worker(1))
        #expect(index.lookup(prompt).blocks == 4)
        index.checkInvariants()
    }

    @Test func aReportedEvictionTakesOneHolderFromOneBlock() {
        var index = PrefixIndex(capacityEntries: 64)
        let prompt = blocks(Array(0..<16))
        index.insert(prompt, on: worker(1))
        index.insert(prompt, on: worker(2))
        index.remove(prompt.hashes[3], on: worker(2))
        #expect(index.lookup(prompt).holders == [worker(1)])
        index.remove(prompt.hashes[3], on: worker(1))
        index.remove(prompt.hashes[3], on: worker(1))
        #expect(index.lookup(prompt).blocks == 3)
        #expect(index.lookup(prompt).holders == [worker(2), worker(1)])
        #expect(index.count == 3)
        index.checkInvariants()
    }

    @Test func memoryIsBoundedWhileManyPrefixesPass() {
        var index = PrefixIndex(capacityEntries: 2_048)
        let bytes = index.bytes
        #expect(bytes == 28 * 2_048)
        for number in 0..<20_000 as Range<UInt64> {
            let hashes = (1...4).map { SeededGenerator.value(seed: number, counter: $0) }
            index.insert(PromptBlocks(hashes: hashes), on: worker(UInt32(number % 50)))
            if number % 4_000 == 0 { index.checkInvariants() }
        }
        #expect(index.bytes == bytes && index.count <= index.capacity)
        #expect(index.count > 2_000)
        #expect(index.replacements == 80_000 - UInt64(index.count))
        // What was placed last is still there.
        let last = (1...4).map { SeededGenerator.value(seed: 19_999, counter: UInt64($0)) }
        #expect(index.lookup(PromptBlocks(hashes: last)).holders == [worker(19_999 % 50)])
        index.checkInvariants()
    }

    /// Against a list of all placements; nothing is replaced, since the table is large enough.
    @Test(arguments: 0..<8 as Range<UInt64>)
    func agreesWithANaiveModel(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var index = PrefixIndex(capacityEntries: 8_192)
        var placed: [(prompt: [TokenID], worker: WorkerID)] = []
        for step in 0..<400 {
            // Few different tokens, so that prefixes are shared.
            let length = Int.random(in: 0..<40, using: &random)
            let prompt = (0..<length).map { _ in TokenID.random(in: 0..<2, using: &random) }
            let id = worker(UInt32.random(in: 0..<3, using: &random))
            if step % 40 == 39 {
                index.clear(id)
                placed.removeAll { $0.worker == id }
            } else if Bool.random(using: &random) {
                index.insert(blocks(prompt), on: id)
                placed.append((prompt, id))
            }
            func depth(_ other: [TokenID]) -> Int {
                zip(prompt, other).prefix { $0 == $1 }.count / 4
            }
            let expected = placed.map { depth($0.prompt) }.max() ?? 0
            let found = index.lookup(blocks(prompt))
            #expect(found.blocks == expected)
            let holders = Set(placed.filter { depth($0.prompt) == expected }.map(\.worker))
            #expect(expected == 0 || Set(found.holders) == holders)
            let held = placed.filter { $0.worker == id }.map { depth($0.prompt) }.max() ?? 0
            #expect(index.blocksHeld(of: blocks(prompt), by: id) == held)
            index.checkInvariants()
        }
    }
}
