package import LlamaEngine
import NIOCore
import Scheduling

/// What a worker chooses when it is not told.
package enum WorkerDefaults {
    /// A CPU decodes no faster beyond 16 sequences (SmolLM2-135M: 239 tokens/s at 8, 251 at 16); a
    /// GPU's decode step costs nearly the same up to its arithmetic's limit.
    package static func slots(onGPU: Bool) -> Int { onGPU ? 64 : 16 }

    /// All cores of a small machine: its gateway needs little beside a CPU engine. On larger ones
    /// a core is left to it, since a compute thread without a core delays all the others.
    package static var threads: Int {
        let cores = System.coreCount
        return cores <= 2 ? cores : cores - 1
    }

    /// A GPU's memory is scarce; a CPU's is not, and there attention takes most of a step with
    /// many streams: 16 of 240 tokens decoded in 59 ms from shared cells, in 37 ms from their own.
    package static func cacheLayout(onGPU: Bool) -> CacheLayout { onGPU ? .shared : .separate }

    /// A chat's prompt and answer. From shared cells long requests borrow what short ones leave.
    package static func contextTokensPerSlot(_ layout: CacheLayout) -> Int {
        switch layout {
        case .shared: 2_048
        case .separate: 4_096
        }
    }

    /// Slots, and as many idle prefixes again; llama.cpp has 256 sequences at most.
    package static func sequences(slots: Int) -> Int { min(256, max(slots * 2, slots + 16)) }

    /// Slots, and a few idle prefixes where each takes cells for a whole context.
    package static func sequences(slots: Int, layout: CacheLayout) -> Int {
        switch layout {
        case .shared: sequences(slots: slots)
        case .separate: min(LlamaEngineConfiguration.sequencesLimit - 1, slots + max(2, slots / 4))
        }
    }

    /// Room for every decode and a prefill chunk; the step-time target cuts it further. On a CPU
    /// 512 tokens take most of a second already, during which nobody can join.
    package static func batchTokens(slots: Int, onGPU: Bool) -> Int {
        max(onGPU ? 2_048 : 512, slots * 2)
    }

    /// In a shared layout: idle KV tokens times decoding streams, 2,048 beside 16 streams, for
    /// each of which every cell costs a look in each layer and head. GPUs are not limited until
    /// that was measured.
    package static func idlePairs(onGPU: Bool) -> Int? { onGPU ? nil : 32_768 }

    /// On a GPU a prompt's chunk costs decodes beside it little. A CPU takes a millisecond for each
    /// of its tokens, and more for each of few: small chunks make prompts late, more streams run at
    /// once for it, and the time between tokens is longer in the end. Measured with SmolLM2-135M on
    /// 2 cores, 2.3 requests a second of 100 words and 64 tokens: median time between tokens 45 ms
    /// with 250, 80 ms with 50; to the first token 330 ms and 1 s.
    package static func itlTargetMilliseconds(onGPU: Bool) -> Double { onGPU ? 50 : 250 }

    static func scheduling(
        _ configuration: WorkerConfiguration, slots: Int, onGPU: Bool, idlePairsMax: Int? = nil
    ) -> SchedulerConfiguration {
        var scheduling = SchedulerConfiguration()
        scheduling.slots = slots
        scheduling.waitingRequestsMax = configuration.waitingRequestsMax
        let target =
            configuration.itlTargetMilliseconds ?? itlTargetMilliseconds(onGPU: onGPU)
        scheduling.itlTargetNanoseconds = Int64(target * 1e6)
        scheduling.tiers = configuration.tiers
        scheduling.prefillChunkTokens = configuration.prefillChunkTokens
        scheduling.prefixReuse = configuration.reusesPrefixes
        let pairs = configuration.idlePairsMax ?? idlePairsMax
        scheduling.idlePairsMax = pairs == 0 ? nil : pairs
        return scheduling
    }
}
