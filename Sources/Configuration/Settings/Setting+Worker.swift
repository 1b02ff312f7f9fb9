/// Settings of `switchyard worker`. Those in `ofPool` can also be given for a pool's processes.
extension Setting {
    package static let workerModel = Setting(
        "model", .path, "The model, a GGUF file (engine llama).")
    package static let listen = Setting(
        "listen", .text, default: .text("127.0.0.1:0"),
        "unix:/path (mode 0600) or host:port; port 0 lets the system choose.")
    package static let allowPlaintext = Setting(
        "allow-plaintext", .toggle, default: .toggle(false),
        "Permit a TCP address that others can reach; without encryption.")
    package static let workerTLSCertificate = Setting(
        "tls-certificate", .path, unset: "no TLS",
        "Certificate chain of a TCP address, PEM. Then gateways must use TLS.")
    package static let workerTLSKey = Setting("tls-key", .path, "Its private key, PEM.")
    package static let tlsClientAuthority = Setting(
        "tls-client-authority", .path,
        "Only gateways whose certificate chains to one of these are served, PEM.")
    package static let workerTokens = Setting(
        "token-file", .path, unset: "none",
        "File with one token a line; each call must carry one of them.")
    package static let workerModelName = Setting(
        "model-name", .text, unset: "its file's name without .gguf", "The name told to gateways.")
    package static let device = Setting(
        "device", .text, unset: "the first GPU, or else the CPU",
        "The device that all slots run on: cpu, cuda:0, or another that --list-devices names.")
    /// Of several workers.
    static let devices = Setting(
        "device", .text, unset: "the first GPU, or else the CPU",
        """
        Where workers run: cpu, cuda:0, or another that `switchyard worker --list-devices` names; \
        several, with commas, are given to the workers in turn.
        """)
    package static let memoryMargin = Setting(
        "memory-margin", .integer(0...(1 << 30)), unset: "256",
        "Free memory that the device must have beyond weights and KV cache, in MiB.")
    package static let slots = Setting(
        "slots", .integer(1...65_536), unset: "16 on a CPU, 64 on a GPU or simulated",
        "Requests that a worker runs at once.")
    package static let threads = Setting(
        "threads", .integer(1...512),
        unset: "all cores up to 2, one fewer above; of one machine's workers, shared",
        "CPU threads of a worker's engine.")
    package static let context = Setting(
        "context", .integer(64...(1 << 26)),
        unset: "for each slot 4096 of its own, or 2048 where slots share them",
        "KV tokens of all of a worker's slots together.")
    package static let kvLayout = Setting(
        "kv-layout", .word(["shared", "separate"]), unset: "separate on a CPU, shared on a GPU",
        """
        shared: a request may take KV tokens that others do not need, up to the model's context. \
        separate: each slot has its share of --context, and a few idle prefixes as much again; \
        faster with many streams.
        """)
    package static let embeddingContext = Setting(
        "embedding-context", .integer(0...1_048_576), default: .integer(2_048),
        """
        Longest input of an embedding, in tokens; the first one makes a context of that size \
        beside the slots'. 0: no embeddings.
        """)
    package static let gpuLayers = Setting(
        "gpu-layers", .integer(0...1_000_000), unset: "all",
        "Layers on the GPU, where there is one.")
    package static let queue = Setting(
        "queue", .integer(0...1_000_000), default: .integer(256),
        "Requests that may wait for a slot inside a worker.")
    package static let itlTarget = Setting(
        "itl-target-ms", .number(0.001...60_000), unset: "50 on a GPU, 250 on a CPU",
        "Wished time between tokens of a stream while prompts are prefilled.")
    package static let noTiers = Setting(
        "no-tiers", .toggle, default: .toggle(false),
        "Slots and steps first come first served: tiers and tenants have no say.")
    package static let tierWeights = Setting(
        "tier-weights", .text, default: .text("8,4,1"),
        """
        What tiers that have work are entitled to of slots and engine time, in proportion: \
        priority, default, batch. What one leaves the others get, better ones first.
        """)
    package static let tierMinimumShares = Setting(
        "tier-minimum-shares", .text, default: .text("0,0.1,0.05"),
        "What each tier is entitled to whatever the weights: 0 to 0.5 of slots and engine time.")
    package static let batchSlowdown = Setting(
        "batch-slowdown", .number(1...1_000), default: .number(1.2),
        """
        For the sake of batch a step of better tiers takes at most this many times as long, their \
        prompts not counted.
        """)
    package static let prefillChunk = Setting(
        "prefill-chunk", .integer(1...1_000_000), unset: "cut by predicted time",
        "Prefill chunks of exactly this many tokens, none under 64 that could be longer.")
    package static let noPrefixReuse = Setting(
        "no-prefix-reuse", .toggle, default: .toggle(false), "Compute every prompt anew.")
    package static let idlePairs = Setting(
        "idle-pairs", .integer(0...(1 << 40)), unset: "32768 on a CPU, no limit on a GPU",
        """
        Where slots share KV tokens: tokens of idle prefixes times running streams, at most, as \
        each such pair costs time in every step. 0: no limit.
        """)
    package static let workerDrainSeconds = Setting(
        "drain-seconds", .number(0...86_400), default: .number(30),
        "How long running requests may go on after SIGTERM.")
    package static let stallSeconds = Setting(
        "stall-seconds", .number(0.1...86_400), default: .number(5),
        """
        A step that takes longer, and 20 times longer than expected, counts as a hang, in \
        seconds: gateways go elsewhere.
        """)
    package static let reportMilliseconds = Setting(
        "report-ms", .integer(10...60_000), default: .integer(100),
        "Shortest time between two reports to a subscriber, in milliseconds.")
    package static let ioThreads = Setting(
        "io-threads", .integer(1...64), default: .integer(1), "Threads that serve connections.")
    package static let metricsListen = Setting(
        "metrics-listen", .text, unset: "none", "Answer GET /metrics on this address.")
    package static let journal = Setting(
        "journal", .path, unset: "none",
        """
        Where what is generated is written down for billing, before anybody is told of it: files \
        of this name and a number.
        """)
    package static let journalMegabytes = Setting(
        "journal-mib", .integer(1...4_096), default: .integer(64),
        "Size at which a journal's file is followed by the next, in MiB.")
    package static let journalFiles = Setting(
        "journal-files", .integer(2...100_000), default: .integer(16),
        "Files of a journal; the oldest beyond as many is removed.")
    package static let lifeline = Setting(
        "lifeline", .toggle, default: .toggle(false),
        "End when standard input ends: for workers that must die with their supervisor.")
    package static let statsAtExit = Setting(
        "stats-at-exit", .toggle, default: .toggle(false),
        "At the end, write counters as one line of JSON to standard error.")
    package static let engine = Setting(
        "engine", .word(["llama", "simulated"]), default: .text("llama"),
        "What generates tokens: llama, or simulated (no weights are loaded).")

