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

    private static func fixedChunks(
        _ size: Int, tail: Int
    ) -> (inout SchedulerConfiguration) -> Void {
        {
            $0.prefillChunkTokens = size
            $0.prefillTailTokensMin = tail
        }
    }

    @Test func namesTheSettingThatCannotWork() {
        #expect(refused { _ in } == nil)
        #expect(refused { $0.slots = 9 } == "slots")
        #expect(refused { $0.slots = 0 } == "slots")
        #expect(refused { $0.prefillChunkTokens = 2 } == "prefillChunkTokens")
        #expect(refused(Self.fixedChunks(26, tail: 1)) == "prefillChunkTokens")
        #expect(refused(Self.fixedChunks(25, tail: 1)) == nil)
        #expect(refused(Self.fixedChunks(17, tail: 10)) == "prefillChunkTokens")
        #expect(refused(Self.fixedChunks(16, tail: 10)) == nil)
        #expect(refused { $0.prefillTailTokensMin = 0 } == "prefillTailTokensMin")
        #expect(refused { $0.idlePairsMax = 0 } == "idlePairsMax")
        #expect(refused { $0.targetFraction = 0 } == "targetFraction")
        #expect(refused { $0.forgettingFactor = 2 } == "forgettingFactor")
        #expect(refused { $0.longPrefillsMax = 0 } == "longPrefillsMax")
    }
}
