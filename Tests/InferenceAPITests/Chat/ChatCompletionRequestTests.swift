import InferenceTypes
import NIOCore
import Testing

@testable import InferenceAPI

@Suite struct ChatCompletionRequestTests {
    func decode(_ fields: String) throws -> ChatRequest {
        let separator = fields.isEmpty ? "" : ","
        let body =
            #"{"model":"m","messages":[{"role":"user","content":"hi"}]\#(separator)\#(fields)}"#
        return try ChatCompletionRequest.decode(ByteBuffer(string: body))
    }

    @Test func absentFieldsHaveTheirDefaults() throws {
        let request = try decode("")
        #expect(request == ChatRequest(model: "m", messages: [.init(role: .user, content: "hi")]))
        #expect(request.choiceCount == 1)
        #expect(request.seed == nil)
        #expect(request.sampling == SamplingParameters())
    }

    @Test func nullIsAbsentEverywhere() throws {
        let names = [
            "stream", "stream_options", "n", "temperature", "top_p", "top_k", "min_p", "seed",
            "stop", "logprobs", "top_logprobs", "tools", "functions", "tool_choice",
            "function_call", "parallel_tool_calls", "response_format", "user", "metadata", "store",
            "safety_identifier", "deferred", "max_tokens", "max_completion_tokens", "min_tokens",
            "frequency_penalty", "presence_penalty", "repetition_penalty", "ignore_eos",
            "logit_bias", "reasoning_effort", "service_tier", "prompt_cache_key",
            "search_parameters", "web_search_options", "nobody_knows_this",
        ]
        let fields = names.map { "\"\($0)\":null" }.joined(separator: ",")
        #expect(try decode(fields) == decode(""))
    }

    @Test func readsEveryField() throws {
        let body = try Fixture.bytes("chat-request-full.json")
        let request = try ChatCompletionRequest.decode(ByteBuffer(bytes: body))
        #expect(request.model == "grok-test")
        #expect(request.choiceCount == 3)
        #expect(request.isStreaming)
        #expect(request.includesUsage)
        #expect(request.seed == 42)
        #expect(request.stopStrings == ["\n\n", "END"])
        #expect(request.serviceTier == .priority)
        #expect(request.promptCacheKey == "conversation-1")
        #expect(request.reasoningEffort == .low)
        #expect(request.user == "user-1")
        var sampling = SamplingParameters()
        sampling.temperature = 0.7
        sampling.topP = 0.9
        sampling.topK = 40
        sampling.minP = 0.05
        sampling.frequencyPenalty = -0.5
        sampling.presencePenalty = 0.25
        sampling.repetitionPenalty = 1.1
        sampling.ignoreEndOfSequence = true
        sampling.minTokens = 2
        sampling.maxTokens = 100
        sampling.topLogprobs = 5
        sampling.logitBias = [TokenBias(token: 7, bias: -100), TokenBias(token: 50256, bias: 1.5)]
        #expect(request.sampling == sampling)
        var developer = ChatMessage(role: .developer, content: "Be brief.")
        developer.name = "ops"
        var calling = ChatMessage(role: .assistant, content: nil)
        calling.reasoningContent = "Look it up."
        calling.toolCalls = [
            ChatToolCall(id: "call_1", name: "weather", arguments: #"{"city":"Žďár"}"#)
        ]
        var answer = ChatMessage(role: .tool, content: "12 °C")
        answer.toolCallID = "call_1"
        #expect(
            request.messages == [
                ChatMessage(role: .system, content: "You are a helper."), developer,
                ChatMessage(role: .user, content: "Weather? ☀️"), calling, answer,
                ChatMessage(role: .user, content: "And 明日\u{1F600}?"),
            ])
    }

    @Test func unknownFieldsAreSkippedHoweverDeep() throws {
        let extra = #""extra_body":{"a":[1,{"model":"other","n":5}],"b":"\u0041"},"modelx":1"#
        #expect(try decode(extra) == decode(""))
    }

