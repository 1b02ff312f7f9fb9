package import Foundation

/// What `find-knee` found; also a form that several runs at different loads are brought to.
/// Latencies in milliseconds.
package struct KneeReport: Sendable, Codable, Equatable {
    package struct Point: Sendable, Codable, Equatable {
        /// Requests per second that were asked for.
        package var rate: Double
        package var requestsPerSecond: Double
        package var outputTokensPerSecond: Double
        package var goodFraction: Double?
        package var met: Bool?
        package var isConfirmation = false
        /// The generator itself was the limit: the point says nothing about the server.
        package var isSaturated = false
        /// With CPU seconds of the run.
        package var processes: [LoadReport.Process]?
        package var timeToFirstToken: LatencySummary?
        package var interTokenLatency: LatencySummary?
        package var timePerOutputToken: LatencySummary?
        package var endToEnd: LatencySummary?

        package init(_ report: LoadReport, rate: Double) {
            self.rate = rate
            requestsPerSecond = report.requestsPerSecond
            outputTokensPerSecond = report.outputTokensPerSecond
            goodFraction = report.goodput?.fraction
            isSaturated = report.saturation?.isSaturated ?? false
            processes = report.processes.isEmpty ? nil : report.processes
            timeToFirstToken = report.timeToFirstToken
            interTokenLatency = report.interTokenLatency
            timePerOutputToken = report.timePerOutputToken
            endToEnd = report.endToEnd
        }
    }

    package var objective: ServiceLevelObjective
    /// The share of requests that has to meet it.
    package var share: Double
    /// The highest rate that met it, twice; nil: none did.
    package var kneeRate: Double?
    /// The lowest rate above it that did not, the server being the reason; nil: none was found.
    package var missedRate: Double?
    package var isConfirmed = false
    /// In the order in which they were measured.
    package var points: [Point] = []
    package var warnings: [String] = []
    package var settings: [String: String]?

    package init(objective: ServiceLevelObjective, share: Double) {
        self.objective = objective
        self.share = share
    }

    /// Adds what a step gave, and its warnings: whether the objective was met. nil: the step says
    /// nothing about the server, and a search cannot go on.
    package mutating func judge(_ report: LoadReport, _ step: KneeSearch.Step) -> Bool? {
        var point = Point(report, rate: step.rate)
        point.isConfirmation = step.isConfirmation
        settings = settings ?? report.settings
        for warning in report.warnings where !warnings.contains(warning) {
            warnings.append(warning)
        }
        point.met = point.goodFraction.map { $0 >= share }
        // A rate that was not offered was neither met nor missed; what chance takes is left to it.
        let wanted = step.rate * report.seconds
        let offered = Double((report.sent ?? 0) + (report.notSent ?? 0))
        if point.met == nil {
            warnings.append(
                "at \(step.rate)/s nothing could be judged within "
                    + "\(Decimals.short(report.seconds)) s"
            )
        } else if point.isSaturated && point.met == false || offered < wanted / 2 - 10 {
            point.met = nil
            warnings.append(
                "at \(step.rate)/s the generator was the limit: the knee may be higher")
        }
        points.append(point)
        return point.met
    }

    /// For people.
    package var words: String {
        let wanted = "\(objective.words) for \(Decimals.short(share * 100)) % of requests"
        guard let kneeRate else { return "no rate met \(wanted)" }
        var text = "knee at \(Decimals.short(kneeRate))/s: \(wanted)"
        text += isConfirmed ? ", measured twice" : ", not confirmed"
        if let missedRate { text += "; missed at \(Decimals.short(missedRate))/s" }
        return text
    }

    package func json() throws -> String { try CompactJSON.text(self) }

    package static func decoded(from data: Data) throws -> KneeReport {
        try JSONDecoder().decode(KneeReport.self, from: data)
    }
}
