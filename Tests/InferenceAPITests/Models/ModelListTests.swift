import Testing

@testable import InferenceAPI

@Suite struct ModelListTests {
    static let list = ModelList([
        ModelDescription(
            id: "grok-test", aliases: ["grok", "org/other"], created: 1_700_000_000,
            ownedBy: "switchyard"),
        ModelDescription(
            id: "org/other", aliases: ["grok"], created: 1_700_000_001, ownedBy: "me \"x\""),
    ])

    @Test func equalsTheGoldenFiles() throws {
        #expect(try written { Self.list.write(into: &$0) } == Fixture.text("models.json"))
        #expect(
            try written { Self.list.models[0].write(into: &$0) } == Fixture.text("model.json"))
        #expect(written { ModelList([]).write(into: &$0) } == #"{"object":"list","data":[]}"#)
    }

    @Test func namesWinOverAliases() throws {
        #expect(try Self.list.find("grok").id == "grok-test")
        #expect(try Self.list.find("org/other").id == "org/other")
    }

    @Test func trap26_unknownModelsAreNotFound() {
        let error = #expect(throws: APIError.self) { try Self.list.find("gpt") }
        #expect(error?.kind == .modelNotFound)
        #expect(error?.parameter == "model")
        #expect(error?.message.contains("`gpt`") == true)
    }
}
