import InferenceTypes
import NIOCore
import Testing

@testable import InferenceAPI

@Suite struct MessagesFormatTests {
    private let format: MessagesFormat = MessagesFormat()

    @Test func equalsTheGoldenFiles() throws {
        let whole = SampleAnswer.completion("msg_1", SampleAnswer.pieces, .toolCalls)
        #expect(try SampleAnswer.whole(format, whole) == Fixture.text("message.json"))
        let stopped = SampleAnswer.completion(
            "msg_1", [.text("Hi", logprobs: nil)], .stopString("END"))
        #expect(try SampleAnswer.whole(format, stopped) == Fixture.text("message-stop.json"))
    }

    @Test func streamEqualsTheGoldenFile() throws {
        var first = Sample.usage
        (first.completionTokens, first.reasoningTokens) = (0, 0)
        let text = written { buffer in
            var encoder = format.encoder(SampleAnswer.head("msg_1"))
            encoder.keepalive(.unknown, into: &buffer)
            encoder.begin(first, into: &buffer)
            encoder.keepalive(.unknown, into: &buffer)
            for piece in SampleAnswer.pieces {
                encoder.write(piece, choice: 0, usage: Sample.usage, into: &buffer)
            }
            encoder.finish(.toolCalls, choice: 0, usage: Sample.usage, into: &buffer)
            encoder.end(Sample.usage, into: &buffer)
        }
        #expect(try text == Fixture.text("message-stream.sse"))
    }

    @Test func errorsEqualTheGoldenFiles() throws {
        let error = APIError(.workerLost, "The worker was lost.")
        let event = written { buffer in
            var encoder = format.encoder(SampleAnswer.head("msg_1"))
            encoder.fail(error, into: &buffer)
        }
        #expect(try event == Fixture.text("message-stream-error.sse"))
        let body = written { MessagesFace().write(error, requestID: "r-1", into: &$0) }
        #expect(try body == Fixture.text("message-error.json"))
    }

    /// Anthropic's types and statuses, for every kind of error.
    @Test func errorsHaveAnthropicsTypes() {
        let table: [(Int, String)] = [
            (400, "invalid_request_error"), (401, "authentication_error"),
            (403, "permission_error"), (404, "not_found_error"), (405, "invalid_request_error"),
            (408, "invalid_request_error"), (413, "request_too_large"),
            (415, "invalid_request_error"), (429, "rate_limit_error"),
            (499, "invalid_request_error"), (500, "api_error"), (504, "timeout_error"),
            (529, "overloaded_error"),
        ]
        for kind in APIErrorKind.allCases {
            let status = kind.status
            let row = table.first { $0.0 == status.anthropicHTTP }
            #expect(row?.1 == status.anthropicType, "\(kind)")
        }
        #expect(MessagesFace().httpStatus(of: APIError(.queueFull, "")) == 529)
        #expect(MessagesFace().requestIDFields == ["request-id"])
    }

    @Test func stopReasonsAreAnthropics() {
        let table: [(FinishReason, String)] = [
            (.endOfSequence, "end_turn"), (.stopToken(2), "end_turn"),
            (.stopString("x"), "stop_sequence"), (.toolCalls, "tool_use"),
            (.maxTokens, "max_tokens"), (.contextFull, "model_context_window_exceeded"),
            (.timeLimit, "max_tokens"), (.cancelled, "max_tokens"),
        ]
        for (reason, name) in table { #expect(reason.anthropicName.description == name) }
    }

    /// Each block begins, gets its deltas and ends before the next one; no `[DONE]`.
    @Test func blocksDoNotOverlap() throws {
        let pieces: [AnswerPiece] = [
            .text("a", logprobs: nil), .reasoning("b"), .text("", logprobs: nil),
            .toolCall(SampleAnswer.call), .toolCall(SampleAnswer.call),
            .text("c", logprobs: nil),
        ]
        let text = SampleAnswer.stream(format, "msg_1", pieces, .endOfSequence)
        #expect(!text.contains("[DONE]"))
        var open: Int64?
        var begun: Int64 = 0
        for event in try SampleAnswer.events(text) {
            #expect(event.data["type"] == .string(event.name))
            guard case .integer(let index)? = event.data["index"] else { continue }
            switch event.name {
            case "content_block_start":
                #expect(open == nil && index == begun)
                (open, begun) = (index, begun + 1)
            case "content_block_stop":
                #expect(open == index)
                open = nil
            default: #expect(open == index)
            }
        }
        #expect(open == nil && begun == 5)
    }
}
