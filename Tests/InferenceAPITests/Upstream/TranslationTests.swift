import InferenceTypes
import NIOCore
import Testing

@testable import InferenceAPI

@Suite struct TranslationTests {
    private func pieces(
        _ chunks: String..., choices: Int = 1, wantsLogprobs: Bool = false
    ) throws -> [[TranslatedAnswer.Piece]] {
        var translation = TranslatedAnswer(choiceCount: choices, wantsLogprobs: wantsLogprobs)
        return try chunks.map {
            try translation.take(
                ForwardedAnswer(Array(#"{"choices":[\#($0)]}"#.utf8)))
        }
    }

    @Test func textAndThoughtsOfAStream() throws {
        let found = try pieces(
            #"{"index":0,"delta":{"role":"assistant","content":""}}"#,
            #"{"index":0,"delta":{"reasoning_content":"Hm"}}"#,
            #"{"index":1,"delta":{"content":"Hi \u00e9"}},{"delta":{"reasoning":"!"},"index":0}"#,
            #"{"index":0,"delta":{},"finish_reason":"stop"}"#, choices: 2)
        #expect(
            found == [
                [], [.init(choice: 0, piece: .reasoning("Hm"))],
                [
                    .init(choice: 1, piece: .text("Hi é", logprobs: nil)),
                    .init(choice: 0, piece: .reasoning("!")),
                ], [],
            ])
    }

    @Test func callsArePutTogetherAndComeAtTheEnd() throws {
        let found = try pieces(
            #"{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","type":"function","#
                + #""function":{"name":"f","arguments":""}}]}}"#,
            #"{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"x\""}},"#
                + #"{"index":1,"id":"b","function":{"name":"g"}}]}}"#,
            #"{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":":1}"}}]}}"#,
            #"{"index":0,"delta":{},"finish_reason":"tool_calls"}"#)
        #expect(found[0].isEmpty && found[1].isEmpty && found[2].isEmpty)
        #expect(
            found[3].map(\.piece) == [
                .toolCall(ChatToolCall(id: "a", name: "f", arguments: #"{"x":1}"#)),
                .toolCall(ChatToolCall(id: "b", name: "g", arguments: "{}")),
            ])
    }

    @Test func aWholeAnswersCallsHaveNoIndex() throws {
        let found = try pieces(
            #"{"index":0,"finish_reason":"tool_calls","message":{"content":null,"tool_calls":["#
                + #"{"id":"a","function":{"name":"f","arguments":"{}"}},"#
                + #"{"id":"b","function":{"name":"g","arguments":"{}"}}]}}"#)
        #expect(found[0].count == 2)
    }

    @Test func logProbabilitiesGoWithTheirText() throws {
        let chunk =
            #"{"index":0,"delta":{"content":"é"},"logprobs":{"content":[{"token":"é","#
            + #""logprob":-0.5,"bytes":[195,169],"top_logprobs":[{"token":"a","logprob":-1}]}]}}"#
        let entry = ChatTokenLogprob(
            token: .init(bytes: [195, 169], logprob: -0.5),
            top: [.init(bytes: [97], logprob: -1)])
        #expect(
            try pieces(chunk, wantsLogprobs: true)[0].map(\.piece)
                == [.text("é", logprobs: [entry])])
        #expect(try pieces(chunk)[0].map(\.piece) == [.text("é", logprobs: nil)])
    }

    @Test func choicesThatWereNotAskedForAreIgnored() throws {
        #expect(try pieces(#"{"index":7,"delta":{"content":"x"}}"#)[0].isEmpty)
        #expect(try pieces(#"{"index":-1,"delta":{"content":"x"}}"#)[0].isEmpty)
    }

    @Test func otherTypesAreNoAnswer() {
        #expect(throws: TranslatedAnswer.Failure.malformed) {
            try pieces(#"{"index":0,"delta":{"content":[1]}}"#)
        }
    }

    @Test func callsWithoutEndAreNoAnswer() throws {
        var translation = TranslatedAnswer(choiceCount: 1, wantsLogprobs: false)
        let arguments = String(repeating: "a", count: 65_536)
        let chunk = try ForwardedAnswer(
            Array(
                (#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":"#
                    + #"{"arguments":"\#(arguments)"}}]}}]}"#).utf8))
        for _ in 0..<15 { #expect(try translation.take(chunk).isEmpty) }
        #expect(throws: TranslatedAnswer.Failure.tooLong) {
            for _ in 0..<2 { _ = try translation.take(chunk) }
        }
    }

    @Test func aRequestIsWrittenInChatCompletionsWords() throws {
        var message = ChatMessage(role: .assistant, content: nil)
        message.toolCalls = [ChatToolCall(id: "a", name: "f", arguments: #"{"x":"\""}"#)]
        var result = ChatMessage(role: .tool, content: "done")
        result.toolCallID = "a"
        var request = ChatRequest(
            model: "ours",
            messages: [ChatMessage(role: .developer, content: "Be \"brief\"."), message, result])
        request.isStreaming = true
        request.sampling.temperature = 0.5
        request.sampling.maxTokens = 9
        request.sampling.logitBias = [TokenBias(token: 3, bias: -1)]
        request.stopStrings = ["\n"]
        request.seed = UInt64(bitPattern: -2)
        request.tools = [ToolDefinition(name: "f", parameters: "{\"type\":\n\"object\"}")]
        request.toolChoice = .function("f")
        request.responseFormat = .jsonObject
        let body = try ForwardedRequest(translating: request).body(model: "theirs")
        #expect(
            String(buffer: body)
                == #"{"model":"theirs","messages":[{"role":"system","content":"Be \"brief\"."},"#
                + #"{"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","#
                + #""function":{"name":"f","arguments":"{\"x\":\"\\\"\"}"}}]},"#
                + #"{"role":"tool","content":"done","tool_call_id":"a"}],"temperature":0.5,"#
                + #""max_tokens":9,"seed":-2,"logit_bias":{"3":-1.0},"stop":["\n"],"#
                + #""tools":[{"type":"function","function":{"name":"f","#
                + #""parameters":{"type":"object"}}}],"tool_choice":{"type":"function","#
                + #""function":{"name":"f"}},"response_format":{"type":"json_object"},"#
                + #""stream":true,"stream_options":{"include_usage":true}}"#)
    }

    @Test func promptsWithoutTurnsAreRefused() {
        var request = ChatRequest(model: "ours", messages: [])
        request.rawPrompts = [.text("Once")]
        #expect(throws: APIError.self) { try ForwardedRequest(translating: request) }
    }
}
