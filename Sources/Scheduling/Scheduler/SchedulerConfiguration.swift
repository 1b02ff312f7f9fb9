/// Settings of a scheduler. Constant for its life.
package struct SchedulerConfiguration: Hashable, Sendable {
    /// Requests that run at once; also the number of sampling slots. 1...maxSequences of the
    /// engine; the rest of the engine's sequences keep idle prefixes.
    package var slots = 16
    /// Most requests that wait while no slot is free; more are refused with `queueFull`. Those of
    /// worse tiers are not counted, so that they cannot shut better ones out. Preempted requests
    /// count, but wait even beyond it.
    package var waitingRequestsMax = 1024

    /// Wished time between two tokens of a stream while prompts are prefilled. The effective target
    /// is `decodeStepMultiple` times a decode-only step at full slots where that is longer.
    package var itlTargetNanoseconds: Int64 = 50_000_000
    /// See `itlTargetNanoseconds`.
    package var decodeStepMultiple = 1.5
    /// Part of the target that a step is planned to take at most.
    package var targetFraction = 0.9
    /// Time that prefill may take in a step even beyond the target, as a multiple of what the
    /// step's decodes take, so that prompts advance: no step is longer than 1 plus this times one
    /// without prefill. By time, since a token late in a long prompt costs several early ones.
    package var prefillShareMin = 1.5
    /// Prefill tokens per step that are granted whatever they take.
    package var prefillTokensMin = 4
    /// Nil: chunks are cut by predicted time. Otherwise every chunk has exactly this many tokens,
    /// or what remains of the prompt after the rule of `prefillTailTokensMin`, so that another
    /// driver can repeat the boundaries.
    package var prefillChunkTokens: Int?
    /// A prompt's last chunk is not shorter where that can be had by cutting the one before it
    /// shorter, or with chunks of a fixed size by joining the two. Kernels for few rows differ from
    /// those for many (llama.cpp on CPUs: `GGML_FA_TILE_Q`, 64), so a short rest would make a
    /// prompt's logits depend on how it was cut. 1: no such rule.
    package var prefillTailTokensMin = 64
    /// A prompt with more tokens than this left is long.
    package var longPrefillTokens = 512
    /// Long prompts that advance in one step.
    package var longPrefillsMax = 2

    /// Cells reserved for output at admission, where maxTokens is not less.
    package var outputReserveTokens = 128
    /// How tiers and tenants share slots, KV and steps.
    package var tiers = TierPolicy()
    /// How fast a waiting prefill overtakes shorter ones: one millisecond since submission counts
    /// like this many tokens fewer.
    package var ageingTokensPerMillisecond = 2

    /// Whether resident prefixes are reused. Off by itself where the engine cannot.
    package var prefixReuse = true
    /// Most idle cells times decoding sequences; nil for no limit. Where attention looks at every
    /// cell of a unified cache for every query, also at those of others (llama.cpp), idle prefixes
    /// lengthen each step by so many looks. The prefixes used longest ago are dropped.
    package var idlePairsMax: Int?
    /// Shorter matches are computed anew.
    package var prefixTokensMin = 8
    /// A request waits for another that is prefilling the same prefix when that saves at least this
    /// many tokens.
    package var sharedPrefillTokensMin = 32

    /// What is assumed of step times before any was measured.
    package var stepProfile = AffineStepProfile.llamaCPU
    /// Weight that each measured step leaves to all earlier ones; 0.9...1.
    package var forgettingFactor = 0.98

    package init() {}

    /// Throws the first setting that cannot work with an engine.
    package func validate(
        for engine: EngineProperties
    ) throws(SchedulerConfigurationError) {
        try Self.check("slots", slots, 1...min(engine.maxSequences, engine.batchTokens))
        try Self.check("waitingRequestsMax", waitingRequestsMax, 0...Int(Int32.max))
        try Self.check("itlTargetNanoseconds", Int(itlTargetNanoseconds), 1...Int(Int64.max))
        try Self.check("prefillTokensMin", prefillTokensMin, 1...Int(Int32.max))
        try Self.check("longPrefillsMax", longPrefillsMax, 1...Int(Int32.max))
        try Self.check("longPrefillTokens", longPrefillTokens, 1...Int(Int32.max))
        try Self.check("prefillTailTokensMin", prefillTailTokensMin, 1...Int(Int32.max))
        try Self.check("idlePairsMax", idlePairsMax ?? 1, 1...Int(Int32.max))
        try Self.check("outputReserveTokens", outputReserveTokens, 1...Int(Int32.max))
        try Self.check("prefixTokensMin", prefixTokensMin, 1...Int(Int32.max))
        try Self.check("sharedPrefillTokensMin", sharedPrefillTokensMin, 1...Int(Int32.max))
        try tiers.validate()
        try Self.check("ageingTokensPerMillisecond", ageingTokensPerMillisecond, 0...1_000_000)
        if let prefillChunkTokens {
            let most = engine.batchTokens - slots - prefillTailTokensMin + 2
            try Self.check("prefillChunkTokens", prefillChunkTokens, 1...max(1, most))
        }
        try Self.check("contextTokens", engine.requestTokensMax, 2...Int(Int32.max))
        guard targetFraction > 0, targetFraction <= 1 else {
            throw .init(setting: "targetFraction", value: "\(targetFraction)", allowed: "0...1")
        }
        guard prefillShareMin >= 0, prefillShareMin <= 1_000 else {
            throw .init(
                setting: "prefillShareMin", value: "\(prefillShareMin)", allowed: "0...1000")
        }
        guard decodeStepMultiple >= 1 else {
            throw .init(
                setting: "decodeStepMultiple", value: "\(decodeStepMultiple)", allowed: "1...")
        }
        guard forgettingFactor >= 0.9, forgettingFactor <= 1 else {
            throw .init(
                setting: "forgettingFactor", value: "\(forgettingFactor)", allowed: "0.9...1")
        }
    }

    private static func check(
        _ setting: String, _ value: Int, _ allowed: ClosedRange<Int>
    ) throws(SchedulerConfigurationError) {
        guard allowed.contains(value) else {
            throw .init(setting: setting, value: "\(value)", allowed: "\(allowed)")
        }
    }
}

/// A setting that cannot work, with the value seen and the values allowed.
package struct SchedulerConfigurationError: Error, Hashable, Sendable {
    package var setting: String
    package var value: String
    package var allowed: String

    package init(setting: String, value: String, allowed: String) {
        self.setting = setting
        self.value = value
        self.allowed = allowed
    }
}
