import InferenceTypes
import LlamaEngine
import Scheduling
import Tokenization

extension EngineThread.Setup where E == LlamaCppEngine {
    /// Loads a model. To be called on the engine thread; takes a second or more.
    static func llama(
        _ settings: WorkerConfiguration.LlamaSettings, _ configuration: WorkerConfiguration
    ) throws(WorkerError) -> EngineThread.Setup<LlamaCppEngine> {
        let path = settings.modelPath
        let device: ComputeDevice
        let header: ModelHeader
        do throws(LlamaEngineError) {
            // No layer on a GPU is what a CPU does.
            device = try ComputeDevice.choose(
                settings.device ?? (settings.gpuLayers == 0 ? "cpu" : nil))
            header = try ModelHeader(path: path)
        } catch {
            throw WorkerError(error, path: path)
        }
        let usesGPU = device.kind != .cpu && settings.gpuLayers != 0
        let slots = configuration.slots ?? WorkerDefaults.slots(onGPU: usesGPU)
        var engineSettings = LlamaEngineConfiguration(modelPath: settings.modelPath)
        engineSettings.slots = slots
        let layout = settings.cacheLayout ?? WorkerDefaults.cacheLayout(onGPU: usesGPU)
        engineSettings.cacheLayout = layout
        engineSettings.maxSequences = WorkerDefaults.sequences(slots: slots, layout: layout)
        engineSettings.cacheCells =
            settings.contextTokens
            ?? slots
            * min(
                WorkerDefaults.contextTokensPerSlot(layout), header.trainingContextTokens ?? .max)
        engineSettings.batchTokens = WorkerDefaults.batchTokens(
            slots: slots, onGPU: usesGPU)
        engineSettings.microBatchTokens = min(512, engineSettings.batchTokens)
        engineSettings.threads = settings.threads ?? WorkerDefaults.threads
        engineSettings.device = device
        engineSettings.embeddingTokens = settings.embeddingTokens
        if let margin = settings.memoryMarginBytes { engineSettings.memoryMarginBytes = margin }
        if let layers = settings.gpuLayers { engineSettings.gpuLayers = Int32(clamping: layers) }
        let engine: LlamaCppEngine
        do throws(LlamaEngineError) {
            engine = try LlamaCppEngine(engineSettings)
        } catch {
            throw WorkerError(error, path: settings.modelPath)
        }
        let placed =
            usesGPU ? "\(device.name), \(device.summary)" : "cpu, \(engine.threads) threads"
        let pieces: PieceTable
        do throws(TokenizationError) {
            pieces = try Vocabulary(path: settings.modelPath).pieces
        } catch {
            throw .model(path: settings.modelPath, reason: "\(error)")
        }
        return EngineThread.Setup<LlamaCppEngine>(
            engine: engine,
            scheduling: WorkerDefaults.scheduling(
                configuration, slots: slots, onGPU: usesGPU,
                idlePairsMax: layout == .shared
                    ? WorkerDefaults.idlePairs(onGPU: usesGPU) : nil),
            model: ModelDescription(
                name: configuration.modelName ?? ModelName.ofFile(settings.modelPath),
                path: settings.modelPath,
                // The library's summary begins with the architecture: "llama 135M Q4_0".
                architecture: String(engine.model.summary.prefix { $0 != " " }),
                device: placed),
            pieces: pieces)
    }
}

extension WorkerError {
    init(_ error: LlamaEngineError, path: String) {
        switch error {
        case .invalidSetting(let name, let value, let allowed):
            self = .setting(name: name, value: value, allowed: allowed)
        case .modelUnsupported, .modelUnsuitable, .deviceUnknown, .memoryShort, .contextTooLong,
            .contextRejected:
            self = .unsuited(reason: error.description)
        default:
            self = .model(path: path, reason: error.description)
        }
    }
}
