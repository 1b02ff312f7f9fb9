import ArgumentParser
import Configuration
import Foundation
import HTTPTransport
import LlamaEngine
import Scheduling
import Worker

/// Makes a worker's configuration of its flags and environment.
enum WorkerSettingsReader {
    static func values(_ flags: [String: [String]]) throws -> SettingValues {
        do {
            let (values, warnings) = try WorkerSettingsSource.values(
                flags: flags, environment: ProcessInfo.processInfo.environment)
            for warning in warnings { Output.error("switchyard: warning: \(warning)") }
            return values
        } catch {
            throw ConfiguredGateway.refusal(error)
        }
    }

    static func configuration(_ values: SettingValues) throws -> WorkerConfiguration {
        var configuration = WorkerConfiguration(
            engine: try engine(values), listen: try address(.listen, values))
        configuration.allowsPlaintext = values.isOn(.allowPlaintext)
        configuration.tls = try tls(values)
        configuration.tokenPath = values.text(.workerTokens)
        configuration.modelName = values.text(.workerModelName)
        configuration.slots = values.integer(.slots)
        configuration.waitingRequestsMax = values.requiredInteger(.queue)
        configuration.itlTargetMilliseconds = values.number(.itlTarget)
        configuration.tiers = try tiers(values)
        configuration.prefillChunkTokens = values.integer(.prefillChunk)
        configuration.reusesPrefixes = !values.isOn(.noPrefixReuse)
        configuration.idlePairsMax = values.integer(.idlePairs)
        configuration.drainSeconds = values.requiredNumber(.workerDrainSeconds)
        configuration.stallSeconds = values.requiredNumber(.stallSeconds)
        configuration.reportMilliseconds = values.requiredInteger(.reportMilliseconds)
        configuration.ioThreads = values.requiredInteger(.ioThreads)
        if values.text(.metricsListen) != nil {
            configuration.metricsListen = try address(.metricsListen, values)
        }
        if let path = values.text(.journal) {
            var journal = WorkerConfiguration.Journal(path: path)
            journal.fileBytes = values.requiredInteger(.journalMegabytes) << 20
            journal.files = values.requiredInteger(.journalFiles)
            configuration.journal = journal
        }
        return configuration
    }

    private static func tiers(_ values: SettingValues) throws -> TierPolicy {
        var policy = TierPolicy()
        policy.isOn = !values.isOn(.noTiers)
        let weights = try numbers(.tierWeights, 0.001...1_000, values)
        let shares = try numbers(.tierMinimumShares, 0...0.5, values)
        for (place, terms) in Self.tiers.enumerated() {
            policy[keyPath: terms].weight = weights[place]
            policy[keyPath: terms].minimumShare = shares[place]
        }
        policy.batch.slowdownMax = values.requiredNumber(.batchSlowdown)
        return policy
    }

    private static var tiers: [WritableKeyPath<TierPolicy, TierTerms>] {
        [\.priority, \.standard, \.batch]
    }

    /// One number for each tier.
    private static func numbers(
        _ setting: Setting, _ allowed: ClosedRange<Double>, _ values: SettingValues
    ) throws -> [Double] {
        let text = values.requiredText(setting)
        let parts = text.split(separator: ",", omittingEmptySubsequences: false)
        let numbers = parts.compactMap { Double($0) }.filter { allowed.contains($0) }
        guard numbers.count == tiers.count, numbers.count == parts.count else {
            throw ValidationError(
                "--\(setting.name) \(text): expected three numbers from \(allowed.lowerBound) to "
                    + "\(allowed.upperBound): priority,default,batch")
        }
        return numbers
    }

    private static func tls(_ values: SettingValues) throws -> WorkerConfiguration.TLS? {
        let certificate = values.text(.workerTLSCertificate)
        let key = values.text(.workerTLSKey)
        let authority = values.text(.tlsClientAuthority)
        guard let certificate, let key else {
            guard certificate == nil, key == nil else {
                throw ValidationError("--tls-certificate and --tls-key go together")
            }
            guard authority == nil else {
                throw ValidationError("--tls-client-authority needs --tls-certificate")
            }
            return nil
        }
        return WorkerConfiguration.TLS(
            files: TLSFiles(certificateChainPath: certificate, privateKeyPath: key),
            clientAuthorityPath: authority)
    }

    private static func address(
        _ setting: Setting, _ values: SettingValues
    ) throws -> WorkerListenAddress {
        let text = values.requiredText(setting)
        guard let address = WorkerListenAddress(text) else {
            throw ValidationError("--\(setting.name) \(text): expected unix:/path or host:port")
        }
        return address
    }

    private static func engine(
        _ values: SettingValues
    ) throws -> WorkerConfiguration.EngineChoice {
        guard values.requiredText(.engine) == "llama" else {
            return .simulated(try simulated(values))
        }
        guard let model = values.text(.workerModel) else {
            throw ValidationError("--model is missing")
        }
        var settings = WorkerConfiguration.LlamaSettings(modelPath: model)
        settings.threads = values.integer(.threads)
        settings.contextTokens = values.integer(.context)
        settings.cacheLayout = values.text(.kvLayout).flatMap { CacheLayout(rawValue: $0) }
        settings.gpuLayers = values.integer(.gpuLayers)
        settings.device = values.text(.device)
        settings.embeddingTokens = values.requiredInteger(.embeddingContext)
        settings.memoryMarginBytes = values.integer(.memoryMargin).map { $0 << 20 }
        return .llama(settings)
    }

    /// 'FIRST-LAST'.
    private static func range(_ text: String, _ setting: Setting) throws -> ClosedRange<Int> {
        let ends = text.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
        guard ends.count == 2, let first = ends[0], let last = ends[1], first <= last else {
            throw ValidationError("--\(setting.name) \(text): expected FIRST-LAST")
        }
        return first...last
    }

    private static func simulated(
        _ values: SettingValues
    ) throws -> WorkerConfiguration.SimulatedSettings {
        var settings = WorkerConfiguration.SimulatedSettings()
        settings.contextTokens = values.integer(.context)
        settings.vocabularySize = values.requiredInteger(.vocabulary)
        settings.sequenceTokensMax = values.requiredInteger(.sequenceTokens)
        settings.seed = UInt64(values.requiredInteger(.simulationSeed))
        settings.diesAtToken = values.integer(.dieAtToken)
        settings.hangsAtToken = values.integer(.hangAtToken)
        if let tokens = values.integer(.outputTokens) { settings.outputLength = .fixed(tokens) }
        if let text = values.text(.outputIDs) { settings.outputIDs = try range(text, .outputIDs) }
        let stepTime = values.requiredText(.stepTime)
        switch stepTime {
        case "at-will": settings.stepTime = .atWill
        case "llama-cpu": settings.stepTime = .affine(.llamaCPU)
        case "h100-8b": settings.stepTime = .gpu(.llama8BOnH100)
        case "h100-70b": settings.stepTime = .gpu(.llama70BOnH100)
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
