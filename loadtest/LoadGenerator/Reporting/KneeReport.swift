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
    /// The lowest rate above it that did not; nil: none was found.
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

    package func json() throws -> String { try CompactJSON.text(self) }

    package static func decoded(from data: Data) throws -> KneeReport {
        try JSONDecoder().decode(KneeReport.self, from: data)
    }
}