    @Test func theLastOfTwoEqualKeysWins() throws {
        #expect(try decode(#""n":2,"n":3"#).choiceCount == 3)
        #expect(try decode(#""model":"other""#).model == "other")
        let bias = try decode(#""logit_bias":{"9":1,"3":2,"9":-1}"#).sampling.logitBias
        #expect(bias == [TokenBias(token: 3, bias: 2), TokenBias(token: 9, bias: -1)])
    }

    @Test func keysMayBeEscaped() throws {
        #expect(try decode(#""t\u0065mperature":0.5"#).sampling.temperature == 0.5)
    }

    @Test func seedsAreFoldedByBitPattern() throws {
        #expect(try decode(#""seed":-1"#).seed == .max)
        #expect(try decode(#""seed":-9223372036854775808"#).seed == 1 << 63)
        #expect(try decode(#""seed":0"#).seed == 0)
    }

    @Test func boundsAreInclusive() throws {
        let low = try decode(
            #""temperature":0,"top_p":0,"top_k":-1,"min_p":0,"frequency_penalty":-2,"n":1"#)
        #expect(low.sampling.isGreedy)
        #expect(low.sampling.topP > 0)
        #expect(low.sampling.topK == 0)
        let high = try decode(
            #""temperature":2,"top_p":1,"min_p":1,"presence_penalty":2,"n":128,"logprobs":true,"#
                + #""top_logprobs":20,"max_tokens":1,"min_tokens":1"#)
        #expect(high.choiceCount == 128)
        #expect(high.sampling.topLogprobs == 20)
    }

    @Test func wholeNumbersMayHaveAFraction() throws {
        #expect(try decode(#""max_tokens":100.0,"n":2.0"#).sampling.maxTokens == 100)
    }

    @Test func logprobsAloneReportNoAlternatives() throws {
        #expect(try decode(#""logprobs":true"#).sampling.topLogprobs == 0)
        #expect(try decode(#""logprobs":false"#).sampling.topLogprobs == nil)
        #expect(try decode(#""top_logprobs":2,"logprobs":true"#).sampling.topLogprobs == 2)
    }

    @Test func stopTakesAStringOrAnArray() throws {
        #expect(try decode(#""stop":"x""#).stopStrings == ["x"])
        #expect(try decode(#""stop":[]"#).stopStrings == [])
        #expect(try decode(#""stop":["a","b"]"#).stopStrings == ["a", "b"])
    }

    @Test func tiersHaveSeveralNames() throws {
        for (name, tier) in [
            ("auto", nil), ("default", ServiceTier.standard), ("priority", .priority),
            ("batch", .batch), ("flex", .batch),
        ] {
            #expect(try decode(#""service_tier":"\#(name)""#).serviceTier == tier)
        }
    }

    @Test func whatSaysNothingIsAccepted() throws {
        let fields =
            #""tools":[],"functions":[],"tool_choice":"auto","function_call":"none","#
            + #""parallel_tool_calls":true,"response_format":{"type":"text"},"#
            + #""search_parameters":{"mode":"off"},"metadata":{"a":"b"},"store":true,"#
            + #""deferred":false"#
        #expect(try decode(fields) == decode(""))
    }

    @Test func safetyIdentifierStandsInForUser() throws {
        #expect(try decode(#""safety_identifier":"s""#).user == "s")
        #expect(try decode(#""safety_identifier":"s","user":"u""#).user == "u")
        #expect(try decode(#""user":"u","safety_identifier":"s""#).user == "u")
    }

    // API.md §9, by number.

    @Test func trap2_usageOnlyForIncludeUsageTrue() throws {
        #expect(try decode(#""stream":true,"stream_options":{}"#).includesUsage == false)
        #expect(try decode(#""stream":true,"stream_options":null"#).includesUsage == false)
        let off = #""stream":true,"stream_options":{"include_usage":false}"#
        #expect(try decode(off).includesUsage == false)
        let on = #""stream":true,"stream_options":{"include_usage":true,"x":1}"#
        #expect(try decode(on).includesUsage)
    }

    @Test func trap17_contentMayBeNullOrAnArray() throws {
        let body = #"""
            {"model":"m","messages":[
            {"role":"user","content":[{"type":"text","text":"a"},{"type":"input_text","text":"b"}]},
            {"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function",
            "function":{"name":"f","arguments":""}}]},
            {"role":"assistant","tool_calls":[{"id":"2","function":{"name":"f","arguments":"{}"}}]},
            {"role":"assistant","content":[{"type":"refusal","refusal":"no"}]},
            {"role":"tool","content":[{"type":"text","text":"r"}],"tool_call_id":"1"},
            {"role":"function","name":"f","content":"legacy"},
            {"role":"assistant","content":"","function_call":{"name":"f","arguments":"{}"}}]}
            """#
        let request = try ChatCompletionRequest.decode(ByteBuffer(string: body))
        #expect(request.messages.map(\.content) == ["ab", nil, nil, "no", "r", "legacy", ""])
        #expect(request.messages[1].toolCalls.first?.arguments == "")
    }

    @Test func trap18_maxCompletionTokensWinsAndNothingMeansNoCap() throws {
        #expect(try decode(#""max_completion_tokens":9,"max_tokens":5"#).sampling.maxTokens == 9)
        #expect(try decode(#""max_tokens":5,"max_completion_tokens":9"#).sampling.maxTokens == 9)
        #expect(try decode(#""max_tokens":5"#).sampling.maxTokens == 5)
        let null = #""max_tokens":5,"max_completion_tokens":null"#
        #expect(try decode(null).sampling.maxTokens == 5)
        #expect(try decode("").sampling.maxTokens == nil)
    }

    @Test func trap19_unenforceableFormatsAreRefused() throws {
        let error = #expect(throws: APIError.self) {
            _ = try decode(#""response_format":{"type":"json_schema"}"#)
        }
        #expect(error?.kind == .missingParameter)
        let object = try decode(#""response_format":{"type":"json_object"}"#)
        #expect(object.responseFormat == .jsonObject)
        let own = try decode(#""response_format":{"grammar":"root ::= \"a\"","type":"grammar"}"#)
        #expect(own.responseFormat == .grammar("root ::= \"a\""))
        #expect(try decode(#""response_format":{"type":"text"}"#).sampling.grammar == nil)
    }
}
