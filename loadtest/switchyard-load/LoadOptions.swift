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

    @Option(help: "Gaps with --rate: poisson, constant, bursty or ramp. Default: poisson.")
    var arrivals: Arrivals?

    @Option(help: "Of bursty gaps: their standard deviation by their mean. Default: 3.")
    var cv: Double?

    @Option(help: "Of a ramp: requests per second at its end; --rate is its start.")
    var rateTo: Double?

    @Option(help: "Of a ramp: how long it takes. Default: 60.")
    var rampSeconds: Double?

    @Option(help: "Play this trace: arrivals and lengths (see `switchyard-load import`).")
    var trace: String?

    @Option(help: "Times the trace's time: 0.1 plays it ten times as fast.")
    var timeScale: Double?

    @Option(help: "Times the trace's lengths of prompts.")
    var promptScale: Double?

    @Option(help: "Times the trace's lengths of answers.")
    var outputScale: Double?

    @Option(
        help: """
            Requests to measure. Default: what the scenario says; else 10 for each of \
            --concurrency, all of a trace, 60 seconds of --rate.
            """)
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
        guard arrivals == nil || rate != nil else {
            throw ValidationError("--arrivals needs --rate")
        }
        if let trace {
            configuration.play(try TraceInput.replay(trace, configuration.classes))
        } else if let rate {
            configuration.replay = nil
            configuration.load = .open(
                ArrivalSchedule(shape: shape, rate: rate, seed: configuration.seed))
        } else if let concurrency {
            configuration.replay = nil
            configuration.load = .closed(concurrency: concurrency)
        }
        if scales.contains(where: { $0.1 != nil }) {
            guard var replay = configuration.replay else {
                throw ValidationError("\(scales.map(\.0).joined(separator: ", ")) need --trace")
            }
            do {
                replay = try TraceReplay(
                    replay.trace, timeScale: timeScale ?? replay.timeScale,
                    promptScale: promptScale ?? replay.promptScale,
                    outputScale: outputScale ?? replay.outputScale)
            } catch {
                throw ValidationError("\(error)")
            }
            configuration.play(replay)
        }
        if let requests { configuration.extent = .requests(requests) }
        if let duration { configuration.extent = .seconds(duration) }
        if case .open(let schedule) = configuration.load {
            configuration.load = .open(schedule.seeded(configuration.seed))
        }
    }

    private var scales: [(String, Double?)] {
        [
            ("--time-scale", timeScale), ("--prompt-scale", promptScale),
            ("--output-scale", outputScale),
        ]
    }

    private var shape: ArrivalSchedule.Shape {
        switch arrivals {
        case .poisson, nil: .poisson
        case .constant: .constant
        case .bursty: .bursty(variation: cv ?? 3)
        case .ramp: .ramp(to: rateTo ?? 1, seconds: rampSeconds ?? 60)
        }
    }

    func validate() throws {
        try OptionRange.check("--concurrency", concurrency, in: 1...20_000)
        try OptionRange.check("--rate", rate, in: (arrivals == .ramp ? 0 : 1e-6)...1e6)
        try OptionRange.check("--cv", cv, in: 0.01...100)
        try OptionRange.check("--rate-to", rateTo, in: 1e-6...1e6)
        try OptionRange.check("--ramp-seconds", rampSeconds, in: 0.001...604_800)
        for (name, scale) in scales { try OptionRange.check(name, scale, in: 1e-6...1e6) }
        try OptionRange.check("--duration", duration, in: 0.001...604_800)
        try OptionRange.check("--requests", requests, in: 1...1_000_000_000)
        try OptionRange.check("--warmup", warmup, in: 0...1_000_000)
        try OptionRange.check("--warmup-seconds", warmupSeconds, in: 0...86_400)
        try OptionRange.check("--timeout-seconds", timeoutSeconds, in: 0.001...86_400)
        guard !(requests != nil && duration != nil) else {
            throw ValidationError("--requests and --duration exclude each other")
        }
        guard [concurrency != nil, rate != nil, trace != nil].count(where: \.self) <= 1 else {
            throw ValidationError("--concurrency, --rate and --trace exclude each other")
        }
        guard cv == nil || arrivals == .bursty else {
            throw ValidationError("--cv needs --arrivals bursty")
        }
        guard (arrivals == .ramp) == (rateTo != nil), rampSeconds == nil || arrivals == .ramp else {
            throw ValidationError(
                "--arrivals ramp and --rate-to need each other; --ramp-seconds both")
        }
    }
}

/// Numbers of options, so that none is beyond what the program can do.
enum OptionRange {
    static func check<Value: Comparable>(
        _ name: String, _ value: Value?, in range: ClosedRange<Value>
    ) throws {
        guard let value, !range.contains(value) else { return }
        throw ValidationError(
            "\(name) must be in \(range.lowerBound)...\(range.upperBound): \(value)")
    }
}
