import InferenceTypes

/// An engine without a model: deterministic tokens, modelled time. It returns how long a step would
/// take and does not wait; whoever runs it live does the waiting.
///
/// With `verifiesPlans` it keeps a literal model of the cache and refuses any plan that a real
/// engine would compute wrongly: the oracle of the scheduler's tests. Grammars, penalties and
/// biases have no effect.
package struct SimulatedEngine: Engine, Sendable {
    package struct Configuration: Hashable, Sendable {
        package var properties: EngineProperties
        package var generation: SimulatedGeneration
        package var time: StepTimeModel
        /// Check every plan against a model of the cache. Costs memory for every cell.
        package var verifiesPlans: Bool

        package init(
            properties: EngineProperties, generation: SimulatedGeneration,
            time: StepTimeModel = .immediate, verifiesPlans: Bool = true
        ) {
            self.properties = properties
            self.generation = generation
            self.time = time
            self.verifiesPlans = verifiesPlans
        }
    }

    /// `EngineError.failed` code of a plan that breaks the protocol.
    package static let brokenPlanCode: Int32 = 1

    package let configuration: Configuration
    package var properties: EngineProperties { configuration.properties }
    private(set) var cache: SimulatedCache
    private var samplers: [Sampler?] = []
    private var lastNumber: UInt64 = 0

    private struct Sampler: Sendable {
        var key: SequenceKey
        var parameters: SamplingParameters
        var stream: UInt64
        var position: Int
        /// Hash of prompt and output: what the sequence must hold when it is sampled.
        var chain: UInt64
    }

    package init(_ configuration: Configuration) {
        self.configuration = configuration
        cache = SimulatedCache(
            sequences: configuration.properties.maxSequences,
            cells: configuration.verifiesPlans ? configuration.properties.cacheCells : 0)
    }

    package mutating func execute(_ plan: StepPlan) throws(EngineError) -> StepResult {
        try require(plan.number > lastNumber, "plan \(plan.number) after \(lastNumber)")
        lastNumber = plan.number
        if configuration.verifiesPlans {
            for operation in plan.cacheOperations {
                if let wrong = cache.apply(operation) { try require(false, wrong) }
                if !properties.supportsPartialRemoval, !operation.isClear {
                    try require(false, "a partial operation")
                }
            }
        }
        for operation in plan.samplerOperations { try apply(operation) }
        if configuration.verifiesPlans { try compute(plan) }
        var samples: [SampledToken] = []
        samples.reserveCapacity(plan.entries.count)
        for entry in plan.entries {
            guard let request = entry.sample else { continue }
            samples.append(try draw(request, entry))
        }
        return StepResult(
            samples: samples, durationNanoseconds: configuration.time.nanoseconds(plan.shape))
    }

    private mutating func apply(_ operation: SamplerOperation) throws(EngineError) {
        switch operation {
        case .begin(let slot, let start):
            try require(slot >= 0 && slot < properties.maxSequences, "no slot \(slot)")
            while samplers.count <= slot { samplers.append(nil) }
            try require(samplers[slot] == nil, "slot \(slot) was begun already")
            var chain: UInt64 = 0
            for token in start.prompt { chain = SimulatedGeneration.chain(chain, token) }
            for token in start.generated { chain = SimulatedGeneration.chain(chain, token) }
            samplers[slot] = Sampler(
                key: start.key, parameters: start.parameters,
                stream: configuration.generation.stream(
                    prompt: start.prompt, parameters: start.parameters),
                position: start.generated.count, chain: chain)
        case .end(let slot):
            try require(
                samplers.indices.contains(slot) && samplers[slot] != nil,
                "slot \(slot) was not begun")
            samplers[slot] = nil
        }
    }

    private mutating func compute(_ plan: StepPlan) throws(EngineError) {
        try require(!plan.entries.isEmpty, "an empty batch")
        try require(plan.tokens.count <= properties.batchTokens, "a batch too large")
        try require(plan.tokens.count <= plan.budgetTokens, "a batch over its budget")
        var isUsed = Array(repeating: false, count: properties.maxSequences)
        var next = 0
        for entry in plan.entries {
            try require(
                entry.tokenRange.lowerBound == next && !entry.tokenRange.isEmpty, "a gap in tokens")
            next = entry.tokenRange.upperBound
            try require(entry.sequence >= 0 && entry.sequence < properties.maxSequences, "sequence")
            try require(!isUsed[Int(entry.sequence)], "sequence \(entry.sequence) twice")
            isUsed[Int(entry.sequence)] = true
            try require(
                entry.position == cache.length(entry.sequence),
                "position \(entry.position) in \(cache.length(entry.sequence)) tokens")
            try require(
                entry.position + entry.tokenRange.count <= properties.contextTokens,
                "beyond the context")
        }
        try require(next == plan.tokens.count, "tokens without entry")
        guard plan.tokens.count <= cache.freeCells else { throw .noCacheSpace }
        for entry in plan.entries { cache.append(entry.sequence, plan.tokens[entry.tokenRange]) }
    }

    private mutating func draw(
        _ request: SampleRequest, _ entry: StepEntry
    ) throws(EngineError) -> SampledToken {
        guard samplers.indices.contains(request.slot), let sampler = samplers[request.slot] else {
            throw .failed(code: Self.brokenPlanCode, message: "slot \(request.slot) is not begun")
        }
        try require(sampler.key == entry.key, "slot \(request.slot) samples for another request")
        try require(
            sampler.position == request.position,
            "draw \(request.position) after \(sampler.position)")
        if configuration.verifiesPlans {
            try require(
                cache.chain(entry.sequence) == sampler.chain,
                "sequence \(entry.sequence) holds other tokens than its request")
        }
        let sample = configuration.generation.sample(
            stream: sampler.stream, position: request.position, parameters: sampler.parameters)
        samplers[request.slot]?.position += 1
        samplers[request.slot]?.chain = SimulatedGeneration.chain(sampler.chain, sample.token)
        return sample
    }

    private func require(
        _ condition: Bool, _ message: @autoclosure () -> String
    ) throws(EngineError) {
        guard !condition else { return }
        throw .failed(code: Self.brokenPlanCode, message: "broken plan: \(message())")
    }
}

extension CacheOperation {
    fileprivate var isClear: Bool {
        if case .clear = self { return true }
        return false
    }
}
