import InferenceTypes
import NIOCore
import Testing

@testable import InferenceAPI

@Suite struct ChatStreamEncoderTests {
    /// The chunks of a stream, parsed, and what followed them.
    static func events(_ text: String) throws -> [JSONValue] {
        try text.components(separatedByBlankLines: ())
            .filter { $0.hasPrefix("data: {") }
            .map { try JSONValue(parsing: String($0.dropFirst(6))) }
    }

    func writeShort(_ encoder: inout ChatStreamEncoder, into buffer: inout ByteBuffer) {
        ChatStreamEncoder.writeKeepalive(into: &buffer)
        encoder.writeContent("Hi", choice: 0, into: &buffer)
        encoder.writeContent(" \"漢\"\n", choice: 0, into: &buffer)
        encoder.writeContent("!", choice: 0, into: &buffer)
        encoder.writeFinish(.endOfSequence, choice: 0, into: &buffer)
    }

    @Test func equalsTheGoldenFile() throws {
        var encoder = ChatStreamEncoder(head: Sample.head, choiceCount: 1)
        var buffer = ByteBuffer()
        writeShort(&encoder, into: &buffer)
        encoder.writeDone(into: &buffer)
        #expect(try buffer.text == Fixture.text("chat-stream.sse"))
    }

    @Test func equalsTheGoldenFileWithUsage() throws {
        var encoder = ChatStreamEncoder(head: Sample.head, choiceCount: 1)
        var buffer = ByteBuffer()
        writeShort(&encoder, into: &buffer)
        encoder.writeUsage(Sample.usage, into: &buffer)
        encoder.writeDone(into: &buffer)
        #expect(try buffer.text == Fixture.text("chat-stream-usage.sse"))
    }

    @Test func equalsTheGoldenFileWithSeveralChoices() throws {
        var encoder = ChatStreamEncoder(head: Sample.head, choiceCount: 3)
        var buffer = ByteBuffer()
        encoder.writeRole(choice: 1, into: &buffer)
        encoder.writeRole(choice: 1, into: &buffer)
        encoder.writeReasoning("Hm", choice: 0, into: &buffer)
        encoder.writeReasoning("m.", choice: 0, into: &buffer)
        encoder.writeContent("B", logprobs: Sample.logprobs, choice: 1, into: &buffer)
        encoder.writeContent("A", choice: 0, into: &buffer)
        encoder.writeFinish(.maxTokens, choice: 1, into: &buffer)
        encoder.writeFinish(.stopString("x"), choice: 0, into: &buffer)
        encoder.writeFinish(.endOfSequence, choice: 2, into: &buffer)
        encoder.writeDone(into: &buffer)
        #expect(try buffer.text == Fixture.text("chat-stream-choices.sse"))
    }

    @Test func everyByteOfTextSurvives() throws {
        var generator = SeededGenerator(seed: 4)
        var encoder = ChatStreamEncoder(head: Sample.head, choiceCount: 1)
        var buffer = ByteBuffer()
        var sent = ""
        for _ in 0..<500 {
            let text = JSONValue.randomText(using: &generator)
            sent += text
            encoder.writeContent(text, choice: 0, into: &buffer)
        }
        var received = ""
        for event in try Self.events(buffer.text) {
            guard case .string(let text) = event["choices"]?[0]?["delta"]?["content"] else {
                Issue.record("no content in \(event)")
                continue
            }
            received += text
        }
        #expect(received.utf8.elementsEqual(sent.utf8))
    }

    // API.md §9, by number.

    @Test func trap3_usageChunkHasNoChoicesAndIsLast() throws {
        let events = try Self.events(Fixture.text("chat-stream-usage.sse"))
        #expect(events.last?["choices"] == .array([]))
        #expect(events.last?["usage"]?["total_tokens"] == .integer(471))
        #expect(events.dropLast().allSatisfy { $0["usage"] == nil })
    }

    @Test func trap11_everyChoiceFinishesOnceAndLast() throws {
        let events = try Self.events(Fixture.text("chat-stream-choices.sse"))
        for index in 0..<3 {
            let own = events.compactMap { $0["choices"]?[0] }
                .filter { $0["index"] == .integer(Int64(index)) }
            #expect(own.last?["finish_reason"] != .null)
            #expect(own.last?["delta"] == .object([]))
            #expect(own.dropLast().allSatisfy { $0["finish_reason"] == .null })
        }
    }

    @Test func trap15_errorsEndTheStreamWithoutDone() throws {
        var encoder = ChatStreamEncoder(head: Sample.head, choiceCount: 1)
        var buffer = ByteBuffer()
        encoder.writeContent("Hi", choice: 0, into: &buffer)
        let error = APIError(.workerLost, "The worker that served this request was lost.")
        encoder.writeError(error, into: &buffer)
        encoder.writeError(error, into: &buffer)
        encoder.writeDone(into: &buffer)
        #expect(encoder.hasEnded)
        #expect(try buffer.text == Fixture.text("chat-stream-error.sse"))
    }

    @Test func trap16_roleInTheFirstDeltaOnlyAndOneIDThroughout() throws {
        let events = try Self.events(Fixture.text("chat-stream-choices.sse"))
        #expect(events.allSatisfy { $0["id"] == .string("chatcmpl-1") })
        #expect(events.allSatisfy { $0["created"] == .integer(1_700_000_000) })
        for index in 0..<3 {
            let deltas = events.compactMap { $0["choices"]?[0] }
                .filter { $0["index"] == .integer(Int64(index)) }.map { $0["delta"] }
            #expect(deltas.first??["role"] == .string("assistant"))
            #expect(deltas.dropFirst().allSatisfy { $0?["role"] == nil })
            #expect(deltas.allSatisfy { $0 != .null })
        }
    }

    @Test func eventsNeverSpanLines() throws {
        var encoder = ChatStreamEncoder(head: Sample.head, choiceCount: 1)
        var buffer = ByteBuffer()
        encoder.writeContent("a\r\n\nb\n\n", choice: 0, into: &buffer)
        encoder.writeContent("\r\n\ndata: x", choice: 0, into: &buffer)
        let lines = buffer.text.utf8.split(
            separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        #expect(lines.map(\.isEmpty) == [false, true, false, true, true])
    }

    @Test func namesAreEscapedInPreparedParts() throws {
        var head = Sample.head
        head.model = "a\"b\\c\n"
        head.systemFingerprint = nil
        var encoder = ChatStreamEncoder(head: head, choiceCount: 1)
        var buffer = ByteBuffer()
        encoder.writeContent("x", choice: 0, into: &buffer)
        encoder.writeContent("y", choice: 0, into: &buffer)
        for event in try Self.events(buffer.text) {
            #expect(event["model"] == .string(head.model))
            #expect(event["system_fingerprint"] == .null)
        }
    }
}

extension String {
    /// The events of a stream.
    func components(separatedByBlankLines: ()) -> [String] {
        var events: [String] = []
        var event = ""
        for line in split(separator: "\n", omittingEmptySubsequences: false) {
            if line.isEmpty {
                if !event.isEmpty { events.append(event) }
                event = ""
            } else {
                event += line
            }
        }
        return events
    }
}
