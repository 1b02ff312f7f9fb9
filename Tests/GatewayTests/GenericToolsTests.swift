import Testing
import Tokenization

@testable import Gateway

@Suite struct GenericToolsTests {
    private func message(_ role: TemplateMessage.Role, _ content: String) -> TemplateMessage {
        TemplateMessage(role: role, content: content)
    }

    @Test func instructionsGoIntoTheSystemMessage() {
        let made = GenericTools.messages([message(.user, "x")], instructions: "Call.")
        #expect(made.map(\.role) == [.system, .user])
        #expect(made[0].content == "Call.")
        let added = GenericTools.messages(
            [message(.system, "Be brief."), message(.user, "x")], instructions: "Call.")
        #expect(added.map(\.content) == ["Be brief.\n\nCall.", "x"])
    }

    @Test func callsAndResultsBecomeText() {
        var call = message(.assistant, "Well.")
        call.toolCalls = [
            TemplateCall(id: "1", name: "f", arguments: #"{"a":1}"#),
            TemplateCall(id: "2", name: "g", arguments: ""),
        ]
        let messages = GenericTools.messages(
            [message(.user, "x"), call, message(.tool, "one"), message(.tool, "two")],
            instructions: nil)
        #expect(messages.map(\.role) == [.user, .assistant, .user])
        #expect(
            messages[1].content == """
                Well.
                <tool_call>
                {"name": "f", "arguments": {"a":1}}
                </tool_call>
                <tool_call>
                {"name": "g", "arguments": {}}
                </tool_call>
                """)
        #expect(
            messages[2].content == """
                <tool_response>
                one
                </tool_response>
                <tool_response>
                two
                </tool_response>
                """)
    }

    @Test func conversationsWithoutToolsStayAsTheyAre() {
        let messages = [message(.system, "s"), message(.user, "x"), message(.tool, "y")]
        #expect(GenericTools.messages(messages, instructions: nil) == messages)
    }
}
