import ArgumentParser
import Foundation
import LoadGenerator

/// `switchyard-load find-knee`: the highest offered load at which answers are good enough.
struct FindKneeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "find-knee",
        abstract: "Search the highest offered load that meets an objective.",
        discussion: """
            Runs open loops of --step-seconds each: doubles the rate until the share of requests \
            within the --slo limits falls below --share, bisects, and measures the highest rate \
            that met it once more. Failed and refused requests do not meet it. Takes the options \
            of `run`, but those that say how many requests come. Ends where a run says nothing \
            about the server: the generator was the limit, or nothing could be judged.
            """)

    @OptionGroup
    var work: RunCommand

    @Option(help: "Requests per second of the first run.")
    var firstRate = 1.0

    @Option(help: "No run goes beyond so many requests per second.")
    var rateMax = 10_000.0

    @Option(help: "The share of requests that has to be within the limits.")
    var share = 0.99

    @Option(help: "Stop when met and missed rates are so close, as a share.")
    var tolerance = 0.1

    @Option(help: "Seconds of each run.")
    var stepSeconds = 20.0

    @Option(help: "Runs at most.")
    var runsMax = 14

    @Option(name: .shortAndLong, help: "Write JSON to this file, for `report`.")
    var output: String?

    func validate() throws {
        let load = work.load
        for (name, isGiven) in [
            ("--rate", load.rate != nil), ("--concurrency", load.concurrency != nil),
            ("--trace", load.trace != nil), ("--requests", load.requests != nil),
            ("--duration", load.duration != nil), ("--arrivals ramp", load.arrivals == .ramp),
        ] where isGiven {
            throw ValidationError("\(name): each run has one rate, and --step-seconds")
        }
        try OptionRange.check("--first-rate", firstRate, in: 1e-6...1e6)
        try OptionRange.check("--rate-max", rateMax, in: firstRate...1e6)
        try OptionRange.check("--tolerance", tolerance, in: 0.001...10)
        try OptionRange.check("--step-seconds", stepSeconds, in: 0.001...86_400)
        try OptionRange.check("--runs-max", runsMax, in: 2...100)
        try OptionRange.check("--share", share, in: 0.001...1)
    }

    func run() async throws {
        let configuration = try self.configuration()
        var settings = KneeSearch.Settings()
        settings.firstRate = firstRate
        settings.rateMax = rateMax
        settings.tolerance = tolerance
        settings.runsMax = runsMax
        settings.rateMin = max(1e-6, firstRate / 1_024)
        var search = KneeSearch(settings)
        var found = KneeReport(objective: configuration.objective, share: share)
        while let step = search.next {
            let report: LoadReport
            do {
                report = try await work.measuring.perform(
                    try Self.configuration(configuration, step, number: search.runs, stepSeconds))
            } catch is ExitCode where !found.points.isEmpty {
                found.warnings.append(
                    "at \(step.rate)/s the server could not be reached: the search ended there")
                break
            }
            let isMet = found.judge(report, step)
            if let point = found.points.last { say(step, point) }
            guard let isMet else { break }
            search.measured(step, met: isMet)
        }
        found.kneeRate = search.met
        found.missedRate = search.missed
        found.isConfirmed = search.isConfirmed
        let text = try found.json()
        let warnings = found.warnings.map { "\nWARNING     \($0)" }.joined()
        print(work.json ? text : found.words + warnings)
        if let output {
            do {
                try Data(text.utf8).write(to: URL(fileURLWithPath: output))
            } catch {
                throw ValidationError("\(output): cannot be written: \(error.localizedDescription)")
            }
        }
        if found.kneeRate == nil { throw ExitCode.failure }
    }

    /// What the runs have in common. The kind of arrivals is that of the options or the scenario.
    func configuration() throws -> LoadConfiguration {
        var work = self.work
        if work.load.arrivals != nil { work.load.rate = firstRate }
        var configuration = try work.loadConfiguration()
        configuration.objective = work.measuring.objective(over: configuration.objective)
        guard !configuration.objective.isEmpty else {
            throw ValidationError("at least one --slo limit is needed")
        }
        return configuration
    }

    /// Run `number` from 0.
    static func configuration(
        _ common: LoadConfiguration, _ step: KneeSearch.Step, number: Int, _ seconds: Double
    ) throws -> LoadConfiguration {
        var configuration = common
        var shape = ArrivalSchedule.Shape.poisson
        if case .open(let schedule) = common.load {
            switch schedule.shape {
            case .ramp, nil: throw ValidationError("a scenario's ramp or trace has no single rate")
            case let given?: shape = given
            }
        }
        // Other arrivals each time, so that a confirmation is one.
        configuration.seed = common.seed &+ UInt64(number)
        configuration.load = .open(
            ArrivalSchedule(shape: shape, rate: step.rate, seed: configuration.seed))
        configuration.extent = .seconds(seconds)
        if number > 0 { configuration.warmUpRequests = 0 }
        return configuration
    }

    private func say(_ step: KneeSearch.Step, _ point: KneeReport.Point) {
        func number(_ value: Double?) -> String {
            value.map { String(($0 * 100).rounded() / 100) } ?? "-"
        }
        let verdict = point.met.map { $0 ? "met" : "missed" } ?? "says nothing"
        FileHandle.standardError.write(
            Data(
                """
                \(number(step.rate))/s: \(verdict)\(step.isConfirmation ? " (confirmation)" : ""), \
                \(number(point.goodFraction.map { $0 * 100 })) % good, \
                TTFT p50 \(number(point.timeToFirstToken?.p50)) \
                p99 \(number(point.timeToFirstToken?.p99)) ms, \
                ITL p99 \(number(point.interTokenLatency?.p99)) ms\n
                """.utf8))
    }
}
