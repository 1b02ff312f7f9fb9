import ArgumentParser
import Foundation
import HTTPTransport
import LlamaEngine
import Logging
import Scheduling
import Worker

/// `switchyard worker`: one process, one device, one model, N slots.
///
/// Standard output carries exactly one line, JSON, once a token can be generated; logs go to
/// standard error. Exit status: 0 after a drain, 64 wrong usage, 66 no such model, 69 the address
/// is taken, 70 the engine broke, 78 refused settings, or what device,
/// memory or model do not allow (`ExitCodes.swift`).
struct WorkerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "worker",
        abstract: "Run one model on one device and serve token ids to gateways.",
        discussion: """
            Speaks vllm.grpc.engine.VllmEngine over HTTP/2. SIGTERM drains: running requests go \
            on until --drain-seconds, then the process exits 0; a second signal ends it at once. \
            SIGHUP reads certificates, keys and tokens again.
            """)

    enum EngineName: String, ExpressibleByArgument, CaseIterable { case llama, simulated }

    @Option(help: "The model, a GGUF file (engine llama).")
    var model: String?

    @Option(help: "unix:/path (mode 0600) or host:port; port 0 lets the system choose.")
    var listen = "127.0.0.1:0"

    @Flag(help: "Permit a TCP address that others can reach; without encryption.")
    var allowPlaintext = false

    @Option(help: "Certificate chain of a TCP address, PEM. Then gateways must use TLS.")
    var tlsCertificate: String?

    @Option(help: "Its private key, PEM.")
    var tlsKey: String?

    @Option(help: "Only gateways whose certificate chains to one of these are served, PEM.")
    var tlsClientAuthority: String?

    @Option(help: "File with one token a line; each call must carry one of them.")
    var tokenFile: String?

    @Option(help: "The name told to gateways. Default: its file's name without .gguf.")
    var modelName: String?

    @Option(help: "Requests that run at once. Default: 16 on a CPU, 64 on a GPU or simulated.")
    var slots: Int?

    @Option(help: "CPU threads of the engine. Default: all cores up to 2, one fewer above.")
    var threads: Int?

    @Option(
        help: """
            KV tokens of all slots together. Default: for each slot 4096 of its own, or 2048 where \
            slots share them.
            """)
    var context: Int?

    @Option(
        help: """
            shared: a request may take KV tokens that others do not need, up to the model's \
            context. separate: each slot has its share of --context, and a few idle prefixes as \
            much again; faster with many streams. Default: separate on a CPU, shared on a GPU.
            """)
    var kvLayout: CacheLayout?

    @Option(
        help: """
            The device that all slots run on: cpu, cuda:0, or another that --list-devices names. \
            Default: the first GPU, or else the CPU.
            """)
    var device: String?

    @Flag(help: "Say what devices there are, and end.")
    var listDevices = false

    @Flag(help: "With --list-devices: as JSON.")
    var json = false

    @Option(
        help: """
            Free memory that the device must have beyond weights and KV cache, in MiB. \
            Default: 256.
            """)
    var memoryMargin: Int?

    @Option(help: "Layers on the GPU, where there is one. Default: all.")
    var gpuLayers: Int?

    @Option(help: "Requests that may wait for a slot.")
    var queue = 256

    @Option(
        name: .customLong("itl-target-ms"),
        help: "Wished time between tokens of a stream while prompts are prefilled.")
    var itlTargetMilliseconds = 50.0

    @Option(
        help: """
            Prefill chunks of exactly this many tokens, none under 64 that could be longer. \
            Default: cut by predicted time.
            """)
    var prefillChunk: Int?

    @Flag(help: "Compute every prompt anew.")
    var noPrefixReuse = false

    @Option(
        help: """
            Where slots share KV tokens: tokens of idle prefixes times running streams, at most, \
            as each such pair costs time in every step. 0: no limit. Default: 32768 on a CPU, no \
            limit on a GPU.
            """)
    var idlePairs: Int?

    @Option(help: "How long running requests may go on after SIGTERM.")
    var drainSeconds = 30.0

    @Option(
        help: """
            A step that takes longer, and 20 times longer than expected, counts as a hang, in \
            seconds: gateways go elsewhere.
            """)
    var stallSeconds = 5.0

    @Option(help: "Threads that serve connections.")
    var ioThreads = 1

    @Option(help: "Shortest time between two reports to a subscriber, in milliseconds.")
    var reportMs = 100

    @Option(help: "Answer GET /metrics on this address.")
    var metricsListen: String?

    @Flag(help: "End when standard input ends: for workers that must die with their supervisor.")
    var lifeline = false

    @Flag(help: "At the end, write counters as one line of JSON to standard error.")
    var statsAtExit = false

    @Option(help: "llama or simulated.")
    var engine = EngineName.llama

    @OptionGroup(title: "Simulated engine")
    var simulated: SimulatedEngineOptions

    func run() async throws {
        if listDevices { return try DeviceList.write(asJSON: json) }
        let signals = TerminationSignals()
        let hangups = SignalStream([SIGHUP])
        var logger = Logger(label: "switchyard.worker") {
            StreamLogHandler.standardError(label: $0)
        }
        logger.logLevel = .info
        Library.routeLog { [logger] level, text in
            logger.log(level: level >= .error ? .error : .warning, "\(text)")
        }
        let runtime: WorkerRuntime
        do {
            runtime = try await WorkerRuntime.start(try configuration(), logger: logger)
        } catch let error as WorkerError {
            Output.error(error.description)
            throw Self.exitCode(error)
        }
        Output.line(runtime.readyLine)
        if lifeline { Lifeline.watch { _exit(0) } }
        let reloading = Task { [logger] in
            for await _ in hangups.signals {
                do {
                    try runtime.reload()
                } catch {
                    logger.error("nothing was reloaded", metadata: ["reason": "\(error)"])
                }
            }
        }
        defer { reloading.cancel() }
        try await finish(runtime, signals, logger)
    }

    /// Waits for a signal or the engine's end.
    private func finish(
        _ runtime: WorkerRuntime, _ signals: TerminationSignals, _ logger: Logger
    ) async throws {
        let asking = Task {
            var asked = 0
            for await _ in signals.signals {
                asked += 1
                if asked > 1 { _exit(0) }
                Task { await runtime.drain() }
            }
        }
        defer { asking.cancel() }
        do {
            try await runtime.waitForEnd()
        } catch {
            Output.error(error.description)
            writeStatistics(runtime)
            throw Self.exitCode(error)
        }
        writeStatistics(runtime)
    }

    private func writeStatistics(_ runtime: WorkerRuntime) {
        if statsAtExit { Output.error(runtime.statisticsLine) }
    }

    static func exitCode(_ error: WorkerError) -> ExitCode {
        switch error {
        case .setting, .plaintextOffLoopback, .access, .unsuited: .configuration
        case .model: .noInput
        case .listen: .unavailable
        case .engine: .software
        }
    }

    private func configuration() throws -> WorkerConfiguration {
        guard let address = WorkerListenAddress(listen) else {
            throw ValidationError("--listen \(listen): expected unix:/path or host:port")
        }
        var configuration = WorkerConfiguration(engine: try engineChoice(), listen: address)
        configuration.allowsPlaintext = allowPlaintext
        configuration.tls = try tls()
        configuration.tokenPath = tokenFile
        configuration.modelName = modelName
        configuration.slots = slots
        configuration.waitingRequestsMax = queue
        configuration.itlTargetMilliseconds = itlTargetMilliseconds
        configuration.prefillChunkTokens = prefillChunk
        configuration.reusesPrefixes = !noPrefixReuse
        configuration.idlePairsMax = idlePairs
        configuration.drainSeconds = drainSeconds
        configuration.stallSeconds = stallSeconds
        configuration.ioThreads = ioThreads
        configuration.reportMilliseconds = reportMs
        if let metricsListen {
            guard let address = WorkerListenAddress(metricsListen) else {
                throw ValidationError("--metrics-listen \(metricsListen): expected host:port")
            }
            configuration.metricsListen = address
        }
        return configuration
    }

    private func tls() throws -> WorkerConfiguration.TLS? {
        guard let tlsCertificate, let tlsKey else {
            guard tlsCertificate == nil, tlsKey == nil else {
                throw ValidationError("--tls-certificate and --tls-key go together")
            }
            guard tlsClientAuthority == nil else {
                throw ValidationError("--tls-client-authority needs --tls-certificate")
            }
            return nil
        }
        return WorkerConfiguration.TLS(
            files: TLSFiles(certificateChainPath: tlsCertificate, privateKeyPath: tlsKey),
            clientAuthorityPath: tlsClientAuthority)
    }

    private func engineChoice() throws -> WorkerConfiguration.EngineChoice {
        switch engine {
        case .llama:
            guard let model else { throw ValidationError("--model is missing") }
            var settings = WorkerConfiguration.LlamaSettings(modelPath: model)
            settings.threads = threads
            settings.contextTokens = context
            settings.cacheLayout = kvLayout
            settings.gpuLayers = gpuLayers
            settings.device = device
            settings.memoryMarginBytes = memoryMargin.map { max(0, $0) << 20 }
            return .llama(settings)
        case .simulated:
            return .simulated(try simulated.settings(context: context))
        }
    }
}

