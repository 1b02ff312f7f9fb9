import InferenceTypes
import NIOCore
import Testing

@testable import InferenceAPI

@Suite struct CompletionsTests {
    private let face: CompletionsFace = CompletionsFace()

    private func choice(
        _ text: String, _ reason: FinishReason, _ logprobs: [ChatTokenLogprob]? = nil
    ) -> Completion.Choice {
        var choice = Completion.Choice(content: text, finishReason: reason)
        choice.logprobs = logprobs
        return choice
    }

    /// An emoji in two tokens, neither of which is UTF-8.
    static let logprobs = [
        ChatTokenLogprob(
            token: .init(bytes: [72, 105], logprob: -0.25),
            top: [
                .init(bytes: [72, 105], logprob: -0.25),
                .init(bytes: [240, 159], logprob: -.infinity),
            ]),
        ChatTokenLogprob(token: .init(bytes: [240, 159], logprob: -1.5), top: []),
        ChatTokenLogprob(token: .init(bytes: [152, 128], logprob: -2), top: []),
    ]

    @Test func equalsTheGoldenFiles() throws {
        let echoed = try face.decoded(
            #"{"model":"m","prompt":["A: ","B: "],"n":2,"best_of":2,"echo":true}"#)
        #expect(echoed.chat.totalChoices == 4)
        let completion = Completion(
            head: SampleAnswer.head("cmpl-1"),
            choices: [
                choice("one", .endOfSequence), choice("two", .maxTokens),
                choice("three", .stopString("x")), choice("four", .contextFull),
            ], usage: Sample.usage)
        #expect(
            try SampleAnswer.whole(echoed.format, completion) == Fixture.text("completion.json"))

        let plain = try face.decoded(#"{"model":"m","prompt":"x","logprobs":2}"#)
        #expect(plain.chat.sampling.topLogprobs == 2)
        let scored = Completion(
            head: SampleAnswer.head("cmpl-1"),
            choices: [choice("Hi😀", .maxTokens, Self.logprobs)], usage: Sample.usage)
        #expect(
            try SampleAnswer.whole(plain.format, scored)
                == Fixture.text("completion-logprobs.json"))
    }

