import Testing

@testable import InferenceAPI

@Suite struct ListingTests {
    static let models = LanguageModelList([
        LanguageModelDescription(
            model: ModelDescription(
                id: "grok-test", aliases: ["grok", "latest"], created: 1_700_000_000,
                ownedBy: "switchyard"), fingerprint: "fp_1", contextTokens: 2_048)
    ])

    static let key = APIKeyDescription(
        redactedKey: "xai-...ghij", apiKeyID: "k-1", userID: "u-1", teamID: "t-1", name: "alice",
        loaded: 1_700_000_000)

    @Test func equalTheGoldenFiles() throws {
        #expect(
            try written { Self.models.write(into: &$0) } == Fixture.text("language-models.json"))
        #expect(try written { Self.key.write(into: &$0) } == Fixture.text("api-key.json"))
        #expect(try written { Self.key.writeCaller(into: &$0) } == Fixture.text("me.json"))
    }

    @Test func findsByNameAndAlias() throws {
        #expect(try Self.models.find("latest").model.id == "grok-test")
        let error = #expect(throws: APIError.self) { try Self.models.find("other") }
        #expect(error?.kind == .modelNotFound)
    }

    /// Ends of months, leap years, and days of no leap year at a century's end.
    @Test(arguments: [
        (0, "1970-01-01T00:00:00Z"), (951_782_399, "2000-02-28T23:59:59Z"),
        (951_782_400, "2000-02-29T00:00:00Z"), (951_868_800, "2000-03-01T00:00:00Z"),
        (1_704_067_199, "2023-12-31T23:59:59Z"), (1_709_164_800, "2024-02-29T00:00:00Z"),
        (4_107_542_399, "2100-02-28T23:59:59Z"), (4_107_542_400, "2100-03-01T00:00:00Z"),
    ])
    func timestampsAreRFC3339(_ seconds: Int, _ text: String) {
        #expect(Timestamp.text(seconds) == text)
    }
}
