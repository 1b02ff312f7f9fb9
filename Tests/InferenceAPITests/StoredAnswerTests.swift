import InferenceTypes
import Testing

@testable import InferenceAPI

@Suite struct StoredAnswerTests {
    private static let reasons: [FinishReason] = [
        .endOfSequence, .stopToken(7), .stopString("\u{1F469}\u{200D}\u{1F4BB} \"end\""),
        .toolCalls, .maxTokens, .contextFull, .timeLimit, .cancelled,
    ]

    private static var completion: Completion {
        let choices = reasons.map { reason in
            var choice = Completion.Choice(content: "日本\n\"語\"", finishReason: reason)
            choice.reasoningContent = "why"
            choice.toolCalls = [ChatToolCall(id: "call_1", name: "f", arguments: "{\"a\":[1]}")]
            // A token that is no UTF-8 alone, and one of probability zero.
            let token = ChatTokenLogprob.Candidate(bytes: [0xE6, 0x97], logprob: -0.123456789)
            let never = ChatTokenLogprob.Candidate(bytes: [0], logprob: -.infinity)
            choice.logprobs = [ChatTokenLogprob(token: token, top: [token, never])]
            return choice
        }
        return Completion(
            head: ChatResponseHead(
                id: "chatcmpl-1", created: 1_700_000_000, model: "m", systemFingerprint: "fp",
                serviceTier: .priority),
            choices: choices + [Completion.Choice(content: "", finishReason: .maxTokens)],
            usage: Usage(
                promptTokens: 9, cachedTokens: 4, completionTokens: 5, reasoningTokens: 3))
    }

    @Test func keepsAllThatFacesShow() throws {
        let answer = StoredAnswer.completion(Self.completion)
        #expect(try StoredAnswer(encoded: answer.encoded) == answer)
    }

    @Test func keepsErrorsAndForwardedAnswers() throws {
        let error = StoredAnswer.failure(
            APIError(.contextLengthExceeded, "too long", parameter: "messages"))
        #expect(try StoredAnswer(encoded: error.encoded) == error)
        let forwarded = StoredAnswer.forwarded(Array("{\"id\":\"x\"}".utf8))
        #expect(try StoredAnswer(encoded: forwarded.encoded) == forwarded)
    }

    /// Written by the first version; every later one reads it.
    @Test func readsWhatTheFirstVersionWrote() throws {
        let text = #"""
            {"completion":{"id":"chatcmpl-9","created":5,"model_name":"m","tier":"default",
            "prompt_tokens":1,"cached_tokens":0,"completion_tokens":2,"reasoning_tokens":0,
            "choices":[{"content":"hi","tool_calls":[],"finish":"stop_string","stop":"END",
            "logprobs":[{"token":{"bytes":"aGk=","logprob":-0.5},"top":[]}]}]}}
            """#
        guard case .completion(let completion) = try StoredAnswer(encoded: Array(text.utf8)) else {
            Issue.record("no completion")
            return
        }
        #expect(completion.head.id == "chatcmpl-9" && completion.head.serviceTier == .standard)
        #expect(completion.choices[0].finishReason == .stopString("END"))
        #expect(completion.choices[0].logprobs?[0].token.bytes == Array("hi".utf8))
    }

    @Test func refusesWhatItDidNotWrite() {
        for text in ["", "{}", "[]", #"{"completion":{}}"#] {
            #expect(throws: StoredAnswer.Unreadable.self) {
                try StoredAnswer(encoded: Array(text.utf8))
            }
        }
    }
}