    @Test func streamEqualsTheGoldenFile() throws {
        let request = try face.decoded(
            #"""
            {"model":"m","prompt":"A: ","echo":true,"stream":true,
            "stream_options":{"include_usage":true}}
            """#)
        let text = SampleAnswer.stream(
            request.format, "cmpl-1", [.text("Hi", logprobs: nil), .text("😀", logprobs: nil)],
            .endOfSequence)
        #expect(try text == Fixture.text("completion-stream.sse"))
    }

    @Test func usageComesOnlyWhenAskedFor() throws {
        let request = try face.decoded(#"{"model":"m","prompt":"x","stream":true}"#)
        let text = SampleAnswer.stream(
            request.format, "cmpl-1", [.text("Hi", logprobs: nil)], .maxTokens)
        #expect(!text.contains("usage"))
        #expect(text.hasSuffix("data: [DONE]\n\n"))
    }

    /// Offsets of a stream go on where the chunk before ended.
    @Test func offsetsGoOnInStreams() throws {
        let request = try face.decoded(#"{"model":"m","prompt":"x","logprobs":0}"#)
        let text = SampleAnswer.stream(
            request.format, "cmpl-1",
            [
                .text("Hi", logprobs: [Self.logprobs[0]]),
                .text("😀", logprobs: Array(Self.logprobs[1...])),
            ], .maxTokens)
        #expect(text.contains(#""text_offset":[0]"#))
        #expect(text.contains(#""text_offset":[2,3]"#))
    }

    @Test func readsPrompts() throws {
        let cases: [(String, [RawPrompt])] = [
            (#""a""#, [.text("a")]), (#"["a","b"]"#, [.text("a"), .text("b")]),
            ("[1,2]", [.tokens([1, 2])]), ("[[1],[2,3]]", [.tokens([1]), .tokens([2, 3])]),
            (#"["a",[1]]"#, [.text("a"), .tokens([1])]),
        ]
        for (json, prompts) in cases {
            let request = try face.decoded(#"{"model":"m","prompt":\#(json)}"#).chat
            #expect(request.rawPrompts == prompts)
            #expect(request.messages.isEmpty)
        }
    }

    /// OpenAI's default of 16 cuts answers of clients that never heard of it.
    @Test func trap18_thereIsNoSmallDefault() throws {
        let request = try face.decoded(
            #"{"model":"m","prompt":"x","max_tokens":null,"suffix":null,"seed":3,"user":"u"}"#)
        #expect(request.chat.sampling.maxTokens == nil)
        #expect(request.chat.seed == 3)
    }

    private static func with(_ fields: String, _ parameter: String, _ code: String) -> RefusedBody {
        RefusedBody(#"{"model":"m","prompt":"hi",\#(fields)}"#, parameter, code)
    }

    static let refused: [RefusedBody] = [
        RefusedBody("{}", "model", "missing_required_parameter"),
        RefusedBody(#"{"model":"m"}"#, "prompt", "missing_required_parameter"),
        RefusedBody(#"{"model":"m","prompt":{}}"#, "prompt", "invalid_type"),
        RefusedBody(#"{"model":"m","prompt":[]}"#, "prompt", "invalid_value"),
        RefusedBody(#"{"model":"m","prompt":[[]]}"#, "prompt[0]", "invalid_value"),
        RefusedBody(#"{"model":"m","prompt":[1,"a"]}"#, "prompt[1]", "invalid_type"),
        RefusedBody(#"{"model":"m","prompt":[1,-1]}"#, "prompt[1]", "invalid_value"),
        RefusedBody(#"{"model":"m","prompt":[true]}"#, "prompt[0]", "invalid_type"),
        RefusedBody(#"{"model":"m","prompt":["a",1]}"#, "prompt[1]", "invalid_type"),
        RefusedBody(#"{"model":"m","prompt":["a","b"],"n":65}"#, "prompt", "invalid_value"),
        RefusedBody(#"{"model":"m","prompt":[1],"echo":true}"#, "echo", "unsupported_parameter"),
        with(#""suffix":"x""#, "suffix", "unsupported_parameter"),
        with(#""best_of":2"#, "best_of", "unsupported_parameter"),
        with(#""echo":true,"logprobs":1"#, "echo", "unsupported_parameter"),
        with(#""logprobs":6"#, "logprobs", "invalid_value"),
        with(#""logprobs":true"#, "logprobs", "invalid_type"),
        with(#""max_tokens":0"#, "max_tokens", "invalid_value"),
        with(#""n":0"#, "n", "invalid_value"),
        with(#""min_tokens":5,"max_tokens":4"#, "min_tokens", "invalid_value"),
        with(#""stop":5"#, "stop", "invalid_type"),
    ]

    @Test(arguments: refused)
    func refuses(_ body: RefusedBody) throws {
        try body.check(face)
    }
}

@Suite struct LegacyCompleteTests {
    private let face: LegacyCompleteFace = LegacyCompleteFace()

    @Test func equalsTheGoldenFiles() throws {
        let request = try face.decoded(
            #"""
            {"model":"m","prompt":"\n\nHuman: a\n\nAssistant:","max_tokens_to_sample":5,
            "stop_sequences":["X"],"metadata":{"user_id":"u"},"top_k":3}
            """#)
        #expect(request.chat.rawPrompts == [.text("\n\nHuman: a\n\nAssistant:")])
        #expect(request.chat.stopStrings == ["X", "\n\nHuman:"])
        #expect(request.chat.sampling.maxTokens == 5)
        #expect(request.chat.sampling.topK == 3)
        #expect(request.chat.user == "u")
        let completion = SampleAnswer.completion(
            "compl_1", [.text(" Hi", logprobs: nil)], .stopString("\n\nHuman:"))
        #expect(
            try SampleAnswer.whole(request.format, completion) == Fixture.text("complete.json"))
        let stream = written { buffer in
            var encoder = request.format.encoder(SampleAnswer.head("compl_1"))
            encoder.begin(Sample.usage, into: &buffer)
            encoder.write(
                .text(" Hi", logprobs: nil), choice: 0, usage: Sample.usage, into: &buffer)
            encoder.keepalive(.unknown, into: &buffer)
            encoder.finish(.maxTokens, choice: 0, usage: Sample.usage, into: &buffer)
            encoder.end(Sample.usage, into: &buffer)
        }
        #expect(try stream == Fixture.text("complete-stream.sse"))
    }

    @Test(arguments: [
        RefusedBody(
            #"{"model":"m","prompt":"x"}"#, "max_tokens_to_sample", "missing_required_parameter"),
        RefusedBody(
            #"{"model":"m","max_tokens_to_sample":1}"#, "prompt", "missing_required_parameter"),
        RefusedBody(
            #"{"model":"m","max_tokens_to_sample":1,"prompt":["x"]}"#, "prompt", "invalid_type"),
    ])
    func refuses(_ body: RefusedBody) throws {
        try body.check(face)
    }
}
