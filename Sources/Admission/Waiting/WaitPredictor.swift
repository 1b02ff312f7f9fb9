package import InferenceTypes

/// How long a ticket will wait.
package struct WaitPrediction: Hashable, Sendable {
    /// As often longer as shorter.
    package var medianNanoseconds: Int64
    /// Nine in ten do not wait longer.
    package var p90Nanoseconds: Int64
    /// Before calibration.
    var rawNanoseconds: Double
    /// Engine time ahead; nil when the rate was measured.
    var unmeasuredAhead: Double?
}

/// Predicts waits from the work ahead and from how fast work was handed out while somebody waited,
/// and calibrates itself by what the waits really were. Owned by the dispatcher.
///
/// What is predicted by arithmetic alone is wrong by a factor that changes slowly: the window of
/// the last factors gives the quantiles, and the level at which the p90 is read is moved by each
/// outcome, so that it holds in 90 % of cases whatever the factors' distribution (adaptive
/// conformal inference; Gibbs & Candès 2021). Factors are kept by size of the prediction.
package struct WaitPredictor: Sendable {
    /// Older service has lost most of its weight: seconds in which somebody waited.
    private static let memoryNanoseconds = 30e9
    /// Hand-outs from which the rate is trusted.
    private static let handOutsMin = 4
    /// Outcomes from which a window is trusted.
    private static let outcomesMin = 8
    private static let defaultP90Factor = 2.0
    private static let classes = 16
    private static let levelStep = 0.005
    /// A little above what is promised, as outcomes become known late.
    private static let kept = 0.92
    /// The least that is predicted, 1 ms: shorter waits are nobody's concern.
    private static let leastNanoseconds = 1e6
    /// A little slower than places become free, since they do so irregularly.
    private static let patience = 1.1
    /// The longest `retry-after`; clients' libraries do not obey much longer ones.
    package static let retryAfterLimitNanoseconds: Int64 = 120_000_000_000

    private var work = 0.0
    private var tickets = 0.0
    private var time = 0.0
    private var handOuts = 0
    /// Since when the time of the present hand-out counts; nil while nobody waits.
    private var waitingSince: Instant?
    private var windows = Array(repeating: RatioWindow(), count: classes)
    private var all = RatioWindow()
    private var level = 0.92
    /// Until when refused clients were told to stay away.
    private var promised = Instant.zero

    package init() {}

    // MARK: Rate

    /// To be called when placing has ended.
    package mutating func placed(stillWaiting: Bool, now: Instant) {
        if !stillWaiting {
            waitingSince = nil
        } else if waitingSince == nil {
            waitingSince = now
        }
    }

    /// A ticket was handed out that will take so much engine time.
    package mutating func handedOut(nanoseconds: Int64, now: Instant) {
        guard let since = waitingSince else { return }
        let passed = Double(max(0, now.nanoseconds(since: since)))
        let kept = max(0, 1 - passed / Self.memoryNanoseconds)
        work = work * kept + Double(nanoseconds)
        tickets = tickets * kept + 1
        time = time * kept + passed
        handOuts += 1
        waitingSince = now
    }

    /// Nanoseconds of engine time that are handed out per nanosecond while somebody waits.
    ///
    /// - Parameter workers: Takes so many to be busy all the time until something is known.
    package func rate(workers: Int) -> Double {
        isRateMeasured ? work / time : Double(max(1, workers))
    }

    private var isRateMeasured: Bool { handOuts >= Self.handOutsMin && time > 0 && work > 0 }

    /// Whether predictions rest on measurements.
    package var isMeasured: Bool { isRateMeasured && all.count >= Self.outcomesMin }

    // MARK: Predictions

    /// How long so many tickets take, whatever their work: known where costs are not, as while
    /// it is being learned how fast workers are. Nil before anything is.
    package func nanoseconds(tickets count: Int) -> Double? {
        isRateMeasured ? Double(count) * time / tickets : nil
    }

    /// Of a ticket that has so much engine time ahead of it, its own included.
    package func predict(aheadNanoseconds: Double, workers: Int) -> WaitPrediction {
        let raw = max(aheadNanoseconds / rate(workers: workers), Self.leastNanoseconds)
        let own = windows[Self.sizeClass(raw)]
        let window = own.count >= 2 * Self.outcomesMin ? own : all
        let isKnown = window.count >= Self.outcomesMin
        let median = isKnown ? window.quantile(0.5) ?? 1 : 1
        let p90 = isKnown ? window.quantile(level) ?? 1 : Self.defaultP90Factor
        return WaitPrediction(
            medianNanoseconds: Self.whole(raw * median),
            p90Nanoseconds: Self.whole(raw * max(p90, median)), rawNanoseconds: raw,
            unmeasuredAhead: isRateMeasured ? nil : aheadNanoseconds)
    }

    /// What became of a prediction.
    package mutating func observe(_ prediction: WaitPrediction, actualNanoseconds: Int64) {
        var raw = prediction.rawNanoseconds
        if let ahead = prediction.unmeasuredAhead {
            // An assumed rate was wrong by whatever: what counts is how wrong `ahead` was.
            guard isRateMeasured else { return }
            raw = max(ahead / rate(workers: 1), Self.leastNanoseconds)
        }
        let ratio = Double(max(0, actualNanoseconds)) / raw
        windows[Self.sizeClass(raw)].add(ratio)
        all.add(ratio)
        let holds = actualNanoseconds <= prediction.p90Nanoseconds
        level = min(max(level + Self.levelStep * (Self.kept - (holds ? 1 : 0)), 0.7), 0.999)
    }

    /// The ticket waits no more, and was not handed out: known to be wrong when it has waited
    /// longer than was predicted.
    package mutating func gaveUp(_ prediction: WaitPrediction, afterNanoseconds waited: Int64) {
        guard waited > prediction.p90Nanoseconds else { return }
        observe(prediction, actualNanoseconds: waited)
    }

    private static func sizeClass(_ nanoseconds: Double) -> Int {
        let milliseconds = UInt64(min(max(nanoseconds / 1e6, 1), 1e12))
        return min(classes - 1, (UInt64.bitWidth - 1 - milliseconds.leadingZeroBitCount) / 2)
    }

    private static func whole(_ nanoseconds: Double) -> Int64 {
        Int64(min(nanoseconds, 1e18))
    }

    // MARK: Those who are refused

    /// When a refused client shall come back. Those who are refused at about the same time are told
    /// different times, at the pace at which places become free.
    ///
    /// - Parameters:
    ///   - excess: How much too long the wait is at present.
    ///   - nanoseconds: Engine time that the refused work would take.
    package mutating func retryAfter(
        excess: Int64, nanoseconds: Int64, workers: Int, now: Instant
    ) -> Int64 {
        let pace = Int64(
            min(Double(nanoseconds) * Self.patience / rate(workers: workers), 1e18))
        let limit = now.advanced(byNanoseconds: Self.retryAfterLimitNanoseconds)
        promised = max(now.advanced(byNanoseconds: max(0, excess)), promised)
            .advanced(byNanoseconds: max(pace, 1_000_000))
        promised = min(promised, limit)
        return promised.nanoseconds(since: now)
    }
}
