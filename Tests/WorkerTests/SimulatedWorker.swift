import EngineProtocol
import Foundation
import InferenceTypes
import Logging
import Scheduling

@testable import Worker

/// A worker in this process, with the simulated engine, on a unix socket of its own.
struct SimulatedWorker: Sendable {
    let runtime: WorkerRuntime
    let settings: WorkerConfiguration.SimulatedSettings
    private let folder: String

    /// More tokens than a test lives to see: what runs with it ends only by what the test does, so
    /// no test depends on how fast the machine is.
    static let unending = 2_000_000

    /// - Parameter isUnending: the context has room for `unending` tokens.
    static func start(
        slots: Int = 8, stepTime: WorkerConfiguration.SimulatedSettings.StepTime = .atWill,
        isUnending: Bool = false, _ change: (inout WorkerConfiguration) -> Void = { _ in }
    ) async throws -> SimulatedWorker {
        let folder = NSTemporaryDirectory() + "sy-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        var settings = WorkerConfiguration.SimulatedSettings()
        settings.stepTime = stepTime
        settings.vocabularySize = 1_000
        settings.seed = 42
        settings.verifiesPlans = true
        if isUnending { settings.contextTokens = 32 * unending }
        var configuration = WorkerConfiguration(
            engine: .simulated(settings), listen: .unix(path: folder + "/w.sock"))
        configuration.slots = slots
        change(&configuration)
        if case .simulated(let changed) = configuration.engine { settings = changed }
        var logger = Logger(label: "test")
        logger.logLevel = .error
        let runtime = try await WorkerRuntime.start(configuration, logger: logger)
        return SimulatedWorker(runtime: runtime, settings: settings, folder: folder)
    }

    /// Ends the worker. A second call does nothing.
    func stop() async {
        await runtime.shutdown()
        // The folder of a test is of no interest when it cannot be removed.
        try? FileManager.default.removeItem(atPath: folder)
    }

    func client(
        streamWindowBytes: Int? = nil, credentials: EngineCredentials = EngineCredentials()
    ) async throws -> EngineClient {
        try await EngineClient.connect(
            to: runtime.listenAddress, streamWindowBytes: streamWindowBytes,
            credentials: credentials)
    }

    /// A request whose prompt shares nothing with another number's.
    func request(_ number: Int, tokens: Int, prompt: Int = 20) -> GenerationRequest {
        var sampling = SamplingParameters()
        sampling.maxTokens = tokens
        sampling.seed = UInt64(number) << 33 | 5
        return GenerationRequest(
            id: "request-\(number)",
            prompt: (0..<prompt).map { TokenID((number * 131 + $0 * 7) % 999) },
            sampling: sampling)
    }

    /// What the engine answers to a request that nothing disturbs.
    func expected(_ request: GenerationRequest) -> [TokenID] {
        let generation = settings.generation
        let stream = generation.stream(prompt: request.prompt, parameters: request.sampling)
        var tokens: [TokenID] = []
        while tokens.count < request.sampling.maxTokens ?? 4_096 {
            let sample = generation.sample(
                stream: stream, position: tokens.count, parameters: request.sampling)
            tokens.append(sample.token)
            if sample.isEndOfGeneration || request.sampling.stopTokens.contains(sample.token) {
                break
            }
        }
        return tokens
    }

    /// Returns once nothing runs or waits.
    func becomesIdle() async {
        while true {
            let load = runtime.load
            if load.running == 0, load.waiting == 0 { return }
            await Task.yield()
        }
    }
}
