/// Parts of a report that came after its first form; older files lack them. Latencies in
/// milliseconds.
extension LoadReport {
    /// Requests of one class, tenant or tier.
    package struct Group: Sendable, Codable, Equatable {
        package var name: String
        package var sent: Int
        package var succeeded: Int
        /// All that failed, shed and unsent ones included.
        package var failed: Int
        package var shed: Int
        package var cancelled: Int
        package var cutOff: Int
        package var outputTokens: Int
        package var outputTokensPerSecond: Double
        package var promptTokens: Int
        package var cachedTokens: Int
        /// The share of the judged requests that met the objective; nil without an objective.
        package var goodFraction: Double?
        package var timeToFirstToken: LatencySummary?
        package var interTokenLatency: LatencySummary?
        package var timePerOutputToken: LatencySummary?
        package var endToEnd: LatencySummary?
        package var queueDelay: LatencySummary?

        init(
            name: String, _ measured: ClassMeasurements, _ objective: ServiceLevelObjective,
            seconds: Double
        ) {
            self.name = name
            sent = measured.sent
            succeeded = measured.succeeded
            failed = measured.failed
            shed = measured.shed
            cancelled = measured.cancelled
            cutOff = measured.cutOff
            outputTokens = measured.outputTokens
            outputTokensPerSecond = Double(measured.outputTokens) / seconds
            promptTokens = measured.promptTokens
            cachedTokens = measured.cachedTokens
            goodFraction = objective.isEmpty ? nil : measured.goodFraction
            timeToFirstToken = measured.timeToFirstToken?.summary
            interTokenLatency = measured.interTokenLatency?.summary
            timePerOutputToken = measured.timePerOutputToken?.summary
            endToEnd = measured.endToEnd?.summary
            queueDelay = measured.queueDelay?.summary
        }
    }

    /// Answers that met the objective. Failed, shed and unsent requests did not; cut-off ones count
    /// when they had broken it already; cancelled ones do not count.
    package struct Goodput: Sendable, Codable, Equatable {
        package var objective: ServiceLevelObjective
        package var met: Int
        package var judged: Int
        /// nil: nothing was judged.
        package var fraction: Double?
        package var requestsPerSecond: Double
    }

    /// Refused by the server to protect itself (429, 503, 529, RESOURCE_EXHAUSTED); `failed` and
    /// `errors` have them too.
    package struct Shed: Sendable, Codable, Equatable {
        package var requests: Int
        package var kinds: [String: Int]
    }

    /// Jain's index over tenants: 1 when all got the same, 1/n when one got everything. Output that
    /// came before its client gave up was the tenant's too.
    package struct Fairness: Sendable, Codable, Equatable {
        package var tenants: Int
        /// Of their output tokens.
        package var outputTokens: Double
        /// Of the share that succeeded of their requests which did or failed.
        package var succeeded: Double
        /// Of their output tokens within each tier that several use.
        package var outputTokensByTier: [String: Double]
    }

    /// Whether the generator itself was the limit.
    package struct Saturation: Sendable, Codable, Equatable {
        package struct Thread: Sendable, Codable, Equatable {
            package var name: String
            package var cpuSeconds: Double
            /// Of one core.
            package var share: Double
        }

        /// The busiest first, at most eight.
        package var threads: [Thread]
        /// How long after their intended start requests were sent.
        package var sendDelay: LatencySummary?
        package var isSaturated: Bool
    }

    /// What happened in one stretch of the run, as it happened. Seconds from its start.
    package struct TimelinePoint: Sendable, Codable, Equatable {
        package var start: Double
        package var seconds: Double
        package var sent: Int
        package var succeeded: Int
        package var good: Int
        package var failed: Int
        package var shed: Int
        package var tokens: Int
        package var deltas: Int
        package var inFlight: Int
        package var timeToFirstTokenP50: Double?
        package var timeToFirstTokenP99: Double?
        package var interTokenLatencyP50: Double?
        package var interTokenLatencyP99: Double?
        package var cpuSeconds: [Double?]?
    }

    /// Whole distributions of longer stretches, from which `compare` estimates how much the
    /// run's figures vary.
    package struct Block: Sendable, Codable, Equatable {
        package var seconds: Double
        package var succeeded: Int
        package var good: Int
        package var tokens: Int
        package var cpuSeconds: [Double?]?
        package var timeToFirstToken: SparseHistogram
        package var interTokenLatency: SparseHistogram
        package var timePerOutputToken: SparseHistogram
        package var endToEnd: SparseHistogram
    }

    /// Points of a cumulative distribution: so many milliseconds or less in such a share.
    package struct CumulativeDistribution: Sendable, Codable, Equatable {
        package var milliseconds: [Double]
        package var fraction: [Double]

        init?(_ histogram: SparseHistogram) {
            guard !histogram.isEmpty else { return nil }
            milliseconds = []
            fraction = Self.fractions
            var index = 0
            var passed: UInt64 = 0
            for bin in histogram.bins {
                passed += bin.count
                while index < fraction.count,
                    Double(passed) >= fraction[index] * Double(histogram.count)
                {
                    milliseconds.append(Double(bin.microseconds) / 1e3)
                    index += 1
                }
            }
        }

        /// Dense where the tail is.
        private static let fractions: [Double] =
            [0] + (1...49).map { Double($0) * 0.02 }
            + [0.985, 0.99, 0.9925, 0.995, 0.9975, 0.999, 0.9999, 1]
    }

    package struct CumulativeDistributions: Sendable, Codable, Equatable {
        package var timeToFirstToken: CumulativeDistribution?
        package var interTokenLatency: CumulativeDistribution?
        package var timePerOutputToken: CumulativeDistribution?
        package var endToEnd: CumulativeDistribution?
    }
}
