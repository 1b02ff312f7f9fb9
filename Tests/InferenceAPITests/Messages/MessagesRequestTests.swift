import InferenceTypes
import NIOCore
import Testing

@testable import InferenceAPI

@Suite struct MessagesRequestTests {
    private func chat(_ fields: String) throws -> ChatRequest {
        try MessagesFace().decoded(
            #"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}],\#(fields)}"#
        ).chat
    }

    private func turns(_ messages: String) throws -> [ChatMessage] {
        try MessagesFace().decoded(#"{"model":"m","max_tokens":9,"messages":[\#(messages)]}"#)
            .chat.messages
    }

    @Test func readsFields() throws {
        let request = try chat(
            #"""
            "stream":true,"temperature":0.5,"top_p":0.25,"top_k":7,
            "stop_sequences":["A","B"],"metadata":{"user_id":"u"},"service_tier":"standard_only",
            "thinking":{"type":"enabled","budget_tokens":1024},"cache_control":{"type":"ephemeral"},
            "system":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}},
            {"type":"text","text":"b"}],"n":4,"stop":["C"],"container":null,"mcp_servers":[],
            "output_config":{"effort":"max","format":{"type":"json_schema","schema":{"a":1}}}
            """#)
        #expect(request.isStreaming)
        #expect(request.sampling.maxTokens == 9)
        #expect(request.sampling.temperature == 0.5)
        #expect(request.sampling.topP == 0.25)
        #expect(request.sampling.topK == 7)
        #expect(request.stopStrings == ["A", "B"])
        #expect(request.user == "u")
        #expect(request.serviceTier == .standard)
        #expect(request.messages.map(\.role) == [.system, .user])
        #expect(request.messages.map(\.content) == ["ab", "hi"])
        #expect(request.choiceCount == 1)
        #expect(request.reasoningEffort == .xhigh)
        #expect(
            request.responseFormat
                == .jsonSchema(name: nil, schema: #"{"a":1}"#, isStrict: true))
        #expect(!request.isStored)
    }

    @Test func thinkingCanBeSwitchedOff() throws {
        #expect(
            try chat(#""thinking":{"type":"disabled"}"#).reasoningEffort == ReasoningEffort.none)
        #expect(try chat(#""thinking":{"type":"adaptive"}"#).reasoningEffort == nil)
    }

    @Test func readsTools() throws {
        let tools = #"""
            "tools":[{"name":"f","description":"d","input_schema":{"type":"object"},
            "cache_control":{"type":"ephemeral"}},{"type":"custom","name":"g","input_schema":{}}]
            """#
        let request = try chat(tools)
        #expect(request.tools.map(\.name) == ["f", "g"])
        #expect(request.tools[0].description == "d")
        #expect(request.tools[0].parameters == #"{"type":"object"}"#)
        #expect(request.toolChoice == .auto && request.allowsParallelToolCalls)
        let choices: [(String, ToolChoice)] = [
            (#"{"type":"auto"}"#, .auto), (#"{"type":"any"}"#, .required),
            (#"{"type":"none"}"#, .none), (#"{"type":"tool","name":"g"}"#, .function("g")),
        ]
        for (json, choice) in choices {
            #expect(try chat(tools + #","tool_choice":\#(json)"#).toolChoice == choice)
        }
        let one = try chat(
            tools + #","tool_choice":{"type":"any","disable_parallel_tool_use":true}"#)
        #expect(!one.allowsParallelToolCalls)
    }

    @Test func putsTurnsTogether() throws {
        let messages = try turns(
            #"""
            {"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},
            {"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"s"},
             {"type":"redacted_thinking","data":"x"},{"type":"text","text":"c"},
             {"type":"tool_use","id":"t1","name":"f","input":{"a": 1}},
             {"type":"tool_use","id":"t2","name":"g","input":{}}]},
            {"role":"user","content":[
             {"type":"tool_result","tool_use_id":"t1","content":"one"},
             {"type":"tool_result","tool_use_id":"t2","is_error":true,
              "content":[{"type":"text","text":"tw"},{"type":"text","text":"o"}]},
             {"type":"text","text":"d"}]},
            {"role":"user","content":"e"}
            """#)
        #expect(messages.map(\.role) == [.user, .assistant, .tool, .tool, .user])
        #expect(messages.map(\.content) == ["ab", "c", "one", "two", "d\n\ne"])
        #expect(messages[1].reasoningContent == "t")
        #expect(messages[1].toolCalls.map(\.arguments) == [#"{"a": 1}"#, "{}"])
        #expect(messages[2].toolCallID == "t1" && messages[2].name == "f")
        #expect(messages[3].toolCallID == "t2" && messages[3].name == "g")
    }

    /// A call alone has no text, and a result may be empty.
    @Test func callsNeedNoText() throws {
        let messages = try turns(
            #"""
            {"role":"user","content":"a"},
            {"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"f","input":{}}]},
            {"role":"user","content":[{"type":"tool_result","tool_use_id":"t1"}]}
            """#)
        #expect(messages.map(\.content) == ["a", nil, ""])
    }

    @Test func countsNeedNoLimit() throws {
        let body = #"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#
        #expect(try MessagesFace(isCounting: true).decoded(body).chat.messages.count == 1)
        #expect(throws: APIError.self) { try MessagesFace().decoded(body) }
    }

    private static func with(_ fields: String, _ parameter: String, _ code: String) -> RefusedBody {
        RefusedBody(
            #"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}],\#(fields)}"#,
            parameter, code)
    }

    private static func turn(_ turn: String, _ parameter: String, _ code: String) -> RefusedBody {
        RefusedBody(
            #"{"model":"m","max_tokens":9,"messages":[\#(turn)]}"#, "messages" + parameter, code)
    }

    static let refused: [RefusedBody] = [
        RefusedBody("", nil, "invalid_json"),
        RefusedBody("{}", "model", "missing_required_parameter"),
        RefusedBody(#"{"model":"m","max_tokens":1}"#, "messages", "missing_required_parameter"),
        RefusedBody(
            #"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#, "max_tokens",
            "missing_required_parameter"),
        RefusedBody(
            #"{"model":"m","max_tokens":0,"messages":[{"role":"user","content":"hi"}]}"#,
            "max_tokens", "invalid_value"),
        turn("", "", "invalid_value"),
        turn(#"{"role":"user"}"#, "[0].content", "missing_required_parameter"),
        turn(#"{"content":"x"}"#, "[0].role", "missing_required_parameter"),
        turn(#"{"role":"tool","content":"x"}"#, "[0].role", "invalid_value"),
        turn(#"{"role":"user","content":[]}"#, "[0].content", "invalid_value"),
        turn(
            #"{"role":"user","content":[{"text":"x"}]}"#, "[0].content[0].type",
            "missing_required_parameter"),
        turn(
            #"{"role":"user","content":[{"type":"text"}]}"#, "[0].content[0].text",
            "missing_required_parameter"),
        turn(
            #"{"role":"user","content":[{"type":"image","source":{}}]}"#, "[0].content[0].type",
            "unsupported_parameter"),
        turn(
            #"{"role":"user","content":[{"type":"document"}]}"#, "[0].content[0].type",
            "unsupported_parameter"),
        turn(
            #"{"role":"user","content":[{"type":"tool_use","id":"t"}]}"#,
            "[0].content[0].type", "invalid_value"),
        turn(
            #"{"role":"user","content":[{"type":"tool_result"}]}"#,
            "[0].content[0].tool_use_id", "missing_required_parameter"),
        turn(
            #"{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","#
                + #""content":[{"type":"image"}]}]}"#,
            "[0].content[0].content[0].type", "unsupported_parameter"),
        turn(
            #"{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"f","#
                + #""input":"{}"}]}"#,
            "[0].content[0].input", "invalid_type"),
        turn(
            #"{"role":"user","content":"a"},{"role":"assistant","content":"b"}"#, "",
            "unsupported_parameter"),
        with(#""system":1"#, "system", "invalid_type"),
        with(#""system":[{"type":"image"}]"#, "system[0].type", "unsupported_parameter"),
        with(#""temperature":-1"#, "temperature", "invalid_value"),
        with(#""stop_sequences":"x""#, "stop_sequences", "invalid_type"),
        with(#""stop_sequences":[""]"#, "stop_sequences[0]", "invalid_value"),
        with(#""service_tier":"gold""#, "service_tier", "invalid_value"),
        with(#""thinking":{"type":"x"}"#, "thinking.type", "invalid_value"),
        with(#""mcp_servers":[{"url":"x"}]"#, "mcp_servers", "unsupported_parameter"),
        with(
            #""output_config":{"format":{"type":"json_schema"}}"#, "output_config.format.schema",
            "missing_required_parameter"),
        with(
            #""tools":[{"type":"bash_20250124","name":"bash"}]"#, "tools[0].type",
            "unsupported_parameter"),
        with(#""tools":[{"name":"f"}]"#, "tools[0].input_schema", "missing_required_parameter"),
        with(#""tools":[{"input_schema":{}}]"#, "tools[0].name", "missing_required_parameter"),
        with(#""tool_choice":"auto""#, "tool_choice", "invalid_type"),
        with(#""tool_choice":{"type":"any"}"#, "tool_choice", "invalid_value"),
        with(#""tool_choice":{"type":"tool","name":"f"}"#, "tool_choice", "invalid_value"),
        with(#""tool_choice":{"type":"tool"}"#, "tool_choice.name", "missing_required_parameter"),
    ]

    @Test(arguments: refused)
    func refuses(_ body: RefusedBody) throws {
        try body.check(MessagesFace())
    }
}
