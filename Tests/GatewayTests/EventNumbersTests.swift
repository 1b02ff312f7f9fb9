import NIOCore
import Testing

@testable import Gateway

@Suite struct EventNumbersTests {
    private func numbered(_ numbers: inout EventNumbers, _ text: String) -> String {
        String(buffer: numbers.number { $0.writeString(text) })
    }

    @Test func eachEventHasANumberOfItsOwn() {
        var numbers = EventNumbers(stream: "abc")
        #expect(numbered(&numbers, "data: a\n\n") == "id: abc.0\ndata: a\n\n")
        #expect(numbered(&numbers, "") == "")
        #expect(
            numbered(&numbers, "event: x\ndata: b\n\ndata: c\n\ndata: \n\n")
                == "id: abc.1\nevent: x\ndata: b\n\nid: abc.2\ndata: c\n\nid: abc.3\ndata: \n\n")
        #expect(numbered(&numbers, "data: [DONE]\n\n") == "id: abc.4\ndata: [DONE]\n\n")
        #expect(numbers.next == 5)
    }

    @Test(arguments: 0..<20) func findsTheEndOfAnEventOfAnyLength(_ length: Int) {
        var numbers = EventNumbers(stream: "s")
        let event = "data: \(String(repeating: "x", count: length))\n\n"
        #expect(numbered(&numbers, event + event) == "id: s.0\n\(event)id: s.1\n\(event)")
    }

    @Test func readsBackWhatItWrote() {
        #expect(EventID("abc.17")?.stream == "abc")
        #expect(EventID("abc.17")?.number == 17)
        for text in ["", "abc", "abc.", "abc.x", "abc.-1", "17"] { #expect(EventID(text) == nil) }
    }
}

@Suite struct StreamLogTests {
    private func log(limitBytes: Int = 1_000) -> StreamLog {
        StreamLog(id: "s", limitBytes: limitBytes)
    }

    private func event(_ number: Int) -> ByteBuffer {
        ByteBuffer(string: "data: \(number)\n\n")
    }

    /// What a reader is told at once; nil when it has to wait.
    private func read(
        _ log: StreamLog, after: Int, by reader: Int, limitBytes: Int = 1_000
    ) -> StreamLog.Page? {
        var told: StreamLog.Page?
        log.read(after: after, by: reader, limitBytes: limitBytes) { told = $0 }
        return told
    }

    private func text(_ page: StreamLog.Page?) -> String? {
        guard case .events(let events, _)? = page else { return nil }
        return String(buffer: events)
    }

    @Test func aReaderGetsExactlyWhatItMissed() {
        let log = log()
        for number in 0..<4 { log.append(event(number), wasSent: number < 2) }
        let reader = log.newReader()
        #expect(text(read(log, after: 1, by: reader)) == "data: 2\n\ndata: 3\n\n")
        #expect(text(read(log, after: -1, by: reader))?.hasPrefix("data: 0\n\n") == true)
        #expect(text(read(log, after: 2, by: reader)) == "data: 3\n\n")
        guard case .lost? = read(log, after: 9, by: reader) else {
            Issue.record("an event that never was")
            return
        }
    }

    @Test func aReaderWaitsForWhatComes() {
        let log = log()
        log.append(event(0), wasSent: true)
        let reader = log.newReader()
        var told: [String] = []
        log.read(after: 0, by: reader, limitBytes: 1_000) { told.append("\($0)") }
        #expect(told.isEmpty)
        log.append(event(1), wasSent: false)
        #expect(told.count == 1)
        log.read(after: 1, by: reader, limitBytes: 1_000) { told.append("\($0)") }
        log.finish()
        #expect(told.last == "end")
    }

    @Test func theNewestReaderIsTheOnlyOne() {
        let log = log()
        log.append(event(0), wasSent: true)
        let first = log.newReader()
        var told: [String] = []
        log.read(after: 0, by: first, limitBytes: 1_000) { told.append("\($0)") }
        let second = log.newReader()
        #expect(told == ["superseded"])
        #expect(!log.isCurrent(first) && log.isCurrent(second))
        guard case .superseded? = read(log, after: -1, by: first) else {
            Issue.record("the old reader reads on")
            return
        }
    }

    @Test func whatNobodyReadIsKeptAndStopsTheGeneration() {
        // Nine bytes an event.
        let log = log(limitBytes: 27)
        for number in 0..<5 { log.append(event(number), wasSent: true) }
        #expect(log.hasRoom)
        // Its connection is lost: of what was sent nothing may go any more.
        _ = log.newReader()
        #expect(!log.hasRoom)
        log.append(event(5), wasSent: false)
        let reader = log.newReader()
        guard case .lost? = read(log, after: 0, by: reader) else {
            Issue.record("more was kept than the limit allows")
            return
        }
        #expect(text(read(log, after: 1, by: reader, limitBytes: 9)) == "data: 2\n\n")
        #expect(log.hasRoom)
        log.append(event(6), wasSent: false)
        #expect(
            text(read(log, after: 2, by: reader))
                == "data: 3\n\ndata: 4\n\ndata: 5\n\ndata: 6\n\n")
    }
}
