import InferenceTypes
import Testing

@testable import Scheduling

@Suite struct SchedulerConfigurationTests {
    let engine = EngineProperties(
        contextTokens: 64, cacheCells: 256, maxSequences: 8, batchTokens: 32, vocabularySize: 100)

    @Test func refusesMoreSlotsThanSequences() {
        var configuration = SchedulerConfiguration()
        configuration.slots = 9
        #expect(throws: SchedulerConfigurationError.self) {
            try configuration.validate(for: engine)
        }
    }
}
