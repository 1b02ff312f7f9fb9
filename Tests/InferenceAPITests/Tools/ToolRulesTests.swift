import Testing

@testable import InferenceAPI

@Suite struct ToolRulesTests {
    private func request(
        _ choice: ToolChoice, _ tools: [ToolDefinition], isParallel: Bool = true
    ) -> ChatRequest {
        var request = ChatRequest(model: "m", messages: [])
        request.tools = tools
        request.toolChoice = choice
        request.allowsParallelToolCalls = isParallel
        return request
    }

    private let weather = ToolDefinition(
        name: "get_weather", description: "The \"weather\".",
        parameters: #"{"type":"object","properties":{"city":{"type":"string"}},"#
            + #""required":["city"],"additionalProperties":false}"#)
    private let odd = ToolDefinition(
        name: "odd",
        parameters: #"{"type":"object","properties":{"n":{"type":"number","multipleOf":3}}}"#)

    private func calls(_ rules: ToolRules, _ text: String) -> [ChatToolCall]? {
        rules.calls(in: Array(text.utf8))
    }

    @Test func understandsCalls() throws {
        let rules = try ToolRules(request(.auto, [weather]))
        let call = #"{"name": "get_weather", "arguments": {"city" : "Pa\u0072is", "city": "Rom"}}"#
        let found = try #require(calls(rules, "\n\(call)\n"))
        try #require(found.count == 1)
        #expect(found[0].name == "get_weather")
        #expect(found[0].arguments == #"{"city":"Rom"}"#)
        #expect(found[0].id.hasPrefix("call_"))
        #expect(calls(rules, "[\(call),\(call)]")?.count == 2)
        #expect(calls(rules, #"{"name":"get_weather","parameters":{}}"#)?.count == 1)
    }

    @Test(arguments: [
        "", "nothing", "{}", "[]", #"{"name":"other","arguments":{}}"#,
        #"{"name":"get_weather"}"#, #"{"name":"get_weather","arguments":"city"}"#,
        #"{"name":"get_weather","arguments":{"city":}"#, #"{"name":7,"arguments":{}}"#,
    ])
    func whatIsNoCallIsNone(_ text: String) throws {
        #expect(calls(try ToolRules(request(.auto, [weather])), text) == nil)
    }

    @Test func strictArgumentsMustMatch() throws {
        var strict = weather
        strict.isStrict = true
        let rules = try ToolRules(request(.auto, [strict]))
        #expect(calls(rules, #"{"name":"get_weather","arguments":{"city":"Rom"}}"#)?.count == 1)
        #expect(calls(rules, #"{"name":"get_weather","arguments":{"city":7}}"#) == nil)
        #expect(calls(rules, #"{"name":"get_weather","arguments":{}}"#) == nil)
        #expect(calls(rules, #"{"name":"get_weather","arguments":{"city":"a","x":1}}"#) == nil)
    }

    @Test func onlySchemasThatMustBeEnforcedMustBeEnforceable() throws {
        _ = try ToolRules(request(.auto, [odd]))
        _ = try ToolRules(request(.function("get_weather"), [odd, weather]))
        var strict = odd
        strict.isStrict = true
        for refused in [
            request(.required, [weather, odd]), request(.function("odd"), [weather, odd]),
            request(.auto, [weather, strict]),
        ] {
            let error = #expect(throws: APIError.self) { try ToolRules(refused) }
            #expect(
                error?.parameter == "tools[1].function.parameters.properties.n.multipleOf")
        }
        let text = ToolDefinition(name: "t", parameters: #"{"type":"string"}"#)
        let error = #expect(throws: APIError.self) { try ToolRules(request(.required, [text])) }
        #expect(error?.parameter == "tools[0].function.parameters")
    }

    @Test func countsCalls() throws {
        #expect(try ToolRules(request(.function("odd"), [weather, weather])).callsMax == 1)
        #expect(try ToolRules(request(.required, [weather], isParallel: false)).callsMax == 1)
        #expect(try ToolRules(request(.required, [weather])).callsMax == 4)
        #expect(try ToolRules(request(.auto, [weather])).callsMax == 128)
        let grammar = try ToolRules(request(.required, [weather])).grammar()
        #expect(grammar.contains(#"root ::= call ("\n" call){0,3}"#))
        #expect(grammar.contains(#""{\"name\": \"get_weather\", \"arguments\": ""#))
    }

    @Test func tellsTheModelOfTheTools() throws {
        let text = try ToolRules(request(.auto, [weather])).instructions
        #expect(text.contains(#"{"name":"get_weather","description":"The \"weather\".","#))
        #expect(text.contains(#""parameters":{"type":"object","properties":{"city""#))
        #expect(text.contains("<tool_call>"))
    }

    @Test func outlinesWhatAParserNeeds() throws {
        let tool = ToolDefinition(
            name: "f",
            parameters:
                #"{"type":"object","properties":{"a":{"enum":["x",1]},"b":{"$ref":"http:"},"#
                + #""c":{"type":"integer","pattern":"("}},"required":["a"],"not":{}}"#)
        #expect(
            try ToolRules(request(.auto, [tool])).outlines[0].parameters
                == #"{"type":"object","properties":{"a":{},"b":{},"c":{"type":["integer"]}},"#
                + #""required":["a"]}"#)
        let plain = ToolDefinition(
            name: "f", parameters: #"{"type":"object","properties":{"a":{"enum":["x",1]}}}"#)
        #expect(
            try ToolRules(request(.auto, [plain])).outlines[0].parameters
                == #"{"type":"object","properties":{"a":{"type":["string","integer"]}}}"#)
        #expect(
            try ToolRules(request(.auto, [ToolDefinition(name: "f")])).outlines[0].parameters
                == #"{"type":"object","properties":{}}"#)
    }
}

/// What `strict` arguments are compared with, and what grammars let through is the same.
@Suite struct SchemaValueTests {
    @Test(arguments: [
        (#"{"type":"string","pattern":"^(ab?){2,3}\\d$"}"#, #""aba1""#, #""a1""#),
        (#"{"type":"string","pattern":"^.*x$"}"#, #""é😀x""#, #""xy""#),
        (#"{"type":"string","minLength":2,"maxLength":3}"#, #""é😀""#, #""abcd""#),
        (#"{"type":"integer","minimum":-3,"maximum":3}"#, "2.0", "2.5"),
        (#"{"type":"number","exclusiveMinimum":0}"#, "0.1", "0"),
        (#"{"enum":[1,{"a":[2]}]}"#, #"{"a":[2.0]}"#, #"{"a":[3]}"#),
        (#"{"type":"array","items":{"type":"null"},"minItems":1}"#, "[null]", "[]"),
        (#"{"type":"array","prefixItems":[{"type":"null"},{}]}"#, "[null,1]", "[1,1]"),
        (
            ##"{"type":"object","properties":{"a":{"$ref":"#"}},"additionalProperties":false}"##,
            #"{"a":{"a":{}}}"#, #"{"a":{"b":{}}}"#
        ),
        (#"{"type":"object","additionalProperties":{"type":"null"}}"#, #"{"x":null}"#, #"{"x":1}"#),
        (#"{"anyOf":[{"type":"null"},{"type":"boolean"}]}"#, "true", "1"),
        (#"{"type":"string","format":"date"}"#, #""2024-02-29""#, #""2023-02-29""#),
    ])
    func admitsWhatMatches(_ schema: String, _ matching: String, _ other: String) throws {
        let schema = try JSONSchema(parsing: schema)
        #expect(schema.admits(try JSONTree(parsing: matching)))
        #expect(!schema.admits(try JSONTree(parsing: other)))
    }
}
