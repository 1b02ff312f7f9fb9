import InferenceTypes
import NIOCore
import Testing

@testable import InferenceAPI

@Suite struct ResponsesFormatTests {
    static let body = #"""
        {"model":"m","input":"hi","instructions":"Be brief.","previous_response_id":"resp_0",
        "max_output_tokens":64,"temperature":0.5,"top_p":0.75,
        "text":{"format":{"type":
        "json_object"},"verbosity":"low"},"reasoning":{"effort":"low","summary":"auto"},
        "tools":[{"type":"function","name":"weather","description":"Of a city.",
        "parameters":{"type":"object"},"strict":true}],
        "tool_choice":{"type":"function","name":"weather"},"parallel_tool_calls":false,
        "metadata":{"a":"b"},"safety_identifier":"s","prompt_cache_key":"k"}
        """#

    private func format() throws -> ResponsesFormat {
        try #require(try ResponsesFace().decoded(Self.body).format as? ResponsesFormat)
    }

    @Test func equalsTheGoldenFile() throws {
        let completion = SampleAnswer.completion("resp_1", SampleAnswer.pieces, .toolCalls)
        // The body's line breaks inside of JSON that is echoed do not matter here.
        #expect(
            try SampleAnswer.whole(format(), completion) == Fixture.text("response.json"))
    }

    @Test func equalsTheGoldenFileWhenCut() throws {
        let completion = SampleAnswer.completion(
            "resp_1", [.text("Hi", logprobs: nil)], .maxTokens)
        #expect(
            try SampleAnswer.whole(format(), completion)
                == Fixture.text("response-incomplete.json"))
    }

    @Test func equalsTheGoldenFileWhenFailed() throws {
        let error = APIError(.workerLost, "The worker was lost.")
        let format = try format()
        let text = written {
            format.write(SampleAnswer.head("resp_1"), .failed(error), into: &$0)
        }
        #expect(try text == Fixture.text("response-failed.json"))
    }

    @Test func streamEqualsTheGoldenFile() throws {
        let text = SampleAnswer.stream(
            try format(), "resp_1", SampleAnswer.pieces, .toolCalls)
        #expect(try text == Fixture.text("response-stream.sse"))
    }

    @Test func failedStreamEqualsTheGoldenFile() throws {
        let format = try format()
        let text = written { buffer in
            var encoder = format.encoder(SampleAnswer.head("resp_1"))
            encoder.begin(Sample.usage, into: &buffer)
            encoder.write(
                .text("Hi", logprobs: nil), choice: 0, usage: Sample.usage, into: &buffer)
            encoder.fail(APIError(.workerLost, "The worker was lost."), into: &buffer)
        }
        #expect(try text == Fixture.text("response-stream-failed.sse"))
    }

    /// Before the response there is only the error.
    @Test func failsWithoutAResponseWhenNothingHasBegun() throws {
        let format = try format()
        let text = written { buffer in
            var encoder = format.encoder(SampleAnswer.head("resp_1"))
            encoder.keepalive(.unknown, into: &buffer)
            encoder.fail(APIError(.noWorker, "No worker."), into: &buffer)
        }
        #expect(text.hasPrefix(": keepalive\nevent: error\ndata: {\"type\":\"error\""))
        #expect(text.contains("\"sequence_number\":0}\n\n"))
    }

    /// Every event has its name twice, a number that counts up, and one line of JSON (trap 22).
    @Test(arguments: [FinishReason.endOfSequence, .maxTokens, .contextFull, .stopString("x")])
    func trap22_everyEventIsNumberedAndNamed(_ reason: FinishReason) throws {
        let pieces: [[AnswerPiece]] = [
            [], SampleAnswer.pieces, [.toolCall(SampleAnswer.call)], [.reasoning("a")],
            [.text("a", logprobs: nil), .toolCall(SampleAnswer.call), .text("b", logprobs: nil)],
        ]
        for pieces in pieces {
            let text = SampleAnswer.stream(try format(), "resp_1", pieces, reason)
            let events = try SampleAnswer.events(text)
            for (number, event) in events.enumerated() {
                #expect(event.data["type"] == .string(event.name))
                #expect(event.data["sequence_number"] == .integer(Int64(number)))
            }
            let isWhole = reason == .endOfSequence || reason == .stopString("x")
            #expect(
                events.last?.name == (isWhole ? "response.completed" : "response.incomplete"))
        }
    }

    /// The events' items add up to what the whole answer says.
    @Test func streamedItemsAreThoseOfTheWholeAnswer() throws {
        let format = try format()
        for pieces in [[], SampleAnswer.pieces, [.reasoning("a")]] {
            let text = SampleAnswer.stream(format, "resp_1", pieces, .endOfSequence)
            let last = try #require(try SampleAnswer.events(text).last)
            let completion = SampleAnswer.completion("resp_1", pieces, .endOfSequence)
            let whole = SampleAnswer.whole(format, completion)
            #expect(try last.data["response"] == JSONValue(parsing: whole))
        }
    }

    @Test func logprobsAreInTheMessage() throws {
        let body = #"{"model":"m","input":"x","include":["message.output_text.logprobs"]}"#
        let request = try ResponsesFace().decoded(body)
        #expect(request.chat.sampling.topLogprobs == 0)
        let text = SampleAnswer.stream(
            request.format, "resp_1", [.text("Hi", logprobs: Sample.logprobs)], .maxTokens)
        // In the delta, in the text's end, in the part's, in the item's and in the response.
        #expect(text.split(separator: #""logprobs":[{"token":"Hi""#).count == 6)
    }

    @Test func continuesWithoutTheOldInstructions() throws {
        let first = try ResponsesFace().decoded(
            #"{"model":"m","input":"one","instructions":"old"}"#)
        let format = try #require(first.format as? ResponsesFormat)
        let history = format.history(
            of: first.chat,
            SampleAnswer.completion("resp_1", SampleAnswer.pieces, .toolCalls))
        #expect(history.map(\.role) == [.user, .assistant])
        #expect(history[1].toolCalls == [SampleAnswer.call])
        #expect(history[1].reasoningContent == "Hm, so.")
        let second = try ResponsesFace().decoded(
            #"{"model":"m","input":"two","instructions":"new","previous_response_id":"resp_1"}"#)
        let next = try #require(second.format as? ResponsesFormat)
        let messages = next.messages(of: second.chat, after: history)
        #expect(messages.map(\.content) == ["new", "one", "Hi \"漢\"\n", "two"])
        let third = try ResponsesFace().decoded(#"{"model":"m","input":"three"}"#)
        let plain = try #require(third.format as? ResponsesFormat)
        #expect(plain.messages(of: third.chat, after: history).count == 3)
    }

    @Test func failuresHaveACodeOfTheClosedSet() {
        let closed = ["server_error", "rate_limit_exceeded", "invalid_prompt"]
        for kind in APIErrorKind.allCases {
            #expect(closed.contains(APIError(kind, "").responsesCode.description), "\(kind)")
        }
        #expect(
            APIError(.rateLimited, "").responsesCode.description == "rate_limit_exceeded")
        #expect(APIError(.workerLost, "").responsesCode.description == "server_error")
    }
}