    package static let stepTime = Setting(
        "step-time", .text, default: .text("llama-cpu"),
        """
        How long a simulated step takes: 'at-will' (no time), 'llama-cpu', 'h100-8b', 'h100-70b' \
        (Llama 70B on two), a number of microseconds, or five of them: base, per decode, per \
        prefill token, per KV token, per query-key pair.
        """)
    package static let vocabulary = Setting(
        "vocabulary", .integer(16...1_000_000), default: .integer(49_152),
        "Simulated token ids are below this.")
    package static let sequenceTokens = Setting(
        "sequence-tokens", .integer(2...16_777_216), default: .integer(8_192),
        "Simulated: tokens of one request at most, as far as --context goes.")
    package static let simulationSeed = Setting(
        "simulation-seed", .integer(0...Int.max), default: .integer(0),
        "Chooses the simulated answers.")
    package static let outputTokens = Setting(
        "output-tokens", .integer(1...1_000_000_000), unset: "until max_tokens or a full context",
        "Tokens of every simulated answer.")
    package static let outputIDs = Setting(
        "output-ids", .text, unset: "all but the last of the vocabulary",
        """
        Simulated: ids of the tokens that answers are made of, 'FIRST-LAST'. Where text is to come \
        with each token, those that are parts of characters must be left out.
        """)
    package static let dieAtToken = Setting(
        "die-at-token", .integer(0...Int.max),
        """
        Simulated: die, as if killed, before the token of this number, counted over all requests \
        from 0: to rehearse failover.
        """)
    package static let hangAtToken = Setting(
        "hang-at-token", .integer(0...Int.max),
        "Simulated: hang before that token: the engine stops, the process goes on.")

    static let ofSimulation: [Setting] = [
        stepTime, vocabulary, sequenceTokens, simulationSeed, outputTokens, outputIDs,
        dieAtToken, hangAtToken,
    ]
    static let ofWorker: [Setting] =
        [
            workerModel, listen, allowPlaintext, workerTLSCertificate, workerTLSKey,
            tlsClientAuthority, workerTokens, workerModelName, device, memoryMargin, slots, threads,
            context, kvLayout, gpuLayers, embeddingContext, queue, itlTarget, noTiers,
            tierWeights, tierMinimumShares, batchSlowdown, prefillChunk, noPrefixReuse, idlePairs,
            workerDrainSeconds, stallSeconds, reportMilliseconds, ioThreads, metricsListen,
            journal, journalMegabytes, journalFiles, lifeline, statsAtExit, logLevel, engine,
        ] + ofSimulation
    /// Flags of a pool's processes: what is not given stays the worker's own choice.
    static let ofPoolProcesses: [Setting] =
        [
            slots, threads, context, memoryMargin, kvLayout, gpuLayers, queue, itlTarget, noTiers,
            tierWeights, tierMinimumShares, batchSlowdown, prefillChunk, embeddingContext,
            noPrefixReuse, idlePairs, stallSeconds, stepTime,
        ].map(\.optional)
}
