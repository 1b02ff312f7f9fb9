import InferenceTypes
import NIOCore
import Testing

@testable import InferenceAPI

@Suite struct ResponsesRequestTests {
    private func chat(_ fields: String) throws -> ChatRequest {
        try ResponsesFace().decoded(#"{"model":"m",\#(fields)}"#).chat
    }

    @Test func readsText() throws {
        let request = try chat(#""input":"hi","instructions":"be brief""#)
        #expect(request.messages.map(\.role) == [.system, .user])
        #expect(request.messages.map(\.content) == ["be brief", "hi"])
        #expect(request.isStored)
        #expect(!request.isBackground && !request.isStreaming && request.choiceCount == 1)
        #expect(request.sampling.maxTokens == nil)
        #expect(request.sampling.topLogprobs == nil)
    }

    @Test func readsFields() throws {
        let request = try chat(
            #"""
            "input":"hi","stream":true,"max_output_tokens":9,"temperature":0,"top_p":0.5,
            "store":false,"previous_response_id":"resp_7","service_tier":"priority",
            "prompt_cache_key":"k","safety_identifier":"s","reasoning":{"effort":"high"},
            "top_logprobs":3,"parallel_tool_calls":false,"seed":4,"n":3,"ignore_eos":true,
            "truncation":"auto","context_management":[],"max_turns":2,"unknown":{"a":[1]},
            "search_parameters":{"mode":"off"},"stream_options":{"include_obfuscation":false},
            "text":{"format":{"type":"json_schema","name":"n","schema":{"type":"object"}}}
            """#)
        #expect(request.isStreaming)
        #expect(request.sampling.maxTokens == 9)
        #expect(request.sampling.temperature == 0)
        #expect(request.sampling.topP == 0.5)
        #expect(request.sampling.topLogprobs == 3)
        #expect(request.sampling.ignoreEndOfSequence)
        #expect(!request.isStored)
        #expect(request.previousResponseID == "resp_7")
        #expect(request.serviceTier == .priority)
        #expect(request.promptCacheKey == "k")
        #expect(request.user == "s")
        #expect(request.reasoningEffort == .high)
        #expect(!request.allowsParallelToolCalls)
        #expect(request.seed == 4)
        // A response has one answer.
        #expect(request.choiceCount == 1)
        #expect(
            request.responseFormat
                == .jsonSchema(name: "n", schema: #"{"type":"object"}"#, isStrict: false))
    }

    @Test func putsTurnsTogether() throws {
        let request = try chat(
            #"""
            "input":[
            {"role":"developer","content":[{"type":"input_text","text":"a"},
             {"type":"input_text","text":"b"}]},
            {"type":"message","role":"user","content":"u"},
            {"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"t"}]},
            {"type":"message","role":"assistant","id":"msg_1","status":"completed",
             "content":[{"type":"output_text","text":"x","annotations":[]}]},
            {"type":"function_call","id":"fc_1","call_id":"c1","name":"f","arguments":"{\"a\":1}"},
            {"type":"function_call","call_id":"c2","name":"g","arguments":"{}"},
            {"type":"function_call_output","call_id":"c1","output":"one"},
            {"type":"function_call_output","call_id":"c2",
             "output":[{"type":"input_text","text":"two"}]},
            {"type":"reasoning","id":"rs_2","summary":[],
             "content":[{"type":"reasoning_text","text":"again"}]},
            {"type":"function_call","call_id":"c3","name":"f","arguments":"{}"}]
            """#)
        #expect(
            request.messages.map(\.role) == [
                .developer, .user, .assistant, .tool, .tool, .assistant,
            ])
        #expect(request.messages.map(\.content) == ["ab", "u", "x", "one", "two", nil])
        let answer = request.messages[2]
        #expect(answer.reasoningContent == "t")
        #expect(answer.toolCalls.map(\.id) == ["c1", "c2"])
        #expect(answer.toolCalls.map(\.arguments) == [#"{"a":1}"#, "{}"])
        #expect(request.messages[3].toolCallID == "c1")
        #expect(request.messages.map(\.name)[3...4] == ["f", "g"])
        #expect(request.messages[5].reasoningContent == "again")
        #expect(request.messages[5].toolCalls.map(\.id) == ["c3"])
    }

    @Test func readsTools() throws {
        let tools = #"""
            "input":"x","tools":[{"type":"function","name":"f","parameters":{"type":"object"}},
            {"type":"function","name":"g"}]
            """#
        let plain = try chat(tools)
        #expect(plain.tools.map(\.name) == ["f", "g"])
        #expect(plain.tools[0].parameters == #"{"type":"object"}"#)
        #expect(plain.toolChoice == .auto)
        let one = try chat(tools + #","tool_choice":{"type":"function","name":"g"}"#)
        #expect(one.toolChoice == .function("g"))
        #expect(try chat(tools + #","tool_choice":"required""#).toolChoice == .required)
        #expect(try chat(tools + #","tool_choice":"none""#).toolChoice == ToolChoice.none)
        let allowed = try chat(
            tools
                + #"""
                ,"tool_choice":{"type":"allowed_tools","mode":"required",
                "tools":[{"type":"function","name":"g"}]}
                """#)
        #expect(allowed.toolChoice == .required)
        #expect(allowed.tools.map(\.name) == ["g"])
    }

    @Test func servesBackgroundWhereItIsServed() throws {
        var limits = ChatRequestLimits()
        limits.allowsBackground = true
        let body = #"{"model":"m","input":"x","background":true}"#
        #expect(try ResponsesFace().decoded(body, limits: limits).chat.isBackground)
        // A stream can be come back to without anything being kept.
        #expect(try chat(#""input":"x","background":true,"stream":true"#).isBackground)
    }

    private static func with(_ fields: String, _ parameter: String, _ code: String) -> RefusedBody {
        RefusedBody(#"{"model":"m","input":"hi",\#(fields)}"#, parameter, code)
    }

    private static func item(_ item: String, _ parameter: String, _ code: String) -> RefusedBody {
        RefusedBody(
            #"{"model":"m","input":[{"role":"user","content":"hi"},\#(item)]}"#,
            parameter.isEmpty ? "input[1]" : "input[1]." + parameter, code)
    }

    static let refused: [RefusedBody] = [
        RefusedBody("", nil, "invalid_json"),
        RefusedBody("[]", nil, "invalid_type"),
        RefusedBody("{}", "model", "missing_required_parameter"),
        RefusedBody(#"{"model":"m"}"#, "input", "missing_required_parameter"),
        RefusedBody(#"{"model":"m","input":null}"#, "input", "missing_required_parameter"),
        RefusedBody(#"{"model":"m","input":1}"#, "input", "invalid_type"),
        RefusedBody(#"{"model":"m","input":[]}"#, "input", "invalid_value"),
        RefusedBody(#"{"model":"m","input":["x"]}"#, "input[0]", "invalid_type"),
        RefusedBody(
            #"{"model":"m","input":[{"type":"reasoning","summary":[]}]}"#, "input",
            "invalid_value"),
        with(#""background":true"#, "background", "unsupported_parameter"),
        with(#""conversation":"conv_1""#, "conversation", "unsupported_parameter"),
        with(#""prompt":{"id":"p"}"#, "prompt", "unsupported_parameter"),
        with(
            #""search_parameters":{"mode":"on"}"#, "search_parameters.mode", "unsupported_parameter"
        ),
        with(#""max_output_tokens":0"#, "max_output_tokens", "invalid_value"),
        with(#""max_output_tokens":"9""#, "max_output_tokens", "invalid_type"),
        with(#""temperature":2.5"#, "temperature", "invalid_value"),
        with(#""top_logprobs":21"#, "top_logprobs", "invalid_value"),
        with(#""metadata":[]"#, "metadata", "invalid_type"),
        with(#""store":"yes""#, "store", "invalid_type"),
        with(#""include":"x""#, "include", "invalid_type"),
        with(#""reasoning":{"effort":"huge"}"#, "reasoning.effort", "invalid_value"),
        with(#""reasoning":{"summary":"long"}"#, "reasoning.summary", "invalid_value"),
        with(#""text":{"format":{"type":"xml"}}"#, "text.format.type", "invalid_value"),
        with(#""text":{"format":{}}"#, "text.format.type", "missing_required_parameter"),
        with(
            #""text":{"format":{"type":"json_schema","name":"n"}}"#, "text.format.schema",
            "missing_required_parameter"),
        with(
            #""text":{"format":{"type":"json_schema","name":"n","schema":"{}"}}"#,
            "text.format.schema", "invalid_type"),
        with(#""tools":[{"type":"web_search"}]"#, "tools[0].type", "unsupported_parameter"),
        with(#""tools":[{"type":"function"}]"#, "tools[0].name", "missing_required_parameter"),
        with(#""tools":[{"name":"f"}]"#, "tools[0].type", "missing_required_parameter"),
        with(
            #""tools":[{"type":"function","name":"f","parameters":[]}]"#, "tools[0].parameters",
            "invalid_type"),
        with(#""tool_choice":"required""#, "tool_choice", "invalid_value"),
        with(#""tool_choice":"any""#, "tool_choice", "invalid_value"),
        with(#""tool_choice":{"type":"function","name":"f"}"#, "tool_choice", "invalid_value"),
        with(#""tool_choice":{"type":"web_search"}"#, "tool_choice.type", "unsupported_parameter"),
        item(#"{"content":"x"}"#, "type", "missing_required_parameter"),
        item(#"{"role":"user"}"#, "content", "missing_required_parameter"),
        item(#"{"role":"tool","content":"x"}"#, "role", "invalid_value"),
        item(#"{"type":"item_reference","id":"x"}"#, "type", "unsupported_parameter"),
        item(#"{"type":"web_search_call","id":"x"}"#, "type", "unsupported_parameter"),
        item(#"{"type":"function_call","name":"f"}"#, "call_id", "missing_required_parameter"),
        item(
            #"{"type":"function_call_output","call_id":"c"}"#, "output",
            "missing_required_parameter"),
        item(
            #"{"role":"user","content":[{"type":"input_image","image_url":"x"}]}"#,
            "content[0].type", "unsupported_parameter"),
        item(
            #"{"role":"user","content":[{"type":"input_text"}]}"#, "content[0].text",
            "missing_required_parameter"),
    ]

    @Test(arguments: refused)
    func refuses(_ body: RefusedBody) throws {
        try body.check(ResponsesFace())
    }
}
