/// Searches the highest offered load that meets an objective: chooses rates, is told what they
/// gave. Pure; deterministic.
///
///     doubling ──missed──> bisecting ──narrow enough──> confirming ──met──> done
///        │ first missed: halving           ^───────missed────┘
///
/// The number of runs is bounded; what is known then is the answer.
package struct KneeSearch: Sendable {
    package struct Settings: Sendable, Equatable {
        /// Requests per second of the first run.
        package var firstRate = 1.0
        /// No run goes beyond these.
        package var rateMin = 0.01
        package var rateMax = 100_000.0
        /// The search ends when a missed rate is within this share of a met one.
        package var tolerance = 0.1
        /// Runs, confirmations included.
        package var runsMax = 14

        package init() {}
    }

    package struct Step: Sendable, Equatable {
        package var rate: Double
        package var isConfirmation: Bool
    }

    package let settings: Settings
    /// The highest rate that met the objective and was not refuted since.
    package var met: Double? { metRates.last }
    package private(set) var missed: Double?
    package private(set) var isConfirmed = false
    package private(set) var runs = 0
    /// Rates that met it, ascending as they were chosen: what is left when a confirmation fails.
    private var metRates: [Double] = []

    package init(_ settings: Settings) { self.settings = settings }

    /// What to measure next; nil: the search is over.
    package var next: Step? {
        guard runs < settings.runsMax, !isConfirmed else { return nil }
        guard let met else {
            guard let missed else {
                return Step(rate: settings.firstRate, isConfirmation: false)
            }
            let half = missed / 2
            return half >= settings.rateMin ? Step(rate: half, isConfirmation: false) : nil
        }
        guard let missed else {
            if met >= settings.rateMax { return Step(rate: met, isConfirmation: true) }
            return Step(rate: min(met * 2, settings.rateMax), isConfirmation: false)
        }
        // The last run is kept for the confirmation.
        let isNarrow = missed <= met * (1 + settings.tolerance)
        if isNarrow || runs == settings.runsMax - 1 { return Step(rate: met, isConfirmation: true) }
        return Step(rate: (met + missed) / 2, isConfirmation: false)
    }

    /// What `next` gave.
    package mutating func measured(_ step: Step, met isMet: Bool) {
        runs += 1
        switch (step.isConfirmation, isMet) {
        case (true, true):
            isConfirmed = true
        case (true, false):
            metRates.removeAll { $0 >= step.rate }
            missed = step.rate
        case (false, true):
            metRates.append(step.rate)
        case (false, false):
            missed = step.rate
        }
    }
}
