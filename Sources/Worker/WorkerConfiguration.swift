package import HTTPTransport
package import LlamaEngine
package import Scheduling

/// A worker's settings. Constant for its life; checked by `validate()` before anything starts.
package struct WorkerConfiguration: Hashable, Sendable {
    /// What computes tokens.
    package enum EngineChoice: Hashable, Sendable {
        /// llama.cpp on a GGUF file.
        case llama(LlamaSettings)
        /// Deterministic tokens in modelled time.
        case simulated(SimulatedSettings)
    }

    package var engine: EngineChoice
    package var listen: WorkerListenAddress
    /// Permits a TCP address that others can reach, without encryption.
    package var allowsPlaintext = false
    /// How the TCP listener is encrypted; nil: not at all.
    package var tls: TLS?
    /// A file with the bearer tokens of which each call must carry one; nil: calls need none.
    package var tokenPath: String?
    /// The name in `GetModelInfo`; nil: its file's name without `.gguf`.
    package var modelName: String?

    /// Requests that run at once; nil: `defaultSlots`.
    package var slots: Int?
    /// Requests that may wait for a slot; more are refused with RESOURCE_EXHAUSTED. Gateways keep
    /// their own queue, where fairness and cancelling work, and leave only few here.
    package var waitingRequestsMax = 256
    /// Wished time between two tokens of a stream while prompts are prefilled, in milliseconds;
    /// nil: `WorkerDefaults.itlTargetMilliseconds`.
    package var itlTargetMilliseconds: Double?
    /// How tiers and tenants share slots, KV and steps.
    package var tiers = TierPolicy()
    /// Nil: prefill chunks are cut by predicted time. Otherwise exactly this many tokens, the last
    /// ones excepted (`SchedulerConfiguration.prefillTailTokensMin`), so that another driver can
    /// repeat the boundaries.
    package var prefillChunkTokens: Int?
    /// Whether the KV of earlier prompts serves later ones.
    package var reusesPrefixes = true

    /// Idle KV tokens times running streams that idle prefixes may take; nil: as the device
    /// demands, 0: no limit. See `SchedulerConfiguration.idlePairsMax`.
    package var idlePairsMax: Int?

    /// Choices of one `Generate` call.
    package var choicesMax = 128
    /// Threads that serve connections. One is enough for thousands of streams.
    package var ioThreads = 1
    /// Batches of step output on their way to one loop before the engine waits: more than one, so
    /// that the loop works while the engine does; few, because every batch is memory and delay.
    package var outputBatchesMax = 4
    /// Unsent bytes of a call above which its sequences are paused: about 200 tokens.
    package var outputHighWatermarkBytes = 4 << 10
    /// How long running requests may go on after a drain began, in seconds.
    package var drainSeconds = 30.0
    /// An engine whose step takes longer than this, and than 20 times what was expected of the
    /// step, counts as unhealthy, in seconds.
    package var stallSeconds = 5.0
    /// How often subscribers hear of what has changed at most, in milliseconds.
    package var reportMilliseconds = 100
    /// Tokens per block in reports of what the cache holds: the gateways' own block length.
    package var reportBlockTokens = 64
    /// Subscriptions to reports at once; a further one gets RESOURCE_EXHAUSTED.
    package var subscribersMax = 64
    /// Where to answer `GET /metrics`; nil: nowhere.
    package var metricsListen: WorkerListenAddress?
    /// Where what is generated is written down for billing; nil: nowhere.
    package var journal: Journal?

    package init(engine: EngineChoice, listen: WorkerListenAddress) {
        self.engine = engine
        self.listen = listen
    }

    /// Only HTTP/2, chosen by ALPN.
    package struct TLS: Hashable, Sendable {
        package var files: TLSFiles
        /// PEM certificates that a gateway's must chain to; nil: gateways need none.
        package var clientAuthorityPath: String?

        package init(files: TLSFiles, clientAuthorityPath: String? = nil) {
            self.files = files
            self.clientAuthorityPath = clientAuthorityPath
        }
    }

    /// See `WorkerJournal`.
    package struct Journal: Hashable, Sendable {
        /// Of its files, before their numbers.
        package var path: String
        /// A longer file is followed by another one.
        package var fileBytes = 64 << 20
        /// The oldest beyond as many is removed.
        package var files = 16

        package init(path: String) { self.path = path }
    }

    /// llama.cpp's settings.
    package struct LlamaSettings: Hashable, Sendable {
        package var modelPath: String
        /// CPU threads of the engine; nil: `defaultThreads`.
        package var threads: Int?
        /// KV tokens shared by all sequences; nil: `defaultContextTokens`.
        package var contextTokens: Int?
        /// Nil: `separate` on a CPU, `shared` on a GPU.
        package var cacheLayout: CacheLayout?
        /// `cpu`, `cuda:0`: where all slots run; nil: the first GPU, or else the CPU.
        package var device: String?
        /// Memory to be left free beyond weights and cache; nil: the engine's own default.
        package var memoryMarginBytes: Int?
        /// Longest input of an embedding; 0: the worker makes none.
        package var embeddingTokens = 2_048
        /// Layers on the GPU where there is one; nil: all of them.
        package var gpuLayers: Int?

        package init(modelPath: String) { self.modelPath = modelPath }
    }

    /// The simulated engine's settings.
    package struct SimulatedSettings: Hashable, Sendable {
        /// How long a step takes.
        package enum StepTime: Hashable, Sendable {
            /// No time at all: only the readers set the pace.
            case atWill
            /// A constant, in microseconds.
            case fixed(microseconds: Double)
            /// A linear function of the step's shape.
            case affine(AffineStepProfile)
            /// A dense transformer on H100 devices.
            case gpu(GPUStepModel)
        }

        /// When answers end by themselves.
        package enum OutputLength: Hashable, Sendable {
            /// Never: `max_tokens` or the context ends them.
            case untilMaxTokens
            /// After this many tokens.
            case fixed(Int)
            /// After this many on average.
            case geometric(mean: Int)
        }

        package var stepTime = StepTime.affine(.llamaCPU)
        /// KV tokens shared by all sequences; nil: 2,048 for each slot.
        package var contextTokens: Int?
        /// Tokens of one sequence at most; nil: 8,192 or the whole cache.
        package var sequenceTokensMax: Int?
        package var vocabularySize = 49_152
        /// Ids of the tokens that answers are made of; nil: all but the last, which ends answers.
        package var outputIDs: ClosedRange<Int>?
        /// Which tokens a prompt is answered with is a function of this and the prompt.
        package var seed: UInt64 = 0
        package var outputLength = OutputLength.untilMaxTokens
        /// The process ends as if killed before it generates the token of this number, counted
        /// over all requests from 0: to rehearse what happens when a worker dies.
        package var diesAtToken: Int?
        /// The engine hangs before that token: its thread does nothing any more, all others do.
        package var hangsAtToken: Int?
        /// Check every plan against a literal model of the KV cache. For tests: it costs more than
        /// the scheduler.
        package var verifiesPlans = false

        package init() {}
    }

    /// Throws the first setting that cannot work. What depends on the model is checked later, by
    /// `SchedulerConfiguration`.
    package func validate() throws(WorkerError) {
        if case .unix = listen, tls != nil {
            throw .setting(
                name: "--tls-certificate", value: "given", allowed: "with a TCP address only")
        }
        if !listen.isLocal, !allowsPlaintext, tls == nil {
            throw .plaintextOffLoopback(address: listen.description)
        }
        let limit = LlamaEngineConfiguration.sequencesLimit
        if let slots, !(1...limit).contains(slots) {
            throw .setting(
                name: "--slots", value: "\(slots)",
                allowed: "1 to \(limit), the sequences that llama.cpp has (LLAMA_MAX_SEQ)")
        }
        try Self.check("--queue", waitingRequestsMax, 0...1_000_000)
        if let itlTargetMilliseconds {
            try Self.check("--itl-target-ms", itlTargetMilliseconds, 0.001...60_000)
        }
        if let prefillChunkTokens {
            try Self.check("--prefill-chunk", prefillChunkTokens, 1...1_000_000)
        }
        try Self.check("--io-threads", ioThreads, 1...64)
        try Self.check("--drain-seconds", drainSeconds, 0...86_400)
        try Self.check("--report-ms", reportMilliseconds, 10...60_000)
        try Self.check("reportBlockTokens", reportBlockTokens, 1...65_536)
        try Self.check("subscribersMax", subscribersMax, 0...4_096)
        try Self.check("stallSeconds", stallSeconds, 0.1...86_400)
        try Self.check("choicesMax", choicesMax, 1...1_024)
        try Self.check("outputBatchesMax", outputBatchesMax, 1...1_024)
        try Self.check("outputHighWatermarkBytes", outputHighWatermarkBytes, 256...(1 << 24))
        switch engine {
        case .llama(let llama):
            if let threads = llama.threads { try Self.check("--threads", threads, 1...512) }
            if let context = llama.contextTokens {
                try Self.check("--context", context, 64...(1 << 26))
            }
        case .simulated(let simulated):
            try Self.check("--vocabulary", simulated.vocabularySize, 16...1_000_000)
            if let ids = simulated.outputIDs {
                let allowed = 0...(simulated.vocabularySize - 2)
                try Self.check("--output-ids", ids.lowerBound, allowed)
                try Self.check("--output-ids", ids.upperBound, allowed)
            }
            if let context = simulated.contextTokens {
                try Self.check("--context", context, 64...(1 << 26))
            }
            switch simulated.outputLength {
            case .untilMaxTokens: break
            case .fixed(let tokens), .geometric(let tokens):
                try Self.check("--output-tokens", tokens, 1...(1 << 26))
            }
        }
    }

    private static func check<Value: Comparable>(
        _ name: String, _ value: Value, _ allowed: ClosedRange<Value>
    ) throws(WorkerError) {
        guard allowed.contains(value) else {
            throw .setting(
                name: name, value: "\(value)",
                allowed: "\(allowed.lowerBound) to \(allowed.upperBound)")
        }
    }
}
