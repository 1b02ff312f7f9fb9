internal import Dispatch
internal import Scheduling
internal import Synchronization

/// One token to be sampled.
struct SamplingJob {
    var slot: Int
    var position: Int
    /// Where in the batch the logits were asked for.
    var batchIndex: Int32
    /// Set when the logits are there.
    var row: LogitRow?
}

/// The samplers of all slots, and the threads that share a step's sampling.
///
/// Owned by the engine thread. During `sample`, each job, its row and its slot's sampler belong to
/// the thread that took the job; each thread has a scratch of its own.
struct SamplerPool {
    private var slots: [SlotSampler?]
    private var scratches: [SamplerScratch]

    init(slots: Int, threads: Int, vocabularySize: Int) {
        self.slots = Array(repeating: nil, count: slots)
        scratches = (0..<threads).map { _ in SamplerScratch(vocabularySize: vocabularySize) }
    }

    subscript(slot: Int) -> SlotSampler? {
        get { slots[slot] }
        set { slots[slot] = newValue }
    }

    mutating func removeAll() {
        slots = slots.map { _ in nil }
    }

    /// One sample for each job, in order. No two jobs have the same slot. The result does not
    /// depend on `threads`: a sample is a function of its row, its sampler and its position.
    mutating func sample(
        _ jobs: [SamplingJob], facts: VocabularyFacts, threads: Int
    ) -> [SampledToken] {
        var samples = Array(
            repeating: SampledToken(token: 0, isEndOfGeneration: false), count: jobs.count)
        let workers = min(threads, jobs.count, scratches.count)
        if workers <= 1 {
            for (index, job) in jobs.enumerated() {
                samples[index] = Self.run(job, slots[job.slot], facts, &scratches[0])
            }
            return samples
        }
        let slots = slots
        unsafe samples.withUnsafeMutableBufferPointer { samples in
            unsafe scratches.withUnsafeMutableBufferPointer { scratches in
                let shared = unsafe SharedStep(
                    jobs: jobs, slots: slots, samples: samples, scratches: scratches)
                let next = NextJob()
                DispatchQueue.concurrentPerform(iterations: workers) { worker in
                    while let index = next.take(below: shared.jobs.count) {
                        let job = shared.jobs[index]
                        unsafe shared.samples[index] = Self.run(
                            job, shared.slots[job.slot], facts, &shared.scratches[worker])
                    }
                }
            }
        }
        return samples
    }

    private static func run(
        _ job: SamplingJob, _ sampler: SlotSampler?, _ facts: VocabularyFacts,
        _ scratch: inout SamplerScratch
    ) -> SampledToken {
        guard let sampler else { fatalError("slot \(job.slot) samples but was not begun") }
        guard let row = job.row else { fatalError("slot \(job.slot) samples without logits") }
        return sampler.sample(row, position: job.position, facts: facts, scratch: &scratch)
    }
}

/// Hands out job numbers.
private final class NextJob: Sendable {
    private let next = Atomic(0)

    func take(below count: Int) -> Int? {
        let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
        return index < count ? index : nil
    }
}

/// What the sampling threads share during one step.
///
/// `@unchecked Sendable`: each job index is handed out once by `NextJob`, so each sample, slot
/// sampler and row is touched by one thread; scratches are indexed by worker.
/// `concurrentPerform` orders everything before it before the workers, and the workers before its
/// return.
@safe private struct SharedStep: @unchecked Sendable {
    let jobs: [SamplingJob]
    let slots: [SlotSampler?]
    let samples: UnsafeMutableBufferPointer<SampledToken>
    let scratches: UnsafeMutableBufferPointer<SamplerScratch>

    init(
        jobs: [SamplingJob], slots: [SlotSampler?],
        samples: UnsafeMutableBufferPointer<SampledToken>,
        scratches: UnsafeMutableBufferPointer<SamplerScratch>
    ) {
        self.jobs = jobs
        self.slots = slots
        unsafe self.samples = samples
        unsafe self.scratches = scratches
    }
}