extension CacheLayout: ExpressibleByArgument {}

/// How the simulated engine behaves.
struct SimulatedEngineOptions: ParsableArguments {
    @Option(
        help: """
            How long a step takes: 'at-will' (no time), 'llama-cpu', a number of microseconds, or \
            five of them: base, per decode, per prefill token, per KV token, per query-key pair.
            """)
    var stepTime = "llama-cpu"

    @Option(help: "Token ids are below this.")
    var vocabulary = 49_152

    @Option(help: "Chooses the answers.")
    var simulationSeed: UInt64 = 0

    @Option(help: "Tokens of every answer. Default: until max_tokens or a full context.")
    var outputTokens: Int?

    @Option(
        help: """
            Die, as if killed, before the token of this number, counted over all requests from 0: \
            to rehearse failover.
            """)
    var dieAtToken: Int?

    @Option(help: "Hang before that token: the engine stops, the process goes on.")
    var hangAtToken: Int?

    func settings(context: Int?) throws -> WorkerConfiguration.SimulatedSettings {
        var settings = WorkerConfiguration.SimulatedSettings()
        settings.contextTokens = context
        settings.vocabularySize = vocabulary
        settings.seed = simulationSeed
        settings.diesAtToken = dieAtToken
        settings.hangsAtToken = hangAtToken
        if let outputTokens { settings.outputLength = .fixed(outputTokens) }
        switch stepTime {
        case "at-will": settings.stepTime = .atWill
        case "llama-cpu": settings.stepTime = .affine(.llamaCPU)
        default:
            let numbers = stepTime.split(separator: ",").compactMap { Double($0) }
            switch numbers.count {
            case 1: settings.stepTime = .fixed(microseconds: numbers[0])
            case 5:
                settings.stepTime = .affine(
                    AffineStepProfile(
                        base: numbers[0] * 1_000, perDecode: numbers[1] * 1_000,
                        perPrefillToken: numbers[2] * 1_000, perCacheToken: numbers[3] * 1_000,
                        perPrefillPair: numbers[4] * 1_000))
            default:
                throw ValidationError("--step-time \(stepTime): expected a name, 1 or 5 numbers")
            }
        }
        return settings
    }
}
