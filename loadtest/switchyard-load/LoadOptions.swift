import ArgumentParser
import LoadGenerator

/// How many requests, and when.
struct LoadOptions: ParsableArguments {
    /// Kinds of gaps between the requests of an open loop.
    enum Arrivals: String, ExpressibleByArgument, CaseIterable {
        case poisson, constant, bursty, ramp
    }

    @Option(help: "Requests at once (closed loop). Default: 1.")
    var concurrency: Int?

    @Option(help: "Requests per second (open loop).")
    var rate: Double?

    @Option(help: "Gaps of the open loop: poisson, constant, bursty or ramp.")
    var arrivals = Arrivals.poisson

    @Option(help: "Of bursty gaps: their standard deviation by their mean.")
    var cv = 3.0

    @Option(help: "Of a ramp: requests per second at its end; --rate is its start.")
    var rateTo: Double?

    @Option(help: "Of a ramp: how long it takes.")
    var rampSeconds = 60.0

    @Option(help: "Play this trace: arrivals and lengths (see `switchyard-load import`).")
    var trace: String?

    @Option(help: "Times the trace's time: 0.1 plays it ten times as fast.")
    var timeScale = 1.0

    @Option(help: "Times the trace's lengths of prompts.")
    var promptScale = 1.0

    @Option(help: "Times the trace's lengths of answers.")
    var outputScale = 1.0

    @Option(help: "Requests to measure. Default: 10 for each of --concurrency; a trace's all.")
    var requests: Int?

    @Option(help: "Seconds to measure, in place of --requests.")
    var duration: Double?

    @Option(help: "Requests before the load.")
    var warmup: Int?

    @Option(help: "Seconds of the load before the measurement.")
    var warmupSeconds: Double?

    @Option(help: "Chooses prompts, arrivals and all else that is drawn. Default: 1.")
    var seed: UInt64?

    @Option(help: "A request that takes longer fails. Default: 300.")
    var timeoutSeconds: Double?

    /// What is given here takes the place of what was there.
    func apply(to configuration: inout LoadConfiguration) throws {
        if let seed { configuration.seed = seed }
        if let warmup { configuration.warmUpRequests = warmup }
        if let warmupSeconds { configuration.warmUpSeconds = warmupSeconds }
        if let timeoutSeconds { configuration.requestTimeoutSeconds = timeoutSeconds }
        if let trace {
            var replay = TraceReplay(try TraceInput.trace(trace, option: "--trace"))
            replay.timeScale = timeScale
            replay.promptScale = promptScale
            replay.outputScale = outputScale
            configuration.play(replay)
        } else if let rate {
            if configuration.replay != nil { configuration.extent = .seconds(60) }
            configuration.replay = nil
            configuration.load = .open(
                ArrivalSchedule(shape: shape, rate: rate, seed: configuration.seed))
        } else if let concurrency {
            configuration.replay = nil
            configuration.load = .closed(concurrency: concurrency)
            configuration.extent = .requests(concurrency * 10)
        }
        if let requests { configuration.extent = .requests(requests) }
        if let duration { configuration.extent = .seconds(duration) }
        if case .open(let schedule) = configuration.load {
            configuration.load = .open(schedule.seeded(configuration.seed))
        }
    }

    private var shape: ArrivalSchedule.Shape {
        switch arrivals {
        case .poisson: .poisson
        case .constant: .constant
        case .bursty: .bursty(variation: cv)
        case .ramp: .ramp(to: rateTo ?? 1, seconds: rampSeconds)
        }
    }

    func validate() throws {
        try Self.check("--concurrency", concurrency.map(Double.init), in: 1...20_000)
        try Self.check("--rate", rate, in: (arrivals == .ramp ? 0 : 1e-6)...1e6)
        try Self.check("--cv", cv, in: 0.01...100)
        try Self.check("--rate-to", rateTo, in: 1e-6...1e6)
        try Self.check("--ramp-seconds", rampSeconds, in: 0.001...604_800)
        for (name, scale) in [
            ("--time-scale", timeScale), ("--prompt-scale", promptScale),
            ("--output-scale", outputScale),
        ] { try Self.check(name, scale, in: 1e-6...1e6) }
        try Self.check("--duration", duration, in: 0.001...604_800)
        try Self.check("--requests", requests.map(Double.init), in: 1...1e9)
        try Self.check("--warmup", warmup.map(Double.init), in: 0...1e6)
        try Self.check("--warmup-seconds", warmupSeconds, in: 0...86_400)
        try Self.check("--timeout-seconds", timeoutSeconds, in: 0.001...86_400)
        guard !(requests != nil && duration != nil) else {
            throw ValidationError("--requests and --duration exclude each other")
        }
        guard [concurrency != nil, rate != nil, trace != nil].count(where: \.self) <= 1 else {
            throw ValidationError("--concurrency, --rate and --trace exclude each other")
        }
        guard (arrivals == .ramp) == (rateTo != nil) else {
            throw ValidationError("--arrivals ramp and --rate-to need each other")
        }
    }

    private static func check(
        _ name: String, _ value: Double?, in range: ClosedRange<Double>
    ) throws {
        guard let value, !range.contains(value) else { return }
        throw ValidationError(
            "\(name) must be in \(range.lowerBound)...\(range.upperBound): \(value)")
    }
}
