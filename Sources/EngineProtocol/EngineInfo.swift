package import InferenceTypes

/// `HealthCheckResponse`.
package struct EngineHealth: Sendable, Hashable {
    package var isHealthy: Bool
    /// For people.
    package var message: String

    package init(isHealthy: Bool, message: String) {
        self.isHealthy = isHealthy
        self.message = message
    }
}

/// `GetModelInfoResponse`: what a gateway must know of the model before it sends requests.
package struct EngineModelInfo: Sendable, Hashable {
    /// Where the engine found the model.
    package var modelPath = ""
    /// What clients call it.
    package var servedModelName = ""
    package var tokenizerPath = ""
    /// The architecture's family, such as `llama`.
    package var modelType = ""
    package var architectures: [String] = []
    package var isGeneration = true
    package var supportsVision = false
    /// Tokens of prompt and output together.
    package var contextTokens = 0
    package var vocabularySize = 0
    package var endOfSequenceTokens: [TokenID] = []
    /// Nil on the wire is 0, so 0 may mean none.
    package var padToken: TokenID = 0
    package var beginningOfSequenceToken: TokenID = 0
    /// Longest prompt accepted, in tokens.
    package var maxInputTokens = 0
    /// The model's own sampling defaults as a JSON object; empty for none.
    package var defaultSamplingJSON = ""

    package init() {}
}

/// `GetServerInfoResponse`, without the fields of multimodal and disaggregated serving.
package struct EngineServerInfo: Sendable, Hashable {
    /// `switchyard` for ours, `vllm` or `sglang` for others, often empty.
    package var serverType = ""
    package var activeRequests = 0
    /// Takes no new requests.
    package var isPaused = false
    package var uptimeSeconds = 0.0
    /// Sequences that decode at the same time (`max_num_seqs`); 0 when the engine does not say.
    package var slots = 0
    /// Tokens per KV block; 0 when the engine does not say.
    package var blockTokens = 0
    package var dataParallelSize = 1
    package var kvCacheType = ""
    package var modelType = ""
    package var attentionBackend = ""

    package init() {}

    /// What `serverType` is for a `switchyard worker`.
    package static let switchyard = "switchyard-worker"

    /// Whether the worker knows our metadata.
    package var isSwitchyard: Bool { serverType == Self.switchyard }

    /// Sequences of all data-parallel ranks, each of which has `slots`, at most 1,000,000;
    /// `default` for each rank of an engine that does not say.
    package func totalSlots(default count: Int) -> Int {
        let own = slots > 0 ? slots : count
        // Both come as 32 bits.
        return min(1_000_000, own * max(1, dataParallelSize))
    }
}

/// `SchedulerLoad`: one data-parallel rank's load.
package struct EngineLoad: Sendable, Hashable {
    package var rank = 0
    package var runningRequests = 0
    package var waitingRequests = 0
    /// KV entries in use and in all, in tokens.
    package var usedTokens = 0
    package var maxTokens = 0
    /// Output tokens per second over the engine's own window.
    package var generationTokensPerSecond = 0.0
    /// 0...1.
    package var cacheHitRate = 0.0
    /// Busy share of wall time, 0...1.
    package var utilization = 0.0
    package var maxRunningRequests = 0
    /// Prompt tokens of waiting requests that must be computed.
    package var waitingUncachedTokens = 0
    /// Share of the KV cache in use, 0...1.
    package var tokenUsage = 0.0

    package init() {}
}

/// `GetLoadsResponse`.
package struct EngineLoads: Sendable, Hashable {
    /// ISO 8601, of the engine's clock; may be empty.
    package var timestamp = ""
    package var version = ""
    /// At least one entry from a live engine.
    package var ranks: [EngineLoad] = []

    package init() {}
}
