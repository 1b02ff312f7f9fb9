import ArgumentParser
import Foundation
import HTTPTransport
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
            of `run`.
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
        guard work.load.arrivals != .ramp else {
            throw ValidationError("--arrivals ramp: each run has one rate")
        }
        guard firstRate > 0, rateMax >= firstRate, share > 0, share <= 1, tolerance > 0,
            stepSeconds > 0, (2...100).contains(runsMax)
        else {
            throw ValidationError(
                "rates, --tolerance and --step-seconds must be positive, --share within 0...1, "
                    + "--runs-max 2...100")
        }
    }

    func run() async throws {
        var settings = KneeSearch.Settings()
        settings.firstRate = firstRate
        settings.rateMax = rateMax
        settings.tolerance = tolerance
        settings.runsMax = runsMax
        settings.rateMin = firstRate / 1_024
        let scenario = try work.loadConfiguration().objective
        let objective = work.measuring.objective(over: scenario)
        guard !objective.isEmpty else {
            throw ValidationError("at least one --slo limit is needed")
        }
        var search = KneeSearch(settings)
        var found = KneeReport(objective: objective, share: share)
        while let step = search.next {
            let report = try await measure(step, number: search.runs)
            var point = KneeReport.Point(report, rate: step.rate)
            let isMet = (point.goodFraction ?? 0) >= share
            point.met = isMet
            point.isConfirmation = step.isConfirmation
            found.points.append(point)
            found.settings = found.settings ?? report.settings
            say(step, point)
            for warning in report.warnings where !found.warnings.contains(warning) {
                found.warnings.append(warning)
            }
            search.measured(step, met: isMet)
            if point.isSaturated, !isMet {
                found.warnings.append(
                    "at \(step.rate)/s the generator was the limit: the knee may be higher")
                break
            }
        }
        found.kneeRate = search.met
        found.missedRate = search.missed
        found.isConfirmed = search.isConfirmed
        let text = try found.json()
        if let output { try Data(text.utf8).write(to: URL(fileURLWithPath: output)) }
        print(work.json ? text : words(found))
        if found.kneeRate == nil { throw ExitCode.failure }
    }

    private func measure(_ step: KneeSearch.Step, number: Int) async throws -> LoadReport {
        var work = self.work
        work.load.trace = nil
        work.load.requests = nil
        work.load.rate = step.rate
        work.load.duration = stepSeconds
        // Other arrivals each time, so that a confirmation is one.
        work.load.seed = (work.load.seed ?? 1) &+ UInt64(number)
        if number > 0 { work.load.warmup = 0 }
        let configuration = try work.loadConfiguration()
        do {
            return try await work.measuring.perform(configuration)
        } catch let error as HTTPStreamError {
            FileHandle.standardError.write(
                Data("switchyard-load: cannot reach the server: \(error)\n".utf8))
            throw ExitCode(69)
        }
    }

    private func say(_ step: KneeSearch.Step, _ point: KneeReport.Point) {
        func number(_ value: Double?) -> String {
            value.map { String(($0 * 100).rounded() / 100) } ?? "-"
        }
        let verdict = point.met == true ? "met" : "missed"
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

    private func words(_ found: KneeReport) -> String {
        guard let knee = found.kneeRate else {
            return "no rate met \(found.objective.words) for \(share * 100) % of requests"
        }
        var text = "knee: \(knee)/s within \(found.objective.words) for \(share * 100) %"
        text += found.isConfirmed ? " (measured twice)" : " (not confirmed)"
        if let missed = found.missedRate { text += "; missed at \(missed)/s" }
        return ([text] + found.warnings.map { "WARNING     \($0)" }).joined(separator: "\n")
    }
}
