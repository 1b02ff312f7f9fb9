internal import CLlama
internal import Glibc
internal import InferenceTypes
package import Scheduling

/// One model on one device, computing the scheduler's plans with llama.cpp.
///
/// Owned by the engine thread, which alone calls it; it may be made on another thread before that
/// one starts.
package final class LlamaCppEngine: Engine {
    package let properties: EngineProperties
    package let model: ModelFacts
    package let configuration: LlamaEngineConfiguration
    /// Of the last step.
    package private(set) var lastTimes = StepTimes()
    /// Of all steps.
    package private(set) var totalTimes = StepTimes()
    /// Threads of the next step; see `setThreads`.
    package private(set) var threads: Int

    private let facts: VocabularyFacts
    private let grammars: GrammarSource
    private var batch: BatchBuffer
    /// Nil where sequences share their cells: then a sequence is the library's of the same number.
    var streams: StreamMap?
    /// Holds one stream's content while it is copied.
    var transferBuffer = TransferBuffer()
    private var samplers: SamplerPool
    /// Failures that no result has reported yet.
    private var pendingFailures: [SamplerFailure] = []
    private var jobs: [SamplingJob] = []
    /// Made by the first embedding.
    var embeddings: EmbeddingContext?
    let session: Session

    /// Loads the model, makes the context and runs one step to warm up.
    package init(_ configuration: LlamaEngineConfiguration) throws(LlamaEngineError) {
        try configuration.validate()
        Library.prepare()
        if configuration.device != nil {
            try configuration.check(try ModelHeader(path: configuration.modelPath))
        }
        let modelHandle = try Self.load(configuration)
        let model = ModelFacts(modelHandle)
        let cells =
            configuration.cacheCells > 0 ? configuration.cacheCells : model.trainingContextTokens
        let context = try Self.makeContext(modelHandle, configuration, cells: cells)
        guard configuration.cacheLayout == .shared || !model.isRecurrentOrHybrid else {
            throw .invalidSetting(
                name: "cacheLayout", value: "separate",
                allowed: "shared, for recurrent and hybrid models")
        }
        let realCells = Int(unsafe llama_n_ctx(context.pointer))
        let ownCells = Int(unsafe llama_n_ctx_seq(context.pointer))

        batch = BatchBuffer(capacity: configuration.batchTokens)
        facts = VocabularyFacts(modelHandle)
        grammars = unsafe GrammarSource(vocabulary: modelHandle.vocabulary)
        let supportsPartialRemoval = try Self.warmUp(context, &batch)
        var contextTokens = min(ownCells, model.trainingContextTokens)
        if configuration.contextTokens > 0 {
            contextTokens = min(contextTokens, configuration.contextTokens)
        }
        properties = EngineProperties(
            contextTokens: contextTokens,
            cacheCells: configuration.cacheLayout == .shared
                ? realCells : ownCells * configuration.maxSequences,
            maxSequences: configuration.maxSequences, batchTokens: configuration.batchTokens,
            vocabularySize: facts.size, supportsPartialRemoval: supportsPartialRemoval,
            endOfGenerationTokens: facts.endOfGenerationTokens)
        samplers = SamplerPool(
            slots: configuration.slots, threads: configuration.threads,
            vocabularySize: facts.size)
        jobs.reserveCapacity(configuration.slots)
        if configuration.cacheLayout == .separate {
            streams = StreamMap(sequences: configuration.maxSequences)
        }
        self.model = model
        self.configuration = configuration
        threads = configuration.threads
        session = Session(
            model: modelHandle, context: context, threads: configuration.threads,
            polling: configuration.polling)
    }

    deinit {
        embeddings = nil  // on the session's model
        samplers.removeAll()  // grammars refer to the model's vocabulary
    }

    /// How many CPU threads the next steps use, 1...`configuration.threads`.
    package func setThreads(_ count: Int) {
        threads = min(max(1, count), configuration.threads)
        unsafe llama_set_n_threads(session.context, Int32(threads), Int32(threads))
    }

    package func execute(_ plan: StepPlan) throws(EngineError) -> StepResult {
        let start = monotonicNanoseconds()
        for entry in plan.entries { try check(entry.sequence) }
        var isArranged = false
        for operation in plan.cacheOperations {
            if case .copy = operation, !isArranged {
                // Before new sequences have content that would have to move with them.
                try arrange(plan)
                isArranged = true
            }
            try carryOut(operation)
        }
        if !isArranged { try arrange(plan) }
        for operation in plan.samplerOperations { carryOut(operation) }
        try fill(plan)
        let decodeStart = monotonicNanoseconds()
        if batch.count > 0 { try decode() }
        let decodeEnd = monotonicNanoseconds()
        var result = sample()
        let end = monotonicNanoseconds()

        lastTimes = StepTimes(
            preparationNanoseconds: decodeStart - start,
            decodeNanoseconds: decodeEnd - decodeStart,
            samplingNanoseconds: end - decodeEnd)
        totalTimes.add(lastTimes)
        result.durationNanoseconds = end - start
        return result
    }

    // MARK: Parts of a step

    private func carryOut(_ operation: SamplerOperation) {
        switch operation {
        case .begin(let slot, let start):
            let sampler = SlotSampler(start, facts: facts, source: grammars)
            if let message = sampler.failure {
                pendingFailures.append(SamplerFailure(slot: slot, message: message))
            }
            samplers[slot] = sampler
        case .end(let slot):
            samplers[slot] = nil
            pendingFailures.removeAll { $0.slot == slot }
        }
    }

    /// Puts the plan's tokens into the batch, in the order of their streams, and its samples onto
    /// the list, in the order of the plan.
    private func fill(_ plan: StepPlan) throws(EngineError) {
        batch.removeAll()
        jobs.removeAll(keepingCapacity: true)
        guard plan.tokens.count <= configuration.batchTokens else {
            throw .failed(code: 0, message: "a plan of \(plan.tokens.count) tokens is too large")
        }
        var order = Array(plan.entries.indices)
        if streams != nil {
            order.sort { stream(of: plan.entries[$0]) < stream(of: plan.entries[$1]) }
        }
        var lastPlaces = Array(repeating: Int32(0), count: plan.entries.count)
        for place in order {
            let entry = plan.entries[place]
            let stream = stream(of: entry)
            streams?.fill(entry.sequence)
            for index in entry.tokenRange {
                let isLast = index == entry.tokenRange.upperBound - 1
                lastPlaces[place] = batch.append(
                    token: plan.tokens[index],
                    position: entry.position + index - entry.tokenRange.lowerBound,
                    sequence: stream, wantsLogits: isLast && entry.sample != nil)
            }
        }
        for (entry, place) in zip(plan.entries, lastPlaces) {
            guard let sample = entry.sample else { continue }
            jobs.append(
                SamplingJob(slot: sample.slot, position: sample.position, batchIndex: place))
        }
    }

    private func decode() throws(EngineError) {
        let code = unsafe batch.decode(session.context)
        switch code {
        case 0: unsafe llama_synchronize(session.context)
        case 1: throw .noCacheSpace
        case 2: throw .failed(code: code, message: "llama_decode was aborted")
        case -1: throw .failed(code: code, message: "llama_decode refused the batch")
        default: throw .failed(code: code, message: "llama_decode failed")
        }
    }

    private func sample() -> StepResult {
        for index in jobs.indices {
            // Not nil: the batch asked for these logits and was computed.
            let logits = unsafe llama_get_logits_ith(session.context, jobs[index].batchIndex)
            guard let logits = unsafe logits else { fatalError("no logits for a computed entry") }
            jobs[index].row = unsafe LogitRow(base: logits, count: facts.size)
        }
        let samples = samplers.sample(jobs, facts: facts, threads: threads)
        var failures = pendingFailures
        pendingFailures.removeAll()
        for job in jobs where !failures.contains(where: { $0.slot == job.slot }) {
            guard let message = samplers[job.slot]?.failure else { continue }
            failures.append(SamplerFailure(slot: job.slot, message: message))
        }
        return StepResult(samples: samples, samplerFailures: failures, durationNanoseconds: 0)
    }
}

/// Where a step's time went. Nanoseconds.
package struct StepTimes: Hashable, Sendable {
    /// Cache and sampler operations and filling the batch.
    package var preparationNanoseconds: Int64 = 0
    /// Inside `llama_decode`, until the logits are there.
    package var decodeNanoseconds: Int64 = 0
    package var samplingNanoseconds: Int64 = 0

    mutating func add(_ other: StepTimes) {
        preparationNanoseconds += other.preparationNanoseconds
        decodeNanoseconds += other.decodeNanoseconds
        samplingNanoseconds += other.samplingNanoseconds
    }
}

/// Nanoseconds of the machine's monotonic clock.
func monotonicNanoseconds() -> Int64 {
    var time = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}
