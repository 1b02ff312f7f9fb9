import InferenceTypes
import Testing

@testable import Routing

@Suite struct TableTests {
    @Test func keepsWhatFits() {
        var table = AssociativeTable<Int>(capacityEntries: 1_024, empty: 0)
        for number in 1...300 as ClosedRange<UInt64> {
            let entry = table.insert(SeededGenerator.mix(number))
            table[entry] = Int(number)
        }
        for number in 1...300 as ClosedRange<UInt64> {
            let entry = table.find(SeededGenerator.mix(number))
            #expect(entry.map { table[$0] } == Int(number))
        }
        #expect(table.count == 300)
        table.checkInvariants()
    }

    @Test func replacesWhatWasTouchedLongestAgo() {
        // One set of eight: every hash meets every other.
        var table = AssociativeTable<Int>(capacityEntries: 8, empty: 0)
        for hash in 1...8 as ClosedRange<UInt64> {
            table.tick()
            _ = table.insert(hash)
        }
        table.tick()
        _ = table.insert(1)
        table.tick()
        _ = table.insert(9)
        #expect(table.find(1) != nil && table.find(9) != nil)
        #expect(table.find(2) == nil)
        #expect(table.count == 8 && table.replacements == 1)
        table.checkInvariants()
    }

    @Test func aRemovedEntryIsFree() {
        var table = AssociativeTable<Int>(capacityEntries: 8, empty: 0)
        for hash in 1...8 as ClosedRange<UInt64> {
            let entry = table.insert(hash)
            table[entry] = 7
        }
        if let entry = table.find(3) { table.remove(at: entry) }
        let entry = table.insert(10)
        #expect(table[entry] == 0)
        #expect(table.count == 8 && table.replacements == 0)
        table.checkInvariants()
    }

    @Test func sizeDoesNotChange() {
        var table = AssociativeTable<UInt32>(capacityEntries: 1_000, empty: 0)
        let bytes = table.bytes
        #expect(table.capacity == 1_000 && bytes == 16 * 1_000)
        for number in 1...20_000 as ClosedRange<UInt64> {
            table.tick()
            _ = table.insert(SeededGenerator.mix(number))
        }
        #expect(table.count <= table.capacity && table.bytes == bytes)
        #expect(table.replacements == 20_000 - UInt64(table.count))
        table.checkInvariants()
    }

    @Test(arguments: [1, 64, 65, 4_096, 4_097, 300_000])
    func rowSetFindsTheNextMember(rows: Int) {
        var random = SeededGenerator(seed: UInt64(rows))
        var set = RowSet()
        set.reserve(rows / 2)
        set.reserve(rows)
        var model = [Bool](repeating: false, count: rows)
        for _ in 0..<600 {
            let row = Int.random(in: 0..<rows, using: &random)
            if Bool.random(using: &random) {
                set.insert(row)
                model[row] = true
            } else {
                set.remove(row)
                model[row] = false
            }
            let from = max(0, row - Int.random(in: 0..<2_000, using: &random))
            let expected = model[from...].firstIndex(of: true)
            #expect(set.next(from: from) == expected)
            #expect(set.contains(row) == model[row])
        }
        #expect(set.next(from: rows) == nil)
    }

    @Test func rowSetGrowsWhileItHasMembers() {
        var set = RowSet()
        set.reserve(1)
        set.insert(0)
        for rows in [64, 65, 5_000, 300_000] {
            set.reserve(rows)
            #expect(set.next(from: 0) == 0)
            #expect(set.next(from: 1) == nil)
        }
        set.insert(299_999)
        #expect(set.next(from: 1) == 299_999)
    }

    @Test func aConversationIsFoundUntilOthersReplaceIt() {
        var sessions = SessionTable(capacityEntries: 64)
        sessions.record(1, on: WorkerID(number: 7))
        #expect(sessions.worker(of: 1) == WorkerID(number: 7))
        #expect(sessions.worker(of: 2) == nil)
        sessions.record(1, on: WorkerID(number: 9))
        #expect(sessions.worker(of: 1) == WorkerID(number: 9))
        for key in 100..<2_000 as Range<UInt64> {
            sessions.record(key, on: WorkerID(number: 1))
        }
        #expect(sessions.worker(of: 1) == nil)
        #expect(sessions.count <= 64)
        sessions.checkInvariants()
    }
}
