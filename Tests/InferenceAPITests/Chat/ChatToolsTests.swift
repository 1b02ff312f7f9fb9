import NIOCore
import Testing

@testable import InferenceAPI

@Suite struct ChatToolsTests {
    private func decode(_ fields: String) throws -> ChatRequest {
        let body = #"{"model":"m","messages":[{"role":"user","content":"x"}],\#(fields)}"#
        return try ChatCompletionRequest.decode(ByteBuffer(string: body))
    }

    private let two = """
        "tools":[{"type":"function","function":{"name":"a","description":"A.","strict":true,\
        "parameters":{"type":"object", "properties":{}}}},\
        {"type":"function","function":{"name":"b-2_C"}}]
        """

    @Test func readsTools() throws {
        let request = try decode(two)
        try #require(request.tools.count == 2)
        #expect(request.tools[0].name == "a")
        #expect(request.tools[0].description == "A.")
        #expect(request.tools[0].parameters == #"{"type":"object", "properties":{}}"#)
        #expect(request.tools[0].isStrict)
        #expect(request.tools[1] == ToolDefinition(name: "b-2_C"))
        #expect(request.toolChoice == .auto)
        #expect(request.allowsParallelToolCalls)
        #expect(request.names.toolSchema(1) == "tools[1].function.parameters")
    }

    @Test(arguments: [
        (#""none""#, ToolChoice.none, 0), (#""auto""#, .auto, 2), (#""required""#, .required, 2),
        (#"{"type":"function","function":{"name":"a"}}"#, .function("a"), 1),
        (#"{"type":"function","name":"a"}"#, .function("a"), 1),
    ])
    func readsTheChoice(_ text: String, _ choice: ToolChoice, _ callable: Int) throws {
        let request = try decode("\(two),\"tool_choice\":\(text)")
        #expect(request.toolChoice == choice)
        #expect(request.callableTools.count == callable)
        try request.checkTools()
    }

    @Test func readsTheOlderNames() throws {
        let functions = #""functions":[{"name":"f","parameters":{}}]"#
        var request = try decode(functions + #","function_call":{"name":"f"}"#)
        #expect(request.tools == [ToolDefinition(name: "f", parameters: "{}")])
        #expect(request.toolChoice == .function("f"))
        #expect(request.names.toolSchema(0) == "functions[0].parameters")
        // The newer names win, in either order.
        request = try decode(
            functions + "," + two + #","tool_choice":"none","function_call":"auto""#)
        #expect(request.tools.count == 2)
        #expect(request.toolChoice == .none)
        #expect(request.names == ParameterNames())
    }

    @Test func anEmptyListSaysNothing() throws {
        let request = try decode(#""tools":[],"functions":[],"parallel_tool_calls":false"#)
        #expect(request.tools.isEmpty)
        #expect(!request.allowsParallelToolCalls)
        try request.checkTools()
    }

    @Test(arguments: [
        #""tool_choice":"required""#, #""tool_choice":{"type":"function","function":{"name":"z"}}"#,
    ])
    func aChoiceWithoutItsToolIsRefused(_ fields: String) throws {
        let request = try decode(fields)
        let error = #expect(throws: APIError.self) { try request.checkTools() }
        #expect(error?.kind == .invalidValue)
        #expect(error?.parameter == "tool_choice")
    }

    @Test func toolsOfOtherFacesAreCheckedToo() throws {
        var request = ChatRequest(model: "m", messages: [])
        request.tools = [ToolDefinition(name: "a"), ToolDefinition(name: "a")]
        #expect(throws: APIError.self) { try request.checkTools() }
        request.tools = [ToolDefinition(name: "a b")]
        #expect(throws: APIError.self) { try request.checkTools() }
    }

    @Test func readsASchemaAsItWasSent() throws {
        let request = try decode(
            #""response_format":{"json_schema":{"strict":true,"schema":{"type": "object"},"#
                + #""name":"n","description":"d"},"type":"json_schema"}"#)
        #expect(
            request.responseFormat
                == .jsonSchema(name: "n", schema: #"{"type": "object"}"#, isStrict: true))
    }
}
