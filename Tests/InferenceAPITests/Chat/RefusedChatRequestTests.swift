import NIOCore
import Testing

@testable import InferenceAPI

/// Bodies that must be refused, with the parameter that is named and the code.
@Suite struct RefusedChatRequestTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var body: String
        var parameter: String?
        var code: String
        var testDescription: String { body.count > 120 ? body.prefix(120) + "…" : body }
    }

    /// A request that is whole but for `fields`.
    static func with(_ fields: String, _ parameter: String?, _ code: String) -> Case {
        Case(
            body: #"{"model":"m","messages":[{"role":"user","content":"hi"}],\#(fields)}"#,
            parameter: parameter, code: code)
    }

    static func message(_ message: String, _ parameter: String?, _ code: String) -> Case {
        Case(
            body: #"{"model":"m","messages":[{"role":"user","content":"hi"},\#(message)]}"#,
            parameter: parameter.map { "messages[1]" + $0 }, code: code)
    }

    static func body(_ body: String, _ parameter: String?, _ code: String) -> Case {
        Case(body: body, parameter: parameter, code: code)
    }

    static let documents = [
        body("", nil, "invalid_json"),
        body("   ", nil, "invalid_json"),
        body("{", nil, "invalid_json"),
        body("not json", nil, "invalid_json"),
        body(#"{"model":"m""#, nil, "invalid_json"),
        body(#"{"model":"m","messages":[{"role":"user","content":"hi"}]"#, nil, "invalid_json"),
        body(#"{"model":"m","messages":[{"role":"user","content":"hi"}]}x"#, nil, "invalid_json"),
        body(#"{"model":"m","messages":[{"role":"user","content":"hi"}]},"#, nil, "invalid_json"),
        body(#"{"model":"m","messages":[{"role":"user","content":"hi"},]}"#, nil, "invalid_json"),
        body(#"{'model':'m'}"#, nil, "invalid_json"),
        body(#"{"model":"\x"}"#, nil, "invalid_json"),
        body(
            #"{"model":"m","messages":[{"role":"user","content":"\ud83d"}]}"#, nil, "invalid_json"),
        body("{\"model\":\"a\nb\"}", nil, "invalid_json"),
        body(#"{"model":"m","seed":01}"#, nil, "invalid_json"),
        body(#"{"model":"m","temperature":NaN}"#, nil, "invalid_json"),
        body(#"{"model":"m","temperature":.5}"#, nil, "invalid_json"),
        body(#"{"x":"# + String(repeating: "[", count: 100), nil, "invalid_json"),
        body("[]", nil, "invalid_type"),
        body("\"text\"", nil, "invalid_type"),
        body("null", nil, "invalid_type"),
        body("1", nil, "invalid_type"),
        body("{}", "model", "missing_required_parameter"),
        body(#"{"model":"m"}"#, "messages", "missing_required_parameter"),
        body(#"{"model":"m","messages":null}"#, "messages", "missing_required_parameter"),
        body(
            #"{"messages":[{"role":"user","content":"hi"}]}"#, "model",
            "missing_required_parameter"),
        body(
            #"{"model":null,"messages":[{"role":"user","content":"hi"}]}"#, "model",
            "missing_required_parameter"),
        body(#"{"model":7,"messages":[]}"#, "model", "invalid_type"),
        body(#"{"model":"","messages":[]}"#, "model", "invalid_value"),
        body(#"{"model":["m"],"messages":[]}"#, "model", "invalid_type"),
        body(
            #"{"model":"\#(String(repeating: "m", count: 513))"}"#, "model", "invalid_value"),
        body(#"{"model":"m","messages":[]}"#, "messages", "invalid_value"),
        body(#"{"model":"m","messages":"hi"}"#, "messages", "invalid_type"),
        body(#"{"model":"m","messages":{}}"#, "messages", "invalid_type"),
        body(#"{"model":"m","messages":["hi"]}"#, "messages[0]", "invalid_type"),
        body(#"{"model":"m","messages":[null]}"#, "messages[0]", "invalid_type"),
        body(#"{"model":"m","messages":[[]]}"#, "messages[0]", "invalid_type"),
    ]

    static let messages = [
        message(#"{}"#, ".role", "missing_required_parameter"),
        message(#"{"role":"user"}"#, ".content", "missing_required_parameter"),
        message(#"{"content":"x"}"#, ".role", "missing_required_parameter"),
        message(#"{"role":null,"content":"x"}"#, ".role", "missing_required_parameter"),
        message(#"{"role":"bot","content":"x"}"#, ".role", "invalid_value"),
        message(#"{"role":"User","content":"x"}"#, ".role", "invalid_value"),
        message(#"{"role":3,"content":"x"}"#, ".role", "invalid_type"),
        message(#"{"role":"user","content":null}"#, ".content", "missing_required_parameter"),
        message(#"{"role":"system","content":null}"#, ".content", "missing_required_parameter"),
        message(#"{"role":"assistant","content":null}"#, ".content", "missing_required_parameter"),
        message(
            #"{"role":"assistant","content":null,"tool_calls":[]}"#, ".content",
            "missing_required_parameter"),
        message(#"{"role":"user","content":5}"#, ".content", "invalid_type"),
        message(#"{"role":"user","content":true}"#, ".content", "invalid_type"),
        message(#"{"role":"user","content":{"type":"text"}}"#, ".content", "invalid_type"),
        message(#"{"role":"user","content":[]}"#, ".content", "invalid_value"),
        message(#"{"role":"user","content":["x"]}"#, ".content[0]", "invalid_type"),
        message(
            #"{"role":"user","content":[{"text":"x"}]}"#, ".content[0].type",
            "missing_required_parameter"),
        message(
            #"{"role":"user","content":[{"type":"text"}]}"#, ".content[0].text",
            "missing_required_parameter"),
        message(
            #"{"role":"user","content":[{"type":"text","text":null}]}"#, ".content[0].text",
            "missing_required_parameter"),
        message(
            #"{"role":"user","content":[{"type":"text","text":1}]}"#, ".content[0].text",
            "invalid_type"),
        message(
            #"{"role":"user","content":[{"type":"poem","text":"x"}]}"#, ".content[0].type",
            "invalid_value"),
        message(
            #"{"role":"user","content":[{"type":"text","text":"x"},{"type":"image_url","#
                + #""image_url":{"url":"data:,"}}]}"#, ".content[1].type", "unsupported_parameter"),
        message(
            #"{"role":"user","content":[{"type":"input_audio","input_audio":{}}]}"#,
            ".content[0].type", "unsupported_parameter"),
        message(
            #"{"role":"user","content":[{"type":"file","file":{}}]}"#, ".content[0].type",
            "unsupported_parameter"),
        message(
            #"{"role":"assistant","content":[{"type":"refusal"}]}"#, ".content[0].refusal",
            "missing_required_parameter"),
        message(#"{"role":"user","content":"x","name":1}"#, ".name", "invalid_type"),
        message(
            #"{"role":"user","content":"x","name":"\#(String(repeating: "n", count: 513))"}"#,
            ".name", "invalid_value"),
        message(#"{"role":"tool","content":"x"}"#, ".tool_call_id", "missing_required_parameter"),
        message(
            #"{"role":"tool","content":"x","tool_call_id":1}"#, ".tool_call_id", "invalid_type"),
        message(#"{"role":"assistant","tool_calls":{}}"#, ".tool_calls", "invalid_type"),
        message(#"{"role":"assistant","tool_calls":[1]}"#, ".tool_calls[0]", "invalid_type"),
        message(
            #"{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":"{}"}}]}"#,
            ".tool_calls[0].id", "missing_required_parameter"),
        message(
            #"{"role":"assistant","tool_calls":[{"id":"1"}]}"#, ".tool_calls[0].function",
            "missing_required_parameter"),
        message(
            #"{"role":"assistant","tool_calls":[{"id":"1","type":"code","function":{}}]}"#,
            ".tool_calls[0].type", "invalid_value"),
        message(
            #"{"role":"assistant","tool_calls":[{"id":"1","function":{"arguments":"{}"}}]}"#,
            ".tool_calls[0].function.name", "missing_required_parameter"),
        message(
            #"{"role":"assistant","tool_calls":[{"id":"1","function":{"name":"f"}}]}"#,
            ".tool_calls[0].function.arguments", "missing_required_parameter"),
        message(
            #"{"role":"assistant","tool_calls":[{"id":"1","function":{"name":"f","#
                + #""arguments":{}}}]}"#,
            ".tool_calls[0].function.arguments", "invalid_type"),
        message(
            #"{"role":"user","content":"x","tool_calls":[{"id":"1","#
                + #""function":{"name":"f","arguments":"{}"}}]}"#, ".tool_calls", "invalid_value"),
        message(
            #"{"role":"assistant","content":"x","reasoning_content":1}"#, ".reasoning_content",
            "invalid_type"),
    ]

    static let sampling = [
        with(#""temperature":-0.1"#, "temperature", "invalid_value"),
        with(#""temperature":2.01"#, "temperature", "invalid_value"),
        with(#""temperature":1e300"#, "temperature", "invalid_value"),
        with(#""temperature":1e999"#, "temperature", "invalid_value"),
        with(#""temperature":"1""#, "temperature", "invalid_type"),
        with(#""temperature":true"#, "temperature", "invalid_type"),
        with(#""top_p":-0.1"#, "top_p", "invalid_value"),
        with(#""top_p":1.1"#, "top_p", "invalid_value"),
        with(#""top_p":[]"#, "top_p", "invalid_type"),
        with(#""top_k":-2"#, "top_k", "invalid_value"),
        with(#""top_k":1.5"#, "top_k", "invalid_type"),
        with(#""top_k":3000000000"#, "top_k", "invalid_value"),
        with(#""min_p":-0.5"#, "min_p", "invalid_value"),
        with(#""min_p":1.5"#, "min_p", "invalid_value"),
        with(#""frequency_penalty":2.5"#, "frequency_penalty", "invalid_value"),
        with(#""frequency_penalty":-2.5"#, "frequency_penalty", "invalid_value"),
        with(#""presence_penalty":3"#, "presence_penalty", "invalid_value"),
        with(#""presence_penalty":"low""#, "presence_penalty", "invalid_type"),
        with(#""repetition_penalty":0"#, "repetition_penalty", "invalid_value"),
        with(#""repetition_penalty":-1"#, "repetition_penalty", "invalid_value"),
        with(#""repetition_penalty":11"#, "repetition_penalty", "invalid_value"),
        with(#""seed":1.5"#, "seed", "invalid_type"),
        with(#""seed":"1""#, "seed", "invalid_type"),
        with(#""seed":9223372036854775808"#, "seed", "invalid_value"),
        with(#""max_tokens":0"#, "max_tokens", "invalid_value"),
        with(#""max_tokens":-1"#, "max_tokens", "invalid_value"),
        with(#""max_tokens":1.5"#, "max_tokens", "invalid_type"),
        with(#""max_tokens":"16""#, "max_tokens", "invalid_type"),
        with(#""max_tokens":1e20"#, "max_tokens", "invalid_value"),
        with(#""max_completion_tokens":0"#, "max_completion_tokens", "invalid_value"),
        with(#""max_completion_tokens":true"#, "max_completion_tokens", "invalid_type"),
        with(#""min_tokens":-1"#, "min_tokens", "invalid_value"),
        with(#""min_tokens":9,"max_tokens":8"#, "min_tokens", "invalid_value"),
        with(#""ignore_eos":1"#, "ignore_eos", "invalid_type"),
        with(#""n":0"#, "n", "invalid_value"),
        with(#""n":129"#, "n", "invalid_value"),
        with(#""n":"2""#, "n", "invalid_type"),
        with(#""n":1.5"#, "n", "invalid_type"),
        with(#""logprobs":1"#, "logprobs", "invalid_type"),
        with(#""logprobs":true,"top_logprobs":21"#, "top_logprobs", "invalid_value"),
        with(#""logprobs":true,"top_logprobs":-1"#, "top_logprobs", "invalid_value"),
        with(#""top_logprobs":5"#, "top_logprobs", "invalid_value"),
        with(#""top_logprobs":0,"logprobs":false"#, "top_logprobs", "invalid_value"),
        with(#""logit_bias":[]"#, "logit_bias", "invalid_type"),
        with(#""logit_bias":{"x":1}"#, "logit_bias.x", "invalid_value"),
        with(#""logit_bias":{"-1":1}"#, "logit_bias.-1", "invalid_value"),
        with(#""logit_bias":{"01":1}"#, "logit_bias.01", "invalid_value"),
        with(#""logit_bias":{"4294967296":1}"#, "logit_bias.4294967296", "invalid_value"),
        with(#""logit_bias":{"5":101}"#, "logit_bias.5", "invalid_value"),
        with(#""logit_bias":{"5":null}"#, "logit_bias.5", "invalid_type"),
        with(#""stop":"""#, "stop", "invalid_value"),
        with(#""stop":["a",""]"#, "stop[1]", "invalid_value"),
        with(#""stop":["a",null]"#, "stop[1]", "invalid_type"),
        with(#""stop":5"#, "stop", "invalid_type"),
        with(#""stop":{}"#, "stop", "invalid_type"),
        with(
            #""stop":["# + Array(repeating: "\"x\"", count: 17).joined(separator: ",") + "]",
            "stop", "invalid_value"),
        with(#""stop":"\#(String(repeating: "s", count: 257))""#, "stop", "invalid_value"),
    ]

    private static func tool(_ function: String) -> String {
        #""tools":[{"type":"function","function":\#(function)}]"#
    }

    static let others = [
        with(#""stream":"true""#, "stream", "invalid_type"),
        with(#""stream":1"#, "stream", "invalid_type"),
        with(#""stream_options":true"#, "stream_options", "invalid_type"),
        with(
            #""stream":true,"stream_options":{"include_usage":"yes"}"#,
            "stream_options.include_usage", "invalid_type"),
        with(
            #""tools":[{"type":"function"}]"#, "tools[0].function", "missing_required_parameter"),
        with(#""tools":{}"#, "tools", "invalid_type"),
        with(#""tools":[{"type":"web_search"}]"#, "tools[0].type", "unsupported_parameter"),
        with(
            #""tools":[{"function":{"name":"f"}}]"#, "tools[0].type",
            "missing_required_parameter"),
        with(tool("{}"), "tools[0].function.name", "missing_required_parameter"),
        with(tool(#"{"name":"a b"}"#), "tools[0].function.name", "invalid_value"),
        with(
            tool(#"{"name":"\#(String(repeating: "f", count: 65))"}"#), "tools[0].function.name",
            "invalid_value"),
        with(
            tool(#"{"name":"f","parameters":[]}"#), "tools[0].function.parameters",
            "invalid_type"),
        with(
            tool(#"{"name":"f"}},{"type":"function","function":{"name":"f"}"#),
            "tools[1].function.name", "invalid_value"),
        with(
            #""tools":["# + Array(repeating: "1", count: 129).joined(separator: ",") + "]",
            "tools[0]", "invalid_type"),
        with(#""functions":[{}]"#, "functions[0].name", "missing_required_parameter"),
        with(#""tool_choice":"sometimes""#, "tool_choice", "invalid_value"),
        with(#""tool_choice":{"type":"web_search"}"#, "tool_choice.type", "unsupported_parameter"),
        with(
            #""tool_choice":{"type":"function"}"#, "tool_choice.function",
            "missing_required_parameter"),
        with(
            #""tool_choice":{"type":"function","function":{}}"#, "tool_choice.function.name",
            "missing_required_parameter"),
        with(#""tool_choice":1"#, "tool_choice", "invalid_type"),
        with(#""function_call":{}"#, "function_call.name", "missing_required_parameter"),
        with(#""function_call":"required""#, "function_call", "invalid_value"),
        with(#""parallel_tool_calls":"no""#, "parallel_tool_calls", "invalid_type"),
        with(
            #""response_format":{"type":"grammar"}"#, "response_format.grammar",
            "missing_required_parameter"),
        with(
            #""response_format":{"type":"grammar","grammar":7}"#, "response_format.grammar",
            "invalid_type"),
        with(
            #""response_format":{"type":"json_schema"}"#, "response_format.json_schema",
            "missing_required_parameter"),
        with(
            #""response_format":{"type":"json_schema","json_schema":{"name":"n"}}"#,
            "response_format.json_schema.schema", "missing_required_parameter"),
        with(
            #""response_format":{"type":"json_schema","json_schema":{"schema":true}}"#,
            "response_format.json_schema.schema", "invalid_type"),
        with(#""response_format":{"type":"xml"}"#, "response_format.type", "invalid_value"),
        with(#""response_format":{}"#, "response_format.type", "missing_required_parameter"),
        with(#""response_format":"text""#, "response_format", "invalid_type"),
        with(#""reasoning_effort":"huge""#, "reasoning_effort", "invalid_value"),
        with(#""reasoning_effort":3"#, "reasoning_effort", "invalid_type"),
        with(#""service_tier":"gold""#, "service_tier", "invalid_value"),
        with(#""service_tier":1"#, "service_tier", "invalid_type"),
        with(#""prompt_cache_key":1"#, "prompt_cache_key", "invalid_type"),
        with(#""user":{}"#, "user", "invalid_type"),
        with(#""user":"\#(String(repeating: "u", count: 513))""#, "user", "invalid_value"),
        with(#""safety_identifier":[]"#, "safety_identifier", "invalid_type"),
        with(#""deferred":true"#, "deferred", "unsupported_parameter"),
        with(#""deferred":"true""#, "deferred", "invalid_type"),
        with(
            #""search_parameters":{"mode":"on"}"#, "search_parameters.mode", "unsupported_parameter"
        ),
        with(#""search_parameters":{"mode":"x"}"#, "search_parameters.mode", "invalid_value"),
        with(#""web_search_options":{}"#, "web_search_options", "unsupported_parameter"),
    ]

    @Test(arguments: documents + messages + sampling + others)
    func refuses(_ refused: Case) throws {
        let error = try #require(throws: APIError.self) {
            _ = try ChatCompletionRequest.decode(ByteBuffer(string: refused.body))
        }
        #expect(error.httpStatus == 400)
        #expect(error.parameter == refused.parameter, "\(error.message)")
        #expect(error.kind.status.code == refused.code, "\(error.message)")
        #expect(error.kind.status.type == "invalid_request_error")
        #expect(!error.message.isEmpty && error.message.utf8.count < 400)
        // What is sent is JSON whatever the body held.
        #expect(throws: Never.self) {
            try JSONValue(parsing: written { error.writeBody(into: &$0) })
        }
    }

    @Test func theTableIsLongEnough() {
        let all = Self.documents + Self.messages + Self.sampling + Self.others
        #expect(all.count >= 100)
    }

    @Test func deferredExcludesStreamsAndSeveralChoices() {
        var limits = ChatRequestLimits()
        limits.allowsDeferred = true
        for extra in [#""stream":true"#, #""n":2"#] {
            let body = Self.with(#""deferred":true,"# + extra, nil, "").body
            let error = #expect(throws: APIError.self) {
                _ = try ChatCompletionRequest.decode(ByteBuffer(string: body), limits: limits)
            }
            #expect(error?.parameter == "deferred")
        }
    }

    @Test func limitsCounts() {
        var limits = ChatRequestLimits()
        limits.messages = 2
        limits.contentParts = 2
        limits.toolCalls = 1
        limits.logitBiases = 2
        let text = #"{"role":"user","content":"x"}"#
        let part = #"{"type":"text","text":"x"}"#
        let call = #"{"id":"1","function":{"name":"f","arguments":"{}"}}"#
        let cases = [
            (#"{"messages":[\#(text),\#(text),\#(text)]}"#, "messages"),
            (
                #"{"messages":[{"role":"user","content":[\#(part),\#(part),\#(part)]}]}"#,
                "messages[0].content"
            ),
            (
                #"{"messages":[{"role":"assistant","tool_calls":[\#(call),\#(call)]}]}"#,
                "messages[0].tool_calls"
            ),
            (#"{"logit_bias":{"1":1,"2":1,"3":1}}"#, "logit_bias"),
        ]
        for (body, parameter) in cases {
            let error = #expect(throws: APIError.self) {
                _ = try ChatCompletionRequest.decode(ByteBuffer(string: body), limits: limits)
            }
            #expect(error?.parameter == parameter)
            #expect(error?.kind == .invalidValue)
        }
    }
}
