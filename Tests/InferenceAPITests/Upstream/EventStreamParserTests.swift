import InferenceTypes
import NIOCore
import Testing

@testable import InferenceAPI

@Suite struct EventStreamParserTests {
    private func events(
        _ pieces: [[UInt8]], limitBytes: Int = 1 << 20
    ) throws -> [ServerSentEvent] {
        var parser = EventStreamParser(limitBytes: limitBytes)
        var events: [ServerSentEvent] = []
        for piece in pieces {
            parser.append(ByteBuffer(bytes: piece))
            while let event = try parser.next() { events.append(event) }
        }
        return events
    }

    private func data(_ text: String) throws -> [String] {
        try events([Array(text.utf8)]).map { String(decoding: $0.data, as: UTF8.self) }
    }

    /// The examples of WHATWG HTML §9.2.6.
    @Test func readsTheStandardsExamples() throws {
        #expect(try data("data: YHOO\ndata: +2\ndata: 10\n\n") == ["YHOO\n+2\n10"])
        #expect(
            try data(
                ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\n"
                    + "data:  third event\n\n") == ["first event", "second event", " third event"])
        #expect(try data("data\n\ndata\ndata\n\ndata:") == ["", "\n"])
        #expect(try data("data:test\n\ndata: test\n\n") == ["test", "test"])
    }

    @Test func lineEndsAreAllTheSame() throws {
        for end in ["\n", "\r", "\r\n"] {
            let text = "event: x" + end + "data: a" + end + "data: b" + end + end + "data: c" + end
            let found = try events([Array((text + end).utf8)])
            #expect(
                found == [
                    ServerSentEvent(type: "x", data: Array("a\nb".utf8), isMultiLine: true),
                    ServerSentEvent(data: Array("c".utf8)),
                ])
        }
    }

    @Test func marksAndCommentsAreNoData() throws {
        #expect(try data("\u{FEFF}data: a\n\n") == ["a"])
        #expect(try data("data: \u{FEFF}a\n\n") == ["\u{FEFF}a"])
        #expect(try data(": keepalive\n\n:\n\nretry: 5\n\nevent: x\n\n") == [])
        #expect(try data("Data: a\n\ndata : a\n\n") == [])
    }

    @Test func anErrorLineIsAnEvent() throws {
        let found = try events([Array("error: {\"code\":500}\n\n".utf8)])
        #expect(found == [ServerSentEvent(type: "error", data: Array("{\"code\":500}".utf8))])
    }

    @Test func whatTheEndCutsOffIsNotSeen() throws {
        #expect(try data("data: a\n\ndata: [DONE]\n") == ["a"])
        #expect(try data("data: a\n\ndata: [DO") == ["a"])
        #expect(try events([Array("data: [DONE]\n\n".utf8)]).map(\.isDone) == [true])
    }

    @Test func eventsAreBounded() throws {
        let long = [UInt8](repeating: UInt8(ascii: "x"), count: 64)
        #expect(throws: EventStreamError.eventTooLong(limitBytes: 32)) {
            try events([long], limitBytes: 32)
        }
        #expect(throws: EventStreamError.self) {
            try events(Array(repeating: Array("data: 0123456789\n".utf8), count: 4), limitBytes: 32)
        }
        // A long stream of short events is fine.
        let short = Array(repeating: Array("data: 0123456789\n\n".utf8), count: 4)
        #expect(try events(short, limitBytes: 32).count == 4)
        #expect(try events([short.flatMap { $0 }], limitBytes: 32).count == 4)
    }

    /// However a stream is cut, its events are those that were written.
    @Test(arguments: 0..<64 as Range<UInt64>)
    func cutsDoNotMatter(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        var text: [UInt8] = []
        var expected: [ServerSentEvent] = []
        for _ in 0..<20 {
            let end = ["\n", "\r", "\r\n"].randomElement(using: &generator)!
            if Bool.random(using: &generator) { text += Array((": note" + end).utf8) }
            let lines = (0..<Int.random(in: 0...3, using: &generator)).map { _ in
                String(
                    (0..<Int.random(in: 0...12, using: &generator)).map { _ in
                        "a{}: \"é漢".randomElement(using: &generator)!
                    })
            }
            var type: String?
            if Bool.random(using: &generator) {
                type = "kind"
                text += Array(("event:kind" + end).utf8)
            }
            for line in lines { text += Array(("data: " + line + end).utf8) }
            text += Array(end.utf8)
            guard !lines.isEmpty else { continue }
            expected.append(
                ServerSentEvent(
                    type: type, data: Array(lines.joined(separator: "\n").utf8),
                    isMultiLine: lines.count > 1))
        }
        var pieces: [[UInt8]] = []
        var rest = text[...]
        while !rest.isEmpty {
            let count = Int.random(in: 1...9, using: &generator)
            pieces.append(Array(rest.prefix(count)))
            rest = rest.dropFirst(count)
        }
        #expect(try events(pieces) == expected)
        #expect(try events([text]) == expected)
        #expect(try events(text.map { [$0] }) == expected)
    }
}
