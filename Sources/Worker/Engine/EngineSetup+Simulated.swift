import InferenceTypes
package import Scheduling

extension EngineThread.Setup where E == PacedEngine {
    /// A simulated engine as configured. To be called on the engine thread.
    static func simulated(
        _ settings: WorkerConfiguration.SimulatedSettings, _ configuration: WorkerConfiguration,
        now: @escaping @Sendable () -> Instant
    ) throws(WorkerError) -> EngineThread.Setup<PacedEngine> {
        let slots = configuration.slots ?? WorkerDefaults.slots(onGPU: true)
        let cells = settings.contextTokens ?? slots * WorkerDefaults.contextTokensPerSlot(.shared)
        let sequences = WorkerDefaults.sequences(slots: slots)
        // The last token of the vocabulary ends a generation, as far as there are ends.
        let end = TokenID(settings.vocabularySize - 1)
        let properties = EngineProperties(
            contextTokens: min(cells, settings.sequenceTokensMax ?? 8_192), cacheCells: cells,
            maxSequences: sequences,
            batchTokens: WorkerDefaults.batchTokens(slots: slots, onGPU: true),
            vocabularySize: settings.vocabularySize, endOfGenerationTokens: [end])
        let engine = SimulatedEngine(
            SimulatedEngine.Configuration(
                properties: properties, generation: settings.generation,
                time: settings.stepTime.model, verifiesPlans: settings.verifiesPlans))
        var scheduling = WorkerDefaults.scheduling(configuration, slots: slots, onGPU: true)
        switch settings.stepTime.model {
        case .affine(let profile): scheduling.stepProfile = profile
        case .gpu(let model): scheduling.stepProfile = model.affineProfile
        case .immediate: break
        }
        return EngineThread.Setup<PacedEngine>(
            engine: PacedEngine(
                engine, now: now, diesAtToken: settings.diesAtToken,
                hangsAtToken: settings.hangsAtToken),
            scheduling: scheduling,
            model: ModelDescription(
                name: configuration.modelName ?? "simulated", path: "simulated",
                architecture: "simulated",
                device: "simulated"))
    }
}

extension WorkerConfiguration.SimulatedSettings {
    /// What the engine answers: for tests that foretell a worker's tokens.
    package var generation: SimulatedGeneration {
        let ids = outputIDs ?? 0...(vocabularySize - 2)
        return SimulatedGeneration(
            seed: seed, tokens: TokenID(ids.lowerBound)..<TokenID(ids.upperBound + 1),
            endOfGenerationToken: TokenID(vocabularySize - 1), outputLength: outputLength.model)
    }
}

extension WorkerConfiguration.SimulatedSettings.OutputLength {
    var model: SimulatedGeneration.OutputLength {
        switch self {
        case .untilMaxTokens: .untilMaxTokens
        case .fixed(let length): .fixed(length)
        case .geometric(let mean): .geometric(mean: mean)
        }
    }
}

extension WorkerConfiguration.SimulatedSettings.StepTime {
    var model: StepTimeModel {
        switch self {
        case .atWill: .immediate
        case .fixed(let microseconds):
            .affine(
                AffineStepProfile(
                    base: microseconds * 1_000, perDecode: 0, perPrefillToken: 0, perCacheToken: 0,
                    perPrefillPair: 0))
        case .affine(let profile): .affine(profile)
        case .gpu(let model): .gpu(model)
        }
    }
}
