import InferenceTypes
import Testing

@testable import Scheduling

@Suite struct SchedulerConfigurationTests {
    let engine = EngineProperties(
        contextTokens: 64, cacheCells: 256, maxSequences: 8, batchTokens: 32, vocabularySize: 100)

    func refused(_ change: (inout SchedulerConfiguration) -> Void) -> String? {
        var configuration = SchedulerConfiguration()
        configuration.slots = 8
        change(&configuration)
        do throws(SchedulerConfigurationError) {
            try configuration.validate(for: engine)
            return nil
        } catch {
            return error.setting
        }
    }

    @Test func namesTheSettingThatCannotWork() {
        #expect(refused { _ in } == nil)
        #expect(refused { $0.slots = 9 } == "slots")
        #expect(refused { $0.slots = 0 } == "slots")
        #expect(refused { $0.prefillChunkTokens = 26 } == "prefillChunkTokens")
        #expect(refused { $0.prefillChunkTokens = 25 } == nil)
        #expect(refused { $0.targetFraction = 0 } == "targetFraction")
        #expect(refused { $0.forgettingFactor = 2 } == "forgettingFactor")
        #expect(refused { $0.longPrefillsMax = 0 } == "longPrefillsMax")
    }
}
